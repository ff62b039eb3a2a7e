//! The words of a normalised text: runs of letters, numbers, symbols, quoted and code spans.

use super::characters::{WORD, char_at, is, is_unspaced};
use super::lexicon::word_hash;
use crate::bytes::alphanumeric_end;

/// What a raw word is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Letters,
    /// Begins with a digit and is a number throughout.
    Number,
    /// A run of Han or Hiragana: no spaces between words.
    Unspaced,
    Symbol,
    /// A code span, an address, a path: only equal to itself.
    Span,
}

/// One run of a normalised text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawWord<'a> {
    pub(crate) text: &'a str,
    pub(crate) hash: u64,
    pub(crate) shape: Shape,
    pub(crate) is_quoted: bool,
    /// Holds an apostrophe.
    pub(crate) is_contracted: bool,
    /// Ends a sentence or a clause: no phrase goes beyond it.
    pub(crate) ends_clause: bool,
}

/// Most words read; a text with more has no items.
pub(crate) const MOST_WORDS: usize = 1024;

/// The words of a text in order, or `None` if it has too many.
pub(crate) fn split(text: &str) -> Option<Vec<RawWord<'_>>> {
    let mut words = Vec::with_capacity(text.len() / 4 + 4);
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut quote_end = 0;
    while at < bytes.len() {
        if words.len() >= MOST_WORDS {
            return None;
        }
        let byte = bytes[at];
        let is_quoted = at < quote_end;
        match CLASSES[usize::from(byte)] {
            Class::Space | Class::Silent => at += 1,
            Class::Letter => match plain_end(bytes, at) {
                Some(end) => {
                    push_plain(&mut words, &text[at..end], Shape::Letters, is_quoted);
                    at = end + usize::from(bytes.get(end) == Some(&b' '));
                }
                None => at += push_letters(&text[at..], is_quoted, &mut words),
            },
            Class::Beyond => at += push_letters(&text[at..], is_quoted, &mut words),
            Class::Digit => at += push_number(&text[at..], is_quoted, &mut words),
            Class::Code => at += push_code(&text[at..], &mut words),
            Class::Quote => {
                at += 1;
                let end = text[at..].find('"').filter(|_| !is_quoted);
                quote_end = end.map_or(quote_end, |end| at + end);
            }
            class => {
                push_sign(&text[at..], class, is_quoted, &mut words);
                at += 1;
            }
        }
    }
    Some(words)
}

/// Where the word that begins with an ASCII letter ends; `None` if it may go on behind letters and digits.
#[inline]
fn plain_end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = alphanumeric_end(bytes, at + 1);
    let goes_on = |byte: &u8| {
        matches!(
            byte,
            b'_' | b'\'' | b'.' | b'@' | b':' | b'+' | b'#' | 0x80..
        )
    };
    (!bytes.get(end).is_some_and(goes_on)).then_some(end)
}

fn push<'a>(words: &mut Vec<RawWord<'a>>, text: &'a str, shape: Shape, is_quoted: bool) {
    push_plain(words, text, shape, is_quoted);
    if let Some(word) = words.last_mut() {
        word.is_contracted = text.bytes().any(|byte| byte == b'\'');
    }
}

/// [`push`] of what holds no apostrophe.
#[inline]
fn push_plain<'a>(words: &mut Vec<RawWord<'a>>, text: &'a str, shape: Shape, is_quoted: bool) {
    words.push(RawWord {
        text,
        hash: word_hash(text),
        shape,
        is_quoted,
        is_contracted: false,
        ends_clause: false,
    });
}

/// A code span as one word; a lone mark is skipped.
fn push_code<'a>(rest: &'a str, words: &mut Vec<RawWord<'a>>) -> usize {
    let mark = if rest.starts_with("```") { "```" } else { "`" };
    let inside = &rest[mark.len()..];
    let Some(end) = inside.find(mark) else {
        return 1;
    };
    push(words, inside[..end].trim(), Shape::Span, true);
    end + 2 * mark.len()
}

/// What begins with a byte.
#[derive(Clone, Copy)]
enum Class {
    Space,
    Letter,
    Digit,
    Code,
    Quote,
    /// Ends a clause, but for `!` behind a term.
    Break,
    /// Says nothing.
    Silent,
    /// Says something in a formula only.
    Operator,
    Symbol,
    Beyond,
}

static CLASSES: [Class; 256] = {
    let mut table = [Class::Symbol; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\n' | b'\t' | b'\r' => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'`' => Class::Code,
            b'"' => Class::Quote,
            b',' | b'.' | b'?' | b'!' | b';' | b':' => Class::Break,
            b'\'' | b'[' | b']' | b'_' | b'{' | b'}' => Class::Silent,
            b'-' | b'(' | b')' => Class::Operator,
            0x80.. => Class::Beyond,
            _ => Class::Symbol,
        };
        byte += 1;
    }
    table
};

/// The symbol that stands here, if it says something, or the end of a clause.
fn push_sign<'a>(rest: &'a str, class: Class, is_quoted: bool, words: &mut Vec<RawWord<'a>>) {
    let says_something = match class {
        Class::Break => rest.starts_with('!') && words.last().is_some_and(is_term),
        Class::Operator => is_operator(rest, words),
        _ => true,
    };
    if says_something {
        push_plain(words, &rest[..1], Shape::Symbol, is_quoted);
    } else if let (Class::Break, Some(last)) = (class, words.last_mut()) {
        last.ends_clause = true;
    }
}

/// Whether a dash or bracket stands in a formula: a number or a single letter before or behind it.
fn is_operator(rest: &str, words: &[RawWord]) -> bool {
    let next = rest.as_bytes().get(1).copied().unwrap_or(b' ');
    let previous = words.last();
    let after = rest.as_bytes().get(2).copied().unwrap_or(b' ');
    next.is_ascii_digit()
        || (previous.is_some_and(is_term)
            && (next.is_ascii_alphabetic() || next == b' ')
            && !after.is_ascii_alphabetic())
}

/// Whether the word can stand in a formula.
fn is_term(word: &RawWord) -> bool {
    word.shape == Shape::Number || word.text.len() == 1
}

fn push_number<'a>(rest: &'a str, is_quoted: bool, words: &mut Vec<RawWord<'a>>) -> usize {
    let bytes = rest.as_bytes();
    let mut end = 1;
    while end < bytes.len() {
        let joins = matches!(bytes[end], b'.' | b',' | b':' | b'/')
            && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        if !(bytes[end].is_ascii_digit() || joins) {
            break;
        }
        end += 1;
    }
    let tail = bytes[end..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    push_plain(words, &rest[..end], Shape::Number, is_quoted);
    if tail > 0 {
        push_plain(words, &rest[end..end + tail], Shape::Letters, is_quoted);
    }
    end + tail
}

fn push_letters<'a>(rest: &'a str, is_quoted: bool, words: &mut Vec<RawWord<'a>>) -> usize {
    let end = letters_end(rest);
    if end == 0 {
        return push_other(rest, is_quoted, words);
    }
    let run = &rest[..end];
    let tail = &rest.as_bytes()[end..];
    if let Some(n) = span_end(rest, end, tail) {
        push(words, &rest[..n], Shape::Span, is_quoted);
        return n;
    }
    let marks = tail
        .iter()
        .take_while(|byte| matches!(byte, b'+' | b'#'))
        .count();
    let is_name = marks > 0 && end == 1 || marks == 2;
    let end = if is_name { end + marks } else { end };
    let run = if is_name { &rest[..end] } else { run };
    push(words, run, Shape::Letters, is_quoted);
    end
}

/// Bytes of the letters, digits and inner apostrophes at the start; 0 if an unspaced script or no letter begins here.
fn letters_end(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut end = 0;
    loop {
        while bytes.get(end).is_some_and(|byte| is_ascii_word(*byte)) {
            end += 1;
        }
        let Some(byte) = bytes.get(end) else {
            return end;
        };
        let next = bytes.get(end + 1).copied().unwrap_or(b' ');
        if *byte == b'\'' && end > 0 && (next.is_ascii_alphabetic() || next >= 0x80) {
            end += 1;
            continue;
        }
        if byte.is_ascii() {
            return end;
        }
        let c = char_at(rest, end);
        if !is(WORD, c) {
            return end;
        }
        end += c.len_utf8();
    }
}

fn is_ascii_word(byte: u8) -> bool {
    ASCII_WORD[usize::from(byte)]
}

/// Letters, digits and the underscore.
static ASCII_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte == b'_' as usize;
        byte += 1;
    }
    table
};

/// The end of an address, a path or a file name that begins with these letters.
fn span_end(rest: &str, end: usize, tail: &[u8]) -> Option<usize> {
    let next_is_word = tail.get(1).is_some_and(u8::is_ascii_alphanumeric);
    let is_span = match tail.first() {
        Some(b'.' | b'@') => next_is_word,
        Some(b':') => tail.starts_with(b"://"),
        _ => false,
    };
    is_span.then(|| {
        let run = rest[end..]
            .bytes()
            .take_while(|byte| {
                !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'`' | b',' | b')')
            })
            .count();
        let whole = rest[..end + run].trim_end_matches(['.', '?', '!', ':', ';', '\'']);
        whole.len()
    })
}

/// Characters of unspaced scripts, or one symbol.
fn push_other<'a>(rest: &'a str, is_quoted: bool, words: &mut Vec<RawWord<'a>>) -> usize {
    let run = rest.find(|c: char| !is_unspaced(c)).unwrap_or(rest.len());
    if run > 0 {
        push(words, &rest[..run], Shape::Unspaced, is_quoted);
        return run;
    }
    let c = rest.chars().next().unwrap_or(' ');
    if matches!(
        c,
        '，' | '。' | '、' | '；' | '：' | '？' | '！' | '،' | '؟' | '۔' | '।'
    ) {
        if let Some(last) = words.last_mut() {
            last.ends_clause = true;
        }
    } else if !c.is_whitespace() && !matches!(c, '«' | '»' | '„' | '“' | '”' | '¿' | '¡' | '・')
    {
        push(words, &rest[..c.len_utf8()], Shape::Symbol, is_quoted);
    }
    c.len_utf8()
}
