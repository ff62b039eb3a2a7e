//! [`Node`]: a vector of a graph, who has it, and its links.

use super::Code;

/// Most links of a vector on the ground level; the paper's `M_max0`.
pub(super) const MOST_LINKS: usize = 32;
/// The links of one vector on one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Links {
    n: u8,
    places: [u32; MOST_LINKS],
}

impl Links {
    pub(super) const NONE: Self = Self {
        n: 0,
        places: [0; MOST_LINKS],
    };

    #[inline]
    pub(super) fn as_slice(&self) -> &[u32] {
        &self.places[..usize::from(self.n)]
    }

    pub(super) fn push(&mut self, place: u32) {
        self.places[usize::from(self.n)] = place;
        self.n += 1;
    }

    pub(super) fn remove(&mut self, place: u32) {
        if let Some(at) = self.as_slice().iter().position(|other| *other == place) {
            self.n -= 1;
            self.places[at] = self.places[usize::from(self.n)];
        }
    }
}

/// One number inline, more on the heap.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    pub(super) first: u32,
    /// Boxed, as nearly all nodes have none.
    #[allow(clippy::box_collection)]
    pub(super) others: Option<Box<Vec<u32>>>,
}

impl Slots {
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let others = self.others.iter().flat_map(|others| others.iter().copied());
        std::iter::once(self.first).chain(others)
    }

    /// Removes one; whether it was another than the last.
    pub(super) fn remove(&mut self, slot: u32) -> bool {
        let Some(others) = &mut self.others else {
            return false;
        };
        match others.iter().position(|other| *other == slot) {
            Some(at) => {
                others.swap_remove(at);
            }
            None => self.first = others.pop().unwrap_or(self.first),
        }
        if others.is_empty() {
            self.others = None;
        }
        true
    }

    pub(super) fn n_bytes(&self) -> usize {
        let bytes =
            |others: &Vec<u32>| size_of::<Vec<u32>>() + others.capacity() * size_of::<u32>();
        self.others.as_deref().map_or(0, bytes)
    }
}

/// A vector and its links; begins where a line of memory does, so that a walk waits for as few as can be.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Node {
    pub(super) code: Code,
    /// Who has this vector: at least one.
    pub(super) slots: Slots,
    pub(super) ground: Links,
    /// The levels above the ground; most vectors have none.
    pub(super) upper: Vec<Links>,
}

impl Node {
    #[inline]
    pub(super) fn links(&self, level: usize) -> &[u32] {
        let links = match level {
            0 => Some(&self.ground),
            _ => self.upper.get(level - 1),
        };
        links.map_or(&[], Links::as_slice)
    }

    pub(super) fn links_mut(&mut self, level: usize) -> Option<&mut Links> {
        match level {
            0 => Some(&mut self.ground),
            _ => self.upper.get_mut(level - 1),
        }
    }
}
