//! Properties of the learners: ranges, monotonicity, merge = union, save/load identity, nothing but errors from NaN.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use pointsman_core::LatencyPrior;
use pointsman_core::explore::{draw, inverse_gap_into};
use pointsman_core::latency_model::LatencyModel;
use pointsman_core::quality::{
    Arm, Context, Estimate, NeighbourConfig, QualityConfig, QualityEstimator,
};
use pointsman_core::sketch::Sketch;
use pointsman_core::window::RotatingSketch;
use proptest::collection::vec;
use proptest::prelude::*;

const N_FEATURES: usize = 3;
const N_DIMENSIONS: usize = 70;

/// One graded answer: slice, features, a seed of the vector, arm, reward, weight, seconds since the last.
type Graded = (u64, [f32; N_FEATURES], u64, usize, f64, f64, f64);

fn graded() -> impl Strategy<Value = Graded> {
    (
        0..5_u64,
        [-3.0..3.0_f32, -3.0..3.0_f32, -3.0..3.0_f32],
        0..9_u64,
        0..3_usize,
        0.0..=1.0,
        0.0..5.0,
        -1e4..1e5,
    )
}

fn vector(seed: u64) -> Vec<f32> {
    let raw: Vec<f32> = (0..N_DIMENSIONS as u64)
        .map(|i| ((i * (seed + 1)) as f32).sin())
        .collect();
    let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt().max(1.0);
    raw.iter().map(|x| x / norm).collect()
}

fn config() -> QualityConfig {
    let fresh = QualityConfig::new(N_FEATURES, N_DIMENSIONS);
    let neighbours = NeighbourConfig {
        n_entries: 20,
        n_neighbours: 5,
        ..fresh.neighbours
    };
    QualityConfig {
        neighbours,
        ..fresh
    }
}

fn arms() -> [Arm; 3] {
    [
        Arm::new("a@x", "a"),
        Arm::new("a@y", "a"),
        Arm::new("b@x", "b"),
    ]
}

const PRIORS: [f64; 3] = [0.7, 0.7, 0.4];

fn trained(history: &[Graded]) -> QualityEstimator {
    let mut estimator = QualityEstimator::new(config(), &arms()).unwrap();
    let mut now_s = 0.0;
    for (slice, features, seed, arm, reward, weight, step_s) in history {
        now_s += step_s;
        let vector = vector(*seed);
        let context = Context {
            slice: *slice,
            n_elsewhere: 12.0,
            priors: &PRIORS,
            features,
            vector: &vector,
        };
        estimator
            .observe(&context, *arm, *reward, *weight, now_s)
            .unwrap();
    }
    estimator
}

fn predict(estimator: &QualityEstimator, slice: u64, features: &[f32], seed: u64) -> Vec<Estimate> {
    let vector = vector(seed);
    let priors = vec![0.5; estimator.n_arms()];
    let context = Context {
        slice,
        n_elsewhere: 12.0,
        priors: &priors,
        features,
        vector: &vector,
    };
    let mut out = vec![Estimate::default(); estimator.n_arms()];
    estimator.predict_into(&context, 1e5, &mut out).unwrap();
    let every: Vec<usize> = (0..out.len()).collect();
    estimator
        .widen_into(&context, &every, 1e5, &mut out)
        .unwrap();
    out
}

proptest! {
    #[test]
    fn estimates_stay_in_range_whatever_was_learned(
        history in vec(graded(), 0..300), features in [-3.0..3.0_f32, -3.0..3.0_f32, -3.0..3.0_f32],
    ) {
        for estimate in predict(&trained(&history), 1, &features, 4) {
            prop_assert!((0.0..=1.0).contains(&estimate.mean));
            prop_assert!(estimate.sd.is_finite() && estimate.sd >= 0.0);
            prop_assert!((0.0..=estimate.mean).contains(&estimate.lcb));
            prop_assert!(estimate.n_effective.is_finite() && estimate.n_effective >= 0.0);
        }
    }

    #[test]
    fn save_and_load_change_nothing(history in vec(graded(), 0..150)) {
        let estimator = trained(&history);
        let saved = estimator.save();
        let loaded = QualityEstimator::load(config(), &arms(), &saved).unwrap();
        prop_assert_eq!(&loaded, &estimator);
        prop_assert_eq!(loaded.save(), saved);
    }

    #[test]
    fn a_spoilt_state_is_an_error(
        history in vec(graded(), 0..30), place in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<bool>(),
    ) {
        let mut saved = trained(&history).save();
        let place = place.index(saved.len());
        if cut { saved.truncate(place) } else { saved[place] ^= flip }
        prop_assert!(QualityEstimator::load(config(), &arms(), &saved).is_err());
    }

    #[test]
    fn any_bytes_are_an_error_not_a_panic(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(QualityEstimator::load(config(), &arms(), &bytes).is_err());
    }

    #[test]
    fn arms_may_come_go_and_move(history in vec(graded(), 1..150)) {
        let estimator = trained(&history);
        let moved = [Arm::new("new@z", "new"), Arm::new("b@x", "b"), Arm::new("a@x", "a"), Arm::new("a@y", "a")];
        let loaded = QualityEstimator::load(config(), &moved, &estimator.save()).unwrap();
        let (before, after) = (predict(&estimator, 1, &[0.5; 3], 2), predict(&loaded, 1, &[0.5; 3], 2));
        prop_assert_eq!(after[2], before[0]);
        prop_assert_eq!(after[3], before[1]);
        prop_assert_eq!(after[1], before[2]);
        prop_assert_eq!(after[0].parts.slice, 0.5);
        let mut back = loaded;
        back.set_arms(&arms()).unwrap();
        prop_assert_eq!(back, estimator);
    }

    #[test]
    fn a_better_answer_never_lowers_the_slice(
        history in vec(graded(), 0..60), low in 0.0..0.5_f64, high in 0.5..1.0_f64,
    ) {
        let with = |reward: f64| {
            let mut history = history.clone();
            history.push((1, [0.0; 3], 3, 0, reward, 1.0, 0.0));
            predict(&trained(&history), 1, &[0.0; 3], 3)[0].parts.slice
        };
        prop_assert!(with(high) >= with(low));
    }

    #[test]
    fn nothing_that_is_not_finite_is_learned(which in 0..5_usize, bad in prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY])) {
        let mut estimator = trained(&[]);
        let (mut features, mut vector) = ([0.5; N_FEATURES], vector(1));
        let mut priors = PRIORS;
        let (mut reward, mut weight) = (0.5, 1.0);
        match which {
            0 => features[1] = bad,
            1 => vector[1] = bad,
            2 => priors[1] = f64::from(bad),
            3 => reward = f64::from(bad),
            _ => weight = f64::from(bad),
        }
        let context = Context { slice: 1, n_elsewhere: 12.0, priors: &priors, features: &features, vector: &vector };
        prop_assert!(estimator.observe(&context, 1, reward, weight, 0.0).is_err());
        prop_assert_eq!(estimator, trained(&[]));
    }

    #[test]
    fn propensities_are_exact(
        scores in vec(-1e6..1e6_f64, 1..40), sharpness in 0.0..1e6_f64, share in 0.0..=1.0_f64, seed in any::<u64>(),
    ) {
        let floor = share / scores.len() as f64;
        let mut p = vec![0.0; scores.len()];
        inverse_gap_into(&scores, sharpness, floor, &mut p).unwrap();
        prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert!(p.iter().all(|one| *one >= floor));
        for (i, j) in (0..p.len()).zip(1..p.len()) {
            prop_assert!(scores[i] < scores[j] || p[i] >= p[j] - 1e-12);
        }
        prop_assert!(p[draw(&p, seed).unwrap()] > 0.0);
    }

    #[test]
    fn relabelling_arms_permutes_the_propensities(scores in vec(0.0..1.0_f64, 2..12)) {
        let propensities = |scores: &[f64]| {
            let mut p = vec![0.0; scores.len()];
            inverse_gap_into(scores, 30.0, 0.005, &mut p).unwrap();
            p
        };
        let mut reversed: Vec<f64> = scores.clone();
        reversed.reverse();
        let mut expected = propensities(&scores);
        expected.reverse();
        for (got, expected) in propensities(&reversed).iter().zip(expected) {
            prop_assert!((got - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn merged_sketches_equal_the_sketch_of_the_union(
        left in vec(1e-12..1e12_f64, 0..300), right in vec(1e-3..1e3_f64, 0..300),
    ) {
        let sketch = |values: &[f64]| {
            let mut sketch = Sketch::new();
            for value in values {
                sketch.add(*value).unwrap();
            }
            sketch
        };
        let (mut one, mut other) = (sketch(&left), sketch(&right));
        one.merge(&sketch(&right));
        other.merge(&sketch(&left));
        let union = sketch(&[left, right].concat());
        for q in [0.0, 0.01, 0.5, 0.95, 1.0] {
            prop_assert_eq!(one.quantile(q), union.quantile(q));
            prop_assert_eq!(other.quantile(q), union.quantile(q));
        }
        prop_assert_eq!(one.n(), union.n());
    }

    #[test]
    fn quantiles_are_right_within_one_percent_and_rise(mut values in vec(1e-3..1e6_f64, 1..400)) {
        let mut sketch = Sketch::new();
        for value in &values {
            sketch.add(*value).unwrap();
        }
        values.sort_by(f64::total_cmp);
        let mut last = 0.0;
        for step in 0..=20 {
            let q = f64::from(step) / 20.0;
            let exact = values[(q * (values.len() - 1) as f64) as usize];
            let got = sketch.quantile(q).unwrap();
            prop_assert!((got / exact - 1.0).abs() <= 0.010_001, "{} {}", got, exact);
            prop_assert!(got >= last);
            last = got;
        }
    }

    #[test]
    fn no_value_is_lost_by_rotating(steps in vec((0.1..1e4_f64, -100.0..400.0_f64), 1..200)) {
        let mut window = RotatingSketch::default();
        let mut now_s = 0.0_f64;
        for (index, (value, step_s)) in steps.iter().enumerate() {
            now_s += step_s;
            window.add(*value, now_s).unwrap();
            let n_live = window.n_recent(-1e9);
            prop_assert_eq!(window.past().n() + n_live, (index + 1) as f64);
        }
    }

    #[test]
    fn predicted_latency_is_ordered_and_finite(observed in vec((0.0..1e5_f64, 0.0..500.0_f64, 0.0..100.0_f64), 0..200)) {
        let prior = LatencyPrior { ttft_p50_ms: 400.0, ttft_p95_ms: 900.0, tokens_per_s: 80.0 };
        let mut model = LatencyModel::new(prior).unwrap();
        let mut now_s = 0.0;
        for (ttft_ms, tokens_per_s, step_s) in observed {
            now_s += step_s;
            model.observe(ttft_ms, Some(tokens_per_s), now_s).unwrap();
        }
        let speed = model.predict(now_s);
        prop_assert!(speed.ttft_p50_ms <= speed.ttft_p95_ms * 1.000_001);
        prop_assert!(speed.p50_ms(500.0).is_finite() && speed.tokens_per_s > 0.0);
    }
}
