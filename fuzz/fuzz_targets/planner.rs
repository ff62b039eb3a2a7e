//! What a cascade learned, as any bytes or saved and changed, is refused or leaves a planner that weighs evidence.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pointsman_core::cascade::Planner;
use pointsman_fuzz::{changed, made, seal};

static SAVED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut planner = planner();
    for i in 0..50_u32 {
        let (value, reward) = (f64::from(i % 7) / 7.0, f64::from(i % 2));
        planner.observe_verdict("json", "a", value, reward);
        planner.observe_pair(("a", "b"), (0.5, 0.8), (reward, value));
    }
    planner.save()
});

fn planner() -> Planner {
    Planner::new(&[("json", 0.99, 0.8)])
}

fuzz_target!(|input: (Vec<(u16, u8)>, Vec<u8>)| {
    let (edits, raw) = input;
    let mut document = changed(&SAVED, &edits);
    seal(&mut document);
    let made = made(&SAVED, &raw);
    for document in [document, made, raw] {
        let mut planner = planner();
        if planner.load(&document).is_ok() {
            let p = planner.posterior("a", 0.5, &[("json", 0.4)]);
            assert!((0.0..=1.0).contains(&p), "{p}");
            planner.save();
        }
    }
});
