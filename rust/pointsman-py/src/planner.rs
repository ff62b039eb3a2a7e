//! `Planner`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pointsman_core::cascade::{Planner, Wish};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::decision::PyDecision;
use crate::error::CoreError;

/// Plans cascades, and learns what verifiers are worth and which models fail together. Thread-safe.
#[pyclass(name = "Planner", module = "pointsman._native", frozen)]
pub(crate) struct PyPlanner(Mutex<Planner>);

impl PyPlanner {
    fn lock(&self) -> MutexGuard<'_, Planner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// What Python gives is owned.
#[allow(clippy::needless_pass_by_value)]
#[pymethods]
impl PyPlanner {
    #[new]
    #[pyo3(signature = (rates=Vec::new()))]
    fn new(rates: Vec<(String, f64, f64)>) -> Self {
        let rates: Vec<_> = rates
            .iter()
            .map(|(name, tpr, fpr)| (name.as_str(), *tpr, *fpr))
            .collect();
        Self(Mutex::new(Planner::new(&rates)))
    }

    #[pyo3(signature = (decision, *, verifiers, max_depth=3, is_forced=false))]
    fn plan(
        &self,
        decision: &PyDecision,
        verifiers: Vec<String>,
        max_depth: usize,
        is_forced: bool,
    ) -> Option<PyDecision> {
        let verifiers: Vec<&str> = verifiers.iter().map(String::as_str).collect();
        let wish = Wish {
            is_forced,
            max_depth,
            verifiers: &verifiers,
        };
        self.lock()
            .plan(decision.inner(), wish)
            .map(|planned| PyDecision::new(Box::new(planned)))
    }

    fn posterior(&self, model: &str, belief: f64, signals: Vec<(String, f64)>) -> f64 {
        let signals: Vec<_> = signals
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        self.lock().posterior(model, belief, &signals)
    }

    fn belief_after(&self, decision: &PyDecision, step: usize, belief: f64) -> f64 {
        self.lock().belief_after(decision.inner(), step, belief)
    }

    fn observe_verdict(&self, verifier: &str, model: &str, value: f64, reward: f64) {
        self.lock().observe_verdict(verifier, model, value, reward);
    }

    #[pyo3(signature = (models, *, predicted, rewards))]
    fn observe_pair(&self, models: (String, String), predicted: (f64, f64), rewards: (f64, f64)) {
        self.lock()
            .observe_pair((&models.0, &models.1), predicted, rewards);
    }

    fn save<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.lock().save())
    }

    fn load(&self, data: &[u8]) -> Result<(), CoreError> {
        Ok(self.lock().load(data)?)
    }
}
