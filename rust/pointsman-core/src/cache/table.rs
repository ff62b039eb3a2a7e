//! [`Table`]: from hashes to numbers, eight bytes a cell, in segments that grow one by one.

/// Segments; the growth of one holds a sixty-fourth of the table twice.
const N_SEGMENTS: usize = 64;
/// Cells of a segment when it gets its first value.
const FIRST_CELLS: usize = 4;

/// A multimap from 64-bit hashes to numbers below `u32::MAX`. The caller tells equal keys apart.
#[derive(Debug, Default)]
pub(crate) struct Table {
    segments: Vec<Segment>,
}

/// Open addressing with linear probing. A cell is 32 bits of the hash, then the value + 1; 0 is free.
#[derive(Clone, Debug, Default)]
struct Segment {
    cells: Vec<u64>,
    n: usize,
}

impl Table {
    /// The first value of the hash that `is_it` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let segment = self.segments.get(segment_of(hash))?;
        segment
            .position(hash as u32, is_it)
            .map(|at| value_of(segment.cells[at]))
    }

    /// Adds a value.
    pub(crate) fn insert(&mut self, hash: u64, value: u32) {
        if self.segments.is_empty() {
            self.segments = vec![Segment::default(); N_SEGMENTS];
        }
        self.segments[segment_of(hash)].insert(hash as u32, value);
    }

    /// Removes the value; whether it was there.
    pub(crate) fn remove(&mut self, hash: u64, value: u32) -> bool {
        let segment = self.segments.get_mut(segment_of(hash));
        segment.is_some_and(|segment| segment.remove(hash as u32, value))
    }

    /// Bytes held.
    pub(crate) fn n_bytes(&self) -> usize {
        let cells: usize = self.segments.iter().map(|s| s.cells.capacity()).sum();
        cells * size_of::<u64>() + self.segments.capacity() * size_of::<Segment>()
    }

    /// Bytes that the next insertion of `hash` may add to [`n_bytes`](Self::n_bytes), for a moment.
    pub(crate) fn growth(&self, hash: u64) -> usize {
        match self.segments.get(segment_of(hash)) {
            Some(segment) if segment.is_full() => segment.next_cells() * size_of::<u64>(),
            Some(_) => 0,
            None => N_SEGMENTS * size_of::<Segment>() + FIRST_CELLS * size_of::<u64>(),
        }
    }
}

impl Segment {
    fn is_full(&self) -> bool {
        (self.n + 1) * 8 > self.cells.len() * 7
    }

    fn next_cells(&self) -> usize {
        (self.cells.len() * 2).max(FIRST_CELLS)
    }

    #[inline]
    fn position(&self, tag: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<usize> {
        let mask = self.cells.len().checked_sub(1)?;
        let mut at = tag as usize & mask;
        while self.cells[at] != 0 {
            if tag_of(self.cells[at]) == tag && is_it(value_of(self.cells[at])) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn insert(&mut self, tag: u32, value: u32) {
        if self.is_full() {
            let grown = vec![0; self.next_cells()];
            let old = std::mem::replace(&mut self.cells, grown);
            for cell in old.into_iter().filter(|cell| *cell != 0) {
                self.put(cell);
            }
        }
        self.put(u64::from(tag) << 32 | u64::from(value + 1));
        self.n += 1;
    }

    fn put(&mut self, cell: u64) {
        let mask = self.cells.len() - 1;
        let mut at = tag_of(cell) as usize & mask;
        while self.cells[at] != 0 {
            at = (at + 1) & mask;
        }
        self.cells[at] = cell;
    }

    fn remove(&mut self, tag: u32, value: u32) -> bool {
        let Some(mut hole) = self.position(tag, |found| found == value) else {
            return false;
        };
        let mask = self.cells.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let cell = self.cells[at];
            if cell == 0 {
                break;
            }
            // A cell moves into the hole unless its home lies behind it.
            let natural = tag_of(cell) as usize & mask;
            if (at.wrapping_sub(natural) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = 0;
        self.n -= 1;
        true
    }
}

#[inline]
fn segment_of(hash: u64) -> usize {
    (hash >> 58) as usize
}

#[inline]
fn tag_of(cell: u64) -> u32 {
    (cell >> 32) as u32
}

#[inline]
fn value_of(cell: u64) -> u32 {
    cell as u32 - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn it_agrees_with_a_map_under_insertion_and_removal() {
        let (mut table, mut map) = (Table::default(), HashMap::new());
        for step in 0..60_000_u64 {
            let hash = xxh3_64(&(step * 7919 % 9000).to_le_bytes());
            if map.contains_key(&hash) && step % 3 != 0 {
                let value = map.remove(&hash).unwrap();
                assert!(table.remove(hash, value) && !table.remove(hash, value));
            } else {
                let value = *map.entry(hash).or_insert(step as u32);
                if value == step as u32 {
                    table.insert(hash, value);
                }
            }
        }
        for key in 0..9000_u64 {
            let hash = xxh3_64(&key.to_le_bytes());
            assert_eq!(table.find(hash, |_| true), map.get(&hash).copied());
        }
    }

    #[test]
    fn equal_hashes_are_told_apart_by_the_caller() {
        let mut table = Table::default();
        assert_eq!(table.find(7, |_| true), None);
        (0..40).for_each(|value| table.insert(7, value));
        assert_eq!(table.find(7, |value| value == 31), Some(31));
        assert!(table.remove(7, 31));
        assert_eq!(table.find(7, |value| value == 31), None);
        assert_eq!(table.find(7, |value| value == 39), Some(39));
    }
}
