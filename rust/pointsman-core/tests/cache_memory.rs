//! The bound in bytes against what the allocator really gave, at every moment.

#![allow(unsafe_code, clippy::unwrap_used, clippy::print_stdout)] // An allocator is unsafe by its trait; a panic is the report.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pointsman_core::cache::{Ask, Cache, CacheSettings, Insertion};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: as this function's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as this function's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WORDS: [&str; 16] = [
    "river", "engine", "quantum", "ledger", "violin", "harbour", "protein", "sonnet", "granite",
    "budget", "comet", "syntax", "orchid", "tariff", "glacier", "compass",
];

struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % bound
    }

    fn text(&mut self, most_words: usize) -> String {
        let n = 3 + self.below(most_words);
        let words: Vec<&str> = (0..n).map(|_| WORDS[self.below(16)]).collect();
        format!("Explain {} {}", self.below(1 << 30), words.join(" "))
    }
}

/// Fills a cache several times over; most bytes above the bound, and most that the count was too low by, as shares.
fn overrun(max_bytes: usize, n: usize, most_answer: usize, n_partitions: usize) -> (f64, f64) {
    let settings = CacheSettings {
        max_bytes,
        ..CacheSettings::default()
    };
    let before = NOW.load(Relaxed);
    let cache = Cache::new(settings).unwrap();
    let mut draws = Draws(max_bytes as u64 | 1);
    let answer = vec![7; most_answer];
    let (mut worst_peak, mut worst_count) = (0_usize, 0.0_f64);
    for step in 0..n {
        let text = draws.text(if step % 9 == 0 { 200 } else { 8 });
        // Half of the entries share one partition, so that it becomes a graph.
        let number = if step % 2 == 0 {
            0
        } else {
            draws.below(n_partitions) as u32
        };
        let mut partition = [0; 16];
        partition[..4].copy_from_slice(&number.to_le_bytes());
        let insertion = Insertion {
            namespace: "acme",
            text: &text,
            answer: &answer[..draws.below(most_answer)],
            now_s: step as f64,
            ttl_s: Some(1.0 + draws.below(2 * n) as f64),
            cost_usd: 0.001 * draws.below(9) as f64,
        };
        PEAK.store(NOW.load(Relaxed), Relaxed);
        cache.insert(&partition, insertion).unwrap();
        let held = NOW.load(Relaxed) - before - text.capacity() - answer.capacity();
        worst_peak =
            worst_peak.max(PEAK.load(Relaxed) - before - text.capacity() - answer.capacity());
        if step > n / 4 {
            let counted = cache.stats().n_bytes as f64;
            worst_count = worst_count.max((held as f64 - counted).abs() / max_bytes as f64);
        }
        if step % 700 == 0 {
            drop(cache.take_journal());
            let is_semantic = true;
            let ask = Ask {
                now_s: step as f64,
                seed: 1,
                is_semantic,
                max_age_s: 1e9,
            };
            cache.lookup(&partition, &text, ask);
        }
    }
    assert!(
        cache.stats().n_evicted > 100,
        "never full: {:?}",
        cache.stats()
    );
    (worst_peak as f64 / max_bytes as f64 - 1.0, worst_count)
}

/// One test: the counter is the process's.
#[test]
fn memory_keeps_within_five_percent_of_the_bound_at_every_moment() {
    // What is loaded once is no part of a cache.
    let _ = overrun(1 << 20, 3000, 3000, 10);
    for (max_bytes, n, most_answer, n_partitions) in [
        (2 << 20, 3000, 1500, 300),
        (8 << 20, 14_000, 900, 5000),
        (16 << 20, 5000, 16_000, 3),
    ] {
        let (peak, count) = overrun(max_bytes, n, most_answer, n_partitions);
        println!(
            "{max_bytes} bytes: peak {:+.2} %, count off by {:.2} %",
            100.0 * peak,
            100.0 * count
        );
        assert!(peak <= 0.05, "{max_bytes}: {peak} above the bound");
        assert!(count <= 0.02, "{max_bytes}: the count is off by {count}");
    }
}
