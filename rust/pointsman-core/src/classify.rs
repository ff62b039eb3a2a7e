//! From [`Features`] to the [`TaskProfile`]: four linear heads with a softmax, and the facts that overrule them.
//!
//! The weights are chosen by hand and checked against `tests/axes.rs`.

use crate::features::{Features, Measure};
use crate::lexicon::Cue;
use crate::profile::{Axis, Complexity, Domain, LatencyClass, Structure, TaskProfile};
use crate::request::ResponseFormat;

/// A deadline this far away means that nobody waits, in seconds.
const BATCH_DEADLINE_S: f64 = 600.0;

/// What the request states outright; it overrules what is guessed from text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// The shape demanded of the answer.
    pub response_format: ResponseFormat,
    /// Whether the caller reads a stream.
    pub is_stream: bool,
    /// Whether the caller asked for the flex or batch tier.
    pub is_flex: bool,
    /// Seconds until the answer must be there.
    pub deadline_s: Option<f64>,
}

/// Classifies a request along the four axes.
///
/// # Example
///
/// ```
/// use pointsman_core::{Complexity, Conversation, Domain, Facts, Features, Request, Structure, classify};
///
/// let ask = |text| classify(&Features::extract(&Request::new(Conversation::user(text))), &Facts::default());
/// let code = ask("Write a Python function that merges two sorted lists.");
/// assert_eq!(code.domain.label, Domain::Code);
/// assert_eq!(code.structure.label, Structure::Code);
/// assert_eq!(ask("What is the capital of France?").complexity.label, Complexity::Lookup);
/// ```
pub fn classify(features: &Features, facts: &Facts) -> TaskProfile {
    let p = softmax(complexity(features));
    let complexity_axis = top(&Complexity::ALL, &p);
    TaskProfile {
        complexity: complexity_axis,
        complexity_score: 0.5 * p[1] + p[2],
        domain: top(&Domain::ALL, &softmax(domain(features))),
        structure: structure_axis(features, facts),
        latency: latency_axis(features, facts),
        n_input_tokens: features.n_input_tokens,
        language: features.language,
    }
}

/// Counts beyond this add nothing.
fn at_most(limit: f32, value: f32) -> f32 {
    value.min(limit)
}

/// A request for a title is a small transformation, whatever the conversation it quotes is about.
fn complexity(features: &Features) -> [f32; 3] {
    let cue = |cue| features.cue(cue);
    let words = features.measured(Measure::LogWords);
    let question = features.measured(Measure::EndsWithQuestion);
    let label = at_most(1.5, cue(Cue::AsLabel) + 0.5 * cue(Cue::Choice));
    let wordy_sum = if is_wordy_sum(features) { 2.0 } else { 0.0 };
    let math = at_most(2.0, cue(Cue::Math) + cue(Cue::LatexMark));
    let title = at_most(2.0, cue(Cue::Title));
    let makes_code = at_most(1.5, cue(Cue::AsCode) + cue(Cue::AsSql));
    [
        1.2 + 1.1 * at_most(2.0, cue(Cue::Lookup)) + 1.0 * label + 0.7 * question - 0.3 * words,
        0.3 + 1.1 * at_most(2.0, cue(Cue::Write)) + 0.6 * makes_code + 0.1 * words - 0.3 * label
            + 1.5 * title,
        -0.7 - 1.5 * title
            + 1.2 * at_most(2.5, cue(Cue::Reason))
            + 0.5 * math
            + wordy_sum
            + 0.25 * words,
    ]
}

/// A story with numbers that ends in a question: "she eats three of her 16 eggs ... how many are left?"
fn is_wordy_sum(features: &Features) -> bool {
    const MIN_NUMBERS: f32 = 3.0;
    const MIN_LOG_WORDS: f32 = 2.9; // 17 words
    let numbers = features.measured(Measure::Numbers);
    let number_words = at_most(4.0, features.cue(Cue::NumberWord));
    features.measured(Measure::EndsWithQuestion) > 0.0
        && numbers >= 1.0
        && numbers + 0.7 * number_words >= MIN_NUMBERS
        && features.measured(Measure::LogWords) >= MIN_LOG_WORDS
}

/// A bare sum: "what is 17 times 23?".
fn is_short_sum(features: &Features) -> bool {
    const MAX_LOG_WORDS: f32 = 2.2; // 8 words
    features.measured(Measure::Numbers) >= 2.0
        && features.measured(Measure::LogWords) <= MAX_LOG_WORDS
}

fn domain(features: &Features) -> [f32; 7] {
    let cue = |cue| features.cue(cue);
    let evidence = |value: f32| 1.4 * at_most(3.5, value);
    let sums = if is_wordy_sum(features) || is_short_sum(features) {
        1.0
    } else {
        0.0
    };
    let notation = 2.0 * features.measured(Measure::CodePunctShare).min(0.25);
    let code = cue(Cue::Code)
        + 0.6 * at_most(3.0, cue(Cue::CodeMark))
        + 0.6 * at_most(2.0, cue(Cue::Fence))
        + 0.6 * at_most(2.0, cue(Cue::AsCode) + cue(Cue::AsSql))
        + 0.5 * at_most(2.0, cue(Cue::SqlMark));
    [
        evidence(code + notation),
        evidence(cue(Cue::Math) + 0.8 * at_most(2.5, cue(Cue::LatexMark)) + sums),
        evidence(cue(Cue::Legal)),
        evidence(cue(Cue::Medical)),
        evidence(cue(Cue::Finance)),
        evidence(cue(Cue::Science)),
        1.1,
    ]
}

fn structure_axis(features: &Features, facts: &Facts) -> Axis<Structure> {
    if facts.response_format != ResponseFormat::Text {
        return Axis {
            label: Structure::Json,
            p: 1.0,
        };
    }
    top(&Structure::ALL, &softmax(structure(features)))
}

fn structure(features: &Features) -> [f32; 5] {
    let cue = |cue| features.cue(cue);
    let explains = at_most(2.0, cue(Cue::AsText));
    let writes = at_most(1.5, cue(Cue::Write));
    let words = features.measured(Measure::LogWords);
    let notes = at_most(1.5, 0.3 * (cue(Cue::CodeMark) + cue(Cue::Fence)));
    [
        1.6 + 1.5 * at_most(2.0, cue(Cue::Title)) + 0.8 * explains + 0.2 * writes,
        -1.0 + 1.8 * at_most(2.5, cue(Cue::AsJson)) + 0.2 * at_most(3.0, cue(Cue::JsonMark)),
        -1.2 + 1.7 * at_most(2.5, cue(Cue::AsSql)) + 0.4 * at_most(2.0, cue(Cue::SqlMark)),
        -0.6 + 1.6 * at_most(2.0, cue(Cue::AsCode))
            + notes
            + 0.3 * at_most(2.0, cue(Cue::Code)) * writes.min(1.0),
        -0.4 + 2.0 * at_most(2.0, cue(Cue::AsLabel)) + 1.6 * at_most(2.0, cue(Cue::Choice))
            - 0.1 * words,
    ]
}

fn latency_axis(features: &Features, facts: &Facts) -> Axis<LatencyClass> {
    let sure = |label| Axis { label, p: 1.0 };
    if facts.is_flex
        || facts
            .deadline_s
            .is_some_and(|deadline| deadline >= BATCH_DEADLINE_S)
    {
        return sure(LatencyClass::Batch);
    }
    if facts.is_stream || facts.deadline_s.is_some() {
        return sure(LatencyClass::Interactive);
    }
    let batch = -2.5 + 2.5 * at_most(2.0, features.cue(Cue::Batch));
    top(&LatencyClass::ALL, &softmax([0.0, batch]))
}

fn softmax<const N: usize>(logits: [f32; N]) -> [f64; N] {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = logits.map(|logit| f64::from(logit - greatest).exp());
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// The label of the greatest probability; the first of equals.
fn top<L: Copy>(labels: &[L], p: &[f64]) -> Axis<L> {
    let mut best = 0;
    for (index, value) in p.iter().enumerate() {
        if *value > p[best] {
            best = index;
        }
    }
    Axis {
        label: labels[best],
        p: p[best],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Conversation, Request};

    fn profile(facts: Facts) -> TaskProfile {
        classify(
            &Features::extract(&Request::new(Conversation::user(
                "no rush, overnight is fine",
            ))),
            &facts,
        )
    }

    #[test]
    fn facts_overrule_the_text() {
        assert_eq!(profile(Facts::default()).latency.label, LatencyClass::Batch);
        let stream = profile(Facts {
            is_stream: true,
            ..Facts::default()
        });
        assert_eq!(
            (stream.latency.label, stream.latency.p),
            (LatencyClass::Interactive, 1.0)
        );
        let late = profile(Facts {
            is_stream: true,
            deadline_s: Some(600.0),
            ..Facts::default()
        });
        assert_eq!(late.latency.label, LatencyClass::Batch);
        let schema = profile(Facts {
            response_format: ResponseFormat::JsonSchema,
            ..Facts::default()
        });
        assert_eq!(
            (schema.structure.label, schema.structure.p),
            (Structure::Json, 1.0)
        );
    }
}
