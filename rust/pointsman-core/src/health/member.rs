//! One deployment: calls under way, latency, failures, breaker, limits.

use super::breaker::{Breaker, Phase};
use super::bucket::{Bucket, scarcity};
use super::call::{CallEnd, Cause, Refusal, Ticket};
use super::concurrency::{Concurrency, FirstToken};
use super::failures::Failures;
use super::peak::PeakEwma;
use super::settings::HealthSettings;
use super::usual::{TOLERANCE, Usual};
use crate::catalog::{Deployment, Limits};

/// Times its price that a call costs more for each failure per success (chosen: at 1 failure in 5 a sibling of up to
/// 3.5 times the price is preferred).
const FAILURE_PRESSURE: f64 = 10.0;
/// Share of its price that a call costs more at full load, besides scarcity: siblings within it share the load.
const LOAD_PRESSURE: f64 = 0.05;
/// Seconds to stay away after a refusal for a rate limit that does not say how long; doubles with each in a row.
const DEFAULT_HOLD_S: f64 = 1.0;
const MAX_DEFAULT_HOLD_S: f64 = 60.0;
/// Longest `retry-after` that is believed: a day.
const MAX_HOLD_S: f64 = 86_400.0;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) key: u64,
    pub(super) model: usize,
    pub(super) n_pending: u32,
    pub(super) breaker: Breaker,
    pub(super) failures: Failures,
    pub(super) latency: PeakEwma,
    pub(super) usual: Usual,
    pub(super) concurrency: Concurrency,
    pub(super) requests: Option<Bucket>,
    pub(super) tokens: Option<Bucket>,
    pub(super) hold_until_s: f64,
    n_refused: u32,
    configured: Limits,
}

impl Member {
    pub(super) fn new(deployment: &Deployment, settings: &HealthSettings) -> Self {
        let bucket = |limit: Option<u64>| limit.map(|limit| Bucket::per_minute(limit as f64));
        Self {
            key: deployment.key,
            model: deployment.model,
            n_pending: 0,
            breaker: Breaker::default(),
            failures: Failures::default(),
            latency: PeakEwma::default(),
            usual: Usual::default(),
            concurrency: Concurrency::new(settings),
            requests: bucket(deployment.limits.requests_per_min),
            tokens: bucket(deployment.limits.tokens_per_min),
            hold_until_s: f64::NEG_INFINITY,
            n_refused: 0,
            configured: deployment.limits,
        }
    }

    /// The same for another catalog; limits that the operator changed start anew.
    pub(super) fn adapted(&self, deployment: &Deployment, settings: &HealthSettings) -> Self {
        let mut adapted = Self {
            model: deployment.model,
            ..self.clone()
        };
        if self.configured != deployment.limits {
            let fresh = Self::new(deployment, settings);
            adapted.requests = fresh.requests;
            adapted.tokens = fresh.tokens;
            adapted.configured = fresh.configured;
        }
        adapted
    }

    /// Whether nothing is to be said of it; cheap.
    pub(super) fn is_quiet(&self, now_s: f64) -> bool {
        self.n_pending == 0
            && self.failures.is_none()
            && self.breaker.is_closed()
            && self.hold_until_s <= now_s
            && self.requests.is_none()
            && self.tokens.is_none()
            && self.latency.peak_ms() <= self.tolerated_ms()
    }

    /// Why a call of so many tokens may not go through now.
    pub(super) fn refusal(
        &self,
        n_tokens: u64,
        settings: &HealthSettings,
        now_s: f64,
    ) -> Option<Refusal> {
        self.closed_for(now_s)
            .or_else(|| self.full(settings))
            .or_else(|| self.used_up(n_tokens, now_s))
    }

    fn closed_for(&self, now_s: f64) -> Option<Refusal> {
        let refuse = |cause, ends_in_s: Option<f64>| Refusal {
            cause,
            limit: 0.0,
            value: ends_in_s.unwrap_or(0.0),
            ends_in_s,
        };
        let hold_s = self.hold_until_s - now_s;
        match self.breaker.phase(now_s) {
            Phase::Open => Some(refuse(Cause::Breaker, self.breaker.ends_in_s(now_s))),
            Phase::HalfOpen if self.breaker.is_probed(now_s) => Some(refuse(Cause::Breaker, None)),
            _ if hold_s > 0.0 => Some(refuse(Cause::RetryAfter, Some(hold_s))),
            _ => None,
        }
    }

    fn full(&self, settings: &HealthSettings) -> Option<Refusal> {
        let (limit, value) = (
            self.concurrency.limit(settings),
            f64::from(self.n_pending) + 1.0,
        );
        (settings.adaptive_concurrency && value > limit).then_some(Refusal {
            cause: Cause::Concurrency,
            limit,
            value,
            ends_in_s: None,
        })
    }

    fn used_up(&self, n_tokens: u64, now_s: f64) -> Option<Refusal> {
        let needs = [
            (Cause::RequestsPerMin, &self.requests, 1.0),
            (Cause::TokensPerMin, &self.tokens, n_tokens as f64),
        ];
        needs.into_iter().find_map(|(cause, bucket, value)| {
            let bucket = bucket.as_ref()?;
            let ends_in_s = bucket.ends_in_s(value, now_s);
            (ends_in_s > 0.0).then(|| Refusal {
                cause,
                limit: bucket.level(now_s).floor().max(0.0),
                value,
                ends_in_s: Some(ends_in_s),
            })
        })
    }

    /// Notes a call that begins; nothing may refuse it.
    pub(super) fn begin(
        &mut self,
        index: usize,
        n_tokens: u64,
        settings: &HealthSettings,
        now_s: f64,
    ) -> Ticket {
        let is_probe = !self.breaker.is_closed();
        if is_probe {
            self.breaker.start_probe(now_s);
        }
        self.n_pending = self.n_pending.saturating_add(1);
        if let Some(bucket) = &mut self.requests {
            bucket.take(1.0, now_s);
        }
        if let Some(bucket) = &mut self.tokens {
            bucket.take(n_tokens as f64, now_s);
        }
        Ticket {
            key: self.key,
            index,
            n_tokens,
            place: self.concurrency.begin(self.n_pending, now_s, settings),
            began_s: now_s,
            is_probe,
        }
    }

    pub(super) fn first_token(
        &mut self,
        ticket: &Ticket,
        ttft_ms: f64,
        settings: &HealthSettings,
        now_s: f64,
    ) {
        let is_busy = f64::from(self.n_pending) >= self.concurrency.limit(settings) / 2.0;
        self.latency.observe(ttft_ms, now_s);
        self.usual.observe(ttft_ms, is_busy);
        let seen = FirstToken {
            ttft_ms,
            n_tokens: ticket.n_tokens,
            place: ticket.place,
        };
        self.concurrency.observe(&seen, settings);
    }

    /// Notes how a call ended, all but the opening of the breaker.
    pub(super) fn end(
        &mut self,
        ticket: &Ticket,
        end: &CallEnd,
        settings: &HealthSettings,
        now_s: f64,
    ) {
        match *end {
            CallEnd::Answered { ttft_ms, n_tokens } => {
                if let Some(ttft_ms) = ttft_ms {
                    self.first_token(ticket, ttft_ms, settings, now_s);
                }
                self.settle(ticket, n_tokens.unwrap_or(ticket.n_tokens), now_s);
                self.failures.observe(false, now_s);
                self.n_refused = 0;
            }
            CallEnd::Failed {
                latency_ms,
                retry_after_s,
            } => {
                if !self.breaker.is_past(ticket.began_s) {
                    self.latency.raise(latency_ms, now_s);
                    self.failures.observe(true, now_s);
                }
                if let Some(wait_s) = retry_after_s {
                    self.hold(wait_s, now_s);
                }
            }
            CallEnd::RateLimited { retry_after_s } => {
                let doubled = DEFAULT_HOLD_S * f64::from(self.n_refused.min(10)).exp2();
                self.n_refused = self.n_refused.saturating_add(1);
                self.concurrency.refused(ticket.place, settings);
                self.hold(
                    retry_after_s.unwrap_or(doubled.min(MAX_DEFAULT_HOLD_S)),
                    now_s,
                );
            }
            CallEnd::Rejected => self.failures.observe(false, now_s),
            CallEnd::Abandoned => {}
        }
        if !matches!(end, CallEnd::Answered { .. }) {
            self.concurrency.ended(ticket.place, settings);
        }
        self.n_pending = self.n_pending.saturating_sub(1);
    }

    /// The longer of two holds stands.
    fn hold(&mut self, wait_s: f64, now_s: f64) {
        self.hold_until_s = self.hold_until_s.max(now_s + wait_s.min(MAX_HOLD_S));
    }

    fn settle(&mut self, ticket: &Ticket, n_used: u64, now_s: f64) {
        if let Some(bucket) = &mut self.tokens {
            bucket.settle(ticket.n_tokens as f64, n_used as f64, ticket.began_s, now_s);
        }
    }

    /// How much dearer than its price a call is: for load, slowness, failures and limits nearly used up; 0 if idle and well.
    pub(super) fn pressure(&self, settings: &HealthSettings, now_s: f64) -> f64 {
        let load = (1.0 + self.load(settings)) * self.slowness(now_s) - 1.0;
        let rate = self.failures.rate(now_s);
        let buckets = [&self.requests, &self.tokens];
        let limits: f64 = buckets
            .into_iter()
            .flatten()
            .map(|bucket| bucket.pressure(now_s))
            .sum();
        load + FAILURE_PRESSURE * rate / (1.0 - rate) + limits
    }

    /// 0 when idle; little more, to tell equals apart, until nearly as many calls are under way as it takes.
    fn load(&self, settings: &HealthSettings) -> f64 {
        let limit = if settings.adaptive_concurrency {
            self.concurrency.limit(settings)
        } else {
            settings.max_concurrency
        };
        let share = f64::from(self.n_pending) / limit;
        LOAD_PRESSURE * share + scarcity(share)
    }

    /// Peak-EWMA of its time to first token; 0: none was seen.
    pub(super) fn peak_ms(&self, now_s: f64) -> f64 {
        let usual_ms = self.usual.ms();
        usual_ms.map_or(0.0, |usual_ms| self.latency.decayed_ms(usual_ms, now_s))
    }

    /// Its peak latency over what is tolerated of it; 1 when as usual.
    fn slowness(&self, now_s: f64) -> f64 {
        match self.usual.ms() {
            Some(usual_ms) => (self.peak_ms(now_s) / (TOLERANCE * usual_ms)).max(1.0),
            None => 1.0,
        }
    }

    fn tolerated_ms(&self) -> f64 {
        self.usual
            .ms()
            .map_or(f64::INFINITY, |usual_ms| TOLERANCE * usual_ms)
    }
}
