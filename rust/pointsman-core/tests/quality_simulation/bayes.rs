//! The Bayes filter of the world of `calibration.rs`: what a posterior that knows the world's own prior and drift says.

use crate::draws::{dot, sigma};

/// Half-width of the quadrature in deviations, and its points.
const HALF_WIDTH: f64 = 6.0;
const N_POINTS: usize = 49;

/// Belief in the weights of one arm, `p = sigma(weights * z)`: normal, its moments along `z` matched at every outcome.
///
/// A coin's likelihood changes the belief along `z` only, and there its first two moments are exact (by quadrature).
/// That this is as good as the exact posterior is not taken on trust: its own intervals must cover what they promise.
pub struct Filter {
    mean: Vec<f64>,
    covariance: Vec<Vec<f64>>,
    /// Variance that each weight's random walk adds in a step.
    walk: Vec<f64>,
}

impl Filter {
    /// Before any outcome: weights about 0 with these deviations, walking with these in a step.
    pub fn new(sds: &[f64], walk_sds: &[f64]) -> Self {
        let row = |i: usize| {
            let mut row = vec![0.0; sds.len()];
            row[i] = sds[i] * sds[i];
            row
        };
        Self {
            mean: vec![0.0; sds.len()],
            covariance: (0..sds.len()).map(row).collect(),
            walk: walk_sds.iter().map(|sd| sd * sd).collect(),
        }
    }

    /// One step of the weights' random walk.
    pub fn walk(&mut self) {
        for (i, variance) in self.walk.iter().enumerate() {
            self.covariance[i][i] += variance;
        }
    }

    /// Mean and deviation of the logit.
    pub fn logit(&self, z: &[f64]) -> (f64, f64) {
        (dot(&self.mean, z), dot(&self.along(z), z).sqrt())
    }

    /// Takes a coin that showed 1 or 0.
    pub fn observe(&mut self, z: &[f64], outcome: f64) {
        let along = self.along(z);
        let (mean, sd) = self.logit(z);
        let [total, first, second] = moments(mean, sd, |logit| {
            let p = sigma(logit);
            if outcome > 0.5 { p } else { 1.0 - p }
        });
        let moved = first / total - mean;
        let variance = second / total - (first / total).powi(2);
        let (gain, shrunk) = (moved / (sd * sd), (variance / (sd * sd) - 1.0) / (sd * sd));
        for (i, a) in along.iter().enumerate() {
            self.mean[i] += gain * a;
            for (place, b) in self.covariance[i].iter_mut().zip(&along) {
                *place += shrunk * a * b;
            }
        }
    }

    /// Covariance times `z`.
    fn along(&self, z: &[f64]) -> Vec<f64> {
        self.covariance.iter().map(|row| dot(row, z)).collect()
    }
}

/// Mean of `sigma(x)` over a normal `x`.
pub fn mean_sigma(mean: f64, sd: f64) -> f64 {
    let [total, ..] = moments(mean, sd, sigma);
    total / moments(mean, sd, |_| 1.0)[0]
}

/// Integrals of `f`, `x f` and `x² f` over a normal `x`, up to a common factor.
fn moments(mean: f64, sd: f64, f: impl Fn(f64) -> f64) -> [f64; 3] {
    let mut sums = [0.0; 3];
    for point in 0..N_POINTS {
        let u = HALF_WIDTH * (2.0 * point as f64 / (N_POINTS - 1) as f64 - 1.0);
        let x = mean + sd * u;
        let weight = (-0.5 * u * u).exp() * f(x);
        for (sum, power) in sums.iter_mut().zip([1.0, x, x * x]) {
            *sum += weight * power;
        }
    }
    sums
}
