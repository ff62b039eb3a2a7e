//! [`Monitor`]: whether what is served still fails as rarely as promised, answer by answer.

use super::grader::Grader;
use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};

/// Bets whose wealths are averaged (science.md 2.7); none may risk more than [`MAX_STAKE`].
pub const BETS: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];
/// Sum of the e-detector at which it alarms: a false alarm comes once in at least as many answers.
pub const DETECTOR_ALARM: f64 = 1e4;
/// Largest share of its wealth that a bet risks on one answer.
const MAX_STAKE: f64 = 0.9;
/// Beyond every alarm, so that no sum overflows and saved numbers stay small.
const MAX_WEALTH: f64 = 1e12;

/// What a monitor found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The e-process: of all that was served, more than `alpha` fails, with confidence `1 - delta`.
    Risk,
    /// The e-detector: lately more than `alpha` fails.
    Change,
}

impl Alarm {
    /// The alarm in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Alarm::Risk => "risk",
            Alarm::Change => "change",
        }
    }
}

/// An e-process and an e-detector over the losses of served answers; both are valid at any time they are looked at.
///
/// # Example
///
/// ```
/// use pointsman_core::floor::Monitor;
///
/// let mut monitor = Monitor::new(0.1, 0.05).unwrap();
/// let failing = (0..200).position(|_| monitor.observe(1.0).unwrap().is_some());
/// assert!(failing.unwrap() < 10);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    alpha: f64,
    delta: f64,
    wealth: [f64; BETS.len()],
    detector: [f64; BETS.len()],
    n: u64,
}

impl Monitor {
    /// A monitor that has seen nothing.
    ///
    /// # Errors
    ///
    /// `alpha` or `delta` outside `(0, 1)`.
    pub fn new(alpha: f64, delta: f64) -> Result<Self, LearnError> {
        let remedy = "give a share above 0 and below 1";
        within("alpha", alpha, 1e-9, 1.0 - 1e-9, remedy)?;
        within("delta", delta, 1e-9, 1.0 - 1e-9, remedy)?;
        Ok(Self {
            alpha,
            delta,
            wealth: [1.0; BETS.len()],
            detector: [0.0; BETS.len()],
            n: 0,
        })
    }

    /// Takes the loss of one answer, in `[0, 1]`, of all that are served.
    ///
    /// `E_t = mean_b prod(1 + b (loss - alpha))` alarms at `1 / delta`, `M_t = (M_{t-1} + 1)(1 + b (loss - alpha))`,
    /// averaged over bets `b`, at [`DETECTOR_ALARM`].
    ///
    /// # Errors
    ///
    /// A loss outside `[0, 1]`; nothing changes then.
    pub fn observe(&mut self, loss: f64) -> Result<Option<Alarm>, LearnError> {
        self.weigh(loss, 1.0, Grader::EXACT)
    }

    /// The same of an answer that was drawn to be graded, by a grader that may err.
    ///
    /// `weight` is what its probability of being drawn makes of it, in `(0, 1]`: the least probability of any over its
    /// own. Bets are scaled by it, so that answers count by how often they are served and not by how often they are
    /// graded; it must not depend on the loss.
    ///
    /// # Errors
    ///
    /// A loss outside `[0, 1]`, a weight outside `(0, 1]`; nothing changes then.
    pub fn weigh(
        &mut self,
        loss: f64,
        weight: f64,
        grader: Grader,
    ) -> Result<Option<Alarm>, LearnError> {
        within("loss", loss, 0.0, 1.0, "give a loss in [0, 1]")?;
        within("weight", weight, 1e-9, 1.0, "give a weight in (0, 1]")?;
        self.n += 1;
        let level = grader.level(self.alpha);
        let surplus = loss - level;
        let sums = self.wealth.iter_mut().zip(&mut self.detector);
        for (bet, (wealth, sum)) in BETS.iter().zip(sums) {
            let factor = 1.0 + weight * bet.min(MAX_STAKE / level) * surplus;
            *wealth = (*wealth * factor).min(MAX_WEALTH);
            *sum = ((*sum + 1.0) * factor).min(MAX_WEALTH);
        }
        Ok(self.alarm())
    }

    /// What it has found by now.
    pub fn alarm(&self) -> Option<Alarm> {
        if self.wealth() >= 1.0 / self.delta {
            return Some(Alarm::Risk);
        }
        (mean(&self.detector) >= DETECTOR_ALARM).then_some(Alarm::Change)
    }

    /// The e-value against "at most `alpha` fails": the larger, the more is wrong.
    pub fn wealth(&self) -> f64 {
        mean(&self.wealth)
    }

    /// Answers seen.
    pub fn n(&self) -> u64 {
        self.n
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.u64(self.n);
        writer.f64s(&self.wealth);
        writer.f64s(&self.detector);
    }

    pub(crate) fn load(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        self.n = reader.u64()?;
        for place in [&mut self.wealth, &mut self.detector] {
            let saved = reader.f64s(BETS.len())?;
            for (value, saved) in place.iter_mut().zip(saved) {
                *value = within("wealth", saved, 0.0, MAX_WEALTH, "restore a backup")?;
            }
        }
        Ok(())
    }
}

fn mean(values: &[f64; BETS.len()]) -> f64 {
    values.iter().sum::<f64>() / BETS.len() as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_loss_can_bankrupt_a_bet_at_any_level() {
        for alpha in [0.001, 0.1, 0.3, 0.5, 0.99] {
            let mut monitor = Monitor::new(alpha, 0.05).unwrap();
            (0..50).for_each(|_| assert_eq!(monitor.observe(0.0).unwrap(), None));
            assert!(
                monitor.wealth.iter().all(|wealth| *wealth > 0.0),
                "{monitor:?}"
            );
        }
    }

    #[test]
    fn a_loss_out_of_range_changes_nothing() {
        let mut monitor = Monitor::new(0.1, 0.05).unwrap();
        let before = monitor.clone();
        assert!(monitor.observe(1.5).is_err() && monitor.observe(f64::NAN).is_err());
        assert_eq!(monitor, before);
    }
}
