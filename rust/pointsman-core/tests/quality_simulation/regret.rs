//! Regret: a linear world with 32 features and 6 arms, against a `LinUCB` written here.

use pointsman_core::explore::{draw, gamma, inverse_gap_into};
use pointsman_core::quality::{Arm, Context, Estimate, QualityConfig, QualityEstimator};

use crate::draws::{Draws, dot};

const N_FEATURES: usize = 32;
const N_ARMS: usize = 6;
const HORIZONS: [usize; 6] = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000];
const N_SEEDS: u64 = 3;
const NOISE_SD: f64 = 0.1;
/// The sharp end of the range that science.md M3 found good, with its optimism (2.6).
const GAMMA_SCALE: f64 = 25.0;
const OPTIMISM: f64 = 0.5;
const PRIORS: [f64; N_ARMS] = [0.5; N_ARMS];

/// Grades of `0.5 + slope * features` plus noise, kept inside `[0, 1]`.
///
/// With coins for grades even the reference's rate rises until 4,000 requests: 192 slopes drown in the noise.
struct World {
    draws: Draws,
    slopes: Vec<Vec<f64>>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut draws = Draws::new(seed);
        let slopes = (0..N_ARMS)
            .map(|_| draws.normals(N_FEATURES, 0.15 / 32_f64.sqrt()))
            .collect();
        Self { draws, slopes }
    }

    fn request(&mut self) -> (Vec<f64>, Vec<f64>) {
        let mut x = self.draws.normals(N_FEATURES, 1.0);
        x[0] = 1.0;
        let truths = self
            .slopes
            .iter()
            .map(|slope| (0.5 + dot(slope, &x)).clamp(0.0, 1.0))
            .collect();
        (x, truths)
    }
}

trait Policy {
    fn choose(&mut self, x: &[f64], seed: u64) -> usize;
    fn learn(&mut self, x: &[f64], arm: usize, reward: f64);
}

/// Ours: the estimator's means, inverse-gap weighting, no floor on propensities (a floor costs regret linear in time).
struct Ours {
    estimator: QualityEstimator,
    n: f64,
    /// A wrong twin explores uniformly with this probability and is greedy else.
    epsilon: Option<f64>,
}

impl Ours {
    fn new(epsilon: Option<f64>) -> Self {
        let arms: Vec<Arm> = (0..N_ARMS)
            .map(|arm| Arm::new(format!("{arm}"), format!("{arm}")))
            .collect();
        let mut config = QualityConfig::new(N_FEATURES, 1);
        config.kept_per_day = 1.0;
        config.neighbours.n_entries = 0;
        let estimator = QualityEstimator::new(config, &arms).unwrap();
        Self {
            estimator,
            n: 0.0,
            epsilon,
        }
    }

    fn scores(&self, features: &[f32]) -> [f64; N_ARMS] {
        let mut out = [Estimate::default(); N_ARMS];
        self.estimator
            .predict_into(&context(features), 0.0, &mut out)
            .unwrap();
        let arms: Vec<usize> = (0..N_ARMS).collect();
        self.estimator
            .widen_into(&context(features), &arms, 0.0, &mut out)
            .unwrap();
        out.map(|estimate| estimate.mean + OPTIMISM * estimate.sd)
    }
}

fn narrowed(x: &[f64]) -> Vec<f32> {
    x.iter().map(|value| *value as f32).collect()
}

fn context(features: &[f32]) -> Context<'_> {
    Context {
        slice: 0,
        priors: &PRIORS,
        features,
        vector: &[0.0],
    }
}

impl Policy for Ours {
    fn choose(&mut self, x: &[f64], seed: u64) -> usize {
        let scores = self.scores(&narrowed(x));
        let mut propensities = [0.0; N_ARMS];
        let (sharpness, floor) = match self.epsilon {
            None => (gamma(N_ARMS, self.n, GAMMA_SCALE), 0.0),
            Some(epsilon) => (f64::INFINITY, epsilon / N_ARMS as f64),
        };
        inverse_gap_into(&scores, sharpness, floor, &mut propensities).unwrap();
        draw(&propensities, seed).unwrap()
    }

    fn learn(&mut self, x: &[f64], arm: usize, reward: f64) {
        self.n += 1.0;
        self.estimator
            .observe(&context(&narrowed(x)), arm, reward, 1.0, 0.0)
            .unwrap();
    }
}

/// The textbook: `theta' x + alpha sqrt(x' A^-1 x)`, one regression per arm.
struct LinUcb {
    inverse: Vec<Vec<f64>>,
    moment: Vec<Vec<f64>>,
}

const ALPHA: f64 = 0.5;

impl LinUcb {
    fn new() -> Self {
        let cell = |index: usize| f64::from(u8::from(index % (N_FEATURES + 1) == 0));
        let identity: Vec<f64> = (0..N_FEATURES * N_FEATURES).map(cell).collect();
        Self {
            inverse: vec![identity; N_ARMS],
            moment: vec![vec![0.0; N_FEATURES]; N_ARMS],
        }
    }

    fn times(&self, arm: usize, x: &[f64]) -> Vec<f64> {
        self.inverse[arm]
            .chunks_exact(N_FEATURES)
            .map(|row| dot(row, x))
            .collect()
    }
}

impl Policy for LinUcb {
    fn choose(&mut self, x: &[f64], _seed: u64) -> usize {
        let score = |arm: &usize| {
            let direction = self.times(*arm, x);
            dot(&direction, &self.moment[*arm]) + ALPHA * dot(&direction, x).sqrt()
        };
        (0..N_ARMS)
            .max_by(|a, b| score(a).total_cmp(&score(b)))
            .unwrap()
    }

    fn learn(&mut self, x: &[f64], arm: usize, reward: f64) {
        let direction = self.times(arm, x);
        let scale = 1.0 / (1.0 + dot(&direction, x));
        for (row, u) in self.inverse[arm]
            .chunks_exact_mut(N_FEATURES)
            .zip(&direction)
        {
            row.iter_mut()
                .zip(&direction)
                .for_each(|(cell, v)| *cell -= scale * u * v);
        }
        self.moment[arm]
            .iter_mut()
            .zip(x)
            .for_each(|(b, value)| *b += value * (reward - 0.5));
    }
}

/// Mean regret at every horizon over the seeds.
fn regrets(policy: impl Fn() -> Box<dyn Policy>) -> Vec<f64> {
    let mut means = vec![0.0; HORIZONS.len()];
    for seed in 0..N_SEEDS {
        let (mut world, mut policy) = (World::new(seed), policy());
        let mut regret = 0.0;
        for step in 0..HORIZONS[HORIZONS.len() - 1] {
            let (x, truths) = world.request();
            let arm = policy.choose(&x, seed << 32 | step as u64);
            regret += truths.iter().copied().fold(0.0, f64::max) - truths[arm];
            let reward = (truths[arm] + NOISE_SD * world.draws.normal()).clamp(0.0, 1.0);
            policy.learn(&x, arm, reward);
            if let Some(place) = HORIZONS.iter().position(|horizon| *horizon == step + 1) {
                means[place] += regret / N_SEEDS as f64;
            }
        }
    }
    means
}

/// `R(T) / sqrt(T)`.
fn rates(regrets: &[f64]) -> Vec<f64> {
    regrets
        .iter()
        .zip(HORIZONS)
        .map(|(regret, horizon)| regret / (horizon as f64).sqrt())
        .collect()
}

/// Whether the rate never rises by more than seed noise.
fn is_sublinear(regrets: &[f64]) -> bool {
    rates(regrets)
        .windows(2)
        .all(|pair| pair[1] <= 1.02 * pair[0])
}

#[test]
fn regret_grows_no_faster_than_the_root_of_time_and_near_lin_ucb() {
    let ours = regrets(|| Box::new(Ours::new(None)));
    let reference = regrets(|| Box::new(LinUcb::new()));
    println!(
        "ours {:.3?}\nlin-ucb {:.3?}",
        rates(&ours),
        rates(&reference)
    );
    assert!(is_sublinear(&ours), "{:?}", rates(&ours));
    assert!(ours.last() <= reference.last().map(|regret| 1.3 * regret).as_ref());
}

#[test]
fn exploring_at_a_constant_rate_fails_the_check() {
    let twin = regrets(|| Box::new(Ours::new(Some(0.2))));
    println!("epsilon {:.3?}", rates(&twin));
    assert!(!is_sublinear(&twin), "{:?}", rates(&twin));
}
