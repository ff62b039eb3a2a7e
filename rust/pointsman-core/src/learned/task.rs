//! [`Task`]: what the learners see of a request, the same when it is decided and when its outcome comes.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::vector::{FeatureVector, N_EMBEDDED, N_HAND};
use crate::length::OutputTokens;
use crate::length_model::LengthPrior;
use crate::profile::{Complexity, Domain, Structure, TaskProfile};
use crate::quality::N_PRIOR;
use crate::tokens::TokenFamily;

/// Length of [`Task::features`].
pub(super) const N_FEATURES: usize =
    2 + Complexity::ALL.len() + Domain::ALL.len() + Structure::ALL.len();
/// Length of [`Task::quality_features`]: what a decision has time for.
pub(super) const N_QUALITY_FEATURES: usize = 64;
/// Hand features among them, and dimensions of the embedding.
const N_HAND_SEEN: usize = 23;
const N_EMBEDDED_SEEN: usize = N_QUALITY_FEATURES - N_FEATURES - N_HAND_SEEN;
/// What outcomes of other slices count for at most, as outcomes of its own, where the caller names the task: tasks
/// differ as much as models' priors are wrong.
const N_ELSEWHERE_NAMED: f64 = N_PRIOR;
/// The same where only labels part the slices: ridge and neighbours read the text that labels are guessed from, and
/// what one request's grades say must not count three times. Chosen by `pointsman eval`.
const N_ELSEWHERE_LABELLED: f64 = 400.0;
const _: () = assert!(N_HAND_SEEN <= N_HAND && N_EMBEDDED_SEEN <= N_EMBEDDED);

/// The labels of a request, its size, the task's name and what is measured of its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) domain: Domain,
    pub(crate) complexity: Complexity,
    pub(crate) structure: Structure,
    pub(crate) n_input_tokens: u64,
    /// Share of bytes that are not ASCII, in [0, 1].
    pub(crate) foreign_share: f32,
    /// `None` for an outcome that came without: it teaches what can be taught by labels.
    pub(crate) vector: Option<&'a FeatureVector>,
}

impl<'a> Task<'a> {
    pub(crate) fn new(
        profile: &TaskProfile,
        name: Option<&'a str>,
        foreign_share: f32,
        vector: &'a FeatureVector,
    ) -> Self {
        Self {
            name,
            domain: profile.domain.label,
            complexity: profile.complexity.label,
            structure: profile.structure.label,
            n_input_tokens: profile.n_input_tokens,
            foreign_share,
            vector: Some(vector),
        }
    }

    /// The cell statistics are kept for: task x domain x complexity x structure.
    pub(super) fn slice(&self) -> u64 {
        let labels = [
            self.domain as u64,
            self.complexity as u64,
            self.structure as u64,
        ];
        let seed = labels.iter().fold(0, |seed, label| seed * 16 + label);
        // The seed's top bit keeps a task named "" apart from none.
        let seed = seed | u64::from(self.name.is_some()) << 63;
        xxh3_64_with_seed(self.name.unwrap_or_default().as_bytes(), seed)
    }

    /// What outcomes of other slices count for at most in this one.
    pub(super) fn n_elsewhere(&self) -> f64 {
        if self.name.is_some() {
            N_ELSEWHERE_NAMED
        } else {
            N_ELSEWHERE_LABELLED
        }
    }

    /// A constant, the input's size on a logarithmic scale, and a 1 for each label.
    pub(super) fn features(&self) -> [f32; N_FEATURES] {
        let mut features = [0.0; N_FEATURES];
        features[0] = 1.0;
        // Half of all prompts are within e^3 of e^6 tokens; chosen to stay near [-2, 2].
        features[1] = (((self.n_input_tokens as f64 + 1.0).ln() - 6.0) / 3.0) as f32;
        let domain = 2 + Complexity::ALL.len();
        let structure = domain + Domain::ALL.len();
        features[2 + self.complexity as usize] = 1.0;
        features[domain + self.domain as usize] = 1.0;
        features[structure + self.structure as usize] = 1.0;
        features
    }

    /// Input tokens as a model of that tokenizer counts them.
    pub(super) fn n_input_tokens_of(&self, family: TokenFamily) -> u64 {
        let ratio = f64::from(family.ratio(self.foreign_share));
        (self.n_input_tokens as f64 * ratio).round() as u64
    }

    /// [`Self::features`], hand features and the head of the embedding; zeros where nothing was measured.
    pub(super) fn quality_features(&self) -> [f32; N_QUALITY_FEATURES] {
        let mut features = [0.0; N_QUALITY_FEATURES];
        let (labels, text) = features.split_at_mut(N_FEATURES);
        labels.copy_from_slice(&self.features());
        if let Some(vector) = self.vector {
            let (hand, embedding) = text.split_at_mut(N_HAND_SEEN);
            hand.copy_from_slice(&vector.hand()[..N_HAND_SEEN]);
            embedding.copy_from_slice(&vector.embedding()[..N_EMBEDDED_SEEN]);
        }
        features
    }

    pub(super) fn output_tokens(&self) -> OutputTokens {
        OutputTokens::prior(self.structure, self.complexity)
    }

    pub(super) fn reasoning_tokens(&self) -> OutputTokens {
        OutputTokens::reasoning_prior(self.complexity)
    }

    pub(super) fn length_prior(&self) -> LengthPrior {
        prior(self.output_tokens())
    }

    pub(super) fn reasoning_prior(&self) -> LengthPrior {
        prior(self.reasoning_tokens())
    }
}

fn prior(OutputTokens { p50, p90, .. }: OutputTokens) -> LengthPrior {
    LengthPrior { p50, p90 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: Task<'_> = Task {
        name: None,
        domain: Domain::Code,
        complexity: Complexity::Lookup,
        structure: Structure::Text,
        n_input_tokens: 400,
        foreign_share: 0.0,
        vector: None,
    };

    #[test]
    fn every_label_and_the_name_make_a_slice_of_their_own() {
        let others = [
            Task {
                domain: Domain::Math,
                ..TASK
            },
            Task {
                complexity: Complexity::Reasoning,
                ..TASK
            },
            Task {
                structure: Structure::Json,
                ..TASK
            },
            Task {
                name: Some(""),
                ..TASK
            },
            Task {
                name: Some("invoices"),
                ..TASK
            },
        ];
        assert!(others.iter().all(|other| other.slice() != TASK.slice()));
        let longer = Task {
            n_input_tokens: 9,
            ..TASK
        };
        assert_eq!(longer.slice(), TASK.slice());
    }

    #[test]
    fn features_are_small_for_any_size() {
        for n_input_tokens in [0, 1, 1_000_000, u64::MAX] {
            let features = Task {
                n_input_tokens,
                ..TASK
            }
            .features();
            assert!(features.iter().all(|value| value.abs() < 15.0));
            assert_eq!(features.iter().filter(|value| **value == 1.0).count(), 4);
        }
    }
}
