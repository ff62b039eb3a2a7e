//! The cure of the winner's curse: shrunken qualities.
//!
//! The best of many noisy predictions is mostly the luckiest. Each prediction is therefore drawn towards what is
//! known of its arm without looking at the request (its anchor, the slice posterior), by James and Stein's factor
//! `kappa = sd^2 / (sd^2 + tau^2)` (science.md 2.5).

use crate::learn_error::{LearnError, within};

/// A quality drawn towards its anchor: `anchor + tau2 / (sd^2 + tau2) * (mean - anchor)`.
///
/// `between_variance` (`tau2`) is how much true qualities differ from their anchors.
///
/// # Errors
///
/// NaN; a mean or an anchor outside `[0, 1]`; an `sd` or a variance that is negative or above 1e6.
///
/// # Example
///
/// ```
/// use pointsman_core::shrink::shrink;
///
/// assert_eq!(shrink(0.9, 0.1, 0.7, 0.0).unwrap(), 0.7);
/// assert!((shrink(0.9, 0.1, 0.7, 0.01).unwrap() - 0.8).abs() < 1e-12);
/// assert_eq!(shrink(0.9, 0.0, 0.7, 0.0).unwrap(), 0.9);
/// ```
pub fn shrink(mean: f64, sd: f64, anchor: f64, between_variance: f64) -> Result<f64, LearnError> {
    within("mean", mean, 0.0, 1.0, "give a quality in [0, 1]")?;
    within("anchor", anchor, 0.0, 1.0, "give a quality in [0, 1]")?;
    within("sd", sd, 0.0, 1e3, "give a deviation >= 0")?;
    within(
        "between_variance",
        between_variance,
        0.0,
        1e6,
        "give a variance >= 0",
    )?;
    let noise = sd * sd;
    if noise == 0.0 {
        return Ok(mean);
    }
    Ok(anchor + between_variance / (noise + between_variance) * (mean - anchor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_values_are_errors() {
        assert!(shrink(0.5, f64::NAN, 0.5, 0.1).is_err());
        assert!(shrink(0.5, 0.1, 0.5, -1.0).is_err());
    }
}
