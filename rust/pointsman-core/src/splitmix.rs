//! Numbers drawn without a state: `SplitMix64` (Steele, Lea, Flood 2014) at any place of its stream.

/// 2^64 over the golden ratio: the step of `SplitMix64`.
pub(crate) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The `counter`-th number of the stream `seed`, uniform in `[0, 1)`: `SplitMix64` at any place, without a state.
///
/// # Example
///
/// ```
/// use pointsman_core::explore::uniform;
///
/// assert_eq!(uniform(7, 3), uniform(7, 3));
/// assert!((0.0..1.0).contains(&uniform(7, 3)));
/// ```
pub fn uniform(seed: u64, counter: u64) -> f64 {
    let bits = mix(mix(seed).wrapping_add(counter.wrapping_mul(GOLDEN)));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

pub(crate) fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(GOLDEN);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_matches_its_published_first_numbers() {
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix(GOLDEN), 0x6E78_9E6A_A1B9_65F4);
    }
}
