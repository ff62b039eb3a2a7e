//! A word on its way into the n-grams, folded to what its forms share.

/// Longest word kept whole, in bytes; longer ones are cut.
pub(super) const MAX_WORD_BYTES: usize = 48;

/// The word being gathered: lower case, digits as `0`.
pub(super) struct Word {
    pub(super) bytes: [u8; MAX_WORD_BYTES],
    pub(super) n_bytes: usize,
    pub(super) is_ascii: bool,
}

impl Word {
    pub(super) fn new() -> Self {
        Self {
            bytes: [0; MAX_WORD_BYTES],
            n_bytes: 0,
            is_ascii: true,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.n_bytes + 4 > MAX_WORD_BYTES
    }

    /// Adds a character beyond ASCII.
    pub(super) fn push(&mut self, lower: char) {
        self.is_ascii = false;
        self.n_bytes += lower.encode_utf8(&mut self.bytes[self.n_bytes..]).len();
    }
}

/// ASCII letters in lower case, digits as `0`, 0 for all else.
pub(super) static FOLDED: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        if b.is_ascii_digit() {
            table[byte] = b'0';
        } else if b.is_ascii_alphabetic() {
            table[byte] = b.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// What a byte of ASCII says by itself: part of a word (or of a character beyond ASCII), white space, a symbol. A line
/// end is a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Word,
    Space,
    Symbol,
}

pub(super) static ROLES: [Role; 256] = {
    let mut table = [Role::Word; 256];
    let mut byte = 0;
    while byte < 128 {
        if FOLDED[byte] == 0 {
            table[byte] = match byte as u8 {
                b'\t' | 0x0B..=b'\r' | b' ' => Role::Space,
                _ => Role::Symbol,
            };
        }
        byte += 1;
    }
    table
};

/// The lower case of a letter or digit beyond ASCII, the first character of it, or a sign that Indic scripts and Thai
/// write around their letters; `None` for what is neither.
pub(super) fn folded(c: char) -> Option<char> {
    match c {
        // ASCII, and what scripts print between words.
        '\0'..='\x7f'
        | '\u{2000}'..='\u{206f}'
        | '\u{3000}'..='\u{3004}'
        | '\u{3008}'..='\u{3020}'
        | '\u{ff01}'..='\u{ff0f}'
        | '\u{ff1a}'..='\u{ff20}' => None,
        // Chinese, kana, Korean, Arabic, and small Latin, Greek and Cyrillic letters: without a search.
        '\u{4e00}'..='\u{9fff}'
        | '\u{3041}'..='\u{3096}'
        | '\u{30a1}'..='\u{30fa}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{621}'..='\u{63a}'
        | '\u{641}'..='\u{64a}'
        | '\u{df}'..='\u{f6}'
        | '\u{f8}'..='\u{ff}'
        | '\u{3b1}'..='\u{3c9}'
        | '\u{430}'..='\u{44f}' => Some(c),
        _ if belongs_to_word(c) => Some(c.to_lowercase().next().unwrap_or(c)),
        _ => None,
    }
}

/// Letters and digits, and the signs that Indic scripts and Thai write around their letters.
fn belongs_to_word(c: char) -> bool {
    let is_sign = matches!(c, '\u{900}'..='\u{e7f}')
        && !matches!(c, '\u{964}' | '\u{965}' | '\u{970}' | '\u{e3f}' | '\u{e4f}');
    is_sign || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_ascii_are_those_of_its_characters() {
        for byte in 0..128_u8 {
            let c = char::from(byte);
            let role = match c {
                _ if c.is_alphanumeric() => Role::Word,
                _ if c != '\n' && c.is_whitespace() => Role::Space,
                _ => Role::Symbol,
            };
            assert_eq!(ROLES[usize::from(byte)], role, "{c:?}");
        }
    }

    #[test]
    fn every_character_is_folded_as_unicode_says() {
        for c in '\u{80}'..=char::MAX {
            let lower = c.to_lowercase().next().filter(|_| belongs_to_word(c));
            assert_eq!(folded(c), lower, "{c:?}");
        }
    }
}
