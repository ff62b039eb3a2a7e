//! A state of any bytes, or a saved one with any bytes changed, is refused or leaves a router that decides.
#![no_main]

use std::ops::Range;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pointsman_core::{Complexity, Domain, Outcome, Router, Structure};
use pointsman_fuzz::{HEADER, changed, made, seal};
use xxhash_rust::xxh3::xxh3_64;

/// One for all inputs: to make one takes longer than to load a state.
static ROUTER: LazyLock<Router> = LazyLock::new(pointsman_fuzz::router);

static SAVED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let router = pointsman_fuzz::router();
    for i in 0..40 {
        let outcome = Outcome {
            latency_ms: Some(500.0 + f64::from(i)),
            n_output_tokens: Some(100),
            reward: Some(f64::from(i % 2)),
            audit_share: (i % 4 == 0).then_some(0.5),
            ..Outcome::new("p/a", Domain::Code, Complexity::Lookup, Structure::Text)
        };
        router.observe(&outcome, 1.7e9).expect("a valid outcome");
    }
    router.save()
});

/// The sealed document inside of the saved one, that of qualities: its length stands before it.
static INNER: LazyLock<Range<usize>> = LazyLock::new(|| {
    let number = |at: usize| u64::from_le_bytes(SAVED[at..at + 8].try_into().unwrap());
    let sealed = |at: usize| {
        let start = at + 8;
        let end = start.checked_add(usize::try_from(number(at)).ok()?)?;
        let is_whole = end <= SAVED.len() && end >= start + HEADER;
        let is_sealed = is_whole && number(start + 8) == xxh3_64(&SAVED[start + HEADER..end]);
        is_sealed.then_some(start..end)
    };
    let found = (HEADER..SAVED.len() - HEADER).find_map(sealed);
    found.expect("it holds a sealed document")
});

fuzz_target!(|input: (Vec<(u16, u8)>, Vec<u8>)| {
    let (edits, raw) = input;
    let mut document = changed(&SAVED, &edits);
    seal(&mut document[INNER.clone()]);
    seal(&mut document);
    let made = made(&SAVED, &raw);
    for document in [document, made, raw] {
        if ROUTER.load(&document).is_ok() {
            pointsman_fuzz::decide(&ROUTER, "Write a function that sorts.");
            ROUTER.save();
        }
    }
});
