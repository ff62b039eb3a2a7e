//! Token estimate from the counts of the text pass.

use crate::text::{Class, TextStats};

/// Tokens a chat message costs beyond its text (OpenAI's chat format).
pub(crate) const TOKENS_PER_MESSAGE: f64 = 4.0;
/// Tokens of a picture: 1024 x 1024 in high detail at OpenAI's published tiling.
pub(crate) const TOKENS_PER_IMAGE: f64 = 765.0;
/// Tokens of a sound part: half a minute at ten a second; chosen.
pub(crate) const TOKENS_PER_AUDIO: f64 = 300.0;
/// Tokens of a file part: three pages; chosen.
pub(crate) const TOKENS_PER_FILE: f64 = 1500.0;
/// Bytes a token of JSON keys and values covers.
pub(crate) const BYTES_PER_SCHEMA_TOKEN: f64 = 3.6;

/// Tokens of a text, estimated linearly from what the pass counted and scaled to the whole text.
pub(crate) fn estimate(stats: &TextStats) -> f64 {
    let count = |class| f64::from(stats.count(class));
    let letters = count(Class::Lower) + count(Class::Upper);
    let tokens = 0.75 * f64::from(stats.n_words)
        + 0.08 * letters
        + 0.4 * count(Class::Digit)
        + 0.6 * (count(Class::Punct) + count(Class::CodePunct))
        + 0.5 * count(Class::Newline)
        + 0.6 * count(Class::LatinExt)
        + 0.35
            * (count(Class::Cyrillic)
                + count(Class::Greek)
                + count(Class::Hebrew)
                + count(Class::Arabic))
        + 0.6 * count(Class::Indic)
        + 0.8 * (count(Class::Han) + count(Class::Kana))
        + 0.8 * count(Class::Hangul)
        + 1.5 * count(Class::OtherWide);
    tokens * stats.scale()
}
