//! [`PeakEwma`]: latency that jumps up at once and comes down slowly (Finagle's `PeakEwma`, science.md 1.7).

/// Seconds in which a peak fades to 1/e (science.md 2.11).
const TAU_S: f64 = 10.0;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PeakEwma {
    value_ms: f64,
    at_s: f64,
}

impl PeakEwma {
    pub(super) fn observe(&mut self, latency_ms: f64, now_s: f64) {
        if latency_ms > self.value_ms {
            self.value_ms = latency_ms;
        } else {
            let weight = fade(now_s - self.at_s);
            self.value_ms = weight * self.value_ms + (1.0 - weight) * latency_ms;
        }
        self.at_s = self.at_s.max(now_s);
    }

    /// Takes a latency that only tells how long it took at least.
    pub(super) fn raise(&mut self, latency_ms: f64, now_s: f64) {
        if latency_ms > self.value_ms {
            self.observe(latency_ms, now_s);
        }
    }

    /// The value, not faded: an upper bound; 0: none was seen.
    pub(super) fn peak_ms(&self) -> f64 {
        self.value_ms
    }

    /// The value now: without calls it fades to what is usual.
    pub(super) fn decayed_ms(&self, usual_ms: f64, now_s: f64) -> f64 {
        usual_ms + (self.value_ms - usual_ms) * fade(now_s - self.at_s)
    }
}

fn fade(elapsed_s: f64) -> f64 {
    (-elapsed_s.max(0.0) / TAU_S).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_taken_at_once_and_fades_by_time_and_not_by_calls() {
        let mut latency = PeakEwma::default();
        latency.observe(100.0, 0.0);
        latency.observe(2000.0, 0.0);
        (0..1000).for_each(|_| latency.observe(100.0, 0.0));
        assert!((latency.peak_ms() - 2000.0).abs() < 1e-6);
        latency.observe(100.0, 10.0);
        assert!(
            (latency.peak_ms() - 799.0).abs() < 1.0,
            "{}",
            latency.peak_ms()
        );
        assert!((latency.decayed_ms(100.0, 110.0) - 100.0).abs() < 0.1);
    }
}
