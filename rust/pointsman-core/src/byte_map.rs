//! A frozen map from short byte strings to `u32`: what vocabularies are looked up in.

use std::collections::HashMap;

use crate::simd;

/// Longest key, in bytes, that is packed into one word; longer ones go to a second map.
pub(crate) const PACKED_LEN: usize = 15;

/// Slots a key, at least: 0.77 full at most, so a miss ends after a few slots.
const SLOTS_PER_KEY: f64 = 1.3;

/// Odd constants of the multiply-fold hash; any with mixed bits will do (the digits of pi).
const MIX: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345];

const BIT_6: u128 = u128::MAX / 255 * 0x40;

/// Up to [`PACKED_LEN`] bytes and their number in one word: equal keys are equal integers.
///
/// The bytes stand in the low end, the length in the top byte, so a prefix is a mask and no copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed(u128);

impl Packed {
    /// No bytes at all, which no key is.
    pub(crate) const NONE: Self = Self(0);

    /// The `n` bytes of `text` from `at`. `n` must be 1 to [`PACKED_LEN`] and the range inside `text`.
    #[inline]
    pub(crate) fn at(text: &[u8], at: usize, n: usize) -> Self {
        // Sixteen bytes in one load where the text has them; its end is copied.
        let word = match text.get(at..).and_then(<[u8]>::first_chunk::<16>) {
            Some(chunk) => u128::from_le_bytes(*chunk),
            None => u128::from_le_bytes(padded(&text[at..])),
        };
        Self(word).prefix(n)
    }

    /// The first `n` bytes. `n` must be 1 to [`PACKED_LEN`].
    #[inline]
    pub(crate) fn prefix(self, n: usize) -> Self {
        /// The bytes of a key of each length: looked up, as shifts of 128 bits are slow.
        static MASKS: [u128; 16] = {
            let (mut masks, mut n) = ([0; 16], 0);
            while n < 16 {
                masks[n] = (1 << (8 * n)) - 1;
                n += 1;
            }
            masks
        };
        Self(self.0 & MASKS[n & 15] | (n as u128) << 120)
    }

    /// The `n` bytes from `at` on, for a key that holds them.
    #[inline]
    pub(crate) fn slice(self, at: usize, n: usize) -> Self {
        Self(self.0 >> (8 * at)).prefix(n)
    }

    /// The byte at `at`, below 16; behind the last byte that is the length, or 0.
    #[inline]
    pub(crate) fn byte(self, at: usize) -> u8 {
        (self.0 >> (8 * at)) as u8
    }

    /// The first four bytes, the first lowest; of fewer, zeros behind.
    #[inline]
    pub(crate) fn low_u32(self) -> u32 {
        self.0 as u32
    }

    /// With `A-Z` made lower case; other bytes stay.
    #[inline]
    pub(crate) fn to_ascii_lowercase(self) -> Self {
        const ONES: u128 = u128::MAX / 255;
        // Per byte, bit 7 tells "at least A" (0x41) and "beyond Z" (0x5a) of its lower bits; no carry crosses.
        let low = self.0 & (ONES * 0x7f);
        let from_a = low + ONES * (128 - 0x41);
        let beyond_z = low + ONES * (127 - 0x5a);
        Self(self.0 | (from_a & !beyond_z & !self.0 & (ONES * 0x80)) >> 2)
    }

    /// Of ASCII letters and digits alone: in lower case.
    #[inline]
    pub(crate) fn lower_of_alphanumeric(self) -> Self {
        // Letters have bit 6 and are lower with bit 5, digits have not; nor has the length.
        Self(self.0 | (self.0 & BIT_6) >> 1)
    }

    /// Of ASCII letters and digits alone: letters in lower case, digits as `0`.
    #[inline]
    pub(crate) fn folded(self) -> Self {
        // The value of a digit is its low half.
        let values = ((!self.0 & BIT_6 & ((1 << 120) - 1)) >> 6) * 15;
        Self(self.lower_of_alphanumeric().0 & !values)
    }

    /// The same bytes as a key of another kind.
    #[inline]
    pub(crate) fn marked(self) -> Self {
        Self(self.0 | 1 << 127)
    }

    /// The key that was marked, or the key itself.
    #[inline]
    pub(crate) fn unmarked(self) -> Self {
        Self(self.0 & !(1 << 127))
    }

    /// The bytes, and the length behind them.
    #[inline]
    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// Mixed bits of all bytes and the length.
    #[inline]
    pub(crate) fn hash(self) -> u64 {
        let low = self.0 as u64 ^ MIX[0];
        let high = (self.0 >> 64) as u64 ^ MIX[1];
        let product = u128::from(low) * u128::from(high);
        product as u64 ^ (product >> 64) as u64
    }
}

/// The first bytes of `tail`, at most sixteen, with zeros behind.
#[cold]
fn padded(tail: &[u8]) -> [u8; 16] {
    let mut chunk = [0; 16];
    let n = tail.len().min(16);
    chunk[..n].copy_from_slice(&tail[..n]);
    chunk
}

/// Tags read at once.
const GROUP: usize = 8;
/// A byte each, to compare a group of tags at once.
const ONES: u64 = u64::MAX / 255;
const HIGH_BITS: u64 = ONES * 0x80;

/// A map from byte strings to numbers, built once. Open addressing over packed keys.
///
/// A byte of each key's hash stands apart: those of a whole table fit the second-level cache, so a key that is not
/// in the map is told from them alone, and one that is costs one access to memory.
#[derive(Clone, Debug)]
pub(crate) struct ByteMap {
    /// Bit 7 and seven bits of the hash of the key in the slot, 0 for a free slot; the first ones again at the end.
    tags: Vec<u8>,
    keys: Vec<u128>,
    values: Vec<u32>,
    long: HashMap<Box<[u8]>, u32>,
    longest: usize,
}

impl ByteMap {
    /// An empty map with room for `n_keys`.
    pub(crate) fn with_capacity(n_keys: usize) -> Self {
        let n_slots = ((n_keys as f64 * SLOTS_PER_KEY) as usize + 2).next_power_of_two();
        Self {
            tags: vec![0; n_slots + GROUP],
            keys: vec![0; n_slots],
            values: vec![0; n_slots],
            long: HashMap::new(),
            longest: 0,
        }
    }

    /// Sets the value of `key`. An empty key is ignored. At most the `n_keys` of the capacity go in.
    pub(crate) fn insert(&mut self, key: &[u8], value: u32) {
        self.longest = self.longest.max(key.len());
        match key.len() {
            0 => {}
            n @ 1..=PACKED_LEN => self.insert_packed(Packed::at(key, 0, n), value),
            _ => {
                self.long.insert(key.into(), value);
            }
        }
    }

    /// Sets the value of a packed key. At most the `n_keys` of the capacity go in.
    pub(crate) fn insert_packed(&mut self, key: Packed, value: u32) {
        let (mask, hash) = (self.keys.len() - 1, key.hash());
        let mut slot = hash as usize & mask;
        while self.keys[slot] != key.0 && self.keys[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.keys[slot] = key.0;
        self.values[slot] = value;
        self.tags[slot] = tag(hash);
        if let Some(again) = self.tags.get_mut(self.keys.len() + slot) {
            *again = tag(hash);
        }
    }

    /// The value of a packed key.
    #[inline]
    pub(crate) fn get_packed(&self, key: Packed) -> Option<u32> {
        self.find(key).map(|slot| self.values[slot])
    }

    /// The value of the `n` bytes of `text` from `at`.
    #[inline]
    pub(crate) fn get(&self, text: &[u8], at: usize, n: usize) -> Option<u32> {
        match n {
            0 => None,
            1..=PACKED_LEN => self.get_packed(Packed::at(text, at, n)),
            _ if n > self.longest => None,
            _ => self.long.get(&text[at..at + n]).copied(),
        }
    }

    /// Whether the map holds the `n` bytes of `text` from `at`.
    #[inline]
    pub(crate) fn has(&self, text: &[u8], at: usize, n: usize) -> bool {
        match n {
            0 => false,
            1..=PACKED_LEN => self.find(Packed::at(text, at, n)).is_some(),
            _ if n > self.longest => false,
            _ => self.long.contains_key(&text[at..at + n]),
        }
    }

    /// Length of the longest key, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Asks for what the search of a key will most likely read.
    #[inline]
    pub(crate) fn prefetch(&self, key: Packed) {
        let slot = key.hash() as usize & (self.keys.len() - 1);
        simd::prefetch(&self.tags[slot]);
        simd::prefetch(&self.keys[slot]);
        simd::prefetch(&self.values[slot]);
    }

    /// The slot of the key.
    #[inline(always)]
    #[allow(clippy::inline_always)] // a call costs as much as the search
    fn find(&self, key: Packed) -> Option<usize> {
        let (mask, hash) = (self.keys.len() - 1, key.hash());
        let mut slot = hash as usize & mask;
        let wanted = u64::from(tag(hash)) * ONES;
        // At least one slot is free, so the search ends.
        loop {
            let group = u64::from_le_bytes(*self.tags.get(slot..)?.first_chunk::<GROUP>()?);
            let mut found = zero_bytes(group ^ wanted);
            while found != 0 {
                let at = (slot + found.trailing_zeros() as usize / 8) & mask;
                if self.keys[at] == key.0 {
                    return Some(at);
                }
                found &= found - 1;
            }
            if group & HIGH_BITS != HIGH_BITS {
                return None;
            }
            slot = (slot + GROUP) & mask;
        }
    }
}

/// What is kept of a hash beside its key: other bits than those that choose the slot.
#[inline]
fn tag(hash: u64) -> u8 {
    (hash >> 57) as u8 | 0x80
}

/// Bit 7 of each byte that is zero; of a byte above such a one perhaps too.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_keys_lower_case_and_slice_like_bytes() {
        let text = b"[AZaz`@{09_Hello]";
        let packed = Packed::at(text, 0, 15);
        let lower = text.to_ascii_lowercase();
        assert_eq!(packed.to_ascii_lowercase(), Packed::at(&lower, 0, 15));
        assert_eq!(packed.slice(3, 4), Packed::at(text, 3, 4));
        assert_eq!(Packed::at(text, 14, 3), Packed::at(b"lo]", 0, 3));
        let mixed = Packed::at(b"azAZ0189", 0, 8);
        assert_eq!(mixed.lower_of_alphanumeric(), mixed.to_ascii_lowercase());
        let folded = mixed.folded();
        assert_eq!(folded, Packed::at(b"azaz0000", 0, 8));
        assert_eq!(&folded.bytes()[..8], b"azaz0000");
        assert_ne!(folded.marked(), folded);
        assert_eq!(folded.marked().unmarked(), folded);
    }

    #[test]
    fn every_key_is_found_and_no_other() {
        let keys: Vec<String> = (0..3000_u64).map(|i| format!("{}", i * i * 7919)).collect();
        let mut map = ByteMap::with_capacity(keys.len());
        for (i, key) in keys.iter().enumerate() {
            map.insert(key.repeat(1 + i % 4).as_bytes(), i as u32);
        }
        for (i, key) in keys.iter().enumerate() {
            let key = key.repeat(1 + i % 4);
            assert_eq!(map.get(key.as_bytes(), 0, key.len()), Some(i as u32));
            let other = format!("{key}x");
            assert_eq!(map.get(other.as_bytes(), 0, other.len()), None);
        }
        assert_eq!(map.get(b"", 0, 0), None);
    }
}
