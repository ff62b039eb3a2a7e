//! [`Search`]: the walk through a graph.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::Graph;
use super::node::MOST_LINKS;
use super::{Code, Query, kernel, key_of, number_of};
use crate::simd;

/// Cells of an empty [`Visited`]: enough for most walks.
const FIRST_CELLS: usize = 8192;

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

/// The places seen: a set of small integers, cheaper to empty than a bit a vector.
pub(super) struct Visited {
    /// Place + 1; 0 is free.
    cells: Vec<u32>,
    n: usize,
}

impl Visited {
    fn new() -> Self {
        Self {
            cells: vec![0; FIRST_CELLS],
            n: 0,
        }
    }

    /// Whether the place was not seen before.
    #[inline]
    fn insert(&mut self, place: u32) -> bool {
        let mask = self.cells.len() - 1;
        let mut at = (place.wrapping_mul(0x9e37_79b1) >> 7) as usize & mask;
        while self.cells[at] != 0 {
            if self.cells[at] == place + 1 {
                return false;
            }
            at = (at + 1) & mask;
        }
        self.cells[at] = place + 1;
        self.n += 1;
        if self.n * 2 > self.cells.len() {
            self.grow();
        }
        true
    }

    /// Notes the places not seen before at the front of `unseen`; how many.
    #[inline]
    fn insert_all(&mut self, places: &[u32], unseen: &mut [u32; MOST_LINKS]) -> usize {
        let mut n = 0;
        for place in places.iter().filter(|place| self.insert(**place)) {
            unseen[n] = *place;
            n += 1;
        }
        n
    }

    #[cold]
    fn grow(&mut self) {
        let old = std::mem::take(&mut self.cells);
        self.cells = vec![0; 2 * old.len()];
        self.n = 0;
        for cell in old.into_iter().filter(|cell| *cell != 0) {
            self.insert(cell - 1);
        }
    }

    fn clear(&mut self) {
        self.cells.fill(0);
        self.n = 0;
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
            visited: Visited::new(),
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
            match self.keys(node.links(level)).max() {
                Some(key) if key > best => best = key,
                _ => return best,
            }
        }
    }

    /// Up to `breadth` places near the query, the nearest first (the paper's algorithm 2).
    pub(super) fn run(&mut self, starts: &[u64], breadth: usize, level: usize) -> Vec<u64> {
        self.visited.clear();
        let mut open: BinaryHeap<u64> = BinaryHeap::with_capacity(4 * breadth);
        let mut best: BinaryHeap<Reverse<u64>> = BinaryHeap::with_capacity(breadth + 1);
        for start in starts {
            self.visited.insert(number_of(*start));
            open.push(*start);
            best.push(Reverse(*start));
        }
        while let Some(key) = open.pop() {
            let bar = best.peek().map_or(0, |worst| worst.0);
            if key < bar && best.len() >= breadth {
                break;
            }
            let Some(node) = self.graph.node(number_of(key)) else {
                continue;
            };
            let mut unseen = [0; MOST_LINKS];
            let n = self.visited.insert_all(node.links(level), &mut unseen);
            for key in self.keys(&unseen[..n]) {
                let bar = best.peek().map_or(0, |worst| worst.0);
                if best.len() < breadth || key > bar {
                    open.push(key);
                    best.push(Reverse(key));
                    if best.len() > breadth {
                        best.pop();
                    }
                }
            }
        }
        let sorted = best.into_sorted_vec();
        sorted.into_iter().map(|key| key.0).collect()
    }

    /// Keys of places. The codes are fetched together, so that their cache misses overlap.
    #[inline]
    fn keys(&self, places: &[u32]) -> impl Iterator<Item = u64> + use<> {
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
        keys.into_iter().take(places.len())
    }
}

static EMPTY: Code = Code {
    values: [0; super::DIM],
    inverse_norm: 0.0,
};
