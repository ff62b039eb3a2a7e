//! What a character is to a reading, looked up: the Unicode tables answer the same at ten times the cost.

use std::sync::OnceLock;

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, is_nfc_quick};

/// Part of a word: letters, digits, signs of vowels and accents; not of a script without spaces.
pub(super) const WORD: u8 = 1;
/// Composed wherever it stands.
pub(super) const COMPOSED: u8 = 2;
/// Composed, seen, and written in one way only.
pub(super) const ONE_FORM: u8 = 4;
/// Its own lower case, and no white space.
pub(super) const LOWER: u8 = 8;

/// Characters of the basic plane, 256 a block, a byte of bits each; a block is built when one of it is first met.
static BLOCKS: [OnceLock<[u8; 256]>; 256] = [const { OnceLock::new() }; 256];

/// All that the character is.
#[inline]
pub(super) fn kinds(c: char) -> u8 {
    let code = c as usize;
    match BLOCKS.get(code >> 8) {
        Some(block) => block.get_or_init(|| block_of(code))[code & 0xff],
        None => kinds_of(c),
    }
}

#[cold]
fn block_of(code: usize) -> [u8; 256] {
    let kinds = |low| char::from_u32((code & !0xff | low) as u32).map_or(0, kinds_of);
    std::array::from_fn(kinds)
}

/// Whether the character is of this kind.
#[inline]
pub(super) fn is(kind: u8, c: char) -> bool {
    kinds(c) & kind != 0
}

/// The character that begins at a place where one does.
#[inline]
pub(super) fn char_at(text: &str, at: usize) -> char {
    text[at..].chars().next().unwrap_or(' ')
}

/// Where the next byte beyond ASCII stands, from `at` on; the length of the text if none does.
#[inline]
pub(super) fn beyond_ascii(text: &str, mut at: usize) -> usize {
    const HIGH_BITS: u64 = u64::MAX / 255 * 0x80;
    let bytes = text.as_bytes();
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = u64::from_le_bytes(*chunk) & HIGH_BITS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(u8::is_ascii) {
        at += 1;
    }
    at
}

/// One form for a character that is written in several.
pub(super) fn one_form(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '\u{02bc}' | '\u{ff07}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ff02}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// Whether anything is seen of the character: joiners, marks of direction and soft hyphens are left out.
pub(super) fn is_seen(c: char) -> bool {
    !matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{640}'
    )
}

/// Characters of scripts that put no spaces between words.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{3041}'..='\u{309f}' | '\u{20000}'..='\u{2ffff}')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '\u{900}'..='\u{97f}' | '\u{64b}'..='\u{65f}' | '\u{300}'..='\u{36f}' | 'ー')
        || get_general_category(c) == GeneralCategory::NonspacingMark
}

fn kinds_of(c: char) -> u8 {
    let is_composed =
        is_nfc_quick(std::iter::once(c)) == IsNormalized::Yes && canonical_combining_class(c) == 0;
    let is_lower = !c.is_whitespace() && c.to_lowercase().eq([c]);
    let bit = |is_it: bool, kind: u8| if is_it { kind } else { 0 };
    bit(!is_unspaced(c) && is_word(c), WORD)
        | bit(is_composed || !is_seen(c), COMPOSED)
        | bit(is_composed && is_seen(c) && one_form(c) == c, ONE_FORM)
        | bit(is_lower, LOWER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_up_is_what_the_tables_say_of_every_character() {
        for c in '\0'..=char::MAX {
            assert_eq!(kinds(c), kinds_of(c), "{c:?}");
        }
    }

    #[test]
    fn letters_of_all_planes_are_told_from_what_is_none() {
        for c in ['a', 'é', 'я', 'न', '𝒳', '𝟙', '𐐷'] {
            assert!(is(WORD, c), "{c}");
        }
        for c in ['法', '𠀀', '。', '😀'] {
            assert!(!is(WORD, c), "{c}");
        }
        assert!(!is(LOWER, '𐐏') && is(LOWER, '𐐷'));
        assert!(!is(COMPOSED, '\u{301}') && is(COMPOSED, 'é'));
    }

    #[test]
    fn the_next_byte_beyond_ascii_is_found_wherever_it_stands() {
        for n in 0..40 {
            let text = "a".repeat(n) + "é" + &"b".repeat(20);
            assert_eq!(beyond_ascii(&text, 0), n);
            assert_eq!(beyond_ascii(&text, n + 2), text.len());
        }
    }
}
