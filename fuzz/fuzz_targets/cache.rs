//! A snapshot and a journal of any bytes, or saved ones with any bytes of any frames changed and resealed, are refused
//! or leave a cache that answers and can be saved again.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pointsman_core::cache::{Ask, Cache, CacheSettings, Grade, Insertion};
use xxhash_rust::xxh3::Xxh3;

/// Of a frame: version, kind, length of the payload, number; then the checksum of these and the payload.
const SEALED: usize = 14;
const HEADER: usize = SEALED + 8;
const PARTITION: [u8; 16] = [7; 16];
const ASK: Ask = Ask {
    now_s: 1e6,
    seed: 3,
    is_semantic: true,
    max_age_s: f64::INFINITY,
};

fn settings() -> CacheSettings {
    CacheSettings {
        max_bytes: 1 << 20,
        ..CacheSettings::default()
    }
}

fn insert(cache: &Cache, number: usize) -> u64 {
    let insertion = Insertion {
        namespace: "acme",
        text: &format!("Explain step {number} of the assembly of the shelf"),
        answer: b"Turn it.",
        now_s: ASK.now_s,
        ttl_s: None,
        cost_usd: 0.01,
    };
    cache.insert(&PARTITION, insertion).expect("it is valid")
}

fn grade(cache: &Cache, entry_id: u64, is_right: bool) {
    let grade = Grade {
        entry_id,
        text: "Explain step 3 of the assembly of a shelf".to_owned(),
        similarity: 0.9,
        is_right,
        weight: 0.5,
        is_audit: true,
    };
    cache.observe(&grade).expect("it is valid");
}

/// The frames of a snapshot, and those of the journal since.
static SAVED: LazyLock<[Vec<Vec<u8>>; 2]> = LazyLock::new(|| {
    let cache = Cache::new(settings()).expect("the settings are valid");
    let ids: Vec<u64> = (0..12).map(|number| insert(&cache, number)).collect();
    grade(&cache, ids[1], true);
    cache.take_journal();
    let snapshot = cache.snapshot();
    insert(&cache, 20);
    grade(&cache, ids[2], false);
    cache
        .replace(ids[3], b"Push it.", ASK.now_s)
        .expect("it is valid");
    cache.delete(ids[4]);
    cache.clear(Some("none"));
    [frames(&snapshot), frames(&cache.take_journal())]
});

/// The bytes frame by frame.
fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(length) = bytes.get(2..6) {
        let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
        let (frame, rest) = bytes.split_at(HEADER + length as usize);
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

/// Makes the length and the checksum right, so that what they guard is reached.
fn seal(frame: &mut [u8]) {
    let length = (frame.len() - HEADER) as u32;
    frame[2..6].copy_from_slice(&length.to_le_bytes());
    let mut hash = Xxh3::new();
    hash.update(&frame[..SEALED]);
    hash.update(&frame[HEADER..]);
    let sum = hash.digest().to_le_bytes();
    frame[SEALED..HEADER].copy_from_slice(&sum);
}

/// Restores, uses and saves again; what was saved restores without loss.
fn live(snapshot: &[u8], journal: &[u8]) {
    let Ok(cache) = Cache::restore(snapshot, journal, ASK.now_s, settings()) else {
        return;
    };
    cache.lookup(
        &PARTITION,
        "Explain step 3 of the assembly of the shelf",
        ASK,
    );
    let id = insert(&cache, 30);
    grade(&cache, id, true);
    let saved = cache.snapshot();
    let again = Cache::restore(&saved, &[], ASK.now_s, settings()).expect("it was just saved");
    assert_eq!(again.stats().n_dropped_bytes, 0);
    assert_eq!(again.snapshot(), saved);
}

fuzz_target!(|input: (Vec<(u8, u16, u8)>, u8, u8, Vec<u8>)| {
    let (edits, at, kind, raw) = input;
    live(&raw, &raw);
    let [mut snapshot, mut journal] = SAVED.clone();
    let n_snapshot = snapshot.len();
    for (which, at, byte) in edits {
        let frame = usize::from(which) % (n_snapshot + journal.len());
        let frame = match frame.checked_sub(n_snapshot) {
            None => &mut snapshot[frame],
            Some(frame) => &mut journal[frame],
        };
        // Neither the length nor the checksum: `seal` writes them.
        let at = usize::from(at) % frame.len();
        if !(2..6).contains(&at) && !(SEALED..HEADER).contains(&at) {
            frame[at] = byte;
        }
        seal(frame);
    }
    live(&snapshot.concat(), &journal.concat());
    // A frame of its own, of any kind, somewhere.
    let list = if kind & 0x80 == 0 {
        &mut snapshot
    } else {
        &mut journal
    };
    let mut own = [&list[0][..HEADER], &raw].concat();
    own[1] = kind & 0x7F;
    seal(&mut own);
    list.insert(usize::from(at) % (list.len() + 1), own);
    live(&snapshot.concat(), &journal.concat());
});
