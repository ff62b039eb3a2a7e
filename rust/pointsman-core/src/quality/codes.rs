//! [`Codes`]: a vector in 8 bits a value, in blocks of a fixed size.
//!
//! What is stored is held as bytes, as a search waits for memory; what is sought is widened beforehand. Both together
//! compile to the packed multiply-and-add, `vpmaddwd` where there is AVX2 (`benches/quality.rs` times a search).

use crate::simd;

/// Values in one block.
pub(crate) const BLOCK: usize = 32;
/// Most dimensions: a caller's vector of 512 and what is measured of the text beside it.
pub(crate) const MAX_DIMENSIONS: usize = 544;

/// [`BLOCK`] codes in -127..=127.
pub(crate) type Block = [i8; BLOCK];
/// The same, widened.
type Wide = [i16; BLOCK];

/// Blocks that hold so many dimensions; what lies beyond them is 0.
pub(crate) fn n_blocks(n_dimensions: usize) -> usize {
    n_dimensions.div_ceil(BLOCK)
}

/// One vector: `value = step * code`.
#[derive(Clone)]
pub(crate) struct Codes {
    blocks: [Block; MAX_DIMENSIONS / BLOCK],
    wide: [Wide; MAX_DIMENSIONS / BLOCK],
    n_blocks: usize,
    pub(crate) step: f32,
}

impl Codes {
    /// Rounds the vector; `None` if it is all zero.
    pub(crate) fn new(vector: &[f32]) -> Option<Self> {
        let largest = vector
            .iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
        if largest == 0.0 {
            return None;
        }
        let mut blocks = [[0; BLOCK]; MAX_DIMENSIONS / BLOCK];
        let mut wide = [[0; BLOCK]; MAX_DIMENSIONS / BLOCK];
        let scale = 127.0 / largest;
        let codes = blocks.as_flattened_mut().iter_mut();
        let codes = codes.zip(wide.as_flattened_mut());
        for ((code, wide), value) in codes.zip(vector) {
            // Half away from zero, which `round` does with a call per value where there is no SSE4.
            *code = (value * scale + 0.5_f32.copysign(*value)) as i8;
            *wide = i16::from(*code);
        }
        Some(Self {
            blocks,
            wide,
            n_blocks: n_blocks(vector.len()),
            step: largest / 127.0,
        })
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks[..self.n_blocks]
    }
}

/// Scalar product of stored codes with what is sought; 544 of them fit easily.
pub(crate) fn dot(row: &[Block], codes: &Codes) -> i32 {
    dot_portable(row, &codes.wide)
}

/// The products of all `rows`, of as many blocks each as `codes`, in `out`; as many as `out` has places for.
pub(crate) fn dots_into(rows: &[Block], codes: &Codes, out: &mut [i32]) {
    let query = &codes.wide[..codes.n_blocks];
    simd::run(Dots { rows, query, out });
}

struct Dots<'a> {
    rows: &'a [Block],
    query: &'a [Wide],
    out: &'a mut [i32],
}

impl simd::Kernel for Dots<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // what compiles the body anew for AVX2
    fn run(self) {
        let rows = self.rows.chunks_exact(self.query.len());
        for (place, row) in self.out.iter_mut().zip(rows) {
            *place = dot_portable(row, self.query);
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // what compiles the body anew for AVX2
fn dot_portable(row: &[Block], query: &[Wide]) -> i32 {
    let mut sum = 0;
    for (row, query) in row.iter().zip(query) {
        let products = row.iter().zip(query);
        // Two bytes' product fits 16 bits, two of those 32: what the instruction adds up at once.
        sum += products
            .map(|(a, b)| i32::from(*a) * i32::from(*b))
            .sum::<i32>();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::uniform;

    #[test]
    fn a_vector_comes_back_within_half_a_step() {
        let vector: Vec<f32> = (0..70).map(|i| (i as f32 * 0.7).sin()).collect();
        let codes = Codes::new(&vector).unwrap();
        assert_eq!(codes.blocks().len(), 3);
        let values = codes.blocks().as_flattened();
        for (value, code) in vector.iter().zip(values) {
            assert!((value - codes.step * f32::from(*code)).abs() <= 0.501 * codes.step);
        }
        assert!(values[70..].iter().all(|code| *code == 0));
        assert!(Codes::new(&[0.0; 64]).is_none());
    }

    #[test]
    fn the_product_is_that_of_the_numbers_on_every_machine() {
        use simd::Kernel;

        for n_dimensions in [1, 32, 96, 544] {
            let vector = |seed: u64| -> Vec<f32> {
                let draw = |index| uniform(seed, index) as f32 - 0.5;
                (0..n_dimensions).map(draw).collect()
            };
            let query = Codes::new(&vector(99)).unwrap();
            let stored: Vec<Codes> = (0..9)
                .map(|seed| Codes::new(&vector(seed)).unwrap())
                .collect();
            let rows: Vec<Block> = stored
                .iter()
                .flat_map(|one| one.blocks().to_vec())
                .collect();
            let exact = |row: &Codes| -> i32 {
                let pairs = row.blocks().as_flattened().iter();
                let pairs = pairs.zip(query.blocks().as_flattened());
                pairs.map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
            };
            let exact: Vec<i32> = stored.iter().map(exact).collect();
            let (mut fast, mut portable) = ([0; 9], [0; 9]);
            dots_into(&rows, &query, &mut fast);
            let query = &query.wide[..query.n_blocks];
            let (rows, out) = (&rows, &mut portable);
            Dots { rows, query, out }.run();
            assert_eq!(fast[..], exact);
            assert_eq!(portable[..], exact);
        }
    }
}
