//! Shrinkage: eleven arms of which one is the best nearly everywhere; routing must not do worse than always taking it.

use pointsman_core::quality::{
    Arm, Context, Estimate, NeighbourConfig, QualityConfig, QualityEstimator,
};

use crate::draws::{Draws, dot, sigma};

const N_ARMS: usize = 11;
const N_FEATURES: usize = 24;
const N_TRAIN: usize = 1_000;
const N_TEST: usize = 2_000;
const PRIORS: [f64; N_ARMS] = [0.6; N_ARMS];

/// All arms find the same requests hard, each with a little taste of its own; arm 0 is far ahead on average.
struct World {
    draws: Draws,
    difficulty: Vec<f64>,
    tastes: Vec<Vec<f64>>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut draws = Draws::new(seed);
        let scale = 1.0 / (N_FEATURES as f64).sqrt();
        Self {
            difficulty: draws.normals(N_FEATURES, scale),
            tastes: (0..N_ARMS)
                .map(|_| draws.normals(N_FEATURES, 0.4 * scale))
                .collect(),
            draws,
        }
    }

    fn request(&mut self) -> (Vec<f32>, Vec<f64>) {
        let x = self.draws.normals(N_FEATURES, 1.0);
        let level = |arm: usize| {
            if arm == 0 {
                2.2
            } else {
                1.3 - 0.1 * arm as f64
            }
        };
        let logit =
            |arm: usize| level(arm) + dot(&self.difficulty, &x) + dot(&self.tastes[arm], &x);
        let truths = (0..N_ARMS).map(|arm| sigma(logit(arm))).collect();
        (x.iter().map(|value| *value as f32).collect(), truths)
    }
}

fn estimator() -> QualityEstimator {
    let arms: Vec<Arm> = (0..N_ARMS)
        .map(|arm| Arm::new(format!("{arm}"), format!("{arm}")))
        .collect();
    let fresh = QualityConfig::new(N_FEATURES + 1, N_FEATURES);
    let config = QualityConfig {
        neighbours: NeighbourConfig {
            n_entries: N_TRAIN,
            ..fresh.neighbours
        },
        ..fresh
    };
    QualityEstimator::new(config, &arms).unwrap()
}

/// The direction of `x`.
fn unit(x: &[f32]) -> Vec<f32> {
    let norm = x.iter().map(|value| value * value).sum::<f32>().sqrt();
    x.iter().map(|value| value / norm).collect()
}

/// The incumbent, the arm that is best in the slice, is left only for one whose lower bound is as high.
fn shrunken(estimator: &QualityEstimator, estimates: &[Estimate]) -> usize {
    let mut estimates = estimates.to_vec();
    estimator.shrink_into(&mut estimates);
    let bar = estimates[best(&estimates, |e| e.parts.slice)].lcb;
    best(&estimates, |e| if e.lcb >= bar { e.mean } else { 0.0 })
}

/// The wrong twin: takes the highest prediction at its word.
fn unshrunken(_: &QualityEstimator, estimates: &[Estimate]) -> usize {
    best(estimates, |e| e.mean)
}

fn best(estimates: &[Estimate], of: impl Fn(&Estimate) -> f64) -> usize {
    (0..N_ARMS)
        .max_by(|a, b| of(&estimates[*a]).total_cmp(&of(&estimates[*b])))
        .unwrap()
}

/// Mean true quality of the routed arms less that of the best single arm.
fn lead(seed: u64, route: fn(&QualityEstimator, &[Estimate]) -> usize) -> f64 {
    let (mut world, mut estimator) = (World::new(seed), estimator());
    let arms: Vec<usize> = (0..N_ARMS).collect();
    let mut routed = 0.0;
    let mut singles = [0.0; N_ARMS];
    for step in 0..N_TRAIN + N_TEST {
        let (x, truths) = world.request();
        let features: Vec<f32> = std::iter::once(1.0).chain(x.iter().copied()).collect();
        let context = Context {
            slice: 0,
            n_elsewhere: 12.0,
            priors: &PRIORS,
            features: &features,
            vector: &unit(&x),
        };
        let mut out = [Estimate::default(); N_ARMS];
        estimator.predict_into(&context, 0.0, &mut out).unwrap();
        if step < N_TRAIN {
            for (arm, estimate) in out.iter().enumerate() {
                let reward = world.draws.coin(truths[arm]);
                estimator
                    .observe_predicted(&context, arm, &estimate.parts, reward, 1.0, 0.0)
                    .unwrap();
            }
            continue;
        }
        estimator
            .widen_into(&context, &arms, 0.0, &mut out)
            .unwrap();
        routed += truths[route(&estimator, &out)] / N_TEST as f64;
        singles
            .iter_mut()
            .zip(&truths)
            .for_each(|(sum, truth)| *sum += truth / N_TEST as f64);
    }
    routed - singles.iter().copied().fold(0.0, f64::max)
}

/// Share of seeds that end at most 0.3 points below the best single arm.
fn share_unharmed(route: fn(&QualityEstimator, &[Estimate]) -> usize, n_seeds: u64) -> f64 {
    let leads: Vec<f64> = (0..n_seeds).map(|seed| lead(seed, route)).collect();
    println!(
        "mean lead {:+.4}",
        leads.iter().sum::<f64>() / n_seeds as f64
    );
    leads.iter().filter(|lead| **lead >= -0.003).count() as f64 / n_seeds as f64
}

#[test]
fn routing_does_no_harm_where_one_arm_dominates() {
    let share = share_unharmed(shrunken, 120);
    assert!(share >= 0.95, "{share}");
}

#[test]
fn taking_the_highest_prediction_at_its_word_fails_the_check() {
    let share = share_unharmed(unshrunken, 20);
    assert!(share < 0.95, "{share}");
}
