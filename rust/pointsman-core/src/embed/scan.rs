//! From text to token ids: a fast road for plain ASCII words, a careful one for the rest.

use std::ops::Range;

use super::normalise::{Role, fold, is_punctuation, letter, role};
use super::wordpiece::{MAX_WORD_BYTES, MAX_WORD_CHARS, WordPiece};
use crate::byte_map::{PACKED_LEN, Packed};
use crate::bytes;
use crate::memo::{Key, Long, Memo};
use crate::plain_words::{Known, Part};

/// Takes token ids, until it is full.
pub(super) trait Sink {
    /// Takes the next id.
    fn push(&mut self, id: u32);
    /// Takes those of a word.
    #[inline]
    fn push_word(&mut self, known: &Known) {
        known.ids().iter().for_each(|id| self.push(u32::from(*id)));
    }
    /// Whether the scan may stop before the next word.
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

/// Sets of the pieces kept of words: 128 KB for 4,096 short ones, and 64 KB for 1,024 long ones.
const N_SETS: usize = 2 << 10;
const N_LONG_SETS: usize = 512;
/// Pieces kept of a word at most, and what stands behind the last.
const N_KEPT: usize = 8;
const END: u16 = u16::MAX;

/// The pieces that words and runs met lately were cut to, by one vocabulary.
#[derive(Debug)]
pub(crate) struct Cuts {
    short: Memo<Packed, Ids, 2>,
    long: Memo<Long, Ids, 2>,
}

type Ids = [u16; N_KEPT];

impl Default for Cuts {
    fn default() -> Self {
        Self {
            short: Memo::new(N_SETS),
            long: Memo::new(N_LONG_SETS),
        }
    }
}

/// A vocabulary, and what it was asked before; such cuts must be of this vocabulary.
pub(super) struct Cutter<'a> {
    pub(super) wordpiece: &'a WordPiece,
    pub(super) cuts: Option<&'a mut Cuts>,
}

impl<'a> Cutter<'a> {
    /// One that remembers nothing.
    pub(super) fn plain(wordpiece: &'a WordPiece) -> Self {
        Self {
            wordpiece,
            cuts: None,
        }
    }

    /// A word of ASCII letters and digits.
    #[inline]
    fn word(&mut self, bytes: &[u8], start: usize, n: usize, sink: &mut impl Sink) {
        if n > PACKED_LEN {
            return long_word(self.wordpiece, bytes, start, n, sink);
        }
        let word = Packed::at(bytes, start, n).lower_of_alphanumeric();
        match &mut self.cuts {
            None => self.wordpiece.cut_packed(word, n, |id| sink.push(id)),
            Some(cuts) => {
                let cut = |kept: &mut Kept<_>| {
                    self.wordpiece.cut_packed(word, n, |id| kept.push(id));
                };
                remembered(&mut cuts.short, word, sink, cut);
            }
        }
    }

    /// A run that is not plain. It holds a byte that no plain word does, so its bytes are no plain word's either.
    fn run(&mut self, run: &str, sink: &mut impl Sink) {
        let bytes = run.as_bytes();
        let Some(cuts) = &mut self.cuts else {
            return careful_run(self.wordpiece, run, sink);
        };
        let cut = |kept: &mut Kept<_>| careful_run(self.wordpiece, run, kept);
        if bytes.len() <= PACKED_LEN {
            let word = Packed::at(bytes, 0, bytes.len());
            remembered(&mut cuts.short, word, sink, cut);
        } else if let Some(word) = Long::at(bytes, 0, bytes.len()) {
            remembered(&mut cuts.long, word, sink, cut);
        } else {
            careful_run(self.wordpiece, run, sink);
        }
    }
}

/// Feeds the ids of a word to the sink: what is kept of it, or what `cut` feeds, which is kept then.
#[inline]
fn remembered<K: Key, S: Sink>(
    memo: &mut Memo<K, Ids, 2>,
    word: K,
    sink: &mut S,
    cut: impl FnOnce(&mut Kept<'_, S>),
) {
    let Some(ids) = memo.get(word).copied() else {
        let mut kept = Kept::new(sink);
        cut(&mut kept);
        if kept.is_whole {
            memo.keep(word, kept.ids);
        }
        return;
    };
    for id in ids {
        if id == END {
            break;
        }
        sink.push(u32::from(id));
    }
}

/// Passes ids on, and keeps them as long as they fit.
struct Kept<'a, S> {
    sink: &'a mut S,
    ids: [u16; N_KEPT],
    n_ids: usize,
    is_whole: bool,
}

impl<'a, S> Kept<'a, S> {
    fn new(sink: &'a mut S) -> Self {
        Self {
            sink,
            ids: [END; N_KEPT],
            n_ids: 0,
            is_whole: true,
        }
    }
}

impl<S: Sink> Sink for Kept<'_, S> {
    fn push(&mut self, id: u32) {
        self.sink.push(id);
        let short = u16::try_from(id).ok().filter(|id| *id != END);
        match (self.ids.get_mut(self.n_ids), short) {
            (Some(place), Some(id)) => *place = id,
            _ => self.is_whole = false,
        }
        self.n_ids += 1;
    }
}

/// Feeds the ids of `text` to `sink` until it is full; returns how many bytes were read.
pub(super) fn scan(cutter: &mut Cutter<'_>, text: &str, sink: &mut impl Sink) -> usize {
    let read = scan_range(cutter, text, 0..text.len(), sink);
    read.min(text.len())
}

/// The same of a text with its plain words.
pub(super) fn scan_words(
    cutter: &mut Cutter<'_>,
    text: &str,
    words: Part<'_>,
    sink: &mut impl Sink,
) -> usize {
    let mut at = 0;
    for (start, end, known) in words.iter() {
        if at + 1 == start && text.as_bytes()[at] == b' ' {
            at = start;
        } else {
            at = scan_range(cutter, text, at..start, sink);
        }
        if sink.is_full() {
            return at;
        }
        // A special token may have taken the word with it.
        if at <= start {
            sink.push_word(known);
            at = end;
        }
    }
    scan_range(cutter, text, at..text.len(), sink).min(text.len())
}

/// Reads runs from the start of a range until one ends at its end or beyond, or would begin while the sink is full;
/// returns where.
///
/// A run is what stands between white space and punctuation of ASCII: nothing in BERT's normalisation crosses
/// those, so each run may take the road that suits it.
#[inline]
fn scan_range(
    cutter: &mut Cutter<'_>,
    text: &str,
    range: Range<usize>,
    sink: &mut impl Sink,
) -> usize {
    let bytes = text.as_bytes();
    let mut at = range.start;
    while at < range.end {
        at = match CLASS[usize::from(bytes[at])] {
            SPACE => at + 1,
            PUNCTUATION => at + punctuation(cutter.wordpiece, &bytes[at..], sink),
            _ if sink.is_full() => break,
            _ => scan_run(cutter, text, at, sink),
        };
    }
    at
}

/// Reads the run that begins at `at`, and returns where it ends.
fn scan_run(cutter: &mut Cutter<'_>, text: &str, start: usize, sink: &mut impl Sink) -> usize {
    let bytes = text.as_bytes();
    let mut at = bytes::alphanumeric_end(bytes, start);
    let mut classes = WORD;
    while let Some(class) = bytes.get(at).map(|b| CLASS[usize::from(*b)]) {
        if class >= SPACE {
            break;
        }
        classes |= class;
        at += 1;
    }
    if classes == WORD {
        cutter.word(bytes, start, at - start, sink);
    } else {
        cutter.run(&text[start..at], sink);
    }
    at
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

/// A word of more ASCII letters and digits than are packed.
fn long_word(wordpiece: &WordPiece, bytes: &[u8], start: usize, n: usize, sink: &mut impl Sink) {
    if n <= MAX_WORD_CHARS {
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
