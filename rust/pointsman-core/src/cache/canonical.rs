//! The canonical key: one hash for texts whose ordered content is the same.

use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_128;

use super::kind::{GERUND, Item, JOINED, Kind, LED, LED_BY_FOR, LED_BY_OF, TOWARD};
use super::lexicon::{Tongue, stem_key, word_hash};
use super::reading::{Reading, traits};

/// Fewest items that carry content for a canonical key; with fewer, too much was dropped to be sure.
const FEWEST_KEYED: usize = 2;
/// Most items for a canonical key: longer texts are documents, not questions.
const MOST_KEYED: usize = 64;

/// The hash of the items that must agree, in order, and of what else tells two questions apart.
pub(crate) fn canonical(reading: &Reading) -> Option<u128> {
    let keyed = reading
        .items()
        .iter()
        .filter(|item| item.kind != Kind::Light);
    let content = keyed.clone().filter(|item| item.kind != Kind::Question);
    if reading.has(traits::TASTE) || !(FEWEST_KEYED..=MOST_KEYED).contains(&content.count()) {
        return None;
    }
    let mut bytes = Vec::with_capacity(9 * reading.items().len() + 3);
    for item in keyed {
        bytes.extend_from_slice(&item.key.to_le_bytes());
        bytes.push(
            u8::from(item.has(LED | LED_BY_OF)) | item.flags & (GERUND | TOWARD | LED_BY_FOR),
        );
    }
    bytes.push(reading.tongue as u8);
    bytes.push(reading.key_traits());
    Some(xxh3_128(&bytes))
}

/// The items with the two sides of "difference between A and B" in one order; `None` if nothing changes.
///
/// The sides are all that stands between "difference" and "and", and as many items behind it, to the end or a preposition.
pub(crate) fn unordered(items: &[Item]) -> Option<Vec<Item>> {
    let start = items.iter().position(|item| item.key == difference())? + 1;
    let joint = start + items[start..].iter().position(|item| item.has(JOINED))?;
    let is_end = |item: &Item| item.has(LED | LED_BY_OF) || item.kind == Kind::Relation;
    let end = items[joint..].iter().position(is_end);
    let end = end.map_or(items.len(), |n| joint + n);
    let is_plain =
        |item: &Item| item.flags & !(JOINED | GERUND) == 0 && item.kind != Kind::Relation;
    let sides = &items[start..end];
    let n_joints = sides.iter().filter(|item| item.has(JOINED)).count();
    if n_joints != 1
        || joint == start
        || 2 * (joint - start) != sides.len()
        || !sides.iter().all(is_plain)
    {
        return None;
    }
    let keys = |side: &[Item]| side.iter().map(|item| item.key).collect::<Vec<_>>();
    let (left, right) = sides.split_at(joint - start);
    (keys(left) > keys(right)).then(|| [&items[..start], right, left, &items[end..]].concat())
}

/// The key of "difference", by whose joint the order of two sides is free.
fn difference() -> u64 {
    static KEY: LazyLock<u64> =
        LazyLock::new(|| stem_key(Tongue::En, "difference", word_hash("difference")));
    *KEY
}
