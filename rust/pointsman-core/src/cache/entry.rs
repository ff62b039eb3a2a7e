//! [`Entry`]: one kept answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::posterior::Evidence;

/// The place of an entry whose text has no vector.
pub(super) const NO_PLACE: u32 = u32::MAX;
/// What a hit is worth that saves no known cost, in USD: a short answer of a small model (chosen).
const LEAST_COST_USD: f64 = 1e-4;
/// Bytes of an `Arc`'s two counts.
const ARC_BYTES: usize = 16;

/// One kept answer, as the store holds it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: u64,
    /// Number of its partition, and of its vector in the partition's index.
    pub(super) partition: u32,
    pub(super) place: u32,
    pub(super) namespace: u32,
    pub(super) text: Box<str>,
    pub(super) answer: Arc<[u8]>,
    pub(super) keys: Keys,
    pub(super) created_s: f64,
    pub(super) expires_s: f64,
    pub(super) cost_usd: f32,
    pub(super) evidence: Evidence,
    pub(super) is_unservable: bool,
    pub(super) n_hits: AtomicU32,
    /// Bits of an `f64`: what eviction compares.
    pub(super) priority: AtomicU64,
}

/// The hashes an entry is found by, each within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) exact: u64,
    pub(super) normalised: u64,
    pub(super) canonical: Option<u64>,
    /// Of `Reading::content`: what all texts that may be served by the entry have in common.
    pub(super) content: u64,
}

impl Entry {
    /// Bytes that it points to.
    pub(super) fn n_heap_bytes(&self) -> usize {
        heap_bytes(self.text.len(), self.answer.len())
    }

    pub(super) fn is_live(&self, now_s: f64, max_age_s: f64) -> bool {
        now_s < self.expires_s && self.age_s(now_s) <= max_age_s
    }

    /// Seconds since the answer was stored; 0 if the clock went back.
    pub(super) fn age_s(&self, now_s: f64) -> f64 {
        (now_s - self.created_s).max(0.0)
    }

    pub(super) fn n_hits(&self) -> u32 {
        self.n_hits.load(Ordering::Relaxed)
    }

    pub(super) fn priority(&self) -> f64 {
        f64::from_bits(self.priority.load(Ordering::Relaxed))
    }

    pub(super) fn count_hit(&self, floor: f64) {
        self.n_hits.fetch_add(1, Ordering::Relaxed);
        self.touch(floor);
    }

    /// Sets the priority anew (GreedyDual-Size-Frequency, Cherkasova 1998): the floor, plus uses x cost / bytes.
    ///
    /// The floor rises with each eviction, so that what is no longer asked for grows old.
    pub(super) fn touch(&self, floor: f64) {
        let uses = f64::from(self.n_hits()) + 1.0;
        let cost_usd = f64::from(self.cost_usd) + LEAST_COST_USD;
        let n_bytes = (size_of::<Self>() + self.n_heap_bytes()) as f64;
        let priority = floor + uses * cost_usd / n_bytes;
        self.priority.store(priority.to_bits(), Ordering::Relaxed);
    }
}

/// Bytes that an entry of such lengths points to.
pub(super) fn heap_bytes(n_text: usize, n_answer: usize) -> usize {
    n_text + n_answer + ARC_BYTES
}

/// What is known of a kept answer; a copy.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryView {
    /// Its id; no two entries of a cache ever have the same.
    pub id: u64,
    /// Who may clear it.
    pub namespace: String,
    /// The partition it serves and no other.
    pub partition: [u8; 16],
    /// The text it answers.
    pub text: String,
    /// The answer.
    pub answer: Arc<[u8]>,
    /// When it was stored or replaced, and when it ends, in seconds.
    pub created_s: f64,
    /// When it ends, in seconds.
    pub expires_s: f64,
    /// Times it was served.
    pub n_hits: u32,
    /// Weight of its hits that were found right, and wrong.
    pub evidence: Evidence,
    /// Cost of the calls it saved.
    pub cost_saved_usd: f64,
    /// Bytes it takes, its share of the maps left out.
    pub n_bytes: usize,
}
