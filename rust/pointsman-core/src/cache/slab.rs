//! [`Slab`]: items by number, in chunks that never move.
//!
//! A `Vec` that doubles holds old and new at once, three times what it needs; a cache with a bound in bytes cannot
//! afford that. Here growth is one chunk at a time.

use std::mem::size_of;

/// Items a chunk.
const CHUNK: usize = 64;

/// Items by number; the numbers of removed items are used again, the last first.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
    n_places: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            n_places: 0,
        }
    }
}

impl<T> Slab<T> {
    /// Items held.
    pub(crate) fn len(&self) -> usize {
        self.n_places - self.free.len()
    }

    /// Numbers ever given out: all items have smaller ones.
    pub(crate) fn n_places(&self) -> usize {
        self.n_places
    }

    /// The number that the next item gets.
    pub(crate) fn next(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.n_places as u32)
    }

    pub(crate) fn insert(&mut self, item: T) -> u32 {
        let place = self.next();
        if self.free.pop().is_none() {
            if self.n_places.is_multiple_of(CHUNK) {
                self.chunks.push(Vec::with_capacity(CHUNK));
            }
            self.chunks[self.n_places / CHUNK].push(None);
            self.n_places += 1;
        }
        self.chunks[place as usize / CHUNK][place as usize % CHUNK] = Some(item);
        place
    }

    pub(crate) fn remove(&mut self, place: u32) -> Option<T> {
        let item = self.slot(place)?.take()?;
        self.free.push(place);
        Some(item)
    }

    #[inline]
    pub(crate) fn get(&self, place: u32) -> Option<&T> {
        let place = place as usize;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.slot(place)?.as_mut()
    }

    fn slot(&mut self, place: u32) -> Option<&mut Option<T>> {
        let place = place as usize;
        self.chunks.get_mut(place / CHUNK)?.get_mut(place % CHUNK)
    }

    /// The items with their numbers, in the order of the numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let items = self.chunks.iter().flatten().zip(0_u32..);
        items.filter_map(|(item, place)| item.as_ref().map(|item| (place, item)))
    }

    /// Bytes held, without what the items point to.
    pub(crate) fn n_bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Option<T>>()
            + self.chunks.capacity() * size_of::<Vec<T>>()
            + self.free.capacity() * size_of::<u32>()
    }

    /// Bytes that the next insertion may add to [`n_bytes`](Self::n_bytes).
    pub(crate) fn growth(&self) -> usize {
        if self.free.is_empty() && self.n_places.is_multiple_of(CHUNK) {
            return CHUNK * size_of::<Option<T>>();
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_removed_items_are_used_again() {
        let mut slab = Slab::default();
        let places: Vec<u32> = (0..200).map(|item| slab.insert(item)).collect();
        assert_eq!(places, (0..200).collect::<Vec<u32>>());
        assert_eq!(slab.remove(17), Some(17));
        assert_eq!(slab.remove(17), None);
        assert_eq!((slab.get(17), slab.len()), (None, 199));
        assert_eq!((slab.insert(1000), slab.get(17)), (17, Some(&1000)));
        assert_eq!(slab.iter().count(), 200);
        assert_eq!(slab.get(1 << 30), None);
    }

    #[test]
    fn growth_announces_the_bytes() {
        let mut slab = Slab::default();
        for item in 0..1000_u64 {
            let (before, growth) = (slab.n_bytes(), slab.growth());
            slab.insert(item);
            let chunk_list = slab.chunks.capacity() * size_of::<Vec<u64>>();
            assert!(slab.n_bytes() <= before + growth + chunk_list);
        }
    }
}
