//! Which language a text is in, by its function words and its script; only good enough to choose a word list.

use super::lexicon::{TONGUES, Tongue, lexicon, word_hash};
use super::words::{RawWord, Shape};

/// Words looked at.
const MOST_LOOKED_AT: usize = 48;

/// The language whose function words are most frequent; English for plain ASCII without any.
pub(crate) fn tongue_of(words: &[RawWord]) -> Tongue {
    let is_kana = |c: char| matches!(c, '\u{3041}'..='\u{30ff}');
    if let Some(tongue) = words.iter().take(MOST_LOOKED_AT).find_map(by_script) {
        let has_kana = words.iter().any(|word| word.text.contains(is_kana));
        return if tongue == Tongue::Zh && has_kana {
            Tongue::Ja
        } else {
            tongue
        };
    }
    let (lexicon, mut counts) = (lexicon(), [0u32; TONGUES.len()]);
    for word in words.iter().take(MOST_LOOKED_AT) {
        let hash = if word.is_contracted {
            word_hash(word.text.split('\'').next().unwrap_or(word.text))
        } else {
            word.hash
        };
        let mut marks = lexicon.marks(hash);
        while marks != 0 {
            counts[marks.trailing_zeros() as usize] += 1;
            marks &= marks - 1;
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    if most == 0 {
        let is_plain = words.iter().all(|word| word.text.is_ascii());
        return if is_plain { Tongue::En } else { Tongue::Other };
    }
    let best = counts.iter().position(|count| *count == most);
    best.map_or(Tongue::Other, |index| TONGUES[index])
}

fn by_script(word: &RawWord) -> Option<Tongue> {
    let first = word.text.chars().next().filter(|c| !c.is_ascii())?;
    match first {
        '\u{30a0}'..='\u{30ff}' => Some(Tongue::Ja),
        _ if word.shape == Shape::Unspaced => Some(Tongue::Zh),
        '\u{400}'..='\u{4ff}' => Some(Tongue::Ru),
        '\u{900}'..='\u{97f}' => Some(Tongue::Hi),
        '\u{600}'..='\u{6ff}' => Some(Tongue::Ar),
        '\u{370}'..='\u{3ff}'
        | '\u{590}'..='\u{5ff}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{e00}'..='\u{e7f}' => Some(Tongue::Other),
        _ => None,
    }
}
