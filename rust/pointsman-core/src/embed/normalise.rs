//! BERT's normalisation and word split, character by character, for text that is not plain ASCII.

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
    if c.is_ascii() {
        return emit(c.to_ascii_lowercase());
    }
    decompose_canonical(c, |part| {
        if part.is_ascii() {
            emit(part.to_ascii_lowercase());
        } else if get_general_category(part) != GeneralCategory::NonspacingMark {
            part.to_lowercase().for_each(&mut emit);
        }
    });
}

/// Whether a folded character is a word by itself: all of ASCII that is neither letter nor digit, and Unicode's `P*`.
pub(super) fn is_punctuation(c: char) -> bool {
    use GeneralCategory as G;
    if c.is_ascii() {
        return c.is_ascii_punctuation();
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
    fn roles_follow_bert() {
        assert_eq!(role('\u{b}'), Role::Dropped);
        assert_eq!(role('\u{200d}'), Role::Dropped);
        assert_eq!(role('\u{a0}'), Role::Space);
        assert_eq!(role('日'), Role::Ideograph);
        assert_eq!(role('か'), Role::Other);
        assert!(is_punctuation('$') && is_punctuation('。') && !is_punctuation('€'));
    }
}
