//! [`Features`]: what is measured of a whole conversation, newest message first, with decay.
//!
//! A bare "yes, do it" says nothing itself, so it lets almost all of what came before through; a message of
//! substance lets little through. System prompts count at a lower weight, tool results hardly at all.

use crate::catalog::{Capabilities, Capability};
use crate::lexicon::{Cue, N_CUES};
use crate::markers::Marks;
use crate::request::{Attachment, Conversation, Message, Request, ResponseFormat, Role};
use crate::text::{Class, TextStats, Windows};
use crate::tokens;

/// Bytes read of one conversation, newest first; what lies beyond is only measured by its length.
const BYTES_READ: usize = 28 * 1024;
/// Bytes of it kept for the system prompt, which comes first and would be read last.
const SYSTEM_BYTES_READ: usize = 4 * 1024;
const SYSTEM_WEIGHT: f32 = 0.3;
const ASSISTANT_WEIGHT: f32 = 0.3;
const TOOL_WEIGHT: f32 = 0.1;
/// What a message of full substance, and one of none, let through of the messages before.
const CARRY: (f32, f32) = (0.1, 0.9);
/// Below this weight a message is only counted for its tokens.
const MIN_WEIGHT: f32 = 0.03;

/// Language of a conversation, as ISO 639-1 codes; `und` when unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Language(&'static str);

impl Language {
    /// The code, e.g. `en`.
    pub fn code(self) -> &'static str {
        self.0
    }
}

/// The languages of the Latin cues, in the order of `Cue::En..=Cue::Nl`.
const LATIN: [&str; 7] = ["en", "es", "fr", "de", "it", "pt", "nl"];

/// Names of the features beyond the cues, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// ln(1 + words) of the last user message.
    LogWords,
    /// The last user message ends with a question mark.
    EndsWithQuestion,
    /// Numbers in the last user message, at most 12.
    Numbers,
    /// Share of digits, of code punctuation, of the last user message.
    DigitShare,
    CodePunctShare,
    /// ln(1 + bytes) of the whole conversation.
    LogBytes,
    /// Number of user messages, at most 10.
    UserTurns,
    HasTools,
}

const N_MEASURES: usize = Measure::HasTools as usize + 1;

/// What is measured of one request.
#[derive(Clone, Debug)]
pub struct Features {
    cues: [f32; N_CUES],
    measures: [f32; N_MEASURES],
    /// Estimated input tokens: messages, tools and schema.
    pub n_input_tokens: u64,
    /// Language of the user's messages.
    pub language: Language,
    /// What a model must be able to do.
    pub needs: Capabilities,
}

impl Features {
    /// Measures the request; `O(bytes)` up to a flat cap of 32 KiB read, plus `O(messages)`.
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
        let mut reading = Reading::new();
        reading.system(&request.conversation);
        reading.turns(&request.conversation);
        reading.measure(Measure::LogBytes, (reading.n_bytes as f32).ln_1p());
        reading.measure(Measure::HasTools, f32::from(u8::from(request.n_tools > 0)));
        let schema_bytes: usize = request
            .schema_texts
            .iter()
            .map(|text| text.as_ref().len() + 4)
            .sum();
        let n_tokens = reading.tokens(&request.conversation)
            + schema_bytes as f64 / tokens::BYTES_PER_SCHEMA_TOKEN;
        Self {
            cues: reading.cues,
            measures: reading.measures,
            n_input_tokens: n_tokens.ceil() as u64,
            language: reading.language(),
            needs: needs(request),
        }
    }

    pub(crate) fn cue(&self, cue: Cue) -> f32 {
        self.cues[cue as usize]
    }

    pub(crate) fn measured(&self, measure: Measure) -> f32 {
        self.measures[measure as usize]
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

/// The state of one reading.
struct Reading {
    cues: [f32; N_CUES],
    measures: [f32; N_MEASURES],
    scripts: [f32; SCRIPTS.len()],
    n_tokens: f64,
    n_bytes: usize,
    n_bytes_read: usize,
    n_unread_bytes: usize,
    budget: usize,
}

/// Scripts that tell a language, with the code each stands for.
const SCRIPTS: [(Class, &str); 8] = [
    (Class::Cyrillic, "ru"),
    (Class::Greek, "el"),
    (Class::Hebrew, "he"),
    (Class::Arabic, "ar"),
    (Class::Indic, "hi"),
    (Class::Kana, "ja"),
    (Class::Hangul, "ko"),
    (Class::Han, "zh"),
];

impl Reading {
    fn new() -> Self {
        Self {
            cues: [0.0; N_CUES],
            measures: [0.0; N_MEASURES],
            scripts: [0.0; SCRIPTS.len()],
            n_tokens: 0.0,
            n_bytes: 0,
            n_bytes_read: 0,
            n_unread_bytes: 0,
            budget: SYSTEM_BYTES_READ,
        }
    }

    fn measure(&mut self, measure: Measure, value: f32) {
        self.measures[measure as usize] = value;
    }

    fn system<S: AsRef<str>>(&mut self, conversation: &Conversation<S>) {
        for message in conversation
            .messages
            .iter()
            .filter(|message| is_system(message.role))
        {
            for text in &conversation.texts[message.texts.clone()] {
                self.read(text.as_ref(), SYSTEM_WEIGHT);
            }
        }
        self.budget = BYTES_READ;
    }

    /// Everything but system prompts, newest first.
    fn turns<S: AsRef<str>>(&mut self, conversation: &Conversation<S>) {
        let mut weight = 1.0;
        let mut n_user_turns = 0.0;
        for message in conversation
            .messages
            .iter()
            .rev()
            .filter(|message| !is_system(message.role))
        {
            let texts = &conversation.texts[message.texts.clone()];
            match message.role {
                Role::User => {
                    let substance = self.user(texts, weight, n_user_turns == 0.0);
                    weight *= CARRY.1 - (CARRY.1 - CARRY.0) * substance;
                    n_user_turns += 1.0;
                }
                Role::Assistant => texts.iter().for_each(|text| {
                    self.read(text.as_ref(), weight * ASSISTANT_WEIGHT);
                }),
                _ => texts.iter().for_each(|text| {
                    self.read(text.as_ref(), weight * TOOL_WEIGHT);
                }),
            }
            self.calls(conversation, message);
        }
        self.measure(Measure::UserTurns, f32::min(n_user_turns, 10.0));
    }

    /// Tool calls count for their tokens only.
    fn calls<S: AsRef<str>>(&mut self, conversation: &Conversation<S>, message: &Message) {
        for text in &conversation.calls[message.calls.clone()] {
            self.n_bytes += text.as_ref().len();
            self.n_tokens += text.as_ref().len() as f64 / tokens::BYTES_PER_SCHEMA_TOKEN;
        }
    }

    /// Reads a user message and returns its substance in [0, 1]: how much it says by itself.
    fn user<S: AsRef<str>>(&mut self, texts: &[S], weight: f32, is_last: bool) -> f32 {
        let mut substance = 0.0;
        for text in texts {
            let Some((stats, marks)) = self.read(text.as_ref(), weight) else {
                continue;
            };
            substance += marks
                .as_ref()
                .map_or(0.0, |marks| own_substance(&stats, marks));
            if is_last {
                self.last(&stats);
            }
            for (script, (class, _)) in self.scripts.iter_mut().zip(SCRIPTS) {
                *script += weight * stats.share(class);
            }
        }
        f32::min(substance, 1.0)
    }

    /// Adds up over the parts of the last user message.
    fn last(&mut self, stats: &TextStats) {
        let code_punct = stats.share(Class::CodePunct);
        self.measures[Measure::LogWords as usize] += (stats.n_words as f32).ln_1p();
        self.measures[Measure::Numbers as usize] += f32::min(stats.n_numbers as f32, 12.0);
        self.measure(
            Measure::EndsWithQuestion,
            f32::from(u8::from(stats.ends_with_question)),
        );
        self.measure(Measure::DigitShare, stats.share(Class::Digit));
        self.measure(Measure::CodePunctShare, code_punct);
    }

    /// Reads one text within the budget; cues only where the weight is worth it.
    fn read(&mut self, text: &str, weight: f32) -> Option<(TextStats, Option<Marks>)> {
        self.n_bytes += text.len();
        let windows = Windows::of(text, self.budget);
        if windows.n_read() == 0 {
            self.n_unread_bytes += text.len();
            return None;
        }
        self.budget -= windows.n_read();
        self.n_bytes_read += text.len();
        let stats = TextStats::of(&windows);
        self.n_tokens += tokens::estimate(&stats);
        let marks = (weight >= MIN_WEIGHT).then(|| Marks::of(&windows));
        if let Some(marks) = &marks {
            for (sum, count) in self.cues.iter_mut().zip(marks.cues) {
                *sum += weight * count;
            }
        }
        Some((stats, marks))
    }

    /// Tokens of all messages; unread texts at the density of those read.
    fn tokens<S>(&self, conversation: &Conversation<S>) -> f64 {
        let density = if self.n_bytes_read == 0 {
            0.25
        } else {
            self.n_tokens / self.n_bytes_read as f64
        };
        let of = |attachment, tokens| f64::from(conversation.n_attachments(attachment)) * tokens;
        self.n_tokens
            + density * self.n_unread_bytes as f64
            + tokens::TOKENS_PER_MESSAGE * conversation.len() as f64
            + of(Attachment::Image, tokens::TOKENS_PER_IMAGE)
            + of(Attachment::Audio, tokens::TOKENS_PER_AUDIO)
            + of(Attachment::File, tokens::TOKENS_PER_FILE)
    }

    fn language(&self) -> Language {
        // Kana and Hangul tell more than the Han they are mixed with; SCRIPTS is in that order.
        let script = SCRIPTS
            .iter()
            .zip(self.scripts)
            .find(|(_, share)| *share > 0.1);
        if let Some(((_, code), _)) = script {
            return Language(code);
        }
        let counts = &self.cues[Cue::En as usize..=Cue::Nl as usize];
        let (mut best, mut most) = ("und", 0.0);
        for (code, count) in LATIN.iter().zip(counts) {
            if *count > most {
                (best, most) = (code, *count);
            }
        }
        Language(best)
    }
}

fn is_system(role: Role) -> bool {
    matches!(role, Role::System | Role::Developer)
}

/// How much a message says by itself, in [0, 1]: its length and its cues, less where it points back.
fn own_substance(stats: &TextStats, marks: &Marks) -> f32 {
    let topics: f32 = [
        Cue::Lookup,
        Cue::Reason,
        Cue::Write,
        Cue::Code,
        Cue::Math,
        Cue::Legal,
        Cue::Medical,
        Cue::Finance,
        Cue::Science,
    ]
    .iter()
    .map(|cue| marks.get(*cue))
    .sum();
    let own = stats.n_words as f32 / 20.0 + 0.4 * f32::min(topics, 2.0);
    let points_back = marks.get(Cue::Refer) > 0.0 || marks.get(Cue::Affirm) > 0.0;
    let is_short = stats.n_words <= 14;
    f32::min(
        if points_back && is_short {
            own * 0.3
        } else {
            own
        },
        1.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
