//! `off_policy`: what a log says of another policy.

use pointsman_core::ope::{Row, evaluate, refusals};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::CoreError;

/// Weight, reward, prediction, the policy's value, the logging policy's value.
type Numbers = (f64, f64, f64, f64, f64);

/// Estimates what a policy would have earned, and why it may not be promoted, as JSON.
#[pyfunction]
#[pyo3(signature = (rows, *, margin=0.0))]
pub(crate) fn off_policy(
    py: Python<'_>,
    rows: Vec<Numbers>,
    margin: f64,
) -> Result<Bound<'_, PyBytes>, CoreError> {
    let row = |(weight, reward, predicted, value, logged_value): Numbers| Row {
        weight,
        reward,
        predicted,
        value,
        logged_value,
    };
    let rows: Vec<Row> = rows.into_iter().map(row).collect();
    let report = py
        .detach(|| evaluate(&rows))
        .map_err(|error| CoreError(error.into()))?;
    Ok(PyBytes::new(
        py,
        &report.to_json(&refusals(&report, margin)),
    ))
}
