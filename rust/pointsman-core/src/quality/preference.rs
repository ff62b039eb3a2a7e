//! What changes beliefs but is no reward: a preference between two answers, and a reward that is taken back for another.

use crate::learn_error::{LearnError, within};
use crate::logistic::sigma;
use crate::quality::context::Context;
use crate::quality::estimator::QualityEstimator;
use crate::quality::neighbours::Support;

/// A win that was more or less likely than this teaches as if it were not: a step must stay a step.
const MIN_P: f64 = 0.02;
/// Least weight of a residual in the blend, for the size of a step (chosen: a quarter of where it starts).
const MIN_SLOPE: f64 = 0.5;

/// What the estimator thinks of one answer.
struct Standing {
    model: usize,
    z: f64,
    residual: f64,
    variance: f64,
    noise: f64,
}

impl QualityEstimator {
    /// Learns that one answer was preferred to another, of the same request or of two.
    ///
    /// Bradley-Terry: `P(chosen wins) = sigma(z_chosen - z_rejected)`; one Newton step on its logistic loss, shared
    /// by the residuals of the two models by how uncertain each is (science.md 2.4). A preference says nothing of how
    /// good either is, so slices, neighbours and calibration learn nothing of it. `O(features^2)`.
    ///
    /// # Errors
    ///
    /// As [`Self::observe`]. Nothing is learned then.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::quality::{Arm, Context, Estimate, QualityConfig, QualityEstimator};
    ///
    /// let arms = [Arm::new("a@p", "a"), Arm::new("b@p", "b")];
    /// let mut estimator = QualityEstimator::new(QualityConfig::new(1, 1), &arms)?;
    /// let context = Context { slice: 7, n_elsewhere: 12.0, priors: &[0.7, 0.7], features: &[1.0], vector: &[0.0] };
    /// for _ in 0..50 {
    ///     estimator.prefer((&context, 1), (&context, 0), 1.0, 0.0)?;
    /// }
    /// let mut estimates = [Estimate::default(); 2];
    /// estimator.predict_into(&context, 0.0, &mut estimates)?;
    /// assert!(estimates[1].mean > estimates[0].mean + 0.1);
    /// # Ok::<(), pointsman_core::LearnError>(())
    /// ```
    pub fn prefer(
        &mut self,
        chosen: (&Context<'_>, usize),
        rejected: (&Context<'_>, usize),
        weight: f64,
        now_s: f64,
    ) -> Result<(), LearnError> {
        within("weight", weight, 0.0, 1e6, "give a weight in [0, 1e6]")?;
        let (won, lost) = (
            self.standing(chosen, now_s)?,
            self.standing(rejected, now_s)?,
        );
        // Two deployments of one model differ in nothing that residuals could say.
        if weight == 0.0 || won.model == lost.model {
            return Ok(());
        }
        let p = sigma(won.z - lost.z).clamp(MIN_P, 1.0 - MIN_P);
        let slope = self.stack.weights()[2].max(MIN_SLOPE);
        let curvature = weight * p * (1.0 - p) * slope * slope;
        // Where Newton's step would put the difference of the residuals, were nothing known before.
        let step = 1.0 / (p * slope);
        for (features, one, other, sign) in [
            (chosen.0.features, &won, &lost, 1.0),
            (rejected.0.features, &lost, &won, -1.0),
        ] {
            let weight = one.noise / (1.0 / curvature + other.variance);
            let residual = one.residual + sign * step;
            self.ridges[one.model].lean(features, residual, weight, now_s)?;
            self.design.lean(features, residual, weight, now_s)?;
        }
        Ok(())
    }

    /// Puts `reward` in the place of `before`, which was learned of the same answer with the same weight.
    ///
    /// Slices and residuals are as if the new one had been learned then; so is the neighbour, while it is in the
    /// ring. The calibration keeps what it saw: a prediction and one outcome of it.
    ///
    /// # Errors
    ///
    /// As [`Self::observe`]. Nothing is learned then.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::quality::{Arm, Context, Estimate, QualityConfig, QualityEstimator};
    ///
    /// let mut estimator = QualityEstimator::new(QualityConfig::new(1, 1), &[Arm::new("a@p", "a")])?;
    /// let context = Context { slice: 7, n_elsewhere: 12.0, priors: &[0.7], features: &[1.0], vector: &[0.0] };
    /// let mean = |estimator: &QualityEstimator| {
    ///     let mut estimates = [Estimate::default()];
    ///     estimator.predict_into(&context, 0.0, &mut estimates).map(|()| estimates[0].parts.slice)
    /// };
    /// estimator.observe(&context, 0, 1.0, 1.0, 0.0)?;
    /// let after_one = mean(&estimator)?;
    /// estimator.revise(&context, 0, (1.0, 0.0), 1.0, 0.0)?;
    /// assert!(mean(&estimator)? < 0.7 && after_one > 0.7);
    /// assert_eq!(estimator.n_outcomes(7, 0.0), 1.0);
    /// # Ok::<(), pointsman_core::LearnError>(())
    /// ```
    pub fn revise(
        &mut self,
        context: &Context<'_>,
        arm: usize,
        (before, reward): (f64, f64),
        weight: f64,
        now_s: f64,
    ) -> Result<(), LearnError> {
        self.check(context, now_s)?;
        let model = self.model(arm)?;
        within("replaces", before, 0.0, 1.0, "give a reward in [0, 1]")?;
        within("reward", reward, 0.0, 1.0, "give a reward in [0, 1]")?;
        within("weight", weight, 0.0, 1e6, "give a weight in [0, 1e6]")?;
        let change = weight * (reward - before);
        self.slices.revise(context.slice, arm, change);
        self.ridges[model].revise(context.features, change, now_s);
        self.ring.revise(context.vector, model, before, reward);
        Ok(())
    }

    fn standing(
        &self,
        (context, arm): (&Context<'_>, usize),
        now_s: f64,
    ) -> Result<Standing, LearnError> {
        self.check(context, now_s)?;
        let model = self.model(arm)?;
        let mut supports = vec![Support::default(); model + 1];
        self.ring.support_into(context.vector, now_s, &mut supports);
        let slices = self.slices.view(context.slice, context.n_elsewhere, now_s);
        let belief = slices.posterior(arm, context.priors[arm]);
        let ridge = &self.ridges[model];
        let residual = ridge.predict(context.features);
        let parts = self.parts(residual, belief, supports[model]);
        Ok(Standing {
            model,
            z: self.platts[model].correct(self.stack.predict(&parts)),
            residual,
            variance: ridge.variance(context.features, now_s),
            noise: ridge.noise_variance(),
        })
    }
}
