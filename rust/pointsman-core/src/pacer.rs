//! [`Pacer`]: the price of a dollar that makes a budget last (science.md 2.10).
//!
//! Per settled request: `ema <- ema + alpha (cost - ema)`, `ln(1 + price) += eta (ema / B_t - 1)`, kept in
//! `[0, ln(1 + MAX_PRICE)]`. The step is on the logarithm of what multiplies a cost: with `ParetoBandit`'s step on the
//! price itself one `eta` does not serve costs that are 530 times apart, and the mean misses a budget by up to 0.6 %
//! instead of 0.2 % (`tests/quality_simulation/pacing.rs` has it as a twin). On the logarithm the mean error over
//! `n` requests is at most the change of it over `eta n`, wherever the budget binds.

use crate::learn_error::{LearnError, within};

/// Share of the newest cost in the moving average (science.md 2.10).
const ALPHA: f64 = 0.05;
/// Step of the logarithm of the price for a relative error of 1 (science.md 2.10).
const ETA: f64 = 0.05;
/// Largest price; more than any ratio of costs.
const MAX_PRICE: f64 = 1e9;
/// An average beyond this many targets counts as this many, so that one request does not close the purse for hours.
const MAX_RATIO: f64 = 50.0;
/// Longest window: ten years.
const MAX_WINDOW_S: f64 = 3.2e8;

/// What may be spent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// So much a request on average.
    PerRequest {
        /// US dollars, in (0, 1e9].
        usd: f64,
    },
    /// So much in every window of time; windows follow each other from the first request on.
    Window {
        /// US dollars, in (0, 1e9].
        usd: f64,
        /// Seconds, in (0, 3.2e8].
        window_s: f64,
    },
}

/// Finds the budget price: how much more than itself a dollar must weigh so that spending meets a budget.
///
/// # Example
///
/// ```
/// use pointsman_core::pacer::{Budget, Pacer};
///
/// let mut pacer = Pacer::new(Budget::PerRequest { usd: 0.01 }).unwrap();
/// assert_eq!(pacer.price(), 0.0);
/// (0..100).try_for_each(|second| pacer.observe(0.02, f64::from(second))).unwrap();
/// assert!(pacer.price() > 1.0);
/// (0..1000).try_for_each(|second| pacer.observe(0.001, f64::from(second))).unwrap();
/// assert_eq!(pacer.price(), 0.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pacer {
    budget: Budget,
    average_usd: Option<f64>,
    ln_price: f64,
    window: Window,
}

/// What was spent in the current window of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Window {
    start_s: Option<f64>,
    spent_usd: f64,
    n: f64,
    n_before: Option<f64>,
}

impl Pacer {
    /// A pacer that has seen no cost: its price is 0.
    ///
    /// # Errors
    ///
    /// A budget or a window that is not above 0, not finite or too large.
    pub fn new(budget: Budget) -> Result<Self, LearnError> {
        let (Budget::PerRequest { usd } | Budget::Window { usd, .. }) = budget;
        within(
            "usd",
            usd,
            f64::MIN_POSITIVE,
            1e9,
            "give dollars in (0, 1e9]",
        )?;
        if let Budget::Window { window_s, .. } = budget {
            let remedy = "give seconds in (0, 3.2e8]";
            within(
                "window_s",
                window_s,
                f64::MIN_POSITIVE,
                MAX_WINDOW_S,
                remedy,
            )?;
        }
        Ok(Self {
            budget,
            average_usd: None,
            ln_price: 0.0,
            window: Window::default(),
        })
    }

    /// The budget price, in `[0, 1e9]`: a cost counts `1 + price` times.
    pub fn price(&self) -> f64 {
        self.ln_price.exp_m1().clamp(0.0, MAX_PRICE)
    }

    /// Learns what a request cost, when it is settled.
    ///
    /// # Errors
    ///
    /// A cost outside `[0, 1e9]` or a time that is not finite; nothing is learned then.
    pub fn observe(&mut self, cost_usd: f64, now_s: f64) -> Result<(), LearnError> {
        within("cost_usd", cost_usd, 0.0, 1e9, "give dollars in [0, 1e9]")?;
        within("now_s", now_s, 0.0, 1e12, "give Unix time in seconds")?;
        let average_usd = self
            .average_usd
            .map_or(cost_usd, |average| average + ALPHA * (cost_usd - average));
        self.average_usd = Some(average_usd);
        let target_usd = match self.budget {
            Budget::PerRequest { usd } => usd,
            Budget::Window { usd, window_s } => {
                self.window.target_usd(cost_usd, usd, window_s, now_s)
            }
        };
        let ratio = (average_usd / target_usd).min(MAX_RATIO);
        self.ln_price = (self.ln_price + ETA * (ratio - 1.0)).clamp(0.0, MAX_PRICE.ln_1p());
        Ok(())
    }
}

impl Window {
    /// What is left for each request that may still come in the window, after one that cost `cost_usd`.
    fn target_usd(&mut self, cost_usd: f64, usd: f64, window_s: f64, now_s: f64) -> f64 {
        let start_s = *self.start_s.get_or_insert(now_s);
        let n_windows = ((now_s - start_s) / window_s).floor();
        let is_next = n_windows == 1.0;
        if n_windows >= 1.0 {
            *self = Self {
                start_s: Some(start_s + n_windows * window_s),
                n_before: Some(if is_next { self.n } else { 0.0 }),
                ..Self::default()
            };
        }
        self.spent_usd += cost_usd;
        self.n += 1.0;
        let elapsed = self
            .start_s
            .map_or(0.0, |start_s| (now_s - start_s) / window_s);
        let elapsed = elapsed.clamp(0.0, 1.0);
        let n_left = self.rate(elapsed) * (1.0 - elapsed);
        ((usd - self.spent_usd) / n_left.max(1.0)).max(usd * 1e-9)
    }

    /// Requests a window: a count over the last full window's length, as far back as is known.
    fn rate(&self, elapsed: f64) -> f64 {
        match self.n_before {
            Some(before) => self.n + before * (1.0 - elapsed),
            None if elapsed > 0.0 => self.n / elapsed,
            None => self.n,
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn invalid_values_are_errors_and_change_nothing() {
        for usd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Pacer::new(Budget::PerRequest { usd }).is_err());
            assert!(
                Pacer::new(Budget::Window {
                    usd: 1.0,
                    window_s: usd
                })
                .is_err()
            );
        }
        let mut pacer = Pacer::new(Budget::PerRequest { usd: 1.0 }).unwrap();
        let before = pacer.clone();
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(pacer.observe(bad, 1.0).is_err() && pacer.observe(1.0, bad).is_err());
        }
        assert_eq!(pacer, before);
    }

    #[test]
    fn the_price_is_bounded_and_comes_back() {
        let mut pacer = Pacer::new(Budget::PerRequest { usd: 1e-9 }).unwrap();
        (0..1000).for_each(|_| pacer.observe(1e9, 0.0).unwrap());
        assert!((pacer.price() - MAX_PRICE).abs() < 1e-3 * MAX_PRICE);
        (0..2000).for_each(|_| pacer.observe(0.0, 0.0).unwrap());
        assert_eq!(pacer.price(), 0.0);
    }

    #[test]
    fn a_window_is_spent_evenly_and_a_spent_one_raises_the_price() {
        let budget = Budget::Window {
            usd: 100.0,
            window_s: 1000.0,
        };
        let spend = |cost_usd: f64| {
            let mut pacer = Pacer::new(budget).unwrap();
            (0..1000).for_each(|second| pacer.observe(cost_usd, f64::from(second)).unwrap());
            pacer.price()
        };
        assert_eq!(spend(0.09), 0.0);
        assert!(spend(0.12) > 1.0);
    }
}
