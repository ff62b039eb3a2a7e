//! A lookup: layer after layer, the cheapest and surest first.

use std::sync::Arc;

use super::entry::Entry;
use super::guard::veto;
use super::hashes::keys;
use super::index::{Code, Near};
use super::posterior::{Evidence, Judgement, Posterior};
use super::reading::Reading;
use super::state::State;

/// Stored vectors that may be read and judged.
const SHORT_LIST: usize = 8;
/// Bytes of stored texts that are read for one lookup, the nearest left out: reading costs as much as all else
/// together, and long texts that are near but not nearest are hardly ever the same question.
const MOST_READ_BYTES: usize = 1536;
/// Cosine below which two texts are about other things, and the guard need not be asked.
const NEAR: f32 = 0.5;

/// What found an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The very same text.
    Exact,
    /// The same normalised text.
    Normalised,
    /// The same ordered content.
    Canonical,
    /// A vector nearby, past the guard, and sure enough.
    Semantic,
}

impl Layer {
    /// All, in the order they are asked.
    pub const ALL: [Self; 4] = [
        Self::Exact,
        Self::Normalised,
        Self::Canonical,
        Self::Semantic,
    ];

    /// The name as in metrics and decisions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Normalised => "normalised",
            Self::Canonical => "canonical",
            Self::Semantic => "semantic",
        }
    }
}

/// Why no kept answer serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MissReason {
    /// The partition holds nothing.
    Empty,
    /// Nothing it holds is near, or only equal texts were asked for.
    NothingNear,
    /// What is near is another question, says the guard.
    Guard,
    /// It is not sure enough that the answer is right.
    BelowBound,
    /// The answer is too old.
    Expired,
    /// The answer to this text must not come from a cache.
    Unservable,
}

impl MissReason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::Empty,
        Self::NothingNear,
        Self::Guard,
        Self::BelowBound,
        Self::Expired,
        Self::Unservable,
    ];

    /// The name as in metrics and decisions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NothingNear => "nothing_near",
            Self::Guard => "guard",
            Self::BelowBound => "below_bound",
            Self::Expired => "expired",
            Self::Unservable => "unservable",
        }
    }
}

/// A kept answer that serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Whose answer it is.
    pub entry_id: u64,
    /// What found it.
    pub layer: Layer,
    /// Cosine of the embeddings; 1 but on the last layer.
    pub similarity: f32,
    /// Lower bound of P(the answer is right); 1 for equal texts.
    pub p_correct: f32,
    /// The answer.
    pub answer: Arc<[u8]>,
    /// Seconds since it was stored.
    pub age_s: f64,
    /// Whether the model should be called too, to grade this hit. Never for the very same text.
    pub wants_audit: bool,
}

/// No kept answer serves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Miss {
    /// Why.
    pub reason: MissReason,
    /// Name of the veto or of what makes the text unservable.
    pub veto: Option<&'static str>,
    /// The nearest entry, which might have served.
    pub entry_id: Option<u64>,
    /// Its similarity.
    pub similarity: Option<f32>,
}

impl Miss {
    pub(super) fn of(reason: MissReason) -> Self {
        Self {
            reason,
            veto: None,
            entry_id: None,
            similarity: None,
        }
    }

    fn near(
        reason: MissReason,
        veto: Option<&'static str>,
        entry: &Entry,
        similarity: f32,
    ) -> Self {
        Self {
            reason,
            veto,
            entry_id: Some(entry.id),
            similarity: Some(similarity),
        }
    }
}

/// What a lookup found.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// An answer.
    Hit(Hit),
    /// None.
    Miss(Miss),
}

/// When an answer is asked for, and how old it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct When {
    pub(super) now_s: f64,
    pub(super) max_age_s: f64,
}

impl When {
    fn accepts(self, entry: &Entry) -> bool {
        entry.is_live(self.now_s, self.max_age_s)
    }
}

impl State {
    /// The answer to this very text; a miss says `Empty`, `Expired`, `Unservable` or `NothingNear`.
    #[inline]
    pub(super) fn exact(&self, partition: &[u8; 16], hash: u64, text: &str, when: When) -> Lookup {
        let Some(number) = self.store.partition(partition) else {
            return Lookup::Miss(Miss::of(MissReason::Empty));
        };
        let slot = self.store.exact(number, hash, text);
        let Some(entry) = slot.and_then(|slot| self.store.entries.get(slot)) else {
            return Lookup::Miss(Miss::of(MissReason::NothingNear));
        };
        if entry.is_unservable {
            return Lookup::Miss(Miss::of(MissReason::Unservable));
        }
        if !when.accepts(entry) {
            return Lookup::Miss(Miss::near(MissReason::Expired, None, entry, 1.0));
        }
        Lookup::Hit(self.hit(entry, Layer::Exact, 1.0, 1.0, when))
    }

    /// The layers of equal normalised text and, if wanted, equal content.
    pub(super) fn equal(
        &self,
        partition: &[u8; 16],
        text: &str,
        asked: &Reading,
        when: When,
        is_semantic: bool,
    ) -> Option<Hit> {
        let number = self.store.partition(partition)?;
        let keys = keys(partition, text, asked);
        let is_live = |entry: &Entry| when.accepts(entry);
        if let Some(entry) = self.entry(self.store.normalised(number, &keys, asked, is_live)) {
            return Some(self.hit(entry, Layer::Normalised, 1.0, 1.0, when));
        }
        if !is_semantic {
            return None;
        }
        let (slot, stored) = self.store.canonical(number, &keys, asked, is_live)?;
        let entry = self.entry(Some(slot))?;
        if veto(&stored, asked).is_some() {
            return None;
        }
        let judgement = self.posterior.judge(&stored, asked, 1.0, entry.evidence);
        let is_doubted = entry.evidence.n_wrong > 0.0 && !judgement.serves;
        let hit = || self.hit(entry, Layer::Canonical, 1.0, judgement.lower_bound, when);
        (!is_doubted).then(hit)
    }

    fn entry(&self, slot: Option<u32>) -> Option<&Entry> {
        slot.and_then(|slot| self.store.entries.get(slot))
    }

    /// The layer of vectors: the shortlist, nearest first, through guard and posterior.
    pub(super) fn semantic(
        &self,
        partition: &[u8; 16],
        asked: &Reading,
        code: &Code,
        when: When,
    ) -> Lookup {
        let Some(number) = self.store.partition(partition) else {
            return Lookup::Miss(Miss::of(MissReason::Empty));
        };
        let (mut nearest, mut n_read) = (None, 0);
        // A similarity at which not even the same text would be served, by an entry that was never graded.
        let mut too_far = f32::NEG_INFINITY;
        for near in self.store.near(number, code, SHORT_LIST) {
            if near.similarity < NEAR {
                break;
            }
            let Some(entry) = self.store.entries.get(near.slot) else {
                continue;
            };
            if self.is_hopeless(entry, asked, near, &mut too_far) && when.accepts(entry) {
                let reason = MissReason::BelowBound;
                let miss = || Miss::near(reason, None, entry, near.similarity);
                nearest = nearest.or_else(|| Some(miss()));
                continue;
            }
            n_read += entry.text.len();
            if nearest.is_some() && n_read > MOST_READ_BYTES {
                break;
            }
            match judge(&self.posterior, entry, asked, near, when) {
                Ok(judgement) => {
                    let (similarity, p) = (near.similarity, judgement.lower_bound);
                    return Lookup::Hit(self.hit(entry, Layer::Semantic, similarity, p, when));
                }
                Err(miss) => nearest = nearest.or(Some(miss)),
            }
        }
        Lookup::Miss(nearest.unwrap_or(Miss::of(MissReason::NothingNear)))
    }

    /// Whether the entry would not serve even the same text at this similarity, so that it need not be read.
    fn is_hopeless(&self, entry: &Entry, asked: &Reading, near: Near, too_far: &mut f32) -> bool {
        let is_ungraded = entry.evidence == Evidence::default();
        if is_ungraded && near.similarity <= *too_far {
            return true;
        }
        let best = self
            .posterior
            .judge(asked, asked, near.similarity, entry.evidence);
        if !best.serves && is_ungraded {
            *too_far = near.similarity;
        }
        !best.serves
    }

    fn hit(&self, entry: &Entry, layer: Layer, similarity: f32, p: f32, when: When) -> Hit {
        entry.count_hit(self.store.floor);
        Hit {
            entry_id: entry.id,
            layer,
            similarity,
            p_correct: p,
            answer: Arc::clone(&entry.answer),
            age_s: entry.age_s(when.now_s),
            wants_audit: false,
        }
    }

    /// Whether the store has an entry whose answer would have served the text.
    pub(super) fn would_serve(&self, entry: &Entry, asked: &Reading, similarity: f32) -> bool {
        let stored = Reading::new(&entry.text);
        let is_equal = stored.normalised() == asked.normalised()
            || (asked.canonical().is_some() && stored.canonical() == asked.canonical());
        is_equal
            || self
                .posterior
                .judge(&stored, asked, similarity, entry.evidence)
                .serves
    }
}

fn judge(
    posterior: &Posterior,
    entry: &Entry,
    asked: &Reading,
    near: Near,
    when: When,
) -> Result<Judgement, Miss> {
    let miss = |reason, veto| Miss::near(reason, veto, entry, near.similarity);
    if entry.is_unservable {
        return Err(miss(MissReason::Unservable, None));
    }
    if !when.accepts(entry) {
        return Err(miss(MissReason::Expired, None));
    }
    let stored = Reading::new(&entry.text);
    if let Some(veto) = veto(&stored, asked) {
        return Err(miss(MissReason::Guard, Some(veto.name())));
    }
    let judgement = posterior.judge(&stored, asked, near.similarity, entry.evidence);
    if judgement.serves {
        return Ok(judgement);
    }
    Err(miss(MissReason::BelowBound, None))
}
