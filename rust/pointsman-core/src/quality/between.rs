//! [`Between`]: how much true qualities differ from their slices' means, learned from predictions made beforehand.
//!
//! A deviation predicted before its outcome is the true one plus an error that knows nothing of the outcome, so
//! `E[(predicted - slice) (reward - slice)]` is the variance of the true one, however noisy the prediction is. Pooled
//! over requests: from the handful of arms of one request it is mostly noise.

use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;

/// Variance before any outcome, worth [`N_PRIOR`] of them: deviations of a tenth (chosen).
const PRIOR: f64 = 0.01;
const N_PRIOR: f64 = 50.0;
/// Share of the sums kept per outcome: about the last 5,000 count.
const KEPT: f64 = 1.0 - 2e-4;

/// The running mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Between {
    n: f64,
    sum: f64,
}

impl Between {
    pub(crate) fn observe(&mut self, predicted: f64, seen: f64, weight: f64) {
        self.n = KEPT * self.n + weight;
        self.sum = KEPT * self.sum + weight * predicted * seen;
    }

    /// The variance, not below 0.
    pub(crate) fn variance(&self) -> f64 {
        ((N_PRIOR * PRIOR + self.sum) / (N_PRIOR + self.n)).max(0.0)
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64(self.n);
        writer.f64(self.sum);
    }

    pub(crate) fn load(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        self.n = reader.amount()?;
        self.sum = reader.f64()?;
        if self.sum.abs() > self.n {
            return Err(LearnError::state("deviations beyond 1"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::uniform;

    #[test]
    fn the_variance_is_that_of_the_truth_and_not_of_the_predictions() {
        let mut between = Between::default();
        for seed in 0..20_000 {
            let draw = |index| uniform(seed, index) - 0.5;
            let (truth, noise) = (0.4 * draw(0), draw(1));
            let reward = f64::from(u8::from(uniform(seed, 2) < 0.6 + truth));
            between.observe(truth + noise, reward - 0.6, 1.0);
        }
        let variance = 0.16 / 12.0;
        assert!(
            (between.variance() / variance - 1.0).abs() < 0.25,
            "{}",
            between.variance()
        );
    }

    #[test]
    fn predictions_worth_nothing_leave_none() {
        let mut between = Between::default();
        (0..5_000).for_each(|i| between.observe(if i % 2 == 0 { 0.2 } else { -0.2 }, 0.1, 1.0));
        assert!(between.variance() < 2e-4);
    }
}
