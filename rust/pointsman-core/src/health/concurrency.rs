//! [`Concurrency`]: how many calls a deployment takes at once before they queue: Gradient2 on time to first token.
//!
//! Netflix's `concurrency-limits` (`Gradient2Limit`), as science.md 1.7 and 2.11 state it. Time to first token and not
//! the whole latency, so that long answers do not look like a queue.

use super::settings::HealthSettings;

/// How much longer than usual a first token may take before it counts as queueing.
pub(super) const TOLERANCE: f64 = 1.5;
/// Calls that may queue at the deployment, so that the limit can grow.
const QUEUE: f64 = 4.0;
/// Share of the way to the new limit that each value goes.
const SMOOTHING: f64 = 0.2;
/// Values of which the usual time is the exponential mean; the plain mean of the first ten.
const WINDOW: f64 = 600.0;
const WARM_UP: u32 = 10;

/// What a long time counts for while many calls are under way: it may be our own queue, which is not to become usual.
/// (Gradient2 counts it in full, and under a load that never ends its limit grows for ever: see the test.)
const QUEUED_WEIGHT: f64 = 0.02;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Concurrency {
    pub(super) limit: f64,
    usual_ms: f64,
    n: u32,
}

impl Concurrency {
    pub(super) fn new(settings: &HealthSettings) -> Self {
        Self {
            limit: settings.initial_concurrency,
            usual_ms: 0.0,
            n: 0,
        }
    }

    /// Takes other settings: the limit starts anew if nothing was learned, and is kept within the new bounds.
    pub(super) fn configure(&mut self, settings: &HealthSettings) {
        let limit = if self.n == 0 {
            settings.initial_concurrency
        } else {
            self.limit
        };
        self.limit = limit.clamp(settings.min_concurrency, settings.max_concurrency);
    }

    /// Usual time to first token, milliseconds; `None`: none was seen.
    pub(super) fn usual_ms(&self) -> Option<f64> {
        (self.n > 0).then_some(self.usual_ms)
    }

    /// Learns a time to first token, seen with so many calls under way.
    pub(super) fn observe(&mut self, ttft_ms: f64, n_pending: u32, settings: &HealthSettings) {
        let ttft_ms = ttft_ms.max(1e-3);
        let is_busy = f64::from(n_pending) >= self.limit / 2.0;
        self.learn_usual(ttft_ms, is_busy);
        if self.usual_ms / ttft_ms > 2.0 {
            // Long ago it was slow: what is usual follows faster than the mean would.
            self.usual_ms *= 0.95;
        }
        if !is_busy {
            return; // Too few to tell what it takes.
        }
        let gradient = (TOLERANCE * self.usual_ms / ttft_ms).clamp(0.5, 1.0);
        self.approach(self.limit * gradient + QUEUE, settings);
    }

    /// The provider refused a call: it takes fewer than that.
    pub(super) fn refused(&mut self, n_pending: u32, settings: &HealthSettings) {
        let taken = f64::from(n_pending).min(self.limit);
        self.limit = (0.9 * taken)
            .max(self.limit / 2.0)
            .max(settings.min_concurrency);
    }

    fn learn_usual(&mut self, ttft_ms: f64, is_busy: bool) {
        self.n = self.n.saturating_add(1);
        let weight = if self.n <= WARM_UP {
            1.0 / f64::from(self.n)
        } else if is_busy && ttft_ms > TOLERANCE * self.usual_ms {
            QUEUED_WEIGHT * 2.0 / (WINDOW + 1.0)
        } else {
            2.0 / (WINDOW + 1.0)
        };
        self.usual_ms += weight * (ttft_ms - self.usual_ms);
    }

    fn approach(&mut self, limit: f64, settings: &HealthSettings) {
        let limit = (1.0 - SMOOTHING) * self.limit + SMOOTHING * limit;
        self.limit = limit.clamp(settings.min_concurrency, settings.max_concurrency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> HealthSettings {
        HealthSettings {
            initial_concurrency: 20.0,
            ..HealthSettings::default()
        }
    }

    /// A server that answers `capacity` calls at once in 100 ms; the others wait their turn.
    fn settled_limit(capacity: f64) -> f64 {
        let settings = settings();
        let mut concurrency = Concurrency::new(&settings);
        for _ in 0..5000 {
            let n_pending = concurrency.limit.floor();
            let ttft_ms = 100.0 * (n_pending / capacity).max(1.0);
            concurrency.observe(ttft_ms, n_pending as u32, &settings);
        }
        concurrency.limit
    }

    #[test]
    fn the_limit_finds_what_the_server_takes() {
        for capacity in [10.0, 50.0, 200.0] {
            let limit = settled_limit(capacity);
            assert!(
                (capacity..5.0 * capacity).contains(&limit),
                "{capacity}: {limit}"
            );
        }
    }

    #[test]
    fn long_queues_shrink_it_and_few_calls_leave_it() {
        let settings = settings();
        let mut concurrency = Concurrency::new(&settings);
        (0..50).for_each(|_| concurrency.observe(100.0, 20, &settings));
        let grown = concurrency.limit;
        assert!(grown > 40.0 || concurrency.limit >= 20.0);
        (0..20).for_each(|_| concurrency.observe(1000.0, 100, &settings));
        assert!(concurrency.limit < grown, "{} {grown}", concurrency.limit);
        let before = concurrency.limit;
        concurrency.observe(9000.0, 1, &settings);
        assert!((concurrency.limit - before).abs() < 1e-12);
    }
}
