//! Hashed n-grams of a conversation: words, pairs of words and pieces of words, each a bucket with a weight.
//!
//! Words are lower case, digits are all `0`, a run of one symbol is one word. Pieces are what relates forms of a
//! word, and languages: four bytes of a longer ASCII word; two or three characters where a script has no spaces.

use std::ops::Range;

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
/// Words of a text that count as its lead, and as its end.
const N_LEAD: usize = 4;
const N_END: usize = 8;
/// Longest word kept whole, in bytes; longer ones are cut.
const MAX_WORD_BYTES: usize = 48;

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
    Turn,
    System,
}

/// The n-grams gathered so far; a bucket may occur many times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grams {
    items: Vec<(u32, f32)>,
    sum_of_squares: f32,
}

impl Grams {
    /// Buckets and weights, not yet of unit length.
    pub(crate) fn items(&self) -> &[(u32, f32)] {
        &self.items
    }

    /// What makes the weights a vector of unit length; 0 if there are none.
    pub(crate) fn scale(&self) -> f32 {
        if self.sum_of_squares > 0.0 {
            self.sum_of_squares.sqrt().recip()
        } else {
            0.0
        }
    }

    /// Adds the n-grams of a text; `O(n)` up to 1,792 bytes, flat beyond. Returns the bytes read.
    pub(crate) fn read(&mut self, text: &str, weight: f32, space: Space) -> usize {
        if text.len() <= HEAD_BYTES + TAIL_BYTES {
            self.read_window(text, 0, text.len(), weight, space);
            return text.len();
        }
        let head = floor(text, HEAD_BYTES);
        let tail = floor(text, text.len() - TAIL_BYTES);
        self.read_window(&text[..head], 0, text.len(), weight, space);
        self.read_window(&text[tail..], tail, text.len(), weight, space);
        head + text.len() - tail
    }

    /// Reads a window that begins at `at` in a text of `n_bytes`.
    fn read_window(&mut self, text: &str, at: usize, n_bytes: usize, weight: f32, space: Space) {
        self.items.reserve(text.len() + 64); // About as many as bytes.
        let mut words = Words {
            grams: self,
            weight,
            text_weight: weight,
            middle: HEAD_ZONE.saturating_sub(at)..(n_bytes - at).saturating_sub(TAIL_ZONE),
            space,
            previous: 0,
            n_tokens: 0,
            end: [0; N_END],
        };
        words.scan(text);
        words.finish();
    }

    fn push(&mut self, hash: u64, kind: Kind, weight: f32, space: Space) {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let seed = (kind as u64 * 2 + space as u64 + 1) << 56;
        let mixed = (hash ^ seed).wrapping_mul(GOLDEN);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(GOLDEN);
        let bucket = (mixed >> (64 - BUCKET_BITS)) as u32;
        let weight = weight * kind.weight();
        self.sum_of_squares += weight * weight;
        self.items.push((bucket, weight));
    }
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
    /// Weight of the place being read, and of the text where it counts fully.
    weight: f32,
    text_weight: f32,
    /// Where the window lies between the zones of instructions.
    middle: Range<usize>,
    space: Space,
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
        self.token(hash(bytes));
        if word.is_ascii {
            self.pieces_of_ascii(bytes);
        } else {
            self.pieces_of_chars(bytes);
        }
        word.n_bytes = 0;
        word.is_ascii = true;
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

    fn push(&mut self, hash: u64, kind: Kind) {
        self.grams.push(hash, kind, self.weight, self.space);
        // What an operator asks for is said in the words a user would use.
        if self.space == Space::System && kind != Kind::Piece {
            self.grams
                .push(hash, kind, self.weight * SYSTEM_SHARE, Space::Turn);
        }
    }
}

/// How much of a system prompt's weight goes to the users' space.
const SYSTEM_SHARE: f32 = 0.5;

/// The word being gathered: lower case, digits as `0`.
struct Word {
    bytes: [u8; MAX_WORD_BYTES],
    n_bytes: usize,
    is_ascii: bool,
}

impl Word {
    fn new() -> Self {
        Self {
            bytes: [0; MAX_WORD_BYTES],
            n_bytes: 0,
            is_ascii: true,
        }
    }

    fn is_full(&self) -> bool {
        self.n_bytes + 4 > MAX_WORD_BYTES
    }

    /// Adds a character beyond ASCII.
    fn push(&mut self, lower: char) {
        self.is_ascii = false;
        self.n_bytes += lower.encode_utf8(&mut self.bytes[self.n_bytes..]).len();
    }
}

/// ASCII letters in lower case, digits as `0`, 0 for all else.
static FOLDED: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        if b.is_ascii_digit() {
            table[byte] = b'0';
        } else if b.is_ascii_alphabetic() {
            table[byte] = b.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// The lower case of a letter or digit beyond ASCII, the first character of it; `None` for what is neither.
fn folded(c: char) -> Option<char> {
    match c {
        '\0'..='\x7f' => None,
        // Chinese, kana, Korean and small Cyrillic letters: those of whole scripts, without a search.
        '\u{4e00}'..='\u{9fff}'
        | '\u{3041}'..='\u{3096}'
        | '\u{30a1}'..='\u{30fa}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{430}'..='\u{44f}' => Some(c),
        _ if c.is_alphanumeric() => Some(c.to_lowercase().next().unwrap_or(c)),
        _ => None,
    }
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(text: &str) -> Vec<u32> {
        let mut grams = Grams::default();
        grams.read(text, 1.0, Space::Turn);
        grams.items().iter().map(|item| item.0).collect()
    }

    #[test]
    fn case_and_digits_do_not_matter() {
        assert_eq!(buckets("Straße 12, OK"), buckets("straße 34, ok"));
        assert_ne!(buckets("one two"), buckets("two one"));
    }

    #[test]
    fn every_character_is_folded_as_unicode_says() {
        for c in '\u{80}'..=char::MAX {
            let lower = c.to_lowercase().next().filter(|_| c.is_alphanumeric());
            assert_eq!(folded(c), lower, "{c:?}");
        }
    }

    #[test]
    fn a_long_text_costs_no_more_than_its_windows() {
        let mut grams = Grams::default();
        let n_read = grams.read(&"word ".repeat(100_000), 1.0, Space::Turn);
        assert_eq!(n_read, HEAD_BYTES + TAIL_BYTES);
        let squares: f32 = grams
            .items()
            .iter()
            .map(|(_, weight)| (weight * grams.scale()).powi(2))
            .sum();
        assert!((squares - 1.0).abs() < 1e-3);
    }
}
