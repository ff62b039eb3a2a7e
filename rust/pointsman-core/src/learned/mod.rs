//! [`Learned`]: all that outcomes have taught about the deployments of one catalog.
//!
//! Speed is learned per deployment, length per model, quality per slice, model and deployment. Without outcomes
//! every belief is exactly the catalog's prior.

mod outcome;
mod speed;
mod state;
mod task;

pub use outcome::Outcome;
pub(crate) use task::Task;

use crate::belief::{Belief, Beliefs};
use crate::catalog::{Catalog, Deployment};
use crate::error::Error;
use crate::latency_model::LatencyModel;
use crate::learn_error::LearnError;
use crate::length::OutputTokens;
use crate::length_model::LengthModel;
use crate::quality::{
    Arm, Context, Estimate, NeighbourConfig, Quality, QualityConfig, QualityEstimator,
};
use crate::shrink::{between_variance, shrink};
use task::N_FEATURES;

/// Forgetting of the slope of lengths: half after about two months (as qualities, `QualityConfig::new`).
const RATE_PER_S: f64 = 0.01 / 86_400.0;
/// No vector is at hand yet, so the ring of neighbours stays empty.
const NO_VECTOR: [f32; 1] = [0.0];

/// What was learned, in the order of a catalog's deployments and models.
#[derive(Clone, Debug)]
pub(crate) struct Learned {
    speeds: Vec<LatencyModel>,
    lengths: LengthModel,
    qualities: QualityEstimator,
}

impl Learned {
    /// Nothing learned yet.
    pub(crate) fn new(catalog: &Catalog) -> Result<Self, Error> {
        let speed = |deployment: &Deployment| LatencyModel::new(deployment.latency);
        let speeds: Result<Vec<_>, LearnError> = catalog.deployments().iter().map(speed).collect();
        Ok(Self {
            speeds: speeds?,
            lengths: LengthModel::new(catalog.models().len(), N_FEATURES, RATE_PER_S)?,
            qualities: QualityEstimator::new(quality_config(), &arms(catalog))?,
        })
    }

    /// The same for another catalog: what keeps its name keeps what was learned, what is new starts from its prior.
    pub(crate) fn adapted(&self, old: &Catalog, new: &Catalog) -> Result<Self, Error> {
        let mut adapted = Self::new(new)?;
        for (speed, deployment) in adapted.speeds.iter_mut().zip(new.deployments()) {
            if let Some(index) = place(old.deployments(), |one| one.name == deployment.name) {
                speed.clone_outcomes(&self.speeds[index]);
            }
        }
        let names = old
            .models()
            .iter()
            .map(|model| model.name.as_str())
            .collect::<Vec<_>>();
        adapted.lengths = self.lengths.rearranged(&places(&names, new));
        adapted.qualities = self.qualities.clone();
        adapted.qualities.set_arms(&arms(new))?;
        Ok(adapted)
    }

    /// What is expected of every deployment on a task.
    pub(crate) fn believe(
        &self,
        catalog: &Catalog,
        task: &Task<'_>,
        now_s: f64,
    ) -> Result<Beliefs, Error> {
        let features = task.features();
        let prior = |deployment: &Deployment| registry_prior(catalog, deployment, task);
        let believe = |(index, deployment): (usize, &Deployment)| {
            let prior = prior(deployment);
            Ok(Belief {
                quality: prior,
                prior,
                output_tokens: self.output_tokens(task, &features, deployment.model)?,
                speed: self.speeds[index].predict(now_s),
            })
        };
        let each: Result<Vec<Belief>, Error> = catalog
            .deployments()
            .iter()
            .enumerate()
            .map(believe)
            .collect();
        let mut beliefs = Beliefs {
            each: each?,
            n_rewards: 0.0,
        };
        if self.qualities.has_outcomes() {
            self.grade(&mut beliefs, task, &features, now_s)?;
        }
        Ok(beliefs)
    }

    fn output_tokens(
        &self,
        task: &Task<'_>,
        features: &[f32],
        model: usize,
    ) -> Result<OutputTokens, Error> {
        if self.lengths.is_empty() {
            return Ok(task.output_tokens());
        }
        let length = self.lengths.predict(features, model, task.length_prior())?;
        Ok(OutputTokens {
            p50: length.p50,
            p90: length.p90,
            mean: length.mean,
        })
    }

    /// Puts estimates, shrunken to their slice, in the place of priors wherever a model has rewards.
    fn grade(
        &self,
        beliefs: &mut Beliefs,
        task: &Task<'_>,
        features: &[f32],
        now_s: f64,
    ) -> Result<(), LearnError> {
        let priors: Vec<f64> = beliefs
            .each
            .iter()
            .map(|belief| belief.prior.mean)
            .collect();
        let context = Context {
            slice: task.slice(),
            priors: &priors,
            features,
            vector: &NO_VECTOR,
        };
        let known: Vec<usize> = (0..priors.len())
            .filter(|arm| self.qualities.is_known(*arm))
            .collect();
        let mut estimates = vec![Estimate::default(); priors.len()];
        self.qualities
            .predict_into(&context, now_s, &mut estimates)?;
        self.qualities
            .widen_into(&context, &known, now_s, &mut estimates)?;
        let deviation = |arm: &usize| estimates[*arm].mean - estimates[*arm].parts.slice;
        let deviations: Vec<f64> = known.iter().map(deviation).collect();
        let sds: Vec<f64> = known.iter().map(|arm| estimates[*arm].sd).collect();
        let variance = between_variance(&deviations, &sds)?;
        for arm in known {
            let Estimate {
                mean, sd, parts, ..
            } = estimates[arm];
            let mean = shrink(mean, sd, parts.slice, variance)?;
            beliefs.each[arm].quality = Quality::with_sd(mean, sd);
        }
        beliefs.n_rewards = self.qualities.n_outcomes(context.slice, now_s);
        Ok(())
    }

    /// Learns what came of a call; nothing, if any of it is refused.
    pub(crate) fn observe<S: AsRef<str>>(
        &mut self,
        catalog: &Catalog,
        outcome: &Outcome<S>,
        now_s: f64,
    ) -> Result<(), Error> {
        outcome.check()?;
        check_time(now_s)?;
        let arm = catalog.deployment_index(outcome.deployment.as_ref())?;
        let task = outcome.task();
        self.speeds[arm].learn(outcome, now_s)?;
        if outcome.is_error {
            return Ok(());
        }
        let features = task.features();
        let model = catalog.deployments()[arm].model;
        if let Some(n_tokens) = outcome.n_output_tokens {
            let (prior, n_tokens) = (task.length_prior(), n_tokens as f64);
            self.lengths
                .observe(&features, model, prior, n_tokens, outcome.is_cut, now_s)?;
        }
        if let Some(reward) = outcome.reward {
            let prior = |deployment: &Deployment| registry_prior(catalog, deployment, &task).mean;
            let priors: Vec<f64> = catalog.deployments().iter().map(prior).collect();
            let context = Context {
                slice: task.slice(),
                priors: &priors,
                features: &features,
                vector: &NO_VECTOR,
            };
            self.qualities.observe(&context, arm, reward, 1.0, now_s)?;
        }
        Ok(())
    }

    /// The first moment at which a cached speed is out of date.
    pub(crate) fn fresh_until_s(&self) -> f64 {
        self.speeds
            .iter()
            .map(LatencyModel::fresh_until_s)
            .fold(f64::INFINITY, f64::min)
    }

    /// Brings the cached speeds up to date; what is believed does not change, only how quickly it is read.
    pub(crate) fn refresh(&mut self, now_s: f64) {
        let stale = self
            .speeds
            .iter_mut()
            .filter(|speed| speed.fresh_until_s() <= now_s);
        stale.for_each(|speed| speed.refresh(now_s));
    }
}

fn check_time(now_s: f64) -> Result<(), Error> {
    if (0.0..=1e12).contains(&now_s) {
        return Ok(());
    }
    Err(Error::invalid(
        "now_s",
        now_s,
        "give Unix time in seconds, finite and >= 0",
    ))
}

fn registry_prior(catalog: &Catalog, deployment: &Deployment, task: &Task<'_>) -> Quality {
    let quality = &catalog.model_of(deployment).quality;
    quality.predict(task.domain, task.complexity, task.name)
}

fn arms(catalog: &Catalog) -> Vec<Arm> {
    let arm = |deployment: &Deployment| {
        Arm::new(
            deployment.name.as_str(),
            catalog.model_of(deployment).name.as_str(),
        )
    };
    catalog.deployments().iter().map(arm).collect()
}

/// For each model of `new` its place among `names`.
fn places(names: &[&str], new: &Catalog) -> Vec<Option<usize>> {
    let find = |name: &str| place(names, |one| *one == name);
    new.models().iter().map(|model| find(&model.name)).collect()
}

fn place<T>(items: &[T], is_it: impl Fn(&T) -> bool) -> Option<usize> {
    items.iter().position(is_it)
}

/// The precision is chosen so that before any reward a residual's deviation, 0.13, is that of the slice's own belief.
fn quality_config() -> QualityConfig {
    let config = QualityConfig::new(N_FEATURES, NO_VECTOR.len());
    QualityConfig {
        lambda: 40.0,
        neighbours: NeighbourConfig {
            n_entries: 0,
            ..config.neighbours
        },
        ..config
    }
}
