//! What an outcome tells about a deployment's speed.

use super::outcome::Outcome;
use crate::latency_model::LatencyModel;
use crate::learn_error::LearnError;

/// Answers shorter than this say nothing about tokens per second (chosen: one network packet holds them).
const MIN_TOKENS: u64 = 8;
/// Shortest time, in milliseconds, over which a speed is measured (chosen: below, it is the buffer's speed).
const MIN_SPAN_MS: f64 = 5.0;
/// Fastest speed believed; keeps a buffered answer from counting as infinitely fast.
const MAX_TOKENS_PER_S: f64 = 1e5;

impl LatencyModel {
    /// Learns from a stream both parts, from a whole answer both by one factor, from a failure only that it was slow.
    pub(super) fn learn<S>(&mut self, outcome: &Outcome<S>, now_s: f64) -> Result<(), LearnError> {
        let Some(latency_ms) = outcome.latency_ms else {
            return Ok(());
        };
        let n_tokens = outcome.n_output_tokens.unwrap_or(0);
        match outcome.ttft_ms {
            // A refusal at once says nothing; a time-out says that the first token takes at least as long.
            _ if outcome.is_error => {
                if latency_ms > self.predict(now_s).ttft_p95_ms {
                    self.observe(latency_ms, None, now_s)?;
                }
                Ok(())
            }
            Some(ttft_ms) => self.observe(ttft_ms, speed(n_tokens, latency_ms - ttft_ms), now_s),
            None => self.learn_whole(n_tokens, latency_ms, now_s),
        }
    }

    /// Only the sum of both parts is known, so both are taken to deviate by the same factor.
    fn learn_whole(
        &mut self,
        n_tokens: u64,
        latency_ms: f64,
        now_s: f64,
    ) -> Result<(), LearnError> {
        let expected = self.predict(now_s);
        let factor = latency_ms / expected.p50_ms(n_tokens as f64);
        let speed = expected.tokens_per_s / factor.max(1e-6);
        let speed = (n_tokens >= MIN_TOKENS).then_some(speed.min(MAX_TOKENS_PER_S));
        // Without tokens the two are equal but for rounding.
        let ttft_ms = (expected.ttft_p50_ms * factor).min(latency_ms);
        self.observe(ttft_ms, speed, now_s)
    }
}

/// Tokens per second after the first, if there is enough to tell.
fn speed(n_tokens: u64, span_ms: f64) -> Option<f64> {
    if n_tokens < MIN_TOKENS || span_ms < MIN_SPAN_MS {
        return None;
    }
    Some(((n_tokens - 1) as f64 * 1000.0 / span_ms).min(MAX_TOKENS_PER_S))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::catalog::LatencyPrior;
    use crate::profile::{Complexity, Domain, Structure};

    fn model() -> LatencyModel {
        let prior = LatencyPrior {
            ttft_p50_ms: 400.0,
            ttft_p95_ms: 900.0,
            tokens_per_s: 80.0,
        };
        LatencyModel::new(prior).unwrap()
    }

    fn outcome(latency_ms: f64, ttft_ms: Option<f64>, is_error: bool) -> Outcome<&'static str> {
        Outcome {
            n_output_tokens: Some(80),
            latency_ms: Some(latency_ms),
            ttft_ms,
            is_error,
            ..Outcome::new("m@p", Domain::General, Complexity::Lookup, Structure::Text)
        }
    }

    fn after(outcome: &Outcome<&str>) -> LatencyModel {
        let mut model = model();
        (0..500).for_each(|second| model.learn(outcome, f64::from(second)).unwrap());
        model
    }

    #[test]
    fn a_whole_answer_moves_the_total_to_what_was_seen() {
        for total_ms in [200.0, 1400.0, 14_000.0] {
            let speed = after(&outcome(total_ms, None, false)).predict(500.0);
            assert!(
                (speed.p50_ms(80.0) / total_ms - 1.0).abs() < 0.3,
                "{total_ms} {speed:?}"
            );
        }
    }

    #[test]
    fn a_stream_tells_both_parts() {
        let speed = after(&outcome(2100.0, Some(100.0), false)).predict(500.0);
        assert!(speed.ttft_p50_ms < 130.0);
        assert!((speed.tokens_per_s / 39.5 - 1.0).abs() < 0.2, "{speed:?}");
    }

    #[test]
    fn a_failure_counts_only_when_it_was_slow() {
        assert_eq!(after(&outcome(5.0, None, true)), model());
        assert!(
            after(&outcome(30_000.0, None, true))
                .predict(500.0)
                .ttft_p95_ms
                > 5_000.0
        );
    }
}
