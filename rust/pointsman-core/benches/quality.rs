//! What one decision and one outcome cost the quality estimator: 32 arms, 64 features.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pointsman_core::LatencyPrior;
use pointsman_core::explore::{draw, inverse_gap_into, uniform};
use pointsman_core::latency_model::LatencyModel;
use pointsman_core::quality::{
    Arm, Context, Estimate, NeighbourConfig, Neighbours, QualityConfig, QualityEstimator, Ridge,
};

const N_ARMS: usize = 32;
const N_FEATURES: usize = 64;
const PRIORS: [f64; N_ARMS] = [0.7; N_ARMS];

fn values(seed: u64, n: usize) -> Vec<f32> {
    (0..n as u64)
        .map(|i| uniform(seed, i) as f32 - 0.5)
        .collect()
}

fn unit(seed: u64, n: usize) -> Vec<f32> {
    let raw = values(seed, n);
    let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter().map(|x| x / norm).collect()
}

fn context<'a>(features: &'a [f32], vector: &'a [f32]) -> Context<'a> {
    Context {
        slice: 1,
        n_elsewhere: 12.0,
        priors: &PRIORS,
        features,
        vector,
    }
}

fn estimator(n_entries: usize, n_dimensions: usize) -> QualityEstimator {
    let arms: Vec<Arm> = (0..N_ARMS)
        .map(|arm| Arm::new(format!("{arm}"), format!("{arm}")))
        .collect();
    let mut config = QualityConfig::new(N_FEATURES, n_dimensions);
    config.neighbours.n_entries = n_entries;
    let mut estimator = QualityEstimator::new(config, &arms).unwrap();
    for seed in 0..n_entries as u64 {
        let (features, vector) = (values(seed, N_FEATURES), unit(seed, n_dimensions));
        let parts = Estimate::default().parts;
        let context = context(&features, &vector);
        estimator
            .observe_predicted(&context, seed as usize % N_ARMS, &parts, 0.5, 1.0, 0.0)
            .unwrap();
    }
    estimator
}

fn predict(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("predict_32_arms");
    for (n_entries, n_dimensions) in [
        (0, 256),
        (2_000, 128),
        (2_000, 256),
        (20_000, 64),
        (20_000, 256),
    ] {
        let estimator = estimator(n_entries, n_dimensions);
        let (features, vector) = (values(7, N_FEATURES), unit(70_007, n_dimensions));
        let context = context(&features, &vector);
        let mut out = vec![Estimate::default(); N_ARMS];
        let name = format!("means, ring {n_entries} x {n_dimensions}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                estimator
                    .predict_into(black_box(&context), 0.0, &mut out)
                    .unwrap();
            });
        });
        if n_entries == 0 {
            let eight: Vec<usize> = (0..8).collect();
            group.bench_function("variance of 8", |bencher| {
                bencher.iter(|| {
                    estimator
                        .widen_into(black_box(&context), &eight, 0.0, &mut out)
                        .unwrap();
                });
            });
        }
    }
    group.finish();
}

fn observe(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("observe");
    for (n_entries, n_dimensions) in [(2_000, 256), (20_000, 256)] {
        let mut estimator = estimator(n_entries, n_dimensions);
        let (features, vector) = (values(7, N_FEATURES), unit(70_007, n_dimensions));
        let context = context(&features, &vector);
        let parts = Estimate::default().parts;
        group.bench_function(BenchmarkId::new("with parts", n_entries), |bencher| {
            bencher.iter(|| {
                estimator
                    .observe_predicted(black_box(&context), 3, &parts, 0.7, 1.0, 0.0)
                    .unwrap();
            });
        });
        group.bench_function(BenchmarkId::new("alone", n_entries), |bencher| {
            bencher.iter(|| {
                estimator
                    .observe(black_box(&context), 3, 0.7, 1.0, 0.0)
                    .unwrap();
            });
        });
    }
    group.finish();
}

fn parts(criterion: &mut Criterion) {
    let mut ridge = Ridge::new(N_FEATURES, 4.0, 0.0).unwrap();
    let features = values(7, N_FEATURES);
    criterion.bench_function("ridge/observe_64", |bencher| {
        bencher.iter(|| ridge.observe(black_box(&features), 0.1, 1.0, 0.0).unwrap());
    });
    criterion.bench_function("ridge/variance_64", |bencher| {
        bencher.iter(|| ridge.variance(black_box(&features), 0.0));
    });
    let config = NeighbourConfig {
        n_dimensions: 256,
        n_entries: 20_000,
        n_neighbours: 100,
        temperature: 0.1,
    };
    let mut ring = Neighbours::new(config, 0.0).unwrap();
    (0..20_000).for_each(|seed| ring.observe(&unit(seed, 256), 0, 0.5, 1.0, 0.0).unwrap());
    let vector = unit(70_007, 256);
    criterion.bench_function("neighbours/20000x256", |bencher| {
        bencher.iter(|| ring.mean(black_box(&vector), 0, 0.0).unwrap());
    });
}

fn policy(criterion: &mut Criterion) {
    let scores: Vec<f64> = (0..N_ARMS as u64).map(|arm| uniform(3, arm)).collect();
    let mut propensities = vec![0.0; N_ARMS];
    criterion.bench_function("explore/32_arms", |bencher| {
        bencher.iter(|| {
            inverse_gap_into(black_box(&scores), 50.0, 0.005, &mut propensities).unwrap();
            draw(&propensities, 5).unwrap()
        });
    });
    let prior = LatencyPrior {
        ttft_p50_ms: 400.0,
        ttft_p95_ms: 900.0,
        tokens_per_s: 80.0,
    };
    let mut model = LatencyModel::new(prior).unwrap();
    (0..2_000).for_each(|i| {
        model
            .observe(uniform(1, i) * 900.0, Some(70.0), i as f64 / 10.0)
            .unwrap();
    });
    criterion.bench_function("latency/predict", |bencher| {
        bencher.iter(|| model.predict(black_box(200.0)));
    });
    criterion.bench_function("latency/observe", |bencher| {
        bencher.iter(|| model.observe(black_box(300.0), Some(70.0), 200.0).unwrap());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = predict, observe, parts, policy
}
criterion_main!(benches);
