//! The canonical key: one hash for texts whose ordered content is the same.

use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_128;

use super::kind::{GERUND, Item, JOINED, Kind, LED, LED_BY_FOR, LED_BY_OF, TOWARD};
use super::lexicon::{Tongue, lexicon, stem_key, word_hash};
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

/// A sum over the items that no text which asks the same lacks: where two differ, the guard lets nothing pass.
///
/// The order is free and equal sums say nothing, so it spares reading a text but never decides that it serves.
pub(crate) fn content(items: &[Item]) -> u64 {
    let lexicon = lexicon();
    let hard = items.iter().filter(|item| !lexicon.is_optional(item.key));
    hard.fold(0, |sum, item| item.key.wrapping_add(sum))
}

/// The items with the two sides of "difference between A and B" in one order; `None` if nothing changes.
///
/// The sides are all that stands between "difference" and "and", and as many items behind it, to the end or a preposition.
pub(crate) fn unordered(items: &[Item]) -> Option<Vec<Item>> {
    let difference = difference();
    let start = items.iter().position(|item| item.key == difference)? + 1;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::cache::{Reading, veto};

    /// Words of all classes, few enough that texts often ask the same.
    const WORDS: &str = "what is the best good it some easily become becoming list tell me define meaning of for to \
        Oman Oman's capital 3 three movies film \"film\" not my please learn";

    fn text() -> impl Strategy<Value = String> {
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        prop::collection::vec(prop::sample::select(words), 1..6).prop_map(|words| words.join(" "))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn what_the_guard_lets_pass_has_one_content(a in text(), b in text()) {
            let (a, b) = (Reading::new(&a), Reading::new(&b));
            if veto(&a, &b).is_none() {
                prop_assert_eq!(a.content(), b.content());
            }
        }
    }

    #[test]
    fn of_our_own_pairs_those_that_pass_have_one_content_and_others_rarely() {
        let pairs = include_str!("../../tests/cache_pairs.tsv").lines();
        let texts = pairs.filter_map(|line| line.rsplit_once('\t'));
        let (mut n_vetoed, mut n_told) = (0, 0);
        for (rest, asked) in texts {
            let stored = rest.rsplit('\t').next().unwrap_or_default();
            let (stored, asked) = (Reading::new(stored), Reading::new(asked));
            let is_one = stored.content() == asked.content();
            match veto(&stored, &asked) {
                None => assert!(is_one, "{} | {}", stored.normalised(), asked.normalised()),
                Some(_) => (n_vetoed, n_told) = (n_vetoed + 1, n_told + usize::from(!is_one)),
            }
        }
        assert!(n_told * 10 > n_vetoed * 7, "{n_told} of {n_vetoed}");
    }
}
