//! Runs of bytes of one kind, sixteen bytes at a time: what words are cut by.

use crate::simd::{beyond_ascii, within};

/// Where the run of `a-z` that begins at `at` ends.
#[inline]
pub(crate) fn lower_end(bytes: &[u8], at: usize) -> usize {
    run_end(bytes, at, lower, |byte| byte.is_ascii_lowercase())
}

/// Where the run of ASCII letters and digits that begins at `at` ends.
#[inline]
pub(crate) fn alphanumeric_end(bytes: &[u8], at: usize) -> usize {
    run_end(bytes, at, alphanumeric, |byte| byte.is_ascii_alphanumeric())
}

/// Where the run of letters, digits, `_` and bytes beyond ASCII that begins at `at` ends.
#[inline]
pub(crate) fn word_end(bytes: &[u8], at: usize) -> usize {
    run_end(bytes, at, word, is_word)
}

/// Where the next byte of that kind stands, from `at` on: mostly the second.
#[inline]
pub(crate) fn word_start(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|byte| !is_word(*byte)) {
        at += 1;
    }
    at
}

/// Whether the byte is of a letter, a digit, `_` or any character beyond ASCII.
#[inline]
pub(crate) fn is_word(byte: u8) -> bool {
    static IS_WORD: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let b = byte as u8;
            table[byte] = b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
            byte += 1;
        }
        table
    };
    IS_WORD[usize::from(byte)]
}

/// `kind` gives a bit for each of sixteen bytes that is of it, `is_in` says it of one.
#[inline(always)]
#[allow(clippy::inline_always)] // each caller with its own kind
fn run_end(
    bytes: &[u8],
    mut at: usize,
    kind: impl Fn(&[u8; 16]) -> u32,
    is_in: impl Fn(u8) -> bool,
) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let others = !kind(chunk) & 0xffff;
        if others != 0 {
            return at + others.trailing_zeros() as usize;
        }
        at += 16;
    }
    while bytes.get(at).is_some_and(|byte| is_in(*byte)) {
        at += 1;
    }
    at
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn lower(chunk: &[u8; 16]) -> u32 {
    within(chunk, 0, b'a', b'z')
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn alphanumeric(chunk: &[u8; 16]) -> u32 {
    within(chunk, 0x20, b'a', b'z') | within(chunk, 0, b'0', b'9')
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn word(chunk: &[u8; 16]) -> u32 {
    alphanumeric(chunk) | within(chunk, 0, b'_', b'_') | beyond_ascii(chunk)
}

/// Letters and digits of ASCII; white space and punctuation of ASCII but `_`.
#[inline(always)]
#[allow(clippy::inline_always)]
pub(crate) fn alphanumeric_and_separator(chunk: &[u8; 16]) -> [u32; 2] {
    let alphanumeric = alphanumeric(chunk);
    let printed = within(chunk, 0, b' ', b'~') & !alphanumeric & !within(chunk, 0, b'_', b'_');
    let space = within(chunk, 0, b'\t', b'\n') | within(chunk, 0, b'\r', b'\r');
    [alphanumeric, printed | space]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn end(bytes: &[u8], at: usize, is_in: impl Fn(u8) -> bool) -> usize {
        at + bytes[at..].iter().take_while(|byte| is_in(**byte)).count()
    }

    proptest! {
        #[test]
        fn sixteen_at_once_are_as_one_by_one(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'a'), Just(b'Z'), Just(b'7'), Just(b'_')], 0..60)
        ) {
            for at in 0..=bytes.len() {
                prop_assert_eq!(lower_end(&bytes, at), end(&bytes, at, |byte| byte.is_ascii_lowercase()));
                prop_assert_eq!(alphanumeric_end(&bytes, at), end(&bytes, at, |byte| byte.is_ascii_alphanumeric()));
                prop_assert_eq!(word_end(&bytes, at), end(&bytes, at, is_word));
                prop_assert_eq!(word_start(&bytes, at), end(&bytes, at, |byte| !is_word(byte)));
            }
        }

        #[test]
        fn every_byte_is_of_its_kind(byte in any::<u8>(), place in 0..16_usize) {
            let mut run = [b'x'; 17];
            run[place] = byte;
            prop_assert_eq!(word_end(&run, 0) == 17, is_word(byte));
        }
    }
}
