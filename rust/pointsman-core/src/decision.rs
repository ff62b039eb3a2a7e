//! [`Decision`] and [`Infeasible`]: what was decided, with every candidate and the reasons.

use std::sync::Arc;

use crate::catalog::{Catalog, Deployment};
use crate::learned::FeatureVector;
use crate::length::OutputTokens;
use crate::plan::{Kept, Plan};
use crate::policy::{Binding, Candidate, Choice, Limits, POLICY_VERSION, ReasonCode, Rejection};
use crate::profile::TaskProfile;
use crate::session::SessionPrefix;

/// What both answers share: the request's profile and every candidate.
#[derive(Clone, Debug)]
pub(crate) struct Assessment {
    pub(crate) decision_id: String,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) profile: TaskProfile,
    pub(crate) features: FeatureVector,
    pub(crate) output_tokens: OutputTokens,
    pub(crate) limits: Limits,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) baseline: usize,
    pub(crate) prefix: Option<SessionPrefix>,
}

impl Assessment {
    pub(crate) fn deployment(&self, index: usize) -> &Deployment {
        &self.catalog.deployments()[index]
    }
}

/// The answer to one request: a deployment, or the constraints that exclude them all.
// A decision is large and an infeasibility rare, so boxing either would only cost.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// A deployment was chosen.
    Chosen(Decision),
    /// No deployment may answer.
    Infeasible(Infeasible),
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

    /// `dec_` + 32 hex digits: time in ms, then a hash of the inputs.
    pub fn decision_id(&self) -> &str {
        &self.assessment.decision_id
    }

    /// Version of the policy that chose.
    pub fn policy_version(&self) -> &'static str {
        POLICY_VERSION
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
    pub fn propensity(&self) -> f64 {
        self.predicted().propensity
    }

    /// Probability that the chosen deployment's quality meets the need.
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// The chosen candidate with its predictions.
    pub fn predicted(&self) -> &Candidate {
        &self.assessment.candidates[self.plan.first()]
    }

    /// Every candidate, in the catalog's order.
    pub fn candidates(&self) -> &[Candidate] {
        &self.assessment.candidates
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
        self.assessment.prefix
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
        let range = self.assessment.candidates[candidate].rejections.clone();
        self.assessment.rejections[range]
            .iter()
            .map(|rejection| (rejection.code, rejection.field))
    }
}
