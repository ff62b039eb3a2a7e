//! [`Flat`]: every vector is compared. Exact; the fastest for some hundreds.

use super::{Code, Moved, Near, Query, VectorIndex, kernel, key_of, number_of, similarity_of};

/// Vectors a chunk; also the room of one block of products.
const CHUNK: usize = 64;

/// A flat list of vectors.
///
/// # Example
///
/// ```
/// use pointsman_core::cache::index::{Code, DIM, Flat, VectorIndex};
///
/// let mut flat = Flat::default();
/// let [mut a, mut b] = [[0.0; DIM]; 2];
/// (a[0], b[1]) = (1.0, 1.0);
/// flat.insert(7, Code::new(&a));
/// flat.insert(9, Code::new(&b));
/// assert_eq!(flat.search(&Code::new(&b), 1)[0].slot, 9);
/// ```
#[derive(Debug, Default)]
pub struct Flat {
    chunks: Vec<Vec<Code>>,
    slots: Vec<u32>,
}

impl Flat {
    /// The vectors with the caller's numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Code)> {
        self.slots.iter().copied().zip(self.chunks.iter().flatten())
    }

    /// A small partition holds what it needs; a chunk that is followed by others is full.
    fn push(&mut self, code: Code) {
        if self.slots.len().is_multiple_of(CHUNK) {
            let room = if self.slots.is_empty() { 1 } else { CHUNK };
            self.chunks.reserve_exact(1);
            self.chunks.push(Vec::with_capacity(room));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            if chunk.len() == chunk.capacity() {
                chunk.reserve_exact(chunk.len());
            }
            chunk.push(code);
        }
    }
}

impl VectorIndex for Flat {
    fn len(&self) -> usize {
        self.slots.len()
    }

    fn insert(&mut self, slot: u32, code: Code) -> u32 {
        self.push(code);
        if self.slots.len() == self.slots.capacity() {
            let room = self.slots.len().clamp(1, CHUNK);
            self.slots.reserve_exact(room);
        }
        self.slots.push(slot);
        self.slots.len() as u32 - 1
    }

    fn remove(&mut self, _slot: u32, place: u32) -> Option<Moved> {
        let at = place as usize;
        if at >= self.slots.len() {
            return None;
        }
        let last = self.chunks.last_mut().and_then(Vec::pop)?;
        if self.chunks.last().is_some_and(Vec::is_empty) {
            self.chunks.pop();
        }
        self.slots.swap_remove(at);
        let slot = *self.slots.get(at)?;
        self.chunks[at / CHUNK][at % CHUNK] = last;
        Some(Moved { slot, place })
    }

    fn code(&self, place: u32) -> Option<&Code> {
        let place = place as usize;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    fn search(&self, code: &Code, n: usize) -> Vec<Near> {
        let query = Query::new(code);
        let mut best: Vec<u64> = Vec::with_capacity(n + 1);
        let mut dots = [0; CHUNK];
        for (chunk, first) in self.chunks.iter().zip((0_u32..).step_by(CHUNK)) {
            kernel::dots(&query.wide, chunk.iter(), &mut dots);
            for ((code, dot), place) in chunk.iter().zip(dots).zip(first..) {
                let key = key_of(query.scaled(dot, code), place);
                if best.len() < n || best.last().is_some_and(|worst| key > *worst) {
                    let at = best.partition_point(|other| *other > key);
                    best.insert(at, key);
                    best.truncate(n);
                }
            }
        }
        let near = |key: u64| Near {
            slot: self.slots[number_of(key) as usize],
            similarity: similarity_of(key),
        };
        best.into_iter().map(near).collect()
    }

    fn n_bytes(&self) -> usize {
        let codes: usize = self.chunks.iter().map(Vec::capacity).sum();
        codes * size_of::<Code>()
            + self.chunks.capacity() * size_of::<Vec<Code>>()
            + self.slots.capacity() * size_of::<u32>()
    }

    fn growth(&self) -> usize {
        let n = self.slots.len();
        if n < CHUNK {
            // The first chunk doubles: old and new for a moment.
            return (2 * n + 1) * size_of::<Code>() + size_of::<Vec<Code>>();
        }
        usize::from(n.is_multiple_of(CHUNK)) * CHUNK * (size_of::<Code>() + size_of::<u32>())
    }
}
