//! BERT's normalisation and word split, character by character, for text that is not plain ASCII.

use std::sync::LazyLock;

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::char::decompose_canonical;

/// What a character of the raw text is to the word split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Removed without ending a word: control, format and private characters, U+FFFD.
    Dropped,
    /// White space: ends a word.
    Space,
    /// A Chinese character: a word by itself.
    Ideograph,
    /// Anything else, after decomposition and lower-casing.
    Other,
}

/// The role of a raw character.
pub(super) fn role(c: char) -> Role {
    match c {
        '\t' | '\n' | '\r' | ' ' => Role::Space,
        '\u{21}'..='\u{7e}' => Role::Other,
        '\0' | '\u{fffd}' => Role::Dropped,
        _ if is_ideograph(c) => Role::Ideograph,
        _ => match get_general_category(c) {
            GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::PrivateUse => {
                Role::Dropped
            }
            _ if c.is_whitespace() => Role::Space,
            _ => Role::Other,
        },
    }
}

/// Emits the character decomposed (NFD), without accents, in lower case.
///
/// Each character is decomposed alone. That differs from NFD of the text only in the order of combining
/// marks, and of those only some rare ones survive the removal of accents.
pub(super) fn fold(c: char, mut emit: impl FnMut(char)) {
    match c {
        '\0'..='\u{7f}' => return emit(c.to_ascii_lowercase()),
        // Neither composed nor cased.
        '\u{4e00}'..='\u{9fff}' => return emit(c),
        _ => {}
    }
    decompose_canonical(c, |part| {
        if part.is_ascii() {
            emit(part.to_ascii_lowercase());
        } else if get_general_category(part) != GeneralCategory::NonspacingMark {
            part.to_lowercase().for_each(&mut emit);
        }
    });
}

/// Characters of two bytes in UTF-8: Latin beyond ASCII, Greek, Cyrillic, Hebrew and Arabic among them.
const N_TWO_BYTES: usize = 0x800;

/// What each of them folds to, if that is one character of a word.
static LETTERS: LazyLock<Box<[Option<char>; N_TWO_BYTES]>> = LazyLock::new(|| {
    let mut table = Box::new([None; N_TWO_BYTES]);
    for (place, c) in table.iter_mut().zip('\0'..) {
        *place = one_letter(c);
    }
    table
});

fn one_letter(c: char) -> Option<char> {
    let (mut folded, mut n_parts) = (None, 0);
    fold(c, |part| (folded, n_parts) = (Some(part), n_parts + 1));
    let is_letter = |part: &char| !is_punctuation(*part) && !part.is_whitespace();
    folded
        .filter(is_letter)
        .filter(|_| n_parts == 1 && role(c) == Role::Other)
}

/// What the character folds to, if it is of at most two bytes and that is one character of a word: most are.
pub(super) fn letter(c: char) -> Option<char> {
    LETTERS.get(c as usize).copied().flatten()
}

/// Whether a folded character is a word by itself: all of ASCII that is neither letter nor digit, and Unicode's `P*`.
pub(super) fn is_punctuation(c: char) -> bool {
    use GeneralCategory as G;
    match c {
        '\0'..='\u{7f}' => return c.is_ascii_punctuation(),
        '\u{4e00}'..='\u{9fff}' => return false,
        _ => {}
    }
    matches!(
        get_general_category(c),
        G::ConnectorPunctuation
            | G::DashPunctuation
            | G::OpenPunctuation
            | G::ClosePunctuation
            | G::InitialPunctuation
            | G::FinalPunctuation
            | G::OtherPunctuation
    )
}

/// Whether BERT puts spaces around the character: the CJK blocks, not kana nor hangul.
fn is_ideograph(c: char) -> bool {
    matches!(
        c,
        '\u{4e00}'..='\u{9fff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{2a6df}'
            | '\u{2a700}'..='\u{2b81f}'
            // Not from 2b820: the tokenizer the rows were trained with has this gap.
            | '\u{2b920}'..='\u{2ceaf}'
            | '\u{2f800}'..='\u{2fa1f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(c: char) -> String {
        let mut out = String::new();
        fold(c, |part| out.push(part));
        out
    }

    #[test]
    fn accents_and_case_fall() {
        assert_eq!(folded('Å'), "a");
        assert_eq!(folded('İ'), "i");
        assert_eq!(folded('ﬁ'), "ﬁ");
        assert_eq!(folded('\u{301}'), "");
        assert_eq!(folded('한'), "\u{1112}\u{1161}\u{11ab}");
        assert_eq!(folded('≠'), "=");
    }

    #[test]
    fn the_table_and_the_ideographs_are_as_the_rules_say() {
        for c in ('\0'..'\u{a00}').chain('\u{4df0}'..'\u{a010}') {
            assert_eq!(letter(c), one_letter(c).filter(|_| c < '\u{800}'), "{c:?}");
            let mut parts = String::new();
            decompose_canonical(c, |part| parts.push(part));
            if ('\u{4e00}'..='\u{9fff}').contains(&c) {
                assert_eq!((parts.to_lowercase(), folded(c)), (c.into(), c.into()));
                assert!(!matches!(
                    get_general_category(c),
                    GeneralCategory::OtherPunctuation
                ));
            }
        }
        assert_eq!(
            (
                letter('É'),
                letter('Ж'),
                letter('\u{301}'),
                letter('\u{a0}')
            ),
            (Some('e'), Some('ж'), None, None)
        );
    }

    #[test]
    fn roles_follow_bert() {
        assert_eq!(role('\u{b}'), Role::Dropped);
        assert_eq!(role('\u{200d}'), Role::Dropped);
        assert_eq!(role('\u{a0}'), Role::Space);
        assert_eq!(role('日'), Role::Ideograph);
        assert_eq!(role('か'), Role::Other);
        assert!(is_punctuation('$') && is_punctuation('。') && !is_punctuation('€'));
    }
}
