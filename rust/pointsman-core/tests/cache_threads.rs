//! Thirty-two threads read, write, delete and evict on one cache.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use pointsman_core::cache::{Ask, Cache, CacheSettings, Insertion, Lookup};

const N_THREADS: u64 = 32;
const N_STEPS: u64 = 400;

fn text_of(number: u64) -> String {
    let subject = ["tides", "volcanoes", "comets", "glaciers"][number as usize % 4];
    format!("Explain {subject} to a class of {} children", number % 200)
}

/// What an answer says of itself, so that whoever gets it can tell whose it is.
fn answer_of(partition: u64, ends_s: u64, number: u64) -> Vec<u8> {
    let mut answer = vec![0; 600];
    for (at, value) in [partition, ends_s, number].into_iter().enumerate() {
        answer[at * 8..][..8].copy_from_slice(&value.to_le_bytes());
    }
    answer
}

fn field(answer: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*answer[at * 8..].first_chunk().unwrap())
}

struct Worker<'a> {
    cache: &'a Cache,
    clock: &'a AtomicU64,
    state: u64,
}

impl Worker<'_> {
    fn draw(&mut self, bound: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 20) % bound
    }

    fn insert(&mut self, partition: u64, number: u64) -> u64 {
        let ttl_s = 1 + self.draw(N_THREADS * N_STEPS);
        let now_s = self.clock.load(Relaxed);
        let insertion = Insertion {
            namespace: "acme",
            text: &text_of(number),
            answer: &answer_of(partition, now_s + ttl_s, number),
            now_s: now_s as f64,
            ttl_s: Some(ttl_s as f64),
            cost_usd: 0.0,
        };
        self.cache
            .insert(&u128::from(partition).to_le_bytes(), insertion)
            .unwrap()
    }

    fn look(&mut self, partition: u64, number: u64) -> Option<u64> {
        let now_s = self.clock.load(Relaxed);
        let ask = Ask {
            now_s: now_s as f64,
            seed: self.draw(1 << 40),
            is_semantic: true,
            max_age_s: f64::INFINITY,
        };
        match self
            .cache
            .lookup(&u128::from(partition).to_le_bytes(), &text_of(number), ask)
        {
            Lookup::Hit(hit) => {
                assert_eq!(
                    field(&hit.answer, 0),
                    partition,
                    "an answer of another partition"
                );
                assert!(field(&hit.answer, 1) > now_s, "an answer after its end");
                assert_eq!(
                    field(&hit.answer, 2) % 200,
                    number % 200,
                    "an answer to another question"
                );
                Some(hit.entry_id)
            }
            Lookup::Miss(_) => None,
        }
    }

    /// Partitions 0 to 2 are everyone's, a higher one this thread's own.
    fn run(&mut self, own: u64) {
        for _ in 0..N_STEPS {
            self.clock.fetch_add(1, Relaxed);
            let (shared, number) = (self.draw(3), self.draw(400));
            match self.draw(10) {
                0..=3 => {
                    self.insert(shared, number);
                }
                4..=7 => {
                    self.look(shared, number);
                }
                8 => self.delete_own(own, number),
                _ => {
                    let ids = self.cache.entries(None, None, 1);
                    ids.iter().for_each(|entry| {
                        self.cache.delete(entry.id);
                    });
                    self.cache.take_journal();
                }
            }
            assert!(self.cache.stats().n_bytes <= self.cache.stats().max_bytes);
        }
    }

    fn delete_own(&mut self, own: u64, number: u64) {
        let id = self.insert(own, number);
        self.cache.delete(id);
        assert_ne!(
            self.look(own, number),
            Some(id),
            "an answer that was deleted"
        );
    }
}

#[test]
fn threads_get_only_answers_that_are_theirs_and_alive() {
    let settings = CacheSettings {
        max_bytes: 150_000,
        ..CacheSettings::default()
    };
    let cache = Cache::new(settings).unwrap();
    let clock = AtomicU64::new(0);
    thread::scope(|scope| {
        for own in 0..N_THREADS {
            let (cache, clock) = (&cache, &clock);
            let state = (own + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            scope.spawn(move || {
                Worker {
                    cache,
                    clock,
                    state,
                }
                .run(100 + own);
            });
        }
    });
    let stats = cache.stats();
    assert!(
        stats.hits.iter().sum::<u64>() > 100 && stats.n_evicted > 100,
        "{stats:?}"
    );
    let copy = Cache::restore(&cache.snapshot(), &[], 0.0, settings).unwrap();
    assert_eq!(
        copy.entries(None, None, usize::MAX),
        cache.entries(None, None, usize::MAX)
    );
}
