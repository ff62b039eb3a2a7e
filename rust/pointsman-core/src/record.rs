//! The Decision of the HTTP contract, as JSON.

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use crate::decision::{Assessment, Decision, Infeasible};
use crate::floor::Standing;
use crate::plan::Kept;
use crate::policy::{Assurance, Bound, Rejection};
use crate::profile::Axis;

#[derive(Serialize)]
struct Record<'a> {
    decision_id: &'a str,
    policy_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    arm: Option<&'a str>,
    config_version: &'a str,
    strategy: Option<&'static str>,
    task_profile: ProfileRecord,
    plan: Option<PlanRecord<'a>>,
    model: Option<&'a str>,
    deployment: Option<&'a str>,
    provider: Option<&'a str>,
    ranking: Vec<&'a str>,
    reason: &'a str,
    binding_code: Option<&'static str>,
    propensity: Option<f64>,
    confidence: Option<f64>,
    predicted: Option<PredictedRecord>,
    floor: Option<FloorRecord>,
    baseline: BaselineRecord<'a>,
    candidates: Vec<CandidateRecord<'a>>,
    cache: CacheRecord<'a>,
    overhead_us: Option<f64>,
}

#[derive(Serialize)]
struct AxisRecord {
    label: &'static str,
    p: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
}

#[derive(Serialize)]
struct ProfileRecord {
    complexity: AxisRecord,
    domain: AxisRecord,
    structure: AxisRecord,
    latency: AxisRecord,
    n_input_tokens: u64,
    output_tokens: OutputRecord,
    language: &'static str,
}

#[derive(Serialize)]
struct OutputRecord {
    p50: u64,
    p90: u64,
}

#[derive(Serialize)]
struct PlanRecord<'a> {
    steps: Vec<StepRecord<'a>>,
    hedge_after_ms: Option<f64>,
}

#[derive(Serialize)]
struct StepRecord<'a> {
    deployment: &'a str,
    accept_threshold: Option<f64>,
}

#[derive(Serialize)]
struct PredictedRecord {
    quality: f64,
    quality_lcb: f64,
    cost_usd: f64,
    latency_p95_ms: f64,
    ttft_p95_ms: f64,
}

#[derive(Serialize)]
struct BaselineRecord<'a> {
    model: &'a str,
    deployment: &'a str,
    cost_usd: f64,
}

#[derive(Serialize)]
struct CandidateRecord<'a> {
    deployment: &'a str,
    model: &'a str,
    provider: &'a str,
    feasible: bool,
    n_input_tokens: u64,
    n_cached_input_tokens: u64,
    #[serde(flatten)]
    predicted: PredictedRecord,
    /// How much dearer than its cost its health makes it.
    #[serde(skip_serializing_if = "is_zero")]
    pressure: f64,
    score: Option<f64>,
    propensity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<FloorRecord>,
    rejected_by: Vec<RejectionRecord<'a>>,
}

#[derive(Serialize)]
struct RejectionRecord<'a> {
    code: &'static str,
    field: &'static str,
    limit: BoundRecord<'a>,
    value: BoundRecord<'a>,
    /// How far the value lies on the right side of the limit; below 0, null where it is no number.
    slack: Option<f64>,
    /// Seconds until it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_in_s: Option<f64>,
}

/// What stands behind the request's quality floor.
#[derive(Serialize)]
struct FloorRecord {
    min_quality: f64,
    /// Whether it can be trusted to be met.
    met: bool,
    certified: bool,
    alpha: Option<f64>,
    delta: Option<f64>,
    n: Option<usize>,
    threshold: Option<f64>,
    alarm: Option<&'static str>,
}

#[derive(Serialize)]
struct CacheRecord<'a> {
    status: &'static str,
    similarity: Option<f32>,
    entry_id: Option<&'a str>,
}

/// A bound with what its indices refer to.
struct BoundRecord<'a> {
    bound: Bound,
    assessment: &'a Assessment,
}

impl Serialize for BoundRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let limits = &self.assessment.limits;
        let model = |index: &usize| self.assessment.catalog.models()[*index].name.as_str();
        let provider = |index: &usize| self.assessment.catalog.providers()[*index].name.as_str();
        match self.bound {
            Bound::Number(value) => serializer.serialize_f64(value),
            Bound::Flag(value) => serializer.serialize_bool(value),
            Bound::Name(name) => serializer.serialize_str(name),
            Bound::Model(index) => serializer.serialize_str(model(&index)),
            Bound::Provider(index) => serializer.serialize_str(provider(&index)),
            Bound::RequiredParameter(index) => {
                serializer.serialize_str(&limits.required_parameters[index])
            }
            Bound::AllowedModels => sequence(
                serializer,
                limits.allowed_models.iter().flatten().map(model),
            ),
            Bound::PermittedModels => sequence(
                serializer,
                limits.permitted_models.iter().flatten().map(model),
            ),
            Bound::Providers(list) => {
                sequence(serializer, limits.providers(list).iter().map(provider))
            }
            Bound::RequiredParameters => sequence(
                serializer,
                limits.required_parameters.iter().map(String::as_str),
            ),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn sequence<'a, S: Serializer>(
    serializer: S,
    names: impl Iterator<Item = &'a str>,
) -> Result<S::Ok, S::Error> {
    let mut sequence = serializer.serialize_seq(None)?;
    for name in names {
        sequence.serialize_element(name)?;
    }
    sequence.end()
}

impl Decision {
    /// The Decision of the HTTP contract, as UTF-8 JSON.
    pub fn to_json(&self, overhead_us: Option<f64>) -> Vec<u8> {
        let assessment = &self.assessment;
        let chosen = self.deployment();
        let steps = self.plan.steps().into_iter().map(|step| StepRecord {
            deployment: &assessment.deployment(step.deployment).name,
            accept_threshold: step.accept_threshold,
        });
        let expected = self.expected();
        let one = predicted(assessment, self.plan.first());
        to_json(&Record {
            strategy: Some(self.plan.strategy()),
            plan: Some(PlanRecord {
                steps: steps.collect(),
                hedge_after_ms: self.plan.hedge_after_ms(),
            }),
            model: Some(&assessment.catalog.model_of(chosen).name),
            deployment: Some(&chosen.name),
            provider: Some(&assessment.catalog.provider_of(chosen).name),
            ranking: self.ranking().collect(),
            reason: &self.reason,
            propensity: Some(self.propensity()),
            confidence: Some(self.confidence),
            predicted: Some(PredictedRecord {
                quality: expected.quality,
                cost_usd: expected.cost_usd,
                ..one
            }),
            floor: self.assurance().map(floor),
            cache: cache(self.plan.kept()),
            ..shared(assessment, overhead_us)
        })
    }
}

impl Infeasible {
    /// The Decision of the HTTP contract with null choice, as UTF-8 JSON.
    pub fn to_json(&self, overhead_us: Option<f64>) -> Vec<u8> {
        to_json(&Record {
            reason: &self.binding.message,
            binding_code: Some(self.binding.code.name()),
            ..shared(&self.assessment, overhead_us)
        })
    }
}

/// What both records hold; the choice is null.
fn shared(assessment: &Assessment, overhead_us: Option<f64>) -> Record<'_> {
    let baseline = assessment.deployment(assessment.baseline);
    Record {
        decision_id: &assessment.decision_id,
        policy_version: &assessment.policy_version,
        arm: assessment.arm.as_deref(),
        config_version: assessment.catalog.version(),
        strategy: None,
        task_profile: profile(assessment),
        plan: None,
        model: None,
        deployment: None,
        provider: None,
        ranking: Vec::new(),
        reason: "",
        binding_code: None,
        propensity: None,
        confidence: None,
        predicted: None,
        floor: None,
        baseline: BaselineRecord {
            model: &assessment.catalog.model_of(baseline).name,
            deployment: &baseline.name,
            cost_usd: assessment.candidates[assessment.baseline].cost_usd,
        },
        candidates: (0..assessment.candidates.len())
            .map(|index| candidate(assessment, index))
            .collect(),
        cache: cache(None),
        overhead_us,
    }
}

fn cache(kept: Option<&Kept>) -> CacheRecord<'_> {
    CacheRecord {
        status: kept.map_or("miss", Kept::status),
        similarity: kept.map(|kept| kept.similarity),
        entry_id: kept.map(|kept| kept.entry_id.as_str()),
    }
}

fn profile(assessment: &Assessment) -> ProfileRecord {
    let profile = &assessment.profile;
    ProfileRecord {
        complexity: AxisRecord {
            label: profile.complexity.label.name(),
            p: profile.complexity.p,
            score: Some(profile.complexity_score),
        },
        domain: axis(profile.domain.label.name(), &profile.domain),
        structure: axis(profile.structure.label.name(), &profile.structure),
        latency: axis(profile.latency.label.name(), &profile.latency),
        n_input_tokens: profile.n_input_tokens,
        output_tokens: OutputRecord {
            p50: assessment.output_tokens.p50.round() as u64,
            p90: assessment.output_tokens.p90.round() as u64,
        },
        language: profile.language.code(),
    }
}

fn axis<L>(label: &'static str, axis: &Axis<L>) -> AxisRecord {
    AxisRecord {
        label,
        p: axis.p,
        score: None,
    }
}

fn predicted(assessment: &Assessment, index: usize) -> PredictedRecord {
    let candidate = &assessment.candidates[index];
    PredictedRecord {
        quality: candidate.quality.mean,
        quality_lcb: candidate.quality.lcb,
        cost_usd: candidate.cost_usd,
        latency_p95_ms: candidate.latency.p95_ms,
        ttft_p95_ms: candidate.latency.ttft_p95_ms,
    }
}

fn floor(assurance: &Assurance) -> FloorRecord {
    let certificate = assurance.certificate();
    FloorRecord {
        min_quality: assurance.min_quality,
        met: assurance.is_met,
        certified: certificate.is_some(),
        alpha: certificate.map(|one| one.alpha()),
        delta: certificate.map(|one| one.delta),
        n: certificate.map(|one| one.n),
        threshold: certificate.map(|one| one.threshold),
        alarm: match assurance.standing {
            Standing::Alarmed(alarm) => Some(alarm.name()),
            _ => None,
        },
    }
}

fn candidate(assessment: &Assessment, index: usize) -> CandidateRecord<'_> {
    let candidate = &assessment.candidates[index];
    let deployment = assessment.deployment(index);
    CandidateRecord {
        deployment: &deployment.name,
        model: &assessment.catalog.model_of(deployment).name,
        provider: &assessment.catalog.provider_of(deployment).name,
        feasible: candidate.is_feasible(),
        n_input_tokens: candidate.n_input_tokens,
        n_cached_input_tokens: candidate.n_cached_input_tokens,
        predicted: predicted(assessment, index),
        pressure: candidate.pressure,
        score: candidate.is_feasible().then_some(candidate.score_usd),
        propensity: candidate.is_feasible().then_some(candidate.propensity),
        floor: assessment.assurances.get(index).map(floor),
        rejected_by: (assessment.rejections(index).iter())
            .map(|one| rejection(assessment, one))
            .collect(),
    }
}

fn rejection<'a>(assessment: &'a Assessment, rejection: &Rejection) -> RejectionRecord<'a> {
    let bound = |bound| BoundRecord { bound, assessment };
    RejectionRecord {
        code: rejection.code.name(),
        field: rejection.field,
        limit: bound(rejection.limit),
        value: bound(rejection.value),
        slack: rejection.slack(),
        ends_in_s: rejection.ends_in_s,
    }
}

/// A record holds no map with odd keys and writes to memory, so it always serialises.
fn to_json(record: &Record<'_>) -> Vec<u8> {
    serde_json::to_vec(record).unwrap_or_default()
}
