//! The feasible set: every constraint that rejects a candidate is listed, not only the first.

use super::candidate::Candidate;
use super::limits::{Limits, ProviderList};
use crate::catalog::{Capabilities, Capability, Catalog, DataCollection, Deployment, Tier};
use crate::health::{Cause, Condition, Refusal};
use crate::profile::{LatencyClass, TaskProfile};

/// Why a candidate was rejected: the closed list of the HTTP contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReasonCode {
    /// Predicted latency above the limit.
    LatencySla,
    /// Predicted quality below the floor.
    QualityFloor,
    /// Expected cost above the limit.
    MaxCost,
    /// Input and shortest useful answer exceed the context window.
    ContextWindow,
    /// The model cannot do what the request needs.
    Capability,
    /// The deployment is unwell.
    Health,
    /// No headroom under the provider's rate limit.
    RateLimit,
    /// The caller's budget is spent.
    Budget,
    /// The caller may not use it.
    NotAllowed,
    /// The caller's provider preferences exclude it.
    ProviderPreference,
}

impl ReasonCode {
    /// All codes; ties between binding constraints are broken in this order.
    pub const ALL: [ReasonCode; 10] = [
        ReasonCode::LatencySla,
        ReasonCode::QualityFloor,
        ReasonCode::MaxCost,
        ReasonCode::ContextWindow,
        ReasonCode::Capability,
        ReasonCode::Health,
        ReasonCode::RateLimit,
        ReasonCode::Budget,
        ReasonCode::NotAllowed,
        ReasonCode::ProviderPreference,
    ];

    /// The code in JSON.
    pub fn name(self) -> &'static str {
        match self {
            ReasonCode::LatencySla => "latency_sla",
            ReasonCode::QualityFloor => "quality_floor",
            ReasonCode::MaxCost => "max_cost",
            ReasonCode::ContextWindow => "context_window",
            ReasonCode::Capability => "capability",
            ReasonCode::Health => "health",
            ReasonCode::RateLimit => "rate_limit",
            ReasonCode::Budget => "budget",
            ReasonCode::NotAllowed => "not_allowed",
            ReasonCode::ProviderPreference => "provider_preference",
        }
    }
}

/// A limit or a value of a rejection, by reference where it is a name: no allocation per arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    Number(f64),
    Flag(bool),
    Name(&'static str),
    Model(usize),
    Provider(usize),
    AllowedModels,
    PermittedModels,
    Providers(ProviderList),
    RequiredParameters,
    RequiredParameter(usize),
}

/// One constraint that rejects one candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rejection {
    pub(crate) code: ReasonCode,
    pub(crate) field: &'static str,
    pub(crate) limit: Bound,
    pub(crate) value: Bound,
    /// Seconds until it ends by itself, where that is known.
    pub(crate) ends_in_s: Option<f64>,
}

impl Rejection {
    /// Whether it ends by itself: the deployment is unwell or its rate limit is used up.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.code, ReasonCode::Health | ReasonCode::RateLimit)
    }

    /// How far the value is on the right side of the limit, in the field's unit: below 0, `None` where it is no number.
    pub(crate) fn slack(&self) -> Option<f64> {
        match (self.limit, self.value) {
            (Bound::Number(limit), Bound::Number(value)) => Some(-(value - limit).abs()),
            _ => None,
        }
    }
}

/// Lists the rejections of every candidate, candidate by candidate, and notes each one's range.
pub(crate) fn reject(
    catalog: &Catalog,
    profile: &TaskProfile,
    needs: Capabilities,
    limits: &Limits,
    conditions: Option<&[Condition]>,
    candidates: &mut [Candidate],
) -> Vec<Rejection> {
    let floor_like = limits.floor_like(catalog, profile, candidates);
    // Mostly nothing is rejected, and what is kept of a decision shall be small.
    let mut list = List {
        rejections: Vec::new(),
    };
    let places = candidates.iter_mut().zip(catalog.deployments());
    for (index, (candidate, deployment)) in places.enumerate() {
        let start = list.rejections.len() as u32;
        list.latency(candidate, limits);
        list.quality(candidate, limits, floor_like);
        list.cost(candidate, limits);
        list.context(
            candidate,
            catalog.model_of(deployment).context_window,
            candidate.n_input_tokens,
        );
        list.capabilities(catalog.model_of(deployment).capabilities, needs);
        list.allowed(deployment, limits, profile.latency.label);
        list.providers(deployment, limits);
        list.terms(catalog, deployment, limits);
        if let Some(condition) = conditions.map(|conditions| &conditions[index]) {
            candidate.strain(condition);
            condition
                .refusal
                .iter()
                .for_each(|refusal| list.health(refusal));
        }
        candidate.rejections = start..list.rejections.len() as u32;
    }
    list.rejections
}

struct List {
    rejections: Vec<Rejection>,
}

impl List {
    fn add(&mut self, code: ReasonCode, field: &'static str, limit: Bound, value: Bound) {
        self.rejections.push(Rejection {
            code,
            field,
            limit,
            value,
            ends_in_s: None,
        });
    }

    fn health(&mut self, refusal: &Refusal) {
        let code = match refusal.cause {
            Cause::RetryAfter | Cause::RequestsPerMin | Cause::TokensPerMin => {
                ReasonCode::RateLimit
            }
            Cause::Breaker | Cause::Concurrency => ReasonCode::Health,
        };
        let (limit, value) = (Bound::Number(refusal.limit), Bound::Number(refusal.value));
        self.add(code, refusal.cause.name(), limit, value);
        if let Some(last) = self.rejections.last_mut() {
            last.ends_in_s = refusal.ends_in_s;
        }
    }

    fn above(&mut self, code: ReasonCode, field: &'static str, limit: Option<f64>, value: f64) {
        if let Some(limit) = limit.filter(|limit| value > *limit) {
            self.add(code, field, Bound::Number(limit), Bound::Number(value));
        }
    }

    fn below(&mut self, code: ReasonCode, field: &'static str, limit: Option<f64>, value: f64) {
        if let Some(limit) = limit.filter(|limit| value < *limit) {
            self.add(code, field, Bound::Number(limit), Bound::Number(value));
        }
    }

    fn latency(&mut self, candidate: &Candidate, limits: &Limits) {
        let code = ReasonCode::LatencySla;
        self.above(
            code,
            "latency_p95_ms",
            limits.max_latency_ms,
            candidate.latency.p95_ms,
        );
        self.above(
            code,
            "ttft_p95_ms",
            limits.max_ttft_ms,
            candidate.latency.ttft_p95_ms,
        );
        self.above(
            code,
            "deadline_s",
            limits.deadline_s,
            candidate.latency.p95_ms / 1000.0,
        );
    }

    fn quality(&mut self, candidate: &Candidate, limits: &Limits, floor_like: Option<f64>) {
        let code = ReasonCode::QualityFloor;
        self.below(
            code,
            "min_quality",
            limits.min_quality.filter(|_| !candidate.is_certified),
            candidate.quality.mean,
        );
        self.below(code, "quality_like", floor_like, candidate.quality.mean);
    }

    fn cost(&mut self, candidate: &Candidate, limits: &Limits) {
        self.above(
            ReasonCode::MaxCost,
            "max_cost_usd",
            limits.max_cost_usd,
            candidate.cost_usd,
        );
    }

    /// The median answer must fit: an answer cut short is no answer.
    fn context(&mut self, candidate: &Candidate, window: u64, n_input_tokens: u64) {
        let value = n_input_tokens as f64 + candidate.output_tokens.p50.ceil();
        self.above(
            ReasonCode::ContextWindow,
            "context_window",
            Some(window as f64),
            value,
        );
    }

    fn capabilities(&mut self, has: Capabilities, needs: Capabilities) {
        if has.covers(needs) {
            return;
        }
        for capability in Capability::ALL {
            if needs.contains(capability) && !has.contains(capability) {
                self.add(
                    ReasonCode::Capability,
                    capability.name(),
                    Bound::Flag(true),
                    Bound::Flag(false),
                );
            }
        }
    }

    fn allowed(&mut self, deployment: &Deployment, limits: &Limits, latency: LatencyClass) {
        let code = ReasonCode::NotAllowed;
        if limits
            .allowed_models
            .as_ref()
            .is_some_and(|models| !models.contains(&deployment.model))
        {
            self.add(
                code,
                "allowed_models",
                Bound::AllowedModels,
                Bound::Model(deployment.model),
            );
        }
        if limits
            .permitted_models
            .as_ref()
            .is_some_and(|models| !models.contains(&deployment.model))
        {
            self.add(
                code,
                "permitted_models",
                Bound::PermittedModels,
                Bound::Model(deployment.model),
            );
        }
        let flex_is_fine = limits.tier == Tier::Default && latency == LatencyClass::Batch;
        let is_served = match deployment.tier {
            Tier::Default => true,
            Tier::Flex => limits.tier == Tier::Flex || flex_is_fine,
            Tier::Priority => limits.tier == Tier::Priority,
        };
        if !is_served {
            let (limit, value) = (limits.tier.name(), deployment.tier.name());
            self.add(code, "service_tier", Bound::Name(limit), Bound::Name(value));
        }
    }

    fn providers(&mut self, deployment: &Deployment, limits: &Limits) {
        let provider = deployment.provider;
        let is_in = |list| limits.providers(list).contains(&provider);
        let has_order_only = !limits.allow_fallbacks && !limits.order.is_empty();
        let refusals = [
            (
                "only",
                ProviderList::Only,
                limits.only.is_some() && !is_in(ProviderList::Only),
            ),
            ("ignore", ProviderList::Ignore, is_in(ProviderList::Ignore)),
            (
                "order",
                ProviderList::Order,
                has_order_only && !is_in(ProviderList::Order),
            ),
        ];
        for (field, list, is_refused) in refusals {
            if is_refused {
                self.add(
                    ReasonCode::ProviderPreference,
                    field,
                    Bound::Providers(list),
                    Bound::Provider(provider),
                );
            }
        }
    }

    fn terms(&mut self, catalog: &Catalog, deployment: &Deployment, limits: &Limits) {
        let code = ReasonCode::ProviderPreference;
        let collects = catalog.provider_of(deployment).data_collection == DataCollection::Allow;
        if limits.deny_data_collection && collects {
            self.add(
                code,
                "data_collection",
                Bound::Name("deny"),
                Bound::Name("allow"),
            );
        }
        let usd = |nano: u64| nano as f64 / crate::cost::NANO_USD_PER_USD;
        let price = &deployment.price.rates;
        self.above(
            code,
            "max_input_price_usd_per_mtok",
            limits.max_input_price_usd_per_mtok,
            usd(price.input),
        );
        self.above(
            code,
            "max_output_price_usd_per_mtok",
            limits.max_output_price_usd_per_mtok,
            usd(price.output),
        );
        let Some(supported) = &deployment.parameters else {
            return;
        };
        for (index, name) in limits.required_parameters.iter().enumerate() {
            if !supported.contains(name) {
                let value = Bound::RequiredParameter(index);
                self.add(code, "require_parameters", Bound::RequiredParameters, value);
            }
        }
    }
}
