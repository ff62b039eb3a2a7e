//! Exact tails of the binomial distribution.

/// `P(X <= k)` for `X ~ Binomial(n, p)`, to about 1e-12; 1 for `k >= n`. O(standard deviation), no allocation.
///
/// # Example
///
/// ```
/// use pointsman_core::floor::binomial_cdf;
///
/// assert!((binomial_cdf(0, 29, 0.1) - 0.9_f64.powi(29)).abs() < 1e-12);
/// assert_eq!(binomial_cdf(5, 5, 0.5), 1.0);
/// ```
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    // The shorter tail is summed outwards from its largest term, so that its terms only fall.
    if (k as f64) < n as f64 * p {
        let odds = (1.0 - p) / p;
        let ratio = |i: u64| i as f64 / (n - i + 1) as f64 * odds;
        return (ln_term(k, n, p).exp() * tail((1..=k).rev().map(ratio))).min(1.0);
    }
    let odds = p / (1.0 - p);
    let ratio = |i: u64| (n - i) as f64 / (i + 1) as f64 * odds;
    (1.0 - ln_term(k + 1, n, p).exp() * tail((k + 1..n).map(ratio))).max(0.0)
}

/// `1 + r1 + r1 r2 + ...`, until what follows is lost in rounding.
fn tail(ratios: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for ratio in ratios {
        term *= ratio;
        sum += term;
        if term < 1e-17 * sum {
            break;
        }
    }
    sum
}

fn ln_term(k: u64, n: u64, p: f64) -> f64 {
    let choices = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    choices + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p()
}

/// Stirling's series; below 32 the sum itself.
fn ln_factorial(n: u64) -> f64 {
    if n < 32 {
        return (2..=n).map(|i| (i as f64).ln()).sum();
    }
    let x = n as f64;
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    x * x.ln() - x + 0.5 * (std::f64::consts::TAU * x).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, term by term.
    fn plain(k: u64, n: u64, p: f64) -> f64 {
        let mut term = (1.0 - p).powi(n as i32);
        let mut sum = term;
        for i in 1..=k {
            term *= (n - i + 1) as f64 / i as f64 * p / (1.0 - p);
            sum += term;
        }
        sum.min(1.0)
    }

    #[test]
    fn both_tails_equal_the_definition() {
        for n in [1, 2, 31, 32, 33, 200, 900] {
            for p in [0.01, 0.1, 0.35, 0.5] {
                for k in 0..n {
                    let (ours, theirs) = (binomial_cdf(k, n, p), plain(k, n, p));
                    assert!(
                        (ours - theirs).abs() < 1e-10,
                        "{k} of {n} at {p}: {ours} {theirs}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_small_tail_keeps_its_digits() {
        let ours = binomial_cdf(0, 2_000, 0.1);
        assert!((ours.ln() / (2_000.0 * 0.9_f64.ln()) - 1.0).abs() < 1e-9);
    }
}
