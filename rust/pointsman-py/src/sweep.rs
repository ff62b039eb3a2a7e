//! From [`Sweep`]s to columns of numbers, as bytes that numpy reads in place.

use pointsman_core::Sweep;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Qualities and costs (f64, a row a request), choices (i32, a row a request; -1: none is feasible).
pub(crate) type Columns<'py> = (
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
);

pub(crate) fn columns<'py>(py: Python<'py>, sweeps: &[Sweep]) -> Columns<'py> {
    let candidates = || sweeps.iter().flat_map(Sweep::candidates);
    let qualities = candidates().flat_map(|one| one.quality.mean.to_ne_bytes());
    let costs = candidates().flat_map(|one| one.cost_usd.to_ne_bytes());
    let chosen = sweeps.iter().flat_map(Sweep::chosen);
    let place = |one: &Option<usize>| {
        one.and_then(|place| i32::try_from(place).ok())
            .unwrap_or(-1)
            .to_ne_bytes()
    };
    let bytes = |values: Vec<u8>| PyBytes::new(py, &values);
    (
        bytes(qualities.collect()),
        bytes(costs.collect()),
        bytes(chosen.flat_map(place).collect()),
    )
}
