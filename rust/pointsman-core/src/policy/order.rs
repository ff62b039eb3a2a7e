//! The order of the ranking: preferences, then score, then tie-breaks.

use std::cmp::Ordering;

use super::candidate::Candidate;
use super::limits::Limits;
use crate::catalog::Catalog;
use crate::request::SortBy;

/// The order of the ranking.
pub(super) struct Order<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) limits: &'a Limits,
    pub(super) candidates: &'a [Candidate],
}

impl Order<'_> {
    /// The head of the ranking that the caller's preferences do not tell apart.
    pub(super) fn peers<'a>(&self, ranking: &'a mut [usize]) -> &'a mut [usize] {
        let first = ranking[0];
        let is_peer = |index: &&usize| self.by_preference(**index, first).is_eq();
        let n_peers = ranking.iter().take_while(is_peer).count();
        &mut ranking[..n_peers]
    }

    /// Preferences, then score, then the tie-breaks; total, since names are unique.
    pub(super) fn compare(&self, a: usize, b: usize) -> Ordering {
        self.by_preference(a, b)
            .then_with(|| self.by_worth(a, b))
            .then_with(|| self.by_tie_break(a, b).0)
    }

    /// The caller's order of models, then of providers; what is not listed comes last.
    pub(super) fn by_preference(&self, a: usize, b: usize) -> Ordering {
        self.preference(a).cmp(&self.preference(b))
    }

    fn preference(&self, index: usize) -> (usize, usize) {
        let place = |list: &[usize], wanted: usize| {
            list.iter()
                .position(|one| *one == wanted)
                .unwrap_or(list.len())
        };
        let deployment = &self.catalog.deployments()[index];
        let models = self.limits.allowed_models.as_deref().unwrap_or_default();
        (
            place(models, deployment.model),
            place(&self.limits.order, deployment.provider),
        )
    }

    pub(super) fn by_worth(&self, a: usize, b: usize) -> Ordering {
        let (x, y) = (&self.candidates[a], &self.candidates[b]);
        let speed = |index: usize| self.catalog.deployments()[index].latency.tokens_per_s;
        match self.limits.sort {
            None => y.score_usd.total_cmp(&x.score_usd),
            Some(SortBy::Price) => x.cost_usd.total_cmp(&y.cost_usd),
            Some(SortBy::Latency) => x.latency.ttft_p95_ms.total_cmp(&y.latency.ttft_p95_ms),
            Some(SortBy::Throughput) => speed(b).total_cmp(&speed(a)),
        }
    }

    /// Quality, then latency, then name; and which of them decided.
    pub(super) fn by_tie_break(&self, a: usize, b: usize) -> (Ordering, &'static str) {
        let (x, y) = (&self.candidates[a], &self.candidates[b]);
        let by_quality = y.quality.mean.total_cmp(&x.quality.mean);
        if by_quality.is_ne() {
            return (by_quality, "quality");
        }
        let by_latency = x.latency.p95_ms.total_cmp(&y.latency.p95_ms);
        if by_latency.is_ne() {
            return (by_latency, "latency");
        }
        let deployments = self.catalog.deployments();
        (deployments[a].name.cmp(&deployments[b].name), "name")
    }
}
