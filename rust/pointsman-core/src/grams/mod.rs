//! Hashed n-grams of a conversation: words, pairs of words and pieces of words, each a bucket with a weight.
//!
//! Words are lower case, digits are all `0`, a run of one symbol is one word. Pieces are what relates forms of a
//! word, and languages: four bytes of a longer ASCII word; two or three characters where a script has no spaces.

mod gathered;
mod gloss;
mod met;
mod place;
mod queue;
mod reader;
mod word;
mod words;

use crate::stems::{self, Tally};
pub(crate) use gathered::{Grams, Run};
pub(crate) use gloss::KeptGloss;
pub(crate) use reader::Reader;

/// Number of buckets that n-grams are hashed to.
pub(crate) const N_BUCKETS: usize = 1 << BUCKET_BITS;
const BUCKET_BITS: u32 = u16::BITS;
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
    /// How much a word says next to its pieces, in fiftieths; chosen so that the many do not drown the few.
    const fn factor(self) -> u8 {
        match self {
            Kind::Word | Kind::Lead => 50,
            Kind::Pair => 40,
            Kind::End => 30,
            Kind::Piece => 20,
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

/// The bucket of an n-gram, hashed as a user's or as an operator's.
#[inline(always)]
#[allow(clippy::inline_always)] // about as often as there are bytes, with a kind known at each place
const fn bucket(hash: u64, kind: Kind, is_operator: bool) -> u16 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let seed = (kind as u64 * 2 + 1 + is_operator as u64) << 56;
    let mixed = (hash ^ seed).wrapping_mul(GOLDEN);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(GOLDEN);
    (mixed >> (64 - BUCKET_BITS)) as u16
}

/// Themes of a text, and of its first and last words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tallies {
    pub(crate) all: Tally,
    pub(crate) edge: Tally,
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(stems::OFFSET, |hash, byte| stems::step(hash, *byte))
}

#[cfg(test)]
mod tests {
    use super::reader::{HEAD_BYTES, TAIL_BYTES};
    use super::*;
    use crate::features::plain_words;

    fn read(text: &str) -> (Grams, usize) {
        let mut grams = Grams::default();
        let words = &mut plain_words();
        let (n_read, _) = Reader::default().read(&mut grams, words, text, 1.0, Space::Last);
        (grams, n_read)
    }

    fn buckets(text: &str) -> Vec<u32> {
        read(text).0.iter().map(|item| item.0).collect()
    }

    #[test]
    fn case_and_digits_do_not_matter() {
        assert_eq!(buckets("Straße 12, OK"), buckets("straße 34, ok"));
        assert_ne!(buckets("one two"), buckets("two one"));
    }

    #[test]
    fn a_long_text_costs_no_more_than_its_windows() {
        let (grams, n_read) = read(&"word ".repeat(100_000));
        assert_eq!(n_read, HEAD_BYTES + TAIL_BYTES);
        assert!(grams.iter().count() < 100, "a bucket counts once");
        let squares: f32 = grams.iter().map(|(_, weight)| weight * weight).sum();
        assert!((squares - 1.0).abs() < 1e-3);
    }
}
