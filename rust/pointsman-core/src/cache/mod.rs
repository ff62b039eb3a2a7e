//! The semantic cache: when an answer that is kept may serve another text, and how sure that is.
//!
//! A text is read once into a [`Reading`]: its normalised form, its canonical key and its items. [`veto`] says
//! what, if anything, makes two readings different questions; [`Posterior`] says how likely the stored answer is
//! right for the pair. A wrong answer is worse than a miss, so whatever is not known to be harmless is a veto.
//!
//! [`Cache`] keeps the answers. Only entries of one partition, a hash of all that changes the answer but the last
//! text, ever answer one another. Everything it holds is counted in bytes and kept below a bound; what it does is
//! written to a journal, from which it is restored.

mod audit;
mod canonical;
mod characters;
mod entry;
mod evict;
mod folding;
mod frame;
mod guard;
mod hashes;
pub mod index;
mod kept;
mod kind;
mod lexicon;
mod lookup;
mod normalise;
mod pair;
mod partition;
mod politeness;
mod posterior;
mod prior;
mod reading;
mod recent;
mod record;
mod restore;
#[cfg(test)]
mod seeded;
mod settings;
mod slab;
mod snapshot;
mod state;
mod stats;
mod stem;
mod store;
mod table;
mod tongue;
mod unservable;
mod weights;
mod words;

pub use entry::EntryView;
pub use guard::{Veto, veto};
pub use kept::{Ask, Cache, Insertion};
pub use lookup::{Hit, Layer, Lookup, Miss, MissReason};
pub use pair::{N_PAIR_FEATURES, PAIR_FEATURES, pair_features};
pub use posterior::{Alarm, Evidence, Judgement, Posterior};
pub use reading::Reading;
pub use record::Grade;
pub use settings::CacheSettings;
pub use stats::CacheStats;
pub use unservable::{Unservable, unservable};
