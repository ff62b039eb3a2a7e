//! The dial and the score: how quality trades for money (science.md 2.5), in US dollars.
//!
//! `score = worth(quality) - (1 + budget_price) * cost * (1 + pressure) - latency_value * E[(latency - limit)+]`. What a quality is
//! worth is the caller's dial: so much per unit, or nothing above a need and everything below it.

use super::candidate::Candidate;
use crate::profile::Complexity;
use crate::quality::normal_cdf;

/// How far below the best feasible quality a choice may lie by default: lookup, generation, reasoning. Chosen.
const TOLERANCE: [f64; 3] = [0.20, 0.10, 0.02];
/// What a unit of quality missing from a need costs, in US dollars: more than any request, so quality comes first.
const USD_PER_MISSING_QUALITY: f64 = 1000.0;
/// What a unit of quality is worth under a budget price, if the caller does not say (science.md 2.6: the unit of scores).
const QUALITY_VALUE_USD: f64 = 1.0;

/// How quality trades for money: the caller's choice of one of three, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Dial {
    /// Nothing said: the cheapest that meets the floor, or, without one, a tolerance below the best.
    Unset,
    /// The cheapest at most so far below the best feasible quality, by complexity.
    Tolerance([f64; 3]),
    /// The cheapest at most this share below the best feasible quality.
    WithinBest(f64),
    /// The best at so many US dollars for a unit of quality.
    Value(f64),
}

impl Dial {
    /// The dial of a caller who said nothing: none, or a plain value if there is a budget to spend.
    pub(crate) fn default_of(has_budget: bool) -> Self {
        if has_budget {
            Dial::Value(QUALITY_VALUE_USD)
        } else {
            Dial::Unset
        }
    }

    /// What a unit of quality is worth, US dollars, if it has a price.
    pub(crate) fn worth_usd(self) -> Option<f64> {
        match self {
            Dial::Value(usd) => Some(usd),
            Dial::Unset | Dial::Tolerance(_) | Dial::WithinBest(_) => None,
        }
    }

    /// The quality an answer must have where `best` is the best there is; a floor of 0 is none.
    pub(crate) fn need(self, floor: f64, best: f64, complexity: Complexity) -> f64 {
        let given = (floor > 0.0).then_some(floor);
        Need::new(self, given, best, complexity).value().max(floor)
    }

    /// How far below the quality `best` another may lie.
    pub(super) fn tolerance(self, complexity: Complexity, best: f64) -> f64 {
        match self {
            Dial::Tolerance(each) => each[complexity as usize],
            Dial::WithinBest(share) => share * best,
            Dial::Unset | Dial::Value(_) => TOLERANCE[complexity as usize],
        }
    }
}

/// The quality a choice must reach, or what quality is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Need {
    /// Given by the caller.
    Floor(f64),
    /// Derived from the best feasible quality.
    Near { best: f64, tolerance: f64 },
    /// None beyond a floor, which all that are feasible meet: more quality is worth more money.
    Worth { usd: f64 },
}

impl Need {
    /// The need of a dial, where `best` is the best feasible quality and `floor` the caller's.
    pub(super) fn new(dial: Dial, floor: Option<f64>, best: f64, complexity: Complexity) -> Self {
        match (dial, floor) {
            (Dial::Value(usd), _) => Need::Worth { usd },
            (Dial::Unset, Some(floor)) => Need::Floor(floor),
            // All that are feasible reach the floor, so the share below the best is what is left to say.
            (Dial::WithinBest(_) | Dial::Tolerance(_), _) | (Dial::Unset, None) => Need::Near {
                best,
                tolerance: dial.tolerance(complexity, best),
            },
        }
    }

    /// The quality needed; 0 where quality has a price instead.
    pub(super) fn value(self) -> f64 {
        match self {
            Need::Floor(floor) => floor,
            Need::Near { best, tolerance } => best - tolerance,
            Need::Worth { .. } => 0.0,
        }
    }

    /// What a candidate's quality is worth, in US dollars; less than any that can be trusted with the floor, if it cannot.
    pub(super) fn worth_of(self, candidate: &Candidate) -> f64 {
        let quality = match self {
            // A certificate stands for the floor, whatever the mean.
            Need::Floor(floor) if candidate.is_certified => candidate.quality.mean.max(floor),
            _ => candidate.quality.mean,
        };
        self.worth_usd(quality) - USD_PER_MISSING_QUALITY * candidate.shortfall
    }

    /// What a quality is worth, in US dollars.
    pub(super) fn worth_usd(self, quality: f64) -> f64 {
        match self {
            Need::Worth { usd } => usd * quality,
            _ => -USD_PER_MISSING_QUALITY * (self.value() - quality).max(0.0),
        }
    }
}

/// What a dollar and a second weigh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weights {
    /// How much more than itself a dollar weighs, so that a budget lasts; >= 0.
    pub(crate) budget_price: f64,
    /// US dollars a second of latency costs; >= 0.
    pub(crate) latency_value_usd_per_s: f64,
}

impl Weights {
    /// What taking the candidate costs, money and waiting together, in US dollars.
    pub(crate) fn outlay_usd(self, candidate: &Candidate) -> f64 {
        let waiting_usd = self.latency_value_usd_per_s * candidate.overage_s;
        (1.0 + self.budget_price) * candidate.cost_usd + waiting_usd + self.strain_usd(candidate)
    }

    /// What its health adds to the outlay, in US dollars; 0 if it is idle and well.
    pub(super) fn strain_usd(self, candidate: &Candidate) -> f64 {
        let price_usd = (1.0 + self.budget_price) * candidate.cost_usd;
        candidate.pressure * price_usd.max(MIN_STRAINED_USD)
    }
}

/// What a call counts for at least where health weighs, in US dollars, so that those that are free share their load.
const MIN_STRAINED_USD: f64 = 1e-7;

/// The standard normal deviate of the 95th percentile.
const Z_95: f64 = 1.645;

/// Spreads beyond this, a p95 of 140 medians, are an unlucky prior or sketch and not a distribution.
const MAX_SPREAD: f64 = 3.0;

/// `E[(X - limit)+]` of a log-normal `X` of this median and 95th percentile, in its unit; `limit` >= 0.
///
/// The undiscounted price of a call option (Black 1976): `E[X] N(d + s) - limit N(d)` with `d = ln(p50 / limit) / s`.
pub(super) fn overage(p50: f64, p95: f64, limit: f64) -> f64 {
    let p50 = p50.max(1e-9);
    let spread = (p95 / p50).ln().max(0.0) / Z_95;
    let spread = spread.min(MAX_SPREAD);
    let mean = p50 * (0.5 * spread * spread).exp();
    if limit <= 0.0 || spread < 1e-6 {
        return (mean - limit).max(0.0);
    }
    let deviate = (p50 / limit).ln() / spread;
    (mean * normal_cdf(deviate + spread) - limit * normal_cdf(deviate)).max(0.0)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::policy::explore::uniform;

    #[test]
    fn a_share_below_the_best_scales_with_it_and_a_tolerance_does_not() {
        let need = |dial, best| Need::new(dial, None, best, Complexity::Lookup).value();
        assert_eq!(need(Dial::WithinBest(0.5), 0.5), 0.25);
        assert_eq!(need(Dial::Tolerance([0.25, 0.0, 0.0]), 0.5), 0.25);
        assert_eq!(need(Dial::Tolerance([0.25, 0.0, 0.0]), 1.0), 0.75);
    }

    #[test]
    fn a_floor_takes_the_place_of_the_default_and_not_of_a_dial_that_was_set() {
        let need = |dial| Need::new(dial, Some(0.7), 0.9, Complexity::Lookup);
        assert_eq!(need(Dial::default_of(false)), Need::Floor(0.7));
        assert_eq!(need(Dial::default_of(true)), Need::Worth { usd: 1.0 });
        assert_eq!(need(Dial::WithinBest(0.0)).value(), 0.9);
        assert_eq!(need(Dial::Tolerance([0.05, 0.0, 0.0])).value(), 0.9 - 0.05);
    }

    #[test]
    fn the_expected_overage_is_that_of_many_draws() {
        let (p50, p95) = (800.0_f64, 2400.0_f64);
        let spread = (p95 / p50).ln() / Z_95;
        let draw = |i: u32| {
            let (a, b) = (
                uniform(3, u64::from(2 * i)),
                uniform(3, u64::from(2 * i + 1)),
            );
            let normal = (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos();
            p50 * (spread * normal).exp()
        };
        for limit in [0.0, 500.0, 1000.0, 3000.0] {
            let n = 200_000;
            let drawn = (0..n).map(|i| (draw(i) - limit).max(0.0)).sum::<f64>() / f64::from(n);
            let expected = overage(p50, p95, limit);
            assert!(
                (expected - drawn).abs() < 8.0,
                "{limit}: {expected} {drawn}"
            );
        }
        assert_eq!(overage(100.0, 100.0, 60.0), 40.0);
        assert_eq!(overage(100.0, 100.0, 160.0), 0.0);
    }
}
