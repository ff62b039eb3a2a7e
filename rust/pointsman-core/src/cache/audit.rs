//! The audit of hits: an e-process that tells when more of them are wrong than was promised.

/// Evidence at which the alarm sounds: by Ville's inequality a process under the promise reaches it with
/// probability at most 1/20, whenever it is looked at.
const ALARM: f64 = 20.0;
/// Bets against the promise, as shares of the largest that cannot lose everything; their wealth is averaged.
const BETS: [f64; 4] = [0.01, 0.05, 0.2, 0.5];

/// The wealth of bets that hits are wrong more often than `target_error` (betting e-process of Waudby-Smith and
/// Ramdas, 2024, equation 22, with a fixed mixture of bets).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Audit {
    pub(super) log_wealth: [f64; BETS.len()],
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            log_wealth: [0.0; BETS.len()],
        }
    }
}

impl Audit {
    /// Takes one graded hit; the e-value, if it now reaches the alarm, after which the audit starts anew.
    ///
    /// Under the promise each factor `1 + bet (wrong - target_error) / target_error` has mean at most 1.
    pub(super) fn observe(&mut self, target_error: f64, is_right: bool) -> Option<f64> {
        let wrong = f64::from(u8::from(!is_right));
        for (wealth, bet) in self.log_wealth.iter_mut().zip(BETS) {
            *wealth += (bet * (wrong - target_error) / target_error).ln_1p();
        }
        let wealth: f64 = self.log_wealth.iter().map(|log| log.exp()).sum();
        let e_value = wealth / BETS.len() as f64;
        if e_value < ALARM {
            return None;
        }
        *self = Self::default();
        Some(e_value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::seeded::Seeded;

    /// Share of runs of 5,000 hits in which an alarm sounds, and the mean hit at which it does.
    fn alarms(error: f64) -> (f64, f64) {
        let mut random = Seeded::new(7);
        let runs: Vec<usize> = (0..400)
            .map(|_| {
                let mut audit = Audit::default();
                (0..5000)
                    .find(|_| audit.observe(0.02, random.uniform() >= error).is_some())
                    .unwrap_or(5000)
            })
            .collect();
        let early: Vec<&usize> = runs.iter().filter(|at| **at < 5000).collect();
        let mean = early.iter().map(|at| **at as f64).sum::<f64>() / early.len().max(1) as f64;
        (early.len() as f64 / 400.0, mean)
    }

    #[test]
    fn a_kept_promise_seldom_alarms_and_a_broken_one_soon_does() {
        let (kept, _) = alarms(0.02);
        assert!(kept <= 0.05 + 0.022, "{kept}");
        let (broken, delay) = alarms(0.10);
        assert!(broken > 0.99 && delay < 150.0, "{broken} {delay}");
    }
}
