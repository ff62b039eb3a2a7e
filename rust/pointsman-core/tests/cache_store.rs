//! What the cache keeps, serves and forgets.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests: a panic is the report.

use std::collections::HashMap;

use pointsman_core::cache::{
    Ask, Cache, CacheSettings, Grade, Hit, Insertion, Layer, Lookup, Miss, MissReason,
};
use proptest::prelude::*;

const CAPITAL: &str = "What is the capital of Oman?";

fn cache() -> Cache {
    Cache::new(CacheSettings::default()).unwrap()
}

fn partition(number: u8) -> [u8; 16] {
    [number; 16]
}

fn ask(now_s: f64) -> Ask {
    Ask {
        now_s,
        seed: 1,
        is_semantic: true,
        max_age_s: f64::INFINITY,
    }
}

fn insert(cache: &Cache, number: u8, text: &str, answer: &[u8], now_s: f64) -> u64 {
    let insertion = Insertion {
        namespace: "acme",
        text,
        answer,
        now_s,
        ttl_s: Some(100.0),
        cost_usd: 0.25,
    };
    cache.insert(&partition(number), insertion).unwrap()
}

fn hit(cache: &Cache, number: u8, text: &str, now_s: f64) -> Option<Hit> {
    match cache.lookup(&partition(number), text, ask(now_s)) {
        Lookup::Hit(hit) => Some(hit),
        Lookup::Miss(_) => None,
    }
}

fn miss(cache: &Cache, number: u8, text: &str, now_s: f64) -> Miss {
    match cache.lookup(&partition(number), text, ask(now_s)) {
        Lookup::Hit(hit) => panic!("{hit:?}"),
        Lookup::Miss(miss) => miss,
    }
}

fn grade(entry_id: u64, text: &str, is_right: bool, weight: f64) -> Grade {
    Grade {
        entry_id,
        text: text.to_owned(),
        similarity: 1.0,
        is_right,
        weight,
        is_audit: false,
    }
}

#[test]
fn the_first_layer_that_has_an_answer_gives_it() {
    let cache = cache();
    let id = insert(&cache, 1, CAPITAL, b"Muscat", 0.0);
    for (text, layer) in [
        (CAPITAL, Layer::Exact),
        ("what is  the capital of oman", Layer::Normalised),
        ("What's the capital of Oman?", Layer::Canonical),
    ] {
        let hit = hit(&cache, 1, text, 10.0).unwrap();
        assert_eq!(
            (hit.layer, hit.entry_id, &*hit.answer),
            (layer, id, &b"Muscat"[..])
        );
        assert!((hit.age_s - 10.0).abs() < 1e-9 && hit.p_correct > 0.9);
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.n_entries), ([1, 1, 1, 0], 1));
    let view = cache.get(id).unwrap();
    assert_eq!((view.n_hits, view.namespace.as_str()), (3, "acme"));
    assert!((view.cost_saved_usd - 0.75).abs() < 1e-6);
}

#[test]
fn a_peek_finds_the_same_and_leaves_no_trace() {
    for text in [
        CAPITAL,
        "what is  the capital of oman",
        "What's the capital of Oman?",
        "What is the capital of Peru?",
        "What is the weather today?",
    ] {
        let cache = cache();
        let id = insert(&cache, 1, CAPITAL, b"Muscat", 0.0);
        let standing = || (cache.stats(), cache.get(id).unwrap().n_hits);
        let before = standing();
        let seen = cache.peek(&partition(1), text, ask(10.0));
        assert_eq!(standing(), before);
        let mut found = cache.lookup(&partition(1), text, ask(10.0));
        if let Lookup::Hit(hit) = &mut found {
            hit.wants_audit = false;
        }
        assert_eq!(seen, found);
    }
}

#[test]
fn misses_say_why() {
    let cache = cache();
    assert_eq!(miss(&cache, 1, CAPITAL, 0.0).reason, MissReason::Empty);
    let today = miss(&cache, 1, "What is the weather today?", 0.0);
    assert_eq!(
        (today.reason, today.veto),
        (MissReason::Unservable, Some("time_sensitive"))
    );
    let id = insert(&cache, 1, CAPITAL, b"Muscat", 0.0);
    let other = miss(&cache, 1, "Write a limerick on frogs in spring", 0.0);
    assert_eq!(
        (other.reason, other.entry_id),
        (MissReason::NothingNear, None)
    );
    let near = miss(&cache, 1, "What is the capital of Peru?", 0.0);
    // Which of the two says no first is theirs to settle.
    let is_guarded = near.reason == MissReason::Guard;
    assert!(is_guarded || near.reason == MissReason::BelowBound);
    assert_eq!((near.entry_id, near.veto.is_some()), (Some(id), is_guarded));
    assert!(near.similarity.unwrap() > 0.5);
    let expired = miss(&cache, 1, CAPITAL, 100.0);
    assert_eq!(
        (expired.reason, expired.entry_id),
        (MissReason::Expired, Some(id))
    );
    let is_semantic = false;
    let equal_only = Ask {
        is_semantic,
        ..ask(0.0)
    };
    let found = cache.lookup(&partition(1), "What's the capital of Oman?", equal_only);
    assert!(matches!(found, Lookup::Miss(miss) if miss.reason == MissReason::NothingNear));
    let [empty, nothing_near, guard, below_bound, expired, unservable] = cache.stats().misses;
    assert_eq!(
        [
            empty,
            nothing_near,
            guard + below_bound,
            expired,
            unservable
        ],
        [1, 2, 1, 1, 1]
    );
}

#[test]
fn a_large_partition_is_searched_only_for_content_it_has() {
    let cache = cache();
    let id = insert(&cache, 1, CAPITAL, b"Muscat", 0.0);
    let other = "What is the capital of Peru?";
    assert_eq!(miss(&cache, 1, other, 1.0).entry_id, Some(id));
    for number in 0..100 {
        let text = format!("Which river flows through town {number}?");
        insert(&cache, 1, &text, b"None", 0.0);
    }
    let seen = miss(&cache, 1, other, 1.0);
    assert_eq!(
        (seen.reason, seen.entry_id),
        (MissReason::NothingNear, None)
    );
    for alike in ["Tell me the capital of Oman", "capital city of Oman"] {
        let found = hit(&cache, 1, alike, 1.0).map(|hit| hit.entry_id);
        assert_eq!(found, Some(id), "{alike}");
    }
}

#[test]
fn an_answer_older_than_wanted_is_not_served() {
    let cache = cache();
    insert(&cache, 1, CAPITAL, b"Muscat", 0.0);
    let max_age_s = 30.0;
    let found = |now_s| {
        cache.lookup(
            &partition(1),
            CAPITAL,
            Ask {
                max_age_s,
                ..ask(now_s)
            },
        )
    };
    assert!(matches!(found(30.0), Lookup::Hit(_)));
    assert!(matches!(found(31.0), Lookup::Miss(miss) if miss.reason == MissReason::Expired));
}

#[test]
fn the_same_text_takes_the_place_of_the_old_answer() {
    let cache = cache();
    let old = insert(&cache, 1, CAPITAL, b"Maskat", 0.0);
    let new = insert(&cache, 1, CAPITAL, b"Muscat", 1.0);
    assert_ne!(old, new);
    assert_eq!((cache.get(old), cache.stats().n_entries), (None, 1));
    assert!(cache.replace(new, b"Muscat.", 50.0).unwrap());
    let hit = hit(&cache, 1, CAPITAL, 140.0).unwrap();
    assert_eq!((&*hit.answer, hit.entry_id), (&b"Muscat."[..], new));
    assert!(!cache.replace(old, b"", 50.0).unwrap());
}

#[test]
fn a_wrong_answer_that_was_served_goes_and_one_that_was_not_stays() {
    let cache = cache();
    let id = insert(&cache, 1, CAPITAL, b"Nizwa", 0.0);
    cache.observe(&grade(id, CAPITAL, false, 0.5)).unwrap();
    cache
        .observe(&grade(id, "What is the capital of Peru?", false, 1.0))
        .unwrap();
    let evidence = cache.get(id).unwrap().evidence;
    assert!((evidence.n_wrong - 1.5).abs() < 1e-6);
    cache.observe(&grade(id, CAPITAL, false, 1.0)).unwrap();
    assert_eq!(cache.get(id), None);
    assert!(cache.observe(&grade(id, CAPITAL, false, f64::NAN)).is_err());
}

#[test]
fn audits_are_drawn_at_their_rate_and_alarm_when_hits_are_wrong() {
    let settings = CacheSettings {
        audit_rate: 0.25,
        ..CacheSettings::default()
    };
    let cache = Cache::new(settings).unwrap();
    let id = insert(&cache, 1, CAPITAL, b"Muscat", 0.0);
    let draw = |seed| {
        let near = cache.lookup(
            &partition(1),
            "what is the capital of oman",
            Ask { seed, ..ask(0.0) },
        );
        let exact = cache.lookup(&partition(1), CAPITAL, Ask { seed, ..ask(0.0) });
        assert!(matches!(exact, Lookup::Hit(hit) if !hit.wants_audit));
        matches!(near, Lookup::Hit(hit) if hit.wants_audit)
    };
    let n_drawn = (0..4000).filter(|seed| draw(*seed)).count();
    assert!((850..1150).contains(&n_drawn), "{n_drawn}");
    let wrong = Grade {
        is_audit: true,
        ..grade(id, "what is the capital of oman", false, 0.5)
    };
    let n_graded = (1..20).find(|_| cache.observe(&wrong).unwrap().is_some());
    let stats = cache.stats();
    assert!(n_graded.is_some() && stats.n_alarms == 1 && stats.aim < 0.01);
}

#[test]
fn namespaces_are_cleared_and_listed_apart() {
    let cache = cache();
    for (number, namespace) in (0..30).zip(["acme", "zeta", "acme"].iter().cycle()) {
        let text = format!("Explain item {number} of the catalogue to me");
        let insertion = Insertion {
            namespace,
            text: &text,
            answer: b"yes",
            now_s: 0.0,
            ttl_s: None,
            cost_usd: 0.0,
        };
        cache.insert(&partition(1), insertion).unwrap();
    }
    let mut ids = Vec::new();
    while let Some(page) =
        Some(cache.entries(Some("acme"), ids.last().copied(), 7)).filter(|p| !p.is_empty())
    {
        assert!(page.iter().all(|entry| entry.namespace == "acme"));
        ids.extend(page.iter().map(|entry| entry.id));
    }
    assert!(ids.len() == 20 && ids.is_sorted());
    assert_eq!(
        (cache.clear(Some("acme")), cache.clear(Some("acme"))),
        (20, 0)
    );
    assert_eq!(cache.entries(None, None, 100).len(), 10);
    assert_eq!((cache.clear(None), cache.stats().n_entries), (10, 0));
}

/// What a sequence of steps does, as the simplest program would.
#[derive(Clone, Debug)]
enum Step {
    Insert { partition: u8, text: u8, ttl_s: f64 },
    Delete { partition: u8, text: u8 },
    Clear,
    Look { partition: u8, text: u8 },
    Wait { seconds: f64 },
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..3_u8, 0..12_u8);
    prop_oneof![
        5 => (place(), 1.0..50.0).prop_map(|((partition, text), ttl_s)| Step::Insert { partition, text, ttl_s }),
        2 => place().prop_map(|(partition, text)| Step::Delete { partition, text }),
        1 => Just(Step::Clear),
        9 => place().prop_map(|(partition, text)| Step::Look { partition, text }),
        2 => (0.0..20.0).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// Texts that differ in all but the vectors, and some that ask the same.
fn text_of(number: u8) -> String {
    let city = ["Oman", "Peru", "Chad", "Fiji"][usize::from(number % 4)];
    match number / 4 {
        0 => format!("What is the capital of {city}?"),
        1 => format!("what is the capital of {city}"),
        _ => format!("Name the capital city of {city}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_served_across_partitions_or_after_its_end(
        steps in proptest::collection::vec(step(), 1..120),
        max_kib in 64_usize..256,
    ) {
        let settings = CacheSettings { max_bytes: max_kib << 10, ..CacheSettings::default() };
        let cache = Cache::new(settings).unwrap();
        // Everything alive: its partition, its country, its end. The cache may have evicted some of it.
        let mut alive: HashMap<u64, (u8, u8, f64)> = HashMap::new();
        let mut now_s = 0.0;
        for step in steps {
            match step {
                Step::Insert { partition: p, text, ttl_s } => {
                    let answer = vec![p; 4000];
                    let insertion = Insertion {
                        namespace: "acme", text: &text_of(text), answer: &answer, now_s,
                        ttl_s: Some(ttl_s), cost_usd: 0.0,
                    };
                    let id = cache.insert(&partition(p), insertion).unwrap();
                    alive.retain(|_, known| known.0 != p || known.1 != text);
                    alive.insert(id, (p, text, now_s + ttl_s));
                }
                Step::Delete { partition: p, text } => {
                    let ids = alive.iter().filter(|(_, known)| known.0 == p && known.1 == text);
                    let ids: Vec<u64> = ids.map(|(id, _)| *id).collect();
                    for id in ids {
                        cache.delete(id);
                        alive.remove(&id);
                    }
                }
                Step::Clear => {
                    cache.clear(None);
                    alive.clear();
                }
                Step::Look { partition: p, text } => {
                    if let Some(hit) = hit(&cache, p, &text_of(text), now_s) {
                        let known = alive.get(&hit.entry_id).expect("served what is gone");
                        prop_assert_eq!(known.0, p);
                        prop_assert_eq!(known.1 % 4, text % 4);
                        prop_assert!(now_s < known.2);
                        prop_assert!(hit.answer.iter().all(|byte| *byte == p));
                    }
                }
                Step::Wait { seconds } => now_s += seconds,
            }
            prop_assert!(cache.stats().n_bytes <= settings.max_bytes);
        }
    }
}
