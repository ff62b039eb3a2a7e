//! [`Usual`]: what a deployment's time to first token is usually.

/// Values of which it is the exponential mean; the plain mean of the first ten.
const WINDOW: f64 = 600.0;
const WARM_UP: u32 = 10;
/// What a long time counts for while many calls are under way: it may be our own queue, which is not to become usual.
const QUEUED_WEIGHT: f64 = 0.02;
/// How much longer than usual a first token may take before it is slow (science.md 2.11).
pub(super) const TOLERANCE: f64 = 1.5;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usual {
    ms: f64,
    n: u32,
}

impl Usual {
    /// Milliseconds; `None`: none was seen.
    pub(super) fn ms(&self) -> Option<f64> {
        (self.n > 0).then_some(self.ms)
    }

    pub(super) fn observe(&mut self, ttft_ms: f64, is_busy: bool) {
        let ttft_ms = ttft_ms.max(1e-3);
        self.n = self.n.saturating_add(1);
        let weight = if self.n <= WARM_UP {
            1.0 / f64::from(self.n)
        } else if is_busy && ttft_ms > TOLERANCE * self.ms {
            QUEUED_WEIGHT * 2.0 / (WINDOW + 1.0)
        } else {
            2.0 / (WINDOW + 1.0)
        };
        self.ms += weight * (ttft_ms - self.ms);
        if self.ms / ttft_ms > 2.0 {
            // Long ago it was slow: what is usual follows faster than the mean would.
            self.ms *= 0.95;
        }
    }
}
