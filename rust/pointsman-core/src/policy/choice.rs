//! The choice among the feasible: the cheapest that meets the need, and the sentence that says so.

use std::cmp::Ordering;

use super::candidate::Candidate;
use super::chance::{self, Chance};
use super::incumbent;
use super::limits::Limits;
use crate::catalog::Catalog;
use crate::learn_error::LearnError;
use crate::profile::TaskProfile;
use crate::request::SortBy;

/// What a unit of missing quality costs, in US dollars: more than any request, so quality comes first.
pub(super) const USD_PER_MISSING_QUALITY: f64 = 1000.0;

/// The quality a choice must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    /// Given by the caller.
    Floor(f64),
    /// Derived from the best feasible quality.
    Near { best: f64, tolerance: f64 },
}

impl Need {
    fn value(self) -> f64 {
        match self {
            Need::Floor(floor) => floor,
            Need::Near { best, tolerance } => best - tolerance,
        }
    }
}

/// The ranked feasible deployments with the reason for the first.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// Indices of deployments, best first; never empty.
    pub(crate) ranking: Vec<usize>,
    pub(crate) need: f64,
    pub(crate) reason: String,
    /// Probability with which the first was chosen.
    pub(crate) propensity: f64,
}

/// Scores and ranks the feasible candidates; `None` if there is none.
pub(crate) fn choose(
    catalog: &Catalog,
    profile: &TaskProfile,
    limits: &Limits,
    candidates: &mut [Candidate],
    chance: Chance,
) -> Result<Option<Choice>, LearnError> {
    let mut ranking = Vec::with_capacity(candidates.len());
    ranking.extend((0..candidates.len()).filter(|index| candidates[*index].is_feasible()));
    let Some(need) = need(catalog, profile, limits, candidates, &ranking) else {
        return Ok(None);
    };
    for index in &ranking {
        let candidate = &mut candidates[*index];
        let missing = (need.value() - candidate.quality.mean).max(0.0);
        candidate.score_usd = -candidate.cost_usd - USD_PER_MISSING_QUALITY * missing;
    }
    let order = Order {
        catalog,
        limits,
        candidates,
    };
    ranking.sort_unstable_by(|a, b| order.compare(*a, *b));
    let mut reason = order.reason(&ranking, need, profile);
    let mut propensity = 1.0;
    // Whoever sorts has chosen already.
    if limits.sort.is_none() {
        order.defend(&mut ranking, need, profile, &mut reason);
        if limits.explores {
            propensity = order.explore(&mut ranking, need, chance, &mut reason)?;
        }
    }
    if !limits.allow_fallbacks && limits.order.is_empty() {
        ranking.truncate(1);
    }
    Ok(Some(Choice {
        ranking,
        need: need.value(),
        reason,
        propensity,
    }))
}

/// The caller's floor (the higher, if there are two), or the best feasible quality less the tolerance.
fn need(
    catalog: &Catalog,
    profile: &TaskProfile,
    limits: &Limits,
    candidates: &[Candidate],
    feasible: &[usize],
) -> Option<Need> {
    let best = feasible
        .iter()
        .map(|index| candidates[*index].quality.mean)
        .max_by(f64::total_cmp)?;
    let floor = match (
        limits.min_quality,
        limits.floor_like(catalog, profile, candidates),
    ) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    let tolerance = limits.tolerance[profile.complexity.label as usize];
    Some(floor.map_or(Need::Near { best, tolerance }, Need::Floor))
}

/// The order of the ranking.
struct Order<'a> {
    catalog: &'a Catalog,
    limits: &'a Limits,
    candidates: &'a [Candidate],
}

impl Order<'_> {
    /// Keeps the incumbent first where nothing better is proven, and says so in the reason.
    fn defend(
        &self,
        ranking: &mut [usize],
        need: Need,
        profile: &TaskProfile,
        reason: &mut String,
    ) {
        let challenger = ranking[0];
        let peers = self.peers(ranking);
        let priors = peers.iter().map(|index| self.candidates[*index].prior.mean);
        let best = priors.fold(0.0, f64::max);
        let prior_need = match need {
            Need::Floor(floor) => floor,
            Need::Near { tolerance, .. } => best - tolerance,
        };
        let tolerance = self.limits.tolerance[profile.complexity.label as usize];
        if incumbent::defend(peers, self.candidates, prior_need, tolerance) {
            let name = &self.catalog.deployments()[challenger].name;
            *reason = format!(
                "incumbent; {} is not proven within {tolerance:.2} of its quality",
                name.escape_default()
            );
        }
    }

    /// Draws the first, and says so in the reason if that is another.
    fn explore(
        &self,
        ranking: &mut [usize],
        need: Need,
        chance: Chance,
        reason: &mut String,
    ) -> Result<f64, LearnError> {
        let best = ranking[0];
        let peers = self.peers(ranking);
        let propensity = chance::explore(peers, self.candidates, need.value(), chance)?;
        if ranking[0] != best {
            let name = &self.catalog.deployments()[best].name;
            *reason = format!(
                "explored with probability {propensity:.4} instead of {}",
                name.escape_default()
            );
        }
        Ok(propensity)
    }

    /// The head of the ranking that the caller's preferences do not tell apart.
    fn peers<'a>(&self, ranking: &'a mut [usize]) -> &'a mut [usize] {
        let first = ranking[0];
        let is_peer = |index: &&usize| self.by_preference(**index, first).is_eq();
        let n_peers = ranking.iter().take_while(is_peer).count();
        &mut ranking[..n_peers]
    }

    /// Preferences, then score, then the tie-breaks; total, since names are unique.
    fn compare(&self, a: usize, b: usize) -> Ordering {
        self.by_preference(a, b)
            .then_with(|| self.by_worth(a, b))
            .then_with(|| self.by_tie_break(a, b).0)
    }

    /// The caller's order of models, then of providers; what is not listed comes last.
    fn by_preference(&self, a: usize, b: usize) -> Ordering {
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

    fn by_worth(&self, a: usize, b: usize) -> Ordering {
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
    fn by_tie_break(&self, a: usize, b: usize) -> (Ordering, &'static str) {
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

    /// Why the first of the ranking is first, in one ASCII line.
    fn reason(&self, ranking: &[usize], need: Need, profile: &TaskProfile) -> String {
        let first = ranking[0];
        if ranking.len() == 1 {
            return format!("only feasible deployment of {}", self.candidates.len());
        }
        let peers: Vec<usize> = ranking
            .iter()
            .copied()
            .filter(|index| self.by_preference(*index, first).is_eq())
            .collect();
        let mut reason = self.preferred(peers.len() < ranking.len());
        reason.push_str(&self.worth(first, &peers, need, profile));
        if let Some(second) = peers
            .get(1)
            .filter(|second| self.by_worth(first, **second).is_eq())
        {
            reason.push_str("; tie broken by ");
            reason.push_str(self.by_tie_break(first, *second).1);
        }
        reason
    }

    fn preferred(&self, has_decided: bool) -> String {
        let by = match (&self.limits.allowed_models, self.limits.order.is_empty()) {
            _ if !has_decided => return String::new(),
            (Some(_), true) => "allowed_models",
            (Some(_), false) => "allowed_models and provider.order",
            (None, _) => "provider.order",
        };
        format!("first by {by}; ")
    }

    fn worth(&self, first: usize, peers: &[usize], need: Need, profile: &TaskProfile) -> String {
        let sorted = |what: &str| format!("{what} of {} feasible (provider.sort)", peers.len());
        match self.limits.sort {
            Some(SortBy::Price) => return sorted("cheapest"),
            Some(SortBy::Latency) => return sorted("shortest time to first token"),
            Some(SortBy::Throughput) => return sorted("most tokens per second"),
            None => {}
        }
        let meets = |index: usize| self.candidates[index].quality.mean >= need.value();
        let n_meeting = peers.iter().filter(|index| meets(**index)).count();
        let complexity = profile.complexity.label.name();
        match need {
            Need::Floor(floor) if n_meeting == 1 => {
                format!("the only one that meets quality floor {floor:.2}")
            }
            Need::Floor(floor) => {
                format!("cheapest of {n_meeting} that meet quality floor {floor:.2}")
            }
            Need::Near { best, .. } if meets(first) && n_meeting == 1 => {
                format!("best quality {best:.2}, and no other is near enough ({complexity})")
            }
            Need::Near { best, tolerance } if meets(first) => format!(
                "cheapest of {n_meeting} deployments within {tolerance:.2} of the best quality {best:.2} ({complexity})"
            ),
            Need::Near { .. } => {
                format!(
                    "nearest of {} to the quality need {:.2} ({complexity})",
                    peers.len(),
                    need.value()
                )
            }
        }
    }
}
