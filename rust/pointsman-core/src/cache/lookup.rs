//! A lookup: layer after layer, the cheapest and surest first.

use std::sync::Arc;

use super::entry::{Entry, Keys};
use super::guard::{Veto, veto};
use super::index::{Code, Near};
use super::pair::{N_PAIR_FEATURES, pair_features, with_similarity};
use super::posterior::{Judgement, Posterior};
use super::reading::Reading;
use super::state::State;

/// Stored vectors that may be read and judged.
const SHORT_LIST: usize = 8;
/// Bytes of stored texts that are read for one lookup, the nearest left out: reading costs as much as all else
/// together, and long texts that are near but not nearest are hardly ever the same question.
const MOST_READ_BYTES: usize = 1536;
/// Longest text, in bytes, that is read only to name the veto of a miss: 240 characters of three bytes and some,
/// the longest answers whose vetoes grading trusts.
const NAMED_BYTES: usize = 768;
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
    /// Nothing it holds is near; or none of its many texts has the content that is asked for; or only equal texts were
    /// asked for.
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
    /// Whether a hit makes its entry younger.
    pub(super) counts: bool,
}

/// A text that is asked, read.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) reading: &'a Reading,
    pub(super) keys: &'a Keys,
    pub(super) when: When,
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

    /// What the layers of equal texts and, if wanted, equal content say; `None`: the vectors must be asked.
    pub(super) fn without_vectors(
        &self,
        partition: &[u8; 16],
        asked: Asked,
        is_semantic: bool,
    ) -> Option<Lookup> {
        let number = self.store.partition(partition)?;
        if let Some(hit) = self.equal(number, asked, is_semantic) {
            return Some(Lookup::Hit(hit));
        }
        let is_settled = !is_semantic || self.store.has_nothing_alike(number, asked.keys.content);
        is_settled.then_some(Lookup::Miss(Miss::of(MissReason::NothingNear)))
    }

    fn equal(&self, number: u32, asked: Asked, is_semantic: bool) -> Option<Hit> {
        let Asked {
            reading,
            keys,
            when,
        } = asked;
        let is_live = |entry: &Entry| when.accepts(entry);
        let same = self.store.normalised(number, keys, reading, is_live);
        if let Some(entry) = self.entry(same) {
            return Some(self.hit(entry, Layer::Normalised, 1.0, 1.0, when));
        }
        if !is_semantic {
            return None;
        }
        let (slot, stored) = self.store.canonical(number, keys, reading, is_live)?;
        let entry = self.entry(Some(slot))?;
        if veto(&stored, reading).is_some() {
            return None;
        }
        let judgement = self.posterior.judge(&stored, reading, 1.0, entry.evidence);
        let is_doubted = entry.evidence.n_wrong > 0.0 && !judgement.serves;
        let hit = || self.hit(entry, Layer::Canonical, 1.0, judgement.lower_bound, when);
        (!is_doubted).then(hit)
    }

    fn entry(&self, slot: Option<u32>) -> Option<&Entry> {
        slot.and_then(|slot| self.store.entries.get(slot))
    }

    /// The layer of vectors: the shortlist, nearest first, through guard and posterior.
    pub(super) fn semantic(&self, partition: &[u8; 16], asked: Asked, code: &Code) -> Lookup {
        let Some(number) = self.store.partition(partition) else {
            return Lookup::Miss(Miss::of(MissReason::Empty));
        };
        let (reading, when) = (asked.reading, asked.when);
        let guard = Asker {
            posterior: &self.posterior,
            asked,
            own: pair_features(reading, reading, 1.0),
        };
        let (mut nearest, mut n_read) = (None, 0);
        for near in self.store.near(number, code, SHORT_LIST) {
            if near.similarity < NEAR {
                break;
            }
            let Some(entry) = self.store.entries.get(near.slot) else {
                continue;
            };
            let doubt = guard.doubt(entry, near, nearest.is_none());
            if doubt.is_none() {
                n_read += entry.text.len();
                if nearest.is_some() && n_read > MOST_READ_BYTES {
                    break;
                }
            }
            match doubt.map_or_else(|| guard.judge(entry, near), Err) {
                Ok(judgement) => {
                    let (similarity, p) = (near.similarity, judgement.lower_bound);
                    return Lookup::Hit(self.hit(entry, Layer::Semantic, similarity, p, when));
                }
                Err(miss) => nearest = nearest.or(Some(miss)),
            }
        }
        Lookup::Miss(nearest.unwrap_or(Miss::of(MissReason::NothingNear)))
    }

    fn hit(&self, entry: &Entry, layer: Layer, similarity: f32, p: f32, when: When) -> Hit {
        if when.counts {
            entry.count_hit(self.store.floor);
        }
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

/// A text that is asked, and what is known of it before any other is read.
struct Asker<'a> {
    posterior: &'a Posterior,
    asked: Asked<'a>,
    /// The features of the text beside itself: no other text is surer to serve.
    own: Option<[f32; N_PAIR_FEATURES]>,
}

impl Asker<'_> {
    /// What speaks against an entry before its text is read; `is_nearest`: the veto is told, and should be exact.
    fn doubt(&self, entry: &Entry, near: Near, is_nearest: bool) -> Option<Miss> {
        let miss = |reason, veto| Some(Miss::near(reason, veto, entry, near.similarity));
        let is_live = self.asked.when.accepts(entry);
        if is_live && self.is_hopeless(entry, near) {
            return miss(MissReason::BelowBound, None);
        }
        if entry.is_unservable {
            return miss(MissReason::Unservable, None);
        }
        if !is_live {
            return miss(MissReason::Expired, None);
        }
        let is_other = entry.keys.content != self.asked.keys.content;
        if is_other && !(is_nearest && entry.text.len() <= NAMED_BYTES) {
            return miss(MissReason::Guard, Some(Veto::TooDifferent.name()));
        }
        None
    }

    /// Whether the entry would not serve even the same text at this similarity.
    fn is_hopeless(&self, entry: &Entry, near: Near) -> bool {
        self.own.is_none_or(|own| {
            let row = with_similarity(own, near.similarity);
            !self.posterior.weigh(&row, entry.evidence).serves
        })
    }

    /// Reads the entry's text and judges the pair.
    fn judge(&self, entry: &Entry, near: Near) -> Result<Judgement, Miss> {
        let miss = |reason, veto| Miss::near(reason, veto, entry, near.similarity);
        let (stored, asked) = (Reading::new(&entry.text), self.asked.reading);
        if let Some(veto) = veto(&stored, asked) {
            return Err(miss(MissReason::Guard, Some(veto.name())));
        }
        let judgement = self
            .posterior
            .judge(&stored, asked, near.similarity, entry.evidence);
        if judgement.serves {
            return Ok(judgement);
        }
        Err(miss(MissReason::BelowBound, None))
    }
}
