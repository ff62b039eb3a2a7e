//! Restoring: a snapshot, then the journal, up to the first damage.
//!
//! What is restored is a true prefix of what happened, or, where the snapshot itself is damaged, a part of what it
//! held. Nothing behind a damaged frame is used: its length may be what was damaged.

use super::frame::{self, Damage, Frame, Kind};
use super::index::{Code, Graph, Moved};
use super::kept::Cache;
use super::partition::Index;
use super::posterior::Posterior;
use super::reading::Reading;
use super::record;
use super::settings::CacheSettings;
use super::state::State;
use crate::codec::Reader;
use crate::learn_error::LearnError;

impl Cache {
    /// The cache that a snapshot and the journal since then describe; either may be empty.
    ///
    /// Damage is not an error: what follows it is dropped and its bytes counted in
    /// [`CacheStats::n_dropped_bytes`](super::CacheStats). Then cut that many bytes off the end of the journal, or
    /// begin a new one with a [`snapshot`](Self::snapshot), before anything is appended. Entries that have expired
    /// by `now_s` are left out.
    ///
    /// # Errors
    ///
    /// A snapshot whose first frame is not whole, a document of another version, a setting outside its range.
    pub fn restore(
        snapshot: &[u8],
        journal: &[u8],
        now_s: f64,
        settings: CacheSettings,
    ) -> Result<Self, LearnError> {
        let posterior = Posterior::new(settings.target_error)?;
        let mut loader = Loader {
            state: State::new(posterior, settings.max_bytes),
            dump: None,
            settings,
        };
        let n_snapshot = loader.read_snapshot(snapshot)?;
        let n_journal = loader.read_journal(journal)?;
        let mut state = loader.state;
        state.forget_expired(now_s);
        let n_dropped = snapshot.len() - n_snapshot + journal.len() - n_journal;
        Self::with_state(settings, state, n_dropped)
    }
}

struct Loader {
    state: State,
    /// A snapshot that is being read; it counts when it is whole.
    dump: Option<Dump>,
    settings: CacheSettings,
}

/// A snapshot being read.
struct Dump {
    state: State,
    /// By ordinal: number and vector of the entries that have one.
    vectors: Vec<Option<(u32, Code)>>,
    graphs: Vec<(u32, Graph, Vec<Moved>)>,
}

impl Loader {
    /// Reads a snapshot as far as it is whole; the bytes read.
    fn read_snapshot(&mut self, bytes: &[u8]) -> Result<usize, LearnError> {
        let mut at = 0;
        while at < bytes.len() {
            let frame = match frame::read(&bytes[at..]) {
                Ok(frame) => frame,
                Err(damage @ Damage::Version(_)) => return Err(damage.into_error()),
                Err(damage) if at == 0 => return Err(damage.into_error()),
                Err(_) => break,
            };
            if at == 0 && frame.kind != Kind::Head {
                return Err(Damage::Torn.into_error());
            }
            if self.take_dump(&frame).is_err() {
                break;
            }
            at += frame.n_bytes;
        }
        if let Some(dump) = self.dump.take() {
            self.state = dump.finish();
        }
        Ok(at)
    }

    /// Reads a journal up to the first damage; the bytes read.
    fn read_journal(&mut self, bytes: &[u8]) -> Result<usize, LearnError> {
        let (mut at, mut n_good) = (0, 0);
        while at < bytes.len() {
            let frame = match frame::read(&bytes[at..]) {
                Ok(frame) => frame,
                Err(damage @ Damage::Version(_)) => return Err(damage.into_error()),
                Err(_) => break,
            };
            if !self.take(&frame) {
                break;
            }
            at += frame.n_bytes;
            // A snapshot in the journal is whole or it is damage.
            if self.dump.is_none() {
                n_good = at;
            }
        }
        Ok(n_good)
    }

    /// Whether the frame made sense.
    fn take(&mut self, frame: &Frame) -> bool {
        let next = self.state.n_records + 1;
        match frame.kind {
            Kind::Head | Kind::Kept | Kind::Graph | Kind::Tail => self.take_dump(frame).is_ok(),
            _ if self.dump.is_some() => false,
            // What the snapshot already holds.
            _ if frame.number < next => true,
            _ if frame.number > next => false,
            _ => {
                self.state.n_records = frame.number;
                self.state.replay(frame).is_ok()
            }
        }
    }

    fn take_dump(&mut self, frame: &Frame) -> Result<(), LearnError> {
        if frame.kind == Kind::Head {
            self.dump = Some(Dump::begin(frame, self.settings)?);
            return Ok(());
        }
        let is_whole = frame.kind == Kind::Tail;
        let Some(dump) = &mut self.dump else {
            return Err(LearnError::state("a part of a snapshot without its head"));
        };
        if dump.state.n_records != frame.number {
            return Err(LearnError::state("a part of another snapshot"));
        }
        match frame.kind {
            Kind::Kept => dump.keep(frame.payload)?,
            Kind::Graph => dump.link(frame.payload)?,
            _ => {}
        }
        match self.dump.take_if(|_| is_whole) {
            Some(dump) if dump.state.n_records >= self.state.n_records => {
                self.state = dump.finish();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Dump {
    fn begin(frame: &Frame, settings: CacheSettings) -> Result<Self, LearnError> {
        let mut reader = Reader::over(frame.payload);
        let posterior = Posterior::load(reader.bytes()?)?;
        let posterior = posterior.with_target_error(settings.target_error)?;
        let mut state = State::new(posterior, settings.max_bytes);
        state.store.floor = reader.f64()?;
        state.store.n_evictions = reader.u64()?;
        state.n_alarms = reader.u64()?;
        state.n_records = frame.number;
        Ok(Self {
            state,
            vectors: Vec::new(),
            graphs: Vec::new(),
        })
    }

    /// Stores an entry without its vector, for which the graph is still to come.
    fn keep(&mut self, payload: &[u8]) -> Result<(), LearnError> {
        let mut new = record::read_entry(payload)?;
        let code = new.code.take();
        self.state.displace(&new);
        let slot = self.state.store.put(new);
        self.vectors.push(code.map(|code| (slot, code)));
        Ok(())
    }

    fn link(&mut self, payload: &[u8]) -> Result<(), LearnError> {
        let mut reader = Reader::over(payload);
        let key: &[u8; 16] = reader
            .bytes()?
            .try_into()
            .map_err(|_| LearnError::state("a graph of no partition"))?;
        let Some(partition) = self.state.store.partition(key) else {
            return Err(LearnError::state(
                "a graph of a partition that is not there",
            ));
        };
        let is_inside = |slot: u32| {
            let entry = self.state.store.entries.get(slot);
            entry.is_some_and(|entry| entry.partition == partition)
        };
        let vector = |ordinal: u32| {
            let vector = self.vectors.get(ordinal as usize)?.clone()?;
            is_inside(vector.0).then_some(vector)
        };
        let (graph, moved) = Graph::load(&mut reader, vector)?;
        self.graphs.push((partition, graph, moved));
        Ok(())
    }

    /// Hangs the graphs in and builds what has none.
    fn finish(mut self) -> State {
        let store = &mut self.state.store;
        let mut is_linked = vec![false; store.entries.n_places()];
        for (partition, graph, moved) in self.graphs {
            moved
                .iter()
                .for_each(|moved| is_linked[moved.slot as usize] = true);
            store.change_index(partition, |index| {
                *index = Index::Graph(Box::new(graph));
                moved
            });
        }
        for (slot, code) in self.vectors.into_iter().flatten() {
            let entry = store.entries.get(slot);
            if let Some(partition) = entry
                .filter(|_| !is_linked[slot as usize])
                .map(|entry| entry.partition)
            {
                store.index(slot, partition, code);
            }
        }
        self.state
    }
}

impl State {
    /// Does again what a record says.
    fn replay(&mut self, frame: &Frame) -> Result<(), LearnError> {
        match frame.kind {
            Kind::Insert => {
                let new = record::read_entry(frame.payload)?;
                self.displace(&new);
                self.store.put(new);
            }
            Kind::Replace => {
                let (id, answer, now_s) = record::read_replacement(frame.payload)?;
                if let Some(slot) = self.store.slot_of_id(id) {
                    self.store.replace(slot, answer, now_s);
                }
            }
            Kind::Remove => {
                if let Some(slot) = self.store.slot_of_id(record::read_id(frame.payload)?) {
                    self.store.remove(slot);
                }
            }
            Kind::Clear => {
                self.clear_store(record::read_clearing(frame.payload)?.as_deref());
            }
            _ => {
                let grade = record::read_grade(frame.payload)?;
                if let Some(slot) = self.store.slot_of_id(grade.entry_id) {
                    self.learn(slot, &Reading::new(&grade.text), &grade);
                }
            }
        }
        Ok(())
    }

    /// Removes what has expired, and what a smaller bound leaves no room for.
    fn forget_expired(&mut self, now_s: f64) {
        let entries = self.store.entries.iter();
        let expired = entries.filter(|(_, entry)| now_s >= entry.expires_s);
        let slots: Vec<u32> = expired.map(|(slot, _)| slot).collect();
        for slot in slots {
            self.evict(slot, now_s);
        }
        self.make_room(now_s, |_| 0);
    }
}
