//! From `pointsman.types.Outcome` to the core's: attribute by attribute.

use pointsman_core::{Complexity, Domain, FeatureVector, Outcome, Structure};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyString};

use crate::decision::PyDecision;
use crate::error::{CoreError, invalid, of_field};
use crate::value::{optional_text, text, type_name};

const NUMBER: &str = "give a number, or None";
const WHOLE: &str = "give a whole number >= 0";

pub(crate) fn extract(outcome: &Bound<'_, PyAny>) -> PyResult<Outcome<PyBackedStr>> {
    let py = outcome.py();
    let get = |name| outcome.getattr(name);
    let number = |value: &Bound<'_, PyAny>, field| -> PyResult<Option<f64>> {
        value.extract().map_err(of_field(field, NUMBER))
    };
    let rate = |name: &Bound<'_, PyString>| -> PyResult<f64> {
        let value = outcome.getattr(name)?;
        value
            .extract()
            .map_err(of_field(name.to_str()?, "give a number"))
    };
    let decided = get(intern!(py, "decision"))?;
    let decided = decision(&decided)?;
    let deployment = text(&get(intern!(py, "deployment"))?, "deployment")?;
    let domain = get(intern!(py, "domain"))?;
    let complexity = get(intern!(py, "complexity"))?;
    let structure = get(intern!(py, "structure"))?;
    Ok(Outcome {
        task: optional_text(&get(intern!(py, "task"))?, "task")?,
        domain: label(&domain, "domain", &Domain::ALL, Domain::name)?,
        complexity: label(
            &complexity,
            "complexity",
            &Complexity::ALL,
            Complexity::name,
        )?,
        structure: label(&structure, "structure", &Structure::ALL, Structure::name)?,
        features: features(&get(intern!(py, "features"))?, decided)?,
        n_input_tokens: get(intern!(py, "n_input_tokens"))?
            .extract()
            .map_err(of_field("n_input_tokens", WHOLE))?,
        n_output_tokens: get(intern!(py, "n_output_tokens"))?
            .extract()
            .map_err(of_field("n_output_tokens", WHOLE))?,
        n_cached_input_tokens: get(intern!(py, "n_cached_input_tokens"))?
            .extract()
            .map_err(of_field("n_cached_input_tokens", WHOLE))?,
        n_cache_write_tokens: get(intern!(py, "n_cache_write_tokens"))?
            .extract()
            .map_err(of_field("n_cache_write_tokens", WHOLE))?,
        n_reasoning_tokens: get(intern!(py, "n_reasoning_tokens"))?
            .extract()
            .map_err(of_field("n_reasoning_tokens", WHOLE))?,
        prefix: decided.and_then(|decision| decision.get().prefix()),
        is_cut: flag(&get(intern!(py, "is_cut"))?, "is_cut")?,
        ttft_ms: number(&get(intern!(py, "ttft_ms"))?, "ttft_ms")?,
        latency_ms: number(&get(intern!(py, "latency_ms"))?, "latency_ms")?,
        is_error: flag(&get(intern!(py, "is_error"))?, "is_error")?,
        reward: number(&get(intern!(py, "reward"))?, "reward")?,
        verdict: number(&get(intern!(py, "verdict"))?, "verdict")?,
        grader: optional_text(&get(intern!(py, "grader"))?, "grader")?,
        grader_rates: (
            rate(intern!(py, "grader_tpr"))?,
            rate(intern!(py, "grader_fpr"))?,
        ),
        audit_share: number(&get(intern!(py, "audit_share"))?, "audit_share")?,
        predicted_quality: number(&get(intern!(py, "predicted_quality"))?, "predicted_quality")?
            .or_else(|| decided.and_then(|one| one.get().predicted_quality_of(&deployment))),
        deployment,
        weight: get(intern!(py, "weight"))?
            .extract()
            .map_err(of_field("weight", "give a number"))?,
        replaces: number(&get(intern!(py, "replaces"))?, "replaces")?,
        is_top_up: flag(&get(intern!(py, "is_top_up"))?, "is_top_up")?,
    })
}

fn decision<'a, 'py>(value: &'a Bound<'py, PyAny>) -> PyResult<Option<&'a Bound<'py, PyDecision>>> {
    if value.is_none() {
        return Ok(None);
    }
    value.cast::<PyDecision>().map(Some).map_err(|_| {
        let remedy = "give the Decision of Core.decide, or None";
        invalid("decision", type_name(value), remedy)
    })
}

/// Those given; else those of the decision, if it is given.
fn features(
    value: &Bound<'_, PyAny>,
    decision: Option<&Bound<'_, PyDecision>>,
) -> PyResult<Option<FeatureVector>> {
    if value.is_none() {
        return Ok(decision.map(|decision| decision.get().feature_vector().clone()));
    }
    let Ok(bytes) = value.cast::<PyBytes>() else {
        let remedy = "give decision.features, which are bytes, or None";
        return Err(invalid("features", type_name(value), remedy));
    };
    let features = FeatureVector::from_bytes(bytes.as_bytes());
    Ok(Some(features.map_err(CoreError)?))
}

fn flag(value: &Bound<'_, PyAny>, field: &str) -> PyResult<bool> {
    value.extract().map_err(of_field(field, "give a bool"))
}

/// The label of that name; an error lists them all.
fn label<L: Copy>(
    value: &Bound<'_, PyAny>,
    field: &str,
    labels: &[L],
    name: fn(L) -> &'static str,
) -> PyResult<L> {
    let seen = text(value, field)?;
    let known = labels.iter().find(|label| name(**label) == &*seen);
    known.copied().ok_or_else(|| {
        let names: Vec<&str> = labels.iter().map(|label| name(*label)).collect();
        let remedy = format!("give one of {}", names.join(", "));
        invalid(field, format!("{:?}", &*seen), &remedy)
    })
}
