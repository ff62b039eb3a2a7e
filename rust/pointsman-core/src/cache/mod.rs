//! The semantic cache: when an answer that is kept may serve another text, and how sure that is.
//!
//! A text is read once into a [`Reading`]: its normalised form, its canonical key and its items. [`veto`] says
//! what, if anything, makes two readings different questions; [`Posterior`] says how likely the stored answer is
//! right for the pair. A wrong answer is worse than a miss, so whatever is not known to be harmless is a veto.

mod audit;
mod guard;
mod kind;
mod lexicon;
mod normalise;
mod pair;
mod posterior;
mod prior;
mod reading;
#[cfg(test)]
mod seeded;
mod stem;
mod tongue;
mod unservable;
mod weights;
mod words;

pub use guard::{Veto, veto};
pub use pair::{N_PAIR_FEATURES, PAIR_FEATURES, pair_features};
pub use posterior::{Alarm, Evidence, Judgement, Posterior};
pub use reading::Reading;
pub use unservable::{Unservable, unservable};
