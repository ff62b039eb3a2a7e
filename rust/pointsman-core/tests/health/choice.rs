//! What health does to decisions.

use pointsman_core::health::{CallEnd, Phase};
use pointsman_core::{ReasonCode, Router};
use serde_json::json;

use crate::common::request;
use crate::{ANSWERED, FAILED, begin, call, catalog, decide, deployment, siblings};

#[test]
fn one_that_degrades_loses_traffic_before_its_breaker_opens() {
    let router = siblings(2);
    for i in 0..30 {
        call(
            &router,
            "d0",
            if i % 4 == 0 { &FAILED } else { &ANSWERED },
            0.0,
        );
    }
    assert_eq!(router.health(0.0)[0].breaker, Phase::Closed);
    let decision = decide(&router, 1, 0.0);
    assert_eq!(decision.deployment().name, "d1");
    assert!(decision.candidates()[0].pressure > 1.0);
    assert_eq!(
        decide(&router, 1, 3600.0).deployment().name,
        "d0",
        "an hour later it is forgotten"
    );
}

#[test]
fn a_stall_moves_traffic_away_at_once_and_for_a_while() {
    let router = siblings(2);
    (0..20).for_each(|_| {
        call(&router, "d0", &ANSWERED, 0.0);
    });
    let stalled = CallEnd::Answered {
        ttft_ms: Some(5000.0),
        n_tokens: None,
    };
    call(&router, "d0", &stalled, 0.0);
    assert_eq!(decide(&router, 1, 1.0).deployment().name, "d1");
    assert_eq!(decide(&router, 1, 60.0).deployment().name, "d0");
}

#[test]
fn where_all_are_away_the_decision_says_who_returns_and_when() {
    let router = siblings(2);
    let limited = |s| CallEnd::RateLimited {
        retry_after_s: Some(s),
    };
    call(&router, "d0", &limited(60.0), 0.0);
    call(&router, "d1", &limited(20.0), 0.0);
    let decision = decide(&router, 1, 0.0);
    assert_eq!(decision.ranking().count(), 2);
    let reason = decision.reason();
    assert!(
        reason.starts_with("none of 2 is available, the first is in 20.0 s; then: "),
        "{reason}"
    );
}

#[test]
fn a_limit_of_the_caller_still_binds_where_all_are_away() {
    let router = siblings(1);
    call(
        &router,
        "d0",
        &CallEnd::RateLimited {
            retry_after_s: Some(60.0),
        },
        0.0,
    );
    let request = request(
        "What is the capital of France?",
        [Some(1e-12), None, None, None],
    );
    let verdict = router.decide(&request, 0.0, 1).unwrap();
    assert_eq!(verdict.infeasible().unwrap().code(), ReasonCode::MaxCost);
}

#[test]
fn equals_share_the_load_and_a_dearer_one_waits_until_it_pays() {
    let deployments = [
        deployment("a", "m", 1_000_000_000, &json!({})),
        deployment("b", "m", 1_010_000_000, &json!({})),
        deployment("dear", "m", 9_000_000_000, &json!({})),
    ];
    let router = Router::new(catalog(&deployments)).unwrap();
    let mut counts = [0; 3];
    for seed in 0..60 {
        let decision = decide(&router, seed, 0.0);
        let name = decision.deployment().name.clone();
        begin(&router, &name, 0.0).unwrap();
        counts[["a", "b", "dear"]
            .iter()
            .position(|one| *one == name)
            .unwrap()] += 1;
    }
    assert!(
        counts[0] > 20 && counts[1] > 10 && counts[2] == 0,
        "{counts:?}"
    );
}

#[test]
fn a_draw_among_many_equals_has_the_propensity_on_record() {
    let router = siblings(4);
    let _held: Vec<_> = (0..4)
        .map(|i| begin(&router, &format!("d{i}"), 0.0).unwrap())
        .collect();
    let mut counts = std::collections::BTreeMap::new();
    let mut expected = std::collections::BTreeMap::new();
    for seed in 0..4000 {
        let decision = decide(&router, seed, 0.0);
        let name = decision.deployment().name.clone();
        *counts.entry(name.clone()).or_insert(0.0) += 1.0 / 4000.0;
        expected.insert(name, decision.propensity());
        let total: f64 = decision.candidates().iter().map(|one| one.propensity).sum();
        assert!((total - 1.0).abs() < 1e-9);
    }
    assert_eq!(counts.len(), 3, "the worst of four never wins");
    for (name, count) in counts {
        assert!(
            (count - expected[&name]).abs() < 0.03,
            "{name}: {count} {expected:?}"
        );
    }
}
