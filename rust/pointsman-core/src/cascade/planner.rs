//! [`Planner`]: which steps, if any, are worth more than one call; and what was learned to tell.

use std::collections::BTreeMap;

use super::evidence::{Evidence, Verdicts};
use super::pair::Pair;
use super::value::{Prospect, Stage, best_thresholds, escalated, posterior};
use crate::decision::Decision;
use crate::plan::{Expected, Plan, Step};

/// Most steps a plan may have.
const MAX_DEPTH: usize = 3;
/// Candidates that plans are made of: the cheapest, and the best.
const MAX_CANDIDATES: usize = 6;
/// Doublings over which the worth of quality is sought that makes a plan reach a needed quality.
const N_WORTHS: i32 = 24;

/// What a caller wants of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Whether to plan a cascade although one call may be worth more.
    pub is_forced: bool,
    /// Most steps, at least 2; three are the most there are.
    pub max_depth: usize,
    /// Names of the verifiers that will look at answers.
    pub verifiers: &'a [&'a str],
}

/// Plans cascades, and learns what verifiers are worth and which models fail together.
///
/// # Example
///
/// ```
/// # use std::sync::Arc;
/// # use pointsman_core::{Catalog, Conversation, Plan, Request, Router};
/// use pointsman_core::cascade::{Planner, Wish};
///
/// # let catalog = Catalog::from_json(br#"{
/// #   "models": [{"name": "small", "context_window": 8000, "quality": {"default": 0.7}},
/// #              {"name": "large", "context_window": 8000, "quality": {"default": 0.9}}],
/// #   "providers": [{"name": "p"}],
/// #   "deployments": [
/// #     {"name": "s", "model": "small", "provider": "p", "price_nano_usd_per_mtok": {"input": 1000000, "output": 1000000},
/// #      "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}},
/// #     {"name": "l", "model": "large", "provider": "p", "price_nano_usd_per_mtok": {"input": 90000000, "output": 90000000},
/// #      "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}]}"#)?;
/// let router = Router::new(Arc::new(catalog))?;
/// let mut request = Request::new(Conversation::user("Prove that there are infinitely many primes."));
/// request.constraints.min_quality = Some(0.85);
/// let verdict = router.decide(&request, 1e9, 7)?;
/// let decision = verdict.decision().unwrap();
/// let planner = Planner::new(&[("tests", 0.97, 0.05)]);
/// let wish = Wish { is_forced: false, max_depth: 3, verifiers: &["tests"] };
/// let planned = planner.plan(decision, wish).unwrap();
/// assert!(matches!(planned.plan(), Plan::Cascade { steps, .. } if steps.len() == 2));
/// # Ok::<(), pointsman_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Planner {
    rates: BTreeMap<String, (f64, f64)>,
    /// By verifier and model.
    pub(super) verdicts: BTreeMap<(String, String), Verdicts>,
    /// By the first model and the second.
    pub(super) pairs: BTreeMap<(String, String), Pair>,
}

/// A deployment that a plan may call.
struct Part<'a> {
    deployment: usize,
    model: &'a str,
    quality: f64,
    cost_usd: f64,
    outlay_usd: f64,
    p95_ms: f64,
    ttft_p95_ms: f64,
    may_be_last: bool,
    evidence: Evidence,
}

/// A plan that is considered, as places in the parts.
struct Considered {
    places: Vec<usize>,
    prospect: Prospect,
}

impl Planner {
    /// Knows of some verifiers how much of good and of bad answers they pass: (name, TPR, FPR).
    pub fn new(rates: &[(&str, f64, f64)]) -> Self {
        let rates = rates.iter().map(|(name, tpr, fpr)| {
            (
                (*name).to_owned(),
                (tpr.clamp(0.0, 1.0), fpr.clamp(0.0, 1.0)),
            )
        });
        Self {
            rates: rates.collect(),
            ..Self::default()
        }
    }

    /// Learns that a verifier gave `value` to an answer of `model` that was graded `reward`; both in [0, 1].
    pub fn observe_verdict(&mut self, verifier: &str, model: &str, value: f64, reward: f64) {
        let key = (verifier.to_owned(), model.to_owned());
        let fresh = || Verdicts::new(self.rates.get(verifier).copied());
        self.verdicts
            .entry(key)
            .or_insert_with(fresh)
            .observe(value, reward);
    }

    /// Learns how two models fared on one request: what was predicted of each, and the grades, all in [0, 1].
    pub fn observe_pair(
        &mut self,
        models: (&str, &str),
        predicted: (f64, f64),
        rewards: (f64, f64),
    ) {
        let key = (models.0.to_owned(), models.1.to_owned());
        self.pairs
            .entry(key)
            .or_default()
            .observe(predicted, rewards);
    }

    /// Probability that an answer of `model` is good after what verifiers said, from a belief in it before.
    pub fn posterior(&self, model: &str, belief: f64, signals: &[(&str, f64)]) -> f64 {
        let ratios = signals
            .iter()
            .map(|(verifier, value)| self.verdicts(verifier, model).evidence().log_ratio(*value));
        posterior(belief.clamp(0.0, 1.0), ratios.sum())
    }

    /// Belief in the answer of step `step` (from 1), after this belief in that of the step before.
    ///
    /// Its plain prediction where the plan has no such step.
    pub fn belief_after(&self, decision: &Decision, step: usize, belief: f64) -> f64 {
        let steps = decision.plan().steps();
        let (Some(from), Some(to)) = (
            step.checked_sub(1).and_then(|i| steps.get(i)),
            steps.get(step),
        ) else {
            return decision.predicted().quality.mean;
        };
        let quality = |step: &Step| decision.candidates()[step.deployment].quality.mean;
        let model = |step: &Step| {
            decision
                .catalog()
                .model_of(&decision.catalog().deployments()[step.deployment])
        };
        let nothing = Evidence::none();
        let stage = |step: &Step, pair| Stage {
            quality: quality(step),
            outlay_usd: 0.0,
            evidence: &nothing,
            pair,
        };
        let pair = self.pair(&model(from).name, &model(to).name);
        escalated(belief, &stage(from, Pair::default()), &stage(to, pair))
    }

    /// The decision, carried out as a cascade, where that is worth more than its one call or is forced.
    ///
    /// `None` where it is not, or no two deployments may follow each other.
    pub fn plan(&self, decision: &Decision, wish: Wish<'_>) -> Option<Decision> {
        let parts = self.parts(decision, wish);
        let first = decision.plan().first();
        let (floor, worth) = (decision.floor(), decision.worth_usd());
        let need = decision.need();
        let best = self.best(
            decision,
            &parts,
            wish.max_depth.min(MAX_DEPTH),
            (floor, worth, need),
        )?;
        let direct = &decision.candidates()[first];
        let alone_usd = decision.outlay_usd(first);
        let gain_usd = match worth {
            Some(usd) => {
                usd * (best.prospect.quality - direct.quality.mean) - best.prospect.outlay_usd
                    + alone_usd
            }
            None => alone_usd - best.prospect.outlay_usd,
        };
        if gain_usd <= 0.0 && !wish.is_forced {
            return None;
        }
        Some(decision.carried_out(plan_of(&parts, &best)))
    }

    /// The deployments that plans are made of, by what they cost; each model's cheapest.
    fn parts<'a>(&self, decision: &'a Decision, wish: Wish<'_>) -> Vec<Part<'a>> {
        let candidates = decision.candidates();
        let may_serve =
            |index: &usize| candidates[*index].is_feasible() || decision.lacks_only_quality(*index);
        let mut places: Vec<usize> = (0..candidates.len()).filter(may_serve).collect();
        places.sort_by(|a, b| decision.outlay_usd(*a).total_cmp(&decision.outlay_usd(*b)));
        let model_of = |index: usize| decision.catalog().deployments()[index].model;
        let mut seen = Vec::new();
        places.retain(|index| {
            let is_new = !seen.contains(&model_of(*index));
            seen.push(model_of(*index));
            is_new
        });
        if places.len() > MAX_CANDIDATES {
            let quality = |place: &usize| candidates[places[*place]].quality.mean;
            let best = (0..places.len()).max_by(|a, b| quality(a).total_cmp(&quality(b)));
            if let Some(best) = best.filter(|best| *best >= MAX_CANDIDATES) {
                places.swap(MAX_CANDIDATES - 1, best);
            }
            places.truncate(MAX_CANDIDATES);
        }
        places
            .into_iter()
            .map(|index| self.part(decision, wish, index))
            .collect()
    }

    fn part<'a>(&self, decision: &'a Decision, wish: Wish<'_>, deployment: usize) -> Part<'a> {
        let catalog = decision.catalog();
        let candidate = &decision.candidates()[deployment];
        let model = &catalog.model_of(&catalog.deployments()[deployment]).name;
        let evidence = wish
            .verifiers
            .iter()
            .map(|verifier| self.verdicts(verifier, model).evidence())
            .reduce(|all, one| all.and(&one));
        Part {
            deployment,
            model,
            quality: candidate.quality.mean,
            cost_usd: candidate.cost_usd,
            outlay_usd: decision.outlay_usd(deployment),
            p95_ms: candidate.latency.p95_ms,
            ttft_p95_ms: candidate.latency.ttft_p95_ms,
            may_be_last: candidate.is_feasible(),
            evidence: evidence.unwrap_or_else(Evidence::none),
        }
    }

    /// The best plan of two steps, and of three where a third makes it better.
    fn best(
        &self,
        decision: &Decision,
        parts: &[Part<'_>],
        max_depth: usize,
        goal: (f64, Option<f64>, f64),
    ) -> Option<Considered> {
        let mut best: Option<Considered> = None;
        for last in 1..parts.len() {
            for first in 0..last {
                better(
                    &mut best,
                    self.consider(decision, parts, vec![first, last], goal),
                    goal.1,
                );
            }
        }
        if max_depth >= 3 {
            let places = best.as_ref()?.places.clone();
            for middle in places[0] + 1..places[1] {
                better(
                    &mut best,
                    self.consider(decision, parts, vec![places[0], middle, places[1]], goal),
                    goal.1,
                );
            }
            for first in 0..places[0] {
                better(
                    &mut best,
                    self.consider(decision, parts, vec![first, places[0], places[1]], goal),
                    goal.1,
                );
            }
        }
        best
    }

    /// These steps with their thresholds; `None` if they break a limit or miss the need.
    fn consider(
        &self,
        decision: &Decision,
        parts: &[Part<'_>],
        places: Vec<usize>,
        (floor, worth, need): (f64, Option<f64>, f64),
    ) -> Option<Considered> {
        let chosen: Vec<&Part<'_>> = places.iter().map(|place| &parts[*place]).collect();
        let last = chosen.last()?;
        if !last.may_be_last
            || last.quality <= chosen[0].quality
            || !keeps_limits(decision, &chosen)
        {
            return None;
        }
        let stages: Vec<Stage<'_>> = (0..chosen.len())
            .map(|step| Stage {
                quality: chosen[step].quality,
                outlay_usd: chosen[step].outlay_usd,
                evidence: &chosen[step].evidence,
                pair: match step {
                    0 => Pair::default(),
                    _ => self.pair(chosen[step - 1].model, chosen[step].model),
                },
            })
            .collect();
        let prospect = match worth {
            Some(usd) => best_thresholds(&stages, usd, floor),
            None => cheapest_reaching(&stages, need, floor)?,
        };
        let spent = expected_cost_usd(&chosen, &prospect);
        let is_affordable = decision.max_cost_usd().is_none_or(|most| spent <= most);
        is_affordable.then_some(Considered { places, prospect })
    }

    fn verdicts(&self, verifier: &str, model: &str) -> Verdicts {
        let key = (verifier.to_owned(), model.to_owned());
        let known = self.verdicts.get(&key).cloned();
        known.unwrap_or_else(|| Verdicts::new(self.rates.get(verifier).copied()))
    }

    fn pair(&self, first: &str, second: &str) -> Pair {
        let key = (first.to_owned(), second.to_owned());
        self.pairs.get(&key).copied().unwrap_or_default()
    }
}

/// Keeps the better of two plans: by value where quality has a price, else by outlay.
fn better(best: &mut Option<Considered>, other: Option<Considered>, worth: Option<f64>) {
    let score =
        |one: &Considered| worth.unwrap_or(0.0) * one.prospect.quality - one.prospect.outlay_usd;
    if let Some(other) = other
        && best.as_ref().is_none_or(|best| score(&other) > score(best))
    {
        *best = Some(other);
    }
}

/// The cheapest thresholds whose expected quality reaches a need: the least worth of quality that makes them.
fn cheapest_reaching(stages: &[Stage<'_>], need: f64, floor: f64) -> Option<Prospect> {
    let scale: f64 = stages
        .iter()
        .map(|stage| stage.outlay_usd)
        .sum::<f64>()
        .max(1e-12);
    let at = |doublings: f64| best_thresholds(stages, scale * doublings.exp2(), floor);
    let most = f64::from(N_WORTHS);
    let mut found = at(most);
    if found.quality < need {
        return None;
    }
    let (mut low, mut high) = (-4.0, most);
    for _ in 0..10 {
        let middle = 0.5 * (low + high);
        let tried = at(middle);
        if tried.quality >= need {
            (high, found) = (middle, tried);
        } else {
            low = middle;
        }
    }
    Some(found)
}

/// Whether steps one after the other stay within the limits of latency.
fn keeps_limits(decision: &Decision, chosen: &[&Part<'_>]) -> bool {
    let (earlier, last) = chosen.split_at(chosen.len() - 1);
    let waited_ms: f64 = earlier.iter().map(|part| part.p95_ms).sum();
    let (max_latency_ms, max_ttft_ms) = decision.latency_limits_ms();
    max_latency_ms.is_none_or(|most| waited_ms + last[0].p95_ms <= most)
        && max_ttft_ms.is_none_or(|most| waited_ms + last[0].ttft_p95_ms <= most)
}

fn expected_cost_usd(chosen: &[&Part<'_>], prospect: &Prospect) -> f64 {
    let costs = chosen.iter().zip(&prospect.reach);
    costs.map(|(part, reach)| part.cost_usd * reach).sum()
}

fn plan_of(parts: &[Part<'_>], best: &Considered) -> Plan {
    let chosen: Vec<&Part<'_>> = best.places.iter().map(|place| &parts[*place]).collect();
    let thresholds = best
        .prospect
        .thresholds
        .iter()
        .copied()
        .map(Some)
        .chain([None]);
    Plan::Cascade {
        steps: chosen
            .iter()
            .zip(thresholds)
            .map(|(part, accept_threshold)| Step {
                deployment: part.deployment,
                accept_threshold,
            })
            .collect(),
        expected: Expected {
            quality: best.prospect.quality,
            cost_usd: expected_cost_usd(&chosen, &best.prospect),
        },
    }
}
