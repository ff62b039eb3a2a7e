//! `pointsman._native`: the core for Python. Thin: it converts, the core decides.
//!
//! The Python-side documentation lives in `python/pointsman/_native.pyi`.

mod axes;
mod cache;
mod cache_view;
mod calls;
mod canary;
mod catalog;
mod core;
mod decision;
mod error;
mod excerpt;
mod ope;
mod outcome;
mod pacer;
mod planner;
mod request;
mod sweep;
mod value;

use pyo3::prelude::*;

/// The deciding core, in Rust.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::axes::axis_features;
    #[pymodule_export]
    use super::cache::{PyCache, PyHit, PyMiss};
    #[pymodule_export]
    use super::cache_view::{PyCacheStats, PyEntry};
    #[pymodule_export]
    use super::calls::{PyRefusal, PyTicket};
    #[pymodule_export]
    use super::canary::PyCanaryTest;
    #[pymodule_export]
    use super::catalog::PyCatalog;
    #[pymodule_export]
    use super::core::PyCore;
    #[pymodule_export]
    use super::decision::{PyDecision, PyInfeasible};
    #[pymodule_export]
    use super::ope::off_policy;
    #[pymodule_export]
    use super::pacer::PyPacer;
    #[pymodule_export]
    use super::planner::PyPlanner;
    use super::{Bound, PyModule, PyModuleMethods, PyResult, error};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add(
            "build_profile",
            if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        )?;
        error::add_to(module)
    }
}
