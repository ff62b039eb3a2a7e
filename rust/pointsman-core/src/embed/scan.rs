//! From text to token ids: a fast road for plain ASCII words, a careful one for the rest.

use super::normalise::{Role, fold, is_punctuation, letter, role};
use super::wordpiece::{MAX_WORD_BYTES, MAX_WORD_CHARS, WordPiece};
use crate::byte_map::{PACKED_LEN, Packed};
use crate::bytes;

/// Takes token ids, until it is full.
pub(super) trait Sink {
    /// Takes the next id.
    fn push(&mut self, id: u32);
    /// Whether the scan may stop at the next end of a word.
    fn is_full(&self) -> bool {
        false
    }
}

impl Sink for Vec<u32> {
    fn push(&mut self, id: u32) {
        self.push(id);
    }
}

/// A byte of a plain word: a letter or digit.
const WORD: u8 = 0;
/// A byte that sends its run down the careful road: a control character, or not ASCII.
const CAREFUL: u8 = 1;
/// White space of ASCII.
const SPACE: u8 = 2;
/// Punctuation of ASCII: ends a run, and is a word by itself.
const PUNCTUATION: u8 = 3;

/// The class of each byte.
static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [CAREFUL; 256];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        table[byte] = match c {
            b' ' | b'\t' | b'\n' | b'\r' => SPACE,
            _ if c.is_ascii_alphanumeric() => WORD,
            _ if c.is_ascii_punctuation() => PUNCTUATION,
            _ => CAREFUL,
        };
        byte += 1;
    }
    table
}

/// Feeds the ids of `text` to `sink` until it is full; returns how many bytes were read.
///
/// A run is what stands between white space and punctuation of ASCII: nothing in BERT's normalisation crosses
/// those, so each run may take the road that suits it.
pub(super) fn scan(wordpiece: &WordPiece, text: &str, sink: &mut impl Sink) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && !sink.is_full() {
        let start = at;
        at = bytes::alphanumeric_end(bytes, at);
        let mut classes = WORD;
        let mut class = bytes.get(at).map_or(SPACE, |b| CLASS[usize::from(*b)]);
        while class < SPACE {
            classes |= class;
            at += 1;
            class = bytes.get(at).map_or(SPACE, |b| CLASS[usize::from(*b)]);
        }
        if at > start {
            if classes == WORD {
                plain_word(wordpiece, bytes, start, at - start, sink);
            } else {
                careful_run(wordpiece, &text[start..at], sink);
            }
        }
        if class == PUNCTUATION {
            at += punctuation(wordpiece, &bytes[at..], sink);
        } else {
            at += 1;
        }
    }
    at.min(bytes.len())
}

/// The punctuation, or the special token, that `bytes` begin with; returns its length.
#[inline]
fn punctuation(wordpiece: &WordPiece, bytes: &[u8], sink: &mut impl Sink) -> usize {
    let special = match bytes[0] {
        b'[' => wordpiece.special(bytes),
        _ => None,
    };
    let (id, n) = special.unwrap_or_else(|| (wordpiece.ascii(bytes[0]), 1));
    sink.push(id);
    n
}

/// A word of ASCII letters and digits.
#[inline]
fn plain_word(wordpiece: &WordPiece, bytes: &[u8], start: usize, n: usize, sink: &mut impl Sink) {
    if n <= PACKED_LEN {
        let word = Packed::at(bytes, start, n).to_ascii_lowercase();
        wordpiece.cut_packed(word, n, |id| sink.push(id));
    } else if n <= MAX_WORD_CHARS {
        let mut word = [0; MAX_WORD_CHARS];
        let word = &mut word[..n];
        word.copy_from_slice(&bytes[start..start + n]);
        word.make_ascii_lowercase();
        wordpiece.cut(word, |id| sink.push(id));
    } else {
        sink.push(wordpiece.unknown());
    }
}

/// The word being gathered on the careful road.
struct Word {
    bytes: [u8; MAX_WORD_BYTES],
    n_bytes: usize,
    n_chars: usize,
}

impl Word {
    fn push(&mut self, c: char) {
        self.n_chars += 1;
        if self.n_chars <= MAX_WORD_CHARS {
            let written = c.encode_utf8(&mut self.bytes[self.n_bytes..]).len();
            self.n_bytes += written;
        }
    }

    fn finish(&mut self, wordpiece: &WordPiece, sink: &mut impl Sink) {
        match self.n_chars {
            0 => return,
            1..=MAX_WORD_CHARS => wordpiece.cut(&self.bytes[..self.n_bytes], |id| sink.push(id)),
            _ => sink.push(wordpiece.unknown()),
        }
        (self.n_bytes, self.n_chars) = (0, 0);
    }
}

/// Any run: the whole of BERT's normalisation and split.
#[inline(never)]
pub(super) fn careful_run(wordpiece: &WordPiece, run: &str, sink: &mut impl Sink) {
    let mut word = Word {
        bytes: [0; MAX_WORD_BYTES],
        n_bytes: 0,
        n_chars: 0,
    };
    for c in run.chars() {
        if let Some(folded) = letter(c) {
            word.push(folded);
            continue;
        }
        let role = role(c);
        match role {
            Role::Dropped => continue,
            Role::Space | Role::Ideograph => word.finish(wordpiece, sink),
            Role::Other => {}
        }
        if role == Role::Space {
            continue;
        }
        fold(c, |part| {
            if is_punctuation(part) {
                word.finish(wordpiece, sink);
                word.push(part);
                word.finish(wordpiece, sink);
            } else if part.is_whitespace() {
                word.finish(wordpiece, sink);
            } else {
                word.push(part);
            }
        });
        if role == Role::Ideograph {
            word.finish(wordpiece, sink);
        }
    }
    word.finish(wordpiece, sink);
}
