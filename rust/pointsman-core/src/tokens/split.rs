//! The splits of `OpenAI`'s tokenizers: text to the pieces that byte pairs are merged in.
//!
//! `tiktoken` states them as regular expressions with look-ahead and backtracking. Here each is a scan that
//! decides from the class of a character, several times as fast; a test holds them to the expressions.

use crate::bytes::lower_end;
use unicode_general_category::{GeneralCategory as G, get_general_category};

/// What a character is to the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// `\r` and `\n`.
    Newline,
    /// Other white space.
    Space,
    /// `\p{N}`.
    Number,
    /// `\p{Ll}`.
    Lower,
    /// `\p{Lu}`, `\p{Lt}`.
    Upper,
    /// `\p{Lm}`, `\p{Lo}`: lower and upper at once.
    Caseless,
    /// `\p{M}`: to o200k a caseless letter that may also stand before a word; to cl100k a symbol.
    Mark,
    /// The rest.
    Symbol,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            'a'..='z' => Self::Lower,
            'A'..='Z' => Self::Upper,
            '0'..='9' => Self::Number,
            '\r' | '\n' => Self::Newline,
            '\u{4e00}'..='\u{9fff}' => Self::Caseless,
            _ if c.is_whitespace() => Self::Space,
            _ if c.is_ascii() => Self::Symbol,
            _ => match get_general_category(c) {
                G::LowercaseLetter => Self::Lower,
                G::UppercaseLetter | G::TitlecaseLetter => Self::Upper,
                G::ModifierLetter | G::OtherLetter => Self::Caseless,
                G::DecimalNumber | G::LetterNumber | G::OtherNumber => Self::Number,
                G::NonspacingMark | G::SpacingMark | G::EnclosingMark => Self::Mark,
                _ => Self::Symbol,
            },
        }
    }

    fn is_letter(self) -> bool {
        matches!(self, Self::Lower | Self::Upper | Self::Caseless)
    }

    fn is_white_space(self) -> bool {
        matches!(self, Self::Newline | Self::Space)
    }

    /// May stand before a word, as part of its piece: `[^\r\n\p{L}\p{N}]`.
    fn is_lead(self) -> bool {
        matches!(self, Self::Space | Self::Mark | Self::Symbol)
    }

    /// `[^\s\p{L}\p{N}]`.
    fn is_symbol(self) -> bool {
        matches!(self, Self::Mark | Self::Symbol)
    }
}

/// Which of the two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// `cl100k_base`.
    Cl100k,
    /// `o200k_base`.
    O200k,
}

impl Split {
    /// Where the piece that begins at `at` ends. `at` must be a character boundary inside the text.
    pub(super) fn end(self, text: &str, at: usize) -> usize {
        let scan = Scan { text };
        if let Some(end) = scan.plain_symbols(at, self) {
            return end;
        }
        let word = match self {
            Self::Cl100k => scan.contraction(at).or_else(|| scan.word_cl100k(at)),
            Self::O200k => scan.word_o200k(at),
        };
        word.or_else(|| scan.numbers(at))
            .or_else(|| scan.symbols(at, self))
            .unwrap_or_else(|| scan.white_space(at))
    }
}

/// Whether a symbol of ASCII, which is a piece by itself with a space behind it.
#[inline]
pub(super) fn is_plain_symbol(byte: u8) -> bool {
    matches!(ASCII.get(usize::from(byte)), Some(Class::Symbol))
}

/// A text and the rules over it; each rule gives the end of its match at a place.
#[derive(Clone, Copy)]
struct Scan<'a> {
    text: &'a str,
}

impl Scan<'_> {
    /// The class of the character at a place and where the next begins.
    #[inline(always)]
    #[allow(clippy::inline_always)] // called once a character
    fn class(self, at: usize) -> Option<(Class, usize)> {
        let byte = *self.text.as_bytes().get(at)?;
        if byte < 128 {
            return Some((ASCII[usize::from(byte)], at + 1));
        }
        self.class_beyond_ascii(at)
    }

    #[inline(never)]
    fn class_beyond_ascii(self, at: usize) -> Option<(Class, usize)> {
        let c = self.text[at..].chars().next()?;
        Some((Class::of(c), at + c.len_utf8()))
    }

    /// Where the run of characters of which `is_in` holds ends.
    #[inline]
    fn run(self, mut at: usize, is_in: impl Fn(Class) -> bool) -> usize {
        while let Some((class, next)) = self.class(at) {
            if !is_in(class) {
                break;
            }
            at = next;
        }
        at
    }

    /// Symbols that by their first two characters are neither word nor number nor contraction: most are.
    #[inline]
    fn plain_symbols(self, at: usize, split: Split) -> Option<usize> {
        let class = |byte: u8| byte.is_ascii().then(|| ASCII[usize::from(byte)]);
        let [first, second, ..] = *self.text.as_bytes().get(at..)? else {
            return None;
        };
        match (class(first)?, class(second)?) {
            (Class::Symbol, Class::Space) => Some(at + 1),
            (Class::Symbol, Class::Symbol | Class::Newline) => self.symbols(at, split),
            _ => None,
        }
    }

    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)`.
    fn contraction(self, at: usize) -> Option<usize> {
        let rest = self.text.as_bytes().get(at..)?.strip_prefix(b"'")?;
        let lower = |i: usize| rest.get(i).map(u8::to_ascii_lowercase);
        match (lower(0)?, lower(1)) {
            (b's' | b't' | b'm' | b'd', _) => Some(at + 2),
            // The last is the long s, which folds to s.
            (b'r' | b'v', Some(b'e')) | (b'l', Some(b'l')) | (0xc5, Some(0xbf)) => Some(at + 3),
            _ => None,
        }
    }

    /// `[^\r\n\p{L}\p{N}]?\p{L}+`.
    fn word_cl100k(self, at: usize) -> Option<usize> {
        let (class, next) = self.class(at)?;
        let start = if class.is_lead() { next } else { at };
        let end = self.run(start, Class::is_letter);
        (end > start).then_some(end)
    }

    /// `[^\r\n\p{L}\p{N}]?` before a word, then a contraction.
    fn word_o200k(self, at: usize) -> Option<usize> {
        self.plain_word(at).or_else(|| self.any_word_o200k(at))
    }

    /// The same of any word.
    fn any_word_o200k(self, at: usize) -> Option<usize> {
        let (class, next) = self.class(at)?;
        let end = if class.is_lead() {
            // The expression tries the camel-case form with and without the lead, then the other form so.
            let with_lead = self.letters(next);
            let alone = match class {
                Class::Mark => self.letters(at),
                _ => None,
            };
            let is_camel = |letters: &(usize, bool)| letters.1;
            with_lead
                .filter(is_camel)
                .or(alone.filter(is_camel))
                .or(with_lead)
                .or(alone)?
                .0
        } else {
            self.letters(at)?.0
        };
        Some(self.contraction(end).unwrap_or(end))
    }

    /// The same of a word of ASCII in camel-case form, which most are; `None` of any other.
    #[inline]
    fn plain_word(self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let is_lead = |byte: &u8| byte.is_ascii() && ASCII[usize::from(*byte)].is_lead();
        let mut start = at + usize::from(bytes.get(at).is_some_and(is_lead));
        while bytes.get(start).is_some_and(u8::is_ascii_uppercase) {
            start += 1;
        }
        let end = lower_end(bytes, start);
        let next = bytes.get(end).copied().unwrap_or_default();
        if end == start || !next.is_ascii() {
            return None;
        }
        let contraction = (next == b'\'').then(|| self.contraction(end)).flatten();
        Some(contraction.unwrap_or(end))
    }

    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`, with `true`; failing that with `+` and `*`
    /// swapped, with `false`.
    fn letters(self, start: usize) -> Option<(usize, bool)> {
        // Past the upper run, and past the last caseless character of it: where backtracking would stop.
        let (mut at, mut past_caseless) = (start, None);
        while let Some((class, next)) = self.class(at) {
            match class {
                Class::Upper => {}
                Class::Caseless | Class::Mark => past_caseless = Some(next),
                Class::Lower => {
                    let is_lower = |c| matches!(c, Class::Lower | Class::Caseless | Class::Mark);
                    return Some((self.run(next, is_lower), true));
                }
                _ => break,
            }
            at = next;
        }
        match past_caseless {
            Some(end) => Some((end, true)),
            None => (at > start).then_some((at, false)),
        }
    }

    /// `\p{N}{1,3}`.
    fn numbers(self, start: usize) -> Option<usize> {
        let mut at = start;
        for _ in 0..3 {
            match self.class(at) {
                Some((Class::Number, next)) => at = next,
                _ => break,
            }
        }
        (at > start).then_some(at)
    }

    /// ` ?[^\s\p{L}\p{N}]+[\r\n]*`, for o200k with `/` among the last.
    fn symbols(self, at: usize, split: Split) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let start = at + usize::from(bytes.get(at) == Some(&b' '));
        let end = self.run(start, Class::is_symbol);
        let is_tail = |b: &&u8| match **b {
            b'\r' | b'\n' => true,
            b'/' => split == Split::O200k,
            _ => false,
        };
        (end > start).then(|| end + bytes[end..].iter().take_while(is_tail).count())
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`: up to the last newline; else all but the last, if a word follows.
    fn white_space(self, start: usize) -> usize {
        let (mut at, mut last, mut past_newline) = (start, start, None);
        while let Some((class, next)) = self.class(at) {
            if !class.is_white_space() {
                break;
            }
            if class == Class::Newline {
                past_newline = Some(next);
            }
            (last, at) = (at, next);
        }
        match past_newline {
            Some(end) => end,
            None if at == self.text.len() || last == start => at,
            None => last,
        }
    }
}

/// The class of each ASCII character.
static ASCII: [Class; 128] = {
    let mut table = [Class::Symbol; 128];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        if c.is_ascii_lowercase() {
            table[byte] = Class::Lower;
        } else if c.is_ascii_uppercase() {
            table[byte] = Class::Upper;
        } else if c.is_ascii_digit() {
            table[byte] = Class::Number;
        } else if c == b'\r' || c == b'\n' {
            table[byte] = Class::Newline;
        } else if c == b' ' || (c >= 9 && c <= 12) {
            table[byte] = Class::Space;
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(split: Split, text: &str) -> Vec<&str> {
        let mut at = 0;
        std::iter::from_fn(|| {
            let start = at;
            (start < text.len()).then(|| {
                at = split.end(text, start);
                &text[start..at]
            })
        })
        .collect()
    }

    #[test]
    fn ascii_table_equals_the_classes() {
        for byte in 0..128_u8 {
            assert_eq!(
                ASCII[usize::from(byte)],
                Class::of(char::from(byte)),
                "{byte}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_short_cut_ends_where_the_whole_rule_does(
            text in "([a-cA-C]{0,4}['_ .1\u{e9}\u{c9}\u{17f}語\u{301}\n]{0,2}(s|ll|RE|d)?){0,8}|\\PC{0,30}"
        ) {
            let scan = Scan { text: &text };
            let starts = text.char_indices().map(|(at, _)| at);
            for (at, end) in starts.filter_map(|at| Some((at, scan.plain_word(at)?))) {
                prop_assert_eq!(Some(end), scan.any_word_o200k(at), "at {} of {:?}", at, text);
            }
            let plain = text.char_indices().filter(|(at, _)| scan.plain_word(*at).is_some());
            let has_word = text.as_bytes().windows(2).any(|pair| pair == b"a ");
            prop_assert!(!has_word || plain.count() > 0, "the short cut is taken");
        }
    }

    #[test]
    fn pieces_follow_the_expressions() {
        let text = "It's  HTMLParser's\n\n 12345 //\r\nx";
        let cl100k = [
            "It",
            "'s",
            " ",
            " HTMLParser",
            "'s",
            "\n\n",
            " ",
            "123",
            "45",
            " //\r\n",
            "x",
        ];
        let o200k = [
            "It's",
            " ",
            " HTMLParser's",
            "\n\n",
            " ",
            "123",
            "45",
            " //\r\n",
            "x",
        ];
        assert_eq!(pieces(Split::Cl100k, text), cl100k);
        assert_eq!(pieces(Split::O200k, text), o200k);
        assert_eq!(
            pieces(Split::O200k, "camelCase語A"),
            ["camel", "Case語", "A"]
        );
    }
}
