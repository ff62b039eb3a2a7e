//! The canary's test: no false alarms however long it is watched, and soon one where the canary is worse.

#![allow(clippy::unwrap_used)]

use pointsman_core::canary::CanaryTest;
use pointsman_core::explore::uniform;
use proptest::prelude::*;

/// Answers until the alarm, if it comes, of arms that are good with probability `served` and `canary`.
fn alarm_after(seed: u64, share: f64, [served, canary]: [f64; 2], n: u64) -> Option<u64> {
    let mut test = CanaryTest::new(share, 0.0, 0.05).unwrap();
    (0..n).find(|i| {
        let is_canary = uniform(seed, 2 * i) < share;
        let is_good = uniform(seed, 2 * i + 1) < if is_canary { canary } else { served };
        test.observe(f64::from(u8::from(is_good)), is_canary)
            .unwrap()
    })
}

#[test]
fn equal_arms_raise_no_more_alarms_than_delta_at_any_share() {
    let n_streams = 300;
    for (share, good) in [(0.05, 0.9), (0.5, 0.7), (0.25, 0.2)] {
        let alarms =
            (0..n_streams).filter(|seed| alarm_after(*seed, share, [good; 2], 1_500).is_some());
        let rate = alarms.count() as f64 / n_streams as f64;
        // Two standard errors of 300 streams above delta.
        assert!(rate <= 0.05 + 0.025, "share {share}: {rate}");
    }
}

#[test]
fn a_day_on_which_everything_fails_raises_no_alarm() {
    // Half-way all answers turn bad, whoever gives them: the served arm's past must not be held against the canary.
    let n_streams = 200;
    let alarms = (0..n_streams).filter(|seed| {
        let mut test = CanaryTest::new(0.1, 0.0, 0.05).unwrap();
        (0..1_500).any(|i| {
            let is_canary = uniform(*seed, i) < 0.1;
            test.observe(if i < 700 { 1.0 } else { 0.0 }, is_canary)
                .unwrap()
        })
    });
    let rate = alarms.count() as f64 / n_streams as f64;
    assert!(rate <= 0.05 + 0.031, "{rate}");
}

#[test]
fn a_worse_canary_is_found() {
    for (share, canary, most) in [(0.05, 0.5, 1_500), (0.25, 0.7, 1_500), (0.5, 0.75, 1_500)] {
        let mut found: Vec<u64> = (0..60)
            .map(|seed| alarm_after(seed, share, [0.9, canary], 6_000).unwrap_or(6_000))
            .collect();
        found.sort_unstable();
        assert!(
            found[30] <= most,
            "share {share}: median {} answers",
            found[30]
        );
        assert!(found[56] < 6_000, "share {share}: {found:?}");
    }
}

#[test]
fn the_interval_holds_the_difference_and_narrows() {
    let mut n_outside = 0;
    for seed in 0..60 {
        let mut test = CanaryTest::new(0.5, 0.0, 0.05).unwrap();
        for i in 0..2_000 {
            let is_canary = uniform(seed, 2 * i) < 0.5;
            let good = if is_canary { 0.6 } else { 0.8 };
            let utility = f64::from(u8::from(uniform(seed, 2 * i + 1) < good));
            test.observe(utility, is_canary).unwrap();
        }
        let (low, high) = test.interval();
        n_outside += u32::from(!(low..=high).contains(&-0.2));
        assert!(high - low < 0.25, "{low}..{high}");
    }
    assert!(n_outside <= 6, "{n_outside} of 60");
}

proptest! {
    #[test]
    fn no_stream_breaks_it_and_saved_it_goes_on_as_before(
        share in 0.001..0.999_f64,
        answers in proptest::collection::vec((0.0..=1.0_f64, any::<bool>()), 0..60),
    ) {
        let mut test = CanaryTest::new(share, 0.01, 0.05).unwrap();
        for (utility, is_canary) in &answers {
            test.observe(*utility, *is_canary).unwrap();
        }
        prop_assert!(test.e_value() > 0.0 && test.e_value().is_finite());
        let (low, high) = test.interval();
        prop_assert!(low <= high + 0.03);
        let mut loaded = CanaryTest::load(&test.save()).unwrap();
        prop_assert_eq!(&loaded, &test);
        prop_assert_eq!(loaded.observe(0.5, true).unwrap(), test.observe(0.5, true).unwrap());
        prop_assert_eq!(loaded, test);
    }

    #[test]
    fn changed_bytes_are_refused(place in 0_usize..9_000, bit in 0_u8..8) {
        let mut saved = CanaryTest::new(0.1, 0.0, 0.05).unwrap().save();
        let place = place % saved.len();
        saved[place] ^= 1 << bit;
        prop_assert!(CanaryTest::load(&saved).is_err());
    }
}

#[test]
fn what_is_out_of_range_is_named_and_changes_nothing() {
    let mut test = CanaryTest::new(0.5, 0.0, 0.05).unwrap();
    let before = test.clone();
    assert!(test.observe(1.5, true).is_err() && test.observe(f64::NAN, false).is_err());
    assert_eq!(test, before);
    assert!(CanaryTest::new(0.0, 0.0, 0.05).is_err());
    assert!(CanaryTest::new(0.5, -0.1, 0.05).is_err());
}
