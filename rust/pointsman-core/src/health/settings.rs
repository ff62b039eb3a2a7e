//! [`HealthSettings`]: when a deployment counts as unwell, and how much is asked of it at once.

use serde::{Deserialize, Serialize};

use crate::learn_error::{LearnError, within};

/// When a breaker opens and how many calls a deployment may have under way (science.md 2.11).
///
/// # Example
///
/// ```
/// use pointsman_core::health::HealthSettings;
///
/// let settings = HealthSettings { base_ejection_s: 5.0, ..HealthSettings::default() };
/// assert!(settings.check().is_ok());
/// assert!(HealthSettings { max_failure_rate: 2.0, ..settings }.check().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthSettings {
    /// Failures in a row that open the breaker, >= 1.
    pub max_consecutive_failures: u32,
    /// Share of failures, in (0, 1), whose 95 % lower bound opens the breaker once `min_calls` were seen.
    pub max_failure_rate: f64,
    /// Calls, faded by age, from which the share of failures is believed; in [1, 60].
    pub min_calls: f64,
    /// Seconds of the first ejection; each further one in a row takes twice as long.
    pub base_ejection_s: f64,
    /// Seconds of the longest ejection.
    pub max_ejection_s: f64,
    /// Share of a model's deployments that may be ejected at once, in [0, 1]; a lone one always may.
    pub max_ejected_share: f64,
    /// Whether the number of calls under way is limited, by what their time to first token says.
    pub adaptive_concurrency: bool,
    /// Limit of the calls under way before any was seen.
    pub initial_concurrency: f64,
    /// Least limit of the calls under way, >= 1.
    pub min_concurrency: f64,
    /// Largest limit of the calls under way.
    pub max_concurrency: f64,
    /// What tells the ejections of one process from those of another, so that not all return at once.
    pub seed: u64,
}

impl Default for HealthSettings {
    /// Envoy's and Netflix's figures, but for an initial concurrency that holds up no ordinary burst.
    fn default() -> Self {
        Self {
            max_consecutive_failures: 5,
            max_failure_rate: 0.5,
            min_calls: 20.0,
            base_ejection_s: 30.0,
            max_ejection_s: 600.0,
            max_ejected_share: 0.5,
            adaptive_concurrency: true,
            initial_concurrency: 100.0,
            min_concurrency: 4.0,
            max_concurrency: 2000.0,
            seed: 0,
        }
    }
}

impl HealthSettings {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    ///
    /// A value outside its range, limits of concurrency or times that are not in ascending order.
    pub fn check(&self) -> Result<(), LearnError> {
        let failures = f64::from(self.max_consecutive_failures);
        let checks = [
            ("max_consecutive_failures", failures, 1.0, 1e6),
            ("max_failure_rate", self.max_failure_rate, 0.01, 0.99),
            ("min_calls", self.min_calls, 1.0, 60.0),
            ("base_ejection_s", self.base_ejection_s, 1e-3, 86_400.0),
            (
                "max_ejection_s",
                self.max_ejection_s,
                self.base_ejection_s,
                86_400.0,
            ),
            ("max_ejected_share", self.max_ejected_share, 0.0, 1.0),
            ("min_concurrency", self.min_concurrency, 1.0, 1e6),
            (
                "max_concurrency",
                self.max_concurrency,
                self.min_concurrency,
                1e6,
            ),
            (
                "initial_concurrency",
                self.initial_concurrency,
                self.min_concurrency,
                self.max_concurrency,
            ),
        ];
        for (field, value, low, high) in checks {
            within(field, value, low, high, "give a value in its range")?;
        }
        Ok(())
    }
}
