//! Whatever is cut off or changed in a journal, what is restored was once true.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

use pointsman_core::cache::{Ask, Cache, CacheSettings, Grade, Insertion, Lookup};
use proptest::prelude::*;

/// All entries, as comparable values.
type Contents = Vec<(u64, [u8; 16], String, Vec<u8>, String)>;

fn contents(cache: &Cache) -> Contents {
    let entries = cache.entries(None, None, usize::MAX).into_iter();
    let value = |entry: pointsman_core::cache::EntryView| {
        (
            entry.id,
            entry.partition,
            entry.text,
            entry.answer.to_vec(),
            entry.namespace,
        )
    };
    entries.map(value).collect()
}

fn settings() -> CacheSettings {
    CacheSettings {
        max_bytes: 64 << 20,
        ..CacheSettings::default()
    }
}

fn restore(snapshot: &[u8], journal: &[u8]) -> Cache {
    Cache::restore(snapshot, journal, 0.0, settings()).unwrap()
}

fn text_of(number: u16) -> String {
    format!(
        "Explain step {number} of the assembly of shelf {}",
        number % 7
    )
}

fn insert(cache: &Cache, number: u16, partition: u8) -> u64 {
    let answer = format!("{partition}/{number}");
    let insertion = Insertion {
        namespace: ["acme", "zeta"][usize::from(number % 2)],
        text: &text_of(number),
        answer: answer.as_bytes(),
        now_s: 0.0,
        ttl_s: None,
        cost_usd: 0.0,
    };
    cache.insert(&[partition; 16], insertion).unwrap()
}

/// One change, by two drawn numbers; each writes one frame or none, but for the grade that deletes.
fn change(cache: &Cache, ids: &mut Vec<u64>, kind: u8, number: u16) {
    let pick = |ids: &Vec<u64>| ids.get(usize::from(number) % ids.len().max(1)).copied();
    match (kind % 10, pick(ids)) {
        (0..=5, _) | (_, None) => ids.push(insert(cache, number % 40, (number % 3) as u8)),
        (6, Some(id)) => {
            cache.delete(id);
        }
        (7, Some(id)) => {
            cache.replace(id, &number.to_le_bytes(), 0.0).unwrap();
        }
        (8, Some(_)) if number.is_multiple_of(5) => {
            cache.clear(Some("acme"));
        }
        (_, Some(entry_id)) => {
            let grade = Grade {
                entry_id,
                text: text_of(number % 40),
                similarity: 0.9,
                is_right: number.is_multiple_of(2),
                weight: 0.5,
                is_audit: number.is_multiple_of(3),
            };
            cache.observe(&grade).unwrap();
        }
    }
}

/// A history: the journal, and what was true after each change.
fn history(changes: &[(u8, u16)]) -> (Cache, Vec<u8>, Vec<Contents>) {
    let cache = Cache::new(settings()).unwrap();
    let (mut ids, mut journal) = (Vec::new(), Vec::new());
    let mut states = vec![contents(&cache)];
    for (kind, number) in changes {
        change(&cache, &mut ids, *kind, *number);
        journal.extend(cache.take_journal());
        states.push(contents(&cache));
    }
    (cache, journal, states)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_prefix_restores_to_what_was_true_then(
        changes in proptest::collection::vec(any::<(u8, u16)>(), 1..40),
        cuts in proptest::collection::vec(0.0..1.0, 20),
    ) {
        let (cache, journal, states) = history(&changes);
        prop_assert_eq!(&contents(&restore(&[], &journal)), states.last().unwrap());
        prop_assert_eq!(&contents(&restore(&cache.snapshot(), &journal)), states.last().unwrap());
        let mut n_seen = 0;
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * journal.len() as f64) as usize).collect();
        cuts.sort_unstable();
        for cut in cuts {
            let restored = restore(&[], &journal[..cut]);
            let found = states[n_seen..].iter().position(|state| *state == contents(&restored));
            prop_assert!(found.is_some(), "cut at {} of {}", cut, journal.len());
            n_seen += found.unwrap();
            let n_dropped = restored.stats().n_dropped_bytes;
            let again = restore(&[], &journal[..cut - n_dropped]);
            prop_assert_eq!((contents(&again), again.stats().n_dropped_bytes), (contents(&restored), 0));
        }
    }

    #[test]
    fn any_changed_bit_restores_to_a_prefix(
        changes in proptest::collection::vec(any::<(u8, u16)>(), 1..30),
        flips in proptest::collection::vec((0.0..1.0, 0..8_u8), 20),
    ) {
        let (_, journal, states) = history(&changes);
        for (at, bit) in flips {
            let mut damaged = journal.clone();
            let at = (at * journal.len() as f64) as usize;
            damaged[at] ^= 1 << bit;
            let restored = restore(&[], &damaged);
            prop_assert!(states.contains(&contents(&restored)));
            prop_assert!(restored.stats().n_dropped_bytes >= journal.len() - at);
        }
    }

    #[test]
    fn a_damaged_snapshot_is_refused_or_a_part_of_the_truth(
        changes in proptest::collection::vec(any::<(u8, u16)>(), 1..30),
        flips in proptest::collection::vec((0.0..1.0, 0..8_u8), 20),
    ) {
        let (cache, _, states) = history(&changes);
        let (snapshot, truth) = (cache.snapshot(), states.last().unwrap());
        for (at, bit) in flips {
            let mut damaged = snapshot.clone();
            damaged[(at * snapshot.len() as f64) as usize] ^= 1 << bit;
            if let Ok(restored) = Cache::restore(&damaged, &[], 0.0, settings()) {
                prop_assert!(contents(&restored).iter().all(|entry| truth.contains(entry)));
                prop_assert!(restored.stats().n_dropped_bytes > 0);
            }
        }
    }

    #[test]
    fn a_lost_frame_ends_what_is_restored(
        changes in proptest::collection::vec(any::<(u8, u16)>(), 4..30),
        lost in 0.0..1.0,
    ) {
        let cache = Cache::new(settings()).unwrap();
        let (mut ids, mut frames) = (Vec::new(), Vec::new());
        let mut states = vec![contents(&cache)];
        for (kind, number) in &changes {
            change(&cache, &mut ids, *kind, *number);
            let frame = cache.take_journal();
            if !frame.is_empty() {
                frames.push(frame);
                states.push(contents(&cache));
            }
        }
        let lost = (lost * (frames.len() - 1) as f64) as usize;
        let state = states[lost].clone();
        frames.remove(lost);
        prop_assert_eq!(contents(&restore(&[], &frames.concat())), state);
    }
}

#[test]
fn a_journal_too_long_to_keep_becomes_a_snapshot_that_counts_when_it_is_whole() {
    let settings = CacheSettings {
        max_bytes: 1 << 20,
        ..CacheSettings::default()
    };
    let cache = Cache::new(settings).unwrap();
    let mut journal = Vec::new();
    (0..5).for_each(|number| {
        insert(&cache, number, 1);
    });
    journal.extend(cache.take_journal());
    let (n_before, before) = (journal.len(), contents(&cache));
    (5..300).for_each(|number| {
        insert(&cache, number, 1);
    });
    journal.extend(cache.take_journal());
    insert(&cache, 1000, 1);
    journal.extend(cache.take_journal());
    let restore = |journal: &[u8]| Cache::restore(&[], journal, 0.0, settings).unwrap();
    assert_eq!(contents(&restore(&journal)), contents(&cache));
    let torn = restore(&journal[..n_before + 50_000]);
    assert_eq!(contents(&torn), before);
    assert_eq!(torn.stats().n_dropped_bytes, 50_000);
}

#[test]
fn a_graph_is_restored_as_it_was_and_lives_on() {
    let cache = Cache::new(settings()).unwrap();
    let ids: Vec<u64> = (0..3000).map(|number| insert(&cache, number, 1)).collect();
    let mut journal = Vec::new();
    let snapshot = cache.snapshot();
    cache.take_journal();
    ids.iter().take(100).for_each(|id| {
        cache.delete(*id);
    });
    (3000..3050).for_each(|number| {
        insert(&cache, number, 1);
    });
    journal.extend(cache.take_journal());
    let restored = restore(&snapshot, &journal);
    assert_eq!(contents(&restored), contents(&cache));
    let ask = Ask {
        now_s: 1.0,
        seed: 1,
        is_semantic: true,
        max_age_s: 1e9,
    };
    for number in (0..3050).step_by(61) {
        let text = text_of(number).replace("Explain", "Describe");
        let (old, new) = (
            cache.lookup(&[1; 16], &text, ask),
            restored.lookup(&[1; 16], &text, ask),
        );
        let near = |found: Lookup| match found {
            Lookup::Miss(miss) => miss.similarity,
            Lookup::Hit(hit) => Some(hit.similarity),
        };
        assert_eq!(near(old), near(new));
    }
    let bytes = restored.stats().n_bytes as f64 / cache.stats().n_bytes as f64;
    assert!((0.8..1.1).contains(&bytes), "{bytes}");
}

#[test]
fn what_has_expired_and_what_a_smaller_bound_excludes_is_left_out() {
    let cache = Cache::new(settings()).unwrap();
    (0..2000).for_each(|number| {
        insert(&cache, number, 1);
    });
    let snapshot = cache.snapshot();
    let smaller = CacheSettings {
        max_bytes: 1 << 19,
        ..settings()
    };
    let restored = Cache::restore(&snapshot, &[], 0.0, smaller).unwrap();
    assert!(restored.stats().n_bytes <= 1 << 19 && restored.stats().n_entries > 100);
    let late = Cache::restore(&snapshot, &[], 1e6, settings()).unwrap();
    assert_eq!(late.stats().n_entries, 0);
    // Its first frames say what restoring removed, so the old journal can go on.
    let journal = [cache.take_journal(), late.take_journal()].concat();
    assert_eq!(restore(&snapshot, &journal).stats().n_entries, 0);
}

#[test]
fn a_snapshot_of_another_version_or_kind_is_refused() {
    let refuse = |snapshot: &[u8]| {
        Cache::restore(snapshot, &[], 0.0, settings())
            .unwrap_err()
            .to_string()
    };
    assert!(refuse(b"not a snapshot, and never was one").contains("damaged"));
    let cache = Cache::new(settings()).unwrap();
    insert(&cache, 1, 1);
    assert!(refuse(&cache.take_journal()).contains("damaged"));
}
