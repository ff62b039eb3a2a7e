//! [`Candidate`]: a deployment with what is predicted of it for one request.

use std::ops::Range;

use super::limits::Limits;
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
    /// What the policy ranks by, in US dollars; NaN while infeasible.
    pub score_usd: f64,
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
        Candidate {
            quality: belief.quality,
            prior: belief.prior,
            cost_usd: interactive_cost_nano_usd(&deployment.price, tokens) as f64
                / NANO_USD_PER_USD,
            latency: Latency::predict(&belief.speed, output_tokens.p90),
            output_tokens,
            score_usd: f64::NAN,
            rejections: 0..0,
        }
    };
    let deployments = catalog.deployments().iter();
    deployments.zip(beliefs).map(predict_one).collect()
}
