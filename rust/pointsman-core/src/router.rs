//! [`Router`]: features, axes, predictions, feasibility and choice, in that order.

use std::sync::{Arc, PoisonError, RwLock};

use crate::catalog::{Catalog, Tier};
use crate::classify::{Facts, classify};
use crate::decision::{Assessment, Decision, Infeasible, Verdict};
use crate::embed::Embedding;
use crate::error::{Error, ErrorKind};
use crate::features::Features;
use crate::heads;
use crate::identity::decision_id;
use crate::length::OutputTokens;
use crate::markers;
use crate::policy::{self, Candidate, Limits};
use crate::request::Request;
use crate::tokens::{self, TokenFamily};

/// Decides. Thread-safe; the catalog is swapped atomically and no lock is held while scoring.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use pointsman_core::{Catalog, Conversation, Request, Router};
///
/// let catalog = Catalog::from_json(br#"{
///     "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
///     "providers": [{"name": "p"}],
///     "deployments": [{"name": "p/m", "model": "m", "provider": "p",
///         "price_nano_usd_per_mtok": {"input": 150000000, "output": 600000000},
///         "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}]}"#)?;
/// let router = Router::new(Arc::new(catalog));
/// let request = Request::new(Conversation::user("What is the capital of France?"));
/// let verdict = router.decide(&request, 1_700_000_000.0, 7)?;
/// let decision = verdict.decision().unwrap();
/// assert_eq!(decision.deployment().name, "p/m");
/// assert_eq!(decision.reason(), "only feasible deployment of 1");
/// # Ok::<(), pointsman_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Router {
    catalog: RwLock<Arc<Catalog>>,
}

impl Router {
    /// A router over a catalog; builds the tables that decisions share, so that the first is not slow.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        markers::warm_up();
        heads::warm_up();
        tokens::prepare(TokenFamily::O200k);
        let _ = Embedding::builtin(); // Loads it; no error with the data this crate ships.
        Self {
            catalog: RwLock::new(catalog),
        }
    }

    /// The catalog decisions are made on now.
    pub fn catalog(&self) -> Arc<Catalog> {
        // A poisoned lock holds a whole Arc all the same: nothing can panic halfway through a swap.
        Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Decides on `catalog` from now on; decisions under way finish on the old one.
    pub fn swap(&self, catalog: Arc<Catalog>) {
        let old = {
            let mut current = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, catalog)
        };
        drop(old); // Possibly the last reference: freed outside the lock.
    }

    /// Decides one request. The same catalog, request, `now_s` and `seed` give the same verdict.
    ///
    /// # Errors
    ///
    /// An empty conversation, a number that is NaN or out of range, a name the catalog does not hold.
    pub fn decide<S: AsRef<str>>(
        &self,
        request: &Request<S>,
        now_s: f64,
        seed: u64,
    ) -> Result<Verdict, Error> {
        decide(&self.catalog(), request, now_s, seed)
    }

    /// Decides many on one catalog; request `i` uses `seed + i` (wrapping).
    ///
    /// # Errors
    ///
    /// As [`decide`](Self::decide); the message names the request's index.
    pub fn decide_many<S: AsRef<str>>(
        &self,
        requests: &[Request<S>],
        now_s: f64,
        seed: u64,
    ) -> Result<Vec<Verdict>, Error> {
        let catalog = self.catalog();
        let one = |(index, request): (usize, &Request<S>)| {
            decide(&catalog, request, now_s, seed.wrapping_add(index as u64))
                .map_err(|error| error.within(&format!("requests[{index}].")))
        };
        requests.iter().enumerate().map(one).collect()
    }
}

fn decide<S: AsRef<str>>(
    catalog: &Arc<Catalog>,
    request: &Request<S>,
    now_s: f64,
    seed: u64,
) -> Result<Verdict, Error> {
    if request.conversation.is_empty() {
        return Err(ErrorKind::EmptyConversation.into());
    }
    let limits = Limits::resolve(catalog, request)?;
    let decision_id = decision_id(catalog.version(), request, now_s, seed)?;
    let features = Features::extract(request);
    let profile = classify(&features, &facts(request));
    let mut candidates = policy::predict(catalog, &profile, &limits);
    let rejections = policy::reject(catalog, &profile, features.needs, &limits, &mut candidates);
    let choice = policy::choose(catalog, &profile, &limits, &mut candidates);
    let prior = OutputTokens::prior(profile.structure.label, profile.complexity.label);
    let assessment = Assessment {
        decision_id,
        catalog: Arc::clone(catalog),
        profile,
        output_tokens: limits
            .max_output_tokens
            .map_or(prior, |limit| prior.capped(limit)),
        baseline: baseline(catalog, &candidates),
        limits,
        candidates,
        rejections,
    };
    Ok(match choice {
        Some(choice) => Verdict::Chosen(Decision::new(assessment, choice)),
        None => {
            let binding = policy::bind(catalog, &assessment.candidates, &assessment.rejections);
            Verdict::Infeasible(Infeasible {
                assessment,
                binding,
            })
        }
    })
}

fn facts<S: AsRef<str>>(request: &Request<S>) -> Facts {
    Facts {
        response_format: request.response_format,
        is_stream: request.is_stream,
        is_flex: request
            .service_tier
            .as_ref()
            .is_some_and(|tier| matches!(tier.as_ref(), "flex" | "batch")),
        deadline_s: request.constraints.deadline_s,
    }
}

/// The baseline model's cheapest deployment for this request: of the default tier if it has one; ties by place.
fn baseline(catalog: &Catalog, candidates: &[Candidate]) -> usize {
    let deployments = catalog.deployments();
    let of_model = (0..deployments.len())
        .filter(|index| deployments[*index].model == catalog.baseline_index());
    let key = |index: &usize| {
        (
            deployments[*index].tier != Tier::Default,
            candidates[*index].cost_usd,
        )
    };
    let cheapest = of_model.min_by(|a, b| {
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    cheapest.unwrap_or(0)
}
