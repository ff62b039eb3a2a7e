//! What stems begin and end with, hashed to bits: most letters are settled by one look.

/// Two sets of hashes that may hold more than was put in, in 64 KiB: most letters are settled by one look.
pub(super) struct Sieve(Box<[u8; 1 << (SIEVE_BITS - 2)]>);

const SIEVE_BITS: u32 = 18;
/// Four places a byte: a bit for what stems begin with, one for where they end.
pub(super) const BEGINS: u8 = 1;
pub(super) const ENDS: u8 = 2;

impl Sieve {
    pub(super) fn new() -> Self {
        #[allow(clippy::large_stack_arrays)] // once, and not in a hurry
        Self(Box::new([0; 1 << (SIEVE_BITS - 2)]))
    }

    #[inline]
    fn place(hash: u64) -> (usize, u32) {
        let place = mix(hash) >> (64 - SIEVE_BITS);
        ((place >> 2) as usize, 2 * (place & 3) as u32)
    }

    pub(super) fn add(&mut self, hash: u64, bit: u8) {
        let (index, shift) = Self::place(hash);
        self.0[index] |= bit << shift;
    }

    /// Which of the two sets may hold it: [`BEGINS`], [`ENDS`], both or none.
    #[inline]
    pub(super) fn sets(&self, hash: u64) -> u8 {
        let (index, shift) = Self::place(hash);
        self.0[index] >> shift & (BEGINS | ENDS)
    }
}

/// The first four bytes of long stems, hashed to a bit: settles where a stem cannot begin inside of a compound.
pub(super) struct Gate(Vec<u64>);

const GATE_BITS: u32 = 15;
const GATE_BYTES: usize = 4;

impl Gate {
    pub(super) fn new() -> Self {
        Self(vec![0; 1 << (GATE_BITS - 6)])
    }

    #[inline]
    fn place(four: [u8; GATE_BYTES]) -> (usize, u64) {
        let bit = u32::from_le_bytes(four).wrapping_mul(0x9e37_79b1) >> (32 - GATE_BITS);
        ((bit >> 6) as usize, 1 << (bit & 63))
    }

    pub(super) fn add(&mut self, stem: &[u8]) {
        if let Some(four) = stem.first_chunk() {
            let (index, bit) = Self::place(*four);
            self.0[index] |= bit;
        }
    }

    /// Whether a stem of at least [`MIN_INNER_BYTES`](super::MIN_INNER_BYTES) may begin here.
    #[inline]
    pub(super) fn opens(&self, bytes: &[u8]) -> bool {
        bytes.first_chunk().is_some_and(|four| {
            let (index, bit) = Self::place(*four);
            self.0[index] & bit != 0
        })
    }
}

pub(super) fn mix(hash: u64) -> u64 {
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
