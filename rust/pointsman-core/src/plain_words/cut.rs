//! Where the plain words of a text stand: a bit a byte, 64 bytes at a time.

use crate::byte_map::PACKED_LEN;
use crate::bytes::{alphanumeric, separator};

/// A bit for each byte of a text.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    alphanumeric: Vec<u64>,
    separator: Vec<u64>,
}

impl Kinds {
    /// Tells where each plain word of the text starts, and its length.
    pub(super) fn each_word(&mut self, text: &[u8], mut tell: impl FnMut(usize, usize)) {
        self.read(text);
        let mut before = 1;
        for block in 0..text.len().div_ceil(64) {
            let separators = self.separator[block];
            let mut starts = self.alphanumeric[block] & (separators << 1 | before);
            before = separators >> 63;
            while starts != 0 {
                let start = 64 * block + starts.trailing_zeros() as usize;
                starts &= starts - 1;
                let n = bits_from(&self.alphanumeric, start).trailing_ones() as usize;
                if n <= PACKED_LEN && bits_from(&self.separator, start + n) & 1 != 0 {
                    tell(start, n);
                }
            }
        }
    }

    fn read(&mut self, text: &[u8]) {
        self.alphanumeric.clear();
        self.separator.clear();
        let blocks = text.chunks_exact(64);
        let mut last = [b' '; 64];
        last[..blocks.remainder().len()].copy_from_slice(blocks.remainder());
        for block in blocks.chain([&last[..]]) {
            self.alphanumeric.push(gather(block, alphanumeric));
            self.separator.push(gather(block, separator));
        }
        // What stands behind the end ends a word.
        self.alphanumeric.push(0);
        self.separator.push(u64::MAX);
    }
}

/// A bit for each of 64 bytes.
#[inline(always)]
#[allow(clippy::inline_always)] // each caller with its own kind
fn gather(block: &[u8], kind: impl Fn(&[u8; 16]) -> u32) -> u64 {
    let quarters = block.chunks_exact(16).filter_map(<[u8]>::first_chunk);
    quarters.enumerate().fold(0, |bits, (i, quarter)| {
        bits | u64::from(kind(quarter)) << (16 * i)
    })
}

/// 64 bits from `at` on, which must be below the last block.
#[inline]
fn bits_from(bits: &[u64], at: usize) -> u64 {
    let (block, shift) = (at / 64, at % 64);
    // Of a shift by 64 nothing is left.
    let high = bits.get(block + 1).copied().unwrap_or(0) << 1 << (63 - shift);
    bits[block] >> shift | high
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_separator(byte: Option<&u8>) -> bool {
        byte.is_none_or(|byte| {
            b" \t\n\r".contains(byte) || byte.is_ascii_punctuation() && *byte != b'_'
        })
    }

    /// The same, byte by byte.
    fn plainly(text: &[u8]) -> Vec<(usize, usize)> {
        let runs = (0..text.len()).filter_map(|start| {
            let before = start.checked_sub(1).map(|i| &text[i]);
            let run = text[start..].iter();
            let n = run.take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let is_word = is_separator(before) && is_separator(text.get(start + n));
            (is_word && (1..=PACKED_LEN).contains(&n)).then_some((start, n))
        });
        runs.collect()
    }

    proptest! {
        #[test]
        fn words_stand_where_looking_at_every_byte_finds_them(
            text in "([a-cZ7]{0,20}[ .,_\\n\u{0}\u{b}é'-]{0,3}){0,24}"
        ) {
            let (mut kinds, mut found) = (Kinds::default(), Vec::new());
            kinds.each_word(text.as_bytes(), |start, n| found.push((start, n)));
            prop_assert_eq!(found, plainly(text.as_bytes()));
        }
    }
}
