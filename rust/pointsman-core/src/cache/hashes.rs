//! Hashes of a text, by which the maps find it.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::entry::Keys;
use super::reading::Reading;

/// What makes the four maps, and what was read lately, five: seeds of their hashes (the digits of pi).
const EXACT: u64 = 0x243f_6a88_85a3_08d3;
const NORMALISED: u64 = 0x1319_8a2e_0370_7344;
const CANONICAL: u64 = 0xa409_3822_299f_31d0;
const CONTENT: u64 = 0x082e_fa98_ec4e_6c89;
const RECENT: u64 = 0x4528_21e6_38d0_1377;

/// Hashes of one text, before the store is asked.
pub(super) fn exact_hash(partition: &[u8; 16], text: &str) -> u64 {
    xxh3_64_with_seed(text.as_bytes(), seed(partition, EXACT))
}

/// Another, to tell a text by both.
pub(super) fn recent_hash(partition: &[u8; 16], text: &str) -> u64 {
    xxh3_64_with_seed(text.as_bytes(), seed(partition, RECENT))
}

/// Every hash of one text.
pub(super) fn keys(partition: &[u8; 16], text: &str, reading: &Reading) -> Keys {
    let normalised = reading.normalised().as_bytes();
    let canonical = |key: u128| xxh3_64_with_seed(&key.to_le_bytes(), seed(partition, CANONICAL));
    let content = reading.content().to_le_bytes();
    Keys {
        content: xxh3_64_with_seed(&content, seed(partition, CONTENT)),
        exact: exact_hash(partition, text),
        normalised: xxh3_64_with_seed(normalised, seed(partition, NORMALISED)),
        canonical: reading.canonical().map(canonical),
    }
}

fn seed(partition: &[u8; 16], map: u64) -> u64 {
    xxh3_64_with_seed(partition, map)
}

/// Spreads ids, whose top bits choose a segment.
pub(super) fn mix(id: u64) -> u64 {
    xxh3_64(&id.to_le_bytes())
}
