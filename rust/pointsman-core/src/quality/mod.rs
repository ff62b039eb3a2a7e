//! Quality of every arm on a request, with its uncertainty: prior, slice, residual and neighbours, blended.
//!
//! Start at [`QualityEstimator`]. The parts are public so that each can be measured alone.

mod arms;
mod blend;
mod cells;
mod centres;
mod codes;
mod context;
mod estimate;
mod estimator;
mod hits;
mod matrix;
mod neighbours;
mod overall;
mod platt;
mod preference;
mod registry;
mod ridge;
mod settings;
mod slice;
mod stack;
mod state;

pub use arms::Arm;
pub use context::Context;
pub use estimate::Estimate;
pub use estimator::QualityEstimator;
pub use neighbours::Neighbours;
pub use platt::Platt;
pub(crate) use registry::normal_cdf;
pub use registry::{Quality, QualityPrior};
pub use ridge::{MAX_FEATURES, N_REFACTOR, Ridge};
pub use settings::{MAX_ENTRIES, NeighbourConfig, QualityConfig};
pub use slice::{Belief, MAX_SLICES, N_PRIOR, N_SIBLING, SlicePosteriors, SliceView};
pub use stack::{Parts, Stack};
