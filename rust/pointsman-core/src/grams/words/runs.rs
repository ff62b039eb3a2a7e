//! The common case in loops without a branch on what a text says: plain words, and symbols between them.

use std::ops::Range;

use super::{N_LAST, N_LEAD, Previous, Words};
use crate::grams::queue::Queue;
use crate::grams::word::{ROLES, Role};
use crate::grams::{Kind, bucket};
use crate::plain_words::Known;

/// Most bytes between two words that are taken so: their n-grams have room.
const MOST_SYMBOLS: usize = 16;

/// What a symbol is hashed to.
pub(super) const fn hash_of_symbol(c: char) -> u64 {
    c as u64 | (1 << 40)
}

/// A user's buckets of the symbols of ASCII.
static SYMBOLS: [u16; 256] = {
    let mut buckets = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        buckets[byte] = bucket(hash_of_symbol(byte as u8 as char), Kind::Word, false);
        byte += 1;
    }
    buckets
};

impl Words<'_> {
    /// Whether no more is to be done for a token than for the one before.
    #[inline]
    fn is_common(&self) -> bool {
        self.n_tokens >= N_LEAD && !self.is_operator
    }

    /// Takes plain words with a space between each and the one before, which ends at `at`, as long as they stand in
    /// one place and nothing else is to be done. Returns the word that this is not so of.
    #[inline(always)]
    #[allow(clippy::inline_always)] // what is counted stays in registers over the whole loop
    pub(super) fn run<'k>(
        &mut self,
        bytes: &[u8],
        at: &mut usize,
        words: &mut impl Iterator<Item = (usize, usize, &'k Known)>,
    ) -> Option<(usize, usize, &'k Known)> {
        if !self.is_common() {
            return words.next();
        }
        let (factors, marks, end) = (self.place.factors(), self.place.marks(), self.place.end());
        let Queue { rows, counts } = &mut *self.memory.queue;
        let mut n = *counts;
        let (mut previous, mut n_tokens) = (self.previous, self.n_tokens);
        let stopped = loop {
            let Some((start, word_end, known)) = words.next() else {
                break None;
            };
            let is_next = start == *at + 1 && bytes.get(*at) == Some(&b' ') && *at < end;
            if !is_next || n.is_full() {
                break Some((start, word_end, known));
            }
            let themes = previous.themes_with(known.own, known.themes);
            rows.push_themes(&mut n, themes, marks);
            let own = [
                known.bucket,
                bucket(previous.pair(known.own), Kind::Pair, false),
            ];
            let n_pieces = usize::from(known.n_pieces);
            rows.push_token(&mut n, own, &known.pieces, n_pieces, factors);
            (previous.own, previous.themes) = (known.own, known.themes);
            self.last[n_tokens % N_LAST] = known.own;
            n_tokens += 1;
            *at = word_end;
        };
        *counts = n;
        (self.previous, self.n_tokens) = (previous, n_tokens);
        stopped
    }

    /// Takes what stands between two words, where that is symbols and white space of ASCII in one place; else says no.
    #[inline]
    pub(super) fn symbols(&mut self, bytes: &[u8], range: Range<usize>) -> bool {
        let is_here = range.end <= self.place.end() && range.len() <= MOST_SYMBOLS;
        let bytes = &bytes[range];
        let is_word = |byte: &u8| ROLES[usize::from(*byte)] == Role::Word;
        if !is_here || !self.is_common() || bytes.iter().any(is_word) {
            return false;
        }
        let Queue { rows, counts } = &mut *self.memory.queue;
        if counts.is_full() {
            return false;
        }
        let (mut n, mut n_tokens) = (*counts, self.n_tokens);
        let (mut previous, mut before) = (self.previous, b' ');
        for byte in bytes {
            let is_token = ROLES[usize::from(*byte)] == Role::Symbol && *byte != before;
            let own = hash_of_symbol(char::from(*byte));
            let pair = bucket(previous.pair(own), Kind::Pair, false);
            let buckets = [SYMBOLS[usize::from(*byte)], pair];
            rows.push_symbol(&mut n, buckets, is_token, self.place.factors());
            // Where it is none, it is written over.
            self.last[n_tokens % N_LAST] = own;
            n_tokens += usize::from(is_token);
            let token = Previous { own, themes: 0 };
            previous = if is_token { token } else { previous };
            before = if *byte == b' ' { before } else { *byte };
        }
        *counts = n;
        (self.previous, self.n_tokens) = (previous, n_tokens);
        true
    }
}
