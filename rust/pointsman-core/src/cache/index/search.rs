//! [`Search`]: the walk through a graph.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::Graph;
use super::node::MOST_LINKS;
use super::{Code, Query, kernel, key_of, number_of, similarity_of};
use crate::simd;

impl Query {
    /// Keys of similarity and number.
    pub(super) fn keys<'a>(&self, codes: impl Iterator<Item = (u32, &'a Code)>) -> Vec<u64> {
        let (numbers, codes): (Vec<u32>, Vec<&Code>) = codes.unzip();
        let mut dots = vec![0; codes.len()];
        kernel::dots(&self.wide, codes.iter().copied(), &mut dots);
        let all = numbers.into_iter().zip(codes).zip(dots);
        all.map(|((number, code), dot)| key_of(self.scaled(dot, code), number))
            .collect()
    }

    /// Whether one of the codes is nearer than `bar`.
    pub(super) fn any_above(&self, codes: &[&Code], bar: f32) -> bool {
        codes.chunks(8).any(|codes| {
            let mut dots = [0; 8];
            kernel::dots(&self.wide, codes.iter().copied(), &mut dots);
            codes
                .iter()
                .zip(dots)
                .any(|(code, dot)| self.scaled(dot, code) > bar)
        })
    }
}

/// The places seen, a bit each.
pub(super) struct Visited(Vec<u64>);

impl Visited {
    fn new(n_places: usize) -> Self {
        Self(vec![0; n_places.div_ceil(64)])
    }

    /// Whether the place was not seen before.
    #[inline]
    fn insert(&mut self, place: u32) -> bool {
        let (word, bit) = (place as usize / 64, 1 << (place % 64));
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    /// Notes the places not seen before at the front of `unseen`; how many.
    #[inline]
    fn insert_all(&mut self, places: &[u32], unseen: &mut [u32; MOST_LINKS]) -> usize {
        let mut n = 0;
        for place in places {
            // Written in any case: whether it is new is as good as chance, and a branch would be mistaken.
            unseen[n] = *place;
            n += usize::from(self.insert(*place));
        }
        n
    }

    fn clear(&mut self) {
        self.0.fill(0);
    }
}

/// How far a walk goes.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    /// Places kept: the walk ends when all that is open is farther than these, and out of reach.
    pub(super) breadth: usize,
    /// How many times as far as the nearest, by the square of the distance, is in reach all the same.
    pub(super) reach: f32,
    /// Places whose links are followed at most.
    pub(super) n_steps: usize,
}

impl Extent {
    /// The paper's: as far as the places that are kept.
    pub(super) fn of(breadth: usize) -> Self {
        Self {
            breadth,
            reach: 0.0,
            n_steps: usize::MAX,
        }
    }

    /// The key of what is just in reach; of unit vectors, half the square of the distance is 1 - cosine.
    #[inline]
    fn limit(self, nearest: u64) -> u64 {
        let far = (1.0 - similarity_of(nearest)).max(0.0);
        if self.reach > 0.0 {
            key_of(1.0 - self.reach * far, 0)
        } else {
            u64::MAX
        }
    }
}

/// One query's walk.
pub(super) struct Search<'a> {
    graph: &'a Graph,
    query: &'a Query,
    visited: Visited,
}

impl<'a> Search<'a> {
    pub(super) fn new(graph: &'a Graph, query: &'a Query) -> Self {
        Self {
            graph,
            query,
            visited: Visited::new(graph.nodes.n_places()),
        }
    }

    pub(super) fn key(&self, place: u32) -> u64 {
        let node = self.graph.node(place);
        let similarity = node.map_or(-1.0, |node| self.query.similarity(&node.code));
        key_of(similarity, place)
    }

    /// Goes to the nearest neighbour as long as that comes nearer.
    pub(super) fn climb(&self, start: u64, level: usize) -> u64 {
        let mut best = start;
        loop {
            let Some(node) = self.graph.node(number_of(best)) else {
                return best;
            };
            let links = node.links(level);
            match self.keys(links)[..links.len()].iter().copied().max() {
                Some(key) if key > best => best = key,
                _ => return best,
            }
        }
    }

    /// Up to `breadth` places near the query, the nearest first (the paper's algorithm 2).
    pub(super) fn run(&mut self, starts: &[u64], extent: Extent, level: usize) -> Vec<u64> {
        let breadth = extent.breadth;
        self.visited.clear();
        let mut open: BinaryHeap<u64> = BinaryHeap::with_capacity(4 * breadth);
        let mut best: BinaryHeap<Reverse<u64>> = BinaryHeap::with_capacity(breadth + 1);
        for start in starts {
            self.visited.insert(number_of(*start));
            open.push(*start);
            best.push(Reverse(*start));
        }
        let mut nearest = starts.iter().copied().max().unwrap_or(0);
        let mut limit = extent.limit(nearest);
        let mut unseen = [0; MOST_LINKS];
        let mut n_left = extent.n_steps;
        while let Some(key) = open.pop() {
            let mut bar = best.peek().map_or(0, |worst| worst.0);
            let is_beyond = best.len() >= breadth && key < bar.min(limit);
            if is_beyond || n_left == 0 {
                break;
            }
            n_left -= 1;
            let Some(node) = self.graph.node(number_of(key)) else {
                continue;
            };
            let n = self.visited.insert_all(node.links(level), &mut unseen);
            for key in &self.keys(&unseen[..n])[..n] {
                let is_kept = best.len() < breadth || *key > bar;
                if !is_kept && *key <= limit {
                    continue;
                }
                if level == 0 {
                    self.prefetch_links(number_of(*key));
                }
                open.push(*key);
                if is_kept {
                    best.push(Reverse(*key));
                    if best.len() > breadth {
                        best.pop();
                    }
                    bar = best.peek().map_or(0, |worst| worst.0);
                }
                if *key > nearest {
                    nearest = *key;
                    limit = extent.limit(nearest);
                }
            }
        }
        let sorted = best.into_sorted_vec();
        sorted.into_iter().map(|key| key.0).collect()
    }

    /// Asks for the links of a place that is soon gone on from.
    #[inline]
    fn prefetch_links(&self, place: u32) {
        if let Some(node) = self.graph.node(place) {
            simd::prefetch(&node.ground);
        }
    }

    /// Keys of places. The codes are fetched together, so that their cache misses overlap.
    #[inline]
    fn keys(&self, places: &[u32]) -> [u64; MOST_LINKS] {
        let mut codes = [&EMPTY; MOST_LINKS];
        for (code, place) in codes.iter_mut().zip(places) {
            if let Some(node) = self.graph.node(*place) {
                *code = &node.code;
                simd::prefetch(*code);
            }
        }
        let mut dots = [0; MOST_LINKS];
        let codes = &codes[..places.len()];
        kernel::dots(&self.query.wide, codes.iter().copied(), &mut dots);
        let mut keys = [0; MOST_LINKS];
        for (at, code) in codes.iter().enumerate() {
            keys[at] = key_of(self.query.scaled(dots[at], code), places[at]);
        }
        keys
    }
}

static EMPTY: Code = Code {
    values: [0; super::DIM],
    inverse_norm: 0.0,
};
