//! From [`Features`] to the [`TaskProfile`]: four linear heads, the network that corrects them, a
//! softmax, and the facts that overrule it.

use crate::features::Features;
use crate::heads::{self, softmax};
use crate::profile::{Axis, Complexity, Domain, LatencyClass, Structure, TaskProfile};
use crate::refine;
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
    let logits = refine::refined(features, &heads::logits(features));
    let (complexity, domain, structure, latency) = heads::split(&logits);
    let p = softmax(complexity);
    TaskProfile {
        complexity: top(&Complexity::ALL, &p),
        complexity_score: 0.5 * p[1] + p[2],
        domain: top(&Domain::ALL, &softmax(domain)),
        structure: structure_axis(structure, facts),
        latency: latency_axis(latency, facts),
        n_input_tokens: features.n_input_tokens,
        language: features.language,
    }
}

fn structure_axis(logits: [f32; 5], facts: &Facts) -> Axis<Structure> {
    if facts.response_format != ResponseFormat::Text {
        return Axis {
            label: Structure::Json,
            p: 1.0,
        };
    }
    top(&Structure::ALL, &softmax(logits))
}

fn latency_axis(logits: [f32; 2], facts: &Facts) -> Axis<LatencyClass> {
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
    top(&LatencyClass::ALL, &softmax(logits))
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
                "Tag all 4,000 reviews overnight. Nobody is waiting, results by tomorrow are fine.",
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
