//! `Core`.

use std::collections::BTreeMap;
use std::sync::Arc;

use pointsman_core::health::Phase;
use pointsman_core::{Request, Router, Verdict};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyBytes;

use crate::calls::{self, News, PyRefusal, PyTicket, Seen};
use crate::catalog::PyCatalog;
use crate::decision::PyDecision;
use crate::error::{CoreError, no_feasible};
use crate::outcome;
use crate::request;
use crate::sweep;
use crate::value::items;

/// Texts longer than this together are worth letting other threads run.
const DETACH_BYTES: usize = 8 * 1024;

/// Requests that room is made for before the first is read, whatever a sequence says of its length.
const MAX_FORESEEN: usize = 4096;

/// Decides, and learns what came of it. Thread-safe; the catalog is swapped atomically.
#[pyclass(name = "Core", module = "pointsman._native", frozen)]
pub(crate) struct PyCore(pub(crate) Router);

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

    #[pyo3(signature = (deployment, *, n_tokens, now_s))]
    fn begin<'py>(
        &self,
        py: Python<'py>,
        deployment: &str,
        n_tokens: u64,
        now_s: f64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let begun = self
            .0
            .begin(deployment, n_tokens, now_s)
            .map_err(CoreError)?;
        Ok(match begun {
            Ok(ticket) => Bound::new(py, PyTicket::new(ticket, deployment.to_owned()))?.into_any(),
            Err(refusal) => Bound::new(py, PyRefusal(refusal))?.into_any(),
        })
    }

    #[pyo3(signature = (ticket, ttft_ms, *, now_s))]
    fn first_token(
        &self,
        ticket: &Bound<'_, PyTicket>,
        ttft_ms: f64,
        now_s: f64,
    ) -> Result<(), CoreError> {
        Ok(self.0.first_token(&ticket.get().ticket, ttft_ms, now_s)?)
    }

    #[pyo3(signature = (ticket, result, *, now_s, ttft_ms=None, latency_ms=None, n_output_tokens=None, n_tokens=None,
        retry_after_s=None))]
    #[allow(clippy::too_many_arguments)] // A keyword each in Python.
    fn end(
        &self,
        ticket: &Bound<'_, PyTicket>,
        result: &str,
        now_s: f64,
        ttft_ms: Option<f64>,
        latency_ms: Option<f64>,
        n_output_tokens: Option<u64>,
        n_tokens: Option<u64>,
        retry_after_s: Option<f64>,
    ) -> PyResult<Option<&'static str>> {
        let seen = Seen {
            ttft_ms,
            latency_ms,
            n_output_tokens,
            n_tokens,
            retry_after_s,
        };
        let PyTicket { ticket: given, .. } = ticket.get();
        let end = calls::call_end(&self.0, given, result, &seen, now_s)?;
        if !ticket.get().give_back() {
            return Ok(None);
        }
        let phase = self.0.end(given, &end, now_s).map_err(CoreError)?;
        Ok(phase.map(Phase::name))
    }

    #[pyo3(signature = (deployment, *, requests, tokens, now_s))]
    fn learn_limits(
        &self,
        deployment: &str,
        requests: News,
        tokens: News,
        now_s: f64,
    ) -> Result<(), CoreError> {
        let (requests, tokens) = (calls::news(requests), calls::news(tokens));
        Ok(self.0.learn_limits(deployment, &requests, &tokens, now_s)?)
    }

    #[pyo3(signature = (*, now_s))]
    fn health<'py>(&self, py: Python<'py>, now_s: f64) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.health_json(now_s))
    }

    fn configure_health(&self, settings: &[u8]) -> Result<(), CoreError> {
        Ok(self.0.configure_health_json(settings)?)
    }

    fn floors<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let floors = py.detach(|| self.0.floors_json());
        PyBytes::new(py, &floors)
    }

    #[pyo3(signature = (chosen, rejected, *, now_s, weight=1.0))]
    fn prefer(
        &self,
        chosen: &Bound<'_, PyAny>,
        rejected: &Bound<'_, PyAny>,
        now_s: f64,
        weight: f64,
    ) -> PyResult<()> {
        let (chosen, rejected) = (outcome::extract(chosen)?, outcome::extract(rejected)?);
        let preferred = self.0.prefer(&chosen, &rejected, weight, now_s);
        Ok(preferred.map_err(CoreError)?)
    }

    #[pyo3(signature = (others=BTreeMap::new()))]
    fn save<'py>(
        &self,
        py: Python<'py>,
        others: BTreeMap<String, PyBackedBytes>,
    ) -> Bound<'py, PyBytes> {
        let others: Vec<_> = others
            .into_iter()
            .map(|(name, bytes)| (name, bytes.to_vec()))
            .collect();
        let saved = py.detach(|| self.0.save_with(&others));
        PyBytes::new(py, &saved)
    }

    fn load<'py>(
        &self,
        py: Python<'py>,
        data: &[u8],
    ) -> Result<BTreeMap<String, Bound<'py, PyBytes>>, CoreError> {
        let others = py.detach(|| self.0.load(data))?;
        let bytes = |(name, bytes): (String, Vec<u8>)| (name, PyBytes::new(py, &bytes));
        Ok(others.into_iter().map(bytes).collect())
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
        let requests = extract_all(requests)?;
        let verdicts = py
            .detach(|| self.0.decide_many(&requests, now_s, seed))
            .map_err(CoreError)?;
        let answer = |verdict| match verdict {
            Verdict::Chosen(decision) => Ok(Bound::new(py, PyDecision::new(decision))?.into_any()),
            Verdict::Infeasible(infeasible) => no_feasible(py, infeasible),
        };
        verdicts.into_iter().map(answer).collect()
    }

    #[pyo3(signature = (requests, quality_values_usd, *, now_s, seed))]
    #[allow(clippy::needless_pass_by_value)] // what the binding makes of a sequence is owned
    fn sweep_many<'py>(
        &self,
        py: Python<'py>,
        requests: &Bound<'py, PyAny>,
        quality_values_usd: Vec<f64>,
        now_s: f64,
        seed: u64,
    ) -> PyResult<sweep::Columns<'py>> {
        let requests = extract_all(requests)?;
        let sweeps = py
            .detach(|| {
                self.0
                    .sweep_many(&requests, &quality_values_usd, now_s, seed)
            })
            .map_err(CoreError)?;
        Ok(sweep::columns(py, &sweeps))
    }
}

fn extract_all(requests: &Bound<'_, PyAny>) -> PyResult<Vec<Request<PyBackedStr>>> {
    let n_requests = requests.len().unwrap_or(0).min(MAX_FORESEEN);
    let mut extracted = Vec::with_capacity(n_requests);
    for (index, request) in items(requests, "requests")?.enumerate() {
        extracted.push(request::extract_at(&request?, index)?);
    }
    Ok(extracted)
}
