//! [`QualityEstimator`]: the whole of science.md 2.3 and 2.4 behind three calls.

use crate::learn_error::{LearnError, within};
use crate::logistic::sigma;
use crate::quality::arms::{Arm, ArmTable};
use crate::quality::blend::blend;
use crate::quality::context::Context;
use crate::quality::estimate::Estimate;
use crate::quality::neighbours::{Neighbours, Support};
use crate::quality::platt::Platt;
use crate::quality::ridge::{Ridge, widened};
use crate::quality::settings::{NeighbourConfig, QualityConfig};
use crate::quality::slice::{Belief, SlicePosteriors};
use crate::quality::stack::{Parts, Stack};

/// Predicts the quality of every arm, and learns from graded answers.
///
/// Pure: it reads no clock and draws nothing. Prediction takes `&self`, so readers share it behind a lock or an `Arc`.
///
/// # Example
///
/// ```
/// use pointsman_core::quality::{Arm, Context, Estimate, QualityConfig, QualityEstimator};
///
/// let arms = [Arm::new("big@a", "big"), Arm::new("small@a", "small")];
/// let mut estimator = QualityEstimator::new(QualityConfig::new(2, 2), &arms).unwrap();
/// let context = Context { slice: 7, n_elsewhere: 12.0, priors: &[0.9, 0.6], features: &[1.0, 0.5], vector: &[0.6, 0.8] };
/// let mut estimates = [Estimate::default(); 2];
///
/// // Nothing learned: the answer is the registry's prior.
/// estimator.predict_into(&context, 0.0, &mut estimates).unwrap();
/// assert!((estimates[1].mean - 0.6).abs() < 1e-9);
///
/// for _ in 0..100 {
///     estimator.observe(&context, 1, 0.95, 1.0, 0.0).unwrap();
/// }
/// estimator.predict_into(&context, 0.0, &mut estimates).unwrap();
/// assert!(estimates[1].mean > 0.85 && estimates[1].lcb > 0.6);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct QualityEstimator {
    pub(crate) config: QualityConfig,
    pub(crate) arms: ArmTable,
    pub(crate) slices: SlicePosteriors,
    pub(crate) ridges: Vec<Ridge>,
    /// The requests of all models together: how far a request lies from what was learned is asked of it once, and
    /// not of every model.
    pub(crate) design: Ridge,
    pub(crate) ring: Neighbours,
    pub(crate) stack: Stack,
    pub(crate) platts: Vec<Platt>,
}

impl QualityEstimator {
    /// An estimator without history for these arms.
    ///
    /// # Errors
    ///
    /// A configuration out of range, or two arms of one name.
    pub fn new(config: QualityConfig, arms: &[Arm]) -> Result<Self, LearnError> {
        Self::with_arms(config, ArmTable::new(arms)?)
    }

    pub(crate) fn with_arms(config: QualityConfig, arms: ArmTable) -> Result<Self, LearnError> {
        let rate_per_s = config.rate_per_s()?;
        let ridge = Ridge::new(config.n_features, config.lambda, rate_per_s)?;
        Ok(Self {
            config,
            slices: SlicePosteriors::new(&arms, rate_per_s),
            ridges: vec![ridge.clone(); arms.n_models()],
            design: ridge,
            ring: Neighbours::new(config.neighbours, rate_per_s)?,
            stack: Stack::default(),
            platts: vec![Platt::default(); arms.n_models()],
            arms,
        })
    }

    /// Number of arms.
    pub fn n_arms(&self) -> usize {
        self.arms.n_arms()
    }

    /// Whether any reward was learned.
    pub fn has_outcomes(&self) -> bool {
        self.ridges.iter().any(|ridge| !ridge.is_empty())
    }

    /// Whether a reward of this arm's model was learned; an arm that does not exist has none.
    pub fn is_known(&self, arm: usize) -> bool {
        let model = self.arms.model_of().get(arm);
        model.is_some_and(|model| !self.ridges[*model].is_empty())
    }

    /// Rewards learned in a slice, faded by their age.
    pub fn n_outcomes(&self, slice: u64, now_s: f64) -> f64 {
        self.slices.view(slice, 0.0, now_s).n_outcomes()
    }

    /// Puts means in place that hold to their slices', as a choice among many must see them (science.md 2.5).
    ///
    /// What was learned of the parts' weights is left out: it fits the requests seen, and the best of many bold
    /// predictions is mostly the luckiest. A lower bound is never that of a mean above the slice's: what is proven is
    /// proven for the slice.
    pub fn shrink_into(&self, estimates: &mut [Estimate]) {
        for estimate in estimates {
            let mean = blend(&estimate.parts);
            let proven = Estimate {
                mean: mean.min(estimate.parts.slice),
                ..*estimate
            };
            let lcb = proven.with_sd(estimate.sd).lcb;
            *estimate = Estimate {
                mean,
                lcb,
                ..*estimate
            };
        }
    }

    /// The weights of the blend: intercept, slice, residual, neighbours.
    pub fn stack_weights(&self) -> [f64; 4] {
        self.stack.weights()
    }

    /// Writes what is expected of every arm.
    ///
    /// The deviation leaves the ridge out; [`Self::widen_into`] adds it for the arms that matter.
    /// `O(rows searched + models * features + arms)`; two allocations, of a sum and a residual per model.
    ///
    /// # Errors
    ///
    /// A context of other sizes than configured, or with a value that is not finite; `out` without a place per arm.
    pub fn predict_into(
        &self,
        context: &Context<'_>,
        now_s: f64,
        out: &mut [Estimate],
    ) -> Result<(), LearnError> {
        self.check(context, now_s)?;
        if out.len() != self.n_arms() {
            return Err(LearnError::invalid(
                "out",
                out.len(),
                "give one place per arm",
            ));
        }
        let mut supports = vec![Support::default(); self.arms.n_models()];
        self.ring.support_into(context.vector, now_s, &mut supports);
        let slices = self.slices.view(context.slice, context.n_elsewhere, now_s);
        let features = widened(context.features);
        let features = &features[..context.features.len()];
        let residual = |ridge: &Ridge| ridge.predict_wide(features);
        let residuals: Vec<f64> = self.ridges.iter().map(residual).collect();
        for (arm, place) in out.iter_mut().enumerate() {
            let model = self.arms.model_of()[arm];
            let belief = slices.posterior(arm, context.priors[arm]);
            let parts = self.parts(residuals[model], belief, supports[model]);
            let (z, variance) = self.stack.predict_with_variance(&parts);
            let mean = sigma(self.platts[model].correct(z));
            let n_effective = belief.n + supports[model].weight;
            // For want of outcomes in the slice and among the neighbours, and in the blend.
            let spread = mean * (1.0 - mean);
            let variance = spread / (n_effective + 1.0) + spread * spread * variance.max(0.0);
            let estimate = Estimate {
                mean,
                n_effective,
                parts,
                ..Estimate::default()
            };
            *place = estimate.with_sd(variance.sqrt());
        }
        Ok(())
    }

    /// Adds the ridge's uncertainty to the deviation of these arms, once. `O(features^2 + arms)`.
    ///
    /// A model's design is taken to be its share of that of all: `phi' A_m^-1 phi = (n / n_m) phi' A^-1 phi`. Exact
    /// where models are graded on requests alike; 32 quadratic forms of 64 features would cost 30 microseconds.
    ///
    /// The variances add: the larger of the two alone (science.md 2.4) covers 80 % where it promises 90
    /// (`tests/quality_simulation`).
    ///
    /// # Errors
    ///
    /// As [`Self::predict_into`]; an arm that does not exist.
    pub fn widen_into(
        &self,
        context: &Context<'_>,
        arms: &[usize],
        now_s: f64,
        out: &mut [Estimate],
    ) -> Result<(), LearnError> {
        self.check(context, now_s)?;
        let leverage = self.design.leverage(context.features, now_s);
        let ceiling = context
            .features
            .iter()
            .map(|x| f64::from(*x) * f64::from(*x));
        let ceiling = ceiling.sum::<f64>() / self.config.lambda;
        let n_pooled = self.design.n_outcomes(now_s) + self.config.lambda;
        for arm in arms {
            let model = self.arms.model_of().get(*arm);
            let (Some(model), Some(place)) = (model, out.get_mut(*arm)) else {
                return Err(LearnError::invalid("arms", arm, "give indices of arms"));
            };
            let ridge = &self.ridges[*model];
            let share = (ridge.n_outcomes(now_s) + self.config.lambda) / n_pooled;
            let variance = ridge.noise_variance() * (leverage / share).min(ceiling);
            *place = place.with_sd((place.sd * place.sd + variance).sqrt());
        }
        Ok(())
    }

    /// Learns how good the answer of an arm was.
    ///
    /// # Errors
    ///
    /// As [`Self::predict_into`]; an arm that does not exist; a reward outside `[0, 1]`; a weight outside `[0, 1e6]`.
    /// Nothing is learned then.
    pub fn observe(
        &mut self,
        context: &Context<'_>,
        arm: usize,
        reward: f64,
        weight: f64,
        now_s: f64,
    ) -> Result<(), LearnError> {
        self.check(context, now_s)?;
        let model = self.model(arm)?;
        let mut supports = vec![Support::default(); model + 1];
        self.ring.support_into(context.vector, now_s, &mut supports);
        let belief = self
            .slices
            .view(context.slice, context.n_elsewhere, now_s)
            .posterior(arm, context.priors[arm]);
        let residual = self.ridges[model].predict(context.features);
        let parts = self.parts(residual, belief, supports[model]);
        self.observe_predicted(context, arm, &parts, reward, weight, now_s)
    }

    /// Learns like [`Self::observe`], with the parts of the estimate the decision was made on.
    ///
    /// Saves the search for neighbours, and validates exactly what was predicted then.
    ///
    /// # Errors
    ///
    /// As [`Self::observe`]; parts that are not finite.
    pub fn observe_predicted(
        &mut self,
        context: &Context<'_>,
        arm: usize,
        parts: &Parts,
        reward: f64,
        weight: f64,
        now_s: f64,
    ) -> Result<(), LearnError> {
        self.check(context, now_s)?;
        let model = self.model(arm)?;
        within("reward", reward, 0.0, 1.0, "give a reward in [0, 1]")?;
        within("weight", weight, 0.0, 1e6, "give a weight in [0, 1e6]")?;
        parts.check()?;
        let z = self.stack.predict(parts);
        self.platts[model].observe(z, reward, weight, now_s);
        self.stack.observe(parts, reward, weight);
        let residual = reward - parts.slice;
        self.ridges[model].observe(context.features, residual, weight, now_s)?;
        self.design
            .observe(context.features, residual, weight, now_s)?;
        let prior = context.priors[arm];
        self.slices
            .observe(context.slice, (arm, prior), reward, weight, now_s);
        self.ring
            .observe(context.vector, model, reward, weight, now_s)
    }

    /// Lets only the share `kept` of an arm's past count from now on, because it has changed: its own in every slice,
    /// its model's in all that is learned per model.
    ///
    /// # Errors
    ///
    /// An arm that does not exist, a share outside `[0, 1]`; nothing changes then.
    pub fn fade(&mut self, arm: usize, kept: f64, now_s: f64) -> Result<(), LearnError> {
        let model = self.model(arm)?;
        within("kept", kept, 0.0, 1.0, "give a share in [0, 1]")?;
        self.slices.fade(arm, kept);
        self.ridges[model].fade(kept, now_s);
        self.ring.fade(model, kept);
        Ok(())
    }

    /// Seeks neighbours by vectors of another length from now on; what became of the old ones is dropped.
    ///
    /// # Errors
    ///
    /// A length outside 1..=544; nothing changes then.
    pub fn set_dimensions(&mut self, n_dimensions: usize) -> Result<(), LearnError> {
        let neighbours = NeighbourConfig {
            n_dimensions,
            ..self.config.neighbours
        };
        self.ring = Neighbours::new(neighbours, self.config.rate_per_s()?)?;
        self.config.neighbours = neighbours;
        Ok(())
    }

    /// Takes another table of arms, keeping what was learned of those whose names stay.
    ///
    /// # Errors
    ///
    /// Two arms of one name.
    pub fn set_arms(&mut self, arms: &[Arm]) -> Result<(), LearnError> {
        let table = ArmTable::new(arms)?;
        let mapping = self.arms.mapping(&table);
        let config = &self.config;
        let fresh = Ridge::new(config.n_features, config.lambda, config.rate_per_s()?)?;
        self.slices.remap(&table, &mapping);
        self.ridges = mapping.models.apply_or(&self.ridges, || fresh.clone());
        self.platts = mapping.models.apply(&self.platts);
        self.ring.remap(&mapping.models);
        self.arms = table;
        Ok(())
    }

    /// Drops what slices not seen yet would start from, of a model whose priors have changed.
    pub fn forget_overall(&mut self, model: &str) {
        if let Some(place) = self.arms.model(model) {
            self.slices.forget_overall(place);
        }
    }

    pub(super) fn parts(&self, residual: f64, belief: Belief, support: Support) -> Parts {
        let n = self.config.n_neighbour_prior;
        Parts {
            slice: belief.mean,
            residual,
            neighbours: (support.sum + n * belief.mean) / (support.weight + n),
        }
    }

    pub(super) fn model(&self, arm: usize) -> Result<usize, LearnError> {
        let model = self.arms.model_of().get(arm).copied();
        model.ok_or_else(|| LearnError::invalid("arm", arm, "give the index of an arm"))
    }

    pub(super) fn check(&self, context: &Context<'_>, now_s: f64) -> Result<(), LearnError> {
        within("now_s", now_s, -1e12, 1e12, "give seconds")?;
        let remedy = "give a number in [0, 1e6]";
        within("n_elsewhere", context.n_elsewhere, 0.0, 1e6, remedy)?;
        if context.priors.len() != self.n_arms() {
            let got = context.priors.len();
            return Err(LearnError::invalid("priors", got, "give one prior per arm"));
        }
        for prior in context.priors {
            within("priors", *prior, 0.0, 1.0, "give a quality in [0, 1]")?;
        }
        if let Some(ridge) = self.ridges.first() {
            ridge.check(context.features)?;
        }
        self.ring.check(context.vector)
    }
}
