//! Saving: the journal since the last time, and everything.

use super::frame::{self, Kind};
use super::kept::Cache;
use super::partition::Index;
use super::record;
use super::state::State;
use crate::codec::Writer;

impl Cache {
    /// What happened since the last call, as frames to be appended to a file.
    ///
    /// If that was more than the cache may keep (a sixty-fourth of `max_bytes`), these are the frames of a whole
    /// snapshot instead; the journal stays as good as before.
    pub fn take_journal(&self) -> Vec<u8> {
        let mut state = self.write();
        if state.journal.has_overflowed {
            let snapshot = state.snapshot();
            state.journal.clear();
            return snapshot;
        }
        state.journal.take()
    }

    /// Everything, for a file of its own. It holds what [`take_journal`](Self::take_journal) has not yet given;
    /// restoring with both does no harm.
    pub fn snapshot(&self) -> Vec<u8> {
        self.read().snapshot()
    }
}

impl State {
    fn snapshot(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut push = |kind, payload: &[u8]| frame::write(&mut out, kind, self.n_records, payload);
        push(Kind::Head, &self.head());
        let mut ordinals = vec![u32::MAX; self.store.entries.n_places()];
        for ((slot, entry), ordinal) in self.store.entries.iter().zip(0..) {
            ordinals[slot as usize] = ordinal;
            push(Kind::Kept, &record::entry(&self.store, entry));
        }
        for (_, partition) in self.store.partitions() {
            if let Index::Graph(graph) = &partition.index {
                let mut writer = Writer::default();
                writer.bytes(&partition.key);
                graph.save(&mut writer, |slot| ordinals[slot as usize]);
                push(Kind::Graph, &writer.into_bytes());
            }
        }
        push(Kind::Tail, &[]);
        out
    }

    fn head(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(&self.posterior.save());
        writer.f64(self.store.floor);
        writer.u64(self.store.n_evictions);
        writer.u64(self.n_alarms);
        writer.into_bytes()
    }
}
