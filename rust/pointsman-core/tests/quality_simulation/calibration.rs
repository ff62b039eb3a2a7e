//! Calibration: a logistic world that drifts, one graded arm per request; every seed beside the world's own Bayes filter.

use std::ops::RangeInclusive;

use pointsman_core::quality::{
    Arm, Context, Estimate, NeighbourConfig, Parts, QualityConfig, QualityEstimator,
};

use crate::bayes::{Filter, mean_sigma};
use crate::draws::{Draws, dot, sigma};

const N_FEATURES: usize = 8;
const N_ARMS: usize = 3;
const N_SLICES: usize = 4;
const N_TRAIN: usize = 5_000;
const N_TEST: usize = 5_000;
/// Seconds between requests: 1,000 a day.
const STEP_S: f64 = 86.4;
const KEPT_PER_DAY: f64 = 0.9;
/// Random walk of every arm's level, per day on the logit scale: what the forgetting above is the best answer to.
const DRIFT_PER_DAY: f64 = 0.04;

/// Deviations of the levels of arms and of slices, and of the slopes.
const LEVEL_SD: f64 = 0.5;
const SLICE_SD: f64 = 0.4;
const SLOPE_SD: f64 = 0.2;

/// `p = sigma(level of the arm + level of the slice + slope * features)`.
struct World {
    draws: Draws,
    levels: Vec<f64>,
    slices: Vec<Vec<f64>>,
    slopes: Vec<Vec<f64>>,
}

/// Deviation of a level's random walk in a step.
fn drift_sd() -> f64 {
    DRIFT_PER_DAY * (STEP_S / 86_400.0).sqrt()
}

/// One that knows from which normals the weights of an arm were drawn, and how its level walks.
fn filter() -> Filter {
    let sds = [
        vec![LEVEL_SD],
        vec![SLICE_SD; N_SLICES],
        vec![SLOPE_SD; N_FEATURES],
    ]
    .concat();
    let mut walk_sds = vec![0.0; sds.len()];
    walk_sds[0] = drift_sd();
    Filter::new(&sds, &walk_sds)
}

struct Request {
    slice: usize,
    /// What an arm's logit is linear in: 1, the slice as an indicator, the features.
    z: Vec<f64>,
    features: Vec<f32>,
    vector: Vec<f32>,
    truths: Vec<f64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut draws = Draws::new(seed);
        Self {
            levels: draws.normals(N_ARMS, LEVEL_SD),
            slices: (0..N_ARMS)
                .map(|_| draws.normals(N_SLICES, SLICE_SD))
                .collect(),
            slopes: (0..N_ARMS)
                .map(|_| draws.normals(N_FEATURES, SLOPE_SD))
                .collect(),
            draws,
        }
    }

    fn request(&mut self) -> Request {
        let sd = drift_sd();
        for level in &mut self.levels {
            *level += sd * self.draws.normal();
        }
        let slice = self.draws.below(N_SLICES);
        let x = self.draws.normals(N_FEATURES, 1.0);
        let norm = dot(&x, &x).sqrt();
        let logit =
            |arm: usize| self.levels[arm] + self.slices[arm][slice] + dot(&self.slopes[arm], &x);
        let mut z = vec![1.0];
        z.extend((0..N_SLICES).map(|one| f64::from(u8::from(one == slice))));
        z.extend(&x);
        Request {
            slice,
            z,
            truths: (0..N_ARMS).map(|arm| sigma(logit(arm))).collect(),
            vector: x.iter().map(|value| (value / norm) as f32).collect(),
            features: std::iter::once(1.0)
                .chain(x.iter().map(|value| *value as f32))
                .collect(),
        }
    }
}

/// What the second half of a run shows.
#[derive(Default)]
struct Report {
    /// Number, sum of predictions and of outcomes per bin.
    bins: [[f64; 3]; 15],
    n_covered: f64,
    n: f64,
}

impl Report {
    fn add(&mut self, mean: f64, is_covered: bool, outcome: f64) {
        let bin = &mut self.bins[((mean * 15.0) as usize).min(14)];
        for (place, value) in bin.iter_mut().zip([1.0, mean, outcome]) {
            *place += value;
        }
        self.n_covered += f64::from(u8::from(is_covered));
        self.n += 1.0;
    }

    /// Takes what is predicted of every arm: a mean and a 90 % interval.
    fn judge(
        &mut self,
        request: &Request,
        coins: &[f64],
        predicted: impl Fn(usize) -> (f64, RangeInclusive<f64>),
    ) {
        for (arm, (truth, coin)) in request.truths.iter().zip(coins).enumerate() {
            let (mean, interval) = predicted(arm);
            self.add(mean, interval.contains(truth), *coin);
        }
    }

    fn ece(&self) -> f64 {
        self.bins
            .iter()
            .map(|bin| (bin[1] - bin[2]).abs())
            .sum::<f64>()
            / self.n
    }

    fn coverage(&self) -> f64 {
        self.n_covered / self.n
    }
}

fn config() -> QualityConfig {
    QualityConfig {
        kept_per_day: KEPT_PER_DAY,
        neighbours: NeighbourConfig {
            n_entries: 2_000,
            ..QualityConfig::new(N_FEATURES + 1, N_FEATURES).neighbours
        },
        ..QualityConfig::new(N_FEATURES + 1, N_FEATURES)
    }
}

/// The estimator as it is, or a wrong twin.
#[derive(Clone, Copy, PartialEq)]
enum Twin {
    None,
    /// The blend is trained on parts that have already seen the outcome.
    Leaky,
    /// The deviation counts outcomes and forgets that the ridge is uncertain too.
    CountsOnly,
    /// The deviation is a fifth too small.
    Narrow,
}

fn parts(twin: Twin, estimate: &Estimate, outcome: f64) -> Parts {
    let Parts {
        slice,
        residual,
        neighbours,
    } = estimate.parts;
    let seen = if twin == Twin::Leaky { 0.1 } else { 0.0 };
    Parts {
        slice,
        residual,
        neighbours: neighbours + seen * (outcome - neighbours),
    }
}

/// Runs the estimator and the Bayes filter through the world, and reports on the second half of each.
fn run(seed: u64, twin: Twin) -> [Report; 2] {
    let arms = [Arm::new("a", "a"), Arm::new("b", "b"), Arm::new("c", "c")];
    let mut world = World::new(seed);
    let mut estimator = QualityEstimator::new(config(), &arms).unwrap();
    let mut filters: Vec<Filter> = (0..N_ARMS).map(|_| filter()).collect();
    let mut reports = [Report::default(), Report::default()];
    for step in 0..N_TRAIN + N_TEST {
        let now_s = step as f64 * STEP_S;
        let request = world.request();
        filters.iter_mut().for_each(Filter::walk);
        let context = Context {
            slice: request.slice as u64,
            n_elsewhere: 12.0,
            priors: &[0.5; N_ARMS],
            features: &request.features,
            vector: &request.vector,
        };
        let mut out = [Estimate::default(); N_ARMS];
        estimator.predict_into(&context, now_s, &mut out).unwrap();
        estimator
            .widen_into(&context, &[0, 1, 2], now_s, &mut out)
            .unwrap();
        let arm = world.draws.below(N_ARMS);
        let outcome = world.draws.coin(request.truths[arm]);
        estimator
            .observe_predicted(
                &context,
                arm,
                &parts(twin, &out[arm], outcome),
                outcome,
                1.0,
                now_s,
            )
            .unwrap();
        if step >= N_TRAIN {
            let coins: Vec<f64> = request
                .truths
                .iter()
                .map(|p| world.draws.coin(*p))
                .collect();
            reports[0].judge(&request, &coins, |arm| interval(twin, &out[arm]));
            reports[1].judge(&request, &coins, |arm| {
                let (logit, sd) = filters[arm].logit(&request.z);
                let end = |deviations: f64| sigma(logit + deviations * sd);
                (mean_sigma(logit, sd), end(-1.645)..=end(1.645))
            });
        }
        filters[arm].observe(&request.z, outcome);
    }
    reports
}

/// The prediction and its 90 % interval.
fn interval(twin: Twin, estimate: &Estimate) -> (f64, RangeInclusive<f64>) {
    let spread = estimate.mean * (1.0 - estimate.mean);
    let sd = match twin {
        Twin::CountsOnly => (spread / (estimate.n_effective + 1.0)).sqrt(),
        Twin::Narrow => 0.8 * estimate.sd,
        _ => estimate.sd,
    };
    let (low, high) = (estimate.mean - 1.645 * sd, estimate.mean + 1.645 * sd);
    (estimate.mean, low..=high)
}

const MAX_ECE: f64 = 0.02;
/// How far what the intervals cover may be from what the Bayes filter's cover: in a seed, and in the mean of seeds.
///
/// A seed alone says less than 2.14's 87 to 93 %: the exact posterior's intervals cover 86.6 to 93.2 %, a deviation of
/// 2 points between seeds, ours of 3, and each errs by itself; 6 points are some two deviations of the difference.
const MAX_SEED_GAP: f64 = 0.06;
const MAX_MEAN_GAP: f64 = 0.03;
const N_SEEDS: u64 = 8;

/// Per seed: calibration error, what the intervals cover, what the Bayes filter's cover.
fn seeds(twin: Twin, n_seeds: u64) -> Vec<[f64; 3]> {
    let seed = |seed| {
        let [ours, bayes] = run(seed, twin);
        let row = [ours.ece(), ours.coverage(), bayes.coverage()];
        println!(
            "ece {:.4}, 90 % interval covers {:.3}, of the Bayes filter {:.3} (ece {:.4})",
            row[0],
            row[1],
            row[2],
            bayes.ece()
        );
        row
    };
    (0..n_seeds).map(seed).collect()
}

fn is_calibrated(seed: &[f64; 3]) -> bool {
    seed[0] <= MAX_ECE
}

fn gap(seed: &[f64; 3]) -> f64 {
    seed[1] - seed[2]
}

/// Whether the intervals cover what exact ones would, in every seed and in the mean.
fn cover(seeds: &[[f64; 3]]) -> bool {
    let mean = seeds.iter().map(gap).sum::<f64>() / seeds.len() as f64;
    seeds.iter().all(|seed| gap(seed).abs() <= MAX_SEED_GAP) && mean.abs() <= MAX_MEAN_GAP
}

#[test]
fn predictions_are_calibrated_and_intervals_cover_what_they_promise() {
    let seeds = seeds(Twin::None, N_SEEDS);
    assert!(seeds.iter().all(is_calibrated), "{seeds:?}");
    assert!(cover(&seeds), "{seeds:?}");
    // What they are judged by is right itself.
    let bayes = seeds.iter().map(|one| one[2]).sum::<f64>() / seeds.len() as f64;
    assert!((0.89..=0.91).contains(&bayes), "{bayes}");
}

#[test]
fn a_blend_that_has_seen_the_outcome_fails_the_check() {
    assert!(!seeds(Twin::Leaky, 2).iter().any(is_calibrated));
}

#[test]
fn a_deviation_without_the_ridge_fails_the_check() {
    let seeds = seeds(Twin::CountsOnly, 2);
    assert!(
        seeds.iter().all(|seed| gap(seed).abs() > MAX_SEED_GAP),
        "{seeds:?}"
    );
}

#[test]
fn a_deviation_a_fifth_too_small_fails_the_check() {
    assert!(!cover(&seeds(Twin::Narrow, 4)));
}
