//! One suite for both indices: recall against the exact answer, deletion, growth.

#![allow(clippy::unwrap_used)] // Helpers of tests: a panic is the report.

use pointsman_core::cache::index::{Code, DIM, Flat, Graph, VectorIndex};
use std::collections::HashMap;

/// Unit-less vectors in 24 hidden dimensions with noise, as texts have far fewer than 256.
struct Vectors {
    basis: Vec<f32>,
    state: u64,
}

const N_HIDDEN: usize = 24;

impl Vectors {
    fn new(seed: u64) -> Self {
        let mut made = Self {
            basis: Vec::new(),
            state: 77,
        };
        made.basis = (0..N_HIDDEN * DIM).map(|_| made.uniform()).collect();
        made.state = seed | 1;
        made
    }

    fn uniform(&mut self) -> f32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }

    fn code(&mut self) -> Code {
        let mut vector: [f32; DIM] = std::array::from_fn(|_| self.uniform() * 0.3);
        for hidden in 0..N_HIDDEN {
            let weight = self.uniform();
            let row = &self.basis[hidden * DIM..][..DIM];
            vector
                .iter_mut()
                .zip(row)
                .for_each(|(x, b)| *x += weight * b);
        }
        Code::new(&vector)
    }
}

/// An index with the places its caller keeps.
struct Kept<I> {
    index: I,
    places: HashMap<u32, u32>,
    codes: HashMap<u32, Code>,
}

impl<I: VectorIndex + Default> Kept<I> {
    fn new() -> Self {
        Self {
            index: I::default(),
            places: HashMap::new(),
            codes: HashMap::new(),
        }
    }

    fn insert(&mut self, slot: u32, code: Code) {
        let place = self.index.insert(slot, code.clone());
        self.places.insert(slot, place);
        self.codes.insert(slot, code);
    }

    fn remove(&mut self, slot: u32) {
        let place = self.places.remove(&slot).unwrap();
        self.codes.remove(&slot);
        if let Some(moved) = self.index.remove(slot, place) {
            self.places.insert(moved.slot, moved.place);
        }
    }

    /// Share of queries whose nearest vector is found first.
    fn recall(&self, vectors: &mut Vectors, n_queries: usize) -> f64 {
        let mut n_found = 0;
        for _ in 0..n_queries {
            let query = vectors.code();
            let best = self
                .codes
                .values()
                .map(|code| query.similarity(code))
                .fold(-1.0, f32::max);
            let near = self.index.search(&query, 4);
            assert!(
                near.windows(2)
                    .all(|pair| pair[0].similarity >= pair[1].similarity)
            );
            for near in &near {
                let code = &self.codes[&near.slot];
                assert!((query.similarity(code) - near.similarity).abs() < 1e-6);
            }
            n_found += usize::from(near.first().is_some_and(|near| near.similarity >= best));
        }
        n_found as f64 / n_queries as f64
    }

    fn check_places(&self) {
        assert_eq!(self.index.len(), self.codes.len());
        for (slot, place) in &self.places {
            assert_eq!(self.index.code(*place), Some(&self.codes[slot]));
        }
    }
}

fn finds_the_nearest<I: VectorIndex + Default>(n: u32, least_recall: f64) {
    let mut kept = Kept::<I>::new();
    let mut vectors = Vectors::new(1);
    assert!(kept.index.is_empty() && kept.index.search(&vectors.code(), 3).is_empty());
    for slot in 0..n {
        let code = vectors.code();
        kept.insert(slot, code);
    }
    kept.check_places();
    let recall = kept.recall(&mut vectors, 200);
    assert!(recall >= least_recall, "{recall}");
}

fn forgets_what_is_removed<I: VectorIndex + Default>(least_recall: f64) {
    let mut kept = Kept::<I>::new();
    let mut vectors = Vectors::new(2);
    for slot in 0..2000 {
        let code = vectors.code();
        kept.insert(slot, code);
    }
    // Three times the whole is exchanged, so that what deletion leaves behind would add up.
    for step in 0..6000 {
        kept.remove(step);
        let code = vectors.code();
        kept.insert(2000 + step, code);
    }
    kept.check_places();
    let recall = kept.recall(&mut vectors, 200);
    assert!(recall >= least_recall, "{recall}");
    let n_bytes = kept.index.n_bytes();
    for slot in 6000..8000 {
        kept.remove(slot);
        let near = kept.index.search(&vectors.code(), 8);
        assert!(near.iter().all(|near| kept.codes.contains_key(&near.slot)));
    }
    assert!(kept.index.is_empty() && kept.index.search(&vectors.code(), 3).is_empty());
    assert!(kept.index.n_bytes() <= n_bytes + n_bytes / 8);
    kept.insert(3, vectors.code());
    assert_eq!(kept.index.search(&vectors.code(), 3)[0].slot, 3);
}

fn keeps_its_way_through_twins<I: VectorIndex + Default>() {
    let mut kept = Kept::<I>::new();
    let mut vectors = Vectors::new(3);
    let twin = vectors.code();
    for slot in 0..1500 {
        let code = if slot % 3 == 0 {
            vectors.code()
        } else {
            twin.clone()
        };
        kept.insert(slot, code);
    }
    let recall = kept.recall(&mut vectors, 200);
    assert!(recall >= 0.97, "{recall}");
    for slot in (0..1500).filter(|slot| slot % 3 == 1) {
        kept.remove(slot);
    }
    kept.check_places();
    assert!(kept.recall(&mut vectors, 200) >= 0.97);
    let near = kept.index.search(&twin, 600);
    let n_twins = near.iter().filter(|near| near.similarity > 0.999).count();
    assert_eq!(n_twins, 500);
}

fn says_what_it_holds<I: VectorIndex + Default>() {
    let mut kept = Kept::<I>::new();
    let mut vectors = Vectors::new(4);
    for slot in 0..3000 {
        let (before, growth) = (kept.index.n_bytes(), kept.index.growth());
        kept.insert(slot, vectors.code());
        assert!(
            kept.index.n_bytes() <= before + growth + 4096,
            "slot {slot}"
        );
    }
    let per_entry = kept.index.n_bytes() / 3000;
    assert!((256..600).contains(&per_entry), "{per_entry}");
}

macro_rules! suite {
    ($name:ident, $index:ty, $n:expr, $recall:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn the_nearest_is_found() {
                finds_the_nearest::<$index>($n, $recall);
            }

            #[test]
            fn what_is_removed_is_forgotten_and_the_rest_still_found() {
                forgets_what_is_removed::<$index>($recall);
            }

            #[test]
            fn many_equal_vectors_do_not_hide_the_others() {
                keeps_its_way_through_twins::<$index>();
            }

            #[test]
            fn bytes_are_counted_and_growth_is_announced() {
                says_what_it_holds::<$index>();
            }
        }
    };
}

suite!(flat, Flat, 3000, 1.0);
suite!(graph, Graph, 6000, 0.98);

/// Vectors without any structure are the hardest to walk among: none leads to another.
#[test]
fn a_walk_goes_on_until_what_it_found_is_nearer_than_all_others() {
    let (mut graph, mut vectors) = (Graph::default(), Vectors::new(5));
    let mut random = || -> [f32; DIM] { std::array::from_fn(|_| vectors.uniform()) };
    let stored: Vec<[f32; DIM]> = (0..8000).map(|_| random()).collect();
    for (slot, vector) in (0..).zip(&stored) {
        graph.insert(slot, Code::new(vector));
    }
    let is_found = |slot: &usize| {
        let noise = random();
        let alike = std::array::from_fn(|i| stored[*slot][i] + 1.7 * noise[i]);
        let near = graph.search(&Code::new(&alike), 1);
        near[0].slot as usize == *slot && near[0].similarity > 0.4
    };
    let n_found = (0..8000).step_by(40).filter(is_found).count();
    assert!(n_found >= 190, "{n_found} of 200");
}
