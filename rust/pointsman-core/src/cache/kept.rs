//! [`Cache`]: the answers that are kept, for many threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::entry::{EntryView, Keys};
use super::hashes::{exact_hash, keys};
use super::index::{Code, DIM};
use super::lookup::{Asked, Hit, Layer, Lookup, Miss, MissReason, When};
use super::posterior::{Alarm, Evidence, Posterior};
use super::reading::Reading;
use super::recent::Recent;
use super::record::Grade;
use super::settings::{CacheSettings, ttl};
use super::state::State;
use super::stats::CacheStats;
use super::store::New;
use super::unservable::unservable;
use crate::embed::Embedding;
use crate::learn_error::{LearnError, within};

/// How a lookup is meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Now, in seconds of the caller's clock.
    pub now_s: f64,
    /// What audits are drawn from.
    pub seed: u64,
    /// Whether texts that are not equal may answer one another.
    pub is_semantic: bool,
    /// Oldest answer wanted, in seconds; infinity for any.
    pub max_age_s: f64,
}

/// An answer to be kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Insertion<'a> {
    /// Who may clear it: a tenant, an application.
    pub namespace: &'a str,
    /// The text it answers.
    pub text: &'a str,
    /// The answer.
    pub answer: &'a [u8],
    /// Now, in seconds.
    pub now_s: f64,
    /// Seconds to keep it; `None` for the cache's.
    pub ttl_s: Option<f64>,
    /// What a hit saves, in USD.
    pub cost_usd: f64,
}

/// Answers that are kept, found by text. Thread-safe; a lookup holds a lock that others share.
///
/// # Example
///
/// ```
/// use pointsman_core::cache::{Ask, Cache, CacheSettings, Insertion, Layer, Lookup};
///
/// let cache = Cache::new(CacheSettings::default())?;
/// let partition = [7; 16];
/// let text = "What is the capital of Oman?";
/// let (namespace, answer) = ("acme", &b"Muscat"[..]);
/// cache.insert(&partition, Insertion { namespace, text, answer, now_s: 0.0, ttl_s: None, cost_usd: 0.01 })?;
/// let ask = Ask { now_s: 60.0, seed: 1, is_semantic: true, max_age_s: f64::INFINITY };
/// let Lookup::Hit(hit) = cache.lookup(&partition, "what is  the capital of Oman", ask) else { panic!() };
/// assert_eq!((hit.layer, &*hit.answer), (Layer::Normalised, answer));
/// assert!(matches!(cache.lookup(&[8; 16], text, ask), Lookup::Miss(_)));
/// # Ok::<(), pointsman_core::LearnError>(())
/// ```
#[derive(Debug)]
pub struct Cache {
    pub(super) settings: CacheSettings,
    embedding: &'static Embedding,
    state: RwLock<State>,
    recent: Recent,
    hits: [AtomicU64; 4],
    misses: [AtomicU64; 6],
    n_dropped_bytes: usize,
}

impl Cache {
    /// An empty cache.
    ///
    /// # Errors
    ///
    /// A setting outside its range.
    pub fn new(settings: CacheSettings) -> Result<Self, LearnError> {
        let posterior = Posterior::new(settings.target_error)?;
        Self::with_state(settings, State::new(posterior, settings.max_bytes), 0)
    }

    pub(super) fn with_state(
        settings: CacheSettings,
        state: State,
        n_dropped_bytes: usize,
    ) -> Result<Self, LearnError> {
        settings.check()?;
        let embedding = Embedding::builtin().map_err(|e| LearnError::state(e.to_string()))?;
        Ok(Self {
            settings,
            embedding,
            state: RwLock::new(state),
            recent: Recent::new(),
            hits: Default::default(),
            misses: Default::default(),
            n_dropped_bytes,
        })
    }

    // What a panic elsewhere left is still whole: no change is seen half done, as changes hold the lock.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer that serves this text, or why none does. `O(log entries)`, tens of microseconds.
    pub fn lookup(&self, partition: &[u8; 16], text: &str, ask: Ask) -> Lookup {
        match self.lookup_exact(partition, text, ask) {
            Some(found) => found,
            None => self.lookup_near(partition, text, ask),
        }
    }

    /// The answer to this very text, or that there can be none; `None` if other texts' answers may serve.
    /// Some hundred nanoseconds.
    pub fn lookup_exact(&self, partition: &[u8; 16], text: &str, ask: Ask) -> Option<Lookup> {
        let found = self.find_exact(partition, text, ask, when(ask));
        found.map(|found| self.counted(found, ask))
    }

    /// What [`lookup`](Self::lookup) does when the very text is not there.
    pub fn lookup_near(&self, partition: &[u8; 16], text: &str, ask: Ask) -> Lookup {
        self.counted(self.find_near(partition, text, ask, when(ask)), ask)
    }

    /// What [`lookup`](Self::lookup) would find, without a trace: nothing is counted, no entry grows younger.
    pub fn peek(&self, partition: &[u8; 16], text: &str, ask: Ask) -> Lookup {
        let when = When {
            counts: false,
            ..when(ask)
        };
        let found = self.find_exact(partition, text, ask, when);
        found.unwrap_or_else(|| self.find_near(partition, text, ask, when))
    }

    fn find_exact(&self, partition: &[u8; 16], text: &str, ask: Ask, when: When) -> Option<Lookup> {
        let hash = exact_hash(partition, text);
        match self.read().exact(partition, hash, text, when) {
            // An empty partition needs no reading, but the text may be unservable, which says more.
            Lookup::Miss(miss) if miss.reason == MissReason::NothingNear => None,
            Lookup::Miss(miss) if miss.reason == MissReason::Expired && ask.is_semantic => None,
            Lookup::Miss(miss) if miss.reason == MissReason::Empty => {
                Some(unservable_miss(text).unwrap_or(miss).into())
            }
            found => Some(found),
        }
    }

    fn find_near(&self, partition: &[u8; 16], text: &str, ask: Ask, when: When) -> Lookup {
        if let Some(miss) = unservable_miss(text) {
            return Lookup::Miss(miss);
        }
        let reading = Reading::new(text);
        let keys = keys(partition, text, &reading);
        self.recent.keep(partition, text, keys);
        let asked = Asked {
            keys: &keys,
            reading: &reading,
            when,
        };
        if let Some(found) = self
            .read()
            .without_vectors(partition, asked, ask.is_semantic)
        {
            return found;
        }
        match self.code(text) {
            Some(code) => self.read().semantic(partition, asked, &code),
            None => Lookup::Miss(Miss::of(MissReason::NothingNear)),
        }
    }

    /// The vector of a text; `None` if it has no token.
    fn code(&self, text: &str) -> Option<Code> {
        let mut vector = [0.0; DIM];
        let n_tokens = self.embedding.embed_window_into(text, &mut vector);
        let code = Code::new(&vector);
        (n_tokens > 0 && code.inverse_norm > 0.0).then_some(code)
    }

    fn counted(&self, mut found: Lookup, ask: Ask) -> Lookup {
        let counter = match &mut found {
            Lookup::Hit(hit) => {
                hit.wants_audit = hit.layer != Layer::Exact && self.draws_audit(hit, ask.seed);
                &self.hits[hit.layer as usize]
            }
            Lookup::Miss(miss) => &self.misses[miss.reason as usize],
        };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn draws_audit(&self, hit: &Hit, seed: u64) -> bool {
        let bits = xxh3_64_with_seed(&hit.entry_id.to_le_bytes(), seed);
        ((bits >> 11) as f64 / (1_u64 << 53) as f64) < self.settings.audit_rate
    }

    /// Keeps an answer, in place of that to the same text, and returns its id. Evicts what its room takes.
    ///
    /// # Errors
    ///
    /// A text and answer of more than a quarter of `max_bytes`, a time, cost or `ttl_s` outside its range.
    pub fn insert(&self, partition: &[u8; 16], insertion: Insertion) -> Result<u64, LearnError> {
        let new = self.new_entry(partition, &insertion)?;
        self.write().insert(new, insertion.now_s)
    }

    fn new_entry(&self, partition: &[u8; 16], insertion: &Insertion) -> Result<New, LearnError> {
        let now_s = seconds(insertion.now_s)?;
        let ttl_s = ttl(insertion.ttl_s.unwrap_or(self.settings.ttl_s))?;
        let cost_usd = within("cost_usd", insertion.cost_usd, 0.0, 1e6, "give US dollars")?;
        let recent = self.recent.keys(partition, insertion.text);
        Ok(New {
            id: 0,
            partition: *partition,
            namespace: insertion.namespace.to_owned(),
            text: insertion.text.into(),
            answer: Arc::from(insertion.answer),
            keys: recent.unwrap_or_else(|| read_keys(partition, insertion.text)),
            code: self.code(insertion.text),
            created_s: now_s,
            expires_s: now_s + ttl_s,
            cost_usd: cost_usd as f32,
            evidence: Evidence::default(),
            // Of those that are no keys are remembered.
            is_unservable: recent.is_none() && unservable(insertion.text).is_some(),
            n_hits: 0,
        })
    }

    /// Learns from a grade. An answer that was served and is wrong for certain (weight 1) is deleted.
    ///
    /// The alarm says that hits are wrong more often than `target_error`; from then on fewer are served.
    ///
    /// # Errors
    ///
    /// A similarity or weight outside its range.
    pub fn observe(&self, grade: &Grade) -> Result<Option<Alarm>, LearnError> {
        let similarity = f64::from(grade.similarity);
        within(
            "similarity",
            similarity,
            -1.0,
            1.001,
            "give what the lookup said",
        )?;
        within("weight", grade.weight, 0.0, 1.0, "give a weight in [0, 1]")?;
        Ok(self.write().observe(grade))
    }

    /// What is known of an entry.
    pub fn get(&self, id: u64) -> Option<EntryView> {
        let state = self.read();
        let entry = state.store.entries.get(state.store.slot_of_id(id)?)?;
        Some(state.store.view(entry))
    }

    /// Gives an entry another answer, which is kept as long anew; whether it is there.
    ///
    /// # Errors
    ///
    /// An answer of more than a quarter of `max_bytes`; a time that is not finite.
    pub fn replace(&self, id: u64, answer: &[u8], now_s: f64) -> Result<bool, LearnError> {
        let now_s = seconds(now_s)?;
        self.write().replace(id, Arc::from(answer), now_s)
    }

    /// Deletes an entry; whether it was there.
    pub fn delete(&self, id: u64) -> bool {
        self.write().delete(id)
    }

    /// Deletes a namespace, or everything; how many entries that were.
    pub fn clear(&self, namespace: Option<&str>) -> usize {
        self.write().clear(namespace)
    }

    /// Up to `limit` entries with ids above `after`, by id. `O(entries)`.
    pub fn entries(
        &self,
        namespace: Option<&str>,
        after: Option<u64>,
        limit: usize,
    ) -> Vec<EntryView> {
        let state = self.read();
        let number = namespace.map(|name| state.store.namespace_number(name));
        let is_wanted = |namespace| number.is_none_or(|number| number == Some(namespace));
        let all = state.store.entries.iter().map(|(_, entry)| entry);
        let mut wanted: Vec<_> = all
            .filter(|entry| is_wanted(entry.namespace) && after.is_none_or(|id| entry.id > id))
            .collect();
        if limit > 0 && limit < wanted.len() {
            wanted.select_nth_unstable_by_key(limit - 1, |entry| entry.id);
        }
        wanted.truncate(limit);
        wanted.sort_unstable_by_key(|entry| entry.id);
        wanted
            .into_iter()
            .map(|entry| state.store.view(entry))
            .collect()
    }

    /// Counts.
    pub fn stats(&self) -> CacheStats {
        let state = self.read();
        CacheStats {
            n_entries: state.store.entries.len(),
            n_partitions: state.store.partitions().count(),
            n_bytes: state.n_bytes(),
            max_bytes: self.settings.max_bytes,
            hits: std::array::from_fn(|i| self.hits[i].load(Ordering::Relaxed)),
            misses: std::array::from_fn(|i| self.misses[i].load(Ordering::Relaxed)),
            n_evicted: state.removed.n_evicted,
            n_expired: state.removed.n_expired,
            n_alarms: state.n_alarms,
            aim: state.posterior.aim(),
            n_dropped_bytes: self.n_dropped_bytes,
        }
    }
}

impl From<Miss> for Lookup {
    fn from(miss: Miss) -> Self {
        Self::Miss(miss)
    }
}

fn read_keys(partition: &[u8; 16], text: &str) -> Keys {
    keys(partition, text, &Reading::new(text))
}

fn unservable_miss(text: &str) -> Option<Miss> {
    unservable(text).map(|why| Miss {
        veto: Some(why.name()),
        ..Miss::of(MissReason::Unservable)
    })
}

fn when(ask: Ask) -> When {
    When {
        now_s: ask.now_s,
        max_age_s: ask.max_age_s,
        counts: true,
    }
}

fn seconds(value: f64) -> Result<f64, LearnError> {
    within("now_s", value, -1e12, 1e12, "give seconds")
}
