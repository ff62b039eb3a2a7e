//! Cue words of a text.
//!
//! A cue counts more where instructions stand (the head and the tail of a text), less inside code fences, and
//! not at all inside boilerplate that agents paste in (`<system-reminder>` blocks).

mod found;
mod pairs;
mod pattern;
mod phrase;
mod search;

use std::sync::LazyLock;

use crate::byte_map::Packed;
use crate::bytes;
use crate::lexicon::{Cue, N_CUES};
use crate::plain_words::PlainWords;
use crate::text::Windows;
use found::Found;
pub(crate) use search::Places;
use search::Search;

/// Bytes at the head that count fully.
const HEAD_ZONE: usize = 400;
/// Bytes at the tail that count fully.
const TAIL_ZONE: usize = 300;
/// Bytes at the very start where a verb is the instruction itself.
const LEAD_ZONE: usize = 40;
const LEAD_WEIGHT: f32 = 1.5;
const MIDDLE_WEIGHT: f32 = 0.3;
const FENCE_WEIGHT: f32 = 0.25;
/// A word repeated more often than this says nothing new.
const MAX_COUNT: f32 = 4.0;

/// Built on first use; a constant in all but name.
static SEARCH: LazyLock<Search> = LazyLock::new(Search::new);

/// Weighted cue counts of one text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    pub(crate) cues: [f32; N_CUES],
}

impl Marks {
    /// Scans the windows; `O(n)` in their length.
    pub(crate) fn of(windows: &Windows<'_>, words: &mut PlainWords, places: &mut Places) -> Self {
        let mut marks = Self {
            cues: [0.0; N_CUES],
        };
        let mut state = Context::default();
        let windows_at = [(windows.head, 0), (windows.tail, windows.tail_at)];
        for (bytes, offset) in windows_at {
            let [ascii, wide] = SEARCH.find(bytes, words.of(bytes), places);
            marks.add(&ascii, offset, windows.n_bytes, &mut state);
            marks.add(&wide, offset, windows.n_bytes, &mut Context::default());
        }
        marks
            .cues
            .iter_mut()
            .for_each(|count| *count = count.min(MAX_COUNT));
        marks
    }

    pub(crate) fn get(&self, cue: Cue) -> f32 {
        self.cues[cue as usize]
    }

    fn add(&mut self, found: &[Found], offset: usize, n_bytes: usize, state: &mut Context) {
        for place in found {
            let pattern = &SEARCH.patterns[place.pattern()];
            let weight = pattern.weight * zone(offset + place.start(), n_bytes);
            match pattern.cue {
                Cue::ReminderOpen => state.is_muted = true,
                Cue::ReminderClose => state.is_muted = false,
                Cue::Fence => {
                    state.is_fenced = !state.is_fenced;
                    self.cues[Cue::Fence as usize] += 1.0;
                }
                _ if state.is_muted => {}
                cue if state.is_fenced => self.cues[cue as usize] += weight * FENCE_WEIGHT,
                cue => self.cues[cue as usize] += weight,
            }
        }
    }
}

#[derive(Default)]
struct Context {
    is_muted: bool,
    is_fenced: bool,
}

fn zone(at: usize, n_bytes: usize) -> f32 {
    if at < LEAD_ZONE {
        LEAD_WEIGHT
    } else if at < HEAD_ZONE || at + TAIL_ZONE >= n_bytes {
        1.0
    } else {
        MIDDLE_WEIGHT
    }
}

/// Whether the match is a whole word; a plural or third person `s` may follow (but "plan a" is not in "plan as").
fn stands_alone(bytes: &[u8], start: usize, end: usize) -> bool {
    let is_word = |index: usize| bytes.get(index).is_some_and(|byte| bytes::is_word(*byte));
    let is_before = start.checked_sub(1).is_some_and(is_word);
    let may_inflect = end >= 2 && is_word(end - 2);
    let is_inflected = may_inflect && matches!(bytes.get(end), Some(b's' | b'S'));
    !is_before && !is_word(end + usize::from(is_inflected))
}

/// Places of the phrases that a plain word of `n` bytes begins, and bits of where in it and around it others may begin.
pub(crate) fn places(word: Packed, n: usize) -> ([u16; 2], u16) {
    (SEARCH.look_up(word, n), SEARCH.pairs_of(&word.bytes()[..n]))
}

/// Builds the tables now, so that the first decision does not pay for it.
pub(crate) fn warm_up() {
    LazyLock::force(&SEARCH);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::plain_words;

    fn marks(text: &str) -> Marks {
        let windows = Windows::of(text, usize::MAX);
        Marks::of(&windows, &mut plain_words(), &mut Places::default())
    }

    #[test]
    fn a_cue_is_a_whole_word_or_its_plural() {
        assert!(marks("Please review these contracts.").get(Cue::Legal) > 0.0);
        assert_eq!(marks("a contractor contracted it").get(Cue::Legal), 0.0);
        assert!(
            marks("Напиши код").get(Cue::Write) > 0.0,
            "capitalised Cyrillic"
        );
    }

    #[test]
    fn reminder_blocks_are_mute_and_fences_are_faint() {
        let open = marks("the python function");
        assert_eq!(
            marks("<system-reminder>the python function</system-reminder>").get(Cue::Code),
            0.0
        );
        let fenced = marks("```\nthe python function\n```");
        assert!(fenced.get(Cue::Code) < open.get(Cue::Code) && fenced.get(Cue::Fence) == 2.0);
    }
}
