//! [`Features`]: what is measured of a whole conversation, newest message first, with decay.
//!
//! A bare "yes, do it" says nothing itself, so it lets almost all of what came before through; a message of
//! substance lets little through. System prompts count at a lower weight, tool results hardly at all.

mod language;
mod lesson;
mod memory;
mod reading;
mod themes;

use crate::catalog::{Capabilities, Capability};
use crate::embed::DIM;
use crate::grams::{Grams, Run};
use crate::lexicon::{Cue, N_CUES};
use crate::request::{Attachment, Request, ResponseFormat};
use crate::tokens;
pub use language::Language;
use language::SCRIPTS;
#[cfg(test)]
pub(crate) use lesson::plain_words;
use memory::Memory;
use reading::Reading;
use themes::N_THEME_FEATURES;

/// Names of the measures, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// ln(1 + words) and ln(1 + bytes) of the last user message.
    LogWords,
    LogLastBytes,
    /// The last user message ends with a question mark.
    EndsWithQuestion,
    /// Numbers in the last user message, at most 12.
    Numbers,
    /// Shares of the last user message: digits, code punctuation, line ends, capitals, bytes that are not ASCII.
    DigitShare,
    CodePunctShare,
    NewlineShare,
    UpperShare,
    ForeignShare,
    /// How much the last user message says by itself, in [0, 1].
    Substance,
    /// A story with numbers that ends in a question; a bare sum.
    WordySum,
    ShortSum,
    /// ln(1 + bytes) of the whole conversation, and of its system prompts.
    LogBytes,
    LogSystemBytes,
    /// Numbers of user and tool messages, at most 10.
    UserTurns,
    ToolTurns,
    HasTools,
    HasSchema,
}

const N_MEASURES: usize = Measure::HasSchema as usize + 1;

/// Number of the dense features that come before the embeddings: what is measured.
pub(crate) const N_MEASURED: usize = 3 * N_CUES + N_THEME_FEATURES + N_MEASURES + SCRIPTS.len();
/// Number of the dense features.
pub(crate) const N_DENSE: usize = N_MEASURED + 2 * DIM;

/// What is measured of one request.
#[derive(Clone, Debug)]
pub struct Features {
    dense: Box<[f32; N_DENSE]>,
    grams: Grams,
    /// Input tokens: messages, tools and schema.
    pub n_input_tokens: u64,
    /// Language of the user's messages.
    pub language: Language,
    /// What a model must be able to do.
    pub needs: Capabilities,
}

impl Features {
    /// Measures the request; `O(bytes)` up to a flat cap of some 16 KiB read, plus `O(messages)`.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::{Conversation, Features, Request};
    ///
    /// let features = Features::extract(&Request::new(Conversation::user("¿Cuál es la capital de Francia?")));
    /// assert_eq!(features.language.code(), "es");
    /// assert!((5..=20).contains(&features.n_input_tokens));
    /// ```
    pub fn extract<S: AsRef<str>>(request: &Request<S>) -> Self {
        memory::with(|memory| Self::read(request, memory))
    }

    fn read<S: AsRef<str>>(request: &Request<S>, memory: &mut Memory) -> Self {
        let mut reading = Reading::new(memory);
        reading.system(&request.conversation);
        reading.turns(&request.conversation);
        reading.measure(Measure::HasTools, f32::from(u8::from(request.n_tools > 0)));
        let has_schema = request.response_format == ResponseFormat::JsonSchema;
        reading.measure(Measure::HasSchema, f32::from(u8::from(has_schema)));
        let schema_bytes: usize = request
            .schema_texts
            .iter()
            .map(|text| text.as_ref().len() + 4)
            .sum();
        let n_tokens = reading.tokens(&request.conversation)
            + schema_bytes as f64 / tokens::BYTES_PER_SCHEMA_TOKEN;
        Self {
            n_input_tokens: n_tokens.ceil() as u64,
            language: reading.language(),
            needs: needs(request),
            dense: reading.dense(),
            grams: reading.into_grams(),
        }
    }

    /// Cues of the conversation, of its last message and of its system prompts; measures; shares of scripts; themes;
    /// embeddings of the conversation and of its system prompts.
    pub fn dense(&self) -> &[f32] {
        &self.dense[..]
    }

    /// The dense features without the embeddings.
    pub(crate) fn measured(&self) -> &[f32; N_MEASURED] {
        let measured = self.dense.first_chunk();
        // The measured are fewer than the dense.
        measured.unwrap_or(&[0.0; N_MEASURED])
    }

    /// Share of the last user message's bytes that are not ASCII, in [0, 1].
    pub(crate) fn foreign_share(&self) -> f32 {
        self.dense[3 * N_CUES + Measure::ForeignShare as usize]
    }

    /// A cue's count over the whole conversation, faded.
    pub(crate) fn cue(&self, cue: Cue) -> f32 {
        self.dense[cue as usize]
    }

    pub(crate) fn measure(&self, measure: Measure) -> f32 {
        self.dense[3 * N_CUES + measure as usize]
    }

    /// Embedding of the conversation without its system prompts: of unit length, or zero where there is no text.
    pub fn embedding(&self) -> &[f32] {
        &self.dense[N_DENSE - 2 * DIM..N_DENSE - DIM]
    }

    /// The same text by text, as [`Grams::runs`] gives them.
    pub(crate) fn gram_runs(&self) -> impl Iterator<Item = Run<'_>> {
        self.grams.runs()
    }

    /// Buckets of hashed n-grams with their weights, a vector of unit length for each of the last
    /// message, the turns before and the system prompts; a bucket may occur in each.
    pub fn grams(&self) -> impl Iterator<Item = (u32, f32)> {
        self.grams.iter()
    }
}

/// What the request demands of a model.
fn needs<S: AsRef<str>>(request: &Request<S>) -> Capabilities {
    let conversation = &request.conversation;
    let has = |attachment| conversation.n_attachments(attachment) > 0;
    let asks = |name| {
        request
            .parameters
            .iter()
            .any(|parameter| parameter.as_ref() == name)
    };
    let demands = [
        // `functions` is what tools were called before; it is passed on as it came.
        (Capability::Tools, request.n_tools > 0 || asks("functions")),
        (Capability::Vision, has(Attachment::Image)),
        (Capability::Audio, has(Attachment::Audio)),
        (Capability::Pdf, has(Attachment::File)),
        (
            Capability::JsonObject,
            request.response_format == ResponseFormat::JsonObject,
        ),
        (
            Capability::JsonSchema,
            request.response_format == ResponseFormat::JsonSchema,
        ),
        // Few price lists say who has them, and an answer without is still an answer: a need only on demand.
        (
            Capability::Logprobs,
            request.preferences.require_parameters && (asks("logprobs") || asks("top_logprobs")),
        ),
    ];
    let demanded = demands.iter().filter(|(_, is_demanded)| *is_demanded);
    demanded.fold(Capabilities::default(), |set, (capability, _)| {
        set.with(*capability)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Conversation;

    #[test]
    fn functions_the_older_name_of_tools_demand_tools() {
        let mut request = Request::new(Conversation::user("What is the weather?"));
        let needs_tools = |request: &Request<&str>| {
            let needs = Features::extract(request).needs;
            needs.contains(Capability::Tools)
        };
        assert!(!needs_tools(&request));
        request.parameters = vec!["temperature", "functions"];
        assert!(needs_tools(&request));
    }
}
