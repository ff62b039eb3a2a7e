//! [`Grader`]: how often a grader is right; [`Verdict`]: what it said of one answer.

use crate::learn_error::{LearnError, within};

/// A grader that passes good answers with probability `tpr` and bad ones with `fpr`, whatever the answer's score.
///
/// Where the share `alpha` of answers is bad it fails the share `(1 - tpr) + alpha (tpr - fpr)`, which rises with
/// `alpha` as long as `tpr > fpr`: that at most `alpha` is bad is tested on its verdicts at that level, exactly
/// (Rogan and Gladen 1978, turned round). The rates are taken as known.
///
/// # Example
///
/// ```
/// use pointsman_core::floor::Grader;
///
/// let judge = Grader::new(0.9, 0.25).unwrap();
/// assert!((judge.level(0.1) - 0.165).abs() < 1e-12);
/// assert_eq!(Grader::EXACT.level(0.1), 0.1);
/// assert!(Grader::new(0.3, 0.4).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grader {
    tpr: f64,
    fpr: f64,
}

/// A grader's verdict on one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Quality predicted of the answer, in `[0, 1]`.
    pub score: f64,
    /// How bad the grader found it, in `[0, 1]`; `None`: it was drawn to be graded, and no verdict came.
    pub loss: Option<f64>,
    /// Probability with which it came to be graded, in `[1e-6, 1]`; `None`: unknown, so it is watched and certifies
    /// nothing.
    pub audit_share: Option<f64>,
    /// Who graded.
    pub grader: Grader,
}

impl Grader {
    /// One whose word is the truth.
    pub const EXACT: Self = Self { tpr: 1.0, fpr: 0.0 };

    /// A grader with these rates.
    ///
    /// # Errors
    ///
    /// A rate outside `[0, 1]`, or `tpr` less than 0.01 above `fpr`.
    pub fn new(tpr: f64, fpr: f64) -> Result<Self, LearnError> {
        within("grader_tpr", tpr, 0.0, 1.0, "give a share in [0, 1]")?;
        let remedy = "give a share in [0, 1], at least 0.01 below grader_tpr";
        within("grader_fpr", fpr, 0.0, tpr - 0.01, remedy)?;
        Ok(Self { tpr, fpr })
    }

    /// Share of answers that it fails where the share `alpha` is bad.
    pub fn level(self, alpha: f64) -> f64 {
        (1.0 - self.tpr) + alpha * (self.tpr - self.fpr)
    }

    /// How bad an answer is by its word: right on average over many, and beyond `[0, 1]` for a single one.
    pub fn corrected(self, loss: f64) -> f64 {
        (loss - (1.0 - self.tpr)) / (self.tpr - self.fpr)
    }

    pub(super) fn rates(self) -> (f64, f64) {
        (self.tpr, self.fpr)
    }
}

impl Verdict {
    /// A verdict of an exact grader.
    pub fn exact(score: f64, loss: f64, audit_share: Option<f64>) -> Self {
        Self {
            score,
            loss: Some(loss),
            audit_share,
            grader: Grader::EXACT,
        }
    }

    pub(super) fn check(&self) -> Result<(), LearnError> {
        within("score", self.score, 0.0, 1.0, "give a quality in [0, 1]")?;
        let loss = self.loss.unwrap_or(1.0);
        within("loss", loss, 0.0, 1.0, "give a loss in [0, 1]")?;
        let share = self.audit_share.unwrap_or(1.0);
        let remedy = "give a probability in [1e-6, 1]";
        within("audit_share", share, 1e-6, 1.0, remedy)?;
        Ok(())
    }
}
