//! When a breaker opens, and how it closes again.

use pointsman_core::health::{CallEnd, Cause, Phase};
use serde_json::json;

use crate::{ANSWERED, FAILED, begin, call, decide, rejected_by, siblings};

#[test]
fn five_failures_in_a_row_open_the_breaker_and_take_it_out_of_rotation() {
    let router = siblings(2);
    assert_eq!(decide(&router, 1, 0.0).deployment().name, "d0");
    let phases: Vec<_> = (0..5).map(|_| call(&router, "d0", &FAILED, 0.0)).collect();
    assert_eq!(phases, [None, None, None, None, Some(Phase::Open)]);
    let decision = decide(&router, 1, 0.0);
    assert_eq!(decision.deployment().name, "d1");
    let rejection = &rejected_by(&decision, 0)[0];
    assert_eq!(
        (&rejection["code"], &rejection["field"]),
        (&json!("health"), &json!("breaker"))
    );
    let ends_in_s = rejection["ends_in_s"].as_f64().unwrap();
    assert!((30.0..=37.5).contains(&ends_in_s) && rejection["value"] == rejection["ends_in_s"]);
    assert_eq!(begin(&router, "d0", 0.0).unwrap_err().cause, Cause::Breaker);
}

#[test]
fn one_probe_at_a_time_decides_whether_it_returns() {
    let router = siblings(2);
    (0..5).for_each(|_| {
        call(&router, "d0", &FAILED, 0.0);
    });
    assert!(begin(&router, "d0", 29.0).is_err());
    let probe = begin(&router, "d0", 40.0).unwrap();
    assert!(probe.is_probe() && begin(&router, "d0", 40.0).is_err());
    assert_eq!(
        router.end(&probe, &FAILED, 40.0).unwrap(),
        Some(Phase::Open)
    );
    assert!(
        begin(&router, "d0", 40.0 + 59.0).is_err(),
        "the second ejection is twice as long"
    );
    let probe = begin(&router, "d0", 40.0 + 76.0).unwrap();
    assert_eq!(
        router.end(&probe, &ANSWERED, 117.0).unwrap(),
        Some(Phase::Closed)
    );
    assert!(!begin(&router, "d0", 117.0).unwrap().is_probe());
    assert!(
        begin(&router, "d0", 117.0).is_ok(),
        "all is forgiven after one answered probe"
    );
}

#[test]
fn a_probe_that_nobody_waited_for_lets_another_try() {
    let router = siblings(2);
    (0..5).for_each(|_| {
        call(&router, "d0", &FAILED, 0.0);
    });
    let probe = begin(&router, "d0", 40.0).unwrap();
    assert_eq!(router.end(&probe, &CallEnd::Abandoned, 41.0).unwrap(), None);
    assert!(begin(&router, "d0", 41.0).unwrap().is_probe());
}

#[test]
fn a_call_from_before_the_recovery_does_not_count_against_it() {
    let router = siblings(2);
    let old: Vec<_> = (0..20)
        .map(|_| begin(&router, "d0", 0.0).unwrap())
        .collect();
    (0..5).for_each(|_| {
        call(&router, "d0", &FAILED, 1.0);
    });
    let probe = begin(&router, "d0", 40.0).unwrap();
    router.end(&probe, &ANSWERED, 41.0).unwrap();
    for ticket in &old {
        assert_eq!(router.end(ticket, &FAILED, 60.0).unwrap(), None);
    }
    assert_eq!(router.health(60.0)[0].breaker, Phase::Closed);
}

#[test]
fn more_failures_than_not_open_the_breaker_and_fewer_do_not() {
    // Never five in a row: two of three fail, and one of three.
    for (n_failed_of_three, expected) in [(2, Phase::Open), (1, Phase::Closed)] {
        let router = siblings(2);
        for i in 0..120 {
            let end = if i % 3 < n_failed_of_three {
                FAILED
            } else {
                ANSWERED
            };
            if let Ok(ticket) = begin(&router, "d0", f64::from(i) * 0.1) {
                router.end(&ticket, &end, f64::from(i) * 0.1).unwrap();
            }
        }
        assert_eq!(router.health(12.0)[0].breaker, expected);
    }
}

#[test]
fn at_most_half_of_a_models_deployments_are_ejected_and_a_lone_one_may_be() {
    for (n, at_most) in [(1, 1), (2, 1), (3, 1), (4, 2), (7, 3)] {
        let router = siblings(n);
        for _ in 0..20 {
            for i in 0..n {
                let name = format!("d{i}");
                if begin(&router, &name, 0.0).is_ok() {
                    call(&router, &name, &FAILED, 0.0);
                }
            }
        }
        let open = router
            .health(0.0)
            .iter()
            .filter(|one| one.breaker == Phase::Open)
            .count();
        assert_eq!(open, at_most, "of {n}");
    }
}
