//! `Decision` and `Infeasible`: getters over the core's.

use pointsman_core::{Decision, FeatureVector, Infeasible, Kept, SessionPrefix};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::CoreError;

/// What was chosen for one request, and why.
#[pyclass(name = "Decision", module = "pointsman._native", frozen)]
pub(crate) struct PyDecision(Box<Decision>);

impl PyDecision {
    pub(crate) fn new(decision: Box<Decision>) -> Self {
        Self(decision)
    }

    pub(crate) fn inner(&self) -> &Decision {
        &self.0
    }

    pub(crate) fn feature_vector(&self) -> &FeatureVector {
        self.0.features()
    }

    /// The quality it predicted of a deployment of its catalog.
    pub(crate) fn predicted_quality_of(&self, deployment: &str) -> Option<f64> {
        let candidate = self.0.candidate(deployment).ok()?;
        Some(candidate.quality.mean)
    }

    pub(crate) fn prefix(&self) -> Option<SessionPrefix> {
        self.0.prefix()
    }
}

#[pymethods]
impl PyDecision {
    #[getter]
    fn decision_id(&self) -> &str {
        self.0.decision_id()
    }

    #[getter]
    fn policy_version(&self) -> &str {
        self.0.policy_version()
    }

    #[getter]
    fn arm(&self) -> Option<&str> {
        self.0.arm()
    }

    #[getter]
    fn config_version(&self) -> &str {
        self.0.catalog().version()
    }

    #[getter]
    fn strategy(&self) -> &str {
        self.0.plan().strategy()
    }

    #[getter]
    fn model(&self) -> &str {
        &self.0.catalog().model_of(self.0.deployment()).name
    }

    #[getter]
    fn deployment(&self) -> &str {
        &self.0.deployment().name
    }

    #[getter]
    fn provider(&self) -> &str {
        &self.0.catalog().provider_of(self.0.deployment()).name
    }

    #[getter]
    fn ranking(&self) -> Vec<&str> {
        self.0.ranking().collect()
    }

    #[getter]
    fn steps(&self) -> Vec<(&str, Option<f64>)> {
        let deployments = self.0.catalog().deployments();
        let steps = self.0.plan().steps().into_iter();
        steps
            .map(|step| {
                (
                    deployments[step.deployment].name.as_str(),
                    step.accept_threshold,
                )
            })
            .collect()
    }

    #[getter]
    fn hedge_after_ms(&self) -> Option<f64> {
        self.0.plan().hedge_after_ms()
    }

    #[getter]
    fn reason(&self) -> &str {
        self.0.reason()
    }

    #[getter]
    fn propensity(&self) -> f64 {
        self.0.propensity()
    }

    #[getter]
    fn confidence(&self) -> f64 {
        self.0.confidence()
    }

    #[getter]
    fn is_certified(&self) -> Option<bool> {
        let assurance = self.0.assurance();
        assurance.map(|one| one.certificate().is_some())
    }

    #[getter]
    fn predicted_quality(&self) -> f64 {
        self.0.expected().quality
    }

    #[getter]
    fn predicted_cost_usd(&self) -> f64 {
        self.0.expected().cost_usd
    }

    #[getter]
    fn predicted_latency_p95_ms(&self) -> f64 {
        self.0.predicted().latency.p95_ms
    }

    #[getter]
    fn predicted_ttft_p95_ms(&self) -> f64 {
        self.0.predicted().latency.ttft_p95_ms
    }

    #[getter]
    fn output_tokens_p50(&self) -> f64 {
        self.0.predicted().output_tokens.p50
    }

    #[getter]
    fn output_tokens_p90(&self) -> f64 {
        self.0.predicted().output_tokens.p90
    }

    #[getter]
    fn baseline_deployment(&self) -> &str {
        &self.0.baseline().name
    }

    #[getter]
    fn baseline_model(&self) -> &str {
        &self.0.catalog().model_of(self.0.baseline()).name
    }

    #[getter]
    fn baseline_cost_usd(&self) -> f64 {
        self.0.baseline_cost_usd()
    }

    #[getter]
    fn n_input_tokens(&self) -> u64 {
        self.0.profile().n_input_tokens
    }

    #[getter]
    fn complexity(&self) -> &str {
        self.0.profile().complexity.label.name()
    }

    #[getter]
    fn domain(&self) -> &str {
        self.0.profile().domain.label.name()
    }

    #[getter]
    fn structure(&self) -> &str {
        self.0.profile().structure.label.name()
    }

    #[getter]
    fn latency_class(&self) -> &str {
        self.0.profile().latency.label.name()
    }

    #[getter]
    fn features<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.features().to_bytes())
    }

    fn model_of(&self, deployment: &str) -> Result<&str, CoreError> {
        let catalog = self.0.catalog();
        Ok(&catalog.model_of(catalog.deployment(deployment)?).name)
    }

    fn n_tokens_of(&self, deployment: &str) -> u64 {
        self.0.n_tokens_of(deployment)
    }

    fn provider_of(&self, deployment: &str) -> Result<&str, CoreError> {
        let catalog = self.0.catalog();
        Ok(&catalog.provider_of(catalog.deployment(deployment)?).name)
    }

    fn quality_of(&self, deployment: &str) -> Result<f64, CoreError> {
        Ok(self.0.candidate(deployment)?.quality.mean)
    }

    fn quality_lcb_of(&self, deployment: &str) -> Result<f64, CoreError> {
        Ok(self.0.candidate(deployment)?.quality.lcb)
    }

    fn cost_usd_of(&self, deployment: &str) -> Result<f64, CoreError> {
        Ok(self.0.candidate(deployment)?.cost_usd)
    }

    #[pyo3(signature = (second, *, hedge_after_ms))]
    fn raced(&self, second: &str, hedge_after_ms: f64) -> Result<Self, CoreError> {
        Ok(Self(Box::new(self.0.raced(second, hedge_after_ms)?)))
    }

    #[getter]
    fn cache_status(&self) -> &'static str {
        self.0.plan().kept().map_or("miss", Kept::status)
    }

    #[pyo3(signature = (entry_id, *, is_exact, similarity))]
    fn answered_by(&self, entry_id: String, is_exact: bool, similarity: f32) -> Self {
        Self(Box::new(self.0.answered_by(Kept {
            is_exact,
            similarity,
            entry_id,
        })))
    }

    #[pyo3(signature = (overhead_us=None))]
    fn to_json<'py>(&self, py: Python<'py>, overhead_us: Option<f64>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_json(overhead_us))
    }
}

/// Why no deployment may answer.
#[pyclass(name = "Infeasible", module = "pointsman._native", frozen)]
pub(crate) struct PyInfeasible(Box<Infeasible>);

impl PyInfeasible {
    pub(crate) fn new(infeasible: Box<Infeasible>) -> Self {
        Self(infeasible)
    }
}

#[pymethods]
impl PyInfeasible {
    #[getter]
    fn decision_id(&self) -> &str {
        self.0.decision_id()
    }

    #[getter]
    fn code(&self) -> &str {
        self.0.code().name()
    }

    #[pyo3(signature = (overhead_us=None))]
    fn to_json<'py>(&self, py: Python<'py>, overhead_us: Option<f64>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_json(overhead_us))
    }
}
