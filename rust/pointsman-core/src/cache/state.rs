//! [`State`]: all that one lock guards: the store, the posterior and the journal.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::entry::heap_bytes;
use super::frame::{Buffer, Kind};
use super::posterior::{Alarm, Posterior};
use super::reading::Reading;
use super::record::{self, ENTRY_BYTES, Grade};
use super::store::{New, Store};
use crate::learn_error::LearnError;

/// From this weight on, "wrong" is certain and the entry goes.
const CERTAIN: f64 = 1.0;
/// Share of the bound that the journal may take before it is dropped for a whole snapshot.
const JOURNAL_SHARE: usize = 64;
/// Share of the bound that one entry may take.
const ENTRY_SHARE: usize = 4;

/// Entries removed, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) n_evicted: u64,
    pub(super) n_expired: u64,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) store: Store,
    pub(super) posterior: Posterior,
    pub(super) journal: Buffer,
    /// Records ever made: the number of the last frame.
    pub(super) n_records: u64,
    pub(super) removed: Removed,
    pub(super) n_alarms: u64,
    pub(super) max_bytes: usize,
}

impl State {
    pub(super) fn new(posterior: Posterior, max_bytes: usize) -> Self {
        Self {
            store: Store::default(),
            posterior,
            journal: Buffer::new(max_bytes / JOURNAL_SHARE),
            n_records: 0,
            removed: Removed::default(),
            n_alarms: 0,
            max_bytes,
        }
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.store.n_bytes() + self.journal.n_bytes()
    }

    fn record(&mut self, kind: Kind, payload: &[u8]) {
        self.n_records += 1;
        self.journal.push(kind, self.n_records, payload);
    }

    /// Stores an entry in place of that with the same text; evicts what its room takes.
    pub(super) fn insert(&mut self, mut new: New, now_s: f64) -> Result<u64, LearnError> {
        let n_heap = heap_bytes(new.text.len(), new.answer.len()) + new.namespace.len();
        self.check_size(n_heap)?;
        new.id = self.new_id(new.keys.exact);
        self.displace(&new);
        self.make_room(now_s, |state| {
            state.store.growth(&new) + state.journal.growth(ENTRY_BYTES + n_heap)
        });
        let id = new.id;
        let slot = self.store.put(new);
        if let Some(entry) = self.store.entries.get(slot) {
            let record = record::entry(&self.store, entry);
            self.record(Kind::Insert, &record);
        }
        Ok(id)
    }

    /// An id no entry has: a hash, so that it tells nothing of how many there are.
    fn new_id(&self, hash: u64) -> u64 {
        let ids = (0..)
            .map(|salt: u64| xxh3_64_with_seed(&(self.n_records ^ salt << 48).to_le_bytes(), hash));
        let mut free = ids.filter(|id| self.store.slot_of_id(*id).is_none());
        free.next().unwrap_or(0)
    }

    /// Removes the entry of the same text; replaying the insertion does the same.
    pub(super) fn displace(&mut self, new: &New) {
        let partition = self.store.partition(&new.partition);
        let known =
            partition.and_then(|number| self.store.exact(number, new.keys.exact, &new.text));
        if let Some(slot) = known {
            self.store.remove(slot);
        }
    }

    /// Evicts until there is room for what `needed` says.
    pub(super) fn make_room(&mut self, now_s: f64, needed: impl Fn(&Self) -> usize) {
        while self.n_bytes() + needed(self) > self.max_bytes {
            let Some(slot) = self.store.victim(now_s) else {
                return;
            };
            self.evict(slot, now_s);
        }
    }

    pub(super) fn evict(&mut self, slot: u32, now_s: f64) {
        let Some(entry) = self.store.remove(slot) else {
            return;
        };
        let has_expired = now_s >= entry.expires_s;
        self.removed.n_expired += u64::from(has_expired);
        self.removed.n_evicted += u64::from(!has_expired);
        self.record(Kind::Remove, &entry.id.to_le_bytes());
    }

    pub(super) fn delete(&mut self, id: u64) -> bool {
        let entry = self
            .store
            .slot_of_id(id)
            .and_then(|slot| self.store.remove(slot));
        if entry.is_some() {
            self.record(Kind::Remove, &id.to_le_bytes());
        }
        entry.is_some()
    }

    /// Gives an entry another answer; whether it is there, and was not evicted to make room.
    pub(super) fn replace(
        &mut self,
        id: u64,
        answer: Arc<[u8]>,
        now_s: f64,
    ) -> Result<bool, LearnError> {
        self.check_size(answer.len())?;
        if self.store.slot_of_id(id).is_none() {
            return Ok(false);
        }
        let n_bytes = heap_bytes(0, answer.len());
        self.make_room(now_s, |state| {
            n_bytes + state.journal.growth(ENTRY_BYTES + n_bytes)
        });
        let Some(slot) = self.store.slot_of_id(id) else {
            return Ok(false);
        };
        self.record(Kind::Replace, &record::replacement(id, &answer, now_s));
        self.store.replace(slot, answer, now_s);
        Ok(true)
    }

    fn check_size(&self, n_bytes: usize) -> Result<(), LearnError> {
        if n_bytes <= self.max_bytes / ENTRY_SHARE {
            return Ok(());
        }
        let remedy = "give a text and an answer of at most a quarter of max_bytes together";
        Err(LearnError::invalid(
            "answer",
            format!("{n_bytes} bytes"),
            remedy,
        ))
    }

    pub(super) fn clear(&mut self, namespace: Option<&str>) -> usize {
        let n_removed = self.clear_store(namespace);
        if n_removed > 0 {
            self.record(Kind::Clear, &record::clearing(namespace));
        }
        n_removed
    }

    pub(super) fn clear_store(&mut self, namespace: Option<&str>) -> usize {
        let Some(name) = namespace else {
            let n_removed = self.store.entries.len();
            self.store = Store::default();
            return n_removed;
        };
        let Some(number) = self.store.namespace_number(name) else {
            return 0;
        };
        let entries = self.store.entries.iter();
        let slots: Vec<u32> = entries
            .filter(|(_, entry)| entry.namespace == number)
            .map(|(slot, _)| slot)
            .collect();
        slots.iter().for_each(|slot| {
            self.store.remove(*slot);
        });
        slots.len()
    }

    /// Learns from a graded hit, or would-be hit; a served answer that is wrong for certain goes.
    pub(super) fn observe(&mut self, grade: &Grade) -> Option<Alarm> {
        let asked = Reading::new(&grade.text);
        let slot = self.store.slot_of_id(grade.entry_id)?;
        let entry = self.store.entries.get(slot)?;
        let is_certain = !grade.is_right && grade.weight >= CERTAIN;
        let goes = is_certain && self.would_serve(entry, &asked, grade.similarity);
        self.record(Kind::Observe, &record::grade(grade));
        let alarm = self.learn(slot, &asked, grade);
        if goes {
            self.delete(grade.entry_id);
        }
        alarm
    }

    /// What replaying a grade does.
    pub(super) fn learn(&mut self, slot: u32, asked: &Reading, grade: &Grade) -> Option<Alarm> {
        let entry = self.store.entries.get_mut(slot)?;
        let weight = grade.weight as f32;
        if grade.is_right {
            entry.evidence.n_right += weight;
        } else {
            entry.evidence.n_wrong += weight;
        }
        let stored = Reading::new(&entry.text);
        let (similarity, is_right) = (grade.similarity, grade.is_right);
        self.posterior
            .observe(&stored, asked, similarity, is_right, grade.weight);
        let audit = grade.is_audit.then(|| self.posterior.audit(is_right));
        let alarm = audit.flatten();
        self.n_alarms += u64::from(alarm.is_some());
        alarm
    }
}
