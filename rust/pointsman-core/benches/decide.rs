//! Stages of one decision: `cargo bench -p pointsman-core`.
//!
//! `text` is the reading of the conversation (sizes, cues, tokens), `classify` the axes, `policy` a decision on a
//! prompt of two bytes over 32 deployments (so nearly all of it is prediction, feasibility and choice), `decide`
//! the whole.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pointsman_core::{Catalog, Conversation, Facts, Features, Request, Router, classify};
use serde_json::json;

const SENTENCE: &str = "Please review the attached quarterly report, explain why revenue fell by 12% and write a \
                        Python function that plots it.\n";
const SIZES: [usize; 3] = [200, 1024, 32 * 1024];

fn prompt(n_bytes: usize) -> String {
    SENTENCE.chars().cycle().take(n_bytes).collect()
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

fn stages(criterion: &mut Criterion) {
    let router = Router::new(Arc::new(catalog())).unwrap_or_else(|error| panic!("{error}"));
    for n_bytes in SIZES {
        let text = prompt(n_bytes);
        let request = Request::new(Conversation::user(text.as_str()));
        let features = Features::extract(&request);
        let mut group = criterion.benchmark_group("decide");
        group.throughput(Throughput::Bytes(n_bytes as u64));
        group.bench_function(BenchmarkId::new("text", n_bytes), |bencher| {
            bencher.iter(|| Features::extract(black_box(&request)));
        });
        group.bench_function(BenchmarkId::new("decide", n_bytes), |bencher| {
            bencher.iter(|| router.decide(black_box(&request), 1.7e9, 7));
        });
        group.finish();
        if n_bytes == SIZES[0] {
            criterion.bench_function("classify", |bencher| {
                bencher.iter(|| classify(black_box(&features), &Facts::default()));
            });
        }
    }
    let short = Request::new(Conversation::user("hi"));
    criterion.bench_function("policy over 32 deployments", |bencher| {
        bencher.iter(|| router.decide(black_box(&short), 1.7e9, 7));
    });
}

criterion_group!(benches, stages);
criterion_main!(benches);
