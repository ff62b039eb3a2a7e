//! [`LatencyModel`]: how long a deployment will take, from a prior, its past and its last five minutes.
//!
//! Time to first token and speed are kept apart (science.md 2.5): `L = ttft + tokens / speed`, so that a long answer is
//! not mistaken for a queue. Each quantile is a geometric mean, weighted by counts, of prior, past and recent.

use crate::catalog::LatencyPrior;
use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};
use crate::window::{RotatingSketch, window_start_s};

/// Values the prior counts for against the past, and both against the last five minutes (chosen: a p95 of fewer is
/// mostly its largest value).
const N_PRIOR: f64 = 20.0;
const N_PAST: f64 = 30.0;

/// Predicted speed of a deployment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Median time to the first token, in milliseconds.
    pub ttft_p50_ms: f64,
    /// 95th percentile of it.
    pub ttft_p95_ms: f64,
    /// Median speed once tokens flow.
    pub tokens_per_s: f64,
}

impl Speed {
    /// Median time to the last of `n_tokens`, in milliseconds.
    pub fn p50_ms(&self, n_tokens: f64) -> f64 {
        self.ttft_p50_ms + 1000.0 * n_tokens / self.tokens_per_s
    }
}

/// Learns the speed of one deployment.
///
/// # Example
///
/// ```
/// use pointsman_core::LatencyPrior;
/// use pointsman_core::latency_model::LatencyModel;
///
/// let prior = LatencyPrior { ttft_p50_ms: 400.0, ttft_p95_ms: 900.0, tokens_per_s: 80.0 };
/// let mut model = LatencyModel::new(prior).unwrap();
/// assert!((model.predict(0.0).ttft_p95_ms - 900.0).abs() < 1e-9);
/// for second in 0..200 {
///     model.observe(100.0, Some(160.0), f64::from(second)).unwrap();
/// }
/// let speed = model.predict(200.0);
/// assert!(speed.ttft_p50_ms < 140.0 && speed.tokens_per_s > 140.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyModel {
    prior: LatencyPrior,
    ttft_ms: RotatingSketch,
    tokens_per_s: RotatingSketch,
    cached: Speed,
    cached_from_s: f64,
    cached_until_s: f64,
}

impl LatencyModel {
    /// Nothing measured yet.
    ///
    /// # Errors
    ///
    /// A prior that is not above 0 or not finite, or whose p95 is below its p50.
    pub fn new(prior: LatencyPrior) -> Result<Self, LearnError> {
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
            tokens_per_s: prior.tokens_per_s,
        };
        Ok(Self {
            prior,
            ttft_ms: RotatingSketch::default(),
            tokens_per_s: RotatingSketch::default(),
            cached,
            cached_from_s: f64::NEG_INFINITY,
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

    /// The speed expected at `now_s`; a field read, unless a window ended since the last outcome or refresh.
    pub fn predict(&self, now_s: f64) -> Speed {
        if self.cached_from_s <= now_s && now_s < self.cached_until_s {
            self.cached
        } else {
            self.compute(now_s)
        }
    }

    /// Brings the cached prediction up to date, e.g. once a minute for a deployment that is idle.
    pub fn refresh(&mut self, now_s: f64) {
        self.cached = self.compute(now_s);
        let (ttft, speed) = (&self.ttft_ms, &self.tokens_per_s);
        self.cached_from_s = window_start_s(now_s);
        self.cached_until_s = ttft.valid_until_s(now_s).min(speed.valid_until_s(now_s));
    }

    /// The time from which a prediction costs more than a field read.
    pub(crate) fn fresh_until_s(&self) -> f64 {
        self.cached_until_s
    }

    /// Takes over what another has seen, keeping the prior.
    pub(crate) fn clone_outcomes(&mut self, other: &LatencyModel) {
        self.ttft_ms.clone_from(&other.ttft_ms);
        self.tokens_per_s.clone_from(&other.tokens_per_s);
        if !self.ttft_ms.is_empty() {
            self.refresh(self.ttft_ms.newest_start_s());
        }
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        self.ttft_ms.save(writer);
        self.tokens_per_s.save(writer);
    }

    pub(crate) fn load(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        self.ttft_ms = RotatingSketch::load(reader)?;
        self.tokens_per_s = RotatingSketch::load(reader)?;
        Ok(())
    }

    fn compute(&self, now_s: f64) -> Speed {
        let prior = &self.prior;
        Speed {
            ttft_p50_ms: blend(&self.ttft_ms, 0.5, prior.ttft_p50_ms, now_s),
            ttft_p95_ms: blend(&self.ttft_ms, 0.95, prior.ttft_p95_ms, now_s),
            tokens_per_s: blend(&self.tokens_per_s, 0.5, prior.tokens_per_s, now_s),
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
        let prior = LatencyPrior {
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
