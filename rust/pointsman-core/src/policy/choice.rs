//! The choice among the feasible: the best of the ranking, unless an incumbent is defended or another explored.

use super::assurance::Assurance;
use super::candidate::Candidate;
use super::chance::{self, Chance};
use super::feasible::Rejection;
use super::incumbent::{self, Bar};
use super::limits::Limits;
use super::order::Order;
use super::score::Need;
use super::spread;
use crate::catalog::Catalog;
use crate::learn_error::LearnError;
use crate::profile::TaskProfile;

/// The ranked feasible deployments with the reason for the first.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// Indices of deployments, best first; never empty.
    pub(crate) ranking: Vec<usize>,
    /// Quality that makes the first the right choice.
    pub(crate) need: f64,
    pub(crate) reason: String,
}

/// Scores and ranks the feasible candidates, and writes their propensities; `None` if there is none.
///
/// `assurances` are empty without a floor.
pub(crate) fn choose(
    catalog: &Catalog,
    profile: &TaskProfile,
    limits: &Limits,
    rejections: &[Rejection],
    assurances: &[Assurance],
    candidates: &mut [Candidate],
    chance: Chance,
) -> Result<Option<Choice>, LearnError> {
    let mut ranking = Vec::with_capacity(candidates.len());
    ranking.extend((0..candidates.len()).filter(|index| candidates[*index].is_feasible()));
    let explores = limits.explores && !ranking.is_empty();
    let wait = wait(candidates, rejections, &mut ranking);
    let quality = |candidate: &Candidate| candidate.quality.mean;
    let Some(best) = best(candidates, &ranking, quality) else {
        return Ok(None);
    };
    let complexity = profile.complexity.label;
    let floor = floor(catalog, profile, limits, candidates);
    let need = Need::new(limits.dial, floor, best, complexity);
    for index in &ranking {
        let candidate = &mut candidates[*index];
        candidate.score_usd = need.worth_of(candidate) - limits.weights.outlay_usd(candidate);
    }
    let order = Order::new(catalog, limits, candidates);
    order.sort(&mut ranking);
    let mut reason = order.reason(&ranking, need, profile);
    let mut propensities = Vec::new();
    // Whoever sorts has chosen already.
    if limits.sort.is_none() {
        let tolerance = limits.dial.tolerance(complexity, best);
        let prior_best = self::best(candidates, order.peers(&mut ranking), |one| one.prior);
        let prior_need = Need::new(limits.dial, floor, prior_best.unwrap_or(0.0), complexity);
        let bar = Bar {
            prior_need,
            tolerance,
            weights: limits.weights,
        };
        // Where quality has a price, to explore is to try challengers: no incumbent is kept then.
        if !(explores && matches!(need, Need::Worth { .. })) {
            order.defend(&mut ranking, bar, &mut reason);
        }
        propensities = if explores {
            order.explore(&mut ranking, need, chance, &mut reason)?
        } else {
            order.spread(&mut ranking, need, chance.seed, &mut reason)
        };
    }
    if let Some(wait) = wait {
        reason = format!("{wait}; then: {reason}");
    }
    if let Some(assurance) = assurances.get(ranking[0]) {
        reason.push_str(&assurance.grounds(candidates[ranking[0]].quality));
    }
    let need = sufficient(need, floor, candidates, &ranking);
    candidates[ranking[0]].propensity = 1.0;
    for (index, propensity) in propensities {
        candidates[index].propensity = propensity;
    }
    if !limits.allow_fallbacks && limits.order.is_empty() {
        ranking.truncate(1);
    }
    Ok(Some(Choice {
        ranking,
        need,
        reason,
    }))
}

/// Where nobody is feasible now: ranks those that only their health keeps away, and says until when.
fn wait(
    candidates: &[Candidate],
    rejections: &[Rejection],
    ranking: &mut Vec<usize>,
) -> Option<String> {
    if !ranking.is_empty() {
        return None;
    }
    let of = |index: usize| candidates[index].rejected_by(rejections);
    let will_return = |index: &usize| of(*index).iter().all(Rejection::is_passing);
    ranking.extend((0..candidates.len()).filter(will_return));
    if ranking.is_empty() {
        return None;
    }
    let ends = ranking
        .iter()
        .filter_map(|index| of(*index).first()?.ends_in_s);
    let when = ends.min_by(f64::total_cmp).map_or_else(
        || "when a call under way ends".to_owned(),
        |ends_in_s| format!("in {ends_in_s:.1} s"),
    );
    Some(format!(
        "none of {} is available, the first is {when}",
        ranking.len()
    ))
}

/// The best quality of these candidates, if there are any.
fn best(
    candidates: &[Candidate],
    indices: &[usize],
    quality: impl Fn(&Candidate) -> f64,
) -> Option<f64> {
    let qualities = indices.iter().map(|index| quality(&candidates[*index]));
    qualities.max_by(f64::total_cmp)
}

/// The caller's floor: the higher, if there are two.
pub(crate) fn floor(
    catalog: &Catalog,
    profile: &TaskProfile,
    limits: &Limits,
    candidates: &[Candidate],
) -> Option<f64> {
    let like = limits.floor_like(catalog, profile, candidates);
    limits
        .min_quality
        .into_iter()
        .chain(like)
        .max_by(f64::total_cmp)
}

/// The quality the first must have to be the right choice: the need, or where it would score as the next best does.
fn sufficient(need: Need, floor: Option<f64>, candidates: &[Candidate], ranking: &[usize]) -> f64 {
    let floor = floor.unwrap_or(0.0);
    let Need::Worth { usd } = need else {
        return need.value().max(floor);
    };
    let first = &candidates[ranking[0]];
    let others = ranking[1..]
        .iter()
        .map(|index| candidates[*index].score_usd);
    let next = others.fold(f64::NEG_INFINITY, f64::max);
    let lead = (first.score_usd - next) / usd.max(f64::MIN_POSITIVE);
    (first.quality.mean - lead).clamp(floor, 1.0)
}

impl Order<'_> {
    /// Keeps the incumbent first where nothing better is proven, and says so in the reason.
    fn defend(&self, ranking: &mut [usize], bar: Bar, reason: &mut String) {
        let challenger = ranking[0];
        if incumbent::defend(self.peers(ranking), self.candidates, bar) {
            let name = &self.catalog.deployments()[challenger].name;
            *reason = format!(
                "incumbent; {} is not proven within {:.2} of its quality",
                name.escape_default(),
                bar.tolerance
            );
        }
    }

    /// Lets the siblings of the first share its load, and says so in the reason.
    fn spread(
        &self,
        ranking: &mut [usize],
        need: Need,
        seed: u64,
        reason: &mut String,
    ) -> Vec<(usize, f64)> {
        let deployments = self.catalog.deployments();
        let first = ranking[0];
        let is_sibling = |index: usize| {
            deployments[index].model == deployments[first].model
                && self.candidates[index].quality.mean >= need.value()
        };
        let peers = self.peers(ranking);
        let weights = self.limits.weights;
        let propensities = spread::spread(peers, self.candidates, weights, seed, is_sibling);
        if ranking[0] != first {
            let name = &deployments[first].name;
            reason.push_str("; shares the load of ");
            reason.extend(name.escape_default());
        }
        propensities
    }

    /// Draws the first, and says so in the reason if that is another; gives the propensities.
    fn explore(
        &self,
        ranking: &mut [usize],
        need: Need,
        chance: Chance,
        reason: &mut String,
    ) -> Result<Vec<(usize, f64)>, LearnError> {
        let best = ranking[0];
        let peers = self.peers(ranking);
        let weights = self.limits.weights;
        let propensities = chance::explore(peers, self.candidates, need, weights, chance)?;
        let drawn = propensities.iter().find(|(index, _)| *index == ranking[0]);
        if let Some((_, propensity)) = drawn.filter(|(index, _)| *index != best) {
            let name = &self.catalog.deployments()[best].name;
            *reason = format!(
                "explored with probability {propensity:.4} instead of {}",
                name.escape_default()
            );
        }
        Ok(propensities)
    }
}
