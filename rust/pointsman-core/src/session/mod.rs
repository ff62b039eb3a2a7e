//! Warm prefixes: how much of a conversation each deployment's prompt cache still holds.
//!
//! A provider bills the start of a prompt that it saw a moment ago at a fraction of the price. So a conversation that
//! moves to another deployment pays for its whole history once more; [`Sessions`] remembers, per session and
//! deployment, how long a prefix is warm, and the cost of staying falls by what it saves. Nothing else ties a session
//! to a deployment.
//!
//! Ephemeral: a cache lives minutes, so nothing of this is saved, and a restart costs one estimate.

mod chain;
mod table;

pub(crate) use chain::Chain;
pub use chain::SessionPrefix;
pub(crate) use table::{Sessions, Warmth};
