//! [`Partition`]: the vectors that may answer one another.

use super::index::{Code, Flat, Graph, Moved, Near, VectorIndex};

/// Most vectors that are compared one by one, exactly: some 25 us. A graph is as fast from 1,000 on where texts are
/// alike, and only from 5,000 on where they are not (`make bench-cache`).
const FLAT_MOST: usize = 2048;

/// The vectors of one partition, and how many entries it has.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) key: [u8; 16],
    pub(super) n_entries: u32,
    pub(super) index: Index,
}

/// A flat list that becomes a graph when it is long, and a list again when it is short.
#[derive(Debug)]
pub(super) enum Index {
    Flat(Flat),
    Graph(Box<Graph>),
}

impl Partition {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self {
            key,
            n_entries: 0,
            index: Index::Flat(Flat::default()),
        }
    }
}

impl Index {
    fn any(&self) -> &dyn VectorIndex {
        match self {
            Self::Flat(flat) => flat,
            Self::Graph(graph) => &**graph,
        }
    }

    fn any_mut(&mut self) -> &mut dyn VectorIndex {
        match self {
            Self::Flat(flat) => flat,
            Self::Graph(graph) => &mut **graph,
        }
    }

    pub(super) fn insert(&mut self, slot: u32, code: Code) -> u32 {
        self.any_mut().insert(slot, code)
    }

    pub(super) fn remove(&mut self, slot: u32, place: u32) -> Option<Moved> {
        self.any_mut().remove(slot, place)
    }

    pub(super) fn code(&self, place: u32) -> Option<&Code> {
        self.any().code(place)
    }

    pub(super) fn search(&self, code: &Code, n: usize) -> Vec<Near> {
        self.any().search(code, n)
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.any().n_bytes()
    }

    /// Bytes the next insertion may add for a moment.
    pub(super) fn growth(&self) -> usize {
        let is_due = matches!(self, Self::Flat(flat) if flat.len() >= FLAT_MOST);
        let graph = if is_due {
            (FLAT_MOST + 1) * Graph::NODE_BYTES
        } else {
            0
        };
        self.any().growth() + graph
    }

    /// Changes the kind where the number of vectors asks for it; the new place of every vector.
    pub(super) fn adapt(&mut self) -> Vec<Moved> {
        let changed = match self {
            Self::Flat(flat) if flat.len() > FLAT_MOST => {
                let mut graph = Graph::default();
                let moved = fill(&mut graph, flat.iter());
                Some((Self::Graph(Box::new(graph)), moved))
            }
            Self::Graph(graph) if graph.len() < FLAT_MOST / 8 => {
                let mut flat = Flat::default();
                let moved = fill(&mut flat, graph.iter());
                Some((Self::Flat(flat), moved))
            }
            _ => None,
        };
        changed.map_or_else(Vec::new, |(index, moved)| {
            *self = index;
            moved
        })
    }
}

fn fill<'a>(
    index: &mut dyn VectorIndex,
    codes: impl Iterator<Item = (u32, &'a Code)>,
) -> Vec<Moved> {
    let place = |(slot, code): (u32, &Code)| Moved {
        slot,
        place: index.insert(slot, code.clone()),
    };
    codes.map(place).collect()
}
