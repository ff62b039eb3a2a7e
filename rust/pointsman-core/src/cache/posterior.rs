//! [`Posterior`]: how likely a stored answer is right for an asked text, and whether that is sure enough to serve.

use super::pair::{N_PAIR_FEATURES, pair_features};
use super::reading::Reading;
use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};
use crate::logistic::sigma;

const MAGIC: [u8; 4] = *b"PMCP";
const VERSION: u32 = 1;
/// Prior mean and precision of the weights, in the order of `PAIR_FEATURES`.
const PRIOR_MEAN: [f64; N_PAIR_FEATURES] = [5.0, 1.0, -1.0, -1.0, -1.0, 0.5, -1.0, -1.0];
const PRIOR_PRECISION: [f64; N_PAIR_FEATURES] = [20.0; N_PAIR_FEATURES];
/// Graded hits of an entry that weigh as much as the pooled estimate.
const ENTRY_STRENGTH: f64 = 10.0;
/// Standard deviations between estimate and lower bound: one-sided 90 %.
const Z: f64 = 1.28;

/// What graded hits said of one entry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Weight of hits found right.
    pub n_right: f32,
    /// Weight of hits found wrong.
    pub n_wrong: f32,
}

/// What the posterior says of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// P(the stored answer is right), the estimate.
    pub p: f32,
    /// Its lower bound.
    pub lower_bound: f32,
    /// Whether the bound reaches `1 - target_error`, less what an alarm took away.
    pub serves: bool,
}

/// Hits were wrong more often than `target_error` allows; the margin was raised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    /// The error now aimed at.
    pub target_error: f64,
    /// The e-value that raised it.
    pub e_value: f64,
}

/// A logistic model of P(right) over pair features, shared by all entries, corrected by each entry's evidence.
///
/// # Example
///
/// ```
/// use pointsman_core::cache::{Evidence, Posterior, Reading};
///
/// let posterior = Posterior::new(0.01)?;
/// let (a, b) = (Reading::new("List 3 facts about Mars."), Reading::new("List 5 facts about Mars."));
/// assert!(!posterior.judge(&a, &b, 0.99, Evidence::default()).serves);
/// # Ok::<(), pointsman_core::LearnError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    target_error: f64,
    margin: f64,
    mean: [f64; N_PAIR_FEATURES],
    precision: [f64; N_PAIR_FEATURES],
    log_e: f64,
}

impl Posterior {
    /// A posterior that serves at most `target_error` wrong answers a hit, in `(0, 0.5]`.
    ///
    /// # Errors
    ///
    /// A `target_error` outside that range.
    pub fn new(target_error: f64) -> Result<Self, LearnError> {
        let remedy = "give the share of hits that may be wrong, in [0.0001, 0.5]";
        Ok(Self {
            target_error: within("target_error", target_error, 1e-4, 0.5, remedy)?,
            margin: 1.0,
            mean: PRIOR_MEAN,
            precision: PRIOR_PRECISION,
            log_e: 0.0,
        })
    }

    /// How likely the stored answer is right for the asked text.
    ///
    /// `similarity` is the cosine of the embeddings. A pair that the guard vetoes has `p` 0.
    pub fn judge(
        &self,
        stored: &Reading,
        asked: &Reading,
        similarity: f32,
        evidence: Evidence,
    ) -> Judgement {
        let Some(row) = pair_features(stored, asked, similarity) else {
            return Judgement {
                p: 0.0,
                lower_bound: 0.0,
                serves: false,
            };
        };
        let (n_right, n_wrong) = (f64::from(evidence.n_right), f64::from(evidence.n_wrong));
        let blend = |p: f64| (p * ENTRY_STRENGTH + n_right) / (ENTRY_STRENGTH + n_right + n_wrong);
        let (z, variance) = self.logit(&row);
        let p = blend(sigma(z));
        let lower_bound = blend(sigma(z - Z * variance.sqrt()));
        let serves = lower_bound >= 1.0 - self.target_error * self.margin;
        Judgement {
            p: p as f32,
            lower_bound: lower_bound as f32,
            serves,
        }
    }

    /// Learns from a pair whose stored answer was found right or wrong, with a weight in `[0, 1]`.
    pub fn observe(
        &mut self,
        stored: &Reading,
        asked: &Reading,
        similarity: f32,
        is_right: bool,
        weight: f64,
    ) {
        let Some(row) = pair_features(stored, asked, similarity) else {
            return;
        };
        let weight = if weight.is_finite() {
            weight.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let (z, _) = self.logit(&row);
        let p = sigma(z);
        let error = f64::from(u8::from(is_right)) - p;
        for ((mean, precision), x) in self.mean.iter_mut().zip(&mut self.precision).zip(row) {
            let x = f64::from(x);
            *precision += weight * p * (1.0 - p) * x * x;
            *mean += weight * error * x / *precision;
        }
    }

    /// Takes one audited hit; an alarm halves the error that is aimed at.
    ///
    /// The e-process of the bet that hits are wrong more often than `target_error` (Waudby-Smith and Ramdas,
    /// 2024): it reaches 20 with probability at most 0.05 if they are not.
    pub fn audit(&mut self, is_right: bool) -> Option<Alarm> {
        const BET: f64 = 0.5;
        const LOG_ALARM: f64 = 2.995_732_273_553_991; // ln 20
        let wrong = f64::from(u8::from(!is_right));
        let gain = BET * (wrong / self.target_error - 1.0);
        self.log_e = (self.log_e + gain.max(-0.99).ln_1p()).max(0.0);
        if self.log_e < LOG_ALARM {
            return None;
        }
        let e_value = self.log_e.exp();
        self.log_e = 0.0;
        self.margin *= 0.5;
        Some(Alarm {
            target_error: self.target_error * self.margin,
            e_value,
        })
    }

    fn logit(&self, row: &[f32; N_PAIR_FEATURES]) -> (f64, f64) {
        let terms = row.iter().zip(self.mean.iter().zip(&self.precision));
        terms.fold((0.0, 0.0), |(z, variance), (x, (mean, precision))| {
            let x = f64::from(*x);
            (z + mean * x, variance + x * x / precision)
        })
    }

    /// All that was learned, as bytes.
    pub fn save(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for value in [self.target_error, self.margin, self.log_e] {
            writer.f64(value);
        }
        writer.f64s(&self.mean);
        writer.f64s(&self.precision);
        writer.seal(MAGIC, VERSION)
    }

    /// What was saved.
    ///
    /// # Errors
    ///
    /// A document that is cut, changed, of another version or not finite.
    pub fn load(document: &[u8]) -> Result<Self, LearnError> {
        let mut reader = Reader::open(document, MAGIC, VERSION)?;
        let mut posterior = Self::new(reader.f64()?)?;
        posterior.margin = within("margin", reader.f64()?, 0.0, 1.0, "restore a backup")?;
        posterior.log_e = reader.f64()?;
        for (values, what) in [
            (&mut posterior.mean, "mean"),
            (&mut posterior.precision, "precision"),
        ] {
            let read = reader.f64s(N_PAIR_FEATURES)?;
            *values = read.try_into().map_err(|_| LearnError::state(what))?;
        }
        reader.end()?;
        Ok(posterior)
    }
}
