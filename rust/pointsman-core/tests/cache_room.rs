//! What room the cache takes, and who must make it.

#![allow(clippy::unwrap_used)] // A panic is the report.

use pointsman_core::cache::{Ask, Cache, CacheSettings, Insertion, Lookup};

const PARTITION: [u8; 16] = [1; 16];

fn insertion<'a>(text: &'a str, answer: &'a [u8]) -> Insertion<'a> {
    Insertion {
        namespace: "acme",
        text,
        answer,
        now_s: 0.0,
        ttl_s: None,
        cost_usd: 0.25,
    }
}

fn is_hit(cache: &Cache, text: &str) -> bool {
    let ask = Ask {
        now_s: 1.0,
        seed: 1,
        is_semantic: true,
        max_age_s: f64::INFINITY,
    };
    matches!(cache.lookup(&PARTITION, text, ask), Lookup::Hit(_))
}

#[test]
fn what_is_used_and_dear_outlives_what_is_not() {
    let settings = CacheSettings {
        max_bytes: 1 << 20,
        ..CacheSettings::default()
    };
    let cache = Cache::new(settings).unwrap();
    let text = |kind: &str, number: usize| format!("{kind} question {number} about the archive");
    for number in 0..4000 {
        cache
            .insert(&PARTITION, insertion(&text("plain", number), &[7; 900]))
            .unwrap();
        if number % 10 == 0 {
            cache
                .insert(&PARTITION, insertion(&text("used", number), &[7; 900]))
                .unwrap();
        }
        for earlier in (0..=number.min(200)).step_by(10) {
            is_hit(&cache, &text("used", earlier));
        }
    }
    let n_used = (0..=200)
        .step_by(10)
        .filter(|n| is_hit(&cache, &text("used", *n)));
    let n_plain = (0..=200)
        .step_by(10)
        .filter(|n| is_hit(&cache, &text("plain", *n)));
    let (n_used, n_plain) = (n_used.count(), n_plain.count());
    assert!(
        n_used >= 18 && n_plain <= 6,
        "{n_used} used, {n_plain} plain"
    );
    assert!(cache.stats().n_evicted > 1000);
}

#[test]
fn many_small_partitions_are_cheap() {
    let settings = CacheSettings {
        max_bytes: 1 << 30,
        ..CacheSettings::default()
    };
    let cache = Cache::new(settings).unwrap();
    let n = 20_000_u32;
    for number in 0..n {
        let mut key = [0; 16];
        key[..4].copy_from_slice(&number.to_le_bytes());
        cache
            .insert(&key, insertion("What is it?", b"This."))
            .unwrap();
    }
    let stats = cache.stats();
    let journal = cache.take_journal().len() as f64;
    let per_entry = (stats.n_bytes as f64 - journal) / f64::from(n);
    assert_eq!(stats.n_partitions, n as usize);
    assert!(per_entry < 900.0, "{per_entry}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let settings = CacheSettings {
        max_bytes: 1 << 16,
        ..CacheSettings::default()
    };
    let cache = Cache::new(settings).unwrap();
    let large = vec![0; 1 << 15];
    let large = insertion("What is the capital of Oman?", &large);
    let error = cache.insert(&PARTITION, large).unwrap_err();
    assert!(
        error.to_string().contains("quarter of max_bytes"),
        "{error}"
    );
    for ttl_s in [0.0, f64::NAN, 1e10] {
        let insertion = Insertion {
            ttl_s: Some(ttl_s),
            answer: b"",
            ..large
        };
        assert!(cache.insert(&PARTITION, insertion).is_err());
    }
    assert!(
        Cache::new(CacheSettings {
            max_bytes: 1000,
            ..settings
        })
        .is_err()
    );
    assert!(
        Cache::new(CacheSettings {
            audit_rate: 2.0,
            ..settings
        })
        .is_err()
    );
}
