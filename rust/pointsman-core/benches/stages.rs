//! Decides prompts that were never seen before, for `benches/callgrind.py`: `stages BYTES PROMPTS` counts what
//! `measured` does, `stages BYTES PROMPTS 5000` after so many graded answers; without arguments it prints the time a
//! decision takes at each size, untrained and trained.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use pointsman_core::{Catalog, Conversation, Outcome, Request, Router};
use serde_json::json;

/// Pieces of prompts, and the words put into them: what `pointsman bench decide` is made of too.
const FRAGMENTS: &str = include_str!("../../../python/pointsman/cli/bench_fragments.txt");
const WORDS: &str = include_str!("../../../python/pointsman/cli/bench_words.txt");
const N_WARM: u64 = 50;
const N_GRADED: u64 = 5000;
const NOW_S: f64 = 1.7e9;

/// Knuth's MMIX generator: the same prompts on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// Fragments in random order, with random words and numbers, cut to `n_bytes`.
fn prompt(n_bytes: usize, seed: u64) -> String {
    let fragments: Vec<&str> = FRAGMENTS.split("%%\n").map(str::trim_end).collect();
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let (mut text, mut random) = (String::new(), Random(seed));
    while text.len() < n_bytes {
        let mut fragment = fragments[random.below(fragments.len())].to_owned();
        while let Some(at) = fragment.find("{w}") {
            fragment.replace_range(at..at + 3, words[random.below(words.len())]);
        }
        while let Some(at) = fragment.find("{n}") {
            fragment.replace_range(at..at + 3, &(2 + random.below(97)).to_string());
        }
        text.push_str(&fragment);
        text.push('\n');
    }
    let end = (0..=n_bytes).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
    text
}

fn catalog() -> Catalog {
    let model = |i: u32| {
        json!({"name": format!("m{i}"), "context_window": 128_000, "capabilities": ["tools"],
               "quality": {"default": 0.5 + 0.05 * f64::from(i), "code": 0.6 + 0.04 * f64::from(i)}})
    };
    let deployment = |i: u32| {
        json!({"name": format!("p{}/m{}", i / 8, i % 8), "model": format!("m{}", i % 8), "provider": format!("p{}", i / 8),
               "price_nano_usd_per_mtok": {"input": 100_000_000 * u64::from(i % 8 + 1), "output": 400_000_000},
               "latency": {"ttft_p50_ms": 200, "ttft_p95_ms": 400 + i, "tokens_per_s": 80}})
    };
    let document = json!({
        "models": (0..8).map(model).collect::<Vec<_>>(),
        "providers": (0..4).map(|i| json!({"name": format!("p{i}")})).collect::<Vec<_>>(),
        "deployments": (0..32).map(deployment).collect::<Vec<_>>(),
    });
    Catalog::from_json(document.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// What the instruction counts are of.
#[inline(never)]
fn measured(router: &Router, texts: &[String]) {
    for (text, seed) in texts.iter().zip(0..) {
        let request = Request::new(Conversation::user(text.as_str()));
        let verdict = router.decide(black_box(&request), NOW_S, seed);
        if let Some(decision) = verdict.as_ref().ok().and_then(|verdict| verdict.decision()) {
            black_box(decision.to_json(None));
        }
    }
}

fn prompts(n_bytes: usize, n_prompts: u64) -> Vec<String> {
    (0..n_prompts)
        .map(|seed| prompt(n_bytes, seed + n_bytes as u64))
        .collect()
}

/// The median of a decision without its record, in microseconds.
fn median_us(router: &Router, texts: &[String]) -> f64 {
    let time = |text: &String| {
        let request = Request::new(Conversation::user(text.as_str()));
        let start = Instant::now();
        _ = black_box(router.decide(black_box(&request), NOW_S, 7));
        start.elapsed().as_nanos()
    };
    let mut taken: Vec<u128> = texts.iter().map(time).collect();
    taken.sort_unstable();
    taken[taken.len() / 2] as f64 / 1000.0
}

fn main() {
    let router = Router::new(Arc::new(catalog())).unwrap_or_else(|error| panic!("{error}"));
    warm_up(&router);
    let numbers: Vec<u64> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    if let [n_bytes, n_prompts, ref n_graded @ ..] = numbers[..] {
        train(&router, n_graded.first().copied().unwrap_or(0));
        return measured(&router, &prompts(n_bytes as usize, n_prompts));
    }
    let trained = Router::new(Arc::new(catalog())).unwrap_or_else(|error| panic!("{error}"));
    train(&trained, N_GRADED);
    for n_bytes in [200, 1024, 32 << 10] {
        let texts = prompts(n_bytes, 3000);
        let (before, after) = (median_us(&router, &texts), median_us(&trained, &texts));
        eprintln!("{n_bytes:>6} B: {before:.2} us, {after:.2} us trained");
    }
}

/// Learns graded answers of one deployment each, with their lengths.
fn train(router: &Router, n_graded: u64) {
    let catalog = router.catalog();
    let deployments = catalog.deployments();
    for seed in 0..n_graded {
        let text = prompt(200, seed + 2_000_000);
        let request = Request::new(Conversation::user(text.as_str()));
        let Ok(verdict) = router.decide(&request, NOW_S, seed) else {
            continue;
        };
        let Some(decision) = verdict.decision() else {
            continue;
        };
        let deployment = deployments[Random(seed).below(deployments.len())]
            .name
            .as_str();
        let profile = decision.profile();
        let labels = (
            profile.domain.label,
            profile.complexity.label,
            profile.structure.label,
        );
        let outcome = Outcome {
            features: Some(decision.features().clone()),
            n_input_tokens: profile.n_input_tokens,
            n_output_tokens: Some(50 + seed % 300),
            reward: Some(f64::from(u8::from(seed % 3 > 0))),
            ..Outcome::new(deployment, labels.0, labels.1, labels.2)
        };
        router
            .observe(&outcome, NOW_S)
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Warms up what is built at first use, outside of what is counted.
fn warm_up(router: &Router) {
    for seed in 0..N_WARM {
        let text = prompt(1024, seed + 1_000_000);
        _ = black_box(router.decide(
            &Request::new(Conversation::user(text.as_str())),
            NOW_S,
            seed,
        ));
    }
}
