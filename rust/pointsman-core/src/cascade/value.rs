//! The expected value of escalation (science.md 2.8): thresholds, and what a plan is expected to give.

use super::evidence::Evidence;
use super::pair::Pair;

/// Halvings of the interval in which a threshold is sought: to 1e-4.
const N_HALVINGS: usize = 14;

/// One step a plan may take.
#[derive(Clone, Debug)]
pub struct Stage<'a> {
    /// Predicted quality of its answer, in [0, 1].
    pub quality: f64,
    /// What taking it costs: money at its price, and waiting; US dollars.
    pub outlay_usd: f64,
    /// What verifiers may say of its answer.
    pub evidence: &'a Evidence,
    /// How its correctness depends on that of the step before; of the first: not looked at.
    pub pair: Pair,
}

/// What following a plan is expected to come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Prospect {
    /// Accept step `i`'s answer if the probability that it is good is at least this; one fewer than there are steps.
    pub thresholds: Vec<f64>,
    /// Expected quality of the answer that is kept.
    pub quality: f64,
    /// Expected outlay, US dollars.
    pub outlay_usd: f64,
    /// Probability that each step is taken; the first is 1.
    pub reach: Vec<f64>,
}

/// Posterior of a belief, in [0, 1], after evidence of this log ratio: `sigma(logit p + log LR)`.
pub fn posterior(belief: f64, log_ratio: f64) -> f64 {
    let good = belief * log_ratio.clamp(-40.0, 40.0).exp();
    let sum = good + (1.0 - belief);
    if sum > 0.0 { good / sum } else { belief }
}

/// The best thresholds for these steps where a unit of quality is worth `worth_usd`, and what they come to.
///
/// `floor`: an answer less likely to be good than this is never accepted, but from the last step. At most three steps.
///
/// # Example
///
/// ```
/// use pointsman_core::cascade::{Pair, Stage, Verdicts, best_thresholds};
///
/// let sure = Verdicts::new(Some((0.95, 0.05))).evidence();
/// let stage = |quality, outlay_usd| Stage { quality, outlay_usd, evidence: &sure, pair: Pair::default() };
/// let prospect = best_thresholds(&[stage(0.6, 0.001), stage(0.9, 0.02)], 1.0, 0.0);
/// assert!(prospect.quality > 0.89, "as good as the dear one");
/// assert!(prospect.reach[1] < 0.5, "and mostly cheap");
/// ```
pub fn best_thresholds(stages: &[Stage<'_>], worth_usd: f64, floor: f64) -> Prospect {
    let thresholds = (1..stages.len())
        .map(|next| threshold(&stages[next - 1..], worth_usd, floor))
        .collect::<Vec<_>>();
    follow(stages, thresholds)
}

/// The belief at which keeping the first stage's answer is worth as much as going on with the others.
fn threshold(stages: &[Stage<'_>], worth_usd: f64, floor: f64) -> f64 {
    let after = |belief: f64| escalated(belief, &stages[0], &stages[1]);
    let keeps =
        |belief: f64| worth_usd * belief >= value(&stages[1..], after(belief), worth_usd, floor);
    if keeps(0.0) {
        return floor;
    }
    if !keeps(1.0) {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..N_HALVINGS {
        let middle = 0.5 * (low + high);
        if keeps(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high.max(floor)
}

/// Value in US dollars of taking the first stage at this belief in it, and going on as is best.
fn value(stages: &[Stage<'_>], belief: f64, worth_usd: f64, floor: f64) -> f64 {
    let stage = &stages[0];
    if stages.len() == 1 {
        return worth_usd * belief - stage.outlay_usd;
    }
    let mut sum = 0.0;
    for point in stage.evidence.points() {
        let p = belief * point.p_good + (1.0 - belief) * point.p_bad;
        if p <= 0.0 {
            continue;
        }
        let after = belief * point.p_good / p;
        let next = value(
            &stages[1..],
            escalated(after, stage, &stages[1]),
            worth_usd,
            floor,
        );
        let kept = if after >= floor {
            worth_usd * after
        } else {
            f64::NEG_INFINITY
        };
        sum += p * kept.max(next);
    }
    sum - stage.outlay_usd
}

/// Belief in the next step's answer after this belief in the one before.
pub(crate) fn escalated(belief: f64, from: &Stage<'_>, to: &Stage<'_>) -> f64 {
    let (after_good, after_bad) = to.pair.given(from.quality, to.quality);
    belief * after_good + (1.0 - belief) * after_bad
}

/// What the thresholds come to.
fn follow(stages: &[Stage<'_>], thresholds: Vec<f64>) -> Prospect {
    let mut prospect = Prospect {
        thresholds,
        quality: 0.0,
        outlay_usd: 0.0,
        reach: vec![0.0; stages.len()],
    };
    walk(stages, 0, stages[0].quality, 1.0, &mut prospect);
    prospect.outlay_usd = stages
        .iter()
        .zip(&prospect.reach)
        .map(|(stage, reach)| stage.outlay_usd * reach)
        .sum();
    prospect
}

fn walk(stages: &[Stage<'_>], step: usize, belief: f64, p: f64, prospect: &mut Prospect) {
    prospect.reach[step] += p;
    let stage = &stages[step];
    let Some(threshold) = prospect.thresholds.get(step).copied() else {
        prospect.quality += p * belief;
        return;
    };
    for point in stage.evidence.points() {
        let mass = belief * point.p_good + (1.0 - belief) * point.p_bad;
        if mass <= 0.0 {
            continue;
        }
        let after = belief * point.p_good / mass;
        if after >= threshold {
            prospect.quality += p * mass * after;
        } else {
            let next = escalated(after, stage, &stages[step + 1]);
            walk(stages, step + 1, next, p * mass, prospect);
        }
    }
}
