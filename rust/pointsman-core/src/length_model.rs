//! [`LengthModel`]: how long an answer will be, as a log-normal learned from the lengths of past answers.
//!
//! `ln tokens = ln prior + eta' phi + eta_m + noise` (science.md 2.5): one slope for all models, one offset per model, one
//! spread per model. Without outcomes the answer is the prior.

use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};
use crate::length::OutputTokens;
use crate::quality::Ridge;

/// Outcomes that a model's zero offset, and the prior's spread, count for (chosen).
const N_OFFSET: f64 = 10.0;
const N_SPREAD: f64 = 20.0;
/// Outcomes a model's offset and spread remember.
const N_REMEMBERED: f64 = 2000.0;
/// 90 % quantile of the normal distribution.
const Z_90: f64 = 1.281_551_565_5;
/// Largest variance of a logarithm of tokens: one token and a billion, in turn, have 107.
const MAX_VARIANCE: f64 = 100.0;
/// Precision of the belief that features do not matter.
const LAMBDA: f64 = 10.0;

/// What is believed of the length before features and model are looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LengthPrior {
    /// Median, in tokens.
    pub p50: f64,
    /// 90th percentile, in tokens.
    pub p90: f64,
}

/// Distribution of an answer's length in tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Length {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// Expectation, at most the 90th percentile.
    pub mean: f64,
}

impl From<Length> for OutputTokens {
    fn from(Length { p50, p90, mean }: Length) -> Self {
        Self { p50, p90, mean }
    }
}

/// A model's deviation from the shared slope.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Offset {
    n: f64,
    sum: f64,
    sum_squares: f64,
}

impl Offset {
    fn value(&self) -> f64 {
        self.sum / (self.n + N_OFFSET)
    }

    fn variance(&self, prior: f64) -> f64 {
        (N_SPREAD * prior + self.sum_squares) / (N_SPREAD + self.n)
    }

    /// `gap` is what the offset should be, `error` what the prediction missed.
    fn observe(&mut self, gap: f64, error: f64) {
        if self.n >= N_REMEMBERED {
            let kept = 1.0 - 1.0 / N_REMEMBERED;
            self.n *= kept;
            self.sum *= kept;
            self.sum_squares *= kept;
        }
        self.n += 1.0;
        self.sum += gap;
        self.sum_squares += error * error;
    }
}

/// Learns the length of answers.
///
/// # Example
///
/// ```
/// use pointsman_core::length_model::{LengthModel, LengthPrior};
///
/// let mut model = LengthModel::new(2, 1, 0.0).unwrap();
/// let prior = LengthPrior { p50: 100.0, p90: 400.0 };
/// assert!((model.predict(&[0.0], 0, prior).unwrap().p90 - 400.0).abs() < 1e-6);
/// for _ in 0..500 {
///     model.observe(&[0.0], 1, prior, 800.0, false, 0.0).unwrap();
/// }
/// let verbose = model.predict(&[0.0], 1, prior).unwrap();
/// assert!((verbose.p50 / 800.0 - 1.0).abs() < 0.1 && verbose.p90 < 1400.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LengthModel {
    slope: Ridge,
    offsets: Vec<Offset>,
}

impl LengthModel {
    /// Nothing learned; `rate_per_s` is the forgetting of the slope, `-ln(kept per day) / 86400`.
    ///
    /// # Errors
    ///
    /// `n_features` outside 1..=64, a negative rate.
    pub fn new(n_models: usize, n_features: usize, rate_per_s: f64) -> Result<Self, LearnError> {
        Ok(Self {
            slope: Ridge::new(n_features, LAMBDA, rate_per_s)?,
            offsets: vec![Offset::default(); n_models],
        })
    }

    /// Distribution of the length of this model's answer. `O(features)`.
    ///
    /// # Errors
    ///
    /// A model that does not exist; features of another number or not finite; a prior below 1 token or with p90 < p50.
    pub fn predict(
        &self,
        features: &[f32],
        model: usize,
        prior: LengthPrior,
    ) -> Result<Length, LearnError> {
        let (ln_mean, variance) = self.log_normal(features, model, prior)?;
        let p90 = (ln_mean + Z_90 * variance.sqrt()).exp();
        Ok(Length {
            p50: ln_mean.exp(),
            p90,
            // Lengths of two kinds (1 token or 3,000) have so wide a spread that a tail nobody saw would rule.
            mean: (ln_mean + variance / 2.0).exp().min(p90),
        })
    }

    /// Learns one length; `is_cut` when the answer hit its limit, so that the true length is only known to be larger.
    ///
    /// # Errors
    ///
    /// As [`Self::predict`]; a number of tokens outside `[0, 1e9]`.
    pub fn observe(
        &mut self,
        features: &[f32],
        model: usize,
        prior: LengthPrior,
        n_tokens: f64,
        is_cut: bool,
        now_s: f64,
    ) -> Result<(), LearnError> {
        within("n_tokens", n_tokens, 0.0, 1e9, "give tokens in [0, 1e9]")?;
        let (ln_mean, variance) = self.log_normal(features, model, prior)?;
        let seen = n_tokens.max(1.0).ln();
        let ln_length = if is_cut {
            beyond(seen, ln_mean, variance.sqrt())
        } else {
            seen
        };
        let gap = ln_length - prior.p50.ln();
        let offset = self.offsets[model].value();
        let explained = self.slope.predict(features);
        self.slope.observe(features, gap - offset, 1.0, now_s)?;
        self.offsets[model].observe(gap - explained, ln_length - ln_mean);
        Ok(())
    }

    /// Lengths seen of this model, those faded not counted.
    pub(crate) fn n_outcomes(&self, model: usize) -> f64 {
        self.offsets.get(model).map_or(0.0, |offset| offset.n)
    }

    /// Whether nothing was learned.
    pub(crate) fn is_empty(&self) -> bool {
        self.slope.is_empty()
    }

    /// The same for other models: for each its place among these, or none.
    pub(crate) fn rearranged(&self, places: &[Option<usize>]) -> Self {
        let offset =
            |place: &Option<usize>| place.map_or_else(Offset::default, |old| self.offsets[old]);
        Self {
            slope: self.slope.clone(),
            offsets: places.iter().map(offset).collect(),
        }
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        self.slope.save(writer);
        for offset in &self.offsets {
            writer.f64(offset.n);
            writer.f64(offset.sum);
            writer.f64(offset.sum_squares);
        }
    }

    /// What was saved of `n_models` models, with the settings of `like`.
    pub(crate) fn load(
        reader: &mut Reader,
        like: &LengthModel,
        n_models: usize,
    ) -> Result<Self, LearnError> {
        let mut slope = like.slope.clone();
        slope.load(reader)?;
        let mut offset = |_| {
            Ok(Offset {
                n: reader.amount()?,
                sum: reader.f64()?,
                sum_squares: reader.amount()?,
            })
        };
        let offsets: Result<Vec<Offset>, LearnError> = (0..n_models).map(&mut offset).collect();
        Ok(Self {
            slope,
            offsets: offsets?,
        })
    }

    fn log_normal(
        &self,
        features: &[f32],
        model: usize,
        prior: LengthPrior,
    ) -> Result<(f64, f64), LearnError> {
        within("prior.p50", prior.p50, 1.0, 1e9, "give tokens in [1, 1e9]")?;
        within(
            "prior.p90",
            prior.p90,
            prior.p50,
            1e9,
            "give at least the p50",
        )?;
        self.slope.check(features)?;
        let Some(offset) = self.offsets.get(model) else {
            return Err(LearnError::invalid(
                "model",
                model,
                "give the index of a model",
            ));
        };
        let spread = (prior.p90 / prior.p50).ln() / Z_90;
        // The cap keeps a runaway slope from overflowing: e^21 tokens are a billion.
        let ln_mean = prior.p50.ln() + self.slope.predict(features) + offset.value();
        let variance = offset.variance(spread * spread).min(MAX_VARIANCE);
        Ok((ln_mean.clamp(0.0, 21.0), variance))
    }
}

/// Expectation of a normal value known to lie beyond `seen` (inverse Mills ratio).
fn beyond(seen: f64, mean: f64, sd: f64) -> f64 {
    if sd < 1e-6 {
        return seen.max(mean);
    }
    let z = (seen - mean) / sd;
    let ratio = if z < -3.0 { 0.0 } else { mills(z) };
    (mean + sd * ratio).max(seen)
}

/// `density(z) / tail(z)` of the normal distribution for `z >= -3`, within 0.3 %: Sampford's bound (1953) far out,
/// the trapezoid rule elsewhere.
fn mills(z: f64) -> f64 {
    const N_STEPS: usize = 64;
    if z > 4.0 {
        return (3.0 * z + z.hypot(8.0_f64.sqrt())) / 4.0;
    }
    let density = |x: f64| (-x * x / 2.0).exp();
    let step = (8.0 - z) / N_STEPS as f64;
    let inner: f64 = (1..N_STEPS)
        .map(|index| density(z + index as f64 * step))
        .sum();
    density(z) / (step * (inner + f64::midpoint(density(z), density(8.0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::uniform;

    const PRIOR: LengthPrior = LengthPrior {
        p50: 100.0,
        p90: 400.0,
    };

    fn normal(seed: u64, counter: u64) -> f64 {
        let radius = (-2.0 * (1.0 - uniform(seed, counter)).ln()).sqrt();
        radius * (std::f64::consts::TAU * uniform(seed, counter + 1)).cos()
    }

    #[test]
    fn slope_offset_and_spread_are_learned() {
        let mut model = LengthModel::new(2, 2, 0.0).unwrap();
        let world = |seed: u64| {
            let features = [1.0, normal(seed, 0) as f32];
            let which = (seed % 2) as usize;
            let ln = 5.0 + 0.7 * f64::from(features[1]) + which as f64 + 0.5 * normal(seed, 2);
            (features, which, ln.exp())
        };
        for seed in 0..5_000 {
            let (features, which, n_tokens) = world(seed);
            model
                .observe(&features, which, PRIOR, n_tokens, false, 0.0)
                .unwrap();
        }
        let mut below = [0.0; 2];
        for seed in 10_000..14_000 {
            let (features, which, n_tokens) = world(seed);
            let length = model.predict(&features, which, PRIOR).unwrap();
            below[0] += f64::from(u8::from(n_tokens <= length.p50)) / 4000.0;
            below[1] += f64::from(u8::from(n_tokens <= length.p90)) / 4000.0;
        }
        assert!(
            (below[0] - 0.5).abs() < 0.03 && (below[1] - 0.9).abs() < 0.02,
            "{below:?}"
        );
    }

    #[test]
    fn answers_that_were_cut_do_not_pull_the_median_to_the_limit() {
        let mut honest = LengthModel::new(1, 1, 0.0).unwrap();
        let mut naive = honest.clone();
        for seed in 0..3_000 {
            let n_tokens = (6.0 + 0.8 * normal(seed, 0)).exp();
            let (seen, is_cut) = (n_tokens.min(500.0), n_tokens > 500.0);
            honest.observe(&[1.0], 0, PRIOR, seen, is_cut, 0.0).unwrap();
            naive.observe(&[1.0], 0, PRIOR, seen, false, 0.0).unwrap();
        }
        let p90 = |model: &LengthModel| model.predict(&[1.0], 0, PRIOR).unwrap().p90;
        let truth = (6.0 + 0.8 * Z_90_TEST).exp();
        assert!(
            (p90(&honest).ln() - f64::ln(truth)).abs() < 0.3,
            "{}",
            p90(&honest)
        );
        assert!(p90(&naive) < 0.75 * truth);
    }

    const Z_90_TEST: f64 = 1.281_551_565_5;

    #[test]
    fn the_mills_ratio_matches_known_values() {
        for (z, expected) in [
            (0.0, 0.797_884_56),
            (1.0, 1.525_135_3),
            (4.5, 4.704_2),
            (-2.0, 0.055_247_86),
        ] {
            assert!((mills(z) / expected - 1.0).abs() < 3e-3, "{z} {}", mills(z));
        }
    }

    #[test]
    fn invalid_values_are_errors() {
        let mut model = LengthModel::new(1, 1, 0.0).unwrap();
        assert!(model.predict(&[1.0], 1, PRIOR).is_err());
        assert!(model.predict(&[f32::NAN], 0, PRIOR).is_err());
        assert!(
            model
                .predict(
                    &[1.0],
                    0,
                    LengthPrior {
                        p50: 10.0,
                        p90: 5.0
                    }
                )
                .is_err()
        );
        assert!(
            model
                .observe(&[1.0], 0, PRIOR, f64::NAN, false, 0.0)
                .is_err()
        );
    }
}
