//! `Core`.

use std::sync::Arc;

use pointsman_core::{Request, Router, Verdict};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;

use crate::catalog::PyCatalog;
use crate::decision::PyDecision;
use crate::error::{CoreError, no_feasible};
use crate::outcome;
use crate::request::{self, items};

/// Texts longer than this together are worth letting other threads run.
const DETACH_BYTES: usize = 8 * 1024;

/// Decides, and learns what came of it. Thread-safe; the catalog is swapped atomically.
#[pyclass(name = "Core", module = "pointsman._native", frozen)]
pub(crate) struct PyCore(Router);

#[pymethods]
impl PyCore {
    #[new]
    fn new(catalog: &Bound<'_, PyCatalog>) -> Result<Self, CoreError> {
        Ok(Self(Router::new(Arc::clone(&catalog.get().0))?))
    }

    #[getter]
    fn catalog(&self) -> PyCatalog {
        PyCatalog(self.0.catalog())
    }

    fn swap(&self, py: Python<'_>, catalog: &Bound<'_, PyCatalog>) -> Result<(), CoreError> {
        let catalog = Arc::clone(&catalog.get().0);
        Ok(py.detach(|| self.0.swap(catalog))?)
    }

    #[pyo3(signature = (outcome, *, now_s))]
    fn observe(&self, outcome: &Bound<'_, PyAny>, now_s: f64) -> PyResult<()> {
        let outcome = outcome::extract(outcome)?;
        Ok(self.0.observe(&outcome, now_s).map_err(CoreError)?)
    }

    fn save<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let saved = py.detach(|| self.0.save());
        PyBytes::new(py, &saved)
    }

    fn load(&self, py: Python<'_>, data: &[u8]) -> Result<(), CoreError> {
        Ok(py.detach(|| self.0.load(data))?)
    }

    #[pyo3(signature = (request, *, now_s, seed))]
    fn decide(
        &self,
        py: Python<'_>,
        request: &Bound<'_, PyAny>,
        now_s: f64,
        seed: u64,
    ) -> PyResult<PyDecision> {
        let request = request::extract(request)?;
        let decide = || self.0.decide(&request, now_s, seed);
        let is_long = request.conversation.n_bytes() > DETACH_BYTES;
        match if is_long { py.detach(decide) } else { decide() }.map_err(CoreError)? {
            Verdict::Chosen(decision) => Ok(PyDecision::new(decision)),
            Verdict::Infeasible(infeasible) => Err(PyErr::from_value(no_feasible(py, infeasible)?)),
        }
    }

    #[pyo3(signature = (requests, *, now_s, seed))]
    fn decide_many<'py>(
        &self,
        py: Python<'py>,
        requests: &Bound<'py, PyAny>,
        now_s: f64,
        seed: u64,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let requests: Vec<Request<PyBackedStr>> = items(requests, "requests")?
            .enumerate()
            .map(|(index, request)| request::extract_at(&request?, index))
            .collect::<PyResult<_>>()?;
        let verdicts = py
            .detach(|| self.0.decide_many(&requests, now_s, seed))
            .map_err(CoreError)?;
        let answer = |verdict| match verdict {
            Verdict::Chosen(decision) => Ok(Bound::new(py, PyDecision::new(decision))?.into_any()),
            Verdict::Infeasible(infeasible) => no_feasible(py, infeasible),
        };
        verdicts.into_iter().map(answer).collect()
    }
}
