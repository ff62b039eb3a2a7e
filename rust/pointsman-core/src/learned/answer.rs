//! [`Answer`]: how long a model's answer is expected to be, what reasoning comes before it, and how both are learned.

use super::Learned;
use super::outcome::Outcome;
use super::task::Task;
use crate::catalog::{Capability, Model};
use crate::error::Error;
use crate::learn_error::LearnError;
use crate::length::OutputTokens;
use crate::quality::Quality;

/// What is expected of a model's answer, the same of all its deployments.
pub(super) struct Answer {
    pub(super) prior: Quality,
    pub(super) output_tokens: OutputTokens,
    pub(super) reasoning_tokens: f64,
    pub(super) n_input_tokens: u64,
}

impl Learned {
    /// What is expected of a model wherever it runs.
    pub(super) fn answer(
        &self,
        task: &Task<'_>,
        features: &[f32],
        (index, model): (usize, &Model),
        output_tokens: OutputTokens,
    ) -> Result<Answer, Error> {
        let reasoning = self.reasoning_tokens(task, features, index, model)?;
        Ok(Answer {
            prior: model
                .quality
                .predict(task.domain, task.complexity, task.name),
            output_tokens: reasoning.map_or(output_tokens, |one| output_tokens.after(one)),
            reasoning_tokens: reasoning.map_or(0.0, |one| one.mean),
            n_input_tokens: task.n_input_tokens_of(model.tokenizer),
        })
    }

    pub(super) fn output_tokens(
        &self,
        task: &Task<'_>,
        features: &[f32],
        model: usize,
    ) -> Result<OutputTokens, Error> {
        let length = self.lengths.predict(features, model, task.length_prior())?;
        Ok(length.into())
    }

    /// Of a model that can reason, or did; `None` of any other.
    fn reasoning_tokens(
        &self,
        task: &Task<'_>,
        features: &[f32],
        index: usize,
        model: &Model,
    ) -> Result<Option<OutputTokens>, Error> {
        if !self.may_reason(index, model) {
            return Ok(None);
        }
        if self.reasonings.is_empty() {
            return Ok(Some(task.reasoning_tokens()));
        }
        let prior = task.reasoning_prior();
        let length = self.reasonings.predict(features, index, prior)?;
        Ok(Some(length.into()))
    }

    fn may_reason(&self, index: usize, model: &Model) -> bool {
        let is_flagged = model.capabilities.contains(Capability::Reasoning);
        is_flagged || self.reasonings.n_outcomes(index) > 0.0
    }

    /// Learns the answer's length and what reasoning came before it, each by itself.
    pub(super) fn observe_length<S>(
        &mut self,
        task: &Task<'_>,
        features: &[f32],
        (index, model): (usize, &Model),
        (n_tokens, outcome): (u64, &Outcome<S>),
        now_s: f64,
    ) -> Result<(), LearnError> {
        let n_reasoning = outcome.n_reasoning_tokens;
        let n_said = n_tokens.saturating_sub(n_reasoning);
        // Cut while it reasoned, an answer says nothing of its own length.
        let is_cut_early = outcome.is_cut && n_said == 0;
        if n_reasoning > 0 || self.may_reason(index, model) {
            let prior = task.reasoning_prior();
            let n_reasoning = n_reasoning as f64;
            self.reasonings
                .observe(features, index, prior, n_reasoning, is_cut_early, now_s)?;
        }
        if n_reasoning > 0 && is_cut_early {
            return Ok(());
        }
        let (prior, n_said) = (task.length_prior(), n_said as f64);
        self.lengths
            .observe(features, index, prior, n_said, outcome.is_cut, now_s)
    }
}
