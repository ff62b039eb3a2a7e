//! `Pacer`.

use std::sync::{Mutex, PoisonError};

use pointsman_core::pacer::{Budget, Pacer};
use pyo3::prelude::*;

use crate::error::{CoreError, invalid};

/// Finds the price of a dollar that makes a budget last. Thread-safe.
#[pyclass(name = "Pacer", module = "pointsman._native", frozen)]
pub(crate) struct PyPacer(Mutex<Pacer>);

#[pymethods]
impl PyPacer {
    #[new]
    #[pyo3(signature = (*, usd_per_request=None, usd=None, window_s=None))]
    fn new(
        usd_per_request: Option<f64>,
        usd: Option<f64>,
        window_s: Option<f64>,
    ) -> PyResult<Self> {
        let budget = match (usd_per_request, usd, window_s) {
            (Some(usd), None, None) => Budget::PerRequest { usd },
            (None, Some(usd), Some(window_s)) => Budget::Window { usd, window_s },
            _ => {
                let remedy = "give usd_per_request, or usd and window_s";
                return Err(invalid("budget", "neither or both", remedy));
            }
        };
        let pacer = Pacer::new(budget).map_err(|error| CoreError(error.into()))?;
        Ok(Self(Mutex::new(pacer)))
    }

    #[getter]
    fn price(&self) -> f64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .price()
    }

    #[pyo3(signature = (cost_usd, *, now_s))]
    fn observe(&self, cost_usd: f64, now_s: f64) -> Result<(), CoreError> {
        let mut pacer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pacer
            .observe(cost_usd, now_s)
            .map_err(|error| CoreError(error.into()))
    }
}
