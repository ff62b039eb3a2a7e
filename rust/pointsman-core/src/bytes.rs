//! Runs of bytes of one kind, eight bytes at a time: what words are cut by.

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES * 0x80;

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

/// `kind` gives bit 7 of each of eight bytes that is of it, `is_in` says it of one.
#[inline(always)]
#[allow(clippy::inline_always)] // each caller with its own kind
fn run_end(
    bytes: &[u8],
    mut at: usize,
    kind: impl Fn(u64) -> u64,
    is_in: impl Fn(u8) -> bool,
) -> usize {
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let others = !kind(u64::from_le_bytes(*eight)) & HIGH;
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| is_in(*byte)) {
        at += 1;
    }
    at
}

/// Bit 7 of each byte in `first..=last`, both ASCII: no carry crosses, as bit 7 is left out of the sums.
#[inline(always)]
#[allow(clippy::inline_always)]
fn within(eight: u64, first: u8, last: u8) -> u64 {
    let low = eight & !HIGH;
    let from_first = low + ONES * (128 - u64::from(first));
    let beyond_last = low + ONES * (127 - u64::from(last));
    from_first & !beyond_last & !eight & HIGH
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn lower(eight: u64) -> u64 {
    within(eight, b'a', b'z')
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn alphanumeric(eight: u64) -> u64 {
    within(eight | (ONES * 0x20), b'a', b'z') | within(eight, b'0', b'9')
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn word(eight: u64) -> u64 {
    alphanumeric(eight) | within(eight, b'_', b'_') | (eight & HIGH)
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
        fn eight_at_once_are_as_one_by_one(
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
        fn every_byte_is_of_its_kind(byte in any::<u8>(), place in 0..8_usize) {
            let mut eight = [b'x'; 9];
            eight[place] = byte;
            prop_assert_eq!(word_end(&eight, 0) == 9, is_word(byte));
        }
    }
}
