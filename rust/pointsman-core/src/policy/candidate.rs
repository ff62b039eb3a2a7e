//! [`Candidate`]: a deployment with what is predicted of it for one request.

use std::ops::Range;

use super::limits::Limits;
use super::score::overage;
use crate::belief::Belief;
use crate::catalog::{Catalog, Deployment};
use crate::cost::{NANO_USD_PER_USD, Tokens, interactive_cost_nano_usd};
use crate::latency::Latency;
use crate::length::OutputTokens;
use crate::profile::TaskProfile;
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
    /// What the policy ranks by, in US dollars; NaN while infeasible.
    pub score_usd: f64,
    /// Probability with which the policy chooses this one; 0 while infeasible.
    pub propensity: f64,
    /// The registry's prior of `quality`.
    pub(crate) prior: Quality,
    pub(crate) rejections: Range<usize>,
}

impl Candidate {
    /// Whether no constraint rejects it.
    pub fn is_feasible(&self) -> bool {
        self.rejections.is_empty()
    }
}

/// Predicts every deployment of the catalog from what is believed of it; one allocation for all.
pub(crate) fn predict(
    catalog: &Catalog,
    profile: &TaskProfile,
    limits: &Limits,
    beliefs: &[Belief],
) -> Vec<Candidate> {
    let predict_one = |(deployment, belief): (&Deployment, &Belief)| {
        let model = catalog.model_of(deployment);
        let caps = limits
            .max_output_tokens
            .iter()
            .chain(&model.max_output_tokens);
        let output_tokens = caps.fold(belief.output_tokens, |tokens, cap| tokens.capped(*cap));
        let tokens = Tokens {
            n_input: profile.n_input_tokens,
            n_output: (output_tokens.mean * f64::from(limits.n_choices)).round() as u64,
            ..Tokens::default()
        };
        let latency = Latency::predict(&belief.speed, output_tokens.p90);
        let overage_ms = || {
            let p50_ms = belief.speed.p50_ms(output_tokens.p50);
            overage(p50_ms, latency.p95_ms, limits.tolerated_latency_ms())
        };
        let is_waiting_priced = limits.weights.latency_value_usd_per_s > 0.0;
        Candidate {
            quality: belief.quality,
            prior: belief.prior,
            cost_usd: interactive_cost_nano_usd(&deployment.price, tokens) as f64
                / NANO_USD_PER_USD,
            overage_s: if is_waiting_priced {
                overage_ms() / 1000.0
            } else {
                0.0
            },
            latency,
            output_tokens,
            score_usd: f64::NAN,
            propensity: 0.0,
            rejections: 0..0,
        }
    };
    let deployments = catalog.deployments().iter();
    deployments.zip(beliefs).map(predict_one).collect()
}
