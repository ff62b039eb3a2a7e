//! [`Breaker`]: closed, open for a while, then half-open: one call at a time may prove that all is well.

use super::settings::HealthSettings;
use crate::splitmix::uniform;

/// Seconds of peace after which the next ejection is as short as the first (chosen).
const FORGET_S: f64 = 300.0;
/// Share by which an ejection may last longer, so that not all that failed together return together.
const JITTER: f64 = 0.25;
/// Seconds after which a probe that never ended is given up, and another may start.
const PROBE_S: f64 = 120.0;

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Calls go through.
    Closed,
    /// No call goes through until its time is over.
    Open,
    /// One call at a time goes through, to find out.
    HalfOpen,
}

impl Phase {
    /// The phase in JSON, logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Closed => "closed",
            Phase::Open => "open",
            Phase::HalfOpen => "half_open",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Breaker {
    is_open: bool,
    open_until_s: f64,
    probe_until_s: f64,
    closed_at_s: f64,
    /// Ejections in a row, without peace between them.
    pub(super) n_ejections: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            is_open: false,
            open_until_s: f64::NEG_INFINITY,
            probe_until_s: f64::NEG_INFINITY,
            closed_at_s: f64::NEG_INFINITY,
            n_ejections: 0,
        }
    }
}

impl Breaker {
    pub(super) fn phase(&self, now_s: f64) -> Phase {
        match self.is_open {
            false => Phase::Closed,
            true if now_s < self.open_until_s => Phase::Open,
            true => Phase::HalfOpen,
        }
    }

    /// Whether a call that began then says nothing of the time since the last probe was answered.
    pub(super) fn is_past(&self, began_s: f64) -> bool {
        began_s < self.closed_at_s
    }

    pub(super) fn is_closed(&self) -> bool {
        !self.is_open
    }

    /// Seconds until a call may go through; `None`: one may now, or nobody knows when.
    pub(super) fn ends_in_s(&self, now_s: f64) -> Option<f64> {
        (self.is_open && now_s < self.open_until_s).then_some(self.open_until_s - now_s)
    }

    /// Whether a probe is under way.
    pub(super) fn is_probed(&self, now_s: f64) -> bool {
        now_s < self.probe_until_s
    }

    pub(super) fn start_probe(&mut self, now_s: f64) {
        self.probe_until_s = now_s + PROBE_S;
    }

    /// The probe ended without a verdict: another may start.
    pub(super) fn leave_probe(&mut self) {
        self.probe_until_s = f64::NEG_INFINITY;
    }

    /// `30 s x 2^k` and up to a quarter more; `key` tells the deployments apart.
    pub(super) fn open(&mut self, settings: &HealthSettings, key: u64, now_s: f64) {
        if !self.is_open && now_s - self.closed_at_s > FORGET_S {
            self.n_ejections = 0;
        }
        let doubled = settings.base_ejection_s * f64::from(self.n_ejections.min(30)).exp2();
        let draw = uniform(settings.seed ^ key, u64::from(self.n_ejections));
        let wait_s = doubled.min(settings.max_ejection_s) * (1.0 + JITTER * draw);
        self.n_ejections = self.n_ejections.saturating_add(1);
        self.is_open = true;
        self.open_until_s = now_s + wait_s;
        self.leave_probe();
    }

    pub(super) fn close(&mut self, now_s: f64) {
        self.is_open = false;
        self.closed_at_s = now_s;
        self.leave_probe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ejections_double_to_a_limit_and_start_over_after_peace() {
        let settings = HealthSettings::default();
        let mut breaker = Breaker::default();
        let mut now_s = 0.0;
        for expected_s in [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0] {
            breaker.open(&settings, 7, now_s);
            let wait_s = breaker.ends_in_s(now_s).unwrap();
            assert!(
                (expected_s..=1.25 * expected_s).contains(&wait_s),
                "{wait_s}"
            );
            now_s += wait_s;
            assert_eq!(breaker.phase(now_s), Phase::HalfOpen);
        }
        breaker.close(now_s);
        breaker.open(&settings, 7, now_s + FORGET_S + 1.0);
        assert!(breaker.ends_in_s(now_s + FORGET_S + 1.0).unwrap() < 40.0);
    }

    #[test]
    fn jitter_tells_deployments_and_processes_apart_and_is_drawn_from_the_seed() {
        let wait_s = |seed, key| {
            let mut breaker = Breaker::default();
            let settings = HealthSettings {
                seed,
                ..HealthSettings::default()
            };
            breaker.open(&settings, key, 0.0);
            breaker.ends_in_s(0.0).unwrap().to_bits()
        };
        assert_eq!(wait_s(1, 2), wait_s(1, 2));
        assert!(wait_s(1, 2) != wait_s(1, 3) && wait_s(1, 2) != wait_s(2, 2));
    }
}
