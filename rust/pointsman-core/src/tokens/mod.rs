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

use crate::byte_map::{PACKED_LEN, Packed};
use crate::memo::{Long, Memo};
use crate::plain_words::{Part, PlainWords};
use ranks::Ranks;
use split::{Split, is_plain_symbol};

/// Texts up to this many bytes are counted in full; longer ones are sampled.
pub const EXACT_BYTES: usize = 8 << 10;

/// Windows a long text is sampled by, the first at its start and the last at its end, and their bytes together.
const N_WINDOWS: usize = 16;
const SAMPLE_BYTES: usize = 4 << 10;

/// Pieces that are cut before they are looked up.
const BATCH: usize = 32;

/// Sets of the tokens kept of pieces: 128 KB for 6,144 short ones, 64 KB for 1,536 long ones.
const N_SETS: usize = 2 << 10;
const N_LONG_SETS: usize = 512;

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
        TokenFamily::O200k => Counter::o200k(None).count(text, EXACT_BYTES),
        TokenFamily::Cl100k => Counter::cl100k().count(text, EXACT_BYTES),
        _ => family.estimate_from(count(TokenFamily::O200k, text), text),
    }
}

/// `o200k_base` tokens of the text, from at most `n_bytes` of it (and at most [`EXACT_BYTES`]).
pub(crate) fn count_within(
    text: &str,
    n_bytes: usize,
    words: &mut PlainWords,
    counts: &mut Counts,
) -> TokenCount {
    Counter::o200k(Some((words, counts))).count(text, n_bytes.min(EXACT_BYTES))
}

/// `o200k_base` tokens of a word of `n` ASCII letters and digits with a space before it.
pub(crate) fn of_word(word: Packed, n: usize) -> u8 {
    let spaced = spaced(word);
    let text = std::str::from_utf8(&spaced[..=n]).unwrap_or_default();
    Counter::o200k(None).count_whole(text) as u8
}

/// Asks for what the count of such a word will read first.
pub(crate) fn prefetch(word: Packed, n: usize) {
    if n < PACKED_LEN {
        o200k().prefetch(Packed::at(&spaced(word), 0, n + 1));
    }
}

fn spaced(word: Packed) -> [u8; PACKED_LEN + 1] {
    let mut spaced = [b' '; PACKED_LEN + 1];
    spaced[1..].copy_from_slice(&word.bytes()[..PACKED_LEN]);
    spaced
}

/// Tokens of the `o200k_base` pieces that were counted lately.
#[derive(Debug)]
pub(crate) struct Counts {
    short: Memo<Packed, u8, 3>,
    long: Memo<Long, u8, 3>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            short: Memo::new(N_SETS),
            long: Memo::new(N_LONG_SETS),
        }
    }
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

/// Counts in one encoding.
struct Counter<'a> {
    ranks: &'a Ranks,
    split: Split,
    words: Option<&'a mut PlainWords>,
    counts: Option<&'a mut Counts>,
}

impl<'a> Counter<'a> {
    fn o200k(memory: Option<(&'a mut PlainWords, &'a mut Counts)>) -> Self {
        let (words, counts) = memory.unzip();
        Self {
            ranks: o200k(),
            split: Split::O200k,
            words,
            counts,
        }
    }

    fn cl100k() -> Self {
        Self {
            ranks: cl100k(),
            split: Split::Cl100k,
            words: None,
            counts: None,
        }
    }

    fn count(&mut self, text: &str, max_bytes: usize) -> TokenCount {
        if text.len() <= max_bytes {
            return TokenCount {
                n_tokens: self.count_whole(text),
                is_exact: true,
                relative_error: 0.0,
            };
        }
        let (mut n_tokens, mut n_bytes) = (0, 0);
        for window in windows(text, max_bytes.min(SAMPLE_BYTES) / N_WINDOWS) {
            n_tokens += self.count_whole(window);
            n_bytes += window.len();
        }
        let tokens_per_byte = n_tokens as f64 / n_bytes.max(1) as f64;
        TokenCount {
            n_tokens: (tokens_per_byte * text.len() as f64).round() as usize,
            is_exact: false,
            relative_error: SAMPLING_ERROR,
        }
    }

    fn count_whole(&mut self, text: &str) -> usize {
        let mut count = Count::of(text);
        if let Some(words) = self.words.take() {
            self.count_words(&mut count, words.of(text.as_bytes()));
            self.words = Some(words);
        }
        self.count_to(&mut count, text.len());
        self.count_new(&mut count);
        count.n_tokens
    }

    /// Counts up to the last plain word of which it is known where its first piece begins.
    fn count_words(&mut self, count: &mut Count<'_>, words: Part<'_>) {
        let text = count.text.as_bytes();
        for (start, end, known) in words.iter() {
            if let Some(first) = first_piece(text, start, end) {
                if first == count.at + 1 && is_plain_symbol(text[count.at]) {
                    // A comma or a full stop: mostly what stands between words, if anything does.
                    count.n_tokens += 1;
                    count.at = first;
                } else if first != count.at {
                    self.count_to(count, first);
                }
                if count.at == first {
                    count.n_tokens += usize::from(known.n_tokens);
                    count.at = end;
                }
            }
        }
    }

    /// Counts piece by piece until one ends at `end` or beyond.
    #[inline(never)]
    fn count_to(&mut self, count: &mut Count<'_>, end: usize) {
        while count.at < end {
            let start = count.at;
            count.at = self.split.end(count.text, start);
            if count.at == start + 1 {
                // Every byte is a token.
                count.n_tokens += 1;
            } else if let Some(n) = self.kept(count.text.as_bytes(), start, count.at) {
                count.n_tokens += n;
            } else {
                count.new[count.n_new] = (start, count.at);
                count.n_new += 1;
                if count.n_new == BATCH {
                    self.count_new(count);
                }
            }
        }
    }

    /// The tokens of a piece that was counted lately.
    #[inline]
    fn kept(&self, text: &[u8], start: usize, end: usize) -> Option<usize> {
        let counts = self.counts.as_ref()?;
        let n = end - start;
        let kept = if n <= PACKED_LEN {
            counts.short.get(Packed::at(text, start, n))
        } else {
            counts.long.get(Long::at(text, start, n)?)
        };
        kept.map(|n| usize::from(*n))
    }

    fn count_new(&mut self, count: &mut Count<'_>) {
        let (text, counts) = (count.text.as_bytes(), &mut self.counts);
        let new = &mut count.new[..count.n_new];
        count.n_tokens += self.ranks.count(text, new, |start, end, n_tokens| {
            if let Some(counts) = counts.as_mut() {
                counts.keep(text, start, end, n_tokens);
            }
        });
        count.n_new = 0;
    }
}

/// A text being counted.
struct Count<'t> {
    text: &'t str,
    /// Where the next piece begins.
    at: usize,
    n_tokens: usize,
    /// Pieces cut and not yet counted.
    new: [(usize, usize); BATCH],
    n_new: usize,
}

impl<'t> Count<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            n_tokens: 0,
            new: [(0, 0); BATCH],
            n_new: 0,
        }
    }
}

/// Where the first piece of a plain word begins: at the space before it. `None` where its neighbours may belong to its
/// pieces: without a space, and with a contraction behind it.
#[inline]
fn first_piece(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let space = start.checked_sub(1)?;
    (text[space] == b' ' && text.get(end) != Some(&b'\'')).then_some(space)
}

impl Counts {
    fn keep(&mut self, text: &[u8], start: usize, end: usize, n_tokens: usize) {
        let n = end - start;
        // No more tokens than bytes: they fit.
        if n <= PACKED_LEN {
            self.short.keep(Packed::at(text, start, n), n_tokens as u8);
        } else if let Some(piece) = Long::at(text, start, n) {
            self.long.keep(piece, n_tokens as u8);
        }
    }
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
