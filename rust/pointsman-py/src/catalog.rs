//! `Catalog`.

use std::sync::Arc;

use pointsman_core::{Catalog, Tokens, cost_nano_usd};
use pyo3::prelude::*;

use crate::error::CoreError;

/// Immutable snapshot of models, providers and deployments.
#[pyclass(name = "Catalog", module = "pointsman._native", frozen)]
pub(crate) struct PyCatalog(pub(crate) Arc<Catalog>);

#[pymethods]
impl PyCatalog {
    #[staticmethod]
    fn from_json(py: Python<'_>, data: &[u8]) -> Result<Self, CoreError> {
        Ok(Self(Arc::new(py.detach(|| Catalog::from_json(data))?)))
    }

    #[getter]
    fn version(&self) -> &str {
        self.0.version()
    }

    #[getter]
    fn deployments(&self) -> Vec<&str> {
        self.0
            .deployments()
            .iter()
            .map(|deployment| deployment.name.as_str())
            .collect()
    }

    #[getter]
    fn models(&self) -> Vec<&str> {
        self.0
            .models()
            .iter()
            .map(|model| model.name.as_str())
            .collect()
    }

    fn context_window(&self, deployment: &str) -> Result<u64, CoreError> {
        let deployment = self.0.deployment(deployment)?;
        Ok(self.0.model_of(deployment).context_window)
    }

    fn __len__(&self) -> usize {
        self.0.deployments().len()
    }

    #[pyo3(signature = (deployment, *, n_input_tokens, n_cached_input_tokens=0, n_cache_write_tokens=0,
        n_output_tokens=0, n_reasoning_tokens=0, batch=false))]
    #[allow(clippy::too_many_arguments)] // A keyword each in Python.
    fn cost_nano_usd(
        &self,
        deployment: &str,
        n_input_tokens: u64,
        n_cached_input_tokens: u64,
        n_cache_write_tokens: u64,
        n_output_tokens: u64,
        n_reasoning_tokens: u64,
        batch: bool,
    ) -> Result<u128, CoreError> {
        let tokens = Tokens {
            n_input: n_input_tokens,
            n_cached_input: n_cached_input_tokens,
            n_cache_write: n_cache_write_tokens,
            n_output: n_output_tokens,
            n_reasoning: n_reasoning_tokens,
        };
        Ok(cost_nano_usd(
            self.0.deployment(deployment)?,
            tokens,
            batch,
        )?)
    }
}
