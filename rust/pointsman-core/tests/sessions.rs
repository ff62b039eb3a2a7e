//! What staying with a deployment saves: the prompt-cache price of switching a conversation.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

use std::sync::Arc;

use pointsman_core::{
    Candidate, Catalog, Complexity, Conversation, Decision, Domain, Outcome, Request, Role, Router,
    Structure,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW_S: f64 = 1_700_000_000.0;

/// Deployments "a" and "b" of equal quality; "b" has the input price given, and both read from cache at a tenth.
fn document(b_input: u64) -> Value {
    let deployment = |name: &str, input: u64| {
        json!({"name": name, "model": name, "provider": "p",
               "price_nano_usd_per_mtok": {"input": input, "cached_input": input / 10, "output": 4_000_000_000_u64},
               "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}})
    };
    let model = |name: &str| json!({"name": name, "context_window": 1_000_000, "quality": {"default": 0.8}, "tokenizer": "o200k"});
    json!({"models": [model("a"), model("b")], "providers": [{"name": "p"}],
           "deployments": [deployment("a", 1_000_000_000), deployment("b", b_input)]})
}

fn router(document: &Value) -> Router {
    let catalog = Catalog::from_json(document.to_string().as_bytes()).unwrap();
    Router::new(Arc::new(catalog)).unwrap()
}

/// A conversation of alternating turns; about 2 tokens a word, so 12,000 tokens of history in the first.
fn conversation(turns: &[&str]) -> Request<String> {
    let mut conversation = Conversation::new();
    conversation.begin(Role::System);
    conversation.text("You are the archivist of a small museum. ".repeat(40));
    for (index, turn) in turns.iter().enumerate() {
        conversation.begin(if index % 2 == 0 {
            Role::User
        } else {
            Role::Assistant
        });
        conversation.text((*turn).to_owned());
    }
    let mut request = Request::new(conversation);
    request.session_id = Some("s1".to_owned());
    request
}

fn history() -> String {
    "The catalogue lists a bronze astrolabe of 1592, lent to Ghent. ".repeat(900)
}

fn decide(router: &Router, request: &Request<String>, now_s: f64) -> Decision {
    router
        .decide(request, now_s, 7)
        .unwrap()
        .decision()
        .unwrap()
        .clone()
}

fn candidate<'a>(decision: &'a Decision, name: &str) -> &'a Candidate {
    &decision.candidates()[usize::from(name != "a")]
}

/// Tells the router that `deployment` answered, with `n_cached` input tokens read from its cache.
fn answered(
    router: &Router,
    decision: &Decision,
    deployment: &str,
    n_cached: Option<u64>,
    now_s: f64,
) {
    let n_input_tokens = candidate(decision, deployment).n_input_tokens;
    let outcome = Outcome {
        n_input_tokens,
        n_cached_input_tokens: n_cached.map(|n| n.min(n_input_tokens)),
        prefix: decision.prefix(),
        ..Outcome::new(
            deployment,
            Domain::General,
            Complexity::Lookup,
            Structure::Text,
        )
    };
    router.observe(&outcome, now_s).unwrap();
}

/// One turn on "a", then the decision on the next, `wait_s` later.
fn second_turn(b_input: u64, wait_s: f64) -> Decision {
    let router = router(&document(b_input));
    let first = decide(&router, &conversation(&[&history()]), NOW_S);
    answered(&router, &first, "a", Some(0), NOW_S);
    let next = conversation(&[&history(), "It is in Ghent.", "Since when?"]);
    decide(&router, &next, NOW_S + wait_s)
}

#[test]
fn staying_wins_when_the_prefix_is_long_and_the_gap_small() {
    let cold = decide(
        &router(&document(900_000_000)),
        &conversation(&[&history()]),
        NOW_S,
    );
    assert_eq!(
        cold.deployment().name,
        "b",
        "10 % cheaper, so the first turn would go there"
    );
    let stay = second_turn(900_000_000, 60.0);
    assert_eq!(stay.deployment().name, "a");
    let warm = candidate(&stay, "a");
    // The prior expects 80 % of a warm prefix in the cache.
    let share = warm.n_cached_input_tokens as f64 / warm.n_input_tokens as f64;
    assert!((0.7..0.8).contains(&share), "{share}");
    assert_eq!(candidate(&stay, "b").n_cached_input_tokens, 0);
}

#[test]
fn switching_wins_when_the_gap_is_bigger_than_what_the_cache_saves() {
    // Staying costs about 0.2 + 0.8 / 10 = 0.28 of the price of a cold prompt.
    assert_eq!(second_turn(200_000_000, 60.0).deployment().name, "b");
}

#[test]
fn a_cache_that_has_expired_keeps_nobody() {
    assert_eq!(second_turn(900_000_000, 299.0).deployment().name, "a");
    assert_eq!(second_turn(900_000_000, 301.0).deployment().name, "b");
}

#[test]
fn a_provider_may_hold_its_cache_longer_or_not_at_all() {
    for (ttl_s, n_expected) in [(3600.0, true), (0.0, false)] {
        let mut document = document(900_000_000);
        document["providers"][0]["prompt_cache"] = json!({"ttl_s": ttl_s, "min_tokens": 1024});
        let router = router(&document);
        let request = conversation(&[&history()]);
        answered(&router, &decide(&router, &request, NOW_S), "a", None, NOW_S);
        let again = decide(
            &router,
            &request,
            NOW_S + if n_expected { 3000.0 } else { 1.0 },
        );
        assert_eq!(
            candidate(&again, "a").n_cached_input_tokens > 0,
            n_expected,
            "{ttl_s}"
        );
    }
}

#[test]
fn an_edited_history_another_session_and_another_tenant_are_cold() {
    let router = router(&document(900_000_000));
    let first = conversation(&[&history()]);
    answered(&router, &decide(&router, &first, NOW_S), "a", None, NOW_S);
    let n_cached = |request: &Request<String>| {
        candidate(&decide(&router, request, NOW_S + 1.0), "a").n_cached_input_tokens
    };
    let next = || conversation(&[&history(), "It is in Ghent.", "Since when?"]);
    assert!(n_cached(&next()) > 5_000);
    let edited = conversation(&[&format!("{}!", history()), "It is in Ghent.", "Since when?"]);
    assert_eq!(
        n_cached(&edited),
        0,
        "only a system prompt below the minimum is left"
    );
    let other_session = Request {
        session_id: Some("s2".to_owned()),
        ..next()
    };
    let other_tenant = Request {
        tenant: Some("t".to_owned()),
        ..next()
    };
    let no_session = Request {
        session_id: None,
        ..next()
    };
    let other_tools = Request {
        schema_texts: vec!["get_weather".to_owned()],
        ..next()
    };
    for cold in [other_session, other_tenant, no_session, other_tools] {
        assert_eq!(n_cached(&cold), 0);
    }
}

#[test]
fn a_history_cut_behind_a_long_system_prompt_stays_warm_to_there() {
    let router = router(&document(900_000_000));
    let with_manual = |turns: &[&str]| {
        let mut request = conversation(turns);
        request.conversation = {
            let mut long = Conversation::new();
            long.begin(Role::System);
            long.text("Rule: label every object with its year of acquisition. ".repeat(300));
            for turn in turns {
                long.begin(Role::User);
                long.text((*turn).to_owned());
            }
            long
        };
        request
    };
    let first = decide(
        &router,
        &with_manual(&[&history(), "And the sextant?"]),
        NOW_S,
    );
    answered(&router, &first, "a", None, NOW_S);
    let cut = decide(&router, &with_manual(&["And the sextant?"]), NOW_S + 1.0);
    let warm = candidate(&cut, "a");
    let share = warm.n_cached_input_tokens as f64 / warm.n_input_tokens as f64;
    assert!(
        (0.7..0.8).contains(&share),
        "{share}: the manual is nearly all of it"
    );
}

#[test]
fn a_provider_that_does_not_cache_is_found_out() {
    let router = router(&document(900_000_000));
    let request = conversation(&[&history()]);
    for step in 0..20 {
        let now_s = NOW_S + f64::from(step);
        answered(
            &router,
            &decide(&router, &request, now_s),
            "a",
            Some(0),
            now_s,
        );
    }
    let decision = decide(&router, &request, NOW_S + 21.0);
    assert_eq!(
        decision.deployment().name,
        "b",
        "nothing is saved by staying"
    );
    // That is learned, so it outlives the process; the sessions themselves do not.
    let restarted = self::router(&document(900_000_000));
    restarted.load(&router.save()).unwrap();
    let warmed = decide(&restarted, &request, NOW_S + 30.0);
    assert_eq!(candidate(&warmed, "a").n_cached_input_tokens, 0);
    answered(&restarted, &warmed, "a", None, NOW_S + 30.0);
    let again = decide(&restarted, &request, NOW_S + 31.0);
    let share = candidate(&again, "a").n_cached_input_tokens as f64
        / candidate(&again, "a").n_input_tokens as f64;
    assert!((0.01..0.2).contains(&share), "{share}");
}

#[test]
fn a_swapped_catalog_leaves_caches_warm_and_another_model_of_the_same_name_cold() {
    let router = router(&document(900_000_000));
    let request = conversation(&[&history()]);
    answered(&router, &decide(&router, &request, NOW_S), "a", None, NOW_S);
    let swap = |document: &Value| {
        let catalog = Catalog::from_json(document.to_string().as_bytes()).unwrap();
        router.swap(Arc::new(catalog)).unwrap();
        candidate(&decide(&router, &request, NOW_S + 1.0), "a").n_cached_input_tokens
    };
    assert!(swap(&document(500_000_000)) > 5_000);
    let mut moved = document(500_000_000);
    moved["deployments"][0]["model"] = json!("b");
    assert_eq!(swap(&moved), 0);
}

#[test]
fn cache_writes_that_are_billed_are_expected_once_they_were_seen() {
    let mut document = document(1_010_000_000);
    document["deployments"][0]["price_nano_usd_per_mtok"]["cache_write"] = json!(1_250_000_000_u64);
    let router = router(&document);
    let mut request = conversation(&[&history()]);
    request.session_id = None;
    assert_eq!(decide(&router, &request, NOW_S).deployment().name, "a");
    for _ in 0..20 {
        let outcome = Outcome {
            n_input_tokens: 10_000,
            n_cached_input_tokens: Some(0),
            n_cache_write_tokens: 9_900,
            ..Outcome::new("a", Domain::General, Complexity::Lookup, Structure::Text)
        };
        router.observe(&outcome, NOW_S).unwrap();
    }
    let decision = decide(&router, &request, NOW_S);
    assert_eq!(
        decision.deployment().name,
        "b",
        "25 % on nearly every token"
    );
}

#[test]
fn parts_above_their_whole_are_refused_and_nothing_is_learned() {
    let router = router(&document(900_000_000));
    let saved = router.save();
    let base = || Outcome {
        n_input_tokens: 10,
        n_output_tokens: Some(5),
        ..Outcome::new("a", Domain::General, Complexity::Lookup, Structure::Text)
    };
    let broken = [
        Outcome {
            n_cached_input_tokens: Some(11),
            ..base()
        },
        Outcome {
            n_cached_input_tokens: Some(8),
            n_cache_write_tokens: 3,
            ..base()
        },
        Outcome {
            n_reasoning_tokens: 6,
            ..base()
        },
    ];
    for outcome in &broken {
        let message = router.observe(outcome, NOW_S).unwrap_err().to_string();
        assert!(
            message.contains("give at most what it is a part of"),
            "{message}"
        );
    }
    assert_eq!(router.save(), saved);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever was answered by whom and when: a warm prefix never raises a cost and is never longer than the prompt.
    #[test]
    fn a_warm_prefix_never_raises_a_cost(
        steps in prop::collection::vec((0_usize..2, 0_usize..4, 0.0..400.0, prop::option::of(0_u64..20_000), any::<bool>()), 1..12),
        cached_share in 0_u64..=10,
    ) {
        let mut document = document(900_000_000);
        document["deployments"][0]["price_nano_usd_per_mtok"]["cached_input"] = json!(cached_share * 100_000_000);
        document["deployments"][0]["price_nano_usd_per_mtok"]["cache_write"] = json!(1_250_000_000_u64);
        let router = router(&document);
        let history = history();
        let turns = [history.as_str(), "It is in Ghent.", "Since when?", "1871.", "Why?"];
        let mut now_s = NOW_S;
        for (deployment, n_turns, wait_s, n_cached, has_session) in steps {
            let mut request = conversation(&turns[..=n_turns]);
            let cold = decide(&router, &Request { session_id: None, ..request.clone() }, now_s);
            if !has_session {
                request.session_id = Some("other".to_owned());
            }
            let warm = decide(&router, &request, now_s);
            for (cold, warm) in cold.candidates().iter().zip(warm.candidates()) {
                prop_assert!(warm.cost_usd <= cold.cost_usd && warm.cost_usd > 0.0);
                prop_assert!(warm.n_cached_input_tokens <= warm.n_input_tokens);
                prop_assert_eq!(cold.n_cached_input_tokens, 0);
                prop_assert_eq!(warm.n_input_tokens, cold.n_input_tokens);
            }
            // Again: deciding changes nothing.
            let again = decide(&router, &request, now_s);
            prop_assert_eq!(again.to_json(None), warm.to_json(None));
            answered(&router, &warm, ["a", "b"][deployment], n_cached, now_s);
            now_s += wait_s;
        }
    }
}
