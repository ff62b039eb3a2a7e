//! [`DeploymentHealth`]: the state of one deployment, to be shown.

use serde::Serialize;

use super::breaker::Phase;
use super::bucket::Bucket;
use super::call::Cause;
use super::member::Member;
use super::settings::HealthSettings;

/// Pressure from which a deployment counts as degraded: a call is half as dear again.
const DEGRADED: f64 = 0.5;

/// What is left of a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Headroom {
    /// Requests or tokens in a full window.
    pub limit: f64,
    /// Those that are left now, >= 0.
    pub remaining: f64,
    /// Seconds until all are back.
    pub reset_s: f64,
}

/// The state of one deployment.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use pointsman_core::health::{CallEnd, Phase};
/// use pointsman_core::{Catalog, Router};
///
/// # let catalog = Catalog::from_json(br#"{
/// #     "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
/// #     "providers": [{"name": "p"}],
/// #     "deployments": [{"name": "p/m", "model": "m", "provider": "p",
/// #         "price_nano_usd_per_mtok": {"input": 150000000, "output": 600000000},
/// #         "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}]}"#)?;
/// let router = Router::new(Arc::new(catalog))?;
/// for _ in 0..5 {
///     let ticket = router.begin("p/m", 100, 0.0)?.unwrap();
///     router.end(&ticket, &CallEnd::Failed { latency_ms: 20.0, retry_after_s: None }, 0.0)?;
/// }
/// assert_eq!(router.health(0.0)[0].breaker, Phase::Open);
/// assert!(router.begin("p/m", 100, 0.0)?.is_err());
/// # Ok::<(), pointsman_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeploymentHealth {
    /// Where its breaker stands.
    pub breaker: Phase,
    /// Why it may not be called now, if it may not.
    pub refused_by: Option<Cause>,
    /// Seconds until it may be called again; `None`: it may, or nobody knows.
    pub available_in_s: Option<f64>,
    /// Peak-EWMA of the time to first token; `None`: none was seen.
    pub peak_ttft_ms: Option<f64>,
    /// Usual time to first token; `None`: none was seen.
    pub usual_ttft_ms: Option<f64>,
    /// Calls under way.
    pub n_pending: u32,
    /// Calls it takes at once; `None`: not limited.
    pub concurrency_limit: Option<f64>,
    /// Share of calls that failed lately, in [0, 1).
    pub failure_rate: f64,
    /// Calls seen, faded by age.
    pub n_calls: f64,
    /// Failures in a row.
    pub n_consecutive_failures: u32,
    /// How much dearer than its price a call is.
    pub pressure: f64,
    /// Requests per minute; `None`: no limit known.
    pub requests: Option<Headroom>,
    /// Tokens per minute; `None`: no limit known.
    pub tokens: Option<Headroom>,
}

/// The same with its names, as JSON has it.
#[derive(Serialize)]
pub(crate) struct HealthRecord<'a> {
    deployment: &'a str,
    model: &'a str,
    provider: &'a str,
    state: &'static str,
    breaker: &'static str,
    refused_by: Option<&'static str>,
    available_in_s: Option<f64>,
    peak_ttft_ms: Option<f64>,
    usual_ttft_ms: Option<f64>,
    n_pending: u32,
    concurrency_limit: Option<f64>,
    failure_rate: f64,
    n_calls: f64,
    n_consecutive_failures: u32,
    pressure: f64,
    requests: Option<Headroom>,
    tokens: Option<Headroom>,
}

impl DeploymentHealth {
    /// The state in one word: `open`, `half_open`, `held` (a rate limit keeps it away), `full`, `degraded` or `well`.
    pub fn state(&self) -> &'static str {
        match (self.breaker, self.refused_by) {
            (Phase::Open, _) => "open",
            (Phase::HalfOpen, _) => "half_open",
            (_, Some(Cause::Concurrency)) => "full",
            (_, Some(_)) => "held",
            (_, None) if self.pressure >= DEGRADED => "degraded",
            _ => "well",
        }
    }

    /// The record of a deployment of this name, model and provider.
    pub(crate) fn record<'a>(
        &self,
        (deployment, model, provider): (&'a str, &'a str, &'a str),
    ) -> HealthRecord<'a> {
        HealthRecord {
            deployment,
            model,
            provider,
            state: self.state(),
            breaker: self.breaker.name(),
            refused_by: self.refused_by.map(Cause::name),
            available_in_s: self.available_in_s,
            peak_ttft_ms: self.peak_ttft_ms,
            usual_ttft_ms: self.usual_ttft_ms,
            n_pending: self.n_pending,
            concurrency_limit: self.concurrency_limit,
            failure_rate: self.failure_rate,
            n_calls: self.n_calls,
            n_consecutive_failures: self.n_consecutive_failures,
            pressure: self.pressure,
            requests: self.requests,
            tokens: self.tokens,
        }
    }
}

impl Member {
    pub(super) fn report(&self, settings: &HealthSettings, now_s: f64) -> DeploymentHealth {
        let headroom = |bucket: &Bucket| Headroom {
            limit: bucket.limit,
            remaining: bucket.level(now_s).max(0.0),
            reset_s: bucket.ends_in_s(bucket.limit, now_s),
        };
        let refusal = self.refusal(1, settings, now_s);
        let usual_ms = self.usual.ms();
        DeploymentHealth {
            breaker: self.breaker.phase(now_s),
            refused_by: refusal.map(|refusal| refusal.cause),
            available_in_s: refusal.and_then(|refusal| refusal.ends_in_s),
            peak_ttft_ms: usual_ms.map(|usual_ms| self.latency.decayed_ms(usual_ms, now_s)),
            usual_ttft_ms: usual_ms,
            n_pending: self.n_pending,
            concurrency_limit: settings
                .adaptive_concurrency
                .then(|| self.concurrency.limit(settings)),
            failure_rate: self.failures.rate(now_s),
            n_calls: self.failures.n_calls(now_s),
            n_consecutive_failures: self.failures.n_consecutive,
            pressure: self.pressure(settings, now_s),
            requests: self.requests.as_ref().map(headroom),
            tokens: self.tokens.as_ref().map(headroom),
        }
    }
}
