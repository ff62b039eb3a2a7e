//! What holds for every catalog and request.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

mod common;

use common::{
    NOW_S, decide, document, events, limits, ranking, request, router, taught, text, wished, wishes,
};
use pointsman_core::{Candidate, Conversation, ErrorKind, Request, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

fn record(verdict: &Verdict) -> Value {
    let bytes = match verdict {
        Verdict::Chosen(decision) => decision.to_json(None),
        Verdict::Infeasible(infeasible) => infeasible.to_json(None),
    };
    serde_json::from_slice(&bytes).unwrap()
}

fn is_feasible(record: &Value, index: usize) -> bool {
    record["candidates"][index]["feasible"] == json!(true)
}

fn candidates(verdict: &Verdict) -> &[Candidate] {
    match verdict {
        Verdict::Chosen(decision) => decision.candidates(),
        Verdict::Infeasible(infeasible) => infeasible.candidates(),
    }
}

/// Lowers one of the prices that are given; a cached price may not be above that of input, so it follows.
fn cheapen(price: &mut Value, component: prop::sample::Index, cut: f64) {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn lower(value: &mut Value, cut: f64) {
        *value = json!((value.as_f64().unwrap() * cut) as u64);
    }
    let names = [
        "input",
        "output",
        "cached_input",
        "cache_write",
        "reasoning",
        "batch_input",
        "batch_output",
    ];
    let given: Vec<&str> = names
        .into_iter()
        .filter(|name| price.get(name).is_some())
        .collect();
    let has_long = price.get("long_context").is_some();
    let place = component.index(given.len() + 2 * usize::from(has_long));
    match given.get(place) {
        Some(name) => lower(&mut price[name], cut),
        None => lower(
            &mut price["long_context"][0][["input", "output"][place - given.len()]],
            cut,
        ),
    }
    if let (Some(cached), Some(input)) = (price.get("cached_input"), price["input"].as_u64()) {
        price["cached_input"] = json!(cached.as_u64().unwrap().min(input));
    }
}

/// What the message of an infeasible request advises.
struct Remedy<'a> {
    nearest: &'a str,
    field: &'a str,
    limit: usize,
    value: f64,
}

/// Reads the advice; `None` where it names no number.
fn remedy(message: &str) -> Option<Remedy<'_>> {
    let (nearest, rest) = message.split_once("; nearest: ")?.1.split_once(" with ")?;
    let field = rest.split(' ').next()?;
    let advice = rest.split_once("; ")?.1;
    let verbs = [
        "raise max_cost_usd to at least ",
        "raise max_latency_ms to at least ",
        "raise max_ttft_ms to at least ",
        "lower min_quality to at most ",
    ];
    let (limit, number) = verbs
        .iter()
        .enumerate()
        .find_map(|(limit, verb)| Some((limit, advice.strip_prefix(verb)?)))?;
    let value = number.split(' ').next()?.parse().ok()?;
    Some(Remedy {
        nearest,
        field,
        limit,
        value,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_cheaper_price_never_lowers_a_rank_or_a_propensity(
        document in document(), events in events(), text in text(), limits in limits(), wishes in wishes(),
        pick in any::<prop::sample::Index>(), component in any::<prop::sample::Index>(), cut in 0.0..1.0_f64,
    ) {
        let mut cheaper = document.clone();
        let deployments = cheaper["deployments"].as_array_mut().unwrap();
        let index = pick.index(deployments.len());
        let name = deployments[index]["name"].as_str().unwrap().to_owned();
        cheapen(&mut deployments[index]["price_nano_usd_per_mtok"], component, cut);
        let (router, now_s) = taught(&document, &events);
        let request = wished(&text, limits, wishes);
        let before = router.decide(&request, now_s, 7).unwrap();
        router.swap(common::router(&cheaper).catalog()).unwrap();
        let after = router.decide(&request, now_s, 7).unwrap();
        let chance = |verdict: &Verdict| candidates(verdict)[index].propensity;
        prop_assert!(chance(&after) >= chance(&before) - 1e-12, "{name}: {} -> {}", chance(&before), chance(&after));
        if !request.constraints.exploration {
            let (before, after) = (ranking(&before), ranking(&after));
            let rank = |ranking: &[String]| ranking.iter().position(|one| *one == name).unwrap_or(usize::MAX);
            prop_assert!(rank(&after) <= rank(&before), "{name}: {before:?} -> {after:?}");
        }
    }

    #[test]
    fn tightening_a_limit_never_adds_a_feasible_candidate(
        document in document(), events in events(), text in text(), loose in limits(), wishes in wishes(),
        which in 0_usize..5, factor in 0.0..1.0_f64,
    ) {
        let mut tight = loose;
        if which < 4 {
            tight[which] = match (which, loose[which]) {
                (3, floor) => Some(floor.unwrap_or(0.0) + (1.0 - floor.unwrap_or(0.0)) * factor),
                (_, Some(limit)) => Some(limit * factor.max(1e-6)),
                (_, None) => Some(1000.0 * factor + 1.0),
            };
        }
        let (router, now_s) = taught(&document, &events);
        let mut tighter = wished(&text, tight, wishes);
        tighter.constraints.quality_like = (which == 4).then(|| "m0".to_owned());
        let before = record(&router.decide(&wished(&text, loose, wishes), now_s, 7).unwrap());
        let after = record(&router.decide(&tighter, now_s, 7).unwrap());
        for index in 0..before["candidates"].as_array().unwrap().len() {
            prop_assert!(is_feasible(&before, index) || !is_feasible(&after, index));
        }
    }

    #[test]
    fn permuting_the_deployments_permutes_the_candidates_and_keeps_the_choice(
        document in document(), text in text(), limits in limits(), wishes in wishes(),
    ) {
        let mut reversed = document.clone();
        reversed["deployments"].as_array_mut().unwrap().reverse();
        let request = wished(&text, limits, wishes);
        let (one, two) = (record(&decide(&document, &request)), record(&decide(&reversed, &request)));
        for field in ["ranking", "confidence", "propensity", "reason"] {
            prop_assert_eq!(&one[field], &two[field]);
        }
        let mut candidates = two["candidates"].as_array().unwrap().clone();
        candidates.reverse();
        prop_assert_eq!(one["candidates"].as_array().unwrap(), &candidates);
    }

    #[test]
    fn renaming_the_deployments_in_order_renames_the_answer(
        document in document(), text in text(), limits in limits(), wishes in wishes(),
    ) {
        let mut renamed = document.clone();
        for deployment in renamed["deployments"].as_array_mut().unwrap() {
            deployment["name"] = json!(format!("x-{}", deployment["name"].as_str().unwrap()));
        }
        let request = wished(&text, limits, wishes);
        let before = ranking(&decide(&document, &request));
        let after = ranking(&decide(&renamed, &request));
        prop_assert_eq!(before.iter().map(|name| format!("x-{name}")).collect::<Vec<_>>(), after);
    }

    #[test]
    fn the_same_inputs_give_the_same_bytes(
        document in document(), events in events(), text in text(), limits in limits(), wishes in wishes(),
        seed in any::<u64>(),
    ) {
        let request = wished(&text, limits, wishes);
        let bytes = || {
            let (router, now_s) = taught(&document, &events);
            match router.decide(&request, now_s, seed).unwrap() {
                Verdict::Chosen(decision) => decision.to_json(Some(1.5)),
                Verdict::Infeasible(infeasible) => infeasible.to_json(Some(1.5)),
            }
        };
        prop_assert_eq!(bytes(), bytes());
    }

    #[test]
    fn propensities_are_a_distribution_over_the_feasible_and_the_first_was_possible(
        document in document(), events in events(), text in text(), limits in limits(), wishes in wishes(),
        seed in any::<u64>(),
    ) {
        let (router, now_s) = taught(&document, &events);
        let verdict = router.decide(&wished(&text, limits, wishes), now_s, seed).unwrap();
        let total: f64 = candidates(&verdict).iter().map(|one| one.propensity).sum();
        prop_assert!(candidates(&verdict).iter().all(|one| one.is_feasible() || one.propensity == 0.0));
        if let Some(decision) = verdict.decision() {
            prop_assert!((total - 1.0).abs() < 1e-9, "{total}");
            prop_assert!(decision.propensity() > 0.0);
            prop_assert!((0.0..=1.0).contains(&decision.confidence()));
            prop_assert!(candidates(&verdict).iter().all(|one| !one.is_feasible() || one.score_usd.is_finite()));
        } else {
            prop_assert!(total == 0.0);
        }
    }

    #[test]
    fn a_rejected_candidate_is_never_ranked_and_every_rejection_is_told(
        document in document(), text in text(), limits in limits(),
    ) {
        let record = record(&decide(&document, &request(&text, limits)));
        let ranked: Vec<&Value> = record["ranking"].as_array().unwrap().iter().collect();
        for candidate in record["candidates"].as_array().unwrap() {
            let is_feasible = candidate["feasible"] == json!(true);
            prop_assert_eq!(is_feasible, candidate["rejected_by"].as_array().unwrap().is_empty());
            prop_assert_eq!(is_feasible, ranked.contains(&&candidate["deployment"]));
            prop_assert_eq!(is_feasible, candidate["score"].is_number());
            prop_assert_eq!(is_feasible, candidate["propensity"].is_number());
            for rejection in candidate["rejected_by"].as_array().unwrap() {
                let number = |name: &str| rejection[name].as_f64();
                if let (Some(limit), Some(value)) = (number("limit"), number("value")) {
                    let (slack, missed) = (number("slack").unwrap(), (value - limit).abs());
                    // Numbers in JSON are read back to the last digit but one.
                    prop_assert!(slack < 0.0 && (slack + missed).abs() <= 1e-12 * value.abs().max(limit.abs()));
                } else {
                    prop_assert!(rejection["slack"].is_null());
                }
            }
        }
    }

    #[test]
    fn following_the_remedy_lifts_that_rejection(
        document in document(), text in text(), which in 0_usize..4, nice in 1_u32..2000, ulps in -2_i8..=2,
    ) {
        // Values a hair beside a short number are where rounding could fall short.
        let ttft_p95_ms = (0..ulps.abs()).fold(f64::from(nice) / 10.0, |value, _| {
            if ulps > 0 { value.next_up() } else { value.next_down() }
        });
        let mut document = document;
        for deployment in document["deployments"].as_array_mut().unwrap() {
            deployment["latency"] = json!({"ttft_p50_ms": 0.01, "ttft_p95_ms": ttft_p95_ms, "tokens_per_s": 50.0});
        }
        let mut limits = [None; 4];
        limits[which] = Some([1e-12, 1e-3, 1e-3, 1.0][which]);
        let verdict = decide(&document, &request(&text, limits));
        let Some((message, remedy)) = verdict.infeasible().and_then(|one| Some((one.message(), remedy(one.message())?)))
        else {
            return Ok(());
        };
        limits[remedy.limit] = Some(remedy.value);
        let after = record(&decide(&document, &request(&text, limits)));
        let candidates = after["candidates"].as_array().unwrap();
        let nearest = candidates.iter().find(|one| one["deployment"] == json!(remedy.nearest)).unwrap();
        let rejections = nearest["rejected_by"].as_array().unwrap();
        prop_assert!(rejections.iter().all(|one| one["field"] != json!(remedy.field)), "{message}: {rejections:?}");
    }

    #[test]
    fn non_finite_and_negative_limits_are_errors_that_name_the_field(
        document in document(), which in 0_usize..9,
        bad in prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0]),
    ) {
        let mut request = request("hi", [None; 4]);
        let constraints = &mut request.constraints;
        let field = match which {
            0 => { constraints.max_cost_usd = Some(bad); "max_cost_usd" }
            1 => { constraints.max_latency_ms = Some(bad); "max_latency_ms" }
            2 => { constraints.max_ttft_ms = Some(bad); "max_ttft_ms" }
            3 => { constraints.min_quality = Some(bad); "min_quality" }
            4 => { constraints.quality_tolerance = Some([0.1, bad, 0.1]); "quality_tolerance" }
            5 => { constraints.within_best = Some(bad); "within_best" }
            6 => { constraints.quality_value_usd = Some(bad); "quality_value_usd" }
            7 => { constraints.budget_price = Some(bad); "budget_price" }
            _ => { constraints.latency_value_usd_per_s = bad; "latency_value_usd_per_s" }
        };
        let error = router(&document).decide(&request, NOW_S, 0).unwrap_err();
        let names_it = matches!(error.kind(), ErrorKind::InvalidValue { field: got, .. } if got == field);
        prop_assert!(names_it);
    }

    #[test]
    fn any_text_and_any_cut_of_it_is_decided(document in document(), text in "\\PC{0,400}", repeat in 1_usize..60) {
        let verdict = decide(&document, &request(&text.repeat(repeat), [None; 4]));
        let record = record(&verdict);
        prop_assert!(record["task_profile"]["complexity"]["p"].as_f64().unwrap() > 0.3);
    }
}

#[test]
fn a_bad_time_or_no_message_is_an_error() {
    let document = json!({
        "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
        "providers": [{"name": "p"}],
        "deployments": [{"name": "d", "model": "m", "provider": "p",
                         "price_nano_usd_per_mtok": {"input": 1, "output": 1},
                         "latency": {"ttft_p50_ms": 1, "ttft_p95_ms": 1, "tokens_per_s": 1}}]});
    let router = router(&document);
    for now_s in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
        assert!(router.decide(&request("hi", [None; 4]), now_s, 0).is_err());
    }
    let empty: Request<String> = Request::new(Conversation::new());
    assert_eq!(
        router.decide(&empty, NOW_S, 0).unwrap_err().kind(),
        &ErrorKind::EmptyConversation
    );
}
