//! The sum over rows: what an embedding spends half its time on.
//!
//! In integers, so that every machine gives the same bits whatever order it adds in.

use super::DIM;
use crate::simd;
pub(super) use crate::simd::MOST_ROWS;

/// Rows of int8, each with a number of steps it is to be multiplied by.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// The values, [`DIM`] a row.
    pub(super) values: &'a [[i8; DIM]],
    /// One a row, in `[0, MOST_STEPS]`.
    pub(super) steps: &'a [i16],
    /// What a step is worth.
    pub(super) unit: f32,
}

/// Steps of the row with the largest scale.
pub(super) const MOST_STEPS: i16 = 1 << 14;

impl Rows<'_> {
    /// Asks for a row that will be added soon.
    #[inline]
    pub(super) fn prefetch(&self, id: u32) {
        if let Some(row) = self.values.get(id as usize) {
            simd::prefetch(row);
        }
    }

    /// Adds the rows of at most [`MOST_ROWS`] ids to `sum`; an id out of range, which a checked vocabulary cannot ask
    /// for, adds nothing.
    pub(super) fn add(&self, ids: &[u32], sum: &mut [f32; DIM]) {
        let products = simd::sum_of_rows(self.values, self.steps, ids);
        for (sum, product) in sum.iter_mut().zip(products) {
            *sum += product as f32 * self.unit;
        }
    }
}

/// The sum of squares, in sixteen sums of their own: one after the other, each would wait for the one before.
pub(super) fn squared_norm(vector: &[f32; DIM]) -> f32 {
    let mut sums = [0.0; 16];
    for part in vector.chunks_exact(16) {
        for (sum, x) in sums.iter_mut().zip(part) {
            *sum += x * x;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> (Vec<[i8; DIM]>, Vec<i16>) {
        let value = |i: usize| ((i.wrapping_mul(i).wrapping_mul(31) >> 3) as u8).cast_signed();
        let row = |at: usize| std::array::from_fn(|i| value(at * DIM + i));
        let steps = (1..=50).map(|i| MOST_STEPS / i).collect();
        ((0..50).map(row).collect(), steps)
    }

    #[test]
    fn the_sum_is_that_of_the_products() {
        let (values, steps) = rows();
        let rows = Rows {
            values: &values,
            steps: &steps,
            unit: 0.25,
        };
        for n in [0, 1, 2, 7, 63, 64, 512] {
            let ids: Vec<u32> = (0..n).map(|i| i * 7 % 50).collect();
            let mut sum = [0.5; DIM];
            rows.add(&ids, &mut sum);
            for (i, sum) in sum.iter().enumerate() {
                let product =
                    |id: &u32| i32::from(values[*id as usize][i]) * i32::from(steps[*id as usize]);
                let exact: i32 = ids.iter().map(product).sum();
                assert_eq!(*sum, 0.5 + exact as f32 * 0.25);
            }
        }
    }

    #[test]
    fn the_squares_add_up() {
        let vector = std::array::from_fn(|i| i as f32);
        assert_eq!(squared_norm(&vector), (255 * 256 * 511 / 6) as f32);
    }

    #[test]
    fn an_id_out_of_range_adds_nothing() {
        let rows = Rows {
            values: &[[1; DIM]],
            steps: &[1],
            unit: 1.0,
        };
        let mut sum = [0.0; DIM];
        rows.add(&[1, u32::MAX, 7, 9, 2], &mut sum);
        assert!(sum.iter().all(|x| *x == 0.0));
    }
}
