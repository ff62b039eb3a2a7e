//! How well each deployment is now, and whether it may be called: science.md 2.11.
//!
//! A call begins with a [`Ticket`] or a [`Refusal`] and ends with a [`CallEnd`]. What was seen weighs on the score
//! as a pressure, continuously; a breaker, a `retry-after`, a rate limit used up and too many calls at once refuse.
//!
//! Reached through [`Router::begin`](crate::Router::begin), [`Router::end`](crate::Router::end) and
//! [`Router::health`](crate::Router::health).

mod breaker;
mod bucket;
mod call;
mod concurrency;
mod evidence;
mod failures;
mod limits;
mod member;
mod peak;
mod report;
mod settings;
mod usual;
mod verdict;
mod window;

pub use breaker::Phase;
pub use call::{CallEnd, Cause, Refusal, Ticket};
pub use limits::LimitNews;
pub use report::{DeploymentHealth, Headroom};
pub use settings::HealthSettings;

use crate::catalog::{Catalog, Deployment};
use member::Member;

/// What the policy sees of one deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Condition {
    /// How much dearer than its price a call is, >= 0; 0 if idle and well.
    pub(crate) pressure: f64,
    /// Peak-EWMA of its time to first token, milliseconds; 0: none was seen.
    pub(crate) peak_ms: f64,
    /// Calls under way.
    pub(crate) n_pending: u32,
    /// Why it may not be called now.
    pub(crate) refusal: Option<Refusal>,
}

/// The deployments of one catalog, in its order.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    settings: HealthSettings,
    members: Vec<Member>,
}

impl Health {
    pub(crate) fn new(catalog: &Catalog, settings: HealthSettings) -> Self {
        let member = |deployment| Member::new(deployment, &settings);
        Self {
            settings,
            members: catalog.deployments().iter().map(member).collect(),
        }
    }

    /// The same for another catalog: what keeps its name keeps its state.
    pub(crate) fn adapted(&self, catalog: &Catalog) -> Self {
        let member = |deployment: &Deployment| {
            let known = self.members.iter().find(|one| one.key == deployment.key);
            known.map_or_else(
                || Member::new(deployment, &self.settings),
                |known| known.adapted(deployment, &self.settings),
            )
        };
        Self {
            settings: self.settings,
            members: catalog.deployments().iter().map(member).collect(),
        }
    }

    /// Takes other settings; what was seen stays, but for limits of concurrency that were not learned yet.
    pub(crate) fn configure(&mut self, settings: HealthSettings) {
        self.settings = settings;
        for member in &mut self.members {
            member.configure(&settings);
        }
    }

    /// What the policy must know of every deployment, for calls of `n_tokens` of each; `None`: all are idle and well.
    pub(crate) fn conditions(
        &self,
        n_tokens: impl Fn(usize) -> u64,
        now_s: f64,
    ) -> Option<Vec<Condition>> {
        if self.members.iter().all(|member| member.is_quiet(now_s)) {
            return None;
        }
        let condition = |(index, member): (usize, &Member)| {
            if member.is_quiet(now_s) {
                return Condition {
                    peak_ms: member.peak_ms(now_s),
                    ..Condition::default()
                };
            }
            Condition {
                pressure: member.pressure(&self.settings, now_s),
                peak_ms: member.peak_ms(now_s),
                n_pending: member.n_pending,
                refusal: member.refusal(n_tokens(index), &self.settings, now_s),
            }
        };
        Some(self.members.iter().enumerate().map(condition).collect())
    }

    /// Admits a call, and reserves what it will use; or says why not.
    pub(crate) fn begin(
        &mut self,
        index: usize,
        n_tokens: u64,
        now_s: f64,
    ) -> Result<Ticket, Refusal> {
        let member = &mut self.members[index];
        match member.refusal(n_tokens, &self.settings, now_s) {
            Some(refusal) => Err(refusal),
            None => Ok(member.begin(index, n_tokens, &self.settings, now_s)),
        }
    }

    /// Learns the time to first token of a stream under way.
    pub(crate) fn first_token(&mut self, ticket: &Ticket, ttft_ms: f64, now_s: f64) {
        if let Some(index) = self.place(ticket) {
            self.members[index].first_token(ticket, ttft_ms, &self.settings, now_s);
        }
    }

    /// Learns how a call ended; gives the breaker's phase if that changed it.
    pub(crate) fn end(&mut self, ticket: &Ticket, end: &CallEnd, now_s: f64) -> Option<Phase> {
        let index = self.place(ticket)?; // None: swapped away since.
        let settings = self.settings;
        self.members[index].end(ticket, end, &settings, now_s);
        let is_failure = matches!(end, CallEnd::Failed { .. });
        let may_open = is_failure && self.may_eject(index);
        let member = &mut self.members[index];
        if ticket.is_probe && !member.breaker.is_closed() {
            return member.judge_probe(end, &settings, now_s);
        }
        if may_open && member.breaker.is_closed() && member.is_unwell(&settings, now_s) {
            member.breaker.open(&settings, member.key, now_s);
            return Some(Phase::Open);
        }
        None
    }

    /// Learns what headers say of the rate limits.
    pub(crate) fn learn_limits(
        &mut self,
        index: usize,
        requests: &LimitNews,
        tokens: &LimitNews,
        now_s: f64,
    ) {
        self.members[index].learn_limits(requests, tokens, now_s);
    }

    /// The state of every deployment.
    pub(crate) fn report(&self, now_s: f64) -> Vec<DeploymentHealth> {
        let report = |member: &Member| member.report(&self.settings, now_s);
        self.members.iter().map(report).collect()
    }

    /// The ticket's deployment, if it is still in the catalog.
    pub(crate) fn place(&self, ticket: &Ticket) -> Option<usize> {
        let is_it = |member: &Member| member.key == ticket.key;
        if self.members.get(ticket.index).is_some_and(is_it) {
            return Some(ticket.index);
        }
        self.members.iter().position(is_it)
    }

    /// Whether one more of its model's deployments may be ejected.
    fn may_eject(&self, index: usize) -> bool {
        let model = self.members[index].model;
        let siblings = || self.members.iter().filter(|one| one.model == model);
        let n_ejected = siblings().filter(|one| !one.breaker.is_closed()).count();
        let share = self.settings.max_ejected_share * siblings().count() as f64;
        ((n_ejected + 1) as f64) <= share.floor().max(1.0)
    }
}
