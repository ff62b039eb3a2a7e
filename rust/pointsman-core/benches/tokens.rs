//! Token counts at 200 B, 1 KB and 32 KB: `cargo bench --bench tokens`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pointsman_core::tokens::{TokenFamily, count, prepare};

/// Prose, code, lists and a question, about 1.2 KB before it repeats.
const TEXT: &str = include_str!("prompt.txt");

fn tokens(c: &mut Criterion) {
    let start = std::time::Instant::now();
    prepare(TokenFamily::O200k);
    eprintln!("o200k table built in {:?}", start.elapsed());
    let start = std::time::Instant::now();
    prepare(TokenFamily::Cl100k);
    eprintln!("cl100k table built in {:?}", start.elapsed());
    let mut group = c.benchmark_group("tokens");
    for (name, n_bytes) in [
        ("200B", 200),
        ("1KB", 1024),
        ("8KB", 8 << 10),
        ("32KB", 32 << 10),
    ] {
        let text: String = TEXT.chars().cycle().take(n_bytes).collect();
        group.throughput(Throughput::Bytes(text.len() as u64));
        for family in [
            TokenFamily::O200k,
            TokenFamily::Cl100k,
            TokenFamily::Claude3,
        ] {
            group.bench_function(format!("{family:?}/{name}"), |b| {
                b.iter(|| count(family, black_box(&text)));
            });
        }
        let exact = count(TokenFamily::O200k, &text);
        group.bench_function(format!("estimate_from/{name}"), |b| {
            b.iter(|| TokenFamily::Claude3.estimate_from(exact, black_box(&text)));
        });
    }
    let chinese = "日本の首都はどこですか。請問法國的首都是哪裡? Привет, как дела? ".repeat(10);
    group.throughput(Throughput::Bytes(chinese.len() as u64));
    group.bench_function(format!("O200k/not ascii {}B", chinese.len()), |b| {
        b.iter(|| count(TokenFamily::O200k, black_box(&chinese)));
    });
    let run = "x".repeat(8 << 10);
    group.bench_function("O200k/one word of 8KB", |b| {
        b.iter(|| count(TokenFamily::O200k, black_box(&run)));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = tokens
}
criterion_main!(benches);
