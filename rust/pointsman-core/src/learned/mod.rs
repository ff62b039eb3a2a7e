//! [`Learned`]: all that outcomes have taught about the deployments of one catalog.
//!
//! Speed is learned per deployment, length per model, quality per slice, model and deployment. Without outcomes
//! every belief is exactly the catalog's prior.

mod answer;
mod floors;
mod outcome;
mod preference;
mod speed;
mod state;
mod task;
mod vector;

pub use outcome::Outcome;
pub(crate) use task::Task;
pub use vector::FeatureVector;

use crate::belief::{Belief, Beliefs};
use crate::catalog::{Catalog, Deployment, Model};
use crate::error::Error;
use crate::floor::Standing;
use crate::latency_model::{LatencyModel, Speed};
use crate::learn_error::LearnError;
use crate::length_model::LengthModel;
use crate::prompt_cache::CacheHabit;
use crate::quality::{Arm, Context, Estimate, Quality, QualityConfig, QualityEstimator};
use answer::Answer;
use floors::Floors;
use task::{N_FEATURES, N_QUALITY_FEATURES};
use vector::{N_HAND, N_OWN};

/// Forgetting of the slope of lengths: half after about two months (as qualities, `QualityConfig::new`).
const RATE_PER_S: f64 = 0.01 / 86_400.0;

/// What was learned, in the order of a catalog's deployments and models.
#[derive(Clone, Debug)]
pub(crate) struct Learned {
    speeds: Vec<LatencyModel>,
    /// Tokens of answers, those of reasoning left out.
    lengths: LengthModel,
    /// Tokens of reasoning, of models that can or did.
    reasonings: LengthModel,
    cache_habits: Vec<CacheHabit>,
    qualities: QualityEstimator,
    floors: Floors,
    /// Values of the callers' vectors that neighbours are sought by; 0: by the built-in embedding.
    n_given: usize,
}

impl Learned {
    /// Nothing learned yet.
    pub(crate) fn new(catalog: &Catalog) -> Result<Self, Error> {
        let speed = |deployment: &Deployment| LatencyModel::new(deployment.latency);
        let speeds: Result<Vec<_>, LearnError> = catalog.deployments().iter().map(speed).collect();
        Ok(Self {
            speeds: speeds?,
            lengths: LengthModel::new(catalog.models().len(), N_FEATURES, RATE_PER_S)?,
            reasonings: LengthModel::new(catalog.models().len(), N_FEATURES, RATE_PER_S)?,
            cache_habits: vec![CacheHabit::default(); catalog.deployments().len()],
            qualities: QualityEstimator::new(quality_config(0), &arms(catalog))?,
            floors: Floors::new(catalog.deployments().len())?,
            n_given: 0,
        })
    }

    /// The same for another catalog: what keeps its name keeps what was learned, what is new starts from its prior.
    pub(crate) fn adapted(&self, old: &Catalog, new: &Catalog) -> Result<Self, Error> {
        let mut adapted = Self::new(new)?;
        for (place_in_new, deployment) in new.deployments().iter().enumerate() {
            if let Some(index) = place(old.deployments(), |one| one.name == deployment.name) {
                adapted.speeds[place_in_new].clone_outcomes(&self.speeds[index]);
                adapted.cache_habits[place_in_new] = self.cache_habits[index];
            }
        }
        let names = old
            .models()
            .iter()
            .map(|model| model.name.as_str())
            .collect::<Vec<_>>();
        adapted.lengths = self.lengths.rearranged(&places(&names, new));
        adapted.reasonings = self.reasonings.rearranged(&places(&names, new));
        adapted.n_given = self.n_given;
        adapted.qualities = self.qualities.clone();
        adapted.qualities.set_arms(&arms(new))?;
        let is_same = |model: &&Model| {
            let before = old.models().iter().find(|one| one.name == model.name);
            before.is_some_and(|before| before.quality == model.quality)
        };
        for model in new.models().iter().filter(|model| !is_same(model)) {
            adapted.qualities.forget_overall(&model.name);
        }
        let place_of = |arm: usize| {
            let name = &old.deployments()[arm].name;
            place(new.deployments(), |one| one.name == *name)
        };
        adapted.floors = self.floors.rearranged(new.deployments().len(), place_of)?;
        Ok(adapted)
    }

    /// What is expected of every deployment on a task.
    pub(crate) fn believe(
        &self,
        catalog: &Catalog,
        task: &Task<'_>,
        now_s: f64,
    ) -> Result<Beliefs, Error> {
        self.check(task)?;
        let features = task.features();
        // The same for all while no length was seen.
        let prior_tokens = self.lengths.is_empty().then(|| task.output_tokens());
        let answer = |(index, model): (usize, &Model)| {
            let output_tokens = match prior_tokens {
                Some(tokens) => tokens,
                None => self.output_tokens(task, &features, index)?,
            };
            self.answer(task, &features, (index, model), output_tokens)
        };
        let models = catalog.models().iter().enumerate();
        let answers = models.map(answer).collect::<Result<Vec<Answer>, Error>>()?;
        let believe = |(index, deployment): (usize, &Deployment)| {
            let answer = &answers[deployment.model];
            let habit = &self.cache_habits[index];
            Belief {
                quality: answer.prior,
                prior: answer.prior,
                output_tokens: answer.output_tokens,
                reasoning_tokens: answer.reasoning_tokens,
                n_input_tokens: answer.n_input_tokens,
                n_cached_input_tokens: 0,
                hit_rate: habit.hit_rate(),
                write_rate: habit.write_rate(),
                speed: self.speeds[index].predict(now_s),
            }
        };
        let deployments = catalog.deployments().iter().enumerate();
        let mut beliefs = Beliefs {
            each: deployments.map(believe).collect(),
            n_rewards: 0.0,
        };
        if self.qualities.has_outcomes() {
            self.grade(&mut beliefs, task, now_s)?;
        }
        Ok(beliefs)
    }

    /// Puts estimates, as a choice must see them, in the place of priors wherever a model has rewards.
    fn grade(&self, beliefs: &mut Beliefs, task: &Task<'_>, now_s: f64) -> Result<(), LearnError> {
        let priors: Vec<f64> = beliefs
            .each
            .iter()
            .map(|belief| belief.prior.mean)
            .collect();
        let (features, key) = (task.quality_features(), self.key(task));
        let context = Context {
            slice: task.slice(),
            n_elsewhere: task.n_elsewhere(),
            priors: &priors,
            features: &features,
            vector: &key,
        };
        let known: Vec<usize> = (0..priors.len())
            .filter(|arm| self.qualities.is_known(*arm))
            .collect();
        let mut estimates = vec![Estimate::default(); priors.len()];
        self.qualities
            .predict_into(&context, now_s, &mut estimates)?;
        self.qualities
            .widen_into(&context, &known, now_s, &mut estimates)?;
        self.qualities.shrink_into(&mut estimates);
        for arm in known {
            let Estimate { mean, sd, lcb, .. } = estimates[arm];
            beliefs.each[arm].quality = Quality { mean, sd, lcb };
        }
        beliefs.n_rewards = self.qualities.n_outcomes(context.slice, now_s);
        Ok(())
    }

    /// Learns what came of a call; nothing, if any of it is refused. `n_warm_tokens` should have been in the cache.
    pub(crate) fn observe<S: AsRef<str>>(
        &mut self,
        catalog: &Catalog,
        outcome: &Outcome<S>,
        n_warm_tokens: u64,
        now_s: f64,
    ) -> Result<(), Error> {
        outcome.check()?;
        check_time(now_s)?;
        let arm = catalog.deployment_index(outcome.deployment.as_ref())?;
        let task = outcome.task();
        self.check(&task)?;
        self.speeds[arm].learn(outcome, now_s)?;
        if outcome.is_error {
            return Ok(());
        }
        let features = task.features();
        if let Some(n_tokens) = outcome.n_output_tokens {
            let model = catalog.deployments()[arm].model;
            let model = (model, &catalog.models()[model]);
            self.observe_length(&task, &features, model, (n_tokens, outcome), now_s)?;
        }
        if let Some(n_cached) = outcome.n_cached_input_tokens {
            let (n_input, n_written) = (outcome.n_input_tokens, outcome.n_cache_write_tokens);
            self.cache_habits[arm].observe(n_input, n_cached, n_written, n_warm_tokens);
        }
        let is_judged = outcome.verdict.is_some() || outcome.audit_share.is_some();
        if is_judged && outcome.replaces.is_none() && !outcome.is_top_up {
            let score = self.predicted(catalog, (outcome, arm), &task, now_s)?;
            if let Some(verdict) = outcome.verdict(score)? {
                let grader = outcome.grader.as_ref().map(AsRef::as_ref);
                self.floors.judge(&task, arm, (verdict, grader), now_s)?;
            }
        }
        match outcome.reward {
            Some(reward) => self.reward(catalog, (outcome, arm), &task, reward, now_s),
            None => Ok(()),
        }
    }

    /// Learns how good an answer was.
    fn reward<S: AsRef<str>>(
        &mut self,
        catalog: &Catalog,
        (outcome, arm): (&Outcome<S>, usize),
        task: &Task<'_>,
        reward: f64,
        now_s: f64,
    ) -> Result<(), Error> {
        let predicted = self.predicted(catalog, (outcome, arm), task, now_s)?;
        let prior = |deployment: &Deployment| registry_prior(catalog, deployment, task).mean;
        let priors: Vec<f64> = catalog.deployments().iter().map(prior).collect();
        self.take_vectors(task)?;
        let (features, key) = (task.quality_features(), self.key(task));
        let context = Context {
            slice: task.slice(),
            n_elsewhere: task.n_elsewhere(),
            priors: &priors,
            features: &features,
            vector: &key,
        };
        let weight = outcome.weight;
        if let Some(before) = outcome.replaces {
            let rewards = (before, reward);
            self.qualities
                .revise(&context, arm, rewards, weight, now_s)?;
            return Ok(());
        }
        self.qualities
            .observe(&context, arm, reward, weight, now_s)?;
        if outcome.is_top_up {
            return Ok(());
        }
        if let Some(kept) = self.floors.surprise(arm, reward - predicted)? {
            self.qualities.fade(arm, kept, now_s)?;
        }
        Ok(())
    }

    /// The quality that was predicted of the answer, by the decision or, where that is gone, by what is known now.
    fn predicted<S: AsRef<str>>(
        &self,
        catalog: &Catalog,
        (outcome, arm): (&Outcome<S>, usize),
        task: &Task<'_>,
        now_s: f64,
    ) -> Result<f64, Error> {
        match outcome.predicted_quality {
            Some(predicted) => Ok(predicted),
            None => Ok(self.believe(catalog, task, now_s)?.each[arm].quality.mean),
        }
    }

    /// What is known of a floor, deployment by deployment, and whether its model was ever graded.
    pub(crate) fn standings(&self, task: &Task<'_>, min_quality: f64) -> Vec<(Standing, bool)> {
        let slice = task.slice();
        let standing = |arm| {
            let is_graded = self.qualities.is_known(arm);
            (self.floors.standing(slice, arm, min_quality), is_graded)
        };
        (0..self.speeds.len()).map(standing).collect()
    }

    /// Every floor that is certified or broken, as JSON.
    pub(crate) fn floors_json(&self, catalog: &Catalog) -> Vec<u8> {
        self.floors.to_json(catalog)
    }

    /// Refuses a caller's vector that cannot be compared to those learned from.
    fn check(&self, task: &Task<'_>) -> Result<(), Error> {
        let n_given = task.vector.map_or(0, FeatureVector::n_given);
        if n_given == 0 || self.n_given == 0 || n_given == self.n_given {
            return Ok(());
        }
        let got = format!("{n_given} values");
        let remedy = format!("give {}, as the requests learned from had", self.n_given);
        Err(Error::invalid("vector", got, remedy))
    }

    /// What neighbours are sought by; zeros, which have none, where the task lacks it.
    fn key(&self, task: &Task<'_>) -> Vec<f32> {
        let key = task.vector.and_then(|vector| vector.key(self.n_given));
        key.unwrap_or_else(|| vec![0.0; n_dimensions(self.n_given)])
    }

    /// Seeks neighbours by callers' vectors from the first graded one on; what was sought by before is dropped.
    fn take_vectors(&mut self, task: &Task<'_>) -> Result<(), LearnError> {
        let n_given = task.vector.map_or(0, FeatureVector::n_given);
        if n_given > 0 && self.n_given == 0 {
            self.qualities.set_dimensions(n_dimensions(n_given))?;
            self.n_given = n_given;
        }
        Ok(())
    }

    /// The speed expected of a deployment.
    pub(crate) fn speed(&self, index: usize, now_s: f64) -> Speed {
        self.speeds[index].predict(now_s)
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
fn quality_config(n_given: usize) -> QualityConfig {
    QualityConfig {
        lambda: 60.0,
        ..QualityConfig::new(N_QUALITY_FEATURES, n_dimensions(n_given))
    }
}

/// Length of what neighbours are sought by.
fn n_dimensions(n_given: usize) -> usize {
    if n_given == 0 {
        N_OWN
    } else {
        N_HAND + n_given
    }
}
