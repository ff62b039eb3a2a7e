//! [`LatencyModel`]: how long a deployment will take, from a prior, its past and its last five minutes.
//!
//! Time to first token and speed are kept apart (science.md 2.5): `L = ttft + tokens / speed`, so that a long answer is
//! not mistaken for a queue. Each quantile is a geometric mean, weighted by counts, of prior, past and recent.

use crate::learn_error::{LearnError, within};
use crate::window::RotatingSketch;

/// Values the prior counts for against the past, and both against the last five minutes (chosen: a p95 of fewer is
/// mostly its largest value).
const N_PRIOR: f64 = 20.0;
const N_PAST: f64 = 30.0;
/// Spread of the speed assumed before any was seen: p05 is 60 % of the median (chosen).
const SPEED_P05_SHARE: f64 = 0.6;

/// What is believed of a deployment before anything was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpeedPrior {
    /// Median time to the first token, in milliseconds.
    pub ttft_p50_ms: f64,
    /// 95th percentile of it.
    pub ttft_p95_ms: f64,
    /// Median speed once tokens flow.
    pub tokens_per_s: f64,
}

/// Predicted speed of a deployment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Median time to the first token, in milliseconds.
    pub ttft_p50_ms: f64,
    /// 95th percentile of it.
    pub ttft_p95_ms: f64,
    /// Median speed.
    pub tokens_per_s_p50: f64,
    /// Speed that 95 % of answers exceed.
    pub tokens_per_s_p05: f64,
}

impl Speed {
    /// Median time to the last of `n_tokens`, in milliseconds.
    pub fn p50_ms(&self, n_tokens: f64) -> f64 {
        self.ttft_p50_ms + 1000.0 * n_tokens / self.tokens_per_s_p50
    }

    /// 95th percentile of the time to the last of `n_tokens`, in milliseconds; pessimistic, since both parts are at
    /// their 95th at once.
    pub fn p95_ms(&self, n_tokens: f64) -> f64 {
        self.ttft_p95_ms + 1000.0 * n_tokens / self.tokens_per_s_p05
    }
}

/// Learns the speed of one deployment.
///
/// # Example
///
/// ```
/// use pointsman_core::latency_model::{LatencyModel, SpeedPrior};
///
/// let prior = SpeedPrior { ttft_p50_ms: 400.0, ttft_p95_ms: 900.0, tokens_per_s: 80.0 };
/// let mut model = LatencyModel::new(prior).unwrap();
/// assert!((model.predict(0.0).ttft_p95_ms - 900.0).abs() < 1e-9);
/// for second in 0..200 {
///     model.observe(100.0, Some(160.0), f64::from(second)).unwrap();
/// }
/// let speed = model.predict(200.0);
/// assert!(speed.ttft_p50_ms < 140.0 && speed.tokens_per_s_p50 > 140.0);
/// assert!(speed.p50_ms(80.0) < speed.p95_ms(80.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyModel {
    prior: SpeedPrior,
    ttft_ms: RotatingSketch,
    tokens_per_s: RotatingSketch,
    cached: Speed,
    cached_until_s: f64,
}

impl LatencyModel {
    /// Nothing measured yet.
    ///
    /// # Errors
    ///
    /// A prior that is not above 0 or not finite, or whose p95 is below its p50.
    pub fn new(prior: SpeedPrior) -> Result<Self, LearnError> {
        let remedy = "give a value in [1e-3, 1e9]";
        within("ttft_p50_ms", prior.ttft_p50_ms, 1e-3, 1e9, remedy)?;
        let p95 = prior.ttft_p95_ms;
        within(
            "ttft_p95_ms",
            p95,
            prior.ttft_p50_ms,
            1e9,
            "give at least the p50",
        )?;
        within("tokens_per_s", prior.tokens_per_s, 1e-3, 1e9, remedy)?;
        let cached = Speed {
            ttft_p50_ms: prior.ttft_p50_ms,
            ttft_p95_ms: prior.ttft_p95_ms,
            tokens_per_s_p50: prior.tokens_per_s,
            tokens_per_s_p05: prior.tokens_per_s * SPEED_P05_SHARE,
        };
        Ok(Self {
            prior,
            ttft_ms: RotatingSketch::default(),
            tokens_per_s: RotatingSketch::default(),
            cached,
            cached_until_s: f64::INFINITY,
        })
    }

    /// Learns one answer; the speed is absent when it came in one piece or had too few tokens to tell.
    ///
    /// # Errors
    ///
    /// A value that is negative or not finite; nothing is learned then.
    pub fn observe(
        &mut self,
        ttft_ms: f64,
        tokens_per_s: Option<f64>,
        now_s: f64,
    ) -> Result<(), LearnError> {
        let remedy = "give a value in [0, 1e9]";
        within("ttft_ms", ttft_ms, 0.0, 1e9, remedy)?;
        within(
            "tokens_per_s",
            tokens_per_s.unwrap_or(1.0),
            0.0,
            1e9,
            remedy,
        )?;
        self.ttft_ms.add(ttft_ms, now_s)?;
        if let Some(speed) = tokens_per_s {
            self.tokens_per_s.add(speed, now_s)?;
        }
        self.refresh(now_s);
        Ok(())
    }

    /// The speed expected now; a field read, unless a window ended since the last outcome.
    pub fn predict(&self, now_s: f64) -> Speed {
        if now_s < self.cached_until_s {
            self.cached
        } else {
            self.compute(now_s)
        }
    }

    /// Brings the cached prediction up to date, e.g. once a minute for a deployment that is idle.
    pub fn refresh(&mut self, now_s: f64) {
        self.cached = self.compute(now_s);
        let (ttft, speed) = (&self.ttft_ms, &self.tokens_per_s);
        self.cached_until_s = ttft.valid_until_s(now_s).min(speed.valid_until_s(now_s));
    }

    fn compute(&self, now_s: f64) -> Speed {
        let prior = &self.prior;
        let slow = prior.tokens_per_s * SPEED_P05_SHARE;
        Speed {
            ttft_p50_ms: blend(&self.ttft_ms, 0.5, prior.ttft_p50_ms, now_s),
            ttft_p95_ms: blend(&self.ttft_ms, 0.95, prior.ttft_p95_ms, now_s),
            tokens_per_s_p50: blend(&self.tokens_per_s, 0.5, prior.tokens_per_s, now_s),
            tokens_per_s_p05: blend(&self.tokens_per_s, 0.05, slow, now_s),
        }
    }
}

/// Prior, past and recent quantile, by counts, on the logarithmic scale.
fn blend(values: &RotatingSketch, q: f64, prior: f64, now_s: f64) -> f64 {
    let past = values.past();
    let known = mix(prior.ln(), N_PRIOR, past.quantile(q), past.n());
    mix(
        known,
        N_PAST,
        values.recent(q, now_s),
        values.n_recent(now_s),
    )
    .exp()
}

fn mix(ln_known: f64, n_known: f64, seen: Option<f64>, n_seen: f64) -> f64 {
    let Some(seen) = seen else {
        return ln_known;
    };
    (n_known * ln_known + n_seen * seen.max(1e-3).ln()) / (n_known + n_seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> LatencyModel {
        let prior = SpeedPrior {
            ttft_p50_ms: 400.0,
            ttft_p95_ms: 900.0,
            tokens_per_s: 80.0,
        };
        LatencyModel::new(prior).unwrap()
    }

    #[test]
    fn a_stall_is_seen_within_the_window_and_forgotten_after_it() {
        let mut model = model();
        (0..3000).for_each(|second| model.observe(200.0, Some(80.0), f64::from(second)).unwrap());
        (3000..3200).for_each(|second| model.observe(5000.0, None, f64::from(second)).unwrap());
        assert!(model.predict(3200.0).ttft_p95_ms > 3000.0);
        assert!(model.predict(9000.0).ttft_p95_ms < 1000.0);
    }

    #[test]
    fn the_cache_gives_what_computing_gives() {
        let mut model = model();
        for step in 0..500 {
            let now_s = f64::from(step) * 7.0;
            model
                .observe(100.0 + f64::from(step % 90), Some(50.0), now_s)
                .unwrap();
            for later_s in [0.0, 59.0, 200.0, 400.0] {
                let now_s = now_s + later_s;
                assert_eq!(model.predict(now_s), model.compute(now_s));
            }
        }
    }

    #[test]
    fn invalid_values_are_errors_and_change_nothing() {
        let mut model = model();
        let before = model.clone();
        assert!(model.observe(f64::NAN, None, 0.0).is_err());
        assert!(model.observe(1.0, Some(-1.0), 0.0).is_err());
        assert_eq!(model, before);
    }
}
