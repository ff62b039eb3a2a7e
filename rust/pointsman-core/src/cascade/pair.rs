//! [`Pair`]: how much two models' answers are right and wrong together.

/// Odds ratio before any joint outcome: what is hard for one is hard for the other. Chosen.
const PRIOR_LOG_ODDS_RATIO: f64 = 1.4;
/// Its inverse variance; a standard deviation of 0.7.
const PRIOR_PRECISION: f64 = 2.0;
const LARGEST: f64 = 5.0;
const LEAST_P: f64 = 1e-3;

/// Dependence of two models' correctness given what is predicted of each: a log odds ratio, learned.
///
/// With the ratio and the two predicted qualities the joint table is Plackett's (1965), so that `P(y2 | y1)` agrees
/// with the prediction of this very request and not with an average one.
///
/// # Example
///
/// ```
/// use pointsman_core::cascade::Pair;
///
/// let mut pair = Pair::default();
/// (0..2_000).for_each(|i| pair.observe((0.5, 0.8), (f64::from(i % 2), f64::from(u8::from(i % 5 > 0)))));
/// let (after_good, after_bad) = pair.given(0.5, 0.8);
/// assert!((0.5 * after_good + 0.5 * after_bad - 0.8).abs() < 1e-6);
/// assert!((after_good - after_bad).abs() < 0.1, "these were independent");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    pub(super) log_odds_ratio: f64,
    pub(super) precision: f64,
}

impl Default for Pair {
    fn default() -> Self {
        Self {
            log_odds_ratio: PRIOR_LOG_ODDS_RATIO,
            precision: PRIOR_PRECISION,
        }
    }
}

impl Pair {
    /// As saved; cut to what can be learned.
    pub(super) fn of_state(log_odds_ratio: f64, precision: f64) -> Self {
        Self {
            log_odds_ratio: log_odds_ratio.clamp(-LARGEST, LARGEST),
            precision: precision.max(PRIOR_PRECISION),
        }
    }

    /// Probability that the second is right, given that the first is, and given that it is not.
    ///
    /// Qualities are cut to [0.001, 0.999].
    pub fn given(&self, first: f64, second: f64) -> (f64, f64) {
        let (first, second) = (cut(first), cut(second));
        let both = both(first, second, self.log_odds_ratio);
        (
            (both / first).clamp(0.0, 1.0),
            ((second - both) / (1.0 - first)).clamp(0.0, 1.0),
        )
    }

    /// Learns from one request that both answered: predicted qualities and grades, each in [0, 1].
    ///
    /// A Newton step on the covariance of the residuals, whose expectation is that of the table.
    pub fn observe(&mut self, predicted: (f64, f64), rewards: (f64, f64)) {
        let (first, second) = (cut(predicted.0), cut(predicted.1));
        let seen = (rewards.0 - first) * (rewards.1 - second);
        if seen.is_nan() {
            return;
        }
        let expected = both(first, second, self.log_odds_ratio) - first * second;
        self.precision += first * (1.0 - first) * second * (1.0 - second);
        let step = (seen - expected) / self.precision;
        self.log_odds_ratio = (self.log_odds_ratio + step).clamp(-LARGEST, LARGEST);
    }
}

fn cut(p: f64) -> f64 {
    if p.is_nan() {
        0.5
    } else {
        p.clamp(LEAST_P, 1.0 - LEAST_P)
    }
}

/// Plackett's probability that both are right.
fn both(first: f64, second: f64, log_odds_ratio: f64) -> f64 {
    let ratio = log_odds_ratio.exp();
    if (ratio - 1.0).abs() < 1e-6 {
        return first * second;
    }
    let sum = 1.0 + (first + second) * (ratio - 1.0);
    let root = (sum * sum - 4.0 * ratio * (ratio - 1.0) * first * second)
        .max(0.0)
        .sqrt();
    (sum - root) / (2.0 * (ratio - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::explore::uniform;

    #[test]
    fn the_odds_ratio_of_the_world_is_learned_across_differing_qualities() {
        for truth in [-1.0, 0.0, 1.5, 3.0] {
            let mut pair = Pair::default();
            for i in 0..20_000 {
                let (first, second) = (0.3 + 0.5 * uniform(1, i), 0.5 + 0.4 * uniform(2, i));
                let p = both(first, second, truth);
                let a = uniform(3, i) < first;
                let p_second = if a {
                    p / first
                } else {
                    (second - p) / (1.0 - first)
                };
                let b = uniform(4, i) < p_second;
                pair.observe(
                    (first, second),
                    (f64::from(u8::from(a)), f64::from(u8::from(b))),
                );
            }
            assert!(
                (pair.log_odds_ratio - truth).abs() < 0.25,
                "{truth}: {pair:?}"
            );
        }
    }

    #[test]
    fn the_table_keeps_its_margins() {
        for log_odds_ratio in [-3.0, 0.0, 1e-7, 2.0, 5.0] {
            let pair = Pair {
                log_odds_ratio,
                ..Pair::default()
            };
            for (first, second) in [(0.1, 0.9), (0.5, 0.5), (0.999, 0.2), (0.7, 0.8)] {
                let (good, bad) = pair.given(first, second);
                assert!((first * good + (1.0 - first) * bad - second).abs() < 1e-6);
            }
        }
    }
}
