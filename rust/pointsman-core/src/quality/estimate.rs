//! [`Estimate`]: what is expected of one arm on one request.

use crate::logistic::Z_95;
use crate::quality::stack::Parts;

/// Expected quality of an arm with its uncertainty.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Expected quality, in [0, 1].
    pub mean: f64,
    /// Standard deviation of the belief about the mean.
    pub sd: f64,
    /// Lower confidence bound: mean - 1.645 sd, not below 0.
    pub lcb: f64,
    /// Outcomes the belief rests on, pseudo-counts included.
    pub n_effective: f64,
    /// The parts the mean was blended from; `parts.slice` is the anchor for shrinkage.
    pub parts: Parts,
}

impl Estimate {
    /// The same belief with another deviation.
    #[must_use]
    pub(crate) fn with_sd(self, sd: f64) -> Self {
        let lcb = (self.mean - Z_95 * sd).max(0.0);
        Self { sd, lcb, ..self }
    }
}
