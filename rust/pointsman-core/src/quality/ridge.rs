//! [`Ridge`]: Bayesian linear regression on residuals, updated in `O(d^2)` by Sherman-Morrison.
//!
//! `A = lambda I + S`, where `S` is the decayed sum of `w phi phi'`. Between two refactorisations nothing is decayed:
//! a new outcome gets the weight `w / kept` instead, which is the same up to a common factor and keeps the update a
//! rank-one one. When `kept` falls below [`MIN_KEPT`], or after [`N_REFACTOR`] updates, `S` is decayed and `A` inverted
//! afresh, so the floor `lambda I` is never forgotten and rounding never accumulates (science.md 2.4).

use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};
use crate::logistic::decay;
use crate::quality::matrix::{dot, invert_spd, mul_into, quadratic};

/// Most features: a decision's cost grows with the square (science.md M7).
pub const MAX_FEATURES: usize = 64;
/// Updates after which the inverse is computed afresh (science.md 2.4).
pub const N_REFACTOR: u32 = 10_000;
/// Decay carried by the weights before `S` itself is decayed (chosen: the floor is at most 2 % too high).
const MIN_KEPT: f64 = 0.98;
/// Largest absolute value of a feature.
const MAX_FEATURE: f64 = 1e4;
/// Variance of a residual before any was seen, worth [`N_NOISE`] of them: a coin of 0.8.
const NOISE_PRIOR: f64 = 0.16;
const N_NOISE: f64 = 10.0;

/// One residual regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Ridge {
    n_features: usize,
    lambda: f64,
    rate_per_s: f64,
    /// The time at which `S` and `b` are expressed; 0 before the first outcome.
    reference_s: f64,
    n_updates: u32,
    scatter: Vec<f64>,
    inverse: Vec<f64>,
    moment: Vec<f64>,
    theta: Vec<f64>,
    /// Decayed number and sum of squared residuals.
    noise: (f64, f64),
}

impl Ridge {
    /// No outcome yet: predicts 0.
    ///
    /// # Errors
    ///
    /// `n_features` outside 1..=64, `lambda` not above 0, a negative `rate_per_s` (`-ln(gamma) / 86400`).
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::quality::Ridge;
    ///
    /// let mut ridge = Ridge::new(2, 1.0, 0.0).unwrap();
    /// for _ in 0..200 {
    ///     ridge.observe(&[1.0, 0.0], 0.3, 1.0, 0.0).unwrap();
    /// }
    /// assert!((ridge.predict(&[1.0, 0.0]) - 0.3).abs() < 0.01);
    /// assert!(ridge.variance(&[1.0, 0.0], 0.0) < ridge.variance(&[0.0, 1.0], 0.0));
    /// ```
    pub fn new(n_features: usize, lambda: f64, rate_per_s: f64) -> Result<Self, LearnError> {
        let n = n_features as f64;
        within("n_features", n, 1.0, MAX_FEATURES as f64, "give 1 to 64")?;
        within("lambda", lambda, 1e-6, 1e6, "give a floor in [1e-6, 1e6]")?;
        within("rate_per_s", rate_per_s, 0.0, 1.0, "give a rate in [0, 1]")?;
        let mut ridge = Self {
            n_features,
            lambda,
            rate_per_s,
            reference_s: 0.0,
            n_updates: 0,
            scatter: vec![0.0; n_features * n_features],
            inverse: vec![0.0; n_features * n_features],
            moment: vec![0.0; n_features],
            theta: vec![0.0; n_features],
            noise: (0.0, 0.0),
        };
        ridge.refactor();
        Ok(ridge)
    }

    /// Expected residual; `features` has `n_features` values.
    pub fn predict(&self, features: &[f32]) -> f64 {
        self.predict_wide(&widened(features)[..features.len().min(MAX_FEATURES)])
    }

    /// The same of features widened beforehand, as many as configured.
    pub(crate) fn predict_wide(&self, features: &[f64]) -> f64 {
        dot(&self.theta, features)
    }

    /// The coefficients.
    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// Variance of the expectation, `sigma^2 phi' A^-1 phi`; grows with silence up to that of the prior. `O(d^2)`.
    pub fn variance(&self, features: &[f32], now_s: f64) -> f64 {
        self.noise_variance() * self.leverage(features, now_s)
    }

    /// `phi' A^-1 phi`, at most that of the prior. `O(d^2)`.
    pub(crate) fn leverage(&self, features: &[f32], now_s: f64) -> f64 {
        let phi = widened(features);
        let phi = &phi[..self.n_features];
        let kept = self.kept(now_s).max(1e-9);
        let known = quadratic(&self.inverse, phi);
        (known / kept).clamp(0.0, dot(phi, phi) / self.lambda)
    }

    /// Residuals learned, faded by their age.
    pub(crate) fn n_outcomes(&self, now_s: f64) -> f64 {
        self.noise.0 * self.kept(now_s)
    }

    /// Variance of one residual around its expectation.
    pub fn noise_variance(&self) -> f64 {
        (N_NOISE * NOISE_PRIOR + self.noise.1) / (N_NOISE + self.noise.0)
    }

    /// Learns one residual. `O(d^2)`.
    ///
    /// # Errors
    ///
    /// Features of another number or beyond ±10,000; a residual beyond ±1,000; a weight outside `[0, 1e6]`; NaN.
    pub fn observe(
        &mut self,
        features: &[f32],
        residual: f64,
        weight: f64,
        now_s: f64,
    ) -> Result<(), LearnError> {
        let (weight, error) = self.learn(features, residual, weight, now_s)?;
        self.noise.0 += weight;
        self.noise.1 += weight * error * error;
        Ok(())
    }

    /// Learns what is no residual that was seen but where one is thought to lie: the noise around them stays as it is.
    pub(crate) fn lean(
        &mut self,
        features: &[f32],
        residual: f64,
        weight: f64,
        now_s: f64,
    ) -> Result<(), LearnError> {
        self.learn(features, residual, weight, now_s)?;
        if self.is_empty() {
            // The least that makes the model a known one.
            self.noise = (f64::MIN_POSITIVE, 0.0);
        }
        Ok(())
    }

    /// Moves the coefficients; the weight as of the reference time, and how wrong the prediction was.
    fn learn(
        &mut self,
        features: &[f32],
        residual: f64,
        weight: f64,
        now_s: f64,
    ) -> Result<(f64, f64), LearnError> {
        self.check(features)?;
        within("residual", residual, -1e3, 1e3, "give at most 1,000")?;
        within("weight", weight, 0.0, 1e6, "give a weight in [0, 1e6]")?;
        within("now_s", now_s, -1e12, 1e12, "give seconds")?;
        self.rebase(now_s);
        let weight = weight * (self.rate_per_s * (now_s - self.reference_s)).exp();
        let error = residual - self.predict(features);
        let phi = widened(features);
        self.update(&phi[..self.n_features], residual, error, weight);
        Ok((weight, error))
    }

    /// Adds `change` to the weighted sum of residuals at `features`, of which an outcome was learned before.
    pub(crate) fn revise(&mut self, features: &[f32], change: f64, now_s: f64) {
        // What was learned of it is gone: a state that was lost, or dropped.
        if self.is_empty() {
            return;
        }
        self.rebase(now_s);
        let change = change * (self.rate_per_s * (now_s - self.reference_s)).exp();
        let phi = widened(features);
        let phi = &phi[..self.n_features];
        let mut direction = [0.0; MAX_FEATURES];
        let direction = &mut direction[..self.n_features];
        mul_into(&self.inverse, phi, direction);
        let places = self.theta.iter_mut().zip(&mut self.moment);
        for ((theta, moment), (u, x)) in places.zip(direction.iter().zip(phi)) {
            *theta += change * u;
            *moment += change * x;
        }
    }

    /// Whether nothing was learned yet.
    pub fn is_empty(&self) -> bool {
        self.noise.0 == 0.0
    }

    /// Refuses what would poison the statistics.
    pub(crate) fn check(&self, features: &[f32]) -> Result<(), LearnError> {
        if features.len() != self.n_features {
            return Err(LearnError::invalid(
                "features",
                features.len(),
                "give as many as configured",
            ));
        }
        if features
            .iter()
            .all(|value| value.abs() <= MAX_FEATURE as f32)
        {
            return Ok(());
        }
        for value in features {
            let value = f64::from(*value);
            let remedy = "give finite values in [-10,000, 10,000]";
            within("features", value, -MAX_FEATURE, MAX_FEATURE, remedy)?;
        }
        Ok(())
    }

    fn update(&mut self, phi: &[f64], residual: f64, error: f64, weight: f64) {
        let mut direction = [0.0; MAX_FEATURES];
        let direction = &mut direction[..self.n_features];
        mul_into(&self.inverse, phi, direction);
        let gain = weight / (1.0 + weight * dot(phi, direction));
        let rows = self.inverse.chunks_exact_mut(self.n_features);
        for ((row, u), theta) in rows.zip(direction.iter()).zip(&mut self.theta) {
            let step = gain * u;
            row.iter_mut()
                .zip(direction.iter())
                .for_each(|(cell, v)| *cell -= step * v);
            *theta += step * error;
        }
        let rows = self.scatter.chunks_exact_mut(self.n_features);
        for ((row, x), moment) in rows.zip(phi).zip(&mut self.moment) {
            let step = weight * x;
            row.iter_mut()
                .zip(phi)
                .for_each(|(cell, y)| *cell += step * y);
            *moment += step * residual;
        }
        self.n_updates += 1;
    }

    /// Share of the statistics still valid at `now_s`, relative to the reference time.
    fn kept(&self, now_s: f64) -> f64 {
        decay(self.rate_per_s, now_s - self.reference_s)
    }

    fn rebase(&mut self, now_s: f64) {
        if self.is_empty() {
            self.reference_s = now_s;
        }
        let kept = self.kept(now_s);
        if kept >= MIN_KEPT && self.n_updates < N_REFACTOR {
            return;
        }
        self.reference_s = self.reference_s.max(now_s);
        self.scale(kept);
    }

    /// Lets only the share `kept` of what was learned count from now on.
    pub(crate) fn fade(&mut self, kept: f64, now_s: f64) {
        if self.is_empty() {
            return;
        }
        let kept = kept * self.kept(now_s);
        self.reference_s = self.reference_s.max(now_s);
        self.scale(kept);
    }

    fn scale(&mut self, kept: f64) {
        self.scatter.iter_mut().for_each(|cell| *cell *= kept);
        self.moment.iter_mut().for_each(|cell| *cell *= kept);
        self.noise = (self.noise.0 * kept, self.noise.1 * kept);
        self.refactor();
    }

    fn refactor(&mut self) {
        self.n_updates = 0;
        self.inverse.copy_from_slice(&self.scatter);
        for index in 0..self.n_features {
            self.inverse[index * (self.n_features + 1)] += self.lambda;
        }
        // The floor keeps every pivot above lambda; should rounding still break one, the prior is the safe answer.
        if !invert_spd(&mut self.inverse, self.n_features) {
            self.forget();
        }
        mul_into(&self.inverse, &self.moment, &mut self.theta);
    }

    fn forget(&mut self) {
        self.scatter.fill(0.0);
        self.moment.fill(0.0);
        self.inverse.fill(0.0);
        for index in 0..self.n_features {
            self.inverse[index * (self.n_features + 1)] = 1.0 / self.lambda;
        }
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64(self.reference_s);
        writer.u32(self.n_updates);
        for values in [&self.scatter, &self.inverse, &self.moment, &self.theta] {
            writer.f64s(values);
        }
        writer.f64(self.noise.0);
        writer.f64(self.noise.1);
    }

    pub(crate) fn load(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        let n = self.n_features;
        self.reference_s = reader.f64()?;
        self.n_updates = reader.u32()?.min(N_REFACTOR);
        self.scatter = reader.f64s(n * n)?;
        self.inverse = reader.f64s(n * n)?;
        self.moment = reader.f64s(n)?;
        self.theta = reader.f64s(n)?;
        self.noise = (reader.amount()?, reader.amount()?);
        Ok(())
    }
}

pub(crate) fn widened(features: &[f32]) -> [f64; MAX_FEATURES] {
    let mut phi = [0.0; MAX_FEATURES];
    for (place, value) in phi.iter_mut().zip(features) {
        *place = f64::from(*value);
    }
    phi
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_returns_the_variance_to_the_prior() {
        let rate_per_s = 2.0_f64.ln() / 86_400.0;
        let mut ridge = Ridge::new(1, 1.0, rate_per_s).unwrap();
        (0..500).for_each(|_| ridge.observe(&[1.0], 0.2, 1.0, 0.0).unwrap());
        let fresh = ridge.variance(&[1.0], 0.0);
        let day = ridge.variance(&[1.0], 86_400.0);
        assert!((day / fresh - 2.0).abs() < 1e-9);
        let year = ridge.variance(&[1.0], 365.0 * 86_400.0);
        assert!((year - ridge.noise_variance()).abs() < 1e-12);
    }

    #[test]
    fn a_long_silence_forgets_the_mean_at_the_next_outcome() {
        let mut ridge = Ridge::new(1, 1.0, 2.0_f64.ln() / 86_400.0).unwrap();
        (0..500).for_each(|_| ridge.observe(&[1.0], 0.5, 1.0, 0.0).unwrap());
        ridge.observe(&[1.0], -0.5, 1.0, 100.0 * 86_400.0).unwrap();
        assert!((ridge.predict(&[1.0]) + 0.25).abs() < 1e-9);
    }

    #[test]
    fn invalid_values_are_errors_and_change_nothing() {
        let mut ridge = Ridge::new(2, 1.0, 0.0).unwrap();
        let before = ridge.clone();
        for (features, residual, weight) in [
            (vec![1.0], 0.0, 1.0),
            (vec![1.0, f32::NAN], 0.0, 1.0),
            (vec![1.0, 1.0], f64::INFINITY, 1.0),
            (vec![1.0, 1.0], 0.0, -1.0),
        ] {
            assert!(ridge.observe(&features, residual, weight, 0.0).is_err());
        }
        assert_eq!(ridge, before);
        assert!(Ridge::new(65, 1.0, 0.0).is_err() && Ridge::new(2, 0.0, 0.0).is_err());
    }
}
