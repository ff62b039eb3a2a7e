//! Breakers, holds, rate limits, limits of calls under way, and what they do to decisions.

#![allow(clippy::unwrap_used)] // Tests: a panic is the report.

mod breaker;
mod catalogs;
mod choice;
#[path = "../common/mod.rs"]
mod common;
mod concurrency;
mod limits;
mod properties;
mod two_choices;

use std::sync::Arc;

use common::request;
use pointsman_core::health::{CallEnd, Phase, Refusal, Ticket};
use pointsman_core::{Catalog, Decision, Router, Verdict};
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
        Verdict::Chosen(decision) => *decision,
        Verdict::Infeasible(infeasible) => panic!("{}", infeasible.message()),
    }
}

fn rejected_by(decision: &Decision, index: usize) -> Value {
    let record: Value = serde_json::from_slice(&decision.to_json(None)).unwrap();
    record["candidates"][index]["rejected_by"].clone()
}
