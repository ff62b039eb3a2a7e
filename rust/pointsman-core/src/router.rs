//! [`Router`]: features, axes, predictions, feasibility and choice, in that order.

mod calls;
mod outlook;
mod sweep;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::belief::Beliefs;
use crate::catalog::{Catalog, Deployment, Tier};
use crate::classify::Facts;
use crate::decision::{Assessment, Decision, Infeasible, Verdict};
use crate::embed::Embedding;
use crate::error::Error;
use crate::heads;
use crate::health::{Health, HealthSettings};
use crate::identity::decision_id;
use crate::learned::{Learned, Outcome, Task};
use crate::length::OutputTokens;
use crate::markers;
use crate::policy::{self, Candidate, Choice, POLICY_VERSION};
use crate::refine;
use crate::request::Request;
use crate::session::Sessions;
use crate::stems;
use crate::tokens::{self, TokenFamily};
use outlook::Outlook;
pub use sweep::Sweep;

/// Decides, and learns what came of it. Thread-safe; the catalog is swapped atomically, no lock is held while scoring.
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
/// let router = Router::new(Arc::new(catalog))?;
/// let request = Request::new(Conversation::user("What is the capital of France?"));
/// let verdict = router.decide(&request, 1_700_000_000.0, 7)?;
/// let decision = verdict.decision().unwrap();
/// assert_eq!(decision.deployment().name, "p/m");
/// assert_eq!(decision.reason(), "only feasible deployment of 1");
/// # Ok::<(), pointsman_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Router {
    table: RwLock<Arc<Table>>,
    /// Beside the table, as a swapped catalog leaves the providers' caches warm.
    sessions: RwLock<Sessions>,
}

/// A catalog, and what was learned about its deployments.
#[derive(Debug)]
struct Table {
    catalog: Arc<Catalog>,
    learned: RwLock<Learned>,
    health: Mutex<Health>,
}

impl Router {
    /// A router over a catalog; builds the tables that decisions share, so that the first is not slow.
    ///
    /// # Errors
    ///
    /// More than 65,535 deployments, a latency prior beyond 1e9.
    pub fn new(catalog: Arc<Catalog>) -> Result<Self, Error> {
        markers::warm_up();
        heads::warm_up();
        refine::warm_up();
        stems::warm_up();
        tokens::prepare(TokenFamily::O200k);
        let _ = Embedding::builtin(); // Loads it; no error with the data this crate ships.
        let learned = Learned::new(&catalog)?;
        let health = Health::new(&catalog, HealthSettings::default());
        Ok(Self {
            table: RwLock::new(Arc::new(Table::new(catalog, learned, health))),
            sessions: RwLock::default(),
        })
    }

    /// The catalog decisions are made on now.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&read(&self.table).catalog)
    }

    /// Decides on `catalog` from now on; decisions under way finish on the old one.
    ///
    /// A deployment that keeps its name keeps what was learned of it.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); the old catalog stays then.
    pub fn swap(&self, catalog: Arc<Catalog>) -> Result<(), Error> {
        let old = {
            // Held throughout: an outcome that came in between would be lost with the old table.
            let mut table = write(&self.table);
            let learned = read(&table.learned).adapted(&table.catalog, &catalog)?;
            let health = lock(&table.health).adapted(&catalog);
            std::mem::replace(&mut *table, Arc::new(Table::new(catalog, learned, health)))
        };
        drop(old); // Possibly the last reference: freed outside the lock.
        Ok(())
    }

    /// Decides one request. The same catalog, outcomes, request, `now_s` and `seed` give the same verdict.
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
        let table = Arc::clone(&read(&self.table));
        table.decide(request, &self.sessions, now_s, seed)
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
        let table = Arc::clone(&read(&self.table));
        let one = |(index, request): (usize, &Request<S>)| {
            table
                .decide(
                    request,
                    &self.sessions,
                    now_s,
                    seed.wrapping_add(index as u64),
                )
                .map_err(|error| error.within(&format!("requests[{index}].")))
        };
        requests.iter().enumerate().map(one).collect()
    }

    /// Learns what came of a call; nothing, if any of it is refused. About 3 us.
    ///
    /// # Errors
    ///
    /// A number that is NaN or out of range, a deployment the catalog does not hold.
    ///
    /// # Example
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use pointsman_core::{Catalog, Complexity, Conversation, Domain, Outcome, Request, Router, Structure};
    /// # let catalog = Catalog::from_json(br#"{
    /// #     "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
    /// #     "providers": [{"name": "p"}],
    /// #     "deployments": [{"name": "p/m", "model": "m", "provider": "p",
    /// #         "price_nano_usd_per_mtok": {"input": 150000000, "output": 600000000},
    /// #         "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}]}"#)?;
    /// let router = Router::new(Arc::new(catalog))?;
    /// let slow = Outcome {
    ///     latency_ms: Some(60_000.0),
    ///     ..Outcome::new("p/m", Domain::General, Complexity::Lookup, Structure::Text)
    /// };
    /// (0..100).try_for_each(|_| router.observe(&slow, 1e9))?;
    /// let verdict = router.decide(&Request::new(Conversation::user("Who wrote Faust?")), 1e9, 7)?;
    /// assert!(verdict.decision().unwrap().predicted().latency.p95_ms > 10_000.0);
    /// # Ok::<(), pointsman_core::Error>(())
    /// ```
    pub fn observe<S: AsRef<str>>(&self, outcome: &Outcome<S>, now_s: f64) -> Result<(), Error> {
        let table = read(&self.table);
        let catalog = &table.catalog;
        let deployment = catalog.deployment(outcome.deployment.as_ref())?;
        let n_warm_tokens = self.n_warm_tokens(catalog, deployment, outcome, now_s);
        write(&table.learned).observe(catalog, outcome, n_warm_tokens, now_s)?;
        if let Some(prefix) = outcome.prefix.as_ref().filter(|_| !outcome.is_error) {
            let (key, n_tokens) = (deployment.key, outcome.n_input_tokens);
            let forgotten = write(&self.sessions).observe(prefix, key, n_tokens, now_s);
            drop(forgotten); // Many small pieces: freed outside the lock.
        }
        Ok(())
    }

    /// Learns that the answer of one call was preferred to another's (Bradley-Terry, science.md 2.4).
    ///
    /// Of the outcomes only deployment, labels, task, input tokens and features are read. Two deployments of one
    /// model teach nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::observe`]; a weight outside [0, 100]. Nothing is learned then.
    pub fn prefer<S: AsRef<str>>(
        &self,
        chosen: &Outcome<S>,
        rejected: &Outcome<S>,
        weight: f64,
        now_s: f64,
    ) -> Result<(), Error> {
        let table = read(&self.table);
        write(&table.learned).prefer(&table.catalog, chosen, rejected, weight, now_s)
    }

    /// Input tokens of the call that should have been in the deployment's prompt cache.
    fn n_warm_tokens<S>(
        &self,
        catalog: &Catalog,
        deployment: &Deployment,
        outcome: &Outcome<S>,
        now_s: f64,
    ) -> u64 {
        let warmth = outcome
            .prefix
            .as_ref()
            .and_then(|prefix| read(&self.sessions).warmth_before(prefix, deployment.key, now_s));
        let cache = &catalog.provider_of(deployment).prompt_cache;
        warmth.map_or(0, |warmth| {
            cache.held(warmth.n_tokens.min(outcome.n_input_tokens), warmth.age_s)
        })
    }

    /// What is certified of quality floors and what was found broken, slice by slice, as a JSON list.
    ///
    /// Of each slice and deployment: `n_graded`, `risk` (mean of 1 - reward), `n_until_test`, `certificates`
    /// (`min_quality`, `alpha`, `delta`, `n`, `n_failed`, `threshold`, `certified_at_s`) and `alarms`.
    ///
    /// # Example
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use pointsman_core::{Catalog, Router};
    /// # let catalog = Catalog::from_json(br#"{
    /// #     "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
    /// #     "providers": [{"name": "p"}],
    /// #     "deployments": [{"name": "p/m", "model": "m", "provider": "p",
    /// #         "price_nano_usd_per_mtok": {"input": 150000000, "output": 600000000},
    /// #         "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80}}]}"#)?;
    /// assert_eq!(Router::new(Arc::new(catalog))?.floors_json(), b"[]");
    /// # Ok::<(), pointsman_core::Error>(())
    /// ```
    pub fn floors_json(&self) -> Vec<u8> {
        let table = Arc::clone(&read(&self.table));
        read(&table.learned).floors_json(&table.catalog)
    }

    /// All that was learned, as bytes: versioned, with a checksum, matched to a catalog by names.
    pub fn save(&self) -> Vec<u8> {
        self.save_with(&[])
    }

    /// As [`Router::save`], with what others learned beside it: name and bytes of each, given back by `load`.
    pub fn save_with(&self, others: &[(String, Vec<u8>)]) -> Vec<u8> {
        let table = Arc::clone(&read(&self.table));
        read(&table.learned).save(&table.catalog, others)
    }

    /// Puts what was saved in the place of what was learned; names the catalog does not hold are dropped.
    ///
    /// Returns what others had given to [`Router::save_with`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] for bytes that are cut, changed or of another version; nothing changes then.
    pub fn load(&self, document: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let table = read(&self.table);
        let (learned, others) = Learned::load(&table.catalog, document)?;
        *write(&table.learned) = learned;
        Ok(others)
    }
}

/// A poisoned lock is read all the same: nothing can panic halfway through a swap, and a learner that did
/// halfway through an outcome has learned a part of it.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    fn new(catalog: Arc<Catalog>, learned: Learned, health: Health) -> Self {
        Self {
            catalog,
            learned: RwLock::new(learned),
            health: Mutex::new(health),
        }
    }

    /// What is believed now, copied so that no lock is held while scoring.
    fn believe(&self, task: &Task<'_>, now_s: f64) -> Result<Beliefs, Error> {
        let learned = read(&self.learned);
        if now_s < learned.fresh_until_s() {
            return learned.believe(&self.catalog, task, now_s);
        }
        drop(learned);
        let mut learned = write(&self.learned);
        learned.refresh(now_s);
        learned.believe(&self.catalog, task, now_s)
    }

    fn decide<S: AsRef<str>>(
        &self,
        request: &Request<S>,
        sessions: &RwLock<Sessions>,
        now_s: f64,
        seed: u64,
    ) -> Result<Verdict, Error> {
        let catalog = &self.catalog;
        let limits = outlook::resolve(self, request)?;
        let decision_id = decision_id(catalog.version(), request, now_s, seed)?;
        let mut outlook = Outlook::new(self, request, limits, sessions, now_s)?;
        let choice = outlook.choose(self, seed)?;
        let Outlook {
            profile, limits, ..
        } = &outlook;
        let prior = OutputTokens::prior(profile.structure.label, profile.complexity.label);
        let assessment = Assessment {
            decision_id,
            policy_version: policy_version(request.policy_version.as_ref()),
            arm: request.arm.as_ref().map(|arm| arm.as_ref().to_owned()),
            catalog: Arc::clone(catalog),
            output_tokens: limits
                .max_output_tokens
                .map_or(prior, |limit| prior.capped(limit)),
            baseline: baseline(catalog, &outlook.candidates),
            profile: outlook.profile,
            features: outlook.vector,
            limits: outlook.limits,
            candidates: outlook.candidates,
            rejections: outlook.rejections,
            assurances: outlook.assurances,
            prefix: outlook.chain.map(|chain| Box::new(chain.prefix())),
        };
        Ok(verdict(assessment, choice))
    }
}

/// The version of a policy's document with that of the algorithm, which the same document decides by.
fn policy_version<S: AsRef<str>>(given: Option<&S>) -> Cow<'static, str> {
    given.map_or(Cow::Borrowed(POLICY_VERSION), |given| {
        Cow::Owned(format!("{}+{POLICY_VERSION}", given.as_ref()))
    })
}

fn verdict(assessment: Assessment, choice: Option<Choice>) -> Verdict {
    if let Some(choice) = choice {
        return Verdict::Chosen(Box::new(Decision::new(assessment, choice)));
    }
    let catalog = &assessment.catalog;
    let binding = policy::bind(catalog, &assessment.candidates, &assessment.rejections);
    Verdict::Infeasible(Box::new(Infeasible {
        assessment,
        binding,
    }))
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
