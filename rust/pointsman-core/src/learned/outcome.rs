//! [`Outcome`]: what came of a decision.

use super::task::Task;
use super::vector::FeatureVector;
use crate::error::Error;
use crate::floor::{Grader, Verdict};
use crate::learn_error::LearnError;
use crate::profile::{Complexity, Domain, Structure};
use crate::session::SessionPrefix;

/// A reward counts at most for so many: a wrong weight must not drown a year of outcomes.
pub(super) const MAX_WEIGHT: f64 = 100.0;

/// What came of one call: how long it took, how long the answer was, how good. What is absent is not learned from.
///
/// # Example
///
/// ```
/// use pointsman_core::{Complexity, Domain, Outcome, Structure};
///
/// let graded = Outcome {
///     reward: Some(1.0),
///     ..Outcome::new("m@p", Domain::Code, Complexity::Generation, Structure::Code)
/// };
/// assert_eq!(graded.latency_ms, None);
/// ```
#[derive(Clone, Debug)]
pub struct Outcome<S> {
    /// Name of the deployment that was called.
    pub deployment: S,
    /// Name the caller gave the task, if any.
    pub task: Option<S>,
    /// The decision's label.
    pub domain: Domain,
    /// The decision's label.
    pub complexity: Complexity,
    /// The decision's label.
    pub structure: Structure,
    /// The decision's features; without them a reward teaches only what labels can tell.
    pub features: Option<FeatureVector>,
    /// Input tokens.
    pub n_input_tokens: u64,
    /// Those of them read from the provider's prompt cache; `None`: not reported.
    pub n_cached_input_tokens: Option<u64>,
    /// Those of them written to it.
    pub n_cache_write_tokens: u64,
    /// Output tokens of one answer, reasoning included.
    pub n_output_tokens: Option<u64>,
    /// Those of them spent on reasoning; 0 where they are not told apart.
    pub n_reasoning_tokens: u64,
    /// The conversation it answered, if the request named a session: it is warm there now.
    pub prefix: Option<SessionPrefix>,
    /// Whether the answer was cut short, so that its true length is only known to be larger.
    pub is_cut: bool,
    /// Time to the first token; `None` if the answer came in one piece.
    pub ttft_ms: Option<f64>,
    /// Time to the last token, or to the failure.
    pub latency_ms: Option<f64>,
    /// Whether the call failed.
    pub is_error: bool,
    /// How good the answer was, in [0, 1].
    pub reward: Option<f64>,
    /// How good a grader whose word counts for floors found the answer, in [0, 1]; `None` with an `audit_share`: the
    /// reward is the verdict, and if there is none either, the audit brought none.
    pub verdict: Option<f64>,
    /// Probability with which this call came to be graded, in (0, 1]: 1 if every call like it is, the share of a
    /// random audit. `None`: unknown; a verdict is then watched, and no floor is certified by it.
    pub audit_share: Option<f64>,
    /// Name of the grader; another one's verdicts start the slice's floors anew.
    pub grader: Option<S>,
    /// Share of the good and of the bad answers that the grader passes, in [0, 1].
    pub grader_rates: (f64, f64),
    /// The quality predicted of it by the decision; `None`: what is predicted now.
    pub predicted_quality: Option<f64>,
    /// What the reward counts for, in [0, 100]: 1 for one outcome.
    pub weight: f64,
    /// The reward that was learned of the same answer before, with the same weight, and that `reward` replaces.
    pub replaces: Option<f64>,
    /// Whether the weight comes on top of that with which the same answer was learned before: it teaches, and is no
    /// further answer to whoever counts answers.
    pub is_top_up: bool,
}

impl<S: AsRef<str>> Outcome<S> {
    /// What the floors are told, and by whom; `None`: nothing.
    pub(super) fn verdict(&self, score: f64) -> Result<Option<Verdict>, LearnError> {
        let (tpr, fpr) = self.grader_rates;
        let grader = Grader::new(tpr, fpr)?;
        let is_audited = self.audit_share.is_some();
        let value = self.verdict.or(self.reward.filter(|_| is_audited));
        Ok((is_audited || value.is_some()).then_some(Verdict {
            score,
            loss: value.map(|value| 1.0 - value),
            audit_share: self.audit_share,
            grader,
        }))
    }

    /// An outcome of which nothing is known yet.
    pub fn new(
        deployment: S,
        domain: Domain,
        complexity: Complexity,
        structure: Structure,
    ) -> Self {
        Self {
            deployment,
            task: None,
            domain,
            complexity,
            structure,
            features: None,
            n_input_tokens: 0,
            n_cached_input_tokens: None,
            n_cache_write_tokens: 0,
            n_output_tokens: None,
            n_reasoning_tokens: 0,
            prefix: None,
            is_cut: false,
            ttft_ms: None,
            latency_ms: None,
            is_error: false,
            reward: None,
            verdict: None,
            audit_share: None,
            grader: None,
            grader_rates: (1.0, 0.0),
            predicted_quality: None,
            weight: 1.0,
            replaces: None,
            is_top_up: false,
        }
    }

    pub(super) fn task(&self) -> Task<'_> {
        Task {
            name: self.task.as_ref().map(AsRef::as_ref),
            domain: self.domain,
            complexity: self.complexity,
            structure: self.structure,
            n_input_tokens: self.n_input_tokens,
            foreign_share: 0.0,
            vector: self.features.as_ref(),
        }
    }

    /// Refuses what is NaN, out of range or contradicts itself, before anything is learned.
    pub(super) fn check(&self) -> Result<(), Error> {
        let remedy = "give milliseconds in [0, 1e9], or None";
        within("ttft_ms", self.ttft_ms, 1e9, remedy)?;
        within("latency_ms", self.latency_ms, 1e9, remedy)?;
        within(
            "reward",
            self.reward,
            1.0,
            "give a reward in [0, 1], or None",
        )?;
        let remedy = "give a verdict in [0, 1], or None";
        within("verdict", self.verdict, 1.0, remedy)?;
        let remedy = "give a probability above 0 and at most 1, or None";
        within("audit_share", self.audit_share, 1.0, remedy)?;
        if let Some(share) = self.audit_share.filter(|share| *share < 1e-6) {
            return Err(Error::invalid("audit_share", share, remedy));
        }
        Grader::new(self.grader_rates.0, self.grader_rates.1)?;
        let remedy = "give a quality in [0, 1], or None";
        within("predicted_quality", self.predicted_quality, 1.0, remedy)?;
        let remedy = "give a weight in [0, 100]";
        within("weight", Some(self.weight), MAX_WEIGHT, remedy)?;
        let remedy = "give the reward learned before, in [0, 1], or None";
        within("replaces", self.replaces, 1.0, remedy)?;
        let n_output_tokens = self.n_output_tokens.map(|n| n as f64);
        within(
            "n_output_tokens",
            n_output_tokens,
            1e9,
            "give at most 1e9, or None",
        )?;
        self.check_parts()?;
        match (self.ttft_ms, self.latency_ms) {
            (Some(ttft_ms), Some(latency_ms)) if ttft_ms > latency_ms => {
                let remedy = format!("give at most latency_ms {latency_ms}");
                Err(Error::invalid("ttft_ms", ttft_ms, remedy))
            }
            (Some(ttft_ms), None) => {
                let remedy = "give latency_ms too, or None";
                Err(Error::invalid("ttft_ms", ttft_ms, remedy))
            }
            _ => Ok(()),
        }
    }
}

impl<S> Outcome<S> {
    /// Parts of the input and of the output are at most the whole.
    fn check_parts(&self) -> Result<(), Error> {
        let n_cached = self.n_cached_input_tokens.unwrap_or(0);
        let rest = self.n_input_tokens.saturating_sub(n_cached);
        let n_output = self.n_output_tokens.unwrap_or(0);
        let parts = [
            ("n_cached_input_tokens", n_cached, self.n_input_tokens),
            ("n_cache_write_tokens", self.n_cache_write_tokens, rest),
            ("n_reasoning_tokens", self.n_reasoning_tokens, n_output),
        ];
        match parts.iter().find(|(_, part, whole)| part > whole) {
            Some((field, part, whole)) => {
                let remedy = format!("give at most what it is a part of, {whole}");
                Err(Error::invalid(*field, part, remedy))
            }
            None => Ok(()),
        }
    }
}

pub(super) fn within(
    field: &str,
    value: Option<f64>,
    most: f64,
    remedy: &str,
) -> Result<(), Error> {
    match value {
        Some(value) if !(0.0..=most).contains(&value) => Err(Error::invalid(field, value, remedy)),
        _ => Ok(()),
    }
}
