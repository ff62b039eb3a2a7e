//! Catalogs and settings that change while calls are under way.

use pointsman_core::health::{Cause, HealthSettings, Phase};
use serde_json::json;

use crate::{ANSWERED, FAILED, begin, call, catalog, deployment, siblings};

#[test]
fn a_swapped_catalog_keeps_the_state_of_what_stays_and_old_tickets_come_back() {
    let router = siblings(2);
    let ticket = begin(&router, "d1", 0.0).unwrap();
    (0..5).for_each(|_| {
        call(&router, "d0", &FAILED, 0.0);
    });
    let next = [
        deployment("new", "m", 1, &json!({})),
        deployment("d0", "m", 1_000_000_000, &json!({})),
        deployment("d1", "m", 1_000_000_000, &json!({})),
    ];
    router.swap(catalog(&next)).unwrap();
    let health = router.health(0.0);
    assert_eq!((health[1].breaker, health[2].n_pending), (Phase::Open, 1));
    router.end(&ticket, &ANSWERED, 1.0).unwrap();
    assert_eq!(router.health(1.0)[2].n_pending, 0);
}

#[test]
fn settings_are_checked_and_taken() {
    let router = siblings(2);
    assert!(
        router
            .configure_health_json(b"{\"max_failure_rate\": 3}")
            .is_err()
    );
    assert!(router.configure_health_json(b"{\"unknown\": 3}").is_err());
    router.configure_health_json(b"{\"max_consecutive_failures\": 2, \"min_concurrency\": 1, \"initial_concurrency\": 1}").unwrap();
    let ticket = begin(&router, "d1", 0.0).unwrap();
    assert_eq!(
        begin(&router, "d1", 0.0).unwrap_err().cause,
        Cause::Concurrency
    );
    router.end(&ticket, &ANSWERED, 0.0).unwrap();
    assert_eq!(call(&router, "d0", &FAILED, 0.0), None);
    assert_eq!(call(&router, "d0", &FAILED, 0.0), Some(Phase::Open));
    assert!(
        router
            .configure_health(HealthSettings {
                min_calls: 1e9,
                ..HealthSettings::default()
            })
            .is_err()
    );
}
