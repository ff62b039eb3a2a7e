//! The guard: what makes two texts different questions however near their embeddings are.
//!
//! It does not list what must not differ, it lists what may: inflections, synonyms of the lexicon, words that say
//! nothing, and a few changes of order. Any other difference is a veto, so a family of traps nobody thought of is
//! caught too; the classes only give the veto its name.

mod align;
mod order;
mod veto;

pub(crate) use veto::compare;
pub use veto::{Veto, veto};
