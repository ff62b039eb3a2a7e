//! Calibration: a logistic world that drifts, one graded arm per request.

use pointsman_core::quality::{
    Arm, Context, Estimate, NeighbourConfig, Parts, QualityConfig, QualityEstimator,
};

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

/// `p = sigma(level of the arm + level of the slice + slope * features)`.
struct World {
    draws: Draws,
    levels: Vec<f64>,
    slices: Vec<Vec<f64>>,
    slopes: Vec<Vec<f64>>,
}

struct Request {
    slice: usize,
    features: Vec<f32>,
    vector: Vec<f32>,
    truths: Vec<f64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut draws = Draws::new(seed);
        Self {
            levels: draws.normals(N_ARMS, 0.5),
            slices: (0..N_ARMS).map(|_| draws.normals(N_SLICES, 0.4)).collect(),
            slopes: (0..N_ARMS)
                .map(|_| draws.normals(N_FEATURES, 0.2))
                .collect(),
            draws,
        }
    }

    fn request(&mut self) -> Request {
        let sd = DRIFT_PER_DAY * (STEP_S / 86_400.0).sqrt();
        for level in &mut self.levels {
            *level += sd * self.draws.normal();
        }
        let slice = self.draws.below(N_SLICES);
        let x = self.draws.normals(N_FEATURES, 1.0);
        let norm = dot(&x, &x).sqrt();
        let logit =
            |arm: usize| self.levels[arm] + self.slices[arm][slice] + dot(&self.slopes[arm], &x);
        Request {
            slice,
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
    fn add(&mut self, mean: f64, sd: f64, truth: f64, outcome: f64) {
        let bin = &mut self.bins[((mean * 15.0) as usize).min(14)];
        for (place, value) in bin.iter_mut().zip([1.0, mean, outcome]) {
            *place += value;
        }
        self.n_covered += f64::from(u8::from((truth - mean).abs() <= 1.645 * sd));
        self.n += 1.0;
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

/// Runs the estimator through the world and reports on the second half.
fn run(seed: u64, twin: Twin) -> Report {
    let arms = [Arm::new("a", "a"), Arm::new("b", "b"), Arm::new("c", "c")];
    let mut world = World::new(seed);
    let mut estimator = QualityEstimator::new(config(), &arms).unwrap();
    let mut report = Report::default();
    for step in 0..N_TRAIN + N_TEST {
        let now_s = step as f64 * STEP_S;
        let request = world.request();
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
        for (estimate, truth) in out.iter().zip(&request.truths).filter(|_| step >= N_TRAIN) {
            let spread = estimate.mean * (1.0 - estimate.mean);
            let sd = match twin {
                Twin::CountsOnly => (spread / (estimate.n_effective + 1.0)).sqrt(),
                _ => estimate.sd,
            };
            report.add(estimate.mean, sd, *truth, world.draws.coin(*truth));
        }
    }
    report
}

/// Mean expected calibration error and mean coverage of the 90 % interval over seeds.
fn means(twin: Twin, n_seeds: u64) -> (f64, f64) {
    let reports: Vec<Report> = (0..n_seeds).map(|seed| run(seed, twin)).collect();
    let mean = |of: fn(&Report) -> f64| reports.iter().map(of).sum::<f64>() / n_seeds as f64;
    (mean(Report::ece), mean(Report::coverage))
}

const MAX_ECE: f64 = 0.02;
const COVERAGE: std::ops::RangeInclusive<f64> = 0.87..=0.93;

#[test]
fn predictions_are_calibrated_and_intervals_cover_what_they_promise() {
    let (ece, coverage) = means(Twin::None, 8);
    println!("ece {ece:.4}, 90 % interval covers {coverage:.3}");
    assert!(
        ece <= MAX_ECE && COVERAGE.contains(&coverage),
        "{ece} {coverage}"
    );
}

#[test]
fn a_blend_that_has_seen_the_outcome_fails_the_check() {
    let (ece, _) = means(Twin::Leaky, 2);
    println!("leaky: ece {ece:.4}");
    assert!(ece > MAX_ECE, "{ece}");
}

#[test]
fn a_deviation_without_the_ridge_fails_the_check() {
    let (_, coverage) = means(Twin::CountsOnly, 3);
    println!("counts only: 90 % interval covers {coverage:.3}");
    assert!(!COVERAGE.contains(&coverage), "{coverage}");
}
