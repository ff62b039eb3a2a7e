//! [`CacheSettings`]: what a cache is told once.

use crate::learn_error::{LearnError, within};

/// Least bound, in bytes: below it the maps take more than the answers.
const LEAST_BYTES: usize = 64 * 1024;
/// Longest time an answer is kept, in seconds: thirty years.
const LONGEST_S: f64 = 1e9;

/// What a cache is told once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CacheSettings {
    /// Bound of everything held, in bytes; at least 65,536.
    pub max_bytes: usize,
    /// Share of hits that may be wrong, in `[0.0001, 0.5]`.
    pub target_error: f64,
    /// Seconds an answer is kept unless it says otherwise, in `(0, 1e9]`.
    pub ttl_s: f64,
    /// Share of hits on other than equal texts that ask to be graded, in `[0, 1]`.
    pub audit_rate: f64,
}

impl Default for CacheSettings {
    /// 256 MiB, one wrong hit in a hundred, a week, one hit in a hundred graded.
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            target_error: 0.01,
            ttl_s: 604_800.0,
            audit_rate: 0.01,
        }
    }
}

impl CacheSettings {
    /// Refuses a setting outside its range; `target_error` the posterior checks.
    pub(super) fn check(&self) -> Result<(), LearnError> {
        if self.max_bytes < LEAST_BYTES {
            let remedy = "give at least 65,536 bytes";
            return Err(LearnError::invalid("max_bytes", self.max_bytes, remedy));
        }
        ttl(self.ttl_s)?;
        let remedy = "give a share in [0, 1]";
        within("audit_rate", self.audit_rate, 0.0, 1.0, remedy)?;
        Ok(())
    }
}

/// Seconds an answer may be kept.
pub(super) fn ttl(value: f64) -> Result<f64, LearnError> {
    within(
        "ttl_s",
        value,
        f64::MIN_POSITIVE,
        LONGEST_S,
        "give seconds, above 0 and at most 1e9",
    )
}
