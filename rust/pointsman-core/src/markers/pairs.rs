//! [`Pairs`]: what begins with two given bytes of ASCII.

/// Bytes of a pair.
pub(super) const PAIR: usize = 2;
const N_PAIRS: usize = 128 * 128;
const N_TWO_BYTES: usize = 1 << 16;

/// The places of the phrases of each two bytes of ASCII, in either case, that a pattern begins with.
pub(super) struct Pairs {
    /// By both bytes without case; 0 for none.
    places: Box<[u16; N_PAIRS]>,
    /// A bit for each two bytes, in either case, that have a place: a table that stays near.
    is_pair: Box<[u64; N_TWO_BYTES / 64]>,
}

impl Pairs {
    #[allow(clippy::large_stack_arrays)] // 32 KB, once
    pub(super) fn new() -> Self {
        Self {
            places: Box::new([0; N_PAIRS]),
            is_pair: Box::new([0; N_TWO_BYTES / 64]),
        }
    }

    /// The place of a pair, which is `next` from now on if it has none.
    pub(super) fn place_or(&mut self, [a, b]: [u8; PAIR], next: u16) -> u16 {
        let place = &mut self.places[pair_number(folded(a), folded(b))];
        *place = if *place == 0 { next } else { *place };
        let place = *place;
        for a in [a.to_ascii_lowercase(), a.to_ascii_uppercase()] {
            for b in [b.to_ascii_lowercase(), b.to_ascii_uppercase()] {
                let pair = usize::from(u16::from_le_bytes([a, b]));
                self.is_pair[pair / 64] |= 1 << (pair % 64);
            }
        }
        place
    }

    /// Whether a pattern begins with these.
    #[inline]
    pub(super) fn has(&self, pair: [u8; PAIR]) -> bool {
        let number = usize::from(u16::from_le_bytes(pair));
        self.is_pair[number / 64] >> (number % 64) & 1 != 0
    }

    /// The place of the phrases of a pair that has one.
    #[inline]
    pub(super) fn place(&self, [a, b]: [u8; PAIR]) -> u16 {
        self.places[pair_number(folded(a), folded(b))]
    }
}

/// A byte of ASCII without case; 0 for any other.
#[inline]
fn folded(byte: u8) -> u8 {
    static FOLDED: [u8; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 128 {
            table[byte] = (byte as u8).to_ascii_lowercase();
            byte += 1;
        }
        table
    };
    FOLDED[usize::from(byte)]
}

/// A number for two bytes of ASCII.
#[inline]
fn pair_number(a: u8, b: u8) -> usize {
    usize::from(a & 127) << 7 | usize::from(b & 127)
}
