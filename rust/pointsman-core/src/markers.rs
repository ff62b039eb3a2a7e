//! Cue words of a text: one aho-corasick pass over its windows (a second one only where it is not all ASCII).
//!
//! A cue counts more where instructions stand (the head and the tail of a text), less inside code fences, and
//! not at all inside boilerplate that agents paste in (`<system-reminder>` blocks).

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::lexicon::{Cue, Edge, LEXICON, N_CUES};
use crate::text::Windows;

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

struct Pattern {
    cue: Cue,
    edge: Edge,
    weight: f32,
}

struct Automaton {
    search: AhoCorasick,
    patterns: Vec<Pattern>,
}

/// Two automata, so that ASCII text is searched by the fast one (4 MB, built in about 15 ms) without the bytes of
/// other scripts widening its table, and the rarer one costs little memory.
struct Lexicon {
    ascii: Automaton,
    other: Automaton,
}

/// Built on first use; a constant in all but name.
static LEXICON_AUTOMATA: LazyLock<Lexicon> = LazyLock::new(|| Lexicon {
    ascii: build(AhoCorasickKind::DFA, str::is_ascii),
    other: build(AhoCorasickKind::ContiguousNFA, |word| !word.is_ascii()),
});

#[allow(clippy::expect_used)] // The patterns are constants; the tests build them.
fn build(kind: AhoCorasickKind, belongs: fn(&str) -> bool) -> Automaton {
    let mut texts = Vec::new();
    let mut patterns = Vec::new();
    for &(cue, edge, weight, words) in LEXICON {
        for word in words.split('|').filter(|word| belongs(word)) {
            let forms = std::iter::once(word.to_owned()).chain(capitalised(word));
            for form in forms {
                texts.push(form);
                patterns.push(Pattern { cue, edge, weight });
            }
        }
    }
    let search = AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(kind))
        .ascii_case_insensitive(true)
        .build(&texts)
        .expect("the lexicon's patterns fit an automaton");
    Automaton { search, patterns }
}

/// The automaton folds ASCII case only; other scripts get their capitalised form as a second pattern.
fn capitalised(word: &str) -> Option<String> {
    let first = word.chars().next().filter(|first| !first.is_ascii())?;
    let upper: String = first.to_uppercase().collect();
    let rest = &word[first.len_utf8()..];
    (!upper.starts_with(first)).then(|| upper + rest)
}

/// Weighted cue counts of one text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    pub(crate) cues: [f32; N_CUES],
}

impl Marks {
    /// Scans the windows; `O(n)` in their length, no allocation.
    pub(crate) fn of(windows: &Windows<'_>) -> Self {
        let mut marks = Self {
            cues: [0.0; N_CUES],
        };
        let mut state = Context::default();
        marks.scan(windows.head, 0, windows.n_bytes, &mut state);
        marks.scan(windows.tail, windows.tail_at, windows.n_bytes, &mut state);
        marks
            .cues
            .iter_mut()
            .for_each(|count| *count = count.min(MAX_COUNT));
        marks
    }

    pub(crate) fn get(&self, cue: Cue) -> f32 {
        self.cues[cue as usize]
    }

    fn scan(&mut self, bytes: &[u8], offset: usize, n_bytes: usize, state: &mut Context) {
        let lexicon = &*LEXICON_AUTOMATA;
        self.search(&lexicon.ascii, bytes, offset, n_bytes, state);
        if !bytes.is_ascii() {
            self.search(
                &lexicon.other,
                bytes,
                offset,
                n_bytes,
                &mut Context::default(),
            );
        }
    }

    fn search(
        &mut self,
        automaton: &Automaton,
        bytes: &[u8],
        offset: usize,
        n_bytes: usize,
        state: &mut Context,
    ) {
        for found in automaton.search.find_overlapping_iter(bytes) {
            let pattern = &automaton.patterns[found.pattern().as_usize()];
            if pattern.edge == Edge::Word && !stands_alone(bytes, found.start(), found.end()) {
                continue;
            }
            let weight = pattern.weight * zone(offset + found.start(), n_bytes);
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
    let is_word = |index: usize| {
        let byte = bytes.get(index);
        byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80)
    };
    let is_before = start.checked_sub(1).is_some_and(is_word);
    let may_inflect = end >= 2 && is_word(end - 2);
    let is_inflected = may_inflect && matches!(bytes.get(end), Some(b's' | b'S'));
    !is_before && !is_word(end + usize::from(is_inflected))
}

/// Builds the automaton now, so that the first decision does not pay for it.
pub(crate) fn warm_up() {
    LazyLock::force(&LEXICON_AUTOMATA);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(text: &str) -> Marks {
        Marks::of(&Windows::of(text, usize::MAX))
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
