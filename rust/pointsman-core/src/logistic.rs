//! The logistic function and its inverse, with the clip every learner shares.

/// Logits are taken of values clipped to this distance from 0 and 1 (chosen: |logit| <= 5.3).
pub(crate) const MARGIN: f64 = 0.005;

/// One-sided 95 % quantile of the normal distribution.
pub(crate) const Z_95: f64 = 1.645;

/// `1 / (1 + exp(-x))`, in (0, 1).
pub(crate) fn sigma(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(p / (1 - p))` of `p` clipped to `[MARGIN, 1 - MARGIN]`.
pub(crate) fn logit(p: f64) -> f64 {
    let p = p.clamp(MARGIN, 1.0 - MARGIN);
    (p / (1.0 - p)).ln()
}

/// What is left of a weight after `age_s` seconds; 1 for a negative age.
pub(crate) fn decay(rate_per_s: f64, age_s: f64) -> f64 {
    (-rate_per_s * age_s.max(0.0)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigma_inverts_logit_inside_the_margin() {
        for p in [0.01, 0.3, 0.5, 0.99] {
            assert!((sigma(logit(p)) - p).abs() < 1e-12);
        }
        assert!((sigma(logit(0.0)) - MARGIN).abs() < 1e-12);
    }
}
