//! [`RaschPrior`]: what a model's overall score says about every cell of tasks, before anything was measured.
//!
//! One difficulty per cell, one ability per model (science.md 2.3): `pi_mk = sigma(theta_m - b_k)`. Fitted once
//! on models whose cells are known; a new model needs nothing but its registry score.

use crate::learn_error::{LearnError, within};
use crate::logistic::{logit, sigma};

/// Registry scores are clipped to this range before their logit is taken (science.md 2.3).
const SCORE_CLIP: (f64, f64) = (0.02, 0.98);
/// Newton steps; the safeguarded step halves the bracket, so the residual is below 1e-12 long before.
const N_STEPS: usize = 60;

/// Difficulties of task cells with their share of the traffic.
///
/// # Example
///
/// ```
/// use pointsman_core::quality::RaschPrior;
///
/// // Two known models: overall scores, and their quality on an easy and a hard cell.
/// let prior = RaschPrior::fit(&[0.7, 0.5], &[&[0.9, 0.5], &[0.8, 0.2]], &[0.5, 0.5]).unwrap();
/// let mut cells = [0.0; 2];
/// prior.cells_into(0.6, &mut cells).unwrap();
/// assert!(cells[0] > 0.6 && cells[1] < 0.6);
/// assert!((0.5 * cells[0] + 0.5 * cells[1] - 0.6).abs() < 1e-9);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RaschPrior {
    difficulty: Vec<f64>,
    /// Share of the traffic of each cell; sums to 1.
    weight: Vec<f64>,
}

impl RaschPrior {
    /// Fits `b_k = mean_m(theta_m - logit p_mk)` on models whose quality per cell is known.
    ///
    /// # Errors
    ///
    /// No model, rows of another length than `weights`, a quality outside `[0, 1]`, weights that are negative or sum to 0.
    pub fn fit(scores: &[f64], cells: &[&[f64]], weights: &[f64]) -> Result<Self, LearnError> {
        if scores.is_empty() || scores.len() != cells.len() {
            let got = format!("{} scores, {} rows", scores.len(), cells.len());
            return Err(LearnError::invalid("scores", got, "give one row per model"));
        }
        let mut difficulty = vec![0.0; weights.len()];
        for (score, row) in scores.iter().zip(cells) {
            add_model(&mut difficulty, *score, row)?;
        }
        let n_models = scores.len() as f64;
        for b in &mut difficulty {
            *b /= n_models;
        }
        Self::new(&difficulty, weights)
    }

    /// Takes difficulties as they stand; weights are normalised.
    ///
    /// # Errors
    ///
    /// Lengths that differ, a difficulty beyond ±20, weights that are negative or sum to 0.
    pub fn new(difficulty: &[f64], weights: &[f64]) -> Result<Self, LearnError> {
        if difficulty.is_empty() || difficulty.len() != weights.len() {
            let got = format!("{} cells, {} weights", difficulty.len(), weights.len());
            return Err(LearnError::invalid(
                "weights",
                got,
                "give one weight per cell",
            ));
        }
        for b in difficulty {
            within("difficulty", *b, -20.0, 20.0, "give a logit in [-20, 20]")?;
        }
        for weight in weights {
            within("weight", *weight, 0.0, 1e12, "give a share >= 0")?;
        }
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            return Err(LearnError::invalid("weights", total, "give a sum above 0"));
        }
        Ok(Self {
            difficulty: difficulty.to_vec(),
            weight: weights.iter().map(|weight| weight / total).collect(),
        })
    }

    /// Number of cells.
    pub fn n_cells(&self) -> usize {
        self.difficulty.len()
    }

    /// Quality in every cell of a model with this overall score: the weighted mean equals the score.
    ///
    /// # Errors
    ///
    /// A score outside `[0, 1]`, `out` of another length than [`Self::n_cells`].
    pub fn cells_into(&self, score: f64, out: &mut [f64]) -> Result<(), LearnError> {
        if out.len() != self.n_cells() {
            return Err(LearnError::invalid(
                "out",
                out.len(),
                "give one place per cell",
            ));
        }
        let theta = self.ability(score)?;
        for (place, b) in out.iter_mut().zip(&self.difficulty) {
            *place = sigma(theta - b);
        }
        Ok(())
    }

    /// The ability whose weighted mean quality equals the score; Newton inside a shrinking bracket.
    ///
    /// # Errors
    ///
    /// A score outside `[0, 1]`.
    pub fn ability(&self, score: f64) -> Result<f64, LearnError> {
        within("score", score, 0.0, 1.0, "give a quality in [0, 1]")?;
        let score = score.clamp(SCORE_CLIP.0, SCORE_CLIP.1);
        let (mut low, mut high) = (-30.0, 30.0);
        let mut theta = logit(score);
        for _ in 0..N_STEPS {
            let (mean, slope) = self.mean_and_slope(theta);
            let bound = if mean > score { &mut high } else { &mut low };
            *bound = theta;
            let step = theta - (mean - score) / slope.max(1e-12);
            theta = if step > low && step < high {
                step
            } else {
                f64::midpoint(low, high)
            };
        }
        Ok(theta)
    }

    fn mean_and_slope(&self, theta: f64) -> (f64, f64) {
        let cells = self.difficulty.iter().zip(&self.weight);
        cells.fold((0.0, 0.0), |(mean, slope), (b, weight)| {
            let p = sigma(theta - b);
            (mean + weight * p, slope + weight * p * (1.0 - p))
        })
    }
}

fn add_model(difficulty: &mut [f64], score: f64, row: &[f64]) -> Result<(), LearnError> {
    within("score", score, 0.0, 1.0, "give a quality in [0, 1]")?;
    if row.len() != difficulty.len() {
        return Err(LearnError::invalid(
            "cells",
            row.len(),
            "give one quality per cell",
        ));
    }
    let theta = logit(score.clamp(SCORE_CLIP.0, SCORE_CLIP.1));
    for (b, p) in difficulty.iter_mut().zip(row) {
        within("cell", *p, 0.0, 1.0, "give a quality in [0, 1]")?;
        *b += theta - logit(*p);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rasch_world_is_recovered_for_an_unseen_model() {
        let truth = RaschPrior::new(&[-1.0, 0.2, 1.5], &[0.5, 0.3, 0.2]).unwrap();
        let cells = |score: f64| {
            let mut row = [0.0; 3];
            truth.cells_into(score, &mut row).unwrap();
            row
        };
        let (strong, weak) = (cells(0.8), cells(0.4));
        let fitted = RaschPrior::fit(&[0.8, 0.4], &[&strong, &weak], &[0.5, 0.3, 0.2]).unwrap();
        let mut row = [0.0; 3];
        fitted.cells_into(0.6, &mut row).unwrap();
        for (got, expected) in row.iter().zip(cells(0.6)) {
            assert!((got - expected).abs() < 0.01, "{got} {expected}");
        }
    }

    #[test]
    fn invalid_values_are_errors() {
        assert!(RaschPrior::new(&[0.0], &[-1.0]).is_err());
        assert!(RaschPrior::new(&[f64::NAN], &[1.0]).is_err());
        assert!(RaschPrior::fit(&[], &[], &[1.0]).is_err());
        let prior = RaschPrior::new(&[0.0], &[1.0]).unwrap();
        assert!(prior.ability(1.2).is_err() && prior.ability(f64::NAN).is_err());
    }
}
