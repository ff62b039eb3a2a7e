//! [`Memo`]: what was found of a word, kept for when the same word comes again.
//!
//! Language repeats its words (Zipf), and most of what a text costs is found word by word in tables that are larger
//! than a cache. A memo changes no answer: a word is told by all of its bytes, and what is kept of it is what would
//! be found anew. Its memory is fixed, and a new word takes the place of the one that came longest ago in its set.

use crate::byte_map::{PACKED_LEN, Packed};

/// All bytes of a word, as they are compared.
pub(crate) trait Key: Copy + PartialEq {
    /// What no word is.
    const NONE: Self;

    /// Mixed bits of all bytes.
    fn hash(self) -> u64;
}

impl Key for Packed {
    const NONE: Self = Packed::NONE;

    #[inline]
    fn hash(self) -> u64 {
        Packed::hash(self)
    }
}

/// A word of more bytes than [`PACKED_LEN`] and at most [`LONG_LEN`]: German compounds, and much of what Cyrillic,
/// Greek or Arabic writes with two bytes a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Long(Packed, Packed);

pub(crate) const LONG_LEN: usize = 2 * PACKED_LEN;

impl Long {
    /// The `n` bytes of `text` from `at`, if that is as many as such a word has.
    pub(crate) fn at(text: &[u8], at: usize, n: usize) -> Option<Self> {
        (PACKED_LEN + 1..=LONG_LEN).contains(&n).then(|| {
            let rest = Packed::at(text, at + PACKED_LEN, n - PACKED_LEN);
            Self(Packed::at(text, at, PACKED_LEN), rest)
        })
    }
}

impl Key for Long {
    const NONE: Self = Self(Packed::NONE, Packed::NONE);

    fn hash(self) -> u64 {
        self.0.hash() ^ self.1.hash().rotate_left(32)
    }
}

/// Words of one set and what is kept of each, the newest first; a cache line or two.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Set<K, V, const WAYS: usize> {
    words: [K; WAYS],
    values: [V; WAYS],
}

/// What is kept of some words.
#[derive(Clone, Debug)]
pub(crate) struct Memo<K, V, const WAYS: usize>(Vec<Set<K, V, WAYS>>);

impl<K: Key, V: Copy + Default, const WAYS: usize> Memo<K, V, WAYS> {
    /// An empty memo of `n_sets` sets, a power of two.
    pub(crate) fn new(n_sets: usize) -> Self {
        debug_assert!(n_sets.is_power_of_two());
        let free = Set {
            words: [K::NONE; WAYS],
            values: [V::default(); WAYS],
        };
        Self(vec![free; n_sets])
    }

    /// What is kept of the word.
    #[inline(always)]
    #[allow(clippy::inline_always)] // a call costs as much as the look
    pub(crate) fn get(&self, word: K) -> Option<&V> {
        let set = &self.0[word.hash() as usize & (self.0.len() - 1)];
        let way = set.words.iter().position(|kept| *kept == word)?;
        Some(&set.values[way])
    }

    /// Keeps the value of a word.
    #[inline]
    pub(crate) fn keep(&mut self, word: K, value: V) {
        let place = word.hash() as usize & (self.0.len() - 1);
        let set = &mut self.0[place];
        if set.words.contains(&word) {
            return;
        }
        set.words.copy_within(..WAYS - 1, 1);
        set.values.copy_within(..WAYS - 1, 1);
        (set.words[0], set.values[0]) = (word, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(i: usize) -> Packed {
        let text = format!("{i:x}");
        Packed::at(text.as_bytes(), 0, text.len())
    }

    #[test]
    fn what_is_kept_is_what_was_given_and_room_is_made_for_the_new() {
        let mut memo = Memo::<Packed, u32, 2>::new(64);
        for i in 0..5000 {
            assert_eq!(memo.get(word(i)), None);
            memo.keep(word(i), i as u32);
            assert_eq!(memo.get(word(i)), Some(&(i as u32)));
        }
        let kept = (0..5000).filter_map(|i| memo.get(word(i)).map(|value| (i, *value)));
        let kept: Vec<_> = kept.collect();
        assert_eq!(kept.len(), 128, "as many as there is room for");
        assert!(kept.iter().all(|(i, value)| *i == *value as usize));
    }

    #[test]
    fn a_long_word_is_told_by_every_byte() {
        let text = b"donaudampfschifffahrtsgesellschaft".as_slice();
        for n in PACKED_LEN + 1..=LONG_LEN {
            let word = Long::at(text, 1, n);
            assert!(word.is_some());
            for i in 1..=n {
                let mut other = text.to_vec();
                other[i] ^= 1;
                assert_ne!(Long::at(&other, 1, n), word);
            }
            assert_ne!(Long::at(text, 1, n - 1), word);
        }
        assert_eq!(Long::at(text, 0, PACKED_LEN), None);
        assert_eq!(Long::at(text, 0, LONG_LEN + 1), None);
    }
}
