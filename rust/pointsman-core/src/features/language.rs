//! [`Language`]: what a conversation is written in, by its scripts and its commonest words.

use crate::lexicon::{Cue, N_CUES};
use crate::text::Class;

/// The languages of the Latin cues, in the order of `Cue::En..=Cue::Nl`.
const LATIN: [&str; 7] = ["en", "es", "fr", "de", "it", "pt", "nl"];

/// Scripts that tell a language, with the code each stands for.
pub(super) const SCRIPTS: [(Class, &str); 8] = [
    (Class::Cyrillic, "ru"),
    (Class::Greek, "el"),
    (Class::Hebrew, "he"),
    (Class::Arabic, "ar"),
    (Class::Indic, "hi"),
    (Class::Kana, "ja"),
    (Class::Hangul, "ko"),
    (Class::Han, "zh"),
];

/// Language of a conversation, as ISO 639-1 codes; `und` when unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Language(&'static str);

impl Language {
    /// The code, e.g. `en`.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// By the shares of `SCRIPTS`, else by the cues of Latin languages.
    pub(super) fn of(scripts: &[f32; SCRIPTS.len()], cues: &[f32; N_CUES]) -> Self {
        // Kana and Hangul tell more than the Han they are mixed with; SCRIPTS is in that order.
        let script = SCRIPTS.iter().zip(scripts).find(|(_, share)| **share > 0.1);
        if let Some(((_, code), _)) = script {
            return Self(code);
        }
        let counts = &cues[Cue::En as usize..=Cue::Nl as usize];
        let (mut best, mut most) = ("und", 0.0);
        for (code, count) in LATIN.iter().zip(counts) {
            if *count > most {
                (best, most) = (code, *count);
            }
        }
        Self(best)
    }
}
