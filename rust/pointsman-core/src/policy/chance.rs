//! Exploration: now and then another deployment that meets the need, with a probability that is known exactly.

use super::candidate::Candidate;
use super::explore::{GAMMA_SCALE, draw, gamma, inverse_gap_into};
use crate::learn_error::LearnError;

/// Least probability of a deployment that meets the need (science.md 2.6: .002 to .01).
const MIN_PROPENSITY: f64 = 0.005;

/// What a draw depends on besides the candidates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance {
    pub(crate) seed: u64,
    /// Rewards seen in the request's slice; the more, the less is left to chance.
    pub(crate) n_rewards: f64,
}

/// Draws one of `peers`, puts it first and gives its propensity.
///
/// `peers` are candidates that only the score tells apart, best first. Those that meet the need can be drawn, the
/// dearer the more rarely: the gap is the extra cost as a share of the dearest's.
pub(super) fn explore(
    peers: &mut [usize],
    candidates: &[Candidate],
    need: f64,
    chance: Chance,
) -> Result<f64, LearnError> {
    let meets = |place: &usize| candidates[peers[*place]].quality.mean >= need;
    let places: Vec<usize> = (0..peers.len())
        .filter(|place| *place == 0 || meets(place))
        .collect();
    let costs: Vec<f64> = places
        .iter()
        .map(|place| candidates[peers[*place]].cost_usd)
        .collect();
    let dearest = costs.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut scores: Vec<f64> = costs.iter().map(|cost| -cost / dearest).collect();
    // An incumbent may stand before a cheaper one; it is the best all the same.
    scores[0] = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut propensities = vec![0.0; scores.len()];
    let gamma = gamma(scores.len(), chance.n_rewards, GAMMA_SCALE);
    let least = MIN_PROPENSITY.min(1.0 / scores.len() as f64);
    inverse_gap_into(&scores, gamma, least, &mut propensities)?;
    let drawn = draw(&propensities, chance.seed)?;
    peers[..=places[drawn]].rotate_right(1);
    Ok(propensities[drawn])
}
