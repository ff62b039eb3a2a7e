//! A text on its way into the grams: words cut and folded, what their bytes alone tell kept for the next time.

mod runs;

use std::ops::Range;

use crate::byte_map::{PACKED_LEN, Packed};
use crate::bytes;
use crate::grams::gathered::Grams;
use crate::grams::gloss::{KeptGloss, each_piece};
use crate::grams::place::Place;
use crate::grams::queue::Queue;
use crate::grams::reader::Memory;
use crate::grams::word::{FOLDED, ROLES, Role, Word, folded};
use crate::grams::{Kind, Space, Tallies, bucket, hash};
use crate::plain_words::Part;
use crate::stems;
use runs::hash_of_symbol;

/// Words of a text that count as its lead, and as its end.
const N_LEAD: usize = 4;
const N_END: usize = 8;
const N_LAST: usize = 2 * N_END;

/// What a system prompt's weight is divided by where it goes to the users' space.
const SYSTEM_PARTS: u8 = 2;

/// A text on its way into the grams, window by window.
pub(super) struct Words<'a> {
    grams: &'a mut Grams,
    memory: &'a mut Memory,
    pub(super) tallies: Tallies,
    place: Place,
    is_operator: bool,
    previous: Previous,
    n_tokens: usize,
    /// Hashes of the last tokens, one over the other, and room for one that may be none.
    last: [u64; N_LAST],
}

/// The hash of the token before, and its themes.
#[derive(Clone, Copy, Debug, Default)]
struct Previous {
    own: u64,
    themes: u32,
}

impl Previous {
    /// What it and the token after it are hashed to.
    #[inline]
    fn pair(self, own: u64) -> u64 {
        self.own.rotate_left(21) ^ own
    }

    /// Themes of a word, and those it has with the one before; `alone` as [`stems::themes`] tells them.
    #[inline]
    fn themes_with(self, own: u64, alone: u32) -> u32 {
        let themes = alone & stems::ALL;
        if stems::may_pair(self.themes, alone) {
            themes | stems::pair_themes(self.own, own)
        } else {
            themes
        }
    }
}

impl<'a> Words<'a> {
    pub(super) fn new(grams: &'a mut Grams, memory: &'a mut Memory) -> Self {
        Self {
            grams,
            is_operator: memory.met.space() == Space::System,
            memory,
            tallies: Tallies::default(),
            place: Place::before(0, 0),
            previous: Previous::default(),
            n_tokens: 0,
            last: [0; N_LAST],
        }
    }

    /// Reads a window that begins at `at` in a text of `n_bytes`.
    pub(super) fn read_window(&mut self, text: &str, plain: Part<'_>, at: usize, n_bytes: usize) {
        self.place = Place::before(at, n_bytes);
        self.previous = Previous::default();
        self.n_tokens = 0;
        self.scan(text, plain);
        self.finish();
    }

    fn scan(&mut self, text: &str, plain: Part<'_>) {
        let (bytes, mut words) = (text.as_bytes(), plain.iter());
        let (mut at, mut next) = (0, words.next());
        while let Some((start, end, known)) = next {
            if !self.symbols(bytes, at..start) {
                self.scan_range(text, at..start);
            }
            self.glossed(known.own, known.bucket, known.themes);
            self.pieces(&known.pieces, usize::from(known.n_pieces));
            at = end;
            next = self.run(bytes, &mut at, &mut words);
        }
        self.scan_range(text, at..text.len());
    }

    /// Reads what stands between two plain words: mostly a space or a symbol.
    #[inline]
    fn scan_range(&mut self, text: &str, range: Range<usize>) {
        let bytes = &text.as_bytes()[..range.end];
        let (mut at, mut before) = (range.start, b' ');
        while let Some(byte) = bytes.get(at) {
            let role = ROLES[usize::from(*byte)];
            if role == Role::Word {
                return self.scan_words(text, at..range.end, char::from(before));
            }
            self.place.go_to(at);
            if role == Role::Symbol && *byte != before {
                self.symbol(char::from(*byte));
            }
            before = if *byte == b' ' { before } else { *byte };
            at += 1;
        }
    }

    /// The same of any characters.
    fn scan_words(&mut self, text: &str, range: Range<usize>, mut symbol: char) {
        let bytes = &text.as_bytes()[..range.end];
        let mut word = Word::new();
        let mut at = range.start;
        loop {
            let start = at;
            at = self.plain_run(bytes, at, &mut word);
            if at > start {
                symbol = ' ';
            }
            let Some(byte) = bytes.get(at) else {
                break;
            };
            let c = match byte {
                0..0x80 => char::from(*byte),
                _ => text[at..].chars().next().unwrap_or(' '),
            };
            if let Some(lower) = folded(c) {
                symbol = ' ';
                if word.is_full() {
                    self.word(&mut word);
                }
                word.push(lower);
            } else {
                self.word(&mut word);
                self.place.go_to(at);
                if c != symbol && (c == '\n' || !c.is_whitespace()) {
                    self.symbol(c);
                }
                symbol = if c == ' ' { symbol } else { c };
            }
            at += c.len_utf8();
        }
        self.word(&mut word);
    }

    /// Takes ASCII letters and digits from `at` on, and returns where they end.
    #[inline]
    fn plain_run(&mut self, bytes: &[u8], mut at: usize, word: &mut Word) -> usize {
        if word.n_bytes == 0 {
            let end = bytes::alphanumeric_end(bytes, at);
            let is_whole = bytes.get(end).is_none_or(u8::is_ascii);
            if is_whole && (1..=PACKED_LEN).contains(&(end - at)) {
                self.packed_word(Packed::at(bytes, at, end - at).folded(), end - at);
                return end;
            }
        }
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

    /// A character between words.
    #[inline]
    fn symbol(&mut self, c: char) {
        let own = hash_of_symbol(c);
        self.previous.themes = 0;
        self.token(own, bucket(own, Kind::Word, self.is_operator));
    }

    /// Takes the word gathered, if any, and empties it.
    fn word(&mut self, word: &mut Word) {
        let n = std::mem::take(&mut word.n_bytes);
        let is_ascii = std::mem::replace(&mut word.is_ascii, true);
        let bytes = &word.bytes[..n];
        match n {
            0 => {}
            // Some letters beyond ASCII have a lower case in it: not what its bytes say.
            1..=PACKED_LEN if bytes.is_ascii() == is_ascii => {
                self.packed_word(Packed::at(&word.bytes, 0, n), n);
            }
            _ => self.new_word(bytes, is_ascii),
        }
    }

    /// Takes a folded word of `n` bytes.
    #[inline]
    fn packed_word(&mut self, word: Packed, n: usize) {
        let key = if self.is_operator {
            word.marked()
        } else {
            word
        };
        if let Some(gloss) = self.memory.known.get(key).copied() {
            return self.kept(&gloss);
        }
        let bytes = &word.bytes()[..n];
        let is_ascii = bytes.is_ascii();
        let Some(gloss) = KeptGloss::of(bytes, is_ascii, self.is_operator) else {
            return self.new_word(bytes, is_ascii);
        };
        self.memory.known.keep(key, gloss);
        self.kept(&gloss);
    }

    fn kept(&mut self, gloss: &KeptGloss) {
        self.glossed(gloss.own, gloss.bucket, gloss.themes);
        self.pieces(&gloss.pieces, usize::from(gloss.n_pieces));
    }

    /// A word that is not kept.
    fn new_word(&mut self, word: &[u8], is_ascii: bool) {
        let own = hash(word);
        let bucket = bucket(own, Kind::Word, self.is_operator);
        self.glossed(own, bucket, stems::themes(word, own, word.is_ascii()));
        each_piece(word, is_ascii, |hash| self.push(hash, Kind::Piece));
    }

    /// A word with its themes, and those it has with the word before.
    #[inline]
    fn glossed(&mut self, own: u64, bucket: u16, alone: u32) {
        let themes = self.previous.themes_with(own, alone);
        self.previous.themes = alone;
        self.memory.queue.push_themes(themes, self.place.marks());
        self.token(own, bucket);
    }

    /// The first `n_pieces` of the pieces of a word.
    #[inline]
    fn pieces<const N: usize>(&mut self, pieces: &[u16; N], n_pieces: usize) {
        let Queue { rows, counts } = &mut *self.memory.queue;
        rows.push_pieces(counts, pieces, n_pieces, self.place.factors());
    }

    /// A word or a symbol: itself, with the one before, and where it stands.
    #[inline]
    fn token(&mut self, own: u64, bucket: u16) {
        if self.memory.queue.counts.is_full() {
            self.settle();
        }
        let pair = self.previous.pair(own);
        if self.n_tokens < N_LEAD || self.is_operator {
            self.rare_token(own, bucket, pair);
        } else {
            let [word_factor, pair_factor, ..] = *self.place.factors();
            self.memory.queue.push(bucket, word_factor);
            let bucket = crate::grams::bucket(pair, Kind::Pair, false);
            self.memory.queue.push(bucket, pair_factor);
        }
        self.last[self.n_tokens % N_LAST] = own;
        self.previous.own = own;
        self.n_tokens += 1;
    }

    /// A token that leads its text, or is an operator's.
    #[inline(never)]
    fn rare_token(&mut self, own: u64, bucket: u16, pair: u64) {
        self.memory
            .queue
            .push(bucket, self.place.factor(Kind::Word));
        self.push_as_user(own, Kind::Word);
        self.push(pair, Kind::Pair);
        if self.n_tokens < N_LEAD {
            self.push(own, Kind::Lead);
        }
    }

    /// The last words of a text that is longer than its lead.
    fn finish(&mut self) {
        if self.n_tokens > N_LEAD + N_END {
            for at in self.n_tokens - N_END..self.n_tokens {
                self.push(self.last[at % N_LAST], Kind::End);
            }
        }
        self.settle();
    }

    /// Adds a bucket, and where it is an operator's that of what a user would say.
    #[inline]
    fn push(&mut self, hash: u64, kind: Kind) {
        let bucket = bucket(hash, kind, self.is_operator);
        self.memory.queue.push(bucket, self.place.factor(kind));
        self.push_as_user(hash, kind);
    }

    /// What an operator asks for is said in the words a user would use.
    #[inline]
    fn push_as_user(&mut self, hash: u64, kind: Kind) {
        if self.is_operator && kind != Kind::Piece {
            let factor = self.place.factor(kind) / SYSTEM_PARTS;
            self.memory.queue.push(bucket(hash, kind, false), factor);
        }
    }

    fn settle(&mut self) {
        let Memory { met, queue, .. } = &mut *self.memory;
        queue.settle(met, self.grams, &mut self.tallies);
    }
}
