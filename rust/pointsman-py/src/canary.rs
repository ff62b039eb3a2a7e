//! `CanaryTest`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pointsman_core::canary::CanaryTest;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::CoreError;

/// Whether a canary does worse than what is served. Thread-safe.
#[pyclass(name = "CanaryTest", module = "pointsman._native", frozen)]
pub(crate) struct PyCanaryTest(Mutex<CanaryTest>);

impl PyCanaryTest {
    fn lock(&self) -> MutexGuard<'_, CanaryTest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl PyCanaryTest {
    #[new]
    #[pyo3(signature = (*, share, margin=0.0, delta=0.05))]
    fn new(share: f64, margin: f64, delta: f64) -> Result<Self, CoreError> {
        let test =
            CanaryTest::new(share, margin, delta).map_err(|error| CoreError(error.into()))?;
        Ok(Self(Mutex::new(test)))
    }

    #[staticmethod]
    fn load(data: &[u8]) -> Result<Self, CoreError> {
        let test = CanaryTest::load(data).map_err(|error| CoreError(error.into()))?;
        Ok(Self(Mutex::new(test)))
    }

    fn save<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.lock().save())
    }

    #[pyo3(signature = (utility, *, is_canary))]
    fn observe(&self, utility: f64, is_canary: bool) -> Result<bool, CoreError> {
        self.lock()
            .observe(utility, is_canary)
            .map_err(|error| CoreError(error.into()))
    }

    #[getter]
    fn e_value(&self) -> f64 {
        self.lock().e_value()
    }

    #[getter]
    fn is_alarmed(&self) -> bool {
        self.lock().is_alarmed()
    }

    #[getter]
    fn n(&self) -> (u64, u64) {
        self.lock().n().into()
    }

    #[getter]
    fn means(&self) -> (f64, f64) {
        self.lock().means().into()
    }

    #[getter]
    fn interval(&self) -> (f64, f64) {
        self.lock().interval()
    }
}
