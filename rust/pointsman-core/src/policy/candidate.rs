//! [`Candidate`]: a deployment with what is predicted of it for one request.

use std::ops::Range;

use super::feasible::Rejection;
use super::limits::Limits;
use super::score::overage;
use crate::belief::Belief;
use crate::catalog::{Catalog, Deployment};
use crate::cost::{NANO_USD_PER_USD, Tokens, interactive_cost_nano_usd};
use crate::health::Condition;
use crate::latency::Latency;
use crate::length::OutputTokens;
use crate::quality::Quality;

/// A deployment with its predictions; feasible, or rejected with reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Expected quality with its uncertainty.
    pub quality: Quality,
    /// Expected cost of the request, US dollars.
    pub cost_usd: f64,
    /// Predicted latency quantiles.
    pub latency: Latency,
    /// Answer length expected of this deployment, capped by the request's and the model's limits.
    pub output_tokens: OutputTokens,
    /// Expected seconds beyond the request's limit of latency (without one: of latency); 0 unless they have a price.
    pub overage_s: f64,
    /// Input tokens as the model counts them.
    pub n_input_tokens: u64,
    /// Those of them expected in the provider's prompt cache, because the session was there a moment ago.
    pub n_cached_input_tokens: u64,
    /// How much dearer than `cost_usd` its health makes it, >= 0: load, slowness, failures, limits nearly used up.
    pub pressure: f64,
    /// Peak-EWMA of its time to first token, times the calls under way and one more, milliseconds; 0 if all are idle.
    pub(crate) load_ms: f64,
    /// What the policy ranks by, in US dollars; NaN while infeasible.
    pub score_usd: f64,
    /// Probability with which the policy chooses this one; 0 while infeasible.
    pub propensity: f64,
    /// The registry's prior of the mean of `quality`.
    pub(crate) prior: f64,
    /// Quality missing for trust in the request's floor; 0 where it is trusted or there is none.
    pub(super) shortfall: f64,
    /// Places in the list of all rejections.
    pub(super) rejections: Range<u32>,
    /// Whether a certificate lets it serve the floor, whatever its mean.
    pub(super) is_certified: bool,
}

/// Every decision keeps one for each deployment, and who decides a thousand at once waits for that memory.
const _: () = assert!(size_of::<Candidate>() <= 160);

impl Candidate {
    /// Input and output tokens expected of a call, to be reserved under a rate limit.
    pub fn n_tokens(&self, n_choices: u32) -> u64 {
        let n_output = self.output_tokens.mean * f64::from(n_choices);
        self.n_input_tokens.saturating_add(n_output.round() as u64)
    }

    /// Takes what is known of its health.
    pub(super) fn strain(&mut self, condition: &Condition) {
        self.pressure = condition.pressure;
        // Nobody called it yet: as slow as it may be.
        let seen_ms = Some(condition.peak_ms).filter(|peak_ms| *peak_ms > 0.0);
        let peak_ms = seen_ms.unwrap_or(self.latency.ttft_p95_ms);
        self.load_ms = peak_ms * (f64::from(condition.n_pending) + 1.0);
    }

    /// What rejects it, of the rejections of all.
    pub(crate) fn rejected_by<'a>(&self, rejections: &'a [Rejection]) -> &'a [Rejection] {
        &rejections[self.rejections.start as usize..self.rejections.end as usize]
    }

    /// Whether nothing speaks against trusting it with the floor, if there is one.
    pub(super) fn is_assured(&self) -> bool {
        self.shortfall == 0.0
    }

    /// Whether no constraint rejects it.
    pub fn is_feasible(&self) -> bool {
        self.rejections.is_empty()
    }
}

/// Predicts every deployment of the catalog from what is believed of it; one allocation for all.
pub(crate) fn predict(catalog: &Catalog, limits: &Limits, beliefs: &[Belief]) -> Vec<Candidate> {
    let predict_one = |(deployment, belief): (&Deployment, &Belief)| {
        let model = catalog.model_of(deployment);
        let caps = limits
            .max_output_tokens
            .iter()
            .chain(&model.max_output_tokens);
        let output_tokens = caps.fold(belief.output_tokens, |tokens, cap| tokens.capped(*cap));
        let latency = Latency::predict(&belief.speed, output_tokens.p90);
        let overage_ms = || {
            let p50_ms = belief.speed.p50_ms(output_tokens.p50);
            overage(p50_ms, latency.p95_ms, limits.tolerated_latency_ms())
        };
        let is_waiting_priced = limits.weights.latency_value_usd_per_s > 0.0;
        let tokens = tokens(belief, output_tokens.mean, limits.n_choices);
        Candidate {
            quality: belief.quality,
            prior: belief.prior.mean,
            cost_usd: in_usd(interactive_cost_nano_usd(&deployment.price, tokens)),
            overage_s: if is_waiting_priced {
                overage_ms() / 1000.0
            } else {
                0.0
            },
            latency,
            output_tokens,
            n_input_tokens: tokens.n_input,
            n_cached_input_tokens: tokens.n_cached_input,
            pressure: 0.0,
            load_ms: 0.0,
            score_usd: f64::NAN,
            propensity: 0.0,
            shortfall: 0.0,
            rejections: 0..0,
            is_certified: false,
        }
    };
    let deployments = catalog.deployments().iter();
    deployments.zip(beliefs).map(predict_one).collect()
}

/// In two halves: the conversion of 128 bits is a call.
fn in_usd(nano_usd: u128) -> f64 {
    const HIGH: f64 = (1_u128 << 64) as f64;
    ((nano_usd >> 64) as u64 as f64 * HIGH + nano_usd as u64 as f64) / NANO_USD_PER_USD
}

/// Tokens expected of a call with answers of that mean length.
fn tokens(belief: &Belief, mean_output_tokens: f64, n_choices: u32) -> Tokens {
    let n_fresh = belief.n_input_tokens - belief.n_cached_input_tokens.min(belief.n_input_tokens);
    let n_choices = f64::from(n_choices);
    let n_reasoning = belief.reasoning_tokens.min(mean_output_tokens);
    Tokens {
        n_input: belief.n_input_tokens,
        n_cached_input: belief.n_cached_input_tokens,
        n_cache_write: (n_fresh as f64 * belief.write_rate) as u64,
        n_output: (mean_output_tokens * n_choices).round() as u64,
        n_reasoning: (n_reasoning * n_choices) as u64,
    }
}
