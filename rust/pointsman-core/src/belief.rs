//! [`Belief`]: what is expected of one deployment on one request, from its priors and its outcomes.

use crate::catalog::Catalog;
use crate::latency_model::Speed;
use crate::length::OutputTokens;
use crate::quality::Quality;
use crate::session::Warmth;

/// What is expected of one deployment, before the request's limits are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Belief {
    /// Shrunken quality with its uncertainty; the registry's prior while its model has no reward.
    pub(crate) quality: Quality,
    /// The registry's prior.
    pub(crate) prior: Quality,
    /// Of one answer, reasoning included.
    pub(crate) output_tokens: OutputTokens,
    /// Expected tokens of reasoning among them.
    pub(crate) reasoning_tokens: f64,
    /// Input tokens as the model counts them.
    pub(crate) n_input_tokens: u64,
    /// Those of them expected in the provider's prompt cache.
    pub(crate) n_cached_input_tokens: u64,
    /// Share of a warm prefix that the cache holds, and of the other input that is written to it.
    pub(crate) hit_rate: f64,
    pub(crate) write_rate: f64,
    pub(crate) speed: Speed,
}

/// Beliefs about every deployment, in the catalog's order.
#[derive(Clone, Debug)]
pub(crate) struct Beliefs {
    pub(crate) each: Vec<Belief>,
    /// Rewards seen in the request's slice, faded by their age.
    pub(crate) n_rewards: f64,
}

impl Beliefs {
    /// Expects the session's warm prefixes in the caches of those providers that still hold them.
    pub(crate) fn warm_up(&mut self, catalog: &Catalog, prefixes: impl Iterator<Item = Warmth>) {
        for warmth in prefixes {
            let mut places = catalog.deployments().iter().zip(&mut self.each);
            let Some((deployment, belief)) =
                places.find(|(deployment, _)| deployment.key == warmth.deployment)
            else {
                continue; // Swapped away since.
            };
            let cache = &catalog.provider_of(deployment).prompt_cache;
            let n_warm = cache.held(warmth.n_tokens.min(belief.n_input_tokens), warmth.age_s);
            belief.n_cached_input_tokens = (n_warm as f64 * belief.hit_rate) as u64;
        }
    }
}
