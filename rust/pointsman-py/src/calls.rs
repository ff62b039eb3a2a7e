//! `Ticket` and `Refusal`, and how a call's end is read.

use std::sync::atomic::{AtomicBool, Ordering};

use pointsman_core::Router;
use pointsman_core::health::{CallEnd, LimitNews, Refusal, Ticket};
use pyo3::prelude::*;

use crate::error::invalid;

/// Leave to call a deployment.
#[pyclass(name = "Ticket", module = "pointsman._native", frozen)]
pub(crate) struct PyTicket {
    pub(crate) ticket: Ticket,
    deployment: String,
    is_back: AtomicBool,
}

impl PyTicket {
    pub(crate) fn new(ticket: Ticket, deployment: String) -> Self {
        let is_back = AtomicBool::new(false);
        Self {
            ticket,
            deployment,
            is_back,
        }
    }

    /// Whether this is the first time it comes back.
    pub(crate) fn give_back(&self) -> bool {
        !self.is_back.swap(true, Ordering::Relaxed)
    }
}

#[pymethods]
impl PyTicket {
    #[getter]
    fn deployment(&self) -> &str {
        &self.deployment
    }

    #[getter]
    fn is_probe(&self) -> bool {
        self.ticket.is_probe()
    }
}

/// A deployment may not be called now.
#[pyclass(name = "Refusal", module = "pointsman._native", frozen)]
pub(crate) struct PyRefusal(pub(crate) Refusal);

#[pymethods]
impl PyRefusal {
    #[getter]
    fn cause(&self) -> &'static str {
        self.0.cause.name()
    }

    #[getter]
    fn limit(&self) -> f64 {
        self.0.limit
    }

    #[getter]
    fn value(&self) -> f64 {
        self.0.value
    }

    #[getter]
    fn ends_in_s(&self) -> Option<f64> {
        self.0.ends_in_s
    }
}

/// What is known of a call that ended.
pub(crate) struct Seen {
    pub(crate) ttft_ms: Option<f64>,
    pub(crate) latency_ms: Option<f64>,
    pub(crate) n_output_tokens: Option<u64>,
    pub(crate) n_tokens: Option<u64>,
    pub(crate) retry_after_s: Option<f64>,
}

/// The end of that name.
pub(crate) fn call_end(
    router: &Router,
    ticket: &Ticket,
    result: &str,
    seen: &Seen,
    now_s: f64,
) -> PyResult<CallEnd> {
    let retry_after_s = seen.retry_after_s;
    let estimated = || {
        let (latency_ms, n_output_tokens) = (seen.latency_ms?, seen.n_output_tokens?);
        router.estimated_ttft_ms(ticket, latency_ms, n_output_tokens, now_s)
    };
    match result {
        "answered" => Ok(CallEnd::Answered {
            ttft_ms: seen.ttft_ms.or_else(estimated),
            n_tokens: seen.n_tokens,
        }),
        "failed" => Ok(CallEnd::Failed {
            latency_ms: seen.latency_ms.unwrap_or(0.0),
            retry_after_s,
        }),
        "rate_limited" => Ok(CallEnd::RateLimited { retry_after_s }),
        "rejected" => Ok(CallEnd::Rejected),
        "abandoned" => Ok(CallEnd::Abandoned),
        _ => {
            let remedy = "give answered, failed, rate_limited, rejected or abandoned";
            Err(invalid("result", format!("{result:?}"), remedy))
        }
    }
}

/// (limit, remaining, `reset_s`), each a number or None.
pub(crate) type News = (Option<f64>, Option<f64>, Option<f64>);

pub(crate) fn news((limit, remaining, reset_s): News) -> LimitNews {
    LimitNews {
        limit,
        remaining,
        reset_s,
    }
}
