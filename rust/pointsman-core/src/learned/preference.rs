//! Preferences: what one answer being liked better than another teaches.

use super::outcome::{MAX_WEIGHT, within};
use super::task::Task;
use super::{Learned, Outcome, check_time, registry_prior};
use crate::catalog::{Catalog, Deployment};
use crate::error::Error;
use crate::quality::Context;

/// One of the two, as the estimator takes it.
struct Side {
    arm: usize,
    slice: u64,
    n_elsewhere: f64,
    priors: Vec<f64>,
    features: Vec<f32>,
    key: Vec<f32>,
}

impl Side {
    fn context(&self) -> Context<'_> {
        Context {
            slice: self.slice,
            n_elsewhere: self.n_elsewhere,
            priors: &self.priors,
            features: &self.features,
            vector: &self.key,
        }
    }
}

impl Learned {
    /// Learns which of two answers was preferred; nothing, if any of it is refused.
    pub(crate) fn prefer<S: AsRef<str>>(
        &mut self,
        catalog: &Catalog,
        chosen: &Outcome<S>,
        rejected: &Outcome<S>,
        weight: f64,
        now_s: f64,
    ) -> Result<(), Error> {
        check_time(now_s)?;
        within(
            "weight",
            Some(weight),
            MAX_WEIGHT,
            "give a weight in [0, 100]",
        )?;
        let chosen = self.side(catalog, chosen)?;
        let rejected = self.side(catalog, rejected)?;
        let (won, lost) = (chosen.context(), rejected.context());
        let (won, lost) = ((&won, chosen.arm), (&lost, rejected.arm));
        Ok(self.qualities.prefer(won, lost, weight, now_s)?)
    }

    fn side<S: AsRef<str>>(&self, catalog: &Catalog, outcome: &Outcome<S>) -> Result<Side, Error> {
        let arm = catalog.deployment_index(outcome.deployment.as_ref())?;
        let task: Task<'_> = outcome.task();
        self.check(&task)?;
        let prior = |deployment: &Deployment| registry_prior(catalog, deployment, &task).mean;
        Ok(Side {
            arm,
            slice: task.slice(),
            n_elsewhere: task.n_elsewhere(),
            priors: catalog.deployments().iter().map(prior).collect(),
            features: task.quality_features().to_vec(),
            key: self.key(&task),
        })
    }
}
