//! Rate limits: holds, reservations, what headers tell.

use pointsman_core::Router;
use pointsman_core::health::{CallEnd, Cause, LimitNews};
use serde_json::json;

use crate::{begin, call, catalog, decide, deployment, rejected_by, siblings};

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
