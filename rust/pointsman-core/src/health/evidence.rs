//! [`Evidence`]: logarithms of times to first token, by the size of the call; two sets of them are compared.
//!
//! Times to first token vary threefold by themselves and grow with the prompt. In logarithms the tails are light, and
//! calls are compared with calls of their size only, so neither a heavy tail nor longer prompts look like a queue.

/// Classes of size: of twice the tokens each, from 64 to a million.
const N_SIZES: usize = 16;

/// Means and spreads of one class each, as Welford (1962) keeps them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Evidence {
    n: [f64; N_SIZES],
    mean: [f64; N_SIZES],
    squares: [f64; N_SIZES],
}

/// By how much one set is slower than another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Excess {
    /// Logarithm of the ratio, the mean over sizes.
    pub(super) ln_ratio: f64,
    /// Its standard error.
    pub(super) error: f64,
    /// Values the comparison rests on: the harmonic mean of both sets, halved.
    pub(super) weight: f64,
    /// What the other's times are for calls of these sizes, milliseconds.
    pub(super) usual_ms: f64,
}

impl Evidence {
    pub(super) const NONE: Self = Self {
        n: [0.0; N_SIZES],
        mean: [0.0; N_SIZES],
        squares: [0.0; N_SIZES],
    };

    /// Values, faded.
    pub(super) fn n(&self) -> f64 {
        self.n.iter().sum()
    }

    pub(super) fn add(&mut self, ttft_ms: f64, n_tokens: u64, weight: f64) {
        if weight < 1e-6 {
            return;
        }
        let size = size_class(n_tokens);
        let value = ttft_ms.max(1e-3).ln();
        self.n[size] += weight;
        let step = value - self.mean[size];
        self.mean[size] += weight * step / self.n[size];
        self.squares[size] += weight * step * (value - self.mean[size]);
    }

    /// Believes all that was seen so much less.
    pub(super) fn fade(&mut self, factor: f64) {
        for size in 0..N_SIZES {
            self.n[size] *= factor;
            self.squares[size] *= factor;
        }
    }

    /// By how much these times exceed those of `base`, size by size; `None`: they have too little in common.
    ///
    /// The difference of means of a randomised block design: each size weighs by `n m / (n + m)`.
    pub(super) fn excess_over(&self, base: &Evidence) -> Option<Excess> {
        let (mut weight, mut difference, mut usual_ms) = (0.0, 0.0, 0.0);
        let (mut squares, mut freedom) = (0.0, 0.0);
        for size in 0..N_SIZES {
            let (n, m) = (self.n[size], base.n[size]);
            if n < 1.0 || m < 1.0 {
                continue;
            }
            let common = n * m / (n + m);
            weight += common;
            difference += common * (self.mean[size] - base.mean[size]);
            usual_ms += common * base.mean[size].exp();
            squares += self.squares[size] + base.squares[size];
            freedom += n + m - 2.0;
        }
        (freedom >= 4.0).then(|| Excess {
            ln_ratio: difference / weight,
            error: (squares / freedom / weight).sqrt(),
            weight,
            usual_ms: usual_ms / weight,
        })
    }
}

fn size_class(n_tokens: u64) -> usize {
    let doublings = n_tokens.max(1).ilog2() as usize;
    doublings.saturating_sub(5).min(N_SIZES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_of_sizes_is_not_an_excess_and_a_factor_is_found_with_its_error() {
        let (mut base, mut now) = (Evidence::NONE, Evidence::NONE);
        for i in 0..64_u32 {
            let noise = 1.0 + f64::from(i % 8);
            base.add(100.0 * noise, 100, 1.0);
            base.add(9000.0 * noise, 100_000, 1.0);
            // Three of four are long now, and each takes twice as long.
            now.add(200.0 * noise, 100, 1.0);
            (0..3).for_each(|_| now.add(18_000.0 * noise, 100_000, 1.0));
        }
        let same = base.excess_over(&base).unwrap();
        assert!(same.ln_ratio.abs() < 1e-12 && same.error > 0.05, "{same:?}");
        let excess = now.excess_over(&base).unwrap();
        assert!((excess.ln_ratio - 2.0_f64.ln()).abs() < 1e-9, "{excess:?}");
        assert!((0.05..0.15).contains(&excess.error), "{excess:?}");
    }

    #[test]
    fn sizes_that_have_not_met_tell_nothing() {
        let (mut base, mut now) = (Evidence::NONE, Evidence::NONE);
        (0..50).for_each(|_| base.add(100.0, 10, 1.0));
        (0..50).for_each(|_| now.add(900.0, 10_000, 1.0));
        assert_eq!(now.excess_over(&base), None);
    }
}
