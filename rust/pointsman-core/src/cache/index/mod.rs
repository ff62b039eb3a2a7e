//! Vectors of one partition: 8-bit codes in a flat list, or in a graph where there are many.

mod flat;
mod graph;
mod kernel;
mod node;
mod saved;
mod search;

pub use flat::Flat;
pub use graph::Graph;

use crate::embed;

/// Length of a vector.
pub const DIM: usize = embed::DIM;

/// A unit vector in 8 bits a dimension: `value = step * code`; the step is left out, the norm is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    pub(crate) values: [i8; DIM],
    /// 1 / the codes' norm; 0 for a vector of zeros, which is near nothing.
    pub(crate) inverse_norm: f32,
}

impl Code {
    /// Rounds a vector.
    ///
    /// # Example
    ///
    /// ```
    /// use pointsman_core::cache::index::{Code, DIM};
    ///
    /// let code = Code::new(&[0.0625; DIM]);
    /// assert!((code.similarity(&code) - 1.0).abs() < 1e-6);
    /// assert_eq!(code.similarity(&Code::new(&[0.0; DIM])), 0.0);
    /// ```
    pub fn new(vector: &[f32; DIM]) -> Self {
        let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        Self::from_values(std::array::from_fn(|i| (vector[i] * scale).round() as i8))
    }

    pub(crate) fn from_values(values: [i8; DIM]) -> Self {
        let square: i32 = values.iter().map(|x| i32::from(*x) * i32::from(*x)).sum();
        let inverse_norm = if square > 0 {
            (square as f32).sqrt().recip()
        } else {
            0.0
        };
        Self {
            values,
            inverse_norm,
        }
    }

    /// Cosine, in `[-1, 1]`.
    pub fn similarity(&self, other: &Self) -> f32 {
        Query::new(self).similarity(other)
    }
}

/// A code made ready to be compared with many.
pub(crate) struct Query {
    wide: kernel::Wide,
    inverse_norm: f32,
}

impl Query {
    pub(crate) fn new(code: &Code) -> Self {
        Self {
            wide: std::array::from_fn(|i| i16::from(code.values[i])),
            inverse_norm: code.inverse_norm,
        }
    }

    pub(crate) fn similarity(&self, code: &Code) -> f32 {
        let mut dot = [0];
        kernel::dots(&self.wide, std::iter::once(code), &mut dot);
        self.scaled(dot[0], code)
    }

    #[inline]
    fn scaled(&self, dot: i32, code: &Code) -> f32 {
        dot as f32 * self.inverse_norm * code.inverse_norm
    }
}

/// A stored vector near the one asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// The number the caller gave it.
    pub slot: u32,
    /// Cosine, in `[-1, 1]`.
    pub similarity: f32,
}

/// A vector whose place changed because another was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Whose.
    pub slot: u32,
    /// Its place now.
    pub place: u32,
}

/// Vectors that are found by their neighbours. `slot` is the caller's number, `place` the index's own.
pub trait VectorIndex {
    /// Vectors held.
    fn len(&self) -> usize;

    /// Whether none is held.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a vector and returns its place.
    fn insert(&mut self, slot: u32, code: Code) -> u32;

    /// Removes the vector of `slot`, which is at `place`; the caller notes the new place of what moved.
    fn remove(&mut self, slot: u32, place: u32) -> Option<Moved>;

    /// The vector at `place`.
    fn code(&self, place: u32) -> Option<&Code>;

    /// The `n` nearest, the nearest first; ties in no order.
    fn search(&self, code: &Code, n: usize) -> Vec<Near>;

    /// Bytes held, allocations and all.
    fn n_bytes(&self) -> usize;

    /// Bytes that the next insertion may add to [`n_bytes`](Self::n_bytes), for a moment.
    fn growth(&self) -> usize;
}

/// A similarity and a number in one integer: the greater, the nearer.
#[inline]
pub(crate) fn key_of(similarity: f32, number: u32) -> u64 {
    let bits = similarity.to_bits();
    // Negative floats are turned round, so that the integers are in the floats' order.
    let order = if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    };
    u64::from(order) << 32 | u64::from(number)
}

#[inline]
pub(crate) fn similarity_of(key: u64) -> f32 {
    let order = (key >> 32) as u32;
    f32::from_bits(if order >> 31 == 1 {
        order & !(1 << 31)
    } else {
        !order
    })
}

#[inline]
pub(crate) fn number_of(key: u64) -> u32 {
    key as u32
}
