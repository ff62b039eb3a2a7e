//! Hashed n-grams of a conversation: words, pairs of words and pieces of words, each a bucket with a weight.
//!
//! Words are lower case, digits are all `0`, a run of one symbol is one word. Pieces are what relates forms of a
//! word, and languages: four bytes of a longer ASCII word; two or three characters where a script has no spaces.

mod met;
mod word;

use std::ops::Range;

use crate::stems::{self, Tally};
use met::Met;
use word::{FOLDED, MAX_WORD_BYTES, Word, folded};

/// Number of buckets that n-grams are hashed to.
pub(crate) const N_BUCKETS: usize = 1 << BUCKET_BITS;
const BUCKET_BITS: u32 = 16;
/// Bytes read at the head and at the tail of a text.
const HEAD_BYTES: usize = 1024;
const TAIL_BYTES: usize = 768;
/// Bytes at the head and the tail of a text where instructions stand; what lies between weighs less.
const HEAD_ZONE: usize = 240;
const TAIL_ZONE: usize = 200;
const MIDDLE_WEIGHT: f32 = 0.4;
/// Bytes at the head and the tail of a text where the themes of what is asked are counted apart.
const EDGE_ZONE: usize = 90;
/// Words of a text that count as its lead, and as its end.
const N_LEAD: usize = 4;
const N_END: usize = 8;

/// What an n-gram is; each kind is hashed apart and weighs differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    Pair,
    Piece,
    Lead,
    End,
}

impl Kind {
    /// How much a word says next to its pieces; chosen so that the many do not drown the few.
    fn weight(self) -> f32 {
        match self {
            Kind::Word | Kind::Lead => 1.0,
            Kind::Pair => 0.8,
            Kind::End => 0.6,
            Kind::Piece => 0.4,
        }
    }
}

/// Whose text it is: what an operator writes is hashed apart from what is asked, and next to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// The last message of the user.
    Last,
    /// The turns before it.
    Before,
    System,
}

const N_SPACES: usize = 3;

/// The n-grams gathered so far, a space apart; a bucket counts once in each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grams {
    items: [Vec<(u32, f32)>; N_SPACES],
    sums_of_squares: [f32; N_SPACES],
    /// The greatest weight that a text of each space was read with.
    weights: [f32; N_SPACES],
    /// The buckets met in the space being read.
    met: Met,
}

impl Grams {
    /// Buckets with their weights; each space is a vector as long as its weight.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, f32)> {
        (0..N_SPACES).flat_map(|space| {
            let scale = self.scale(space);
            let items = self.items[space].iter();
            items.map(move |(bucket, weight)| (*bucket, weight * scale))
        })
    }

    fn scale(&self, space: usize) -> f32 {
        let length = self.sums_of_squares[space].sqrt();
        if length > 0.0 {
            self.weights[space].min(1.0) / length
        } else {
            0.0
        }
    }

    /// Adds the n-grams of a text; `O(n)` up to 1,792 bytes, flat beyond. Returns the bytes read, and
    /// how often each theme was met.
    pub(crate) fn read(&mut self, text: &str, weight: f32, space: Space) -> (usize, Tallies) {
        self.met.enter(space);
        let most = &mut self.weights[space as usize];
        *most = most.max(weight);
        let mut tallies = Tallies::default();
        if text.len() <= HEAD_BYTES + TAIL_BYTES {
            self.read_window(text, 0, text.len(), weight, &mut tallies);
            return (text.len(), tallies);
        }
        let head = floor(text, HEAD_BYTES);
        let tail = floor(text, text.len() - TAIL_BYTES);
        self.read_window(&text[..head], 0, text.len(), weight, &mut tallies);
        self.read_window(&text[tail..], tail, text.len(), weight, &mut tallies);
        (head + text.len() - tail, tallies)
    }

    /// Reads a window that begins at `at` in a text of `n_bytes`.
    fn read_window(
        &mut self,
        text: &str,
        at: usize,
        n_bytes: usize,
        weight: f32,
        tallies: &mut Tallies,
    ) {
        let zone =
            |head: usize, tail: usize| head.saturating_sub(at)..(n_bytes - at).saturating_sub(tail);
        self.items[self.met.space() as usize].reserve(text.len() + 64); // About as many as bytes.
        let mut words = Words {
            grams: self,
            tallies,
            weight,
            text_weight: weight,
            is_edge: at == 0,
            middle: zone(HEAD_ZONE, TAIL_ZONE),
            inside: zone(EDGE_ZONE, EDGE_ZONE),
            previous: 0,
            n_tokens: 0,
            end: [0; N_END],
        };
        words.scan(text);
        words.finish();
    }

    /// Adds an n-gram to the space being read, hashed as a user's or as an operator's.
    #[inline(always)]
    #[allow(clippy::inline_always)] // about as often as there are bytes, with a kind known at each place
    fn push(&mut self, hash: u64, kind: Kind, weight: f32, is_operator: bool) {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let seed = (kind as u64 * 2 + 1 + u64::from(is_operator)) << 56;
        let mixed = (hash ^ seed).wrapping_mul(GOLDEN);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(GOLDEN);
        let bucket = (mixed >> (64 - BUCKET_BITS)) as u32;
        if self.met.is_new(bucket) {
            let weight = weight * kind.weight();
            let space = self.met.space() as usize;
            self.sums_of_squares[space] += weight * weight;
            self.items[space].push((bucket, weight));
        }
    }
}

/// Themes of a text, and of its first and last words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tallies {
    pub(crate) all: Tally,
    pub(crate) edge: Tally,
}

/// The last place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

/// One window on its way into the grams.
struct Words<'a> {
    grams: &'a mut Grams,
    tallies: &'a mut Tallies,
    /// Weight of the place being read, and of the text where it counts fully.
    weight: f32,
    text_weight: f32,
    /// Where the window lies between the zones of instructions.
    middle: Range<usize>,
    /// Where the window lies between the first and the last words, and whether the place read does not.
    inside: Range<usize>,
    is_edge: bool,
    previous: u64,
    n_tokens: usize,
    end: [u64; N_END],
}

impl Words<'_> {
    fn scan(&mut self, text: &str) {
        let mut word = Word::new();
        let mut symbol = ' ';
        let mut at = 0;
        loop {
            let start = at;
            at = self.plain_run(text.as_bytes(), at, &mut word);
            if at > start {
                symbol = ' ';
            }
            let Some(c) = text[at..].chars().next() else {
                break;
            };
            if let Some(lower) = folded(c) {
                symbol = ' ';
                if word.is_full() {
                    self.word(&mut word);
                }
                word.push(lower);
            } else {
                self.word(&mut word);
                self.symbol(c, at, symbol);
                symbol = if c == ' ' { symbol } else { c };
            }
            at += c.len_utf8();
        }
        self.word(&mut word);
    }

    /// Takes ASCII letters and digits from `at` on, and returns where they end.
    #[inline]
    fn plain_run(&mut self, bytes: &[u8], mut at: usize, word: &mut Word) -> usize {
        while let Some(byte) = bytes.get(at) {
            let folded = FOLDED[usize::from(*byte)];
            if folded == 0 {
                break;
            }
            if word.is_full() {
                self.word(word);
            }
            word.bytes[word.n_bytes] = folded;
            word.n_bytes += 1;
            at += 1;
        }
        at
    }

    /// A character between words at `at`, after `before`.
    #[inline]
    fn symbol(&mut self, c: char, at: usize, before: char) {
        self.weight = if self.middle.contains(&at) {
            self.text_weight * MIDDLE_WEIGHT
        } else {
            self.text_weight
        };
        self.is_edge = !self.inside.contains(&at);
        if c != before && (c == '\n' || !c.is_whitespace()) {
            self.token(u64::from(u32::from(c)) | 1 << 40);
        }
    }

    /// Takes the word gathered, if any, and empties it.
    fn word(&mut self, word: &mut Word) {
        if word.n_bytes == 0 {
            return;
        }
        let bytes = &word.bytes[..word.n_bytes];
        let own = hash(bytes);
        self.themes(stems::themes(bytes, self.previous, own));
        self.token(own);
        if word.is_ascii {
            self.pieces_of_ascii(bytes);
        } else {
            self.pieces_of_chars(bytes);
        }
        word.n_bytes = 0;
        word.is_ascii = true;
    }

    /// Counts the themes of a word, a bit each; faint where the text is.
    fn themes(&mut self, mut bits: u32) {
        let weight = self.weight / self.text_weight;
        while bits != 0 {
            let theme = bits.trailing_zeros() as usize;
            self.tallies.all[theme] += weight;
            self.tallies.edge[theme] += f32::from(u8::from(self.is_edge));
            bits &= bits - 1;
        }
    }

    /// A word or a symbol: itself, with the one before, and where it stands.
    fn token(&mut self, hash: u64) {
        self.push(hash, Kind::Word);
        self.push(self.previous.rotate_left(21) ^ hash, Kind::Pair);
        if self.n_tokens < N_LEAD {
            self.push(hash, Kind::Lead);
        }
        self.end[self.n_tokens % N_END] = hash;
        self.previous = hash;
        self.n_tokens += 1;
    }

    /// The last words of a text that is longer than its lead.
    fn finish(&mut self) {
        if self.n_tokens > N_LEAD + N_END {
            for hash in self.end {
                self.push(hash, Kind::End);
            }
        }
    }

    fn pieces_of_ascii(&mut self, word: &[u8]) {
        const MIN_BYTES: usize = 5;
        if word.len() < MIN_BYTES {
            return;
        }
        let ends = [[b'^', word[0], word[1], word[2]], {
            let n = word.len();
            [word[n - 3], word[n - 2], word[n - 1], b'$']
        }];
        for piece in ends {
            self.push(u64::from(u32::from_le_bytes(piece)), Kind::Piece);
        }
        for piece in word.windows(4) {
            let bytes = [piece[0], piece[1], piece[2], piece[3]];
            self.push(u64::from(u32::from_le_bytes(bytes)), Kind::Piece);
        }
    }

    /// Of a script with spaces three and four characters, of one without one to three.
    fn pieces_of_chars(&mut self, word: &[u8]) {
        let mut starts = [0; MAX_WORD_BYTES + 1];
        let mut n_chars = 0;
        for (at, byte) in word.iter().enumerate() {
            if *byte & 0xC0 != 0x80 {
                starts[n_chars] = at;
                n_chars += 1;
            }
        }
        starts[n_chars] = word.len();
        let is_wide = word.iter().any(|byte| *byte >= 0xE0);
        let lengths = if is_wide { 1..=3 } else { 3..=4 };
        for length in lengths {
            for first in 0..(n_chars + 1).saturating_sub(length) {
                let piece = &word[starts[first]..starts[first + length]];
                self.push(hash(piece), Kind::Piece);
            }
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // as above
    fn push(&mut self, hash: u64, kind: Kind) {
        let is_operator = self.grams.met.space() == Space::System;
        self.grams.push(hash, kind, self.weight, is_operator);
        // What an operator asks for is said in the words a user would use.
        if is_operator && kind != Kind::Piece {
            self.push_as_user(hash, kind);
        }
    }

    #[cold]
    fn push_as_user(&mut self, hash: u64, kind: Kind) {
        let weight = self.weight * SYSTEM_SHARE;
        self.grams.push(hash, kind, weight, false);
    }
}

/// How much of a system prompt's weight goes to the users' space.
const SYSTEM_SHARE: f32 = 0.5;

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(stems::OFFSET, |hash, byte| stems::step(hash, *byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(text: &str) -> Vec<u32> {
        let mut grams = Grams::default();
        grams.read(text, 1.0, Space::Last);
        grams.iter().map(|item| item.0).collect()
    }

    #[test]
    fn case_and_digits_do_not_matter() {
        assert_eq!(buckets("Straße 12, OK"), buckets("straße 34, ok"));
        assert_ne!(buckets("one two"), buckets("two one"));
    }

    #[test]
    fn a_long_text_costs_no_more_than_its_windows() {
        let mut grams = Grams::default();
        let (n_read, _) = grams.read(&"word ".repeat(100_000), 1.0, Space::Last);
        assert_eq!(n_read, HEAD_BYTES + TAIL_BYTES);
        assert!(grams.iter().count() < 100, "a bucket counts once");
        let squares: f32 = grams.iter().map(|(_, weight)| weight * weight).sum();
        assert!((squares - 1.0).abs() < 1e-3);
    }
}
