//! Token counts: exact for `OpenAI`'s encodings, estimated with a stated error for the others.
//!
//! The exact count splits and merges as `tiktoken` does, from tables of 2.3 MB. The other families are estimated
//! from the exact `o200k_base` count of the same text, which tells far more than its bytes: most tokenizers of
//! today differ from it by a factor that hardly varies in English and code, and more in other scripts.
//!
//! # Example
//!
//! ```
//! use pointsman_core::tokens::{TokenFamily, count};
//!
//! let exact = count(TokenFamily::O200k, "How many tokens is this?");
//! assert_eq!((exact.n_tokens, exact.is_exact), (6, true));
//! let claude = TokenFamily::Claude3.estimate_from(exact, "How many tokens is this?");
//! assert_eq!((claude.n_tokens, claude.is_exact), (7, false));
//! assert!(claude.relative_error < 0.15);
//! ```

mod family;
mod ranks;
mod split;

use std::sync::OnceLock;

pub use family::TokenFamily;
use ranks::Ranks;
use split::Split;

/// Texts up to this many bytes are counted in full; longer ones are sampled.
pub const EXACT_BYTES: usize = 8 << 10;

/// Windows a long text is sampled by, the first at its start and the last at its end, and their bytes together.
const N_WINDOWS: usize = 16;
const SAMPLE_BYTES: usize = 4 << 10;

/// Pieces that are cut before they are looked up.
const BATCH: usize = 32;

/// What sampling adds to the error: nine of ten texts of 16 to 64 KB (prompts one after the other, Python modules) are
/// within it.
const SAMPLING_ERROR: f32 = 0.07;

/// Tokens a chat message costs beyond its text (`OpenAI`'s chat format).
pub(crate) const TOKENS_PER_MESSAGE: f64 = 4.0;
/// Tokens of a picture: 1024 x 1024 in high detail at `OpenAI`'s published tiling.
pub(crate) const TOKENS_PER_IMAGE: f64 = 765.0;
/// Tokens of a sound part: half a minute at ten a second; chosen.
pub(crate) const TOKENS_PER_AUDIO: f64 = 300.0;
/// Tokens of a file part: three pages; chosen.
pub(crate) const TOKENS_PER_FILE: f64 = 1500.0;
/// Bytes a token of JSON keys and values covers.
pub(crate) const BYTES_PER_SCHEMA_TOKEN: f64 = 3.6;

static O200K: &[u8] = include_bytes!("../../data/tokens/o200k.ranks");
static CL100K: &[u8] = include_bytes!("../../data/tokens/cl100k.ranks");
const O200K_TOKENS: usize = 199_998;
const CL100K_TOKENS: usize = 100_256;

/// A number of tokens and how far it may be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenCount {
    /// Tokens of the text alone: no message frames, no special tokens.
    pub n_tokens: usize,
    /// Whether the family's own tokenizer counted the whole text.
    pub is_exact: bool,
    /// Nine texts of ten are within this share of the count; 0 if exact.
    pub relative_error: f32,
}

/// Tokens of the text in a family.
///
/// Linear in the text up to [`EXACT_BYTES`], flat beyond. The first call for an encoding builds its table (tens of
/// milliseconds, 2.5 to 5 MB); [`prepare`] does so ahead. Special tokens in the text count as plain text.
pub fn count(family: TokenFamily, text: &str) -> TokenCount {
    match family {
        TokenFamily::O200k => count_by(o200k(), Split::O200k, text, EXACT_BYTES),
        TokenFamily::Cl100k => count_by(cl100k(), Split::Cl100k, text, EXACT_BYTES),
        _ => family.estimate_from(count(TokenFamily::O200k, text), text),
    }
}

/// `o200k_base` tokens of the text, from at most `n_bytes` of it (and at most [`EXACT_BYTES`]).
pub(crate) fn count_within(text: &str, n_bytes: usize) -> TokenCount {
    count_by(o200k(), Split::O200k, text, n_bytes.min(EXACT_BYTES))
}

/// Builds the table that [`count`] needs for the family, once; costs nothing after.
pub fn prepare(family: TokenFamily) {
    match family {
        TokenFamily::Cl100k => _ = cl100k(),
        _ => _ = o200k(),
    }
}

fn o200k() -> &'static Ranks {
    static RANKS: OnceLock<Ranks> = OnceLock::new();
    RANKS.get_or_init(|| Ranks::from_bytes(O200K, O200K_TOKENS))
}

fn cl100k() -> &'static Ranks {
    static RANKS: OnceLock<Ranks> = OnceLock::new();
    RANKS.get_or_init(|| Ranks::from_bytes(CL100K, CL100K_TOKENS))
}

fn count_by(ranks: &Ranks, split: Split, text: &str, max_bytes: usize) -> TokenCount {
    if text.len() <= max_bytes {
        return TokenCount {
            n_tokens: count_whole(ranks, split, text),
            is_exact: true,
            relative_error: 0.0,
        };
    }
    let (mut n_tokens, mut n_bytes) = (0, 0);
    for window in windows(text, max_bytes.min(SAMPLE_BYTES) / N_WINDOWS) {
        n_tokens += count_whole(ranks, split, window);
        n_bytes += window.len();
    }
    let tokens_per_byte = n_tokens as f64 / n_bytes.max(1) as f64;
    TokenCount {
        n_tokens: (tokens_per_byte * text.len() as f64).round() as usize,
        is_exact: false,
        relative_error: SAMPLING_ERROR,
    }
}

fn count_whole(ranks: &Ranks, split: Split, text: &str) -> usize {
    let (mut at, mut n_tokens) = (0, 0);
    let mut pieces = [(0, 0); BATCH];
    while at < text.len() {
        let mut n_pieces = 0;
        for piece in &mut pieces {
            if at == text.len() {
                break;
            }
            let end = split.end(text, at);
            *piece = (at, end);
            (at, n_pieces) = (end, n_pieces + 1);
        }
        n_tokens += ranks.count(text.as_bytes(), &mut pieces[..n_pieces]);
    }
    n_tokens
}

/// Evenly spaced windows of `len` bytes over a text longer than all of them together.
fn windows(text: &str, len: usize) -> impl Iterator<Item = &str> {
    let last_start = text.len() - len;
    let stride = last_start / (N_WINDOWS - 1);
    (0..N_WINDOWS).map(move |i| {
        let start = match i {
            0 => 0,
            _ if i == N_WINDOWS - 1 => last_start,
            // Off the grid by up to half a stride, as what repeats may repeat with the grid.
            _ => stride * i - stride / 2 + (stride * (i * 40_503 % 65_536)) / 65_536,
        };
        &text[boundary(text, start)..boundary(text, start + len)]
    })
}

/// The last place at or before `at` where a character begins, or a word if that is near: a cut word costs a token.
fn boundary(text: &str, at: usize) -> usize {
    const NEAR: usize = 16;
    let bytes = text.as_bytes();
    if at >= bytes.len() {
        return bytes.len();
    }
    let near = at.saturating_sub(NEAR)..=at;
    near.clone()
        .rev()
        .find(|i| bytes[*i] == b' ')
        .or_else(|| near.rev().find(|i| text.is_char_boundary(*i)))
        .unwrap_or(0)
}
