//! How long the answer will be: a prior by structure and complexity.

use crate::profile::{Complexity, Structure};

/// Median and 90th percentile of the answer's tokens; rows are structures, columns complexities.
///
/// Chosen from common answers; the learned model replaces it.
const PRIOR: [[(f64, f64); 3]; 5] = [
    [(40.0, 150.0), (350.0, 1000.0), (600.0, 1600.0)], // text
    [(60.0, 200.0), (250.0, 800.0), (400.0, 1200.0)],  // json
    [(50.0, 150.0), (120.0, 300.0), (200.0, 500.0)],   // sql
    [(120.0, 400.0), (350.0, 1000.0), (700.0, 2000.0)], // code
    [(4.0, 12.0), (8.0, 40.0), (60.0, 400.0)],         // label
];
/// The same of the tokens a model that can reason spends on that before it answers; columns are complexities.
///
/// Chosen: between models that reason on every request and those that do so when asked, with a wide spread.
const REASONING_PRIOR: [(f64, f64); 3] = [(30.0, 200.0), (120.0, 800.0), (600.0, 4000.0)];
/// 90 % quantile of the normal distribution.
const Z_90: f64 = 1.281_551_565_5;

/// Distribution of the answer's length in tokens, log-normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputTokens {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// Expectation.
    pub mean: f64,
}

impl OutputTokens {
    /// The prior of a task.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::{Complexity, OutputTokens, Structure};
    ///
    /// let label = OutputTokens::prior(Structure::Label, Complexity::Lookup);
    /// let essay = OutputTokens::prior(Structure::Text, Complexity::Generation);
    /// assert!(label.p90 < essay.p50);
    /// assert_eq!(essay.capped(100).p90, 100.0);
    /// ```
    pub fn prior(structure: Structure, complexity: Complexity) -> Self {
        Self::log_normal(PRIOR[structure as usize][complexity as usize])
    }

    /// The prior of the tokens a model that can reason spends on reasoning.
    pub(crate) fn reasoning_prior(complexity: Complexity) -> Self {
        Self::log_normal(REASONING_PRIOR[complexity as usize])
    }

    fn log_normal((p50, p90): (f64, f64)) -> Self {
        let sigma = (p90 / p50).ln() / Z_90;
        Self {
            p50,
            p90,
            mean: p50 * (sigma * sigma / 2.0).exp(),
        }
    }

    /// With those of reasoning before it; quantiles add as if both were long together, which is on the safe side.
    #[must_use]
    pub(crate) fn after(self, reasoning: Self) -> Self {
        Self {
            p50: self.p50 + reasoning.p50,
            p90: self.p90 + reasoning.p90,
            mean: self.mean + reasoning.mean,
        }
    }

    /// The same with an upper bound; the mean is bounded too, which overstates it a little.
    #[must_use]
    pub fn capped(self, limit: u64) -> Self {
        let limit = limit as f64;
        Self {
            p50: self.p50.min(limit),
            p90: self.p90.min(limit),
            mean: self.mean.min(limit),
        }
    }
}
