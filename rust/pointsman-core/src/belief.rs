//! [`Belief`]: what is expected of one deployment on one request, from its priors and its outcomes.

use crate::latency_model::Speed;
use crate::length::OutputTokens;
use crate::quality::Quality;

/// What is expected of one deployment, before the request's limits are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Belief {
    /// Shrunken quality with its uncertainty; the registry's prior while its model has no reward.
    pub(crate) quality: Quality,
    /// The registry's prior.
    pub(crate) prior: Quality,
    pub(crate) output_tokens: OutputTokens,
    pub(crate) speed: Speed,
}

/// Beliefs about every deployment, in the catalog's order.
#[derive(Clone, Debug)]
pub(crate) struct Beliefs {
    pub(crate) each: Vec<Belief>,
    /// Rewards seen in the request's slice, faded by their age.
    pub(crate) n_rewards: f64,
}
