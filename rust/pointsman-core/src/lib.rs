//! The deciding core of pointsman: which deployment should answer a request, and why.
//!
//! Pure: no clock, no network, no threads, no hidden randomness. Time and seed are arguments, so the same
//! inputs give the same decision, byte for byte. A request travels in one direction:
//!
//! ```text
//! Request -> Features -> TaskProfile -> Candidates (quality, cost, latency) -> feasible set -> Verdict
//! ```
//!
//! Start at [`Router::decide`].

#![deny(unsafe_code)] // Allowed in one place: the AVX2 twin of each kernel.

mod belief;
mod byte_map;
mod bytes;
pub mod cache;
pub mod canary;
pub mod cascade;
mod catalog;
mod classify;
mod codec;
mod cost;
mod decision;
pub mod embed;
mod error;
mod features;
pub mod floor;
mod grams;
mod heads;
pub mod health;
mod identity;
mod latency;
pub mod latency_model;
mod learn_error;
mod learned;
mod length;
pub mod length_model;
mod lexicon;
mod logistic;
mod markers;
mod memo;
pub mod ope;
pub mod pacer;
mod plain_words;
mod plan;
mod policy;
mod profile;
mod prompt_cache;
pub mod quality;
mod record;
mod refine;
mod request;
mod router;
mod scaffold;
mod session;
mod simd;
pub mod sketch;
mod splitmix;
mod stems;
mod text;
pub mod tokens;
pub mod window;

pub use catalog::{
    Capabilities, Capability, Catalog, DataCollection, Deployment, LatencyPrior, Limits,
    LongContext, Model, Price, PromptCache, Provider, QualitySource, Rates, Tier,
};
pub use classify::{Facts, classify};
pub use cost::{NANO_USD_PER_USD, Tokens, cost_nano_usd};
pub use decision::{Decision, Infeasible, Verdict};
pub use error::{Error, ErrorKind};
pub use features::{Features, Language};
pub use latency::Latency;
pub use learn_error::LearnError;
pub use learned::{FeatureVector, Outcome};
pub use length::OutputTokens;
pub use plan::{Expected, Kept, Plan, Step};
pub use policy::explore;
pub use policy::{Assurance, Candidate, POLICY_VERSION, ReasonCode};
pub use profile::{Axis, Complexity, Domain, LatencyClass, Structure, TaskProfile};
pub use quality::{Quality, QualityPrior};
pub use request::{
    Attachment, Constraints, Conversation, ProviderPreferences, Request, ResponseFormat, Role,
    SortBy,
};
pub use router::{Router, Sweep};
pub use session::SessionPrefix;
