//! Power of two choices among the deployments of one model (Mitzenmacher 2001; science.md 2.5, 2.11).
//!
//! Those that would be chosen if they were idle share the load: of two drawn at random the one with less of
//! `outlay x peak-EWMA x (calls under way + 1)` takes the request. Whoever is too dear to compete gets nothing, and
//! when the first is idle and well the ranking stands.

use super::candidate::Candidate;
use super::score::Weights;
use crate::splitmix::uniform;

/// Place in the seed's stream; exploration takes the first.
const COUNTER: u64 = 2;

/// Puts one of the first's siblings in its place, at random where more than two compete; gives their propensities.
///
/// `peers` are candidates that only the score tells apart, best first; `is_sibling` says who may stand in for the first.
pub(super) fn spread(
    peers: &mut [usize],
    candidates: &[Candidate],
    weights: Weights,
    seed: u64,
    is_sibling: impl Fn(usize) -> bool,
) -> Vec<(usize, f64)> {
    let first = &candidates[peers[0]];
    if first.pressure == 0.0 {
        return Vec::new();
    }
    let idle_usd =
        |index: usize| candidates[index].score_usd + weights.strain_usd(&candidates[index]);
    let competes = |index: usize| is_sibling(index) && idle_usd(index) >= first.score_usd;
    let mut places: Vec<usize> = (0..peers.len())
        .filter(|place| *place == 0 || competes(peers[*place]))
        .collect();
    let n = places.len();
    if n < 2 {
        return Vec::new();
    }
    let load = |place: &usize| load(&candidates[peers[*place]], weights);
    places.sort_by(|a, b| load(a).total_cmp(&load(b)));
    let drawn = better_of_two(n, seed);
    let share = |rank: usize| 2.0 * (n - 1 - rank) as f64 / (n * (n - 1)) as f64;
    let indices = places.iter().map(|place| peers[*place]);
    let each = indices
        .enumerate()
        .map(|(rank, index)| (index, share(rank)))
        .collect();
    peers[..=places[drawn]].rotate_right(1);
    each
}

/// Price times expected wait, both with what strains them.
fn load(candidate: &Candidate, weights: Weights) -> f64 {
    weights.outlay_usd(candidate).max(f64::MIN_POSITIVE) * candidate.load_ms
}

/// The lower of two different ranks below `n`, drawn evenly.
fn better_of_two(n: usize, seed: u64) -> usize {
    let draw = |counter, n: usize| ((uniform(seed, counter) * n as f64) as usize).min(n - 1);
    let one = draw(COUNTER, n);
    let other = draw(COUNTER + 1, n - 1);
    one.min(if other >= one { other + 1 } else { other })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_as_frequent_as_their_propensities() {
        let n = 5;
        let mut counts = vec![0.0; n];
        (0..100_000).for_each(|seed| counts[better_of_two(n, seed)] += 1e-5);
        for (rank, count) in counts.iter().enumerate() {
            let share = 2.0 * (n - 1 - rank) as f64 / (n * (n - 1)) as f64;
            assert!((count - share).abs() < 0.006, "{rank}: {count} {share}");
        }
    }
}
