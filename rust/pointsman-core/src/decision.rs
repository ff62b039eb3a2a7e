//! [`Decision`] and [`Infeasible`]: what was decided, with every candidate and the reasons.

use std::borrow::Cow;
use std::sync::Arc;

use crate::catalog::{Catalog, Deployment};
use crate::error::Error;
use crate::learned::FeatureVector;
use crate::length::OutputTokens;
use crate::plan::{Expected, Kept, Plan};
use crate::policy::{self, Assurance, Binding, Candidate, Choice, Limits, ReasonCode, Rejection};
use crate::profile::TaskProfile;
use crate::session::SessionPrefix;

/// What both answers share: the request's profile and every candidate.
#[derive(Clone, Debug)]
pub(crate) struct Assessment {
    pub(crate) decision_id: String,
    pub(crate) policy_version: Cow<'static, str>,
    pub(crate) arm: Option<String>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) profile: TaskProfile,
    pub(crate) features: FeatureVector,
    pub(crate) output_tokens: OutputTokens,
    pub(crate) limits: Limits,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) rejections: Vec<Rejection>,
    /// Of each candidate; none without a floor of quality.
    pub(crate) assurances: Vec<Assurance>,
    pub(crate) baseline: usize,
    pub(crate) prefix: Option<Box<SessionPrefix>>,
}

impl Assessment {
    pub(crate) fn deployment(&self, index: usize) -> &Deployment {
        &self.catalog.deployments()[index]
    }

    /// What rejects a candidate.
    pub(crate) fn rejections(&self, index: usize) -> &[Rejection] {
        self.candidates[index].rejected_by(&self.rejections)
    }
}

/// The answer to one request: a deployment, or the constraints that exclude them all.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// A deployment was chosen.
    Chosen(Box<Decision>),
    /// No deployment may answer.
    Infeasible(Box<Infeasible>),
}

impl Verdict {
    /// The decision, if a deployment was chosen.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Verdict::Chosen(decision) => Some(decision),
            Verdict::Infeasible(_) => None,
        }
    }

    /// Why none was chosen, if none was.
    pub fn infeasible(&self) -> Option<&Infeasible> {
        match self {
            Verdict::Chosen(_) => None,
            Verdict::Infeasible(infeasible) => Some(infeasible),
        }
    }
}

/// What was chosen for one request, and why.
#[derive(Clone, Debug)]
pub struct Decision {
    pub(crate) assessment: Assessment,
    pub(crate) plan: Plan,
    pub(crate) ranking: Vec<usize>,
    pub(crate) reason: String,
    pub(crate) confidence: f64,
}

impl Decision {
    pub(crate) fn new(assessment: Assessment, choice: Choice) -> Self {
        let chosen = choice.ranking[0];
        let confidence = assessment.candidates[chosen].quality.p_reaches(choice.need);
        Self {
            assessment,
            plan: Plan::Direct { deployment: chosen },
            ranking: choice.ranking,
            reason: choice.reason,
            confidence,
        }
    }

    /// The same decision, carried out by a kept answer.
    #[must_use]
    pub fn answered_by(&self, kept: Kept) -> Self {
        let mut decision = self.clone();
        decision.reason = format!(
            "kept answer {} ({}, similarity {:.3}); without it: {}",
            kept.entry_id,
            kept.status(),
            kept.similarity,
            self.reason
        );
        let deployment = self.plan.first();
        decision.plan = Plan::Cache { deployment, kept };
        decision
    }

    /// The same decision with another plan, which may name only candidates of it.
    #[must_use]
    pub(crate) fn carried_out(&self, plan: Plan) -> Self {
        let mut decision = self.clone();
        let steps = plan.steps();
        let names = steps.iter().map(|step| {
            self.assessment
                .deployment(step.deployment)
                .name
                .escape_default()
                .to_string()
        });
        let names = names
            .collect::<Vec<_>>()
            .join(if plan.hedge_after_ms().is_some() {
                " | "
            } else {
                " -> "
            });
        decision.reason = match plan.expected() {
            Some(expected) => format!(
                "cascade {names}: quality {:.3} at ${:.6} expected; one call: {}",
                expected.quality, expected.cost_usd, self.reason
            ),
            None => format!("{} {names}; {}", plan.strategy(), self.reason),
        };
        // Those that come after the steps stay the ones to fall back on.
        let rest = self
            .ranking
            .iter()
            .filter(|index| steps.iter().all(|step| step.deployment != **index));
        decision.ranking = steps
            .iter()
            .map(|step| step.deployment)
            .chain(rest.copied())
            .collect();
        decision.plan = plan;
        decision
    }

    /// The same decision as a race of its first against `second`, called after so long without a token.
    ///
    /// # Errors
    ///
    /// A deployment that may not answer or is the first; a time that is no number of milliseconds.
    pub fn raced(&self, second: &str, hedge_after_ms: f64) -> Result<Self, Error> {
        let first = self.plan.first();
        let place = self
            .ranking
            .iter()
            .copied()
            .find(|index| self.assessment.deployment(*index).name == second);
        let Some(second) = place.filter(|place| *place != first) else {
            return Err(Error::invalid(
                "second",
                format!("{second:?}"),
                "give another deployment of the ranking",
            ));
        };
        if !(0.0..=1e9).contains(&hedge_after_ms) {
            return Err(Error::invalid(
                "hedge_after_ms",
                hedge_after_ms,
                "give milliseconds in [0, 1e9]",
            ));
        }
        Ok(self.carried_out(Plan::Race {
            first,
            second,
            hedge_after_ms,
        }))
    }

    /// The caller's floor of quality; 0 if it gave none.
    pub(crate) fn floor(&self) -> f64 {
        let Assessment {
            catalog,
            profile,
            limits,
            candidates,
            ..
        } = &self.assessment;
        policy::floor(catalog, profile, limits, candidates).unwrap_or(0.0)
    }

    /// What a unit of quality is worth in US dollars, where quality has a price.
    pub(crate) fn worth_usd(&self) -> Option<f64> {
        self.assessment.limits.dial.worth_usd()
    }

    /// The quality that the caller's dial needs of an answer; its floor where quality has a price.
    pub(crate) fn need(&self) -> f64 {
        let Assessment {
            profile,
            limits,
            candidates,
            ..
        } = &self.assessment;
        let feasible = candidates.iter().filter(|one| one.is_feasible());
        let best = feasible.map(|one| one.quality.mean);
        let best = best.max_by(f64::total_cmp);
        let floor = self.floor();
        limits
            .dial
            .need(floor, best.unwrap_or(0.0), profile.complexity.label)
    }

    /// What taking a candidate costs, money at its price and waiting, US dollars.
    pub(crate) fn outlay_usd(&self, index: usize) -> f64 {
        self.assessment
            .limits
            .weights
            .outlay_usd(&self.assessment.candidates[index])
    }

    /// Whether only the floor of quality rejects a candidate.
    pub(crate) fn lacks_only_quality(&self, index: usize) -> bool {
        let mut rejections = self.assessment.rejections(index).iter();
        rejections.all(|one| one.code == ReasonCode::QualityFloor)
    }

    /// The request's limits of latency and of time to the first token.
    pub(crate) fn latency_limits_ms(&self) -> (Option<f64>, Option<f64>) {
        let limits = &self.assessment.limits;
        (limits.max_latency_ms, limits.max_ttft_ms)
    }

    pub(crate) fn max_cost_usd(&self) -> Option<f64> {
        self.assessment.limits.max_cost_usd
    }

    /// Expected quality and cost of carrying it out: of all steps of a cascade, else of the one deployment.
    pub fn expected(&self) -> Expected {
        let predicted = self.predicted();
        self.plan.expected().unwrap_or(Expected {
            quality: predicted.quality.mean,
            cost_usd: predicted.cost_usd,
        })
    }

    /// `dec_` + 32 hex digits: time in ms, then a hash of the inputs.
    pub fn decision_id(&self) -> &str {
        &self.assessment.decision_id
    }

    /// Version of the policy that chose: the request's, if it names one, with the algorithm's behind it.
    pub fn policy_version(&self) -> &str {
        &self.assessment.policy_version
    }

    /// Which of the policy's versions that is, as the request had it.
    pub fn arm(&self) -> Option<&str> {
        self.assessment.arm.as_deref()
    }

    /// The catalog decided on; its version is the decision's `config_version`.
    pub fn catalog(&self) -> &Catalog {
        &self.assessment.catalog
    }

    /// How the request is executed.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The deployment chosen.
    pub fn deployment(&self) -> &Deployment {
        self.assessment.deployment(self.plan.first())
    }

    /// Names of the feasible deployments that may be tried, best first.
    pub fn ranking(&self) -> impl Iterator<Item = &str> {
        self.ranking
            .iter()
            .map(|index| self.assessment.deployment(*index).name.as_str())
    }

    /// Why the chosen one won, in one ASCII line.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Probability with which the policy chose this deployment; 1 unless it explores or several share a load.
    ///
    /// Of a cascade 1: nothing is drawn there.
    pub fn propensity(&self) -> f64 {
        match self.plan {
            Plan::Cascade { .. } => 1.0,
            _ => self.predicted().propensity,
        }
    }

    /// Probability that the chosen deployment's quality meets the need.
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// The chosen candidate with its predictions.
    pub fn predicted(&self) -> &Candidate {
        &self.assessment.candidates[self.plan.first()]
    }

    /// What stands behind the chosen one's promise to meet the request's quality floor; `None` without a floor.
    pub fn assurance(&self) -> Option<&Assurance> {
        self.assessment.assurances.get(self.plan.first())
    }

    /// What was predicted of a deployment.
    ///
    /// # Errors
    ///
    /// A name that the catalog does not hold.
    pub fn candidate(&self, deployment: &str) -> Result<&Candidate, Error> {
        let index = self.catalog().deployment_index(deployment)?;
        Ok(&self.assessment.candidates[index])
    }

    /// Every candidate, in the catalog's order.
    pub fn candidates(&self) -> &[Candidate] {
        &self.assessment.candidates
    }

    /// What stands behind each candidate's promise to meet the request's quality floor; empty without a floor.
    pub fn assurances(&self) -> &[Assurance] {
        &self.assessment.assurances
    }

    /// Input and output tokens expected of a call of the deployment; 0 of one that the catalog does not hold.
    pub fn n_tokens_of(&self, deployment: &str) -> u64 {
        let assessment = &self.assessment;
        let index = assessment.catalog.deployment_index(deployment);
        let n_choices = assessment.limits.n_choices;
        index.map_or(0, |index| assessment.candidates[index].n_tokens(n_choices))
    }

    /// What the request is.
    pub fn profile(&self) -> &TaskProfile {
        &self.assessment.profile
    }

    /// The conversation decided on, if the request named its session; goes with the outcome.
    pub fn prefix(&self) -> Option<SessionPrefix> {
        self.assessment.prefix.as_deref().copied()
    }

    /// What its outcome must bring along to be learned from in full.
    pub fn features(&self) -> &FeatureVector {
        &self.assessment.features
    }

    /// The deployment of the baseline model that the baseline is priced at.
    pub fn baseline(&self) -> &Deployment {
        self.assessment.deployment(self.assessment.baseline)
    }

    /// What the baseline would be expected to cost, US dollars.
    pub fn baseline_cost_usd(&self) -> f64 {
        self.assessment.candidates[self.assessment.baseline].cost_usd
    }
}

/// Why no deployment may answer.
#[derive(Clone, Debug)]
pub struct Infeasible {
    pub(crate) assessment: Assessment,
    pub(crate) binding: Binding,
}

impl Infeasible {
    /// `dec_` + 32 hex digits.
    pub fn decision_id(&self) -> &str {
        &self.assessment.decision_id
    }

    /// The binding constraint: the one whose removal would make the most deployments feasible.
    pub fn code(&self) -> ReasonCode {
        self.binding.code
    }

    /// The binding constraint, the nearest miss and the remedy, in one line.
    pub fn message(&self) -> &str {
        &self.binding.message
    }

    /// Every candidate, in the catalog's order.
    pub fn candidates(&self) -> &[Candidate] {
        &self.assessment.candidates
    }

    /// Every constraint that rejects a candidate (by its place in the catalog), as (code, field).
    pub fn rejections(&self, candidate: usize) -> impl Iterator<Item = (ReasonCode, &'static str)> {
        let rejections = self.assessment.rejections(candidate).iter();
        rejections.map(|one| (one.code, one.field))
    }
}
