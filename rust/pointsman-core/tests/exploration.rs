//! Draws of an exploring policy: as often as the record says.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

mod common;

use common::{NOW_S, request, router};
use pointsman_core::{Candidate, Complexity, Domain, Outcome, Request, Router, Structure};
use serde_json::{Value, json};

const N_ARMS: usize = 6;
const N_DRAWS: u32 = 20_000;
/// The 99.9th percentile of chi-square with 5 degrees of freedom.
const BAR: f64 = 20.5;

fn document() -> Value {
    let models: Vec<Value> = (0..N_ARMS)
        .map(|i| json!({"name": format!("m{i}"), "context_window": 8000, "quality": {"default": 0.5 + 0.05 * i as f64}}))
        .collect();
    let deployments: Vec<Value> = (0..N_ARMS)
        .map(|i| json!({"name": format!("d{i}"), "model": format!("m{i}"), "provider": "p",
            "price_nano_usd_per_mtok": {"input": 1_000_000_000_u64 << i, "output": 1_000_000_000_u64 << i},
            "latency": {"ttft_p50_ms": 100, "ttft_p95_ms": 200, "tokens_per_s": 100}}))
        .collect();
    json!({"models": models, "providers": [{"name": "p"}], "deployments": deployments})
}

fn taught() -> Router {
    let router = router(&document());
    for (arm, reward) in [0.4, 0.6, 0.7, 0.65, 0.7, 0.8].into_iter().enumerate() {
        let told = Outcome {
            reward: Some(reward),
            ..Outcome::new(
                format!("d{arm}"),
                Domain::General,
                Complexity::Lookup,
                Structure::Text,
            )
        };
        (0..30).for_each(|_| router.observe(&told, NOW_S).unwrap());
    }
    router
}

fn exploring(value: Option<f64>, min_propensity: f64) -> Request<String> {
    let mut asked = request("What is the capital of France?", [None; 4]);
    asked.constraints.exploration = true;
    asked.constraints.min_propensity = min_propensity;
    asked.constraints.quality_value_usd = value;
    asked
}

/// Pearson's statistic of the draws against `propensity(arm)`; cells expected below 5 are put together.
fn chi_square(counts: &[f64], propensities: &[f64]) -> f64 {
    let n: f64 = counts.iter().sum();
    let (mut total, mut rest) = (0.0, (0.0, 0.0));
    for (count, propensity) in counts.iter().zip(propensities) {
        let expected = n * propensity;
        if expected < 5.0 {
            rest = (rest.0 + count, rest.1 + expected);
        } else {
            total += (count - expected).powi(2) / expected;
        }
    }
    if rest.1 > 0.0 {
        total += (rest.0 - rest.1).powi(2) / rest.1;
    }
    total
}

/// Whether those that are better by the policy's measure are drawn no more rarely: by score and half a deviation of
/// quality, where quality has a price; else the cheaper, but for the one it would choose, among those good enough.
fn is_in_order(candidates: &[Candidate], first: usize, value: Option<f64>) -> bool {
    let drawable = |arm: &usize| candidates[*arm].propensity > 0.0;
    let merit = |arm: usize| {
        let one = &candidates[arm];
        match value {
            Some(usd) => one.score_usd + 0.5 * usd * one.quality.sd,
            None if arm == first => f64::INFINITY,
            None => -one.cost_usd,
        }
    };
    let arms: Vec<usize> = (0..candidates.len()).filter(drawable).collect();
    let pairs = arms.iter().flat_map(|a| arms.iter().map(move |b| (*a, *b)));
    pairs
        .filter(|(a, b)| merit(*a) > merit(*b))
        .all(|(a, b)| candidates[a].propensity >= candidates[b].propensity)
}

/// How often each was drawn, and the candidates with their propensities on record (the same in every decision).
fn draws(router: &Router, request: &Request<String>) -> (Vec<f64>, Vec<Candidate>) {
    let mut counts = vec![0.0; N_ARMS];
    let mut logged: Option<Vec<Candidate>> = None;
    for seed in 0..N_DRAWS {
        let verdict = router.decide(request, NOW_S, u64::from(seed)).unwrap();
        let decision = verdict.decision().unwrap();
        let each = decision.candidates();
        let drawn: usize = decision.deployment().name[1..].parse().unwrap();
        assert!((decision.propensity() - each[drawn].propensity).abs() < 1e-15);
        assert_eq!(logged.get_or_insert_with(|| each.to_vec()), each);
        counts[drawn] += 1.0;
    }
    (counts, logged.unwrap())
}

#[test]
fn draws_are_as_frequent_as_the_propensities_on_record() {
    let router = taught();
    for (value, least) in [
        (Some(0.02), 0.0),
        (Some(0.002), 0.02),
        (None, 0.0),
        (None, 0.05),
    ] {
        let request = exploring(value, least);
        let (counts, candidates) = draws(&router, &request);
        let propensities: Vec<f64> = candidates.iter().map(|one| one.propensity).collect();
        let statistic = chi_square(&counts, &propensities);
        assert!(statistic < BAR, "{statistic}: {counts:?} {propensities:?}");
        let drawable = propensities.iter().filter(|one| **one > 0.0);
        assert!(drawable.clone().count() > 1 && drawable.clone().all(|one| *one >= least));
        assert!(is_in_order(&candidates, undrawn(&router, &request), value));
        // Wrong logs: as if all were equally likely, and as if one in ten was drawn evenly.
        let uniform = [1.0 / N_ARMS as f64; N_ARMS];
        assert!(chi_square(&counts, &uniform) > BAR);
        let smoothed: Vec<f64> = propensities
            .iter()
            .map(|one| 0.9 * one + 0.1 / N_ARMS as f64)
            .collect();
        assert!(chi_square(&counts, &smoothed) > BAR);
    }
}

/// The place of the one that is chosen without exploration.
fn undrawn(router: &Router, request: &Request<String>) -> usize {
    let mut request = request.clone();
    request.constraints.exploration = false;
    let verdict = router.decide(&request, NOW_S, 0).unwrap();
    let decision = verdict.decision().unwrap();
    decision.deployment().name[1..].parse().unwrap()
}

#[test]
fn none_that_misses_the_need_is_drawn() {
    let router = taught();
    let mut request = exploring(None, 0.0);
    request.constraints.quality_tolerance = Some([0.05; 3]);
    let (counts, candidates) = draws(&router, &request);
    let best = candidates
        .iter()
        .map(|one| one.quality.mean)
        .fold(0.0, f64::max);
    for (count, one) in counts.iter().zip(&candidates) {
        let is_near = one.quality.mean >= best - 0.05;
        assert_eq!(
            one.propensity > 0.0,
            is_near,
            "{} of {best}",
            one.quality.mean
        );
        assert!(*count > 0.0 || !is_near || one.propensity < 1e-3);
    }
    assert!(candidates.iter().any(|one| one.propensity == 0.0));
}
