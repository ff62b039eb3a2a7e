//! `Cache`.

use pointsman_core::cache::{Ask, Cache, CacheSettings, Grade, Hit, Insertion, Lookup, Miss};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;

use crate::cache_view::{PyCacheStats, PyEntry};
use crate::error::{CoreError, invalid};

/// Answers that are kept, found by text. Thread-safe.
#[pyclass(name = "Cache", module = "pointsman._native", frozen)]
pub(crate) struct PyCache(Cache);

#[pymethods]
impl PyCache {
    #[new]
    #[pyo3(signature = (*, max_bytes = 268_435_456, target_error = 0.01, ttl_s = 604_800.0, audit_rate = 0.01))]
    fn new(max_bytes: usize, target_error: f64, ttl_s: f64, audit_rate: f64) -> PyResult<Self> {
        let settings = CacheSettings {
            max_bytes,
            target_error,
            ttl_s,
            audit_rate,
        };
        Ok(Self(Cache::new(settings).map_err(refused)?))
    }

    #[staticmethod]
    #[pyo3(signature = (
        snapshot, journal, *, now_s,
        max_bytes = 268_435_456, target_error = 0.01, ttl_s = 604_800.0, audit_rate = 0.01,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn restore(
        py: Python<'_>,
        snapshot: &[u8],
        journal: &[u8],
        now_s: f64,
        max_bytes: usize,
        target_error: f64,
        ttl_s: f64,
        audit_rate: f64,
    ) -> PyResult<Self> {
        let settings = CacheSettings {
            max_bytes,
            target_error,
            ttl_s,
            audit_rate,
        };
        let restored = py.detach(|| Cache::restore(snapshot, journal, now_s, settings));
        Ok(Self(restored.map_err(refused)?))
    }

    #[pyo3(signature = (partition, text, *, now_s, seed = 0, semantic = true, max_age_s = None))]
    #[allow(clippy::too_many_arguments)]
    fn lookup<'py>(
        &self,
        py: Python<'py>,
        partition: &[u8],
        text: &str,
        now_s: f64,
        seed: u64,
        semantic: bool,
        max_age_s: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let partition = key(partition)?;
        let ask = ask(now_s, seed, semantic, max_age_s);
        // Equal texts take less time than letting other threads run would.
        let found = self.0.lookup_exact(&partition, text, ask);
        let found =
            found.unwrap_or_else(|| py.detach(|| self.0.lookup_near(&partition, text, ask)));
        answer(py, found)
    }

    #[pyo3(signature = (partition, text, *, now_s, semantic = true, max_age_s = None))]
    fn peek<'py>(
        &self,
        py: Python<'py>,
        partition: &[u8],
        text: &str,
        now_s: f64,
        semantic: bool,
        max_age_s: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let partition = key(partition)?;
        let ask = ask(now_s, 0, semantic, max_age_s);
        answer(py, py.detach(|| self.0.peek(&partition, text, ask)))
    }

    #[pyo3(signature = (partition, texts, *, now_s, seed = 0, semantic = true, max_age_s = None))]
    #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // a list arrives as a `Vec`
    fn lookup_many<'py>(
        &self,
        py: Python<'py>,
        partition: &[u8],
        texts: Vec<PyBackedStr>,
        now_s: f64,
        seed: u64,
        semantic: bool,
        max_age_s: Option<f64>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let partition = key(partition)?;
        let ask = ask(now_s, seed, semantic, max_age_s);
        let look = |text: &PyBackedStr| self.0.lookup(&partition, text, ask);
        let found: Vec<Lookup> = py.detach(|| texts.iter().map(look).collect());
        found.into_iter().map(|found| answer(py, found)).collect()
    }

    #[pyo3(signature = (partition, text, answer, *, now_s, namespace, ttl_s = None, cost_usd = 0.0))]
    #[allow(clippy::too_many_arguments)]
    fn insert(
        &self,
        py: Python<'_>,
        partition: &[u8],
        text: &str,
        answer: &[u8],
        now_s: f64,
        namespace: &str,
        ttl_s: Option<f64>,
        cost_usd: f64,
    ) -> PyResult<String> {
        let partition = key(partition)?;
        let insertion = Insertion {
            namespace,
            text,
            answer,
            now_s,
            ttl_s,
            cost_usd,
        };
        let id = py.detach(|| self.0.insert(&partition, insertion));
        Ok(hex(id.map_err(refused)?))
    }

    #[pyo3(signature = (entry_id, text, *, similarity, is_right, weight = 1.0, is_audit = false))]
    #[allow(clippy::too_many_arguments)]
    fn observe(
        &self,
        py: Python<'_>,
        entry_id: &str,
        text: &str,
        similarity: f32,
        is_right: bool,
        weight: f64,
        is_audit: bool,
    ) -> PyResult<Option<&'static str>> {
        let grade = Grade {
            entry_id: number(entry_id)?,
            text: text.to_owned(),
            similarity,
            is_right,
            weight,
            is_audit,
        };
        let alarm = py.detach(|| self.0.observe(&grade)).map_err(refused)?;
        Ok(alarm.map(|_| "hits_wrong"))
    }

    fn get(&self, entry_id: &str) -> PyResult<Option<PyEntry>> {
        Ok(self.0.get(number(entry_id)?).map(PyEntry))
    }

    #[pyo3(signature = (entry_id, answer, *, now_s))]
    fn replace(&self, py: Python<'_>, entry_id: &str, answer: &[u8], now_s: f64) -> PyResult<bool> {
        let id = number(entry_id)?;
        py.detach(|| self.0.replace(id, answer, now_s))
            .map_err(refused)
    }

    fn delete(&self, py: Python<'_>, entry_id: &str) -> PyResult<bool> {
        let id = number(entry_id)?;
        Ok(py.detach(|| self.0.delete(id)))
    }

    #[pyo3(signature = (namespace = None))]
    fn clear(&self, py: Python<'_>, namespace: Option<&str>) -> usize {
        py.detach(|| self.0.clear(namespace))
    }

    #[pyo3(signature = (namespace = None, *, after = None, limit = 100))]
    fn entries(
        &self,
        py: Python<'_>,
        namespace: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> PyResult<Vec<PyEntry>> {
        let after = after.map(number).transpose()?;
        let entries = py.detach(|| self.0.entries(namespace, after, limit));
        Ok(entries.into_iter().map(PyEntry).collect())
    }

    fn stats(&self, py: Python<'_>) -> PyCacheStats {
        PyCacheStats(py.detach(|| self.0.stats()))
    }

    fn take_journal<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let journal = py.detach(|| self.0.take_journal());
        PyBytes::new(py, &journal)
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let snapshot = py.detach(|| self.0.snapshot());
        PyBytes::new(py, &snapshot)
    }
}

fn refused(error: pointsman_core::LearnError) -> PyErr {
    CoreError(error.into()).into()
}

fn key(partition: &[u8]) -> PyResult<[u8; 16]> {
    let wrong = |_| {
        invalid(
            "partition",
            format!("{} bytes", partition.len()),
            "give 16 bytes",
        )
    };
    partition.try_into().map_err(wrong)
}

fn ask(now_s: f64, seed: u64, is_semantic: bool, max_age_s: Option<f64>) -> Ask {
    Ask {
        now_s,
        seed,
        is_semantic,
        max_age_s: max_age_s.unwrap_or(f64::INFINITY),
    }
}

pub(crate) fn hex(id: u64) -> String {
    format!("{id:016x}")
}

fn number(entry_id: &str) -> PyResult<u64> {
    let is_hex = entry_id.len() == 16 && entry_id.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u64::from_str_radix(entry_id, 16).ok().filter(|_| is_hex);
    number.ok_or_else(|| invalid("entry_id", format!("{entry_id:?}"), "give 16 hex digits"))
}

fn answer(py: Python<'_>, found: Lookup) -> PyResult<Bound<'_, PyAny>> {
    Ok(match found {
        Lookup::Hit(hit) => Bound::new(py, PyHit(hit))?.into_any(),
        Lookup::Miss(miss) => Bound::new(py, PyMiss(miss))?.into_any(),
    })
}

/// A kept answer that serves.
#[pyclass(name = "Hit", module = "pointsman._native", frozen)]
pub(crate) struct PyHit(Hit);

#[pymethods]
impl PyHit {
    #[getter]
    fn entry_id(&self) -> String {
        hex(self.0.entry_id)
    }

    #[getter]
    fn layer(&self) -> &'static str {
        self.0.layer.name()
    }

    #[getter]
    fn similarity(&self) -> f32 {
        self.0.similarity
    }

    #[getter]
    fn p_correct(&self) -> f32 {
        self.0.p_correct
    }

    #[getter]
    fn answer<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.answer)
    }

    #[getter]
    fn age_s(&self) -> f64 {
        self.0.age_s
    }

    #[getter]
    fn wants_audit(&self) -> bool {
        self.0.wants_audit
    }

    fn __repr__(&self) -> String {
        let Hit {
            layer, similarity, ..
        } = &self.0;
        format!(
            "Hit({}, {}, similarity {similarity:.3})",
            self.entry_id(),
            layer.name()
        )
    }
}

/// No kept answer serves.
#[pyclass(name = "Miss", module = "pointsman._native", frozen)]
pub(crate) struct PyMiss(Miss);

#[pymethods]
impl PyMiss {
    #[getter]
    fn reason(&self) -> &'static str {
        self.0.reason.name()
    }

    #[getter]
    fn veto(&self) -> Option<&'static str> {
        self.0.veto
    }

    #[getter]
    fn entry_id(&self) -> Option<String> {
        self.0.entry_id.map(hex)
    }

    #[getter]
    fn similarity(&self) -> Option<f32> {
        self.0.similarity
    }

    fn __repr__(&self) -> String {
        format!("Miss({})", self.0.reason.name())
    }
}
