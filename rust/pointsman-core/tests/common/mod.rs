//! Catalogs and requests for the property tests.

#![allow(dead_code)] // No test file uses all of it.

use std::sync::Arc;

use pointsman_core::{Catalog, Conversation, Request, Router, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

pub const NOW_S: f64 = 1_700_000_000.0;

/// Documents of 1 to 12 deployments over 5 models and 3 providers.
pub fn document() -> impl Strategy<Value = Value> {
    let quality = prop_oneof![Just(0.5), Just(0.8), 0.0..=1.0];
    let models = prop::collection::vec((quality, 1_000_u64..200_000, any::<bool>()), 5);
    let price = prop_oneof![Just(100_000_000_u64), 0_u64..10_000_000_000];
    let latency = (50.0..2000.0, 1.0..3.0, 5.0..300.0);
    let tier = prop::sample::select(vec!["default", "default", "flex", "priority"]);
    let deployment = (0_usize..5, 0_usize..3, price.clone(), price, latency, tier);
    (models, prop::collection::vec(deployment, 1..12)).prop_map(|(models, deployments)| {
        let model = |(index, (quality, window, has_tools)): (usize, &(f64, u64, bool))| {
            let capabilities = if *has_tools { vec!["tools", "json_schema"] } else { vec![] };
            json!({"name": format!("m{index}"), "context_window": window, "capabilities": capabilities,
                   "quality": {"default": quality, "code": quality * 0.9}})
        };
        let deployment = |(index, (model, provider, input, output, latency, tier)): (usize, &_)| {
            let (model, provider, input, output): (&usize, &usize, &u64, &u64) = (model, provider, input, output);
            let (ttft, spread, speed): &(f64, f64, f64) = latency;
            let tier: &&str = tier;
            json!({"name": format!("d{index}"), "model": format!("m{model}"), "provider": format!("p{provider}"),
                   "tier": tier, "price_nano_usd_per_mtok": {"input": input, "output": output},
                   "latency": {"ttft_p50_ms": ttft, "ttft_p95_ms": ttft * spread, "tokens_per_s": speed}})
        };
        json!({
            "models": models.iter().enumerate().map(model).collect::<Vec<_>>(),
            "providers": (0..3).map(|i| json!({"name": format!("p{i}")})).collect::<Vec<_>>(),
            "deployments": deployments.iter().enumerate().map(deployment).collect::<Vec<_>>(),
        })
    })
}

pub fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "What is the capital of France?",
        "Write a Python function that merges two sorted lists.",
        "Prove step by step that the square root of 2 is irrational.",
        "no rush, do it overnight: classify these, yes or no",
    ]);
    prop_oneof![known.prop_map(str::to_owned), ".{0,300}"]
}

/// Hard limits, some absent.
pub fn limits() -> impl Strategy<Value = [Option<f64>; 4]> {
    let maybe = |range: std::ops::Range<f64>| prop::option::of(range);
    (
        maybe(1e-6..0.05),
        maybe(100.0..60_000.0),
        maybe(50.0..5000.0),
        maybe(0.0..1.0),
    )
        .prop_map(|(cost, latency, ttft, quality)| [cost, latency, ttft, quality])
}

pub fn request(text: &str, limits: [Option<f64>; 4]) -> Request<String> {
    let mut request = Request::new(Conversation::user(text.to_owned()));
    let constraints = &mut request.constraints;
    [
        constraints.max_cost_usd,
        constraints.max_latency_ms,
        constraints.max_ttft_ms,
        constraints.min_quality,
    ] = limits;
    request
}

pub fn router(document: &Value) -> Router {
    let catalog = Catalog::from_json(document.to_string().as_bytes()).unwrap();
    Router::new(Arc::new(catalog)).unwrap()
}

pub fn decide(document: &Value, request: &Request<String>) -> Verdict {
    router(document).decide(request, NOW_S, 7).unwrap()
}

/// Names in rank order; empty when infeasible.
pub fn ranking(verdict: &Verdict) -> Vec<String> {
    verdict.decision().map_or_else(Vec::new, |decision| {
        decision.ranking().map(str::to_owned).collect()
    })
}
