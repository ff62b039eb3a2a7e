//! [`Phrase`]: how a pattern goes on behind the bytes it is looked up by.

use crate::byte_map::{PACKED_LEN, Packed};

/// A pattern without the bytes it was looked up by.
pub(super) struct Phrase {
    rest: Rest,
    /// The first two bytes of the rest, in lower case, and which of them it has.
    head: u16,
    has: u16,
    /// Its number.
    pub(super) pattern: u32,
    /// Whether it is not ASCII alone.
    pub(super) is_wide: bool,
}

impl Phrase {
    /// The pattern without its first `n` bytes.
    pub(super) fn new(pattern: &[u8], n: usize, number: usize) -> Self {
        Self {
            rest: Rest::of(&pattern[n..]),
            head: two_bytes(pattern, n),
            has: [0, 0xff, 0xffff][(pattern.len() - n).min(2)],
            pattern: number as u32,
            is_wide: !pattern.is_ascii(),
        }
    }

    /// Whether its rest may stand at `at`, by the bytes there are.
    pub(super) fn may_stand(&self, bytes: &[u8], at: usize) -> bool {
        self.rest.may_stand(bytes.get(at..).unwrap_or_default())
    }

    /// Where it ends if its rest stands at `at`, where `next` are the [`two_bytes`].
    #[inline]
    pub(super) fn end(&self, bytes: &[u8], at: usize, next: u16) -> Option<usize> {
        if next & self.has != self.head {
            return None;
        }
        self.rest.end(bytes, at)
    }
}

/// How a phrase goes on, in lower case as far as it is ASCII.
enum Rest {
    None,
    Short(Packed, usize),
    Long(Box<[u8]>),
}

impl Rest {
    fn of(rest: &[u8]) -> Self {
        match rest.len() {
            0 => Self::None,
            n @ 1..=PACKED_LEN => Self::Short(Packed::at(rest, 0, n).to_ascii_lowercase(), n),
            _ => Self::Long(rest.to_ascii_lowercase().into()),
        }
    }

    /// Whether the bytes are those it begins with, or it those that they begin with.
    fn may_stand(&self, bytes: &[u8]) -> bool {
        let is_begun = |rest: &[u8]| {
            rest.iter()
                .zip(bytes)
                .all(|(a, b)| a.eq_ignore_ascii_case(b))
        };
        match self {
            Self::None => true,
            Self::Short(rest, n) => is_begun(&rest.bytes()[..*n]),
            Self::Long(rest) => is_begun(rest),
        }
    }

    /// Where it ends if it stands at `at`.
    #[inline]
    fn end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::None => Some(at),
            Self::Short(rest, n) => {
                let end = at + n;
                let is_here =
                    end <= bytes.len() && Packed::at(bytes, at, *n).to_ascii_lowercase() == *rest;
                is_here.then_some(end)
            }
            Self::Long(rest) => {
                let here = bytes.get(at..at + rest.len())?;
                here.eq_ignore_ascii_case(rest).then_some(at + rest.len())
            }
        }
    }
}

/// The two bytes from `at` on, in lower case; zeros behind the end.
#[inline]
pub(super) fn two_bytes(bytes: &[u8], at: usize) -> u16 {
    let byte = |at: usize| bytes.get(at).map_or(0, u8::to_ascii_lowercase);
    u16::from_le_bytes([byte(at), byte(at + 1)])
}
