//! A call's life: [`Ticket`] or [`Refusal`] when it begins, [`CallEnd`] when it ends.

use std::fmt;

use super::concurrency::Place;

/// Leave to call a deployment; give it back to [`Router::end`](crate::Router::end).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ticket {
    pub(super) key: u64,
    /// Place in the catalog at the time; only a hint, as catalogs are swapped.
    pub(super) index: usize,
    pub(super) n_tokens: u64,
    pub(super) place: Place,
    pub(super) began_s: f64,
    pub(super) is_probe: bool,
}

impl Ticket {
    /// Whether this call decides if the deployment is well again.
    pub fn is_probe(&self) -> bool {
        self.is_probe
    }
}

/// Why a deployment may not be called now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It failed too often: its breaker is open, or its probe is under way.
    Breaker,
    /// It said when to come back.
    RetryAfter,
    /// Its requests per minute are used up.
    RequestsPerMin,
    /// Its tokens per minute are used up.
    TokensPerMin,
    /// As many calls are under way as it takes.
    Concurrency,
}

impl Cause {
    /// The cause in JSON and messages.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Breaker => "breaker",
            Cause::RetryAfter => "retry_after",
            Cause::RequestsPerMin => "requests_per_min",
            Cause::TokensPerMin => "tokens_per_min",
            Cause::Concurrency => "concurrency",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A deployment may not be called now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusal {
    /// Why.
    pub cause: Cause,
    /// What the cause allows: seconds (0), requests, tokens or calls under way.
    pub limit: f64,
    /// What was seen, in the same unit: seconds until it ends, or what this call would need.
    pub value: f64,
    /// Seconds until it ends; `None`: when a call under way ends.
    pub ends_in_s: Option<f64>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallEnd {
    /// With an answer.
    Answered {
        /// Time to first token of a stream (tell it early by `first_token` instead), or what is estimated of it.
        ttft_ms: Option<f64>,
        /// Input and output tokens the provider counted, to settle what was reserved.
        n_tokens: Option<u64>,
    },
    /// Without one, and the deployment is to blame.
    Failed {
        /// How long it took.
        latency_ms: f64,
        /// Seconds the provider asks to stay away.
        retry_after_s: Option<f64>,
    },
    /// Refused for a rate limit.
    RateLimited {
        /// Seconds the provider asks to stay away.
        retry_after_s: Option<f64>,
    },
    /// Refused for what the caller sent: the deployment is well.
    Rejected,
    /// Nobody waited for the end: it says nothing.
    Abandoned,
}
