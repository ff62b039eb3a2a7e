//! [`Store`]: the entries, the maps that find them, and the bytes they take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use xxhash_rust::xxh3::xxh3_64;

use super::entry::{Entry, EntryView, Keys, NO_PLACE, heap_bytes};
use super::hashes::mix;
use super::index::{Code, Near};
use super::normalise::normalise;
use super::partition::Partition;
use super::posterior::Evidence;
use super::reading::Reading;
use super::slab::Slab;
use super::table::Table;

/// Entries of a partition up to which a miss always names the nearest and what speaks against it; in larger ones
/// only where some text has the content that is asked for.
const FEW: u32 = 64;

/// An entry to be stored.
#[derive(Clone, Debug)]
pub(super) struct New {
    pub(super) id: u64,
    pub(super) partition: [u8; 16],
    pub(super) namespace: String,
    pub(super) text: Box<str>,
    pub(super) answer: Arc<[u8]>,
    pub(super) keys: Keys,
    pub(super) code: Option<Code>,
    pub(super) created_s: f64,
    pub(super) expires_s: f64,
    pub(super) cost_usd: f32,
    pub(super) evidence: Evidence,
    pub(super) is_unservable: bool,
    pub(super) n_hits: u32,
}

/// Who may clear entries.
#[derive(Debug)]
struct Namespace {
    name: Box<str>,
    n_entries: u32,
}

/// Entries and maps. Deterministic: what it does follows from what it was told.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) entries: Slab<Entry>,
    partitions: Slab<Partition>,
    /// All maps are to numbers of entries, but this one to partitions and one to namespaces.
    by_partition: Table,
    by_id: Table,
    by_exact: Table,
    by_normalised: Table,
    by_canonical: Table,
    by_content: Table,
    namespaces: Slab<Namespace>,
    by_namespace: Table,
    /// Bytes of texts, answers and indices; the rest is asked of its holder.
    n_heap_bytes: usize,
    /// The floor of priorities: that of the entry evicted last.
    pub(super) floor: f64,
    /// Evictions so far: where the next one looks.
    pub(super) n_evictions: u64,
}

impl Store {
    pub(super) fn partition(&self, key: &[u8; 16]) -> Option<u32> {
        let is_it = |number: u32| self.partitions.get(number).is_some_and(|p| p.key == *key);
        self.by_partition.find(xxh3_64(key), is_it)
    }

    pub(super) fn slot_of_id(&self, id: u64) -> Option<u32> {
        let is_it = |slot: u32| self.entries.get(slot).is_some_and(|entry| entry.id == id);
        self.by_id.find(mix(id), is_it)
    }

    /// The entry of this very text.
    #[inline]
    pub(super) fn exact(&self, partition: u32, hash: u64, text: &str) -> Option<u32> {
        let is_it = |entry: &Entry| *entry.text == *text;
        self.find(&self.by_exact, partition, hash, is_it)
    }

    /// A live entry whose normalised text is the same.
    pub(super) fn normalised(
        &self,
        partition: u32,
        keys: &Keys,
        reading: &Reading,
        is_live: impl Fn(&Entry) -> bool,
    ) -> Option<u32> {
        let is_it =
            |entry: &Entry| is_live(entry) && normalise(&entry.text) == reading.normalised();
        self.find(&self.by_normalised, partition, keys.normalised, is_it)
    }

    /// A live entry with the same canonical key, and its reading.
    pub(super) fn canonical(
        &self,
        partition: u32,
        keys: &Keys,
        asked: &Reading,
        is_live: impl Fn(&Entry) -> bool,
    ) -> Option<(u32, Reading)> {
        let mut stored = None;
        let is_it = |entry: &Entry| {
            if !is_live(entry) {
                return false;
            }
            let reading = Reading::new(&entry.text);
            let is_same = reading.canonical() == asked.canonical();
            stored = Some(reading);
            is_same
        };
        let slot = self.find(&self.by_canonical, partition, keys.canonical?, is_it)?;
        stored.map(|reading| (slot, reading))
    }

    fn find(
        &self,
        table: &Table,
        partition: u32,
        hash: u64,
        mut is_it: impl FnMut(&Entry) -> bool,
    ) -> Option<u32> {
        table.find(hash, |slot| {
            let entry = self.entries.get(slot);
            entry.is_some_and(|entry| entry.partition == partition && is_it(entry))
        })
    }

    /// Whether the vectors of the partition need not be looked at: it is large, and no text in it has this content.
    pub(super) fn has_nothing_alike(&self, number: u32, content: u64) -> bool {
        let partition = self.partitions.get(number);
        partition.is_some_and(|partition| partition.n_entries > FEW)
            && self
                .find(&self.by_content, number, content, |entry| {
                    entry.keys.content == content
                })
                .is_none()
    }

    /// The vectors of the partition nearest to the code.
    pub(super) fn near(&self, partition: u32, code: &Code, n: usize) -> Vec<Near> {
        let partition = self.partitions.get(partition);
        partition.map_or_else(Vec::new, |partition| partition.index.search(code, n))
    }

    pub(super) fn code(&self, entry: &Entry) -> Option<&Code> {
        self.partitions
            .get(entry.partition)?
            .index
            .code(entry.place)
    }

    /// Stores an entry in place of one with the same text, whose number is given back free first.
    pub(super) fn put(&mut self, new: New) -> u32 {
        let partition = self
            .partition(&new.partition)
            .unwrap_or_else(|| self.add_partition(new.partition));
        let namespace = self.join_namespace(&new.namespace);
        let slot = self.entries.next();
        let entry = Entry {
            id: new.id,
            partition,
            place: NO_PLACE,
            namespace,
            text: new.text,
            answer: new.answer,
            keys: new.keys,
            created_s: new.created_s,
            expires_s: new.expires_s,
            cost_usd: new.cost_usd,
            evidence: new.evidence,
            is_unservable: new.is_unservable,
            n_hits: AtomicU32::new(new.n_hits),
            priority: AtomicU64::new(0),
        };
        entry.touch(self.floor);
        self.n_heap_bytes += entry.n_heap_bytes();
        self.map(slot, entry.id, &entry.keys);
        self.entries.insert(entry);
        if let Some(partition) = self.partitions.get_mut(partition) {
            partition.n_entries += 1;
        }
        if let Some(code) = new.code {
            self.index(slot, partition, code);
        }
        slot
    }

    fn map(&mut self, slot: u32, id: u64, keys: &Keys) {
        self.by_id.insert(mix(id), slot);
        self.by_exact.insert(keys.exact, slot);
        self.by_normalised.insert(keys.normalised, slot);
        self.by_content.insert(keys.content, slot);
        if let Some(canonical) = keys.canonical {
            self.by_canonical.insert(canonical, slot);
        }
    }

    fn add_partition(&mut self, key: [u8; 16]) -> u32 {
        let number = self.partitions.insert(Partition::new(key));
        self.by_partition.insert(xxh3_64(&key), number);
        number
    }

    pub(super) fn index(&mut self, slot: u32, partition: u32, code: Code) {
        self.change_index(partition, |index| {
            let place = index.insert(slot, code);
            let mut moved = vec![super::index::Moved { slot, place }];
            moved.extend(index.adapt());
            moved
        });
    }

    /// Changes an index, counts its bytes and notes where its vectors are now.
    pub(super) fn change_index(
        &mut self,
        partition: u32,
        change: impl FnOnce(&mut super::partition::Index) -> Vec<super::index::Moved>,
    ) {
        let Some(partition) = self.partitions.get_mut(partition) else {
            return;
        };
        let before = partition.index.n_bytes();
        let moved = change(&mut partition.index);
        self.n_heap_bytes = self.n_heap_bytes + partition.index.n_bytes() - before;
        for moved in moved {
            if let Some(entry) = self.entries.get_mut(moved.slot) {
                entry.place = moved.place;
            }
        }
    }

    /// Removes an entry; its partition too if it was the last.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Entry> {
        let entry = self.entries.remove(slot)?;
        self.n_heap_bytes -= entry.n_heap_bytes();
        self.by_id.remove(mix(entry.id), slot);
        self.by_exact.remove(entry.keys.exact, slot);
        self.by_normalised.remove(entry.keys.normalised, slot);
        self.by_content.remove(entry.keys.content, slot);
        if let Some(canonical) = entry.keys.canonical {
            self.by_canonical.remove(canonical, slot);
        }
        self.leave_namespace(entry.namespace);
        if entry.place != NO_PLACE {
            self.change_index(entry.partition, |index| {
                let mut moved: Vec<_> = index.remove(slot, entry.place).into_iter().collect();
                moved.extend(index.adapt());
                moved
            });
        }
        self.leave_partition(entry.partition);
        Some(entry)
    }

    fn leave_partition(&mut self, number: u32) {
        let Some(partition) = self.partitions.get_mut(number) else {
            return;
        };
        partition.n_entries -= 1;
        if partition.n_entries == 0 {
            self.n_heap_bytes -= partition.index.n_bytes();
            let key = partition.key;
            self.by_partition.remove(xxh3_64(&key), number);
            self.partitions.remove(number);
        }
    }

    /// Gives an entry another answer.
    pub(super) fn replace(&mut self, slot: u32, answer: Arc<[u8]>, now_s: f64) {
        let floor = self.floor;
        let Some(entry) = self.entries.get_mut(slot) else {
            return;
        };
        self.n_heap_bytes -= entry.n_heap_bytes();
        entry.answer = answer;
        entry.expires_s = now_s + (entry.expires_s - entry.created_s);
        entry.created_s = now_s;
        entry.evidence = Evidence::default();
        entry.touch(floor);
        self.n_heap_bytes += entry.n_heap_bytes();
    }

    fn join_namespace(&mut self, name: &str) -> u32 {
        let number = self.namespace_number(name).unwrap_or_else(|| {
            self.n_heap_bytes += name.len();
            let number = self.namespaces.insert(Namespace {
                name: name.into(),
                n_entries: 0,
            });
            self.by_namespace.insert(xxh3_64(name.as_bytes()), number);
            number
        });
        if let Some(namespace) = self.namespaces.get_mut(number) {
            namespace.n_entries += 1;
        }
        number
    }

    fn leave_namespace(&mut self, number: u32) {
        let Some(namespace) = self.namespaces.get_mut(number) else {
            return;
        };
        namespace.n_entries -= 1;
        if namespace.n_entries == 0 {
            let hash = xxh3_64(namespace.name.as_bytes());
            self.n_heap_bytes -= namespace.name.len();
            self.by_namespace.remove(hash, number);
            self.namespaces.remove(number);
        }
    }

    pub(super) fn namespace_number(&self, name: &str) -> Option<u32> {
        let is_it = |number: u32| {
            let namespace = self.namespaces.get(number);
            namespace.is_some_and(|namespace| *namespace.name == *name)
        };
        self.by_namespace.find(xxh3_64(name.as_bytes()), is_it)
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = (u32, &Partition)> {
        self.partitions.iter()
    }

    /// Bytes held, everything counted.
    pub(super) fn n_bytes(&self) -> usize {
        let tables = [
            &self.by_partition,
            &self.by_namespace,
            &self.by_id,
            &self.by_exact,
            &self.by_normalised,
            &self.by_canonical,
            &self.by_content,
        ];
        let tables: usize = tables.iter().map(|table| table.n_bytes()).sum();
        self.n_heap_bytes
            + self.entries.n_bytes()
            + self.partitions.n_bytes()
            + self.namespaces.n_bytes()
            + tables
    }

    /// Bytes that storing this entry may add for a moment.
    pub(super) fn growth(&self, new: &New) -> usize {
        let partition = self.partition(&new.partition);
        let index = partition.and_then(|number| self.partitions.get(number));
        let empty = Partition::new(new.partition);
        let maps = [
            (&self.by_id, mix(new.id)),
            (&self.by_exact, new.keys.exact),
            (&self.by_normalised, new.keys.normalised),
            (&self.by_canonical, new.keys.canonical.unwrap_or(0)),
            (&self.by_content, new.keys.content),
            (&self.by_partition, xxh3_64(&new.partition)),
            (&self.by_namespace, xxh3_64(new.namespace.as_bytes())),
        ];
        heap_bytes(new.text.len(), new.answer.len())
            + new.namespace.len()
            + self.entries.growth()
            + self.partitions.growth()
            + self.namespaces.growth()
            + index.unwrap_or(&empty).index.growth()
            + maps
                .iter()
                .map(|(map, hash)| map.growth(*hash))
                .sum::<usize>()
    }

    pub(super) fn view(&self, entry: &Entry) -> EntryView {
        let partition = self.partitions.get(entry.partition);
        let namespace = self.namespaces.get(entry.namespace);
        EntryView {
            id: entry.id,
            namespace: namespace.map_or_else(String::new, |namespace| namespace.name.to_string()),
            partition: partition.map_or([0; 16], |partition| partition.key),
            text: entry.text.to_string(),
            answer: Arc::clone(&entry.answer),
            created_s: entry.created_s,
            expires_s: entry.expires_s,
            n_hits: entry.n_hits(),
            evidence: entry.evidence,
            cost_saved_usd: f64::from(entry.n_hits()) * f64::from(entry.cost_usd),
            n_bytes: size_of::<Entry>() + entry.n_heap_bytes() + size_of::<Code>(),
        }
    }
}
