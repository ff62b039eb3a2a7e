//! The policy against its definition (science.md 2.5), written out plainly.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

mod common;

use common::{
    NOW_S, decide, document, events, limits, request, router, taught, text, wished, wishes,
};
use pointsman_core::{
    Assurance, Candidate, Complexity, Constraints, Domain, Outcome, Request, Structure,
    TaskProfile, Verdict,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn candidates(verdict: &Verdict) -> &[Candidate] {
    match verdict {
        Verdict::Chosen(decision) => decision.candidates(),
        Verdict::Infeasible(infeasible) => infeasible.candidates(),
    }
}

/// Whether each candidate is rejected by that field.
fn is_rejected_by(verdict: &Verdict, field: &str) -> Vec<bool> {
    let bytes = match verdict {
        Verdict::Chosen(decision) => decision.to_json(None),
        Verdict::Infeasible(infeasible) => infeasible.to_json(None),
    };
    let record: Value = serde_json::from_slice(&bytes).unwrap();
    let has = |candidate: &Value| {
        let rejections = candidate["rejected_by"].as_array().unwrap();
        rejections.iter().any(|one| one["field"] == json!(field))
    };
    let each = record["candidates"].as_array().unwrap();
    each.iter().map(has).collect()
}

/// What quality and money weigh, where `best` is the best feasible quality.
fn score_usd(
    asked: &Constraints<String>,
    profile: &TaskProfile,
    best: f64,
    of: &Candidate,
    assurance: Option<&Assurance>,
) -> f64 {
    let budget_price = asked.budget_price.unwrap_or(0.0);
    let waiting_usd = asked.latency_value_usd_per_s * of.overage_s;
    // Whoever cannot be trusted with the floor comes behind all that can.
    let unmet = assurance.filter(|one| !one.is_met);
    let shortfall = unmet.map_or(0.0, |one| (one.min_quality - of.quality.lcb).max(1e-6));
    let outlay_usd = (1.0 + budget_price) * of.cost_usd + waiting_usd + 1000.0 * shortfall;
    let quality_value_usd = asked.quality_value_usd.or(asked.budget_price.map(|_| 1.0));
    if let Some(usd) = quality_value_usd {
        return usd * of.quality.mean - outlay_usd;
    }
    let complexity = profile.complexity.label as usize;
    let need = match (
        asked.within_best,
        asked.quality_tolerance,
        asked.min_quality,
    ) {
        (Some(share), ..) => best - share * best,
        (None, Some(tolerance), _) => best - tolerance[complexity],
        (None, None, Some(floor)) => floor,
        (None, None, None) => best - [0.20, 0.10, 0.02][complexity],
    };
    -1000.0 * (need - of.quality.mean).max(0.0) - outlay_usd
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn scores_and_ranks_are_what_the_definition_says(
        document in document(), events in events(), text in text(), limits in limits(), wishes in wishes(), is_taught in any::<bool>(),
    ) {
        let (router, now_s) = taught(&document, if is_taught { &events } else { &[] });
        let request = wished(&text, limits, wishes);
        let verdict = router.decide(&request, now_s, 7).unwrap();
        let Some(decision) = verdict.decision() else {
            return Ok(());
        };
        let feasible: Vec<&Candidate> = decision.candidates().iter().filter(|one| one.is_feasible()).collect();
        let best = feasible.iter().map(|one| one.quality.mean).fold(0.0, f64::max);
        for (index, one) in decision.candidates().iter().enumerate().filter(|(_, one)| one.is_feasible()) {
            let assurance = decision.assurances().get(index);
            let expected = score_usd(&request.constraints, decision.profile(), best, one, assurance);
            prop_assert!((one.score_usd - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{} {expected}", one.score_usd);
        }
        // An incumbent or a draw may put another first.
        if !is_taught && !request.constraints.exploration {
            let highest = feasible.iter().map(|one| one.score_usd).fold(f64::NEG_INFINITY, f64::max);
            prop_assert!((decision.predicted().score_usd - highest).abs() <= 0.0);
        }
    }

    #[test]
    fn a_limit_that_is_just_met_rejects_nothing_and_a_hair_beyond_it_does(
        document in document(), text in text(), pick in any::<prop::sample::Index>(), which in 0_usize..4,
    ) {
        let free = decide(&document, &request(&text, [None; 4]));
        let index = pick.index(candidates(&free).len());
        let one = &candidates(&free)[index];
        let value = [one.cost_usd, one.latency.p95_ms, one.latency.ttft_p95_ms, one.quality.mean][which];
        let beyond = if which == 3 { value.next_up() } else { value.next_down() };
        let field = ["max_cost_usd", "latency_p95_ms", "ttft_p95_ms", "min_quality"][which];
        let rejects = |limit: f64| {
            let mut limits = [None; 4];
            limits[which] = Some(limit);
            is_rejected_by(&decide(&document, &request(&text, limits)), field)[index]
        };
        prop_assert!(!rejects(value));
        if (0.0..=1.0).contains(&beyond) || (which < 3 && beyond > 0.0) {
            prop_assert!(rejects(beyond));
        }
    }

    #[test]
    fn quality_like_a_model_is_the_least_quality_its_deployments_are_known_for(
        document in document(), events in events(), text in text(),
    ) {
        let (router, now_s) = taught(&document, &events);
        let mut request = request(&text, [None; 4]);
        let model = document["deployments"][0]["model"].clone();
        request.constraints.quality_like = Some(model.as_str().unwrap().to_owned());
        let verdict = router.decide(&request, now_s, 7).unwrap();
        let deployments = document["deployments"].as_array().unwrap();
        let qualities = candidates(&verdict).iter().map(|one| one.quality.mean);
        let of_model = deployments.iter().zip(qualities.clone()).filter(|(one, _)| one["model"] == model);
        let floor = of_model.map(|(_, quality)| quality).fold(1.0, f64::min);
        let expected: Vec<bool> = qualities.map(|quality| quality < floor).collect();
        prop_assert_eq!(is_rejected_by(&verdict, "quality_like"), expected);
    }
}

/// Deployments "big" and "small" of models of that name, with priors 0.9 and 0.6.
fn pair() -> Value {
    let model = |name: &str, quality: f64| json!({"name": name, "context_window": 8000, "quality": {"default": quality}});
    let deployment = |name: &str, price: u64| {
        json!({"name": name, "model": name, "provider": "p", "price_nano_usd_per_mtok": {"input": price, "output": price},
               "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}})
    };
    json!({"models": [model("big", 0.9), model("small", 0.6)], "providers": [{"name": "p"}],
           "deployments": [deployment("big", 9_000_000_000), deployment("small", 1_000_000_000)]})
}

#[test]
fn a_model_found_worse_than_its_prior_is_a_lower_floor() {
    let router = router(&pair());
    let mut asked = request("What is the capital of France?", [None; 4]);
    asked.constraints.quality_like = Some("big".to_owned());
    let decided = || router.decide(&asked, NOW_S, 7).unwrap();
    assert_eq!(is_rejected_by(&decided(), "quality_like"), [false, true]);
    let told = |name: &str, reward: f64| {
        let outcome = Outcome {
            reward: Some(reward),
            ..Outcome::new(
                name.to_owned(),
                Domain::General,
                Complexity::Lookup,
                Structure::Text,
            )
        };
        (0..60).for_each(|_| router.observe(&outcome, NOW_S).unwrap());
    };
    told("big", 0.2);
    told("small", 0.7);
    assert_eq!(is_rejected_by(&decided(), "quality_like"), [false, false]);
    let decision = decided();
    assert_eq!(decision.decision().unwrap().deployment().name, "small");
}

#[test]
fn only_seconds_beyond_the_limit_or_the_deadline_cost() {
    let router = router(&pair());
    let mut asked = request("What is the capital of France?", [None; 4]);
    asked.constraints.latency_value_usd_per_s = 0.01;
    let overage_s = |max_latency_ms, deadline_s| {
        let mut asked = asked.clone();
        asked.constraints.max_latency_ms = max_latency_ms;
        asked.constraints.deadline_s = deadline_s;
        candidates(&router.decide(&asked, NOW_S, 7).unwrap())[0].overage_s
    };
    assert!(overage_s(None, None) > 0.4, "any second");
    for (limit, deadline) in [(Some(1e6), None), (None, Some(1e3)), (Some(1e6), Some(1e3))] {
        assert!(overage_s(limit, deadline) < 1e-3, "{limit:?} {deadline:?}");
    }
    let tight = overage_s(Some(500.0), Some(1e3));
    assert!(
        tight > 0.01 && tight < overage_s(None, None) - 0.2,
        "{tight}"
    );
}

#[test]
fn confidence_is_that_of_the_floor_where_the_share_of_the_best_is_below_it() {
    let router = router(&pair());
    let mut asked = request("What is the capital of France?", [None; 4]);
    asked.constraints.min_quality = Some(0.85);
    let confidence = |within_best| {
        let mut asked = asked.clone();
        asked.constraints.within_best = within_best;
        let verdict = router.decide(&asked, NOW_S, 7).unwrap();
        verdict.decision().unwrap().confidence()
    };
    assert!((confidence(Some(0.5)) - confidence(None)).abs() < 1e-12);
}

#[test]
fn all_that_a_decision_depends_on_is_in_its_id() {
    let router = router(&pair());
    let base = request("What is the capital of France?", [None; 4]);
    let id = |change: fn(&mut Request<String>)| {
        let mut asked = base.clone();
        change(&mut asked);
        let verdict = router.decide(&asked, NOW_S, 7).unwrap();
        verdict.decision().unwrap().decision_id().to_owned()
    };
    let mut ids = vec![
        id(|_| {}),
        id(|one| one.constraints.within_best = Some(0.1)),
        id(|one| one.constraints.quality_value_usd = Some(0.1)),
        id(|one| one.constraints.budget_price = Some(0.1)),
        id(|one| one.constraints.latency_value_usd_per_s = 0.1),
        id(|one| one.constraints.min_propensity = 0.1),
        id(|one| one.constraints.exploration = true),
        id(|one| one.tenant = Some(String::new())),
        id(|one| one.session_id = Some(String::new())),
        id(|one| one.vector = Some(vec![0.5])),
        id(|one| one.vector = Some(vec![0.25])),
        id(|one| one.vector = Some(vec![0.25, 0.0])),
    ];
    let n_ids = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), n_ids);
}

#[test]
fn where_no_constraint_alone_is_to_blame_the_message_says_what_the_nearest_misses_too() {
    let mut asked = request("What is the capital of France?", [None; 4]);
    asked.constraints.min_quality = Some(0.95);
    asked.constraints.max_ttft_ms = Some(100.0);
    asked.n_tools = 1;
    let verdict = decide(&pair(), &asked);
    let message = verdict.infeasible().unwrap().message();
    let too = "; big misses min_quality (limit 0.95, needed 0.9), tools too";
    assert!(message.ends_with(too), "{message}");
    asked.constraints.min_quality = None;
    asked.n_tools = 0;
    let message = decide(&pair(), &asked)
        .infeasible()
        .unwrap()
        .message()
        .to_owned();
    assert!(message.ends_with("or drop it"), "{message}");
}
