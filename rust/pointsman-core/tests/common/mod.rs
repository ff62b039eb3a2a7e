//! Catalogs and requests for the property tests.

#![allow(dead_code)] // No test file uses all of it.

use std::sync::Arc;

use pointsman_core::{
    Catalog, Complexity, Constraints, Conversation, Domain, FeatureVector, Features, Outcome,
    Request, Router, Structure, Verdict,
};
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
    let deployment = (
        0_usize..5,
        0_usize..3,
        price.clone(),
        price,
        latency,
        tier,
        any::<u8>(),
    );
    (models, prop::collection::vec(deployment, 1..12)).prop_map(|(models, deployments)| {
        let model = |(index, (quality, window, has_tools)): (usize, &(f64, u64, bool))| {
            let capabilities = if *has_tools { vec!["tools", "json_schema"] } else { vec![] };
            json!({"name": format!("m{index}"), "context_window": window, "capabilities": capabilities,
                   "quality": {"default": quality, "code": quality * 0.9}})
        };
        let deployment = |(index, (model, provider, input, output, latency, tier, parts)): (usize, &_)| {
            let (model, provider, input, output): (&usize, &usize, &u64, &u64) = (model, provider, input, output);
            let (ttft, spread, speed): &(f64, f64, f64) = latency;
            let (tier, parts): (&&str, &u8) = (tier, parts);
            json!({"name": format!("d{index}"), "model": format!("m{model}"), "provider": format!("p{provider}"),
                   "tier": tier, "price_nano_usd_per_mtok": price_of(*input, *output, *parts),
                   "latency": {"ttft_p50_ms": ttft, "ttft_p95_ms": ttft * spread, "tokens_per_s": speed}})
        };
        json!({
            "models": models.iter().enumerate().map(model).collect::<Vec<_>>(),
            "providers": (0..3).map(|i| json!({"name": format!("p{i}")})).collect::<Vec<_>>(),
            "deployments": deployments.iter().enumerate().map(deployment).collect::<Vec<_>>(),
        })
    })
}

/// Prices with every component that the bits of `parts` ask for; each a share or a multiple of the two.
pub fn price_of(input: u64, output: u64, parts: u8) -> Value {
    let mut price = json!({"input": input, "output": output});
    let has = |bit: u8| parts & (1 << bit) != 0;
    if has(0) {
        price["cached_input"] = json!(input / 10);
    }
    if has(1) {
        price["cache_write"] = json!(input + input / 4);
    }
    if has(2) {
        price["reasoning"] = json!(output / 2);
    }
    if has(3) {
        price["batch_input"] = json!(input / 2);
        price["batch_output"] = json!(output / 2);
    }
    if has(4) {
        let mut long =
            json!({"above_tokens": 10, "input": 2 * input, "output": output + output / 2});
        if has(3) {
            long["batch_input"] = json!(input);
            long["batch_output"] = json!(output);
        }
        price["long_context"] = json!([long]);
    }
    price
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

/// All that a policy can say of how quality, money and time trade; and whether it explores.
pub type Wishes = (Option<Dial>, Option<f64>, f64, bool);

#[derive(Clone, Copy, Debug)]
pub enum Dial {
    Tolerance([f64; 3]),
    WithinBest(f64),
    Value(f64),
}

pub fn wishes() -> impl Strategy<Value = Wishes> {
    let dial = prop_oneof![
        prop::array::uniform3(0.0..1.0).prop_map(Dial::Tolerance),
        (0.0..1.0).prop_map(Dial::WithinBest),
        prop_oneof![Just(0.0), 1e-6..10.0, Just(1e9)].prop_map(Dial::Value),
    ];
    let price = prop::option::of(prop_oneof![Just(0.0), 0.0..1e4, Just(1e9)]);
    let waiting = prop_oneof![Just(0.0), 0.0..0.1, Just(1e6)];
    (prop::option::of(dial), price, waiting, any::<bool>()).prop_map(
        |(dial, price, waiting, explores)| {
            let has_price = !matches!(dial, Some(Dial::Tolerance(_) | Dial::WithinBest(_)));
            (dial, price.filter(|_| has_price), waiting, explores)
        },
    )
}

/// A request under limits and wishes.
pub fn wished(text: &str, limits: [Option<f64>; 4], wishes: Wishes) -> Request<String> {
    let mut request = request(text, limits);
    let (dial, budget_price, latency_value_usd_per_s, exploration) = wishes;
    let of = |pick: fn(Dial) -> Option<f64>| dial.and_then(pick);
    request.constraints = Constraints {
        quality_tolerance: dial.and_then(|dial| match dial {
            Dial::Tolerance(each) => Some(each),
            _ => None,
        }),
        within_best: of(|dial| {
            if let Dial::WithinBest(share) = dial {
                Some(share)
            } else {
                None
            }
        }),
        quality_value_usd: of(|dial| {
            if let Dial::Value(usd) = dial {
                Some(usd)
            } else {
                None
            }
        }),
        budget_price,
        latency_value_usd_per_s,
        exploration,
        ..request.constraints
    };
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

/// A deployment by its place, and what came of calling it.
pub type Event = (
    prop::sample::Index,
    usize,
    [Option<f64>; 3],
    Option<u64>,
    [bool; 2],
    f64,
);

pub fn events() -> impl Strategy<Value = Vec<Event>> {
    let number = |most: f64| prop::option::of(prop_oneof![Just(0.0), Just(most), 0.0..most]);
    let numbers = (number(1e9), number(1e5), number(1.0)).prop_map(<[Option<f64>; 3]>::from);
    let tokens = prop::option::of(prop_oneof![Just(0), Just(1_000_000_000), 0_u64..5_000]);
    let event = (
        any::<prop::sample::Index>(),
        0_usize..105,
        numbers,
        tokens,
        any::<[bool; 2]>(),
        0.0..600.0,
    );
    prop::collection::vec(event, 0..60)
}

/// What a decision on one of some texts gave out, or nothing.
fn some_features(cell: usize) -> Option<FeatureVector> {
    let texts = [
        "What is the capital of France?",
        "Who wrote Faust?",
        "¿Qué hora es?",
    ];
    texts.get(cell % 4).map(|text| {
        let features = Features::extract(&Request::new(Conversation::user(*text)));
        FeatureVector::new(&features, None).unwrap()
    })
}

pub fn outcome(document: &Value, event: &Event) -> Outcome<String> {
    let (deployment, cell, [latency_ms, ttft_ms, reward], n_output_tokens, [is_cut, is_error], _) =
        event;
    let deployments = document["deployments"].as_array().unwrap();
    let name = &deployments[deployment.index(deployments.len())]["name"];
    Outcome {
        features: some_features(*cell),
        n_input_tokens: *cell as u64 * 40,
        n_output_tokens: *n_output_tokens,
        is_cut: *is_cut,
        ttft_ms: ttft_ms
            .filter(|ttft_ms| latency_ms.is_some_and(|latency_ms| *ttft_ms <= latency_ms)),
        latency_ms: *latency_ms,
        is_error: *is_error,
        reward: *reward,
        ..Outcome::new(
            name.as_str().unwrap().to_owned(),
            Domain::ALL[cell % 7],
            Complexity::ALL[cell / 7 % 3],
            Structure::ALL[cell / 21],
        )
    }
}

/// A router that has seen the events, and the time after the last.
pub fn taught(document: &Value, events: &[Event]) -> (Router, f64) {
    let router = router(document);
    let mut now_s = NOW_S;
    for event in events {
        now_s += event.5;
        router.observe(&outcome(document, event), now_s).unwrap();
    }
    (router, now_s)
}
