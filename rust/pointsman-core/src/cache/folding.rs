//! The fold of a text: lower case and single spaces.

use super::characters::{LOWER, char_at, is};
use crate::bytes::alphanumeric_end;

/// Words that are another word in capitals ("what is IT", "the US"); kept as written unless all is in capitals.
const SHOUTED: &[&str] = &["AIDS", "IT", "US", "WHO"];

/// Lower case and single spaces, but for spans of code and quotes, which stay as written.
pub(super) fn fold(text: &str) -> String {
    Folding::new(text).run()
}

/// What a byte is to a folding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Is copied, `A-Z` in lower case.
    Plain,
    /// Of those that begin a word of [`SHOUTED`].
    Shout,
    Space,
    /// White space beside characters beyond ASCII, and only there.
    Tab,
    Mark,
    Beyond,
}

static CLASSES: [Class; 256] = {
    let mut table = [Class::Plain; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'A' | b'I' | b'U' | b'W' => Class::Shout,
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => Class::Space,
            b'\x0b' => Class::Tab,
            b'"' | b'`' => Class::Mark,
            0x80.. => Class::Beyond,
            _ => Class::Plain,
        };
        byte += 1;
    }
    table
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// A text that is folded: what stands before `from` is written, what stands from there to `at` is to be.
struct Folding<'a> {
    text: &'a str,
    keeps_case: bool,
    out: String,
    from: usize,
    at: usize,
}

impl<'a> Folding<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            keeps_case: text.bytes().any(|byte| byte.is_ascii_lowercase()) || !text.is_ascii(),
            out: String::with_capacity(text.len()),
            from: 0,
            at: 0,
        }
    }

    fn run(mut self) -> String {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match class(*byte) {
                // What begins a word of [`SHOUTED`] says so only behind white space or a mark.
                Class::Plain => self.at = alphanumeric_end(bytes, self.at + 1),
                Class::Space => self.space(),
                Class::Shout => self.shout(),
                Class::Mark => self.mark(),
                Class::Beyond => self.beyond(),
                Class::Tab => self.tab(),
            }
        }
        self.write();
        self.out.truncate(self.out.trim_end().len());
        self.out
    }

    /// Writes what is to be written.
    fn write(&mut self) {
        let start = self.out.len();
        self.out.push_str(&self.text[self.from..self.at]);
        self.out[start..].make_ascii_lowercase();
        self.from = self.at;
    }

    /// Writes the next bytes as they are.
    fn keep(&mut self, n: usize) {
        self.write();
        self.out.push_str(&self.text[self.at..self.at + n]);
        self.skip(n);
    }

    fn skip(&mut self, n: usize) {
        self.at += n;
        self.from = self.at;
    }

    fn space(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let n = rest.iter().take_while(|byte| class(**byte) == Class::Space);
        let n = n.count();
        let is_written = self.from < self.at || !self.out.is_empty() && !self.out.ends_with(' ');
        if is_written && n == 1 && rest[0] == b' ' {
            self.at += 1;
            return;
        }
        self.write();
        self.skip(n);
        if is_written {
            self.out.push(' ');
        }
    }

    fn shout(&mut self) {
        let bytes = self.text.as_bytes();
        let ends = |byte: &u8| matches!(class(*byte), Class::Space | Class::Mark);
        let begins = self.at.checked_sub(1).is_none_or(|at| ends(&bytes[at]));
        if !(self.keeps_case
            && begins
            && bytes.get(self.at + 1).is_some_and(u8::is_ascii_uppercase))
        {
            self.at += 1;
            return;
        }
        let n = bytes[self.at..]
            .iter()
            .take_while(|byte| !ends(byte))
            .count();
        let word = &self.text[self.at..self.at + n];
        if !(word.is_ascii() && is_shouted(word)) {
            self.at += 1;
            return;
        }
        self.write();
        if self.out.ends_with("the ") {
            self.at += n;
        } else {
            self.keep(n);
        }
    }

    /// The quoted span or code that begins here, or a mark alone.
    fn mark(&mut self) {
        match verbatim(&self.text[self.at..]) {
            Some(n) => self.keep(n),
            None => self.at += 1,
        }
    }

    fn beyond(&mut self) {
        let c = char_at(self.text, self.at);
        let n = c.len_utf8();
        if is(LOWER, c) {
            self.at += n;
        } else if c.is_whitespace() {
            self.as_space(n);
        } else {
            self.write();
            self.out.extend(c.to_lowercase());
            self.skip(n);
        }
    }

    /// A vertical tab is as its word: white space in one with a character beyond ASCII.
    fn tab(&mut self) {
        let is_end = |byte: &u8| matches!(class(*byte), Class::Space | Class::Mark);
        let (before, behind) = self.text.as_bytes().split_at(self.at);
        let mut word = before
            .iter()
            .rev()
            .take_while(|byte| !is_end(byte))
            .chain(behind.iter().take_while(|byte| !is_end(byte)));
        if word.any(|byte| !byte.is_ascii()) {
            self.as_space(1);
        } else {
            self.at += 1;
        }
    }

    /// Writes a space in the place of the next bytes, where none stands before.
    fn as_space(&mut self, n: usize) {
        self.write();
        self.skip(n);
        if !self.out.is_empty() && !self.out.ends_with(' ') {
            self.out.push(' ');
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
    use proptest::prelude::*;

    use super::*;

    /// [`fold`], a word at a time.
    fn folded(text: &str) -> String {
        let keeps_case = text.bytes().any(|byte| byte.is_ascii_lowercase()) || !text.is_ascii();
        let (mut out, mut rest) = (String::new(), text);
        while !rest.is_empty() {
            let (part, is_kept) = match verbatim(rest) {
                Some(n) => (&rest[..n], true),
                None => {
                    let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '"' | '`');
                    let n = rest.find(ends).unwrap_or(rest.len()).max(1);
                    let is_word = rest.is_char_boundary(n) && rest[..n].is_ascii();
                    let is_kept = is_word && keeps_case && is_shouted(&rest[..n]);
                    (&rest[..n], is_kept && !out.ends_with("the "))
                }
            };
            rest = &rest[part.len()..];
            let is_space = |c: char| {
                let is_one = if part.is_ascii() {
                    c.is_ascii_whitespace()
                } else {
                    c.is_whitespace()
                };
                is_one && !is_kept
            };
            for c in part.chars() {
                match () {
                    () if is_kept => out.push(c),
                    () if !is_space(c) => out.extend(c.to_lowercase()),
                    () if !out.is_empty() && !out.ends_with(' ') => out.push(' '),
                    () => {}
                }
            }
        }
        out.trim_end().to_owned()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn folding_in_runs_is_folding_word_by_word(
            text in "((the |The )?(IT|US|WHO|AIDS|I|Us)[?,é]?|[a-zA-Z]{1,4}|[ \\t\\n\\x0b\"`]{1,3}|[éÉЯя法İßǅ\u{a0}\u{2028}\u{3000}’“。？\u{301}\u{200b}-]{1,2}| ){0,16}"
        ) {
            prop_assert_eq!(fold(&text), folded(&text));
        }
    }
}
