//! The normalised text: equal normalised texts ask the same question.
//!
//! Folded are case, white space, composed and decomposed and full-width Unicode forms, kinds of quotes and
//! dashes, final punctuation, and greetings and politeness at both ends. Code and quoted spans stay as written.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::politeness::strip_edges;

/// Words that are another word in capitals ("what is IT", "the US"); kept as written unless all is in capitals.
const SHOUTED: &[&str] = &["AIDS", "IT", "US", "WHO"];

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
    let mut previous = b' ';
    text.bytes().any(|byte| {
        let opens = OPENS_MARK[usize::from(previous)];
        let is_mark = opens && is_code_mark([previous, byte]);
        previous = byte;
        is_mark
    })
}

/// Bytes that can begin a mark of code.
static OPENS_MARK: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"\n});=-</:&|$#!+([{";
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

fn is_code_mark(pair: [u8; 2]) -> bool {
    const MARKS: [&[u8; 2]; 20] = [
        b"\n ", b"\n\t", b"};", b");", b"==", b"=>", b"->", b"</", b"/>", b"::", b"&&", b"||",
        b"${", b"#!", b"!=", b":=", b"+=", b"()", b"[]", b"{}",
    ];
    MARKS.iter().any(|mark| **mark == pair)
}

/// One form for characters that are written in several.
fn compose(text: &str) -> String {
    let one = |c: char| match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '\u{02bc}' | '\u{ff07}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ff02}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    };
    let is_seen = |c: &char| {
        !matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{640}'
        )
    };
    let chars = text.chars().filter(is_seen);
    if is_nfc_quick(chars.clone()) == IsNormalized::Yes {
        chars.map(one).collect()
    } else {
        chars.nfc().map(one).collect()
    }
}

/// Lower case and single spaces, but for spans of code and quotes, which stay as written.
fn fold(text: &str) -> String {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'`'));
    if is_plain {
        fold_plain(text)
    } else {
        fold_spans(text)
    }
}

/// [`fold`] of ASCII without spans.
fn fold_plain(text: &str) -> String {
    let keeps_case = text.bytes().any(|byte| byte.is_ascii_lowercase());
    let mut out = String::with_capacity(text.len());
    for word in text.split_ascii_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        push_ascii(word, keeps_case, &mut out);
    }
    out
}

fn push_ascii(word: &str, keeps_case: bool, out: &mut String) {
    let start = out.len();
    out.push_str(word);
    if !(keeps_case && is_shouted(word) && !out[..start].ends_with("the ")) {
        out[start..].make_ascii_lowercase();
    }
}

fn fold_spans(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let keeps_case = text.bytes().any(|byte| byte.is_ascii_lowercase()) || !text.is_ascii();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if let Some(end) = verbatim(rest) {
            out.push_str(&rest[..end]);
            at += end;
            continue;
        }
        let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'`');
        let end = rest
            .bytes()
            .position(ends)
            .map_or(rest.len(), |end| end.max(1));
        fold_word(&rest[..end], keeps_case, &mut out);
        at += end;
    }
    out.truncate(out.trim_end().len());
    out
}

/// Appends one run without white space, quotes and code, or a single character of those.
fn fold_word(word: &str, keeps_case: bool, out: &mut String) {
    if word.bytes().all(|byte| byte.is_ascii_whitespace()) {
        if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    } else if word.is_ascii() {
        push_ascii(word, keeps_case, out);
    } else {
        for c in word.chars() {
            if c.is_whitespace() {
                fold_word(" ", false, out);
            } else {
                out.extend(c.to_lowercase());
            }
        }
    }
}

fn is_shouted(word: &str) -> bool {
    if !word.as_bytes().first().is_some_and(u8::is_ascii_uppercase) {
        return false;
    }
    let letters = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    SHOUTED.contains(&letters)
}

/// Bytes of the code span or quoted span that begins here, closed by the same mark.
fn verbatim(rest: &str) -> Option<usize> {
    let mark = match rest.as_bytes() {
        [b'`', b'`', b'`', ..] => "```",
        [b'`', ..] => "`",
        [b'"', ..] => "\"",
        _ => return None,
    };
    let inside = &rest[mark.len()..];
    let end = inside.find(mark)?;
    Some(end + 2 * mark.len())
}

#[cfg(test)]
mod tests {
    use super::normalise;

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
