//! The embedding at 200 B, 1 KB and 32 KB: `cargo bench --bench embed`.

#![allow(clippy::expect_used)] // A bench has no caller to report to.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pointsman_core::embed::{DIM, Embedding};

/// Prose, code, lists and a question: what a prompt looks like, about 1.2 KB before it repeats.
const TEXT: &str = include_str!("prompt.txt");

fn text(n_bytes: usize) -> String {
    TEXT.chars().cycle().take(n_bytes).collect()
}

fn embed(c: &mut Criterion) {
    let embedding = Embedding::builtin().expect("the shipped embedding loads");
    let mut vector = [0.0; DIM];
    let mut group = c.benchmark_group("embed");
    for (name, n_bytes) in [("200B", 200), ("1KB", 1024), ("32KB", 32 << 10)] {
        let text = text(n_bytes);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("whole/{name}"), |b| {
            b.iter(|| embedding.embed_into(black_box(&text), &mut vector));
        });
        group.bench_function(format!("window/{name}"), |b| {
            b.iter(|| embedding.embed_window_into(black_box(&text), &mut vector));
        });
        group.bench_function(format!("tokenize/{name}"), |b| {
            b.iter(|| embedding.tokenize(black_box(&text)));
        });
    }
    let megabyte = text(1 << 20);
    group.throughput(Throughput::Bytes(megabyte.len() as u64));
    group.bench_function("window/1MB", |b| {
        b.iter(|| embedding.embed_window_into(black_box(&megabyte), &mut vector));
    });
    let chinese = "日本の首都はどこですか。請問法國的首都是哪裡? Привет, как дела? ".repeat(10);
    group.throughput(Throughput::Bytes(chinese.len() as u64));
    group.bench_function(format!("whole/not ascii {}B", chinese.len()), |b| {
        b.iter(|| embedding.embed_into(black_box(&chinese), &mut vector));
    });
    group.finish();
}

fn load(c: &mut Criterion) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/embedding");
    let weights = std::fs::read(data.join("embedding.safetensors")).expect("weights");
    let vocab = std::fs::read_to_string(data.join("vocab.txt")).expect("vocabulary");
    let weights: &'static [u8] = weights.leak();
    c.bench_function("embed/load", |b| {
        b.iter(|| Embedding::from_bytes(black_box(weights), &vocab));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).warm_up_time(std::time::Duration::from_millis(500)).measurement_time(std::time::Duration::from_secs(2));
    targets = embed, load
}
criterion_main!(benches);
