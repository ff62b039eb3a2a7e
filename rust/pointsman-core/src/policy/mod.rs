//! What may answer, and which of it should: feasibility with reasons, then choice.

mod assurance;
mod candidate;
mod chance;
mod choice;
pub mod explore;
mod feasible;
mod incumbent;
mod infeasible;
mod limits;
mod order;
mod reason;
mod score;
mod spread;

pub use assurance::Assurance;
pub(crate) use assurance::assure;
pub use candidate::Candidate;
pub(crate) use candidate::predict;
pub(crate) use chance::Chance;
pub(crate) use choice::{Choice, choose, floor};
pub use feasible::ReasonCode;
pub(crate) use feasible::{Bound, Rejection, reject};
pub(crate) use infeasible::{Binding, bind};
pub(crate) use limits::Limits;
pub(crate) use score::Dial;

/// Version of the policy, logged with every decision.
pub const POLICY_VERSION: &str = "feasible-score-4";
