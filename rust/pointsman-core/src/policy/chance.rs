//! Exploration: now and then another deployment that meets the need, with a probability that is known exactly.

use super::candidate::Candidate;
use super::explore::{GAMMA_SCALE, OPTIMISM, draw, gamma, inverse_gap_into};
use super::score::{Need, Weights};
use crate::learn_error::LearnError;

/// Gaps beyond this are as good as infinite.
const MAX_GAP: f64 = 1e12;

/// What a draw depends on besides the candidates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance {
    pub(crate) seed: u64,
    /// Least probability of a deployment that may be drawn; at most an even share of one.
    pub(crate) min_propensity: f64,
    /// Rewards seen in the request's slice; the more, the less is left to chance.
    pub(crate) n_rewards: f64,
}

/// Draws one of `peers`, puts it first, and gives the propensity of each that could be drawn.
///
/// `peers` are candidates that only the score tells apart, best first. Those that meet the need can be drawn, the
/// lower their score the more rarely.
pub(super) fn explore(
    peers: &mut [usize],
    candidates: &[Candidate],
    need: Need,
    weights: Weights,
    chance: Chance,
) -> Result<Vec<(usize, f64)>, LearnError> {
    let is_assured = |place: usize| candidates[peers[place]].is_assured();
    let meets = |place: &usize| {
        let is_enough = candidates[peers[*place]].quality.mean >= need.value();
        // With a floor nothing is tried that is trusted less than the first.
        is_enough && (is_assured(*place) || !is_assured(0))
    };
    let places: Vec<usize> = (0..peers.len())
        .filter(|place| *place == 0 || meets(place))
        .collect();
    let arms: Vec<&Candidate> = places
        .iter()
        .map(|place| &candidates[peers[*place]])
        .collect();
    let scores = unit_scores(&arms, need, weights);
    let mut propensities = vec![0.0; scores.len()];
    let gamma = gamma(scores.len(), chance.n_rewards, GAMMA_SCALE);
    let least = chance.min_propensity.min(1.0 / scores.len() as f64);
    inverse_gap_into(&scores, gamma, least, &mut propensities)?;
    let drawn = draw(&propensities, chance.seed)?;
    let indices = places.iter().map(|place| peers[*place]);
    let each = indices.zip(propensities).collect();
    peers[..=places[drawn]].rotate_right(1);
    Ok(each)
}

/// Least value of quality that gaps are measured by, US dollars; without one every dearer deployment is far off.
const MIN_UNIT_USD: f64 = 1e-12;

/// Optimistic scores in units of quality; or, where more quality is worth nothing, in shares of the dearest's outlay,
/// with the first, cheapest or incumbent, as the best.
fn unit_scores(arms: &[&Candidate], need: Need, weights: Weights) -> Vec<f64> {
    let outlays = arms.iter().map(|arm| weights.outlay_usd(arm));
    let mut scores: Vec<f64> = if let Need::Worth { usd } = need {
        let optimistic = |arm: &&Candidate| arm.score_usd + usd * OPTIMISM * arm.quality.sd;
        let unit_usd = usd.max(MIN_UNIT_USD);
        arms.iter().map(|arm| optimistic(arm) / unit_usd).collect()
    } else {
        let dearest = outlays.clone().fold(f64::MIN_POSITIVE, f64::max);
        outlays.map(|outlay| -outlay / dearest).collect()
    };
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !matches!(need, Need::Worth { .. }) {
        scores[0] = best;
    }
    scores
        .iter_mut()
        .for_each(|score| *score = (*score - best).max(-MAX_GAP));
    scores
}
