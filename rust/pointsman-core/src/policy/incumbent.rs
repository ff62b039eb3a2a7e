//! The incumbent rule: what the registry's priors would choose is left only for a deployment proven as good.
//!
//! The best of many noisy estimates is mostly the luckiest. So the choice that the operator's own figures make
//! stays, unless another serves the need better or more cheaply and its lower bound is near the incumbent's
//! (science.md 2.5).

use super::candidate::Candidate;
use super::score::{Need, Weights};

/// What a challenger must pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    /// The need by the priors alone: it finds the incumbent.
    pub(super) prior_need: Need,
    /// How far below the incumbent's a lower bound may lie.
    pub(super) tolerance: f64,
    pub(super) weights: Weights,
}

impl Bar {
    fn prior_worth(&self, candidate: &Candidate) -> f64 {
        self.prior_need.worth_usd(candidate.prior) - self.weights.outlay_usd(candidate)
    }

    /// Where quality has a price, money saved makes up for a lower bound that is further below.
    fn is_passed(&self, challenger: &Candidate, incumbent: &Candidate) -> bool {
        let margin = challenger.quality.lcb - incumbent.quality.lcb + self.tolerance;
        let outlay = |candidate| self.weights.outlay_usd(candidate);
        match self.prior_need {
            Need::Worth { usd } => usd * margin + outlay(incumbent) - outlay(challenger) >= 0.0,
            _ => margin >= 0.0,
        }
    }
}

/// Puts the first of `peers` that passes the bar, or the incumbent, in front; says whether the first did not.
///
/// `peers` are candidates that only the score tells apart, best first.
pub(super) fn defend(peers: &mut [usize], candidates: &[Candidate], bar: Bar) -> bool {
    let of = |index: &usize| &candidates[*index];
    if peers
        .iter()
        .all(|index| of(index).quality.mean == of(index).prior)
    {
        return false;
    }
    let worth = |index: &usize| bar.prior_worth(of(index));
    // The first of equals, as the ranking has broken ties already.
    let by_worth = |a: &&usize, b: &&usize| worth(a).total_cmp(&worth(b));
    let Some(incumbent) = peers.iter().rev().max_by(by_worth).copied() else {
        return false;
    };
    let is_fine = |index: &usize| *index == incumbent || bar.is_passed(of(index), of(&incumbent));
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
            prior,
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
            overage_s: 0.0,
            n_input_tokens: 0,
            n_cached_input_tokens: 0,
            pressure: 0.0,
            load_ms: 0.0,
            score_usd: 0.0,
            propensity: 0.0,
            shortfall: 0.0,
            rejections: 0..0,
            is_certified: false,
        }
    }

    /// The order after the rule, for a need and the tolerance 0.1.
    fn defended_for(prior_need: Need, candidates: &[Candidate]) -> (Vec<usize>, bool) {
        let mut peers: Vec<usize> = (0..candidates.len()).collect();
        let weights = Weights {
            budget_price: 0.0,
            latency_value_usd_per_s: 0.0,
        };
        let bar = Bar {
            prior_need,
            tolerance: 0.1,
            weights,
        };
        let is_kept = defend(&mut peers, candidates, bar);
        (peers, is_kept)
    }

    fn defended(candidates: &[Candidate]) -> (Vec<usize>, bool) {
        defended_for(Need::Floor(0.7), candidates)
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
    fn where_quality_has_a_price_what_is_saved_makes_up_for_a_lower_bound() {
        let incumbent = candidate(0.8, 0.8, 0.02, 0.02);
        let worse = candidate(0.5, 0.6, 0.02, 0.01);
        let pair = [worse, incumbent];
        // A bound 0.2 lower is 0.1 beyond the tolerance: worth 0.01 saved below 0.1 USD a unit of quality.
        assert_eq!(
            defended_for(Need::Worth { usd: 0.09 }, &pair),
            (vec![0, 1], false)
        );
        assert_eq!(
            defended_for(Need::Worth { usd: 0.11 }, &pair),
            (vec![1, 0], true)
        );
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
