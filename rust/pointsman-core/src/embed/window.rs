//! The first and last tokens of a text, without reading its middle.

use super::scan::{Cutter, Sink, scan, scan_words};
use crate::plain_words::{Known, MAX_IDS, PlainWords};

/// Tokens kept from the start of a text.
pub const HEAD_TOKENS: usize = 384;
/// Tokens kept from the end of a text.
pub const TAIL_TOKENS: usize = 128;
/// Bytes read from the start of a text, at most.
pub const HEAD_BYTES: usize = 24 * 1024;
/// Bytes read from the end of a text, at most.
pub const TAIL_BYTES: usize = 8 * 1024;

/// First guess of the bytes that hold the last tokens, at 6 a token (English prose has 4.5); doubled until it fits.
const TAIL_GUESS_BYTES: usize = 6 * TAIL_TOKENS;

/// Bytes cut to plain words at once: the first tokens mostly stand in the first two of these.
const CHUNK_BYTES: usize = 1024;

/// The ids of the first 384 and the last 128 tokens.
pub(super) struct Window {
    ids: [u32; HEAD_TOKENS + TAIL_TOKENS],
    /// Tokens seen; past 512 the tail is a ring.
    n_seen: usize,
    is_bounded: bool,
}

impl Window {
    /// The window of a text.
    pub(super) fn of(
        cutter: &mut Cutter<'_>,
        words: &mut Option<&mut PlainWords>,
        text: &str,
    ) -> Self {
        let mut window = Self {
            ids: [0; HEAD_TOKENS + TAIL_TOKENS],
            n_seen: 0,
            is_bounded: true,
        };
        let head = &text[..char_boundary(text, HEAD_BYTES)];
        let n_read = window.push_head(cutter, words, head);
        let rest = &text[n_read..];
        window.is_bounded = false;
        if !rest.is_empty() {
            window.push_tail(cutter, words, rest);
        }
        window
    }

    /// The ids, the tail's in any order.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids[..self.n_seen.min(self.ids.len())]
    }

    /// Adds the first tokens; returns how many bytes were read.
    fn push_head(
        &mut self,
        cutter: &mut Cutter<'_>,
        words: &mut Option<&mut PlainWords>,
        head: &str,
    ) -> usize {
        let mut at = 0;
        while at < head.len() && !self.is_full() {
            at += scan_with(cutter, words, chunk(&head[at..]), self);
        }
        at
    }

    /// Adds the last tokens of `rest`, from the shortest of some windows that holds enough of them.
    fn push_tail(
        &mut self,
        cutter: &mut Cutter<'_>,
        words: &mut Option<&mut PlainWords>,
        rest: &str,
    ) {
        let mut n_bytes = TAIL_GUESS_BYTES;
        loop {
            let is_last = n_bytes >= rest.len().min(TAIL_BYTES);
            let tail = from_word_start(rest, n_bytes.min(TAIL_BYTES));
            let mut count = Count(0);
            if !is_last {
                scan_with(cutter, words, tail, &mut count);
            }
            if is_last || count.0 >= TAIL_TOKENS {
                scan_with(cutter, words, tail, self);
                return;
            }
            n_bytes *= 2;
        }
    }
}

/// Scans a text, with its plain words if there is what cuts them.
fn scan_with(
    cutter: &mut Cutter<'_>,
    words: &mut Option<&mut PlainWords>,
    text: &str,
    sink: &mut impl Sink,
) -> usize {
    match words {
        Some(words) => scan_words(cutter, text, words.of(text.as_bytes()), sink),
        None => scan(cutter, text, sink),
    }
}

/// The start of a text up to the last white space of its first bytes: nothing crosses it. All of it if there is none.
fn chunk(text: &str) -> &str {
    let first = text.as_bytes().get(..CHUNK_BYTES).unwrap_or_default();
    let last = first.iter().rposition(u8::is_ascii_whitespace);
    last.map_or(text, |at| &text[..=at])
}

impl Sink for Window {
    #[inline]
    fn push(&mut self, id: u32) {
        let at = if self.n_seen < self.ids.len() {
            self.n_seen
        } else {
            HEAD_TOKENS + (self.n_seen - HEAD_TOKENS) % TAIL_TOKENS
        };
        self.ids[at] = id;
        self.n_seen += 1;
    }

    #[inline]
    fn push_word(&mut self, known: &Known) {
        // All there may be are written, as it is anybody's guess how many there are.
        match self.ids.get_mut(self.n_seen..self.n_seen + MAX_IDS) {
            Some(room) => {
                for (place, id) in room.iter_mut().zip(known.ids) {
                    *place = u32::from(id);
                }
                self.n_seen += known.ids().len();
            }
            None => known.ids().iter().for_each(|id| self.push(u32::from(*id))),
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.is_bounded && self.n_seen >= HEAD_TOKENS + TAIL_TOKENS
    }
}

/// Counts tokens.
struct Count(usize);

impl Sink for Count {
    fn push(&mut self, _id: u32) {
        self.0 += 1;
    }
}

/// The last `n_bytes` of the text, from the first white space in them on; the whole of a shorter text.
fn from_word_start(text: &str, n_bytes: usize) -> &str {
    if text.len() <= n_bytes {
        return text;
    }
    let tail = &text[char_boundary(text, text.len() - n_bytes)..];
    let start = tail.bytes().position(|b| b.is_ascii_whitespace());
    &tail[start.unwrap_or(0)..]
}

/// The last place at or before `at` where a character begins or the text ends.
fn char_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}
