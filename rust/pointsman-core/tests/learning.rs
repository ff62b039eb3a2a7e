//! What holds for every catalog and every history of outcomes.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

mod common;

use std::sync::Barrier;
use std::thread;

use common::{NOW_S, document, events, request, router, taught, text};
use pointsman_core::{ErrorKind, Outcome, Request, Router, Verdict};
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

const BOTH: [&str; 2] = ["good", "bad"];

/// Two models at one price, of which the registry knows nothing but that they are alike.
fn two_models() -> Router {
    let price = json!({"input": 1, "output": 1});
    let latency = json!({"ttft_p50_ms": 100, "ttft_p95_ms": 200, "tokens_per_s": 90});
    let model =
        |name: &str| json!({"name": name, "context_window": 8000, "quality": {"default": 0.6}});
    let deployment = |name: &str| json!({"name": name, "model": name, "provider": "p", "price_nano_usd_per_mtok": price, "latency": latency});
    router(&json!({
        "models": BOTH.map(model), "providers": [{"name": "p"}], "deployments": BOTH.map(deployment),
    }))
}

fn request_with(text: &str, vector: Option<&[f32]>) -> Request<String> {
    let mut request = request(text, [None; 4]);
    request.vector = vector.map(<[f32]>::to_vec);
    request
}

/// Tells what became of a request on a model; the labels are those of its decision.
fn tell(router: &Router, request: &Request<String>, model: &str, reward: f64) {
    let verdict = router.decide(request, NOW_S, 1).unwrap();
    let decision = verdict.decision().unwrap();
    let profile = decision.profile();
    let outcome = Outcome {
        features: Some(decision.features().clone()),
        reward: Some(reward),
        ..Outcome::new(
            model,
            profile.domain.label,
            profile.complexity.label,
            profile.structure.label,
        )
    };
    router.observe(&outcome, NOW_S).unwrap();
}

/// Predicted quality of "good" less that of "bad".
fn lead(router: &Router, request: &Request<String>) -> f64 {
    let verdict = router.decide(request, NOW_S, 1).unwrap();
    let quality = |index: usize| verdict.decision().unwrap().candidates()[index].quality.mean;
    quality(0) - quality(1)
}

#[test]
fn alike_texts_of_one_slice_are_told_apart() {
    let router = two_models();
    let cheese = |i: usize| {
        request_with(
            &format!("Which cheese is made in valley {i} of Switzerland?"),
            None,
        )
    };
    let opera = |i: usize| {
        request_with(
            &format!("Which opera was first sung in hall {i} of Vienna?"),
            None,
        )
    };
    for i in 0..150 {
        tell(&router, &cheese(i), "good", 0.9);
        tell(&router, &cheese(i), "bad", 0.2);
        tell(&router, &opera(i), "good", 0.2);
        tell(&router, &opera(i), "bad", 0.9);
    }
    assert!(
        lead(&router, &cheese(777)) > 0.2,
        "{}",
        lead(&router, &cheese(777))
    );
    assert!(
        lead(&router, &opera(777)) < -0.2,
        "{}",
        lead(&router, &opera(777))
    );
}

#[test]
fn callers_vectors_tell_apart_what_text_does_not_and_their_length_is_kept() {
    let router = two_models();
    let asked = |vector: &[f32]| request_with("And this one?", Some(vector));
    let (left, right) = ([1.0, 0.1, 0.0], [0.0, 0.1, -1.0]);
    for _ in 0..150 {
        tell(&router, &asked(&left), "good", 1.0);
        tell(&router, &asked(&right), "good", 0.0);
        tell(&router, &asked(&left), "bad", 0.5);
        tell(&router, &asked(&right), "bad", 0.5);
    }
    assert!(lead(&router, &asked(&left)) > 0.1 && lead(&router, &asked(&right)) < -0.1);
    let error = router
        .decide(&asked(&[1.0; 4]), NOW_S, 1)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("4 values") && error.contains("give 3"),
        "{error}"
    );
    for bad in [&[f32::NAN; 3][..], &[f32::INFINITY; 3], &[], &[0.5; 513]] {
        assert!(router.decide(&asked(bad), NOW_S, 1).is_err());
    }
    let other = two_models();
    other.load(&router.save()).unwrap();
    assert!(lead(&other, &asked(&left)) > 0.1);
    // A request without a vector is still decided, by what labels and the ridge tell.
    assert!(lead(&router, &request_with("And this one?", None)).is_finite());
}

#[test]
fn sixty_four_threads_with_vectors_lose_nothing_and_agree_with_one() {
    const N_EACH: usize = 20;
    let (together, alone) = (two_models(), two_models());
    let asked =
        |thread: usize, i: usize| request_with(&format!("What is {i} times {thread}?"), None);
    let start = Barrier::new(64);
    thread::scope(|scope| {
        for thread in 0..64 {
            let (start, router) = (&start, &together);
            scope.spawn(move || {
                start.wait();
                (0..N_EACH).for_each(|i| tell(router, &asked(thread, i), BOTH[thread % 2], 0.75));
            });
        }
    });
    for i in 0..N_EACH {
        (0..64).for_each(|thread| tell(&alone, &asked(thread, i), BOTH[thread % 2], 0.75));
    }
    let quality = |router: &Router| {
        let verdict = router.decide(&asked(65, 3), NOW_S, 1).unwrap();
        verdict.decision().unwrap().candidates()[0].quality.mean
    };
    let (a, b) = (quality(&together), quality(&alone));
    // The order of the outcomes differs; their number and sum may not.
    assert!((a - b).abs() < 0.02, "{a} {b}");
    let other = two_models();
    other.load(&together.save()).unwrap();
    assert_eq!(other.save(), together.save());
}

#[test]
fn a_state_of_an_older_version_is_refused_and_the_priors_stand() {
    let router = two_models();
    let mut saved = router.save();
    saved[4] = 1;
    let error = router.load(&saved).unwrap_err().to_string();
    assert!(
        error.contains("version 1, this release reads ") && error.contains("start without it"),
        "{error}"
    );
    assert_eq!(lead(&router, &request_with("Who wrote Faust?", None)), 0.0);
}
