//! From text to n-grams: which parts of a text are read, and what is remembered from one to the next.

use super::gathered::Grams;
use super::gloss::KeptGloss;
use super::met::Met;
use super::queue::Queue;
use super::words::Words;
use super::{Space, Tallies};
use crate::byte_map::Packed;
use crate::memo::Memo;
use crate::plain_words::PlainWords;

/// Bytes read at the head and at the tail of a text.
pub(super) const HEAD_BYTES: usize = 1024;
pub(super) const TAIL_BYTES: usize = 768;

/// Sets of the words whose gloss is kept: 256 KB for 4,096 of them.
const N_SETS: usize = 2 << 10;

/// Reads texts into grams, one conversation after the other.
#[derive(Debug, Default)]
pub(crate) struct Reader(Memory);

/// What is kept from one word to the next.
#[derive(Debug)]
pub(super) struct Memory {
    /// The buckets met in the space being read.
    pub(super) met: Met,
    /// What was met since they were looked at.
    pub(super) queue: Box<Queue>,
    /// Words met lately, of any conversation.
    pub(super) known: Memo<Packed, KeptGloss, 2>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            met: Met::default(),
            queue: Box::default(),
            known: Memo::new(N_SETS),
        }
    }
}

impl Reader {
    /// Goes over to another conversation.
    pub(crate) fn begin(&mut self) {
        self.0.met.leave();
    }

    /// Adds the n-grams of a text; `O(n)` up to 1,792 bytes, flat beyond. Returns the bytes read, and
    /// how often each theme was met.
    pub(crate) fn read(
        &mut self,
        grams: &mut Grams,
        plain: &mut PlainWords,
        text: &str,
        weight: f32,
        space: Space,
    ) -> (usize, Tallies) {
        self.0.met.enter(space);
        grams.begin(space, weight);
        let mut words = Words::new(grams, &mut self.0);
        if text.len() <= HEAD_BYTES + TAIL_BYTES {
            words.read_window(text, plain.of(text.as_bytes()), 0, text.len());
            return (text.len(), words.tallies);
        }
        let head = floor(text, HEAD_BYTES);
        let tail = floor(text, text.len() - TAIL_BYTES);
        for (at, window) in [(0, &text[..head]), (tail, &text[tail..])] {
            words.read_window(window, plain.of(window.as_bytes()), at, text.len());
        }
        (head + text.len() - tail, words.tallies)
    }
}

/// The last place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::features::plain_words;
    use crate::plain_words::Part;

    proptest! {
        #[test]
        fn plain_words_are_read_as_any_others(
            text in "(([a-cZ7]{1,16}|[a-c]{5,9}|\\PC{1,3})[ .,_\\n\t!'é]{0,4}){0,60}", space in prop::sample::select(
                vec![Space::Last, Space::Before, Space::System])
        ) {
            let mut plain = plain_words();
            plain.begin(&text, space == Space::System);
            let gathered = [Part::NONE, plain.of(text.as_bytes())].map(|part| {
                let (mut grams, mut memory) = (Grams::default(), Memory::default());
                memory.met.enter(space);
                grams.begin(space, 0.7);
                let mut words = Words::new(&mut grams, &mut memory);
                words.read_window(&text, part, 0, text.len());
                let tallies = words.tallies;
                (format!("{grams:?}"), format!("{tallies:?}"))
            });
            prop_assert_eq!(&gathered[0], &gathered[1]);
        }
    }
}
