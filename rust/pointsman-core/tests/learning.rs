//! What holds for every catalog and every history of outcomes.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

mod common;

use common::{NOW_S, document, events, request, router, taught, text};
use pointsman_core::{ErrorKind, Router, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

fn record(router: &Router, text: &str, now_s: f64, seed: u64) -> Value {
    let mut asked = request(text, [None; 4]);
    asked.constraints.exploration = true;
    let bytes = match router.decide(&asked, now_s, seed).unwrap() {
        Verdict::Chosen(decision) => decision.to_json(None),
        Verdict::Infeasible(infeasible) => infeasible.to_json(None),
    };
    serde_json::from_slice(&bytes).unwrap()
}

/// Whether two candidates differ by no more than sums taken in another order.
fn is_near(one: &Value, other: &Value) -> bool {
    let fields = [
        "quality",
        "quality_lcb",
        "cost_usd",
        "latency_p95_ms",
        "ttft_p95_ms",
    ];
    let of = |candidate: &Value, field: &str| candidate[field].as_f64().unwrap();
    one["deployment"] == other["deployment"]
        && fields.iter().all(|field| {
            let (a, b) = (of(one, field), of(other, field));
            (a - b).abs() <= 1e-9 * a.abs().max(1e-3)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_prediction_is_a_number_in_its_range(
        document in document(), events in events(), text in text(), later_s in 0.0..9_000.0_f64,
    ) {
        let (router, now_s) = taught(&document, &events);
        let record = record(&router, &text, now_s + later_s, 1);
        for candidate in record["candidates"].as_array().unwrap() {
            let of = |field: &str| candidate[field].as_f64().unwrap();
            prop_assert!((0.0..=1.0).contains(&of("quality")) && (0.0..=of("quality")).contains(&of("quality_lcb")));
            prop_assert!(of("cost_usd") >= 0.0);
            prop_assert!(of("latency_p95_ms") >= of("ttft_p95_ms") && of("ttft_p95_ms") > 0.0);
        }
        if let Some(propensity) = record["propensity"].as_f64() {
            prop_assert!(propensity > 0.0 && propensity <= 1.0);
        }
    }

    #[test]
    fn what_is_saved_is_what_is_loaded(
        document in document(), events in events(), text in text(), later_s in -500.0..9_000.0_f64,
    ) {
        let (router, now_s) = taught(&document, &events);
        let other = common::router(&document);
        other.load(&router.save()).unwrap();
        prop_assert_eq!(other.save(), router.save());
        for later_s in [0.0, later_s] {
            let now_s = now_s + later_s;
            prop_assert_eq!(record(&other, &text, now_s, 3), record(&router, &text, now_s, 3));
        }
    }

    #[test]
    fn a_decision_depends_on_the_time_and_not_on_when_others_were_made(
        document in document(), events in events(), text in text(), later_s in 0.0..9_000.0_f64,
    ) {
        let (router, now_s) = taught(&document, &events);
        let before = record(&router, &text, now_s, 5);
        record(&router, &text, now_s + later_s, 5);
        prop_assert_eq!(record(&router, &text, now_s, 5), before);
    }

    #[test]
    fn permuting_the_deployments_keeps_what_was_learned_of_each(
        document in document(), events in events(), text in text(),
    ) {
        let (router, now_s) = taught(&document, &events);
        let before = record(&router, &text, now_s, 7);
        let mut reversed = document.clone();
        reversed["deployments"].as_array_mut().unwrap().reverse();
        router.swap(common::router(&reversed).catalog()).unwrap();
        let after = record(&router, &text, now_s, 7);
        let mut candidates = after["candidates"].as_array().unwrap().clone();
        candidates.reverse();
        for (one, other) in before["candidates"].as_array().unwrap().iter().zip(&candidates) {
            prop_assert!(is_near(one, other), "{one} {other}");
        }
        router.swap(common::router(&document).catalog()).unwrap();
        prop_assert_eq!(record(&router, &text, now_s, 7), before);
    }

    #[test]
    fn a_changed_byte_or_a_cut_is_an_error_and_changes_nothing(
        document in document(), events in events(), place in any::<prop::sample::Index>(), bit in 0_u8..8,
    ) {
        let (router, _) = taught(&document, &events);
        let saved = router.save();
        let mut changed = saved.clone();
        changed[place.index(saved.len())] ^= 1 << bit;
        for bytes in [&changed[..], &saved[..place.index(saved.len())]] {
            let error = router.load(bytes).unwrap_err();
            prop_assert!(matches!(error.kind(), ErrorKind::State { .. }), "{error}");
        }
        prop_assert_eq!(router.save(), saved);
    }
}

#[test]
fn without_outcomes_the_beliefs_are_the_priors_to_the_bit() {
    let price = json!({"input": 1, "output": 1});
    let latency = json!({"ttft_p50_ms": 123.4, "ttft_p95_ms": 567.8, "tokens_per_s": 91.2});
    let router = router(&json!({
        "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.9991}}],
        "providers": [{"name": "p"}],
        "deployments": [{"name": "d", "model": "m", "provider": "p", "price_nano_usd_per_mtok": price, "latency": latency}],
    }));
    let record = record(&router, "What is the capital of France?", NOW_S, 1);
    assert_eq!(record["candidates"][0]["quality"], json!(0.9991));
    assert_eq!(record["candidates"][0]["ttft_p95_ms"], json!(567.8));
}
