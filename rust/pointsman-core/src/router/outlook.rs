//! [`Outlook`]: one request with what is predicted of every deployment, before any is chosen.

use std::sync::RwLock;

use super::{Table, facts, lock, read};
use crate::classify::classify;
use crate::error::{Error, ErrorKind};
use crate::features::Features;
use crate::learned::{FeatureVector, Task};
use crate::policy::{self, Assurance, Candidate, Chance, Choice, Limits, Rejection};
use crate::profile::TaskProfile;
use crate::request::Request;
use crate::session::{Chain, Sessions};

/// All that a choice is made on.
pub(super) struct Outlook {
    pub(super) profile: TaskProfile,
    pub(super) vector: FeatureVector,
    pub(super) limits: Limits,
    pub(super) candidates: Vec<Candidate>,
    pub(super) rejections: Vec<Rejection>,
    /// Of each candidate; none without a floor of quality.
    pub(super) assurances: Vec<Assurance>,
    pub(super) chain: Option<Chain>,
    n_rewards: f64,
}

impl Outlook {
    /// Reads the request and predicts; infeasible candidates have their reasons.
    pub(super) fn new<S: AsRef<str>>(
        table: &Table,
        request: &Request<S>,
        limits: Limits,
        sessions: &RwLock<Sessions>,
        now_s: f64,
    ) -> Result<Self, Error> {
        let catalog = &table.catalog;
        let features = Features::extract(request);
        let profile = classify(&features, &facts(request));
        let vector = FeatureVector::new(&features, request.vector.as_deref())?;
        let task_name = limits.task.as_deref();
        let task = Task::new(&profile, task_name, features.foreign_share(), &vector);
        let mut beliefs = table.believe(&task, now_s)?;
        let chain = Chain::of(request);
        if let Some(chain) = &chain {
            beliefs.warm_up(catalog, read(sessions).warmth(chain, now_s));
        }
        let mut candidates = policy::predict(catalog, &limits, &beliefs.each);
        let assure = |min_quality| {
            let known = read(&table.learned).standings(&task, min_quality);
            policy::assure(&mut candidates, min_quality, known.into_iter())
        };
        let assurances = limits.min_quality.map_or_else(Vec::new, assure);
        let conditions = lock(&table.health)
            .conditions(|index| candidates[index].n_tokens(limits.n_choices), now_s);
        let rejections = policy::reject(
            catalog,
            &profile,
            features.needs,
            &limits,
            conditions.as_deref(),
            &mut candidates,
        );
        Ok(Self {
            profile,
            vector,
            limits,
            candidates,
            rejections,
            assurances,
            chain,
            n_rewards: beliefs.n_rewards,
        })
    }

    /// Scores the candidates and chooses; `None` if none is feasible.
    pub(super) fn choose(&mut self, table: &Table, seed: u64) -> Result<Option<Choice>, Error> {
        let chance = Chance {
            seed,
            min_propensity: self.limits.min_propensity,
            n_rewards: self.n_rewards,
        };
        Ok(policy::choose(
            &table.catalog,
            &self.profile,
            &self.limits,
            &self.rejections,
            &self.assurances,
            &mut self.candidates,
            chance,
        )?)
    }
}

/// The request's limits; no message is an error.
pub(super) fn resolve<S: AsRef<str>>(table: &Table, request: &Request<S>) -> Result<Limits, Error> {
    if request.conversation.is_empty() {
        return Err(ErrorKind::EmptyConversation.into());
    }
    Limits::resolve(&table.catalog, request)
}
