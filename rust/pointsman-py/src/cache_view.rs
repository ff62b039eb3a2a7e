//! `Entry` and `CacheStats`: what a cache tells of itself.

use std::collections::HashMap;

use pointsman_core::cache::{CacheStats, EntryView, Layer, MissReason};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::cache::hex;

/// What is known of a kept answer; a copy.
#[pyclass(name = "Entry", module = "pointsman._native", frozen)]
pub(crate) struct PyEntry(pub(crate) EntryView);

#[pymethods]
impl PyEntry {
    #[getter]
    fn entry_id(&self) -> String {
        hex(self.0.id)
    }

    #[getter]
    fn namespace(&self) -> &str {
        &self.0.namespace
    }

    #[getter]
    fn partition<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.partition)
    }

    #[getter]
    fn text(&self) -> &str {
        &self.0.text
    }

    #[getter]
    fn answer<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.answer)
    }

    #[getter]
    fn created_s(&self) -> f64 {
        self.0.created_s
    }

    #[getter]
    fn expires_s(&self) -> f64 {
        self.0.expires_s
    }

    #[getter]
    fn n_hits(&self) -> u32 {
        self.0.n_hits
    }

    #[getter]
    fn n_right(&self) -> f32 {
        self.0.evidence.n_right
    }

    #[getter]
    fn n_wrong(&self) -> f32 {
        self.0.evidence.n_wrong
    }

    #[getter]
    fn cost_saved_usd(&self) -> f64 {
        self.0.cost_saved_usd
    }

    #[getter]
    fn n_bytes(&self) -> usize {
        self.0.n_bytes
    }
}

/// Counts of a cache.
#[pyclass(name = "CacheStats", module = "pointsman._native", frozen)]
pub(crate) struct PyCacheStats(pub(crate) CacheStats);

#[pymethods]
impl PyCacheStats {
    #[getter]
    fn n_entries(&self) -> usize {
        self.0.n_entries
    }

    #[getter]
    fn n_partitions(&self) -> usize {
        self.0.n_partitions
    }

    #[getter]
    fn n_bytes(&self) -> usize {
        self.0.n_bytes
    }

    #[getter]
    fn max_bytes(&self) -> usize {
        self.0.max_bytes
    }

    #[getter]
    fn hits(&self) -> HashMap<&'static str, u64> {
        Layer::ALL
            .iter()
            .map(|layer| layer.name())
            .zip(self.0.hits)
            .collect()
    }

    #[getter]
    fn misses(&self) -> HashMap<&'static str, u64> {
        let names = MissReason::ALL.iter().map(|reason| reason.name());
        names.zip(self.0.misses).collect()
    }

    #[getter]
    fn n_evicted(&self) -> u64 {
        self.0.n_evicted
    }

    #[getter]
    fn n_expired(&self) -> u64 {
        self.0.n_expired
    }

    #[getter]
    fn n_alarms(&self) -> u64 {
        self.0.n_alarms
    }

    #[getter]
    fn aim(&self) -> f64 {
        self.0.aim
    }

    #[getter]
    fn n_dropped_bytes(&self) -> usize {
        self.0.n_dropped_bytes
    }
}
