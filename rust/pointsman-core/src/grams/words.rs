//! A text on its way into the grams: words cut and folded, what their bytes alone tell kept for the next time.

use std::ops::Range;

use super::gathered::Grams;
use super::gloss::{KeptGloss, each_piece};
use super::place::{MIDDLE_WEIGHT, Place};
use super::reader::Memory;
use super::word::{FOLDED, Word, folded};
use super::{Kind, Space, Tallies, bucket, hash};
use crate::byte_map::{PACKED_LEN, Packed};
use crate::bytes;
use crate::plain_words::{Known, Part};
use crate::stems;

/// Words of a text that count as its lead, and as its end.
const N_LEAD: usize = 4;
const N_END: usize = 8;

/// What a system prompt's weight is divided by where it goes to the users' space.
const SYSTEM_PARTS: u8 = 2;

/// A text on its way into the grams, window by window.
pub(super) struct Words<'a> {
    grams: &'a mut Grams,
    memory: &'a mut Memory,
    pub(super) tallies: Tallies,
    /// What a theme counts between the zones of instructions.
    faint: f32,
    place: Place,
    is_operator: bool,
    /// The hash of the token before, and its themes.
    previous: u64,
    previous_themes: u32,
    n_tokens: usize,
    end: [u64; N_END],
}

impl<'a> Words<'a> {
    pub(super) fn new(grams: &'a mut Grams, memory: &'a mut Memory, weight: f32) -> Self {
        Self {
            grams,
            is_operator: memory.met.space() == Space::System,
            memory,
            tallies: Tallies::default(),
            faint: weight * MIDDLE_WEIGHT / weight,
            place: Place::before(0, 0),
            previous: 0,
            previous_themes: 0,
            n_tokens: 0,
            end: [0; N_END],
        }
    }

    /// Reads a window that begins at `at` in a text of `n_bytes`.
    pub(super) fn read_window(&mut self, text: &str, plain: Part<'_>, at: usize, n_bytes: usize) {
        self.place = Place::before(at, n_bytes);
        (self.previous, self.previous_themes) = (0, 0);
        (self.n_tokens, self.end) = (0, [0; N_END]);
        self.scan(text, plain);
        self.finish();
    }

    fn scan(&mut self, text: &str, plain: Part<'_>) {
        let (mut at, mut symbol) = (0, ' ');
        for (start, end, known) in plain.iter() {
            if text.as_bytes()[at..start] == *b" " {
                self.place.go_to(at);
            } else {
                self.scan_range(text, at..start, symbol);
            }
            self.known_word(known);
            (at, symbol) = (end, ' ');
        }
        self.scan_range(text, at..text.len(), symbol);
    }

    /// Takes a plain word.
    #[inline(always)]
    #[allow(clippy::inline_always)] // once a word
    fn known_word(&mut self, known: &Known) {
        let Known { own, bucket, .. } = *known;
        self.themes(own, known.themes);
        let n_pieces = usize::from(known.n_pieces);
        self.token(own, bucket, &known.pieces, n_pieces);
    }

    /// Reads what stands between two plain words, after `symbol`: mostly a space.
    #[inline]
    fn scan_range(&mut self, text: &str, range: Range<usize>, mut symbol: char) {
        let bytes = &text.as_bytes()[..range.end];
        let mut at = range.start;
        while let Some(byte) = bytes.get(at) {
            if !byte.is_ascii() || FOLDED[usize::from(*byte)] != 0 {
                return self.scan_words(text, at..range.end, symbol);
            }
            let c = char::from(*byte);
            self.symbol(c, at, symbol);
            symbol = if c == ' ' { symbol } else { c };
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

    /// A character between words at `at`, after `before`.
    #[inline]
    fn symbol(&mut self, c: char, at: usize, before: char) {
        self.place.go_to(at);
        if c != before && (c == '\n' || !c.is_whitespace()) {
            let own = u64::from(u32::from(c)) | 1 << 40;
            let bucket = bucket(own, Kind::Word, self.is_operator);
            self.previous_themes = 0;
            self.token(own, bucket, &[], 0);
        }
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
            return self.glossed(&gloss);
        }
        let bytes = &word.bytes()[..n];
        let Some(gloss) = KeptGloss::of(bytes, self.is_operator) else {
            return self.new_word(bytes, bytes.is_ascii());
        };
        self.memory.known.keep(key, gloss);
        self.glossed(&gloss);
    }

    fn glossed(&mut self, gloss: &KeptGloss) {
        self.themes(gloss.own, gloss.themes);
        let n_pieces = usize::from(gloss.n_pieces);
        self.token(gloss.own, gloss.bucket, &gloss.pieces, n_pieces);
    }

    /// A word that is not kept.
    fn new_word(&mut self, word: &[u8], is_ascii: bool) {
        let own = hash(word);
        self.themes(own, stems::themes(word, own));
        let bucket = bucket(own, Kind::Word, self.is_operator);
        self.token(own, bucket, &[], 0);
        each_piece(word, is_ascii, |hash| self.push(hash, Kind::Piece));
    }

    /// Counts the themes of the word that is read, and those it has with the word before.
    #[inline(always)]
    #[allow(clippy::inline_always)] // once a word
    fn themes(&mut self, own: u64, alone: u32) {
        let mut themes = alone & stems::ALL;
        if stems::may_pair(self.previous_themes, alone) {
            themes |= stems::pair_themes(self.previous, own);
        }
        self.previous_themes = alone;
        self.memory.queue.push_themes(themes, self.place.marks());
    }

    /// A word or a symbol: itself, with the one before, where it stands, and its pieces.
    #[inline(always)]
    #[allow(clippy::inline_always)] // once a token
    fn token<const N: usize>(&mut self, own: u64, bucket: u16, pieces: &[u16; N], n_pieces: usize) {
        if self.memory.queue.is_full() {
            self.settle();
        }
        if self.n_tokens < N_LEAD || self.is_operator {
            self.rare_token(own, bucket);
            let pieces = &pieces[..n_pieces.min(N)];
            let factor = self.place.factor(Kind::Piece);
            pieces
                .iter()
                .for_each(|piece| self.memory.queue.push(*piece, factor));
        } else {
            let pair = super::bucket(self.pair(own), Kind::Pair, false);
            self.memory
                .queue
                .push_token([bucket, pair], pieces, n_pieces, self.place.factors());
        }
        self.end[self.n_tokens % N_END] = own;
        self.previous = own;
        self.n_tokens += 1;
    }

    fn pair(&self, own: u64) -> u64 {
        self.previous.rotate_left(21) ^ own
    }

    /// A token that leads its text, or is an operator's.
    #[inline(never)]
    fn rare_token(&mut self, own: u64, bucket: u16) {
        self.memory
            .queue
            .push(bucket, self.place.factor(Kind::Word));
        self.push_as_user(own, Kind::Word);
        self.push(self.pair(own), Kind::Pair);
        if self.n_tokens < N_LEAD {
            self.push(own, Kind::Lead);
        }
    }

    /// The last words of a text that is longer than its lead.
    fn finish(&mut self) {
        if self.n_tokens > N_LEAD + N_END {
            for hash in self.end {
                self.push(hash, Kind::End);
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
        queue.settle(met, self.grams, &mut self.tallies, self.faint);
    }
}
