//! [`Posterior`]: how likely a stored answer is right for an asked text, and whether that is sure enough to serve.

use super::audit::Audit;
use super::pair::{N_PAIR_FEATURES, pair_features};
use super::reading::Reading;
use super::weights::Weights;
use crate::codec::{Reader, Writer};
use crate::learn_error::{LearnError, within};
use crate::logistic::sigma;

const MAGIC: [u8; 4] = *b"PMCP";
const VERSION: u32 = 2;
/// Standard deviations between the estimate of the logit and its lower bound: one-sided 90 %.
const Z: f64 = 1.28;
/// Graded hits that the pooled estimate weighs in an entry's own share of right answers (chosen).
const ENTRY_STRENGTH: f64 = 10.0;
/// What an alarm leaves of the error aimed at, and the least that is left after many.
const ALARM_FACTOR: f64 = 0.5;
const LEAST_MARGIN: f64 = 1.0 / 64.0;

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

impl Judgement {
    /// Of a pair that the guard vetoes.
    const NEVER: Self = Self {
        p: 0.0,
        lower_bound: 0.0,
        serves: false,
    };
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
    weights: Weights,
    audit: Audit,
}

impl Posterior {
    /// A posterior that serves at most `target_error` wrong answers a hit, in `[0.0001, 0.5]`.
    ///
    /// # Errors
    ///
    /// A `target_error` outside that range.
    pub fn new(target_error: f64) -> Result<Self, LearnError> {
        let remedy = "give the share of hits that may be wrong, in [0.0001, 0.5]";
        Ok(Self {
            target_error: within("target_error", target_error, 1e-4, 0.5, remedy)?,
            margin: 1.0,
            weights: Weights::default(),
            audit: Audit::default(),
        })
    }

    /// The same knowledge aimed at another share of wrong hits; an alarm's margin stays.
    ///
    /// # Errors
    ///
    /// A `target_error` outside the range of [`new`](Self::new).
    pub fn with_target_error(self, target_error: f64) -> Result<Self, LearnError> {
        let target_error = Self::new(target_error)?.target_error;
        Ok(Self {
            target_error,
            ..self
        })
    }

    /// The share of wrong hits aimed at now: `target_error`, less what alarms took away.
    pub fn aim(&self) -> f64 {
        self.target_error * self.margin
    }

    /// How likely the stored answer is right for the asked text.
    ///
    /// `similarity` is the cosine of the embeddings. A pair that the guard vetoes has `p` 0. The entry's own
    /// evidence is a Beta update of the pooled estimate, so that few observations move little.
    pub fn judge(
        &self,
        stored: &Reading,
        asked: &Reading,
        similarity: f32,
        evidence: Evidence,
    ) -> Judgement {
        let row = pair_features(stored, asked, similarity);
        row.map_or(Judgement::NEVER, |row| self.weigh(&row, evidence))
    }

    /// The judgement of a pair with these features.
    pub(super) fn weigh(&self, row: &[f32; N_PAIR_FEATURES], evidence: Evidence) -> Judgement {
        let (n_right, n_wrong) = (f64::from(evidence.n_right), f64::from(evidence.n_wrong));
        let blend = |p: f64| (p * ENTRY_STRENGTH + n_right) / (ENTRY_STRENGTH + n_right + n_wrong);
        let (z, variance) = self.weights.logit(row);
        let p = blend(sigma(z));
        let lower_bound = blend(sigma(z - Z * variance.sqrt()));
        let serves = lower_bound >= 1.0 - self.aim();
        Judgement {
            p: p as f32,
            lower_bound: lower_bound as f32,
            serves,
        }
    }

    /// Learns from a pair whose stored answer was found right or wrong, with a weight in `[0, 1]`.
    ///
    /// A pair that the guard vetoes teaches nothing: it is never served.
    pub fn observe(
        &mut self,
        stored: &Reading,
        asked: &Reading,
        similarity: f32,
        is_right: bool,
        weight: f64,
    ) {
        if let Some(row) = pair_features(stored, asked, similarity) {
            let weight = if weight.is_finite() {
                weight.clamp(0.0, 1.0)
            } else {
                0.0
            };
            self.weights.observe(&row, is_right, weight);
        }
    }

    /// Takes one graded hit; an alarm halves the error that is aimed at.
    ///
    /// While hits are wrong no more often than `target_error`, an alarm sounds with probability at most 0.05.
    pub fn audit(&mut self, is_right: bool) -> Option<Alarm> {
        let e_value = self.audit.observe(self.target_error, is_right)?;
        self.margin = (self.margin * ALARM_FACTOR).max(LEAST_MARGIN);
        Some(Alarm {
            target_error: self.aim(),
            e_value,
        })
    }

    /// All that was learned, as bytes.
    pub fn save(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.f64(self.target_error);
        writer.f64(self.margin);
        self.weights.save(&mut writer);
        writer.f64s(&self.audit.log_wealth);
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
        posterior.margin = within(
            "margin",
            reader.f64()?,
            LEAST_MARGIN,
            1.0,
            "restore a backup",
        )?;
        posterior.weights = Weights::load(&mut reader)?;
        let n_bets = posterior.audit.log_wealth.len();
        posterior
            .audit
            .log_wealth
            .copy_from_slice(&reader.f64s(n_bets)?);
        reader.end()?;
        Ok(posterior)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: (&str, &str) = ("List 3 facts about Mars.", "Give me 3 facts about Mars.");

    fn judged(posterior: &Posterior, evidence: Evidence) -> Judgement {
        posterior.judge(&Reading::new(PAIR.0), &Reading::new(PAIR.1), 0.95, evidence)
    }

    #[test]
    fn wrong_hits_of_an_entry_and_of_all_lower_the_bound() {
        let mut posterior = Posterior::new(0.02).unwrap();
        let fresh = judged(&posterior, Evidence::default());
        let blamed = Evidence {
            n_right: 0.0,
            n_wrong: 1.0,
        };
        assert!(judged(&posterior, blamed).lower_bound < fresh.lower_bound - 0.05);
        for _ in 0..20 {
            posterior.observe(
                &Reading::new(PAIR.0),
                &Reading::new(PAIR.1),
                0.95,
                false,
                1.0,
            );
        }
        assert!(judged(&posterior, Evidence::default()).p < fresh.p);
        assert!(!judged(&posterior, Evidence::default()).serves);
    }

    #[test]
    fn an_alarm_raises_the_margin_and_all_survives_saving() {
        let mut posterior = Posterior::new(0.01).unwrap();
        let alarm = (0..20).find_map(|_| posterior.audit(false)).unwrap();
        assert!(alarm.e_value >= 20.0 && (posterior.aim() - 0.005).abs() < 1e-12);
        posterior.observe(
            &Reading::new(PAIR.0),
            &Reading::new(PAIR.1),
            0.95,
            true,
            1.0,
        );
        let saved = posterior.save();
        assert_eq!(Posterior::load(&saved).unwrap(), posterior);
        assert!(Posterior::load(&saved[..saved.len() - 1]).is_err());
    }

    #[test]
    fn a_target_outside_its_range_is_refused() {
        for target in [0.0, 0.6, f64::NAN] {
            assert!(Posterior::new(target).is_err(), "{target}");
        }
    }
}
