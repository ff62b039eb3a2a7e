//! [`Stack`]: three opinions blended into one calibrated probability, learned from its own past predictions.
//!
//! `z = b0 + b1 logit(q_slice) + b2 mu_residual + b3 logit(q_neighbours)` with `b1, b2, b3 >= 0` (science.md 2.4).
//! Every prediction is made before its outcome is learned (progressive validation), so nothing leaks.

use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};
use crate::logistic::{logit, sigma};

/// Terms of the blend, the intercept included.
const N_TERMS: usize = 4;
/// The blend before any outcome: the slice and the neighbours share the logit scale, so that without outcomes,
/// where both are the prior, the answer is the prior (chosen by `pointsman eval` on three sets).
const START: [f64; N_TERMS] = [0.0, 0.5, 2.0, 0.5];
/// Variance of the belief in [`START`].
const START_VARIANCE: [f64; N_TERMS] = [0.02, 0.05, 2.0, 0.05];
/// Share of the certainty kept per outcome: about the last 10,000 count.
const KEPT: f64 = 1.0 - 1e-4;

/// What each part of the estimator thinks of one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// Mean of the slice posterior, in `[0, 1]`.
    pub slice: f64,
    /// Expected residual of the ridge, on the scale of quality.
    pub residual: f64,
    /// Neighbours' mean shrunk to the slice, in `[0, 1]`.
    pub neighbours: f64,
}

impl Parts {
    pub(crate) fn check(&self) -> Result<(), LearnError> {
        let remedy = "give a quality in [0, 1]";
        within("parts.slice", self.slice, 0.0, 1.0, remedy)?;
        within(
            "parts.residual",
            self.residual,
            -1e3,
            1e3,
            "give a residual",
        )?;
        within("parts.neighbours", self.neighbours, 0.0, 1.0, remedy)?;
        Ok(())
    }

    fn terms(&self) -> [f64; N_TERMS] {
        [
            1.0,
            logit(self.slice),
            self.residual.clamp(-1.0, 1.0),
            logit(self.neighbours),
        ]
    }
}

/// The online logistic blend.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    weights: [f64; N_TERMS],
    covariance: [[f64; N_TERMS]; N_TERMS],
}

impl Default for Stack {
    fn default() -> Self {
        let mut covariance = [[0.0; N_TERMS]; N_TERMS];
        for (index, variance) in START_VARIANCE.iter().enumerate() {
            covariance[index][index] = *variance;
        }
        Self {
            weights: START,
            covariance,
        }
    }
}

impl Stack {
    /// The logit of the expected reward.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::quality::{Parts, Stack};
    ///
    /// let prior = Parts { slice: 0.7, residual: 0.0, neighbours: 0.7 };
    /// let z = Stack::default().predict(&prior);
    /// assert!((1.0 / (1.0 + (-z).exp()) - 0.7).abs() < 1e-12);
    /// ```
    pub fn predict(&self, parts: &Parts) -> f64 {
        let products = self.weights.iter().zip(parts.terms());
        products.map(|(weight, term)| weight * term).sum()
    }

    /// [`Self::predict`] and [`Self::variance`] at once.
    pub(crate) fn predict_with_variance(&self, parts: &Parts) -> (f64, f64) {
        let terms = parts.terms();
        let product =
            |values: &[f64; N_TERMS]| -> f64 { values.iter().zip(terms).map(|(a, b)| a * b).sum() };
        (product(&self.weights), product(&self.direction(&terms)))
    }

    /// The weights `b0..b3`.
    pub fn weights(&self) -> [f64; 4] {
        self.weights
    }

    /// Variance of [`Self::predict`] for want of outcomes, on the logit scale.
    pub fn variance(&self, parts: &Parts) -> f64 {
        self.predict_with_variance(parts).1
    }

    /// Learns one outcome: a Newton step on the logistic loss with the running covariance.
    pub(crate) fn observe(&mut self, parts: &Parts, reward: f64, weight: f64) {
        let terms = parts.terms();
        let p = sigma(self.predict(parts));
        let curvature = weight * (p * (1.0 - p)).max(1e-3);
        let direction = self.direction(&terms);
        let spread: f64 = terms.iter().zip(direction).map(|(a, b)| a * b).sum();
        let gain = 1.0 / (1.0 + curvature * spread);
        for (row, a) in self.covariance.iter_mut().zip(direction) {
            row.iter_mut()
                .zip(direction)
                .for_each(|(cell, b)| *cell -= curvature * gain * a * b);
        }
        for (place, step) in self.weights.iter_mut().zip(direction) {
            *place += gain * step * weight * (reward - p);
        }
        self.weights[1..]
            .iter_mut()
            .for_each(|place| *place = place.max(0.0));
        self.forget();
    }

    fn direction(&self, terms: &[f64; N_TERMS]) -> [f64; N_TERMS] {
        self.covariance
            .map(|row| row.iter().zip(terms).map(|(a, b)| a * b).sum())
    }

    /// Widens the belief a little, never beyond where it started.
    fn forget(&mut self) {
        let may_widen =
            (0..N_TERMS).all(|index| self.covariance[index][index] < KEPT * START_VARIANCE[index]);
        if may_widen {
            self.covariance
                .iter_mut()
                .flatten()
                .for_each(|cell| *cell /= KEPT);
        }
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64s(&self.weights);
        writer.f64s(self.covariance.as_flattened());
    }

    pub(crate) fn load(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        let weights = reader.f64s(N_TERMS)?;
        self.weights.copy_from_slice(&weights);
        let covariance = reader.f64s(N_TERMS * N_TERMS)?;
        self.covariance
            .as_flattened_mut()
            .copy_from_slice(&covariance);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::uniform;

    /// Outcomes that only the neighbours foresee; the slice is always at one half.
    fn world(seed: u64) -> (Parts, f64) {
        let neighbours = uniform(seed, 0);
        let parts = Parts {
            slice: 0.5,
            residual: 0.0,
            neighbours,
        };
        (parts, f64::from(u8::from(uniform(seed, 1) < neighbours)))
    }

    #[test]
    fn the_part_that_is_right_gets_its_weight() {
        let mut stack = Stack::default();
        for seed in 0..20_000 {
            let (parts, reward) = world(seed);
            stack.observe(&parts, reward, 1.0);
        }
        assert!(
            (stack.weights()[3] - 1.0).abs() < 0.06,
            "{:?}",
            stack.weights()
        );
        assert!(stack.weights()[0].abs() < 0.06);
    }

    #[test]
    fn a_part_that_misleads_falls_to_zero_not_below() {
        let mut stack = Stack::default();
        for seed in 0..5_000 {
            let (parts, reward) = world(seed);
            stack.observe(&parts, 1.0 - reward, 1.0);
            assert!(stack.weights()[1..].iter().all(|weight| *weight >= 0.0));
        }
        assert!(stack.weights()[3] < 0.05, "{:?}", stack.weights());
    }
}
