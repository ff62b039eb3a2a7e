//! What a learner refuses: one small error, mapped onto the core's at the boundary.

use std::fmt;

/// A value a learner refuses, or saved state it cannot use.
///
/// # Example
///
/// ```
/// use pointsman_core::LearnError;
/// use pointsman_core::sketch::Sketch;
///
/// let error = Sketch::new().add(f64::NAN).unwrap_err();
/// assert!(matches!(error, LearnError::InvalidValue { field: "value", .. }));
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LearnError {
    /// A value outside what the field allows: NaN, infinity, out of range, of a wrong length.
    #[error("{field} is {got}: {remedy}")]
    InvalidValue {
        /// Name of the argument.
        field: &'static str,
        /// The value seen, as text.
        got: String,
        /// What to give instead.
        remedy: &'static str,
    },
    /// Saved state that is truncated, of another version, changed on disk or not finite.
    #[error("saved state: {problem}")]
    State {
        /// What is wrong and the remedy.
        problem: String,
    },
}

impl LearnError {
    pub(crate) fn invalid(
        field: &'static str,
        got: impl fmt::Display,
        remedy: &'static str,
    ) -> Self {
        let got = got.to_string();
        LearnError::InvalidValue { field, got, remedy }
    }

    pub(crate) fn state(problem: impl Into<String>) -> Self {
        let problem = problem.into();
        LearnError::State { problem }
    }
}

/// `value` if it lies in `[low, high]`; NaN does not.
pub(crate) fn within(
    field: &'static str,
    value: f64,
    low: f64,
    high: f64,
    remedy: &'static str,
) -> Result<f64, LearnError> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(LearnError::invalid(field, value, remedy))
}
