//! One reading of a conversation: texts in the order of what they say about the task, each with a weight.

use crate::embed::{DIM, Embedding, make_unit};
use crate::grams::{Grams, Space};
use crate::lexicon::{Cue, N_CUES};
use crate::markers::Marks;
use crate::request::{Attachment, Conversation, Message, Role};
use crate::scaffold;
use crate::text::{Class, TextStats, Windows};
use crate::tokens;

use super::language::{Language, SCRIPTS};
use super::memory::Memory;
use super::themes::Themes;
use super::{Measure, N_DENSE, N_MEASURES};

/// Bytes read of one conversation, newest first; what lies beyond is only measured by its length.
const BYTES_READ: usize = 8 * 1024;
/// Bytes of it whose tokens are counted; the rest is taken to be as dense.
const BYTES_COUNTED: usize = 12 * 1024;
/// A sample smaller than this says too little of a text's density.
const MIN_SAMPLE_BYTES: usize = 512;
/// Bytes of it kept for the system prompt, which comes first and would be read last.
const SYSTEM_BYTES_READ: usize = 4 * 1024;
/// Bytes of a conversation that are embedded and cut to n-grams, and of its system prompts.
const BYTES_EMBEDDED: usize = 6 * 1024;
const SYSTEM_BYTES_EMBEDDED: usize = 3 * 1024;
const SYSTEM_WEIGHT: f32 = 0.3;
const ASSISTANT_WEIGHT: f32 = 0.3;
const TOOL_WEIGHT: f32 = 0.1;
/// What a message of full substance, and one of none, let through of the messages before.
const CARRY: (f32, f32) = (0.1, 0.9);
/// What a message that says nothing by itself keeps of its weight in embedding and n-grams; chosen.
const PLAIN_SHARE: f32 = 0.4;
/// Below this weight a message is only counted for its tokens.
const MIN_WEIGHT: f32 = 0.03;

/// The state of one reading.
pub(super) struct Reading<'a> {
    memory: &'a mut Memory,
    cues: [[f32; N_CUES]; 3],
    themes: Themes,
    measures: [f32; N_MEASURES],
    scripts: [f32; SCRIPTS.len()],
    /// Sums of embeddings: of the turns, and of the system prompts.
    vectors: [[f32; DIM]; 2],
    grams: Grams,
    n_tokens: f64,
    n_text_bytes: usize,
    n_counted_bytes: usize,
    n_counted_tokens: f64,
    budget: usize,
    token_budget: usize,
    embed_budget: usize,
}

/// Which of the cue sets a text adds to besides that of the whole conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Turn = 0,
    Last = 1,
    System = 2,
}

impl<'a> Reading<'a> {
    pub(super) fn new(memory: &'a mut Memory) -> Self {
        memory.grams.begin();
        Self {
            memory,
            cues: [[0.0; N_CUES]; 3],
            themes: Themes::default(),
            measures: [0.0; N_MEASURES],
            scripts: [0.0; SCRIPTS.len()],
            vectors: [[0.0; DIM]; 2],
            grams: Grams::default(),
            n_tokens: 0.0,
            n_text_bytes: 0,
            n_counted_bytes: 0,
            n_counted_tokens: 0.0,
            budget: SYSTEM_BYTES_READ,
            token_budget: BYTES_COUNTED,
            embed_budget: SYSTEM_BYTES_EMBEDDED,
        }
    }

    pub(super) fn measure(&mut self, measure: Measure, value: f32) {
        self.measures[measure as usize] = value;
    }

    fn measured(&self, measure: Measure) -> f32 {
        self.measures[measure as usize]
    }

    /// Everything in one row, in the order that `Features::dense` states.
    pub(super) fn dense(&self) -> Box<[f32; N_DENSE]> {
        let mut row = Box::new([0.0; N_DENSE]);
        let [mut turns, mut system] = self.vectors;
        make_unit(&mut turns);
        make_unit(&mut system);
        let [all, last, operator] = &self.cues;
        let themes = self.themes.features();
        let parts: [&[f32]; 8] = [
            all,
            last,
            operator,
            &self.measures,
            &self.scripts,
            &themes,
            &turns,
            &system,
        ];
        let mut rest = &mut row[..];
        for part in parts {
            let (place, after) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = after;
        }
        row
    }

    pub(super) fn into_grams(self) -> Grams {
        self.grams
    }

    pub(super) fn system<S: AsRef<str>>(&mut self, conversation: &Conversation<S>) {
        for message in conversation
            .messages
            .iter()
            .filter(|message| is_system(message.role))
        {
            for text in &conversation.texts[message.texts.clone()] {
                self.read(text.as_ref(), SYSTEM_WEIGHT, Part::System);
            }
        }
        self.measure(Measure::LogSystemBytes, capped_log(self.n_text_bytes));
        self.budget = BYTES_READ;
        self.embed_budget = BYTES_EMBEDDED;
    }

    /// Everything but system prompts, newest first.
    pub(super) fn turns<S: AsRef<str>>(&mut self, conversation: &Conversation<S>) {
        let mut weight = 1.0;
        let (mut n_user, mut n_tool) = (0_u8, 0_u8);
        for message in conversation
            .messages
            .iter()
            .rev()
            .filter(|message| !is_system(message.role))
        {
            let texts = &conversation.texts[message.texts.clone()];
            match message.role {
                Role::User => {
                    let substance = self.user(texts, weight, n_user == 0);
                    weight *= CARRY.1 - (CARRY.1 - CARRY.0) * substance;
                    n_user = n_user.saturating_add(1);
                }
                Role::Assistant => texts.iter().for_each(|text| {
                    self.read(text.as_ref(), weight * ASSISTANT_WEIGHT, Part::Turn);
                }),
                _ => {
                    n_tool = n_tool.saturating_add(1);
                    for text in texts {
                        self.read(text.as_ref(), weight * TOOL_WEIGHT, Part::Turn);
                    }
                }
            }
            self.calls(conversation, message);
        }
        self.measure(Measure::UserTurns, f32::from(n_user.min(10)));
        self.measure(Measure::ToolTurns, f32::from(n_tool.min(10)));
        self.measure(Measure::LogBytes, capped_log(self.n_text_bytes));
        self.sums();
    }

    /// Tool calls count for their tokens only.
    fn calls<S: AsRef<str>>(&mut self, conversation: &Conversation<S>, message: &Message) {
        for text in &conversation.calls[message.calls.clone()] {
            self.n_tokens += text.as_ref().len() as f64 / tokens::BYTES_PER_SCHEMA_TOKEN;
        }
    }

    /// Reads a user message and returns its substance in [0, 1]: how much it says by itself.
    fn user<S: AsRef<str>>(&mut self, texts: &[S], weight: f32, is_last: bool) -> f32 {
        let mut substance = 0.0;
        let part = if is_last { Part::Last } else { Part::Turn };
        for text in texts {
            let Some((stats, own)) = self.read(text.as_ref(), weight, part) else {
                continue;
            };
            substance += own;
            if is_last {
                self.last(&stats);
            }
            for (script, (class, _)) in self.scripts.iter_mut().zip(SCRIPTS) {
                *script += weight * stats.share(class);
            }
        }
        let substance = f32::min(substance, 1.0);
        if is_last {
            self.measure(Measure::Substance, substance);
        }
        substance
    }

    /// Adds up over the parts of the last user message.
    fn last(&mut self, stats: &TextStats) {
        self.measures[Measure::LogWords as usize] += capped_log(stats.n_words as usize);
        self.measures[Measure::LogLastBytes as usize] += capped_log(stats.n_read);
        self.measures[Measure::Numbers as usize] += f32::min(stats.n_numbers as f32, 12.0);
        let ascii = [
            Class::Lower,
            Class::Upper,
            Class::Digit,
            Class::Space,
            Class::Newline,
            Class::Punct,
            Class::CodePunct,
            Class::Control,
        ];
        let foreign = 1.0 - ascii.iter().map(|class| stats.share(*class)).sum::<f32>();
        for (measure, value) in [
            (Measure::DigitShare, stats.share(Class::Digit)),
            (Measure::CodePunctShare, stats.share(Class::CodePunct)),
            (Measure::NewlineShare, stats.share(Class::Newline)),
            (Measure::UpperShare, stats.share(Class::Upper)),
            (Measure::ForeignShare, foreign.max(0.0)),
            (
                Measure::EndsWithQuestion,
                f32::from(u8::from(stats.ends_with_question)),
            ),
        ] {
            self.measure(measure, value);
        }
    }

    /// Sums told as a story ("she eats three of her 16 eggs ... how many are left?") and bare ones.
    fn sums(&mut self) {
        const MIN_NUMBERS: f32 = 3.0;
        const MIN_LOG_WORDS: f32 = 2.9; // 17 words
        const MAX_LOG_WORDS: f32 = 2.2; // 8 words
        let numbers = self.measured(Measure::Numbers);
        let number_words = self.cues[0][Cue::NumberWord as usize].min(4.0);
        let words = self.measured(Measure::LogWords);
        let is_wordy = self.measured(Measure::EndsWithQuestion) > 0.0
            && numbers >= 1.0
            && numbers + 0.7 * number_words >= MIN_NUMBERS
            && words >= MIN_LOG_WORDS;
        let is_short = numbers >= 2.0 && words <= MAX_LOG_WORDS;
        self.measure(Measure::WordySum, f32::from(u8::from(is_wordy)));
        self.measure(Measure::ShortSum, f32::from(u8::from(is_short)));
    }

    /// Reads one text within the budgets; returns its statistics and how much it says by itself.
    fn read(&mut self, text: &str, weight: f32, part: Part) -> Option<(TextStats, f32)> {
        self.memory.words.begin(text, part == Part::System);
        self.count(text);
        let text = &*scaffold::strip(text);
        let windows = Windows::of(text, self.budget);
        if windows.n_read() == 0 {
            return None;
        }
        self.budget -= windows.n_read();
        let stats = TextStats::of(&windows);
        if weight < MIN_WEIGHT {
            return Some((stats, 0.0));
        }
        let memory = &mut *self.memory;
        let marks = Marks::of(&windows, &mut memory.words, &mut memory.places);
        let add = |sums: &mut [f32; N_CUES], weight: f32| {
            for (sum, count) in sums.iter_mut().zip(marks.cues) {
                *sum += weight * count;
            }
        };
        add(&mut self.cues[0], weight);
        if part != Part::Turn {
            add(&mut self.cues[part as usize], 1.0);
        }
        let substance = own_substance(&stats, &marks);
        self.embed(
            text,
            weight * (PLAIN_SHARE + (1.0 - PLAIN_SHARE) * substance),
            part,
        );
        Some((stats, substance))
    }

    /// Adds the embedding and the n-grams of a text while the budget lasts.
    fn embed(&mut self, text: &str, weight: f32, part: Part) {
        if self.embed_budget == 0 {
            return;
        }
        let (space, weight) = match part {
            Part::System => (Space::System, 1.0),
            Part::Last => (Space::Last, weight),
            Part::Turn => (Space::Before, weight),
        };
        let Memory {
            words, cuts, grams, ..
        } = &mut *self.memory;
        let (n_read, tallies) = grams.read(&mut self.grams, words, text, weight, space);
        self.themes.add(&tallies, weight, part);
        self.embed_budget = self
            .embed_budget
            .saturating_sub(n_read.max(MIN_SAMPLE_BYTES));
        // The shipped embedding loads; were it not to, the heads would see none.
        let Ok(embedding) = Embedding::builtin() else {
            return;
        };
        let mut vector = [0.0; DIM];
        embedding.embed_window_with(words, cuts, text, &mut vector);
        let sum = &mut self.vectors[usize::from(space == Space::System)];
        for (sum, value) in sum.iter_mut().zip(vector) {
            *sum += weight * value;
        }
    }

    /// Counts the tokens of one text while the budget lasts.
    fn count(&mut self, text: &str) {
        self.n_text_bytes += text.len();
        if self.token_budget < MIN_SAMPLE_BYTES && text.len() > self.token_budget {
            return;
        }
        let Memory { words, counts, .. } = &mut *self.memory;
        let counted = tokens::count_within(text, self.token_budget, words, counts);
        self.token_budget -= text.len().min(tokens::EXACT_BYTES).min(self.token_budget);
        self.n_counted_bytes += text.len();
        self.n_counted_tokens += counted.n_tokens as f64;
    }

    /// Tokens of all messages; texts not counted at the density of the others.
    pub(super) fn tokens<S>(&self, conversation: &Conversation<S>) -> f64 {
        let n_text_bytes = self.n_text_bytes as f64 + conversation.n_elided_bytes as f64;
        let scale = n_text_bytes / self.n_counted_bytes.max(1) as f64;
        let of = |attachment, tokens| f64::from(conversation.n_attachments(attachment)) * tokens;
        self.n_tokens
            + self.n_counted_tokens * scale
            + tokens::TOKENS_PER_MESSAGE * conversation.len() as f64
            + of(Attachment::Image, tokens::TOKENS_PER_IMAGE)
            + of(Attachment::Audio, tokens::TOKENS_PER_AUDIO)
            + of(Attachment::File, tokens::TOKENS_PER_FILE)
    }

    pub(super) fn language(&self) -> Language {
        Language::of(&self.scripts, &self.cues[0])
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

/// ln(1 + n), flat beyond what prompts to learn from reach.
fn capped_log(n: usize) -> f32 {
    const MAX: usize = 1500;
    (n.min(MAX) as f32).ln_1p()
}
