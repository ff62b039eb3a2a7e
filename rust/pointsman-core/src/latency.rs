//! How long the answer will take.

use crate::latency_model::Speed;

/// Predicted latency quantiles of one deployment, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// 95th percentile of the time to the first token.
    pub ttft_p95_ms: f64,
    /// 95th percentile of the time to the last token.
    pub p95_ms: f64,
}

impl Latency {
    /// Predicts from a deployment's speed and the 90th percentile of the answer's length.
    ///
    /// The median speed, for a long answer after a slow start is pessimistic enough.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::latency_model::LatencyModel;
    /// use pointsman_core::{Latency, LatencyPrior};
    ///
    /// let prior = LatencyPrior { ttft_p50_ms: 400.0, ttft_p95_ms: 900.0, tokens_per_s: 80.0 };
    /// let speed = LatencyModel::new(prior).unwrap().predict(0.0);
    /// assert_eq!(Latency::predict(&speed, 160.0).p95_ms, 2900.0);
    /// ```
    pub fn predict(speed: &Speed, n_output_tokens_p90: f64) -> Self {
        let ttft_p95_ms = speed.ttft_p95_ms;
        Self {
            ttft_p95_ms,
            p95_ms: ttft_p95_ms + n_output_tokens_p90 * 1000.0 / speed.tokens_per_s,
        }
    }
}
