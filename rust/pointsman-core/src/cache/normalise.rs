//! The normalised text: equal normalised texts ask the same question.
//!
//! Folded are case, white space, composed and decomposed and full-width Unicode forms, kinds of quotes and
//! dashes, final punctuation, and greetings and politeness at both ends. Code and quoted spans stay as written.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::characters::{COMPOSED, ONE_FORM, beyond_ascii, char_at, is_seen, kinds, one_form};
use super::folding::fold;
use super::politeness::strip_edges;
use crate::simd::within;

/// The normalised form of a text.
pub(crate) fn normalise(text: &str) -> String {
    let text = text.trim();
    if looks_like_code(text) {
        return text.to_owned();
    }
    let folded = if text.is_ascii() {
        fold(text)
    } else {
        fold(&compose(text))
    };
    let core = strip_edges(&folded);
    if core.len() == folded.len() || core.is_empty() {
        folded
    } else {
        core.to_owned()
    }
}

/// Whether case and white space may matter everywhere: pasted code, tables, indented text.
fn looks_like_code(text: &str) -> bool {
    let mut blocks = text.as_bytes().chunks_exact(16);
    let mut before = Ends::default();
    let is_mark = blocks
        .by_ref()
        .filter_map(<[u8]>::first_chunk)
        .any(|block| before.joins(block));
    let mut last = [0; 16];
    last[..blocks.remainder().len()].copy_from_slice(blocks.remainder());
    is_mark || before.joins(&last)
}

/// How the bytes end that stand before sixteen others.
#[derive(Default)]
struct Ends {
    byte: u8,
    is_sign: u32,
    is_line: u32,
}

impl Ends {
    /// Whether a mark of code ends in these bytes. Few pairs can be one: two signs, or a new line and what indents.
    #[inline]
    fn joins(&mut self, block: &[u8; 16]) -> bool {
        let signs = within(block, 0, b'!', b'/')
            | within(block, 0, b':', b'>')
            | within(block, 0, b'[', b'[')
            | within(block, 0, b']', b']')
            | within(block, 0, b'{', b'}');
        let lines = within(block, 0, b'\n', b'\n');
        let indents = within(block, 0, b' ', b' ') | within(block, 0, b'\t', b'\t');
        let mut seconds =
            (signs << 1 | self.is_sign) & signs | (lines << 1 | self.is_line) & indents;
        let mut is_mark = false;
        while seconds != 0 && !is_mark {
            let at = seconds.trailing_zeros() as usize;
            let first = at.checked_sub(1).map_or(self.byte, |at| block[at]);
            is_mark = is_code_mark([first, block[at]]);
            seconds &= seconds - 1;
        }
        (self.byte, self.is_sign, self.is_line) = (block[15], signs >> 15, lines >> 15);
        is_mark
    }
}

fn is_code_mark(pair: [u8; 2]) -> bool {
    matches!(
        &pair,
        b"\n "
            | b"\n\t"
            | b"};"
            | b");"
            | b"=="
            | b"=>"
            | b"->"
            | b"</"
            | b"/>"
            | b"::"
            | b"&&"
            | b"||"
            | b"${"
            | b"#!"
            | b"!="
            | b":="
            | b"+="
            | b"()"
            | b"[]"
            | b"{}"
    )
}

/// One form for characters that are written in several.
fn compose(text: &str) -> Cow<'_, str> {
    let (mut all, mut at) = (u8::MAX, beyond_ascii(text, 0));
    while at < text.len() {
        let c = char_at(text, at);
        all &= kinds(c);
        at = beyond_ascii(text, at + c.len_utf8());
    }
    if all & ONE_FORM != 0 {
        return text.into();
    }
    if all & COMPOSED != 0 {
        return unify(text).into();
    }
    let chars = text.chars().filter(|c| is_seen(*c));
    if is_nfc_quick(chars.clone()) == IsNormalized::Yes {
        unify(text).into()
    } else {
        chars.nfc().map(one_form).collect()
    }
}

/// One form for each character by itself.
fn unify(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let end = beyond_ascii(text, at);
        out.push_str(&text[at..end]);
        at = end;
        if at < text.len() {
            let c = char_at(text, at);
            out.extend(is_seen(c).then(|| one_form(c)));
            at += c.len_utf8();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// [`compose`], a character at a time.
    fn composed(text: &str) -> String {
        let seen = text.chars().filter(|c| is_seen(*c));
        seen.nfc().map(one_form).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn composing_in_runs_is_composing_by_characters(
            text in "([a-zA-Z ]{0,9}[éÉЯя法İßǅ\u{a0}\u{2028}\u{3000}’“。？ー\u{301}\u{323}\u{200b}\u{1100}\u{1161}\u{fb1d}Å-]{1,2}){0,9}"
        ) {
            prop_assert_eq!(compose(&text), composed(&text));
        }
    }

    #[test]
    fn marks_of_code_are_found_wherever_they_stand() {
        let signs = b"\n\t });=-></:&|$#!+([{].,?";
        for (a, b) in signs.iter().flat_map(|a| signs.map(|b| (*a, b))) {
            for n in 0..34 {
                let text = "x".repeat(n) + str::from_utf8(&[a, b]).unwrap() + "y";
                assert_eq!(looks_like_code(&text), is_code_mark([a, b]), "{text:?}");
            }
        }
    }

    #[test]
    fn what_says_nothing_is_folded() {
        for (a, b) in [
            (
                "What is  the capital of Oman ?",
                "what is the capital of oman",
            ),
            (
                "Hi, what is the capital of Oman? Thanks!",
                "What is the capital of Oman",
            ),
            ("Please list 3 ideas.", "list 3 ideas"),
            ("Please, list 3 ideas.", "list 3 ideas"),
            ("Bitte, nenne 3 Ideen.", "nenne 3 Ideen"),
            ("¿Cuál es la capital de Perú?", "cuál es la capital de perú"),
            ("ＷＨＡＴ is it", "what is it"),
            ("Cafe\u{301} near me", "café near me"),
            ("请问法国的首都是哪里？", "法国的首都是哪里"),
        ] {
            assert_eq!(normalise(a), normalise(b), "{a} {b}");
        }
    }

    #[test]
    fn what_says_something_stays() {
        for (a, b) in [
            ("What is IT?", "What is it?"),
            ("What is 5!", "What is 5?"),
            ("How do you say please?", "How do you say thanks?"),
            ("kindly-worded letters", "worded letters"),
            ("pleased with 3 ideas", "d with 3 ideas"),
            ("print \"A\"", "print \"a\""),
            ("what does `X` do", "what does `x` do"),
            ("if a:\n    b\nc", "if a:\n    b\n    c"),
            ("x² + 1", "x2 + 1"),
            ("Learn C", "Learn C#"),
        ] {
            assert_ne!(normalise(a), normalise(b), "{a} {b}");
        }
    }
}
