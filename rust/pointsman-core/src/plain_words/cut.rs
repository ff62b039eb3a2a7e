//! Where the plain words of a text stand: a bit a byte, 64 bytes at a time.

use crate::byte_map::PACKED_LEN;
use crate::bytes::alphanumeric_and_separator;

/// A bit for each byte of a text.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    alphanumeric: Vec<u64>,
    separator: Vec<u64>,
}

impl Kinds {
    /// Tells where each plain word of the text starts, and where it ends.
    pub(super) fn each_word(&mut self, text: &[u8], mut tell: impl FnMut(usize, usize)) {
        self.read(text);
        let mut before = 1;
        for block in 0..text.len().div_ceil(64) {
            let separators = self.separator[block];
            let mut starts = self.alphanumeric[block] & (separators << 1 | before);
            before = separators >> 63;
            while starts != 0 {
                let start = starts.trailing_zeros();
                starts &= starts - 1;
                let (n, is_word) = self.run(block, start);
                if is_word && n as usize <= PACKED_LEN {
                    let start = 64 * block + start as usize;
                    tell(start, start + n as usize);
                }
            }
        }
    }

    /// Length of the run of letters and digits from a bit of a block on, and whether a separator stands behind it.
    #[inline]
    fn run(&self, block: usize, start: u32) -> (u32, bool) {
        let rest = !self.alphanumeric[block] >> start;
        if rest != 0 {
            let n = rest.trailing_zeros();
            return (n, self.separator[block] >> (start + n) & 1 != 0);
        }
        // The last block ends with a separator, so there is another; who fills it is longer than any word.
        let n = self.alphanumeric[block + 1].trailing_ones();
        let is_word = n < 64 && self.separator[block + 1] >> n & 1 != 0;
        (64 - start + n, is_word)
    }

    fn read(&mut self, text: &[u8]) {
        self.alphanumeric.clear();
        self.separator.clear();
        let blocks = text.chunks_exact(64);
        let mut last = [b' '; 64];
        last[..blocks.remainder().len()].copy_from_slice(blocks.remainder());
        for block in blocks.chain([&last[..]]) {
            let [alphanumeric, separator] = gather(block);
            self.alphanumeric.push(alphanumeric);
            self.separator.push(separator);
        }
        // What stands behind the end ends a word.
        self.alphanumeric.push(0);
        self.separator.push(u64::MAX);
    }
}

/// A bit of either kind for each of 64 bytes.
#[inline]
fn gather(block: &[u8]) -> [u64; 2] {
    let mut bits = [0; 2];
    for (i, quarter) in block.chunks_exact(16).enumerate() {
        let Some(quarter) = quarter.first_chunk() else {
            continue;
        };
        for (bits, kind) in bits.iter_mut().zip(alphanumeric_and_separator(quarter)) {
            *bits |= u64::from(kind) << (16 * i);
        }
    }
    bits
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
            kinds.each_word(text.as_bytes(), |start, end| found.push((start, end - start)));
            prop_assert_eq!(found, plainly(text.as_bytes()));
        }
    }
}
