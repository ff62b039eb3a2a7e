//! [`LimitNews`]: what an answer's headers say of a rate limit.

use crate::learn_error::{LearnError, within};

/// One rate limit, as `x-ratelimit-*` or `anthropic-ratelimit-*` headers tell it; `None`: not said.
///
/// # Example
///
/// ```
/// use pointsman_core::health::LimitNews;
///
/// let news = LimitNews { limit: Some(500.0), remaining: Some(499.0), reset_s: Some(0.12) };
/// assert!(news.check().is_ok());
/// assert!(LimitNews { reset_s: Some(f64::NAN), ..news }.check().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LimitNews {
    /// Requests or tokens in a full window.
    pub limit: Option<f64>,
    /// Those that are left.
    pub remaining: Option<f64>,
    /// Seconds until all are back.
    pub reset_s: Option<f64>,
}

impl LimitNews {
    /// Refuses numbers that are none.
    ///
    /// # Errors
    ///
    /// A value that is negative, not finite or above 1e15.
    pub fn check(&self) -> Result<(), LearnError> {
        let given = [
            ("limit", self.limit),
            ("remaining", self.remaining),
            ("reset_s", self.reset_s),
        ];
        for (field, value) in given {
            within(
                field,
                value.unwrap_or(0.0),
                0.0,
                1e15,
                "give a finite number >= 0",
            )?;
        }
        Ok(())
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
