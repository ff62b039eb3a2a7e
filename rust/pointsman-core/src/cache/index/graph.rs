//! [`Graph`]: a hierarchical navigable small world (Malkov and Yashunin, 2018) with exact deletion.
//!
//! Three things differ from the paper. Equal vectors are one node, since a thousand of them would hide all others
//! from whoever comes near. Links go both ways always, so that a removed vector is known to all that link
//! to it: its neighbours forget it and are joined to one another, nothing is left behind, and its place is free.
//! A full vector gives up one link at a time, the longest that another neighbour makes a detour for.

use super::node::{Links, MOST_LINKS, Node, Slots};
use super::search::{Extent, Search};
use super::{Code, Moved, Near, Query, VectorIndex, number_of, similarity_of};
use crate::cache::slab::Slab;

/// Links that a new vector asks for, and the most on the upper levels; the paper's `M`.
const NEW_LINKS: usize = 16;
/// Vectors kept while a new one looks for its neighbours, the paper's `efConstruction`: as many in a small graph,
/// and so many more with each doubling above 8,192. A search of a million vectors linked at 64 finds 0.92 of the
/// nearest, at 160 it finds 0.98 for the same time (`make bench-cache`).
const BUILD_BREADTH: usize = 64;
const BUILD_STEP: usize = 16;
/// What a search keeps of the vectors it saw, the paper's `ef`: at least so many, and more with each doubling above
/// 1,024.
const LEAST_BREADTH: usize = 48;
const BREADTH_STEP: usize = 12;
/// A search goes on beyond its breadth to vectors at most so many times as far from the query, by the square of the
/// distance, as the nearest it has seen: it ends soon where one is much nearer than all others, and looks further
/// where none is (distance-adaptive beam search, Al-Jazzazi et al., 2025).
const REACH: f32 = 1.4;
/// Vectors whose links a search follows at most, for each it keeps; more is spent where nothing is near.
const MOST_STEPS: usize = 3;
/// Levels above the ground; 16^6 vectors are more than fit a `u32`'s worth of places.
pub(super) const MOST_LEVELS: usize = 6;

/// A graph of vectors, each linked to some that are near.
///
/// # Example
///
/// ```
/// use pointsman_core::cache::index::{Code, DIM, Graph, VectorIndex};
///
/// let mut graph = Graph::default();
/// let code = |i: usize| Code::new(&std::array::from_fn(|d| f32::from(u8::from(d == i))));
/// let places: Vec<u32> = (0..100).map(|i| graph.insert(i as u32, code(i))).collect();
/// assert_eq!(graph.search(&code(42), 1)[0].slot, 42);
/// graph.remove(42, places[42]);
/// assert_ne!(graph.search(&code(42), 1)[0].slot, 42);
/// ```
#[derive(Debug, Default)]
pub struct Graph {
    pub(super) nodes: Slab<Node>,
    pub(super) n_slots: usize,
    /// Bytes that nodes point to.
    n_bytes_apart: usize,
    /// Where every search begins: a vector of the highest level.
    pub(super) entry: Option<u32>,
    /// Vectors ever inserted: what levels are drawn from.
    pub(super) n_inserted: u64,
}

impl Graph {
    /// Bytes a vector takes, with its links.
    pub(crate) const NODE_BYTES: usize = size_of::<Option<Node>>();

    /// The vectors with the caller's numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Code)> {
        let nodes = self.nodes.iter();
        nodes.flat_map(|(_, node)| node.slots.iter().map(move |slot| (slot, &node.code)))
    }

    pub(super) fn node(&self, place: u32) -> Option<&Node> {
        self.nodes.get(place)
    }

    /// The nearest on the ground level, as keys, the nearest first.
    fn nearest(&self, query: &Query, n: usize) -> Vec<u64> {
        let Some(entry) = self.entry else {
            return Vec::new();
        };
        let mut search = Search::new(self, query);
        let mut start = search.key(entry);
        for level in (1..=self.top_level()).rev() {
            start = search.climb(start, level);
        }
        search.run(&[start], self.extent(n), 0)
    }

    /// How far a search for the `n` nearest goes.
    fn extent(&self, n: usize) -> Extent {
        let breadth = (BREADTH_STEP * self.n_doublings(10)).max(LEAST_BREADTH);
        let breadth = breadth.max(n);
        Extent {
            breadth,
            reach: REACH,
            n_steps: MOST_STEPS * breadth,
        }
    }

    fn build_breadth(&self) -> usize {
        BUILD_BREADTH + BUILD_STEP * self.n_doublings(13)
    }

    /// How often the graph has doubled since it held `2^exponent` vectors.
    fn n_doublings(&self, exponent: usize) -> usize {
        let n = self.nodes.len().max(1).ilog2() as usize;
        n.saturating_sub(exponent)
    }

    fn top_level(&self) -> usize {
        let entry = self.entry.and_then(|place| self.nodes.get(place));
        entry.map_or(0, |node| node.upper.len())
    }

    fn link(&mut self, place: u32, level: usize, found: &[u64]) {
        for key in self.chosen(found) {
            let other = number_of(key);
            self.join(place, other, level);
        }
    }

    /// Of candidates, nearest first, those that are nearer to the query than to any chosen before (algorithm 4),
    /// filled up with the nearest of the rest.
    fn chosen(&self, found: &[u64]) -> Vec<u64> {
        let (mut chosen, mut rest) = (Vec::with_capacity(NEW_LINKS), Vec::new());
        let mut codes: Vec<&Code> = Vec::with_capacity(NEW_LINKS);
        for key in found {
            let Some(node) = self.nodes.get(number_of(*key)) else {
                continue;
            };
            let query = Query::new(&node.code);
            let bar = similarity_of(*key);
            if chosen.len() < NEW_LINKS && !query.any_above(&codes, bar) {
                chosen.push(*key);
                codes.push(&node.code);
            } else {
                rest.push(*key);
            }
        }
        let n_missing = NEW_LINKS - chosen.len();
        chosen.extend(rest.into_iter().take(n_missing));
        chosen
    }

    /// Links two vectors both ways; whoever has too many links gives one up.
    fn join(&mut self, a: u32, b: u32, level: usize) {
        let is_known = |node: &Node| node.upper.len() < level || node.links(level).contains(&b);
        if a == b || self.nodes.get(a).is_none_or(is_known) {
            return;
        }
        for (from, to) in [(a, b), (b, a)] {
            let is_full = self
                .nodes
                .get(from)
                .is_some_and(|node| node.links(level).len() >= most_links(level));
            if is_full {
                let victim = self.victim(from, to, level);
                if victim == to {
                    self.part(a, b, level);
                    return;
                }
                self.part(from, victim, level);
            }
            self.push_link(from, to, level);
        }
    }

    pub(super) fn push_link(&mut self, from: u32, to: u32, level: usize) {
        if let Some(links) = self.nodes.get_mut(from).and_then(|n| n.links_mut(level)) {
            links.push(to);
        }
    }

    fn part(&mut self, a: u32, b: u32, level: usize) {
        for (from, to) in [(a, b), (b, a)] {
            if let Some(links) = self.nodes.get_mut(from).and_then(|n| n.links_mut(level)) {
                links.remove(to);
            }
        }
    }

    /// Which link `from` gives up when `new` asks for one: the longest with a detour over a nearer neighbour.
    fn victim(&self, from: u32, new: u32, level: usize) -> u32 {
        let Some(node) = self.nodes.get(from) else {
            return new;
        };
        let query = Query::new(&node.code);
        let others = node.links(level).iter().copied().chain([new]);
        let mut keys = query.keys(others.filter_map(|place| {
            let code = &self.nodes.get(place)?.code;
            Some((place, code))
        }));
        keys.sort_unstable_by(|a, b| b.cmp(a));
        let mut nearer: Vec<&Code> = Vec::with_capacity(keys.len());
        nearer.extend(keys.iter().filter_map(|key| {
            let node = self.nodes.get(number_of(*key))?;
            Some(&node.code)
        }));
        for at in (1..nearer.len()).rev() {
            let query = Query::new(nearer[at]);
            if query.any_above(&nearer[..at], similarity_of(keys[at])) {
                return number_of(keys[at]);
            }
        }
        keys.last().map_or(new, |key| number_of(*key))
    }

    /// Joins those that lost a neighbour to the nearest of the others that lost it too.
    fn mend(&mut self, orphans: &[u32], level: usize) {
        for orphan in orphans {
            let Some(node) = self.nodes.get(*orphan) else {
                continue;
            };
            let query = Query::new(&node.code);
            let known = node.links(level);
            let others = orphans
                .iter()
                .copied()
                .filter(|other| other != orphan && !known.contains(other));
            let keys =
                query.keys(others.filter_map(|place| Some((place, &self.nodes.get(place)?.code))));
            if let Some(best) = keys.into_iter().max() {
                self.join(*orphan, number_of(best), level);
            }
        }
    }

    /// The level of the next vector: geometric, each a sixteenth of the one below; no randomness but a hash.
    fn draw_level(&mut self) -> usize {
        self.n_inserted += 1;
        let bits = xxhash_rust::xxh3::xxh3_64(&self.n_inserted.to_le_bytes());
        (bits.trailing_zeros() as usize / 4).min(MOST_LEVELS)
    }

    fn new_entry(&self, orphans: &[u32]) -> Option<u32> {
        let level = |place: &u32| self.nodes.get(*place).map_or(0, |node| node.upper.len());
        let top = orphans.iter().copied().max_by_key(level);
        // Links of the highest level lead to its others; the last of a level makes all be looked through.
        match top {
            Some(place) if level(&place) > 0 => Some(place),
            _ => self.nodes.iter().map(|(place, _)| place).max_by_key(level),
        }
    }
}

fn most_links(level: usize) -> usize {
    if level == 0 { MOST_LINKS } else { NEW_LINKS }
}

impl Graph {
    /// The nearest to a new vector on every level up to its own, the nearest first.
    fn neighbourhood(&self, query: &Query, level: usize) -> Vec<Vec<u64>> {
        let mut found = vec![Vec::new(); level + 1];
        let Some(entry) = self.entry else {
            return found;
        };
        let mut search = Search::new(self, query);
        let mut starts = vec![search.key(entry)];
        let extent = Extent::of(self.build_breadth());
        for at in (0..=self.top_level()).rev() {
            if at > level {
                starts[0] = search.climb(starts[0], at);
            } else {
                starts = search.run(&starts, extent, at);
                found[at].clone_from(&starts);
            }
        }
        found
    }

    /// Gives an equal vector's node one more slot.
    fn adopt(&mut self, slot: u32, code: &Code, found: &[u64]) -> Option<u32> {
        let place = number_of(*found.first()?);
        if self.nodes.get(place)?.code != *code {
            return None;
        }
        self.add_slot(slot, place);
        Some(place)
    }

    pub(super) fn add_slot(&mut self, slot: u32, place: u32) {
        if let Some(node) = self.nodes.get_mut(place) {
            let before = node.slots.n_bytes();
            node.slots.others.get_or_insert_default().push(slot);
            self.n_bytes_apart += node.slots.n_bytes() - before;
            self.n_slots += 1;
        }
    }

    pub(super) fn add_node(&mut self, slot: u32, code: Code, level: usize) -> u32 {
        self.n_bytes_apart += level * size_of::<Links>();
        self.n_slots += 1;
        let slots = Slots {
            first: slot,
            others: None,
        };
        self.nodes.insert(Node {
            code,
            slots,
            ground: Links::NONE,
            upper: vec![Links::NONE; level],
        })
    }

    fn remove_node(&mut self, place: u32) {
        let Some(node) = self.nodes.remove(place) else {
            return;
        };
        self.n_bytes_apart -= node.upper.len() * size_of::<Links>();
        let mut orphans = Vec::new();
        for level in (0..=node.upper.len()).rev() {
            let lost = node.links(level);
            for orphan in lost {
                let orphan = self.nodes.get_mut(*orphan);
                if let Some(links) = orphan.and_then(|node| node.links_mut(level)) {
                    links.remove(place);
                }
            }
            self.mend(lost, level);
            orphans.extend_from_slice(lost);
        }
        if self.entry == Some(place) {
            self.entry = self.new_entry(&orphans);
        }
    }
}

impl VectorIndex for Graph {
    fn len(&self) -> usize {
        self.n_slots
    }

    fn insert(&mut self, slot: u32, code: Code) -> u32 {
        let level = self.draw_level();
        let found = self.neighbourhood(&Query::new(&code), level);
        if let Some(place) = self.adopt(slot, &code, &found[0]) {
            return place;
        }
        let is_highest = self.entry.is_none() || level > self.top_level();
        let place = self.add_node(slot, code, level);
        for (at, found) in found.iter().enumerate() {
            self.link(place, at, found);
        }
        if is_highest {
            self.entry = Some(place);
        }
        place
    }

    fn remove(&mut self, slot: u32, place: u32) -> Option<Moved> {
        let node = self.nodes.get_mut(place)?;
        self.n_slots -= 1;
        let before = node.slots.n_bytes();
        if node.slots.remove(slot) {
            self.n_bytes_apart -= before - node.slots.n_bytes();
        } else {
            self.remove_node(place);
        }
        None
    }

    fn code(&self, place: u32) -> Option<&Code> {
        self.nodes.get(place).map(|node| &node.code)
    }

    fn search(&self, code: &Code, n: usize) -> Vec<Near> {
        let found = self.nearest(&Query::new(code), n);
        let nodes = found.iter().filter_map(|key| {
            let node = self.nodes.get(number_of(*key))?;
            Some((node, similarity_of(*key)))
        });
        let near = nodes.flat_map(|(node, similarity)| {
            let slots = node.slots.iter();
            slots.map(move |slot| Near { slot, similarity })
        });
        near.take(n).collect()
    }

    fn n_bytes(&self) -> usize {
        self.nodes.n_bytes() + self.n_bytes_apart
    }

    fn growth(&self) -> usize {
        self.nodes.growth() + MOST_LEVELS * size_of::<Links>()
    }
}
