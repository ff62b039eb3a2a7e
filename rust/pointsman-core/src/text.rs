//! One pass over UTF-8: sizes and shares of one text, over a head and a tail window.

/// Bytes read at the head of a text; instructions stand there.
const HEAD_BYTES: usize = 8 * 1024;
/// Bytes read at the tail of a text; the question after a long document stands there.
const TAIL_BYTES: usize = 4 * 1024;

/// What a byte is. Lead bytes of UTF-8 tell the script well enough for shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Lower,
    Upper,
    Digit,
    Space,
    Newline,
    Punct,
    CodePunct,
    Control,
    Continuation,
    LatinExt,
    Greek,
    Cyrillic,
    Hebrew,
    Arabic,
    Indic,
    Kana,
    Han,
    Hangul,
    OtherWide,
}

const N_CLASSES: usize = Class::OtherWide as usize + 1;

const CLASS_OF: [Class; 256] = class_table();

const fn class_table() -> [Class; 256] {
    let mut table = [Class::Control; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' => Class::Lower,
            b'A'..=b'Z' => Class::Upper,
            b'0'..=b'9' => Class::Digit,
            b' ' | b'\t' => Class::Space,
            b'\n' | b'\r' => Class::Newline,
            b'{' | b'}' | b'(' | b')' | b'[' | b']' | b';' | b'=' | b'<' | b'>' | b'_' | b'\\'
            | b'|' | b'&' | b'#' | b'`' | b'$' | b'+' | b'*' | b'/' => Class::CodePunct,
            b'!'..=b'~' => Class::Punct,
            0x80..=0xBF => Class::Continuation,
            0xC2..=0xCD => Class::LatinExt,
            0xCE | 0xCF => Class::Greek,
            0xD0..=0xD4 => Class::Cyrillic,
            0xD5..=0xD7 => Class::Hebrew,
            0xD8..=0xDF => Class::Arabic,
            0xE0 => Class::Indic,
            0xE3 => Class::Kana,
            0xE4..=0xE9 => Class::Han,
            0xEA..=0xED => Class::Hangul,
            0xE1 | 0xE2 | 0xEE.. => Class::OtherWide,
            _ => Class::Control,
        };
        byte += 1;
    }
    table
}

/// What is known of a byte: its class, and whether a word or a number may consist of such.
static FACTS: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let class = CLASS_OF[byte];
        let wordlike = if is_wordlike(class) { WORDLIKE } else { 0 };
        let digit = if matches!(class, Class::Digit) {
            DIGIT
        } else {
            0
        };
        table[byte] = (class as u64) << CLASS_SHIFT | wordlike | digit;
        byte += 1;
    }
    table
};
/// The class stands on top, where what it adds to a sum of facts is carried away; below it two counts have room.
const CLASS_SHIFT: u32 = 56;
const DIGIT_SHIFT: u32 = 28;
const WORDLIKE: u64 = 1;
const DIGIT: u64 = 1 << DIGIT_SHIFT;
const COUNT_BITS: u64 = DIGIT - 1;

const fn is_wordlike(class: Class) -> bool {
    !matches!(
        class,
        Class::Space
            | Class::Newline
            | Class::Punct
            | Class::CodePunct
            | Class::Control
            | Class::OtherWide
    )
}

/// The part of a text that is read: all of it, or its head and its tail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows<'a> {
    pub(crate) head: &'a [u8],
    pub(crate) tail: &'a [u8],
    /// Byte offset of `tail` in the whole text.
    pub(crate) tail_at: usize,
    pub(crate) n_bytes: usize,
}

impl<'a> Windows<'a> {
    /// Windows of at most `budget` bytes together.
    pub(crate) fn of(text: &'a str, budget: usize) -> Self {
        let bytes = text.as_bytes();
        let n_bytes = bytes.len();
        let budget = budget.min(HEAD_BYTES + TAIL_BYTES);
        if n_bytes <= budget {
            return Self {
                head: bytes,
                tail: &[],
                tail_at: n_bytes,
                n_bytes,
            };
        }
        let n_tail = budget * TAIL_BYTES / (HEAD_BYTES + TAIL_BYTES);
        let tail_at = n_bytes - n_tail;
        Self {
            head: &bytes[..budget - n_tail],
            tail: &bytes[tail_at..],
            tail_at,
            n_bytes,
        }
    }

    pub(crate) fn n_read(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}

/// Counts of one text. Counts are of the windows; `n_bytes` is of the whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextStats {
    pub(crate) n_read: usize,
    pub(crate) n_words: u32,
    pub(crate) n_numbers: u32,
    pub(crate) ends_with_question: bool,
    counts: [u32; N_CLASSES],
}

impl TextStats {
    /// Reads the windows once; `O(n)` in their length, no allocation.
    pub(crate) fn of(windows: &Windows<'_>) -> Self {
        let mut stats = Self {
            n_read: windows.n_read(),
            n_words: 0,
            n_numbers: 0,
            ends_with_question: false,
            counts: [0; N_CLASSES],
        };
        stats.read(windows.head);
        stats.read(windows.tail);
        let last = if windows.tail.is_empty() {
            windows.head
        } else {
            windows.tail
        };
        let last = last.trim_ascii_end();
        stats.ends_with_question = last.ends_with(b"?") || last.ends_with("？".as_bytes());
        stats
    }

    fn read(&mut self, bytes: &[u8]) {
        // Four rows of counts, as an addition to a count has to wait for the one before.
        let mut counts = [[0_u32; 32]; 4];
        let (mut ended, mut begun) = (u64::MAX, 0_u64);
        let mut take = |count: &mut [u32; 32], byte: u8| {
            let fact = FACTS[usize::from(byte)];
            count[(fact >> CLASS_SHIFT) as usize % 32] += 1;
            begun = begun.wrapping_add(fact & ended);
            ended = !fact;
        };
        let (fours, rest) = bytes.split_at(bytes.len() & !3);
        for four in fours.chunks_exact(4) {
            for (count, byte) in counts.iter_mut().zip(four) {
                take(count, *byte);
            }
        }
        rest.iter().for_each(|byte| take(&mut counts[0], *byte));
        self.n_words += (begun & COUNT_BITS) as u32;
        self.n_numbers += (begun >> DIGIT_SHIFT & COUNT_BITS) as u32;
        for (class, sum) in self.counts.iter_mut().enumerate() {
            *sum += counts.iter().map(|count| count[class]).sum::<u32>();
        }
    }

    pub(crate) fn count(&self, class: Class) -> u32 {
        self.counts[class as usize]
    }

    /// Share of the read bytes that are of that class, in [0, 1].
    pub(crate) fn share(&self, class: Class) -> f32 {
        self.count(class) as f32 / self.n_read.max(1) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_words_numbers_and_scripts() {
        let stats = TextStats::of(&Windows::of("Sum 12 and 3.5, Привет?", usize::MAX));
        assert_eq!((stats.n_words, stats.n_numbers), (6, 3));
        assert_eq!(stats.count(Class::Cyrillic), 6);
        assert!(stats.ends_with_question);
    }

    #[test]
    fn counts_equal_those_of_a_plain_loop() {
        let mut seed = 7_u32;
        for n in 0..300 {
            let bytes: Vec<u8> = (0..n)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8 & if seed & 1 == 0 { 0x7f } else { 0xff }
                })
                .collect();
            let (mut stats, mut previous) =
                (TextStats::of(&Windows::of("", usize::MAX)), Class::Newline);
            stats.read(&bytes);
            let (mut counts, mut n_words, mut n_numbers) = ([0; N_CLASSES], 0, 0);
            for class in bytes.iter().map(|byte| CLASS_OF[usize::from(*byte)]) {
                counts[class as usize] += 1;
                n_words += u32::from(is_wordlike(class) && !is_wordlike(previous));
                n_numbers += u32::from(class == Class::Digit && class != previous);
                previous = class;
            }
            assert_eq!(
                (stats.counts, stats.n_words, stats.n_numbers),
                (counts, n_words, n_numbers)
            );
        }
    }

    #[test]
    fn a_long_text_is_read_at_head_and_tail_only() {
        let text = "a".repeat(1 << 20) + "?";
        let windows = Windows::of(&text, usize::MAX);
        assert_eq!(windows.n_read(), HEAD_BYTES + TAIL_BYTES);
        let stats = TextStats::of(&windows);
        assert!(stats.ends_with_question);
    }
}
