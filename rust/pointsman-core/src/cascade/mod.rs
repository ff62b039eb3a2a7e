//! Cascades: ask the cheap first, look at its answer, and go on where going on is worth it (science.md 2.8).

mod evidence;
mod pair;
mod planner;
mod state;
mod value;

pub use evidence::{Evidence, N_BINS, Point, Verdicts};
pub use pair::Pair;
pub use planner::{Planner, Wish};
pub use value::{Prospect, Stage, best_thresholds, posterior};
