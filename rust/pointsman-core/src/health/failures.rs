//! [`Failures`]: how often calls fail, the last ones counting most.

/// Seconds after which a call counts for 1/e of a fresh one (chosen: an outage of a minute is forgotten in five).
const TAU_S: f64 = 60.0;
/// Calls that are remembered: each new one takes 1/64 from those before it.
const WINDOW: f64 = 64.0;
/// Successes believed before any call was seen (chosen: one failure says 1/3, not 1).
const N_PRIOR: f64 = 2.0;
/// The standard normal deviate of a two-sided 95 % interval.
const Z: f64 = 1.96;

/// Calls and failures, faded by age; failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Failures {
    n: f64,
    n_failed: f64,
    at_s: f64,
    pub(super) n_consecutive: u32,
}

impl Failures {
    pub(super) fn observe(&mut self, is_failure: bool, now_s: f64) {
        let fade = self.fade(now_s) * (1.0 - 1.0 / WINDOW);
        let failed = f64::from(u8::from(is_failure));
        self.n = self.n * fade + 1.0;
        self.n_failed = self.n_failed * fade + failed;
        self.at_s = self.at_s.max(now_s);
        self.n_consecutive = if is_failure {
            self.n_consecutive.saturating_add(1)
        } else {
            0
        };
    }

    /// What a probe that was answered leaves: nothing held against it.
    pub(super) fn forgive(&mut self) {
        *self = Self::default();
    }

    /// Whether no failure is remembered.
    pub(super) fn is_none(&self) -> bool {
        self.n_failed == 0.0
    }

    /// Calls seen, faded by age.
    pub(super) fn n_calls(&self, now_s: f64) -> f64 {
        self.n * self.fade(now_s)
    }

    /// Share of failures, in [0, 1), shrunk to 0 while few calls were seen lately.
    pub(super) fn rate(&self, now_s: f64) -> f64 {
        let fade = self.fade(now_s);
        self.n_failed * fade / (self.n * fade + N_PRIOR)
    }

    /// Lower bound of the share of failures, at 95 %.
    pub(super) fn rate_lcb(&self) -> f64 {
        wilson_lower(self.n_failed, self.n)
    }

    fn fade(&self, now_s: f64) -> f64 {
        (-(now_s - self.at_s).max(0.0) / TAU_S).exp()
    }
}

/// Lower end of Wilson's 95 % interval of a share (Wilson 1927); 0 without a trial.
fn wilson_lower(n_hits: f64, n: f64) -> f64 {
    if n <= 0.0 {
        return 0.0;
    }
    let p = n_hits / n;
    let z2 = Z * Z;
    let centre = p + z2 / (2.0 * n);
    let width = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).max(0.0).sqrt();
    ((centre - width) / (1.0 + z2 / n)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_bound_is_wilsons() {
        // Published example: 15 of 20 gives [0.531, 0.888].
        assert!((wilson_lower(15.0, 20.0) - 0.531).abs() < 1e-3);
        assert!((wilson_lower(8.0, 10.0) - 0.490).abs() < 1e-3);
        assert!(wilson_lower(0.0, 20.0) == 0.0 && wilson_lower(0.0, 0.0) == 0.0);
    }

    #[test]
    fn failures_fade_with_time_and_with_successes() {
        let mut failures = Failures::default();
        (0..10).for_each(|_| failures.observe(true, 0.0));
        assert!(failures.rate(0.0) > 0.8 && failures.n_consecutive == 10);
        assert!(failures.rate(300.0) < 0.05, "{}", failures.rate(300.0));
        (0..200).for_each(|_| failures.observe(false, 1.0));
        assert!(failures.rate(1.0) < 0.05 && failures.n_consecutive == 0);
    }
}
