//! What holds for every price: components, thresholds, reasoning.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

mod common;

use common::{NOW_S, document, limits, request, router, text};
use pointsman_core::{
    Catalog, Complexity, Conversation, Decision, Domain, Outcome, Request, Router, Structure,
    Tokens, Verdict, cost_nano_usd,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const COMPONENTS: [&str; 5] = [
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
];

/// Components in the order of [`COMPONENTS`]; the cached one is a share of the input's.
fn rates() -> impl Strategy<Value = [u64; 5]> {
    let price = || 0_u64..10_000_000_000;
    (price(), 0_u64..=100, price(), price(), price()).prop_map(
        |(input, share, write, output, reasoning)| {
            [input, input / 100 * share, input + write, output, reasoning]
        },
    )
}

fn written(rates: [u64; 5]) -> Value {
    COMPONENTS
        .iter()
        .zip(rates)
        .map(|(name, rate)| ((*name).to_owned(), json!(rate)))
        .collect()
}

/// A catalog of the one deployment "d" at that price.
fn one_deployment(price: &Value) -> Catalog {
    let document = json!({
        "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
        "providers": [{"name": "p"}],
        "deployments": [{"name": "d", "model": "m", "provider": "p", "price_nano_usd_per_mtok": price,
                         "latency": {"ttft_p50_ms": 1, "ttft_p95_ms": 1, "tokens_per_s": 1}}]});
    Catalog::from_json(document.to_string().as_bytes()).unwrap()
}

/// The document with every component of every price, and a threshold that some requests pass.
fn priced(mut document: Value, rates: &[([u64; 5], [u64; 5])], reasons: bool) -> Value {
    for (deployment, (base, long)) in document["deployments"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(rates.iter().cycle())
    {
        let mut price = written(*base);
        let mut long = written(*long);
        long["above_tokens"] = json!(40);
        price["long_context"] = json!([long]);
        deployment["price_nano_usd_per_mtok"] = price;
    }
    for model in document["models"].as_array_mut().unwrap() {
        if reasons {
            model["capabilities"] = json!(["reasoning"]);
        }
        model["context_window"] = json!(1_000_000);
    }
    document["providers"] = json!(
        (0..3)
            .map(|i| json!({"name": format!("p{i}"), "prompt_cache": {"min_tokens": 1}}))
            .collect::<Vec<_>>()
    );
    document
}

/// A router to which every second deployment has answered in the session, writing to and reading from its cache.
fn visited(document: &Value, request: &Request<String>) -> Router {
    let router = router(document);
    let verdict = router.decide(request, NOW_S, 1).unwrap();
    let prefix = verdict.decision().and_then(Decision::prefix);
    for deployment in document["deployments"]
        .as_array()
        .unwrap()
        .iter()
        .step_by(2)
    {
        let name = deployment["name"].as_str().unwrap().to_owned();
        let outcome = Outcome {
            n_input_tokens: 100,
            n_cached_input_tokens: Some(20),
            n_cache_write_tokens: 60,
            prefix,
            ..Outcome::new(name, Domain::General, Complexity::Lookup, Structure::Text)
        };
        router.observe(&outcome, NOW_S).unwrap();
    }
    router
}

fn rank(verdict: &Verdict, name: &str) -> usize {
    let decision = verdict.decision();
    decision
        .and_then(|one| one.ranking().position(|ranked| ranked == name))
        .unwrap_or(usize::MAX)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_cheaper_component_never_lowers_a_rank(
        document in document(), rates in prop::collection::vec((rates(), rates()), 1..6), text in text(), limits in limits(),
        pick in any::<prop::sample::Index>(), component in 0_usize..5, is_long in any::<bool>(), cut in 0.0..1.0_f64, reasons in any::<bool>(),
    ) {
        let document = priced(document, &rates, reasons);
        let mut request = request(&text, limits);
        request.session_id = Some("s".to_owned());
        let index = pick.index(document["deployments"].as_array().unwrap().len());
        let name = document["deployments"][index]["name"].as_str().unwrap().to_owned();
        let mut cheaper = document.clone();
        let mut price = &mut cheaper["deployments"][index]["price_nano_usd_per_mtok"];
        if is_long {
            price = &mut price["long_context"][0];
        }
        // Cached input may not cost more than input.
        let least = if component == 0 { price["cached_input"].as_u64().unwrap() } else { 0 };
        let field = &mut price[COMPONENTS[component]];
        let above = field.as_u64().unwrap() - least;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let lower = least + (above as f64 * cut) as u64;
        *field = json!(lower);
        let before = visited(&document, &request).decide(&request, NOW_S + 1.0, 1).unwrap();
        let after = visited(&cheaper, &request).decide(&request, NOW_S + 1.0, 1).unwrap();
        prop_assert!(rank(&after, &name) <= rank(&before, &name), "{name}");
    }

    #[test]
    fn a_cost_is_the_sum_of_its_parts_at_the_rates_of_its_length(
        base in rates(), long in rates(), parts in prop::array::uniform5(0_u64..1_000), beyond in -1_i64..=1,
    ) {
        let [fresh, cached, write, output, reasoning] = parts;
        let n_input = fresh + cached + write;
        let above_tokens = n_input.saturating_add_signed(-beyond).max(1);
        let mut price = written(base);
        price["long_context"] = json!([written(long)]);
        price["long_context"][0]["above_tokens"] = json!(above_tokens);
        let catalog = one_deployment(&price);
        let tokens = Tokens {
            n_input,
            n_cached_input: cached,
            n_cache_write: write,
            n_output: output + reasoning,
            n_reasoning: reasoning,
        };
        let rates = if n_input > above_tokens { long } else { base };
        let sum: u128 = rates.iter().zip(parts).map(|(rate, n)| u128::from(*rate) * u128::from(n)).sum();
        let cost = cost_nano_usd(catalog.deployment("d").unwrap(), tokens, false).unwrap();
        prop_assert_eq!(cost, (sum + 500_000) / 1_000_000);
    }

    #[test]
    fn more_tokens_never_cost_less_and_cached_ones_never_more(
        base in rates(), raise in rates(), parts in prop::array::uniform5(0_u64..1_000), which in 0_usize..5,
    ) {
        // As everywhere, no component is cheaper above the threshold than below.
        let mut long: Vec<u64> = base.iter().zip(raise).map(|(base, raise)| base + raise).collect();
        long[1] = long[1].min(long[0]);
        let mut price = written(base);
        price["long_context"] = json!([written(long.try_into().unwrap())]);
        price["long_context"][0]["above_tokens"] = json!(1_000);
        let catalog = one_deployment(&price);
        let cost = |[fresh, cached, write, output, reasoning]: [u64; 5]| {
            let tokens = Tokens {
                n_input: fresh + cached + write,
                n_cached_input: cached,
                n_cache_write: write,
                n_output: output + reasoning,
                n_reasoning: reasoning,
            };
            cost_nano_usd(catalog.deployment("d").unwrap(), tokens, false).unwrap()
        };
        let mut more = parts;
        more[which] += 1;
        prop_assert!(cost(more) >= cost(parts));
        let [fresh, cached, write, output, reasoning] = parts;
        prop_assert!(cost([0, cached + fresh, write, output, reasoning]) <= cost(parts));
    }

    #[test]
    fn lengths_are_ordered_and_reasoning_is_part_of_them(
        document in document(), text in text(), reasons in any::<bool>(), limit in prop::option::of(1_u64..3_000),
        seen in prop::collection::vec((0_u64..100_000, 0_u64..100_000, any::<bool>()), 0..20),
    ) {
        let router = router(&priced(document.clone(), &[([1_000_000; 5], [1_000_000; 5])], reasons));
        let name = document["deployments"][0]["name"].as_str().unwrap();
        for (n_said, n_reasoning, is_cut) in seen {
            let outcome = Outcome {
                n_output_tokens: Some(n_said + n_reasoning),
                n_reasoning_tokens: n_reasoning,
                is_cut,
                ..Outcome::new(name, Domain::General, Complexity::Lookup, Structure::Text)
            };
            router.observe(&outcome, NOW_S).unwrap();
        }
        let mut request = request(&text, [None; 4]);
        request.max_output_tokens = limit;
        let verdict = router.decide(&request, NOW_S, 1).unwrap();
        let candidates = match &verdict {
            Verdict::Chosen(decision) => decision.candidates(),
            Verdict::Infeasible(infeasible) => infeasible.candidates(),
        };
        for candidate in candidates {
            let tokens = candidate.output_tokens;
            prop_assert!(0.0 < tokens.p50 && tokens.p50 <= tokens.p90 && tokens.p90.is_finite(), "{tokens:?}");
            prop_assert!(0.0 < tokens.mean && tokens.mean.is_finite(), "{tokens:?}");
            prop_assert!(limit.is_none_or(|limit| tokens.p90 <= limit as f64));
            prop_assert!(candidate.cost_usd.is_finite() && candidate.cost_usd >= 0.0);
        }
    }
}

/// "thinker" can reason and "plain" cannot; "plain" costs a third more.
fn pair() -> Router {
    let model = |name: &str, capabilities: &[&str]| json!({"name": name, "context_window": 100_000, "quality": {"default": 0.8}, "capabilities": capabilities});
    let deployment = |name: &str, output: u64| {
        json!({"name": name, "model": name, "provider": "p",
               "price_nano_usd_per_mtok": {"input": 0, "output": output},
               "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}})
    };
    router(
        &json!({"models": [model("thinker", &["reasoning"]), model("plain", &[])], "providers": [{"name": "p"}],
        "deployments": [deployment("thinker", 3_000_000_000), deployment("plain", 4_000_000_000)]}),
    )
}

fn chosen(router: &Router) -> String {
    let request = Request::new(Conversation::user(
        "Prove that the square root of 2 is irrational.",
    ));
    let verdict = router.decide(&request, NOW_S, 1).unwrap();
    verdict.decision().unwrap().deployment().name.clone()
}

fn reasoned(router: &Router, name: &str, n_reasoning: u64) {
    for complexity in Complexity::ALL {
        for _ in 0..40 {
            let outcome = Outcome {
                n_input_tokens: 20,
                n_output_tokens: Some(600 + n_reasoning),
                n_reasoning_tokens: n_reasoning,
                ..Outcome::new(name, Domain::Math, complexity, Structure::Text)
            };
            router.observe(&outcome, NOW_S).unwrap();
        }
    }
}

#[test]
fn reasoning_counts_before_any_was_seen_and_falls_away_when_none_is() {
    let router = pair();
    assert_eq!(
        chosen(&router),
        "plain",
        "cheaper per token, and yet the dearer"
    );
    reasoned(&router, "thinker", 0);
    assert_eq!(chosen(&router), "thinker");
}

#[test]
fn a_model_that_is_not_flagged_and_reasons_is_found_out() {
    let router = pair();
    reasoned(&router, "thinker", 0);
    reasoned(&router, "plain", 0);
    assert_eq!(chosen(&router), "thinker");
    reasoned(&router, "thinker", 3_000);
    assert_eq!(chosen(&router), "plain");
    reasoned(&router, "plain", 30_000);
    assert_eq!(chosen(&router), "thinker");
    let restarted = pair();
    restarted.load(&router.save()).unwrap();
    assert_eq!(
        chosen(&restarted),
        "thinker",
        "what is known of reasoning outlives the process"
    );
}
