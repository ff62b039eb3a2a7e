//! A Gaussian belief over the weights of a logistic model, updated one outcome at a time.

use super::pair::N_PAIR_FEATURES as N;
use super::prior;
use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;
use crate::logistic::sigma;

/// Mean and covariance of the weights; starts from the shipped prior.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    mean: [f64; N],
    covariance: [[f64; N]; N],
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            mean: prior::MEAN,
            covariance: prior::COVARIANCE,
        }
    }
}

impl Weights {
    /// Mean and variance of the logit of a row.
    pub(super) fn logit(&self, row: &[f32; N]) -> (f64, f64) {
        let spread = self.spread(row);
        let dot = |values: &[f64; N]| {
            values
                .iter()
                .zip(row)
                .map(|(v, x)| v * f64::from(*x))
                .sum::<f64>()
        };
        (dot(&self.mean), dot(&spread).max(0.0))
    }

    /// Covariance times row.
    fn spread(&self, row: &[f32; N]) -> [f64; N] {
        self.covariance
            .map(|line| line.iter().zip(row).map(|(c, x)| c * f64::from(*x)).sum())
    }

    /// One step of the extended Kalman filter on a Bernoulli outcome: the rank-one Laplace update.
    pub(super) fn observe(&mut self, row: &[f32; N], is_right: bool, weight: f64) {
        let (z, variance) = self.logit(row);
        let p = sigma(z);
        let curvature = weight * p * (1.0 - p);
        let spread = self.spread(row);
        let shrink = 1.0 / (1.0 + curvature * variance);
        let step = weight * (f64::from(u8::from(is_right)) - p) * shrink;
        for (i, left) in spread.iter().enumerate() {
            self.mean[i] += left * step;
            for (j, right) in spread.iter().enumerate() {
                self.covariance[i][j] -= curvature * shrink * left * right;
            }
        }
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.f64s(&self.mean);
        writer.f64s(self.covariance.as_flattened());
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self, LearnError> {
        let mut weights = Self::default();
        weights.mean.copy_from_slice(&reader.f64s(N)?);
        weights
            .covariance
            .as_flattened_mut()
            .copy_from_slice(&reader.f64s(N * N)?);
        Ok(weights)
    }
}
