//! Decisions small enough to work out by hand: what a slip of one sign or one operand would change.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

mod common;

use common::{NOW_S, request, router};
use pointsman_core::explore::{GAMMA_SCALE, OPTIMISM, gamma, inverse_gap_into};
use pointsman_core::{
    Candidate, Complexity, Decision, Domain, Outcome, Request, Router, Structure,
};
use serde_json::{Value, json};

/// Nano-dollars a million tokens, in and out.
const PRICE: u64 = 1_000_000_000;

/// Deployments as (name, model, price, median time to first token); every model is known for `quality`.
fn catalog(quality: &[(&str, f64)], deployments: &[(&str, &str, u64, f64)]) -> Value {
    let model = |(name, quality): &(&str, f64)| json!({"name": name, "context_window": 8000, "quality": {"default": quality}});
    let deployment = |(name, model, price, ttft_ms): &(&str, &str, u64, f64)| {
        json!({"name": name, "model": model, "provider": "p",
               "price_nano_usd_per_mtok": {"input": price, "output": price},
               "latency": {"ttft_p50_ms": ttft_ms, "ttft_p95_ms": 2.0 * ttft_ms, "tokens_per_s": 80}})
    };
    json!({"models": quality.iter().map(model).collect::<Vec<_>>(),
           "providers": [{"name": "p", "prompt_cache": {"min_tokens": 1}}],
           "deployments": deployments.iter().map(deployment).collect::<Vec<_>>()})
}

fn asked() -> Request<String> {
    request("What is the capital of France?", [None; 4])
}

fn decided(router: &Router, request: &Request<String>) -> Decision {
    let verdict = router.decide(request, NOW_S, 7).unwrap();
    verdict.decision().unwrap().clone()
}

fn outcome(deployment: &str) -> Outcome<String> {
    Outcome::new(
        deployment.to_owned(),
        Domain::General,
        Complexity::Lookup,
        Structure::Text,
    )
}

/// Grades of 20 answers, all in the slice of [`asked`].
fn grade(router: &Router, deployment: &str, reward: f64) {
    let graded = Outcome {
        reward: Some(reward),
        ..outcome(deployment)
    };
    (0..20).for_each(|_| router.observe(&graded, NOW_S).unwrap());
}

#[test]
fn only_input_that_the_cache_does_not_hold_is_written_to_it() {
    let mut document = catalog(&[("m", 0.8)], &[("d", "m", PRICE, 400.0)]);
    document["deployments"][0]["price_nano_usd_per_mtok"] = json!({"input": 1_000_000, "cached_input": 100_000, "cache_write": 10_000_000, "output": 0});
    let router = router(&document);
    let mut asked = request(&"Tell me of the rivers of France. ".repeat(60), [None; 4]);
    asked.session_id = Some("s".to_owned());
    // A quarter of the fresh input is written: one report of three quarters against a prior of none worth two.
    let told = Outcome {
        n_input_tokens: 100,
        n_cached_input_tokens: Some(20),
        n_cache_write_tokens: 60,
        prefix: decided(&router, &asked).prefix(),
        ..outcome("d")
    };
    router.observe(&told, NOW_S).unwrap();
    let decision = decided(&router, &asked);
    let one = decision.predicted();
    let (n_cached, n_fresh) = (
        one.n_cached_input_tokens,
        one.n_input_tokens - one.n_cached_input_tokens,
    );
    assert!(n_cached > 50 && n_fresh > 50, "{n_cached} {n_fresh}");
    let n_written = n_fresh / 4;
    let nano_usd = (n_fresh - n_written) * 1_000_000 + n_cached * 100_000 + n_written * 10_000_000;
    let cost_usd = (nano_usd as f64 / 1e6).round() / 1e9;
    assert!(
        (one.cost_usd - cost_usd).abs() < 1e-15,
        "{} {cost_usd}",
        one.cost_usd
    );
}

#[test]
fn the_more_was_graded_in_the_slice_the_less_is_left_to_chance() {
    let arms = [
        ("a", "a", PRICE, 400.0),
        ("b", "b", 2 * PRICE, 400.0),
        ("c", "c", 4 * PRICE, 400.0),
    ];
    let router = router(&catalog(&[("a", 0.6), ("b", 0.65), ("c", 0.7)], &arms));
    for (name, reward) in [("a", 0.6), ("b", 0.7), ("c", 0.75)] {
        grade(&router, name, reward);
    }
    let value_usd = 0.01;
    let mut asked = asked();
    asked.constraints.exploration = true;
    asked.constraints.quality_value_usd = Some(value_usd);
    let decision = decided(&router, &asked);
    let candidates = decision.candidates();
    let score = |one: &Candidate| one.score_usd / value_usd + OPTIMISM * one.quality.sd;
    let scores: Vec<f64> = candidates.iter().map(score).collect();
    let expected = |n_rewards: f64| {
        let mut propensities = [0.0; 3];
        let gamma = gamma(3, n_rewards, GAMMA_SCALE);
        inverse_gap_into(&scores, gamma, 0.0, &mut propensities).unwrap();
        propensities
    };
    let differs = |n_rewards: f64| {
        let pairs = candidates.iter().zip(expected(n_rewards));
        let gaps = pairs.map(|(one, expected)| (one.propensity - expected).abs());
        gaps.fold(0.0, f64::max)
    };
    assert!(differs(60.0) < 1e-9, "{:?} {candidates:?}", expected(60.0));
    assert!(differs(0.0) > 1e-3 && differs(20.0) > 1e-3);
}

#[test]
fn as_good_as_a_model_is_as_good_as_its_least_deployment() {
    let deployments = [
        ("east", "big", 9 * PRICE, 400.0),
        ("west", "big", 9 * PRICE, 400.0),
        ("other", "small", PRICE, 400.0),
    ];
    let router = router(&catalog(&[("big", 0.7), ("small", 0.5)], &deployments));
    for (name, reward) in [("east", 0.95), ("west", 0.1), ("other", 0.45)] {
        (0..5).for_each(|_| grade(&router, name, reward));
    }
    let mut asked = asked();
    asked.constraints.quality_like = Some("big".to_owned());
    let decision = decided(&router, &asked);
    let quality: Vec<f64> = decision
        .candidates()
        .iter()
        .map(|one| one.quality.mean)
        .collect();
    assert!(
        quality[1] < quality[2] && quality[2] < quality[0],
        "{quality:?}"
    );
    assert!(decision.candidates().iter().all(Candidate::is_feasible));
}

#[test]
fn of_two_floors_the_higher_counts() {
    let deployments = [
        ("big", "big", 9 * PRICE, 400.0),
        ("small", "small", PRICE, 400.0),
    ];
    let router = router(&catalog(&[("big", 0.9), ("small", 0.6)], &deployments));
    let confidence = |min_quality, like: Option<&str>| {
        let mut asked = asked();
        asked.constraints.min_quality = min_quality;
        asked.constraints.quality_like = like.map(str::to_owned);
        decided(&router, &asked).confidence()
    };
    let high = confidence(Some(0.85), None);
    assert!(high < 0.9, "{high}");
    assert_eq!(confidence(Some(0.85), Some("small")), high);
    assert_eq!(
        confidence(Some(0.5), Some("big")),
        confidence(None, Some("big"))
    );
}

#[test]
fn a_lead_is_what_the_first_may_be_worse_than_thought() {
    let deployments = [
        ("big", "big", 2 * PRICE, 400.0),
        ("small", "small", PRICE, 400.0),
    ];
    let router = router(&catalog(&[("big", 0.7), ("small", 0.6)], &deployments));
    let value_usd = 1.0;
    let mut asked = asked();
    asked.constraints.quality_value_usd = Some(value_usd);
    let decision = decided(&router, &asked);
    let [first, second] = decision.candidates() else {
        panic!("two deployments")
    };
    let lead = (first.score_usd - second.score_usd) / value_usd;
    assert!(lead > 0.05, "{lead}");
    let expected = first.quality.p_reaches(first.quality.mean - lead);
    assert!(expected > 0.5 && (decision.confidence() - expected).abs() < 1e-12);
}

#[test]
fn of_equal_scores_the_better_comes_first_then_the_quicker_then_the_name() {
    // Good enough and as dear, so the scores are equal; the better one is slower and the last by name.
    let models = [("good", 0.8), ("better", 0.85)];
    let deployments = [
        ("a-slow", "good", PRICE, 500.0),
        ("b-quick", "good", PRICE, 300.0),
        ("c-quick", "good", PRICE, 300.0),
        ("d-best", "better", PRICE, 900.0),
    ];
    let mut asked = asked();
    asked.constraints.min_quality = Some(0.5);
    let decision = decided(&router(&catalog(&models, &deployments)), &asked);
    let scores = decision.candidates().iter().map(|one| one.score_usd);
    assert!(
        scores
            .clone()
            .all(|score| score == decision.predicted().score_usd)
    );
    let ranking: Vec<&str> = decision.ranking().collect();
    assert_eq!(ranking, ["d-best", "b-quick", "c-quick", "a-slow"]);
}
