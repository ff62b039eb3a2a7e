//! [`Found`]: where a pattern stands, in one number.

/// Where a pattern was found: ordered by its end, then the longer first, then by its place in the lexicon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found(u64);

impl Found {
    /// Lengths and numbers of patterns, both below 2^16.
    const BITS: u32 = 16;
    const MAX: usize = (1 << Self::BITS) - 1;

    pub(super) fn new(start: usize, end: usize, pattern: usize) -> Self {
        let shortness = Self::MAX - (end - start);
        Self((end as u64) << (2 * Self::BITS) | (shortness << Self::BITS | pattern) as u64)
    }

    pub(super) fn pattern(self) -> usize {
        self.0 as usize & Self::MAX
    }

    pub(super) fn start(self) -> usize {
        let shortness = (self.0 >> Self::BITS) as usize & Self::MAX;
        (self.0 >> (2 * Self::BITS)) as usize - (Self::MAX - shortness)
    }
}
