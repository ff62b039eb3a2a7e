//! [`Pattern`]: a text of the lexicon, with what it counts for.

use crate::lexicon::{Cue, Edge, LEXICON};

/// What is looked for, and what it counts for.
pub(super) struct Pattern {
    pub(super) text: Box<str>,
    pub(super) cue: Cue,
    pub(super) edge: Edge,
    pub(super) weight: f32,
}

/// All patterns of the lexicon, in its order.
pub(super) fn patterns() -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for &(cue, edge, weight, words) in LEXICON {
        for word in words.split('|') {
            let forms = std::iter::once(word.to_owned()).chain(capitalised(word));
            patterns.extend(forms.map(|text| Pattern {
                text: text.into(),
                cue,
                edge,
                weight,
            }));
        }
    }
    patterns
}

/// ASCII is compared without case; other scripts get their capitalised form as a second pattern.
fn capitalised(word: &str) -> Option<String> {
    let first = word.chars().next().filter(|first| !first.is_ascii())?;
    let upper: String = first.to_uppercase().collect();
    let rest = &word[first.len_utf8()..];
    (!upper.starts_with(first)).then(|| upper + rest)
}
