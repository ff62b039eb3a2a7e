//! The router's limit of calls under way, and the wrong twins that the checks must find out.

use std::collections::HashMap;

use pointsman_core::Router;
use pointsman_core::health::{CallEnd, HealthSettings, Ticket};

use crate::siblings;

/// Who says how many calls may be under way.
pub trait Limiter {
    fn admit(&mut self, call: usize, n_tokens: u64, now_s: f64) -> bool;
    fn first_token(&mut self, call: usize, ttft_ms: f64, now_s: f64);
    fn end(&mut self, call: usize, now_s: f64);
    fn limit(&self, now_s: f64) -> f64;
}

/// The router's own.
pub struct Ours {
    router: Router,
    tickets: HashMap<usize, Ticket>,
}

impl Ours {
    pub fn new(initial: f64, min: f64) -> Self {
        let router = siblings(1);
        let settings = HealthSettings {
            initial_concurrency: initial,
            min_concurrency: min,
            ..HealthSettings::default()
        };
        router.configure_health(settings).unwrap();
        Self {
            router,
            tickets: HashMap::new(),
        }
    }
}

impl Limiter for Ours {
    fn admit(&mut self, call: usize, n_tokens: u64, now_s: f64) -> bool {
        let begun = self.router.begin("d0", n_tokens, now_s).unwrap();
        begun.is_ok_and(|ticket| self.tickets.insert(call, ticket).is_none())
    }

    fn first_token(&mut self, call: usize, ttft_ms: f64, now_s: f64) {
        let ticket = &self.tickets[&call];
        self.router.first_token(ticket, ttft_ms, now_s).unwrap();
    }

    fn end(&mut self, call: usize, now_s: f64) {
        let ticket = self.tickets.remove(&call).unwrap();
        let end = CallEnd::Answered {
            ttft_ms: None,
            n_tokens: None,
        };
        self.router.end(&ticket, &end, now_s).unwrap();
    }

    fn limit(&self, now_s: f64) -> f64 {
        self.router.health(now_s)[0].concurrency_limit.unwrap()
    }
}

/// Counts calls under way for a twin that only learns from single times to first token.
pub struct Twin<Rule> {
    pub limit: f64,
    n_pending: f64,
    rule: Rule,
}

impl<Rule: FnMut(f64, f64, f64) -> f64> Twin<Rule> {
    /// `rule` makes a new limit of a time to first token, the calls under way and the limit so far.
    pub fn new(initial: f64, rule: Rule) -> Self {
        Self {
            limit: initial,
            n_pending: 0.0,
            rule,
        }
    }
}

impl<Rule: FnMut(f64, f64, f64) -> f64> Limiter for Twin<Rule> {
    fn admit(&mut self, _: usize, _: u64, _: f64) -> bool {
        let is_admitted = self.n_pending + 1.0 <= self.limit;
        self.n_pending += f64::from(u8::from(is_admitted));
        is_admitted
    }

    fn first_token(&mut self, _: usize, ttft_ms: f64, _: f64) {
        let limit = (self.rule)(ttft_ms, self.n_pending, self.limit);
        self.limit = limit.clamp(4.0, 2000.0);
    }

    fn end(&mut self, _: usize, _: f64) {
        self.n_pending -= 1.0;
    }

    fn limit(&self, _: f64) -> f64 {
        self.limit.floor()
    }
}

/// Additive increase, a tenth off for each single value above the p99 of the last 100.
pub fn aimd(initial: f64) -> impl Limiter {
    let mut last = std::collections::VecDeque::from([f64::INFINITY; 100]);
    Twin::new(initial, move |ttft_ms, n_pending, limit| {
        let mut sorted: Vec<f64> = last.iter().copied().filter(|one| one.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let p99 = sorted.get(sorted.len() * 99 / 100).copied();
        last.pop_front();
        last.push_back(ttft_ms);
        match p99 {
            Some(p99) if ttft_ms > p99 => 0.9 * limit,
            _ if n_pending >= limit / 2.0 => limit + 1.0 / limit,
            _ => limit,
        }
    })
}

/// Gradient2 as Netflix has it: a mean of 600 that follows whatever it sees, single values against it.
pub fn gradient2(initial: f64) -> impl Limiter {
    let (mut long_ms, mut n) = (0.0_f64, 0.0_f64);
    Twin::new(initial, move |ttft_ms, n_pending, limit| {
        n += 1.0;
        long_ms += (ttft_ms - long_ms) * (2.0 / 601.0_f64).max(1.0 / n);
        if long_ms / ttft_ms > 2.0 {
            long_ms *= 0.9;
        }
        if n_pending < limit / 2.0 {
            return limit;
        }
        let gradient = (1.5 * long_ms / ttft_ms).clamp(0.5, 1.0);
        0.8 * limit + 0.2 * (limit * gradient + 4.0)
    })
}

/// Robust windows, but what is usual follows the congestion: the geometric mean of 30 against that of the last 600.
pub fn following(initial: f64) -> impl Limiter {
    let (mut window, mut n, mut usual) = (0.0, 0.0_f64, None);
    Twin::new(initial, move |ttft_ms, n_pending, limit| {
        window += ttft_ms.ln();
        n += 1.0;
        if n < 30.0 {
            return limit;
        }
        let mean = std::mem::take(&mut window) / std::mem::take(&mut n);
        let known = *usual.get_or_insert(mean);
        usual = Some(known + (mean - known) / 20.0);
        if n_pending < limit / 2.0 {
            return limit;
        }
        let gradient = (1.5_f64 * (known - mean).exp()).clamp(0.5, 1.0);
        limit * gradient + 4.0
    })
}
