//! The incumbent rule: what the registry's priors would choose is left only for a deployment proven as good.
//!
//! The best of many noisy estimates is mostly the luckiest. So the choice that the operator's own figures make
//! stays, unless another serves the need better or more cheaply and its lower bound is near the incumbent's
//! (science.md 2.5).

use super::candidate::Candidate;
use super::choice::USD_PER_MISSING_QUALITY;

/// Puts the first of `peers` that is proven, or the incumbent, in front; says whether the first was not.
///
/// `peers` are candidates that only the score tells apart, best first. `prior_need` is the quality needed by the
/// priors alone, `tolerance` how far below the incumbent's a lower bound may lie.
pub(super) fn defend(
    peers: &mut [usize],
    candidates: &[Candidate],
    prior_need: f64,
    tolerance: f64,
) -> bool {
    let of = |index: &usize| &candidates[*index];
    if peers
        .iter()
        .all(|index| of(index).quality == of(index).prior)
    {
        return false;
    }
    let worth = |index: &usize| {
        let missing = (prior_need - of(index).prior.mean).max(0.0);
        -of(index).cost_usd - USD_PER_MISSING_QUALITY * missing
    };
    // The first of equals, as the ranking has broken ties already.
    let by_worth = |a: &&usize, b: &&usize| worth(a).total_cmp(&worth(b));
    let Some(incumbent) = peers.iter().rev().max_by(by_worth).copied() else {
        return false;
    };
    let bar = of(&incumbent).quality.lcb - tolerance;
    let is_fine = |index: &usize| *index == incumbent || of(index).quality.lcb >= bar;
    let chosen = peers.iter().position(is_fine).unwrap_or(0);
    peers[..=chosen].rotate_right(1);
    chosen != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latency;
    use crate::length::OutputTokens;
    use crate::quality::Quality;

    fn candidate(prior: f64, mean: f64, sd: f64, cost_usd: f64) -> Candidate {
        Candidate {
            quality: Quality::with_sd(mean, sd),
            prior: Quality::with_sd(prior, 0.1),
            cost_usd,
            latency: Latency {
                ttft_p95_ms: 1.0,
                p95_ms: 1.0,
            },
            output_tokens: OutputTokens {
                p50: 1.0,
                p90: 1.0,
                mean: 1.0,
            },
            score_usd: 0.0,
            rejections: 0..0,
        }
    }

    /// The order after the rule, for the need 0.7 and the tolerance 0.1.
    fn defended(candidates: &[Candidate]) -> (Vec<usize>, bool) {
        let mut peers: Vec<usize> = (0..candidates.len()).collect();
        let is_kept = defend(&mut peers, candidates, 0.7, 0.1);
        (peers, is_kept)
    }

    #[test]
    fn a_lucky_cheap_one_does_not_displace_the_incumbent_and_a_proven_one_does() {
        let incumbent = candidate(0.8, 0.8, 0.02, 0.02);
        let lucky = candidate(0.5, 0.9, 0.3, 0.01);
        assert_eq!(defended(&[lucky, incumbent.clone()]), (vec![1, 0], true));
        let proven = candidate(0.5, 0.9, 0.03, 0.01);
        assert_eq!(defended(&[proven, incumbent]), (vec![0, 1], false));
    }

    #[test]
    fn an_incumbent_found_bad_is_left_for_one_known_by_its_prior_alone() {
        let bad = candidate(0.8, 0.3, 0.02, 0.01);
        let other = candidate(0.85, 0.85, 0.1, 0.02);
        assert_eq!(defended(&[other, bad]), (vec![0, 1], false));
    }

    #[test]
    fn without_outcomes_the_ranking_stands() {
        let (a, b) = (
            candidate(0.9, 0.9, 0.1, 0.03),
            candidate(0.8, 0.8, 0.1, 0.01),
        );
        assert_eq!(defended(&[a, b]), (vec![0, 1], false));
    }
}
