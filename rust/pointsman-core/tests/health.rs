//! Breakers, holds, rate limits and what they do to decisions.

#![allow(clippy::unwrap_used)] // Tests: a panic is the report.

mod common;

use std::sync::Arc;

use common::{NOW_S, document, limits, request, text};
use pointsman_core::health::{CallEnd, Cause, HealthSettings, LimitNews, Phase, Refusal, Ticket};
use pointsman_core::{Catalog, Decision, ReasonCode, Router, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

const FAILED: CallEnd = CallEnd::Failed {
    latency_ms: 20.0,
    retry_after_s: None,
};
const ANSWERED: CallEnd = CallEnd::Answered {
    ttft_ms: Some(100.0),
    n_tokens: Some(100),
};

fn deployment(name: &str, model: &str, price: u64, limits: &Value) -> Value {
    json!({"name": name, "model": model, "provider": "p", "limits": limits,
           "price_nano_usd_per_mtok": {"input": price, "output": price},
           "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}})
}

fn catalog(deployments: &[Value]) -> Arc<Catalog> {
    let models = ["m", "other"]
        .map(|name| json!({"name": name, "context_window": 8000, "quality": {"default": 0.7}}));
    let document =
        json!({"models": models, "providers": [{"name": "p"}], "deployments": deployments});
    Arc::new(Catalog::from_json(document.to_string().as_bytes()).unwrap())
}

/// So many deployments of one model, all alike.
fn siblings(n: usize) -> Router {
    let deployments: Vec<Value> = (0..n)
        .map(|i| deployment(&format!("d{i}"), "m", 1_000_000_000, &json!({})))
        .collect();
    Router::new(catalog(&deployments)).unwrap()
}

fn begin(router: &Router, name: &str, now_s: f64) -> Result<Ticket, Refusal> {
    router.begin(name, 100, now_s).unwrap()
}

fn call(router: &Router, name: &str, end: &CallEnd, now_s: f64) -> Option<Phase> {
    let ticket = begin(router, name, now_s).unwrap();
    router.end(&ticket, end, now_s).unwrap()
}

fn decide(router: &Router, seed: u64, now_s: f64) -> Decision {
    let request = request("What is the capital of France?", [None; 4]);
    match router.decide(&request, now_s, seed).unwrap() {
        Verdict::Chosen(decision) => decision,
        Verdict::Infeasible(infeasible) => panic!("{}", infeasible.message()),
    }
}

fn rejected_by(decision: &Decision, index: usize) -> Value {
    let record: Value = serde_json::from_slice(&decision.to_json(None)).unwrap();
    record["candidates"][index]["rejected_by"].clone()
}

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
fn the_longer_retry_after_stands_and_is_told() {
    let router = siblings(2);
    let limited = |retry_after_s| CallEnd::RateLimited {
        retry_after_s: Some(retry_after_s),
    };
    let other = begin(&router, "d0", 0.0).unwrap();
    call(&router, "d0", &limited(60.0), 0.0);
    router.end(&other, &limited(5.0), 0.0).unwrap();
    let refusal = begin(&router, "d0", 10.0).unwrap_err();
    assert_eq!(
        (refusal.cause, refusal.ends_in_s),
        (Cause::RetryAfter, Some(50.0))
    );
    let decision = decide(&router, 1, 10.0);
    assert_eq!(decision.deployment().name, "d1");
    let rejection = &rejected_by(&decision, 0)[0];
    assert_eq!(rejection["code"], json!("rate_limit"));
    assert_eq!(
        (&rejection["limit"], &rejection["value"]),
        (&json!(0.0), &json!(50.0))
    );
    assert!(begin(&router, "d0", 60.0).is_ok());
}

#[test]
fn refusals_without_a_time_hold_longer_each_time() {
    let router = siblings(1);
    let mut now_s = 0.0;
    for expected_s in [1.0, 2.0, 4.0] {
        call(
            &router,
            "d0",
            &CallEnd::RateLimited {
                retry_after_s: None,
            },
            now_s,
        );
        let ends_in_s = begin(&router, "d0", now_s).unwrap_err().ends_in_s.unwrap();
        assert!((ends_in_s - expected_s).abs() < 1e-9);
        now_s += ends_in_s;
    }
}

#[test]
fn tokens_are_reserved_before_the_call_and_settled_after() {
    let limits = json!({"tokens_per_min": 1000});
    let router = Router::new(catalog(&[deployment("d0", "m", 1, &limits)])).unwrap();
    let tickets: Vec<_> = (0..10)
        .map(|_| begin(&router, "d0", 0.0).unwrap())
        .collect();
    let refusal = begin(&router, "d0", 0.0).unwrap_err();
    assert_eq!(
        (refusal.cause, refusal.ends_in_s),
        (Cause::TokensPerMin, Some(6.0))
    );
    let used = CallEnd::Answered {
        ttft_ms: None,
        n_tokens: Some(10),
    };
    tickets
        .iter()
        .for_each(|ticket| assert_eq!(router.end(ticket, &used, 0.0).unwrap(), None));
    let left = router.health(0.0)[0].tokens.unwrap();
    assert!((left.remaining - 900.0).abs() < 1e-9);
}

#[test]
fn limits_are_learned_from_headers_and_their_headroom_weighs() {
    let router = siblings(2);
    let news = |remaining| LimitNews {
        limit: Some(100.0),
        remaining: Some(remaining),
        reset_s: Some(10.0),
    };
    let none = LimitNews::default();
    router.learn_limits("d0", &news(10.0), &none, 0.0).unwrap();
    assert_eq!(decide(&router, 1, 0.0).deployment().name, "d1");
    // Dear, but not used up.
    call(&router, "d0", &CallEnd::Rejected, 0.0);
    router.learn_limits("d0", &news(0.0), &none, 0.0).unwrap();
    let refusal = begin(&router, "d0", 0.0).unwrap_err();
    assert_eq!(
        (refusal.cause, refusal.ends_in_s),
        (Cause::RequestsPerMin, Some(0.1))
    );
    assert_eq!(decide(&router, 1, 10.0).deployment().name, "d0");
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn calls_that_all_went_well_leave_every_decision_as_it_was(
        document in document(), text in text(), limits in limits(), seed in any::<u64>()
    ) {
        let catalog = Arc::new(Catalog::from_json(document.to_string().as_bytes()).unwrap());
        let (untouched, used) = (Router::new(Arc::clone(&catalog)).unwrap(), Router::new(catalog).unwrap());
        for deployment in used.catalog().deployments() {
            for _ in 0..5 {
                call(&used, &deployment.name, &ANSWERED, NOW_S);
            }
        }
        let request = request(&text, limits);
        let json = |router: &Router| match router.decide(&request, NOW_S, seed).unwrap() {
            Verdict::Chosen(decision) => decision.to_json(None),
            Verdict::Infeasible(infeasible) => infeasible.to_json(None),
        };
        prop_assert_eq!(json(&untouched), json(&used));
    }

    #[test]
    fn whatever_happens_calls_are_counted_limits_hold_and_pressure_is_finite(
        steps in prop::collection::vec((0_usize..3, 0_u8..7, 0.0..20.0_f64), 1..200)
    ) {
        let limits = json!({"requests_per_min": 30});
        let deployments: Vec<Value> = (0..3).map(|i| deployment(&format!("d{i}"), "m", 1, &limits)).collect();
        let router = Router::new(catalog(&deployments)).unwrap();
        let mut under_way: Vec<Vec<Ticket>> = vec![Vec::new(); 3];
        let (mut now_s, mut begun) = (0.0, vec![0.0; 3]);
        for (index, kind, amount) in steps {
            now_s += amount / 10.0;
            let name = format!("d{index}");
            match kind {
                0..=2 => if let Ok(ticket) = begin(&router, &name, now_s) {
                    under_way[index].push(ticket);
                    begun[index] += 1.0;
                },
                _ => if let Some(ticket) = under_way[index].pop() {
                    let end = match kind {
                        3 => ANSWERED,
                        4 => FAILED,
                        5 => CallEnd::RateLimited { retry_after_s: Some(amount) },
                        _ => CallEnd::Abandoned,
                    };
                    router.end(&ticket, &end, now_s).unwrap();
                },
            }
            for (index, one) in router.health(now_s).iter().enumerate() {
                prop_assert_eq!(one.n_pending as usize, under_way[index].len());
                prop_assert!(one.pressure >= 0.0 && one.pressure.is_finite());
                prop_assert!((0.0..1.0).contains(&one.failure_rate));
                prop_assert!(begun[index] <= 30.0 + now_s / 2.0 + 1e-9);
                prop_assert!((4.0..=2000.0).contains(&one.concurrency_limit.unwrap()));
            }
        }
    }

    #[test]
    fn more_failures_and_more_calls_under_way_never_lower_the_pressure(
        ends in prop::collection::vec(any::<bool>(), 0..40), worse in 0_usize..40, n_pending in 0_usize..90
    ) {
        let pressure = |ends: &[bool], n_pending: usize| {
            let router = siblings(4);
            for is_failure in ends {
                if let Ok(ticket) = begin(&router, "d0", 0.0) {
                    router.end(&ticket, if *is_failure { &FAILED } else { &ANSWERED }, 0.0).unwrap();
                }
            }
            (0..n_pending).for_each(|_| assert!(begin(&router, "d0", 0.0).is_ok()));
            router.health(0.0)[0].pressure
        };
        let mut failing = ends.clone();
        if let Some(end) = failing.get_mut(worse) {
            *end = true;
        }
        // Only where both are still called: an open breaker sees no further call.
        let has_streak = |ends: &[bool]| ends.windows(5).any(|five| five.iter().all(|end| *end));
        prop_assume!(!has_streak(&failing) && failing.len() < 20);
        prop_assert!(pressure(&failing, 0) >= pressure(&ends, 0) - 1e-12);
        prop_assert!(pressure(&ends, n_pending) >= pressure(&ends, 0) - 1e-12);
    }
}
