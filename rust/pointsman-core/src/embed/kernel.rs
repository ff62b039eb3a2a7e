//! The sum over rows: what an embedding spends half its time on.
//!
//! In integers, so that every machine gives the same bits whatever order it adds in.

use super::DIM;
use crate::simd;

/// Rows added before the sum is taken over in floats: their products cannot overflow 32 bits.
pub(super) const BATCH: usize = 64;

/// Stands in for a row out of range, which a checked vocabulary cannot ask for.
const ZERO: &[i8; DIM] = &[0; DIM];

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
    fn row(&self, id: u32) -> (&[i8; DIM], i16) {
        let id = id as usize;
        (
            self.values.get(id).unwrap_or(ZERO),
            self.steps.get(id).copied().unwrap_or(0),
        )
    }

    /// Asks for a row that will be added soon.
    #[inline]
    pub(super) fn prefetch(&self, id: u32) {
        if let Some(row) = self.values.get(id as usize) {
            simd::prefetch(row);
        }
    }
}

/// Adds the rows of at most [`BATCH`] ids to `sum`.
pub(super) fn add_rows(rows: Rows<'_>, ids: &[u32], sum: &mut [f32; DIM]) {
    let mut chosen = [(ZERO, 0); BATCH];
    let n = ids.len().min(BATCH);
    for (place, id) in chosen.iter_mut().zip(ids) {
        *place = rows.row(*id);
    }
    // An odd one is paired with the zeros behind it.
    let products = simd::sum_of_rows(&chosen[..n.next_multiple_of(2)]);
    for (sum, product) in sum.iter_mut().zip(products) {
        *sum += product as f32 * rows.unit;
    }
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
        for n in [0, 1, 2, 7, 63, 64] {
            let ids: Vec<u32> = (0..n).map(|i| i * 7 % 50).collect();
            let mut sum = [0.5; DIM];
            add_rows(rows, &ids, &mut sum);
            for (i, sum) in sum.iter().enumerate() {
                let product =
                    |id: &u32| i32::from(values[*id as usize][i]) * i32::from(steps[*id as usize]);
                let exact: i32 = ids.iter().map(product).sum();
                assert_eq!(*sum, 0.5 + exact as f32 * 0.25);
            }
        }
    }

    #[test]
    fn the_largest_values_do_not_overflow() {
        for extreme in [127, -128] {
            let rows = Rows {
                values: &[[extreme; DIM]],
                steps: &[MOST_STEPS],
                unit: 1.0,
            };
            let mut sum = [0.0; DIM];
            add_rows(rows, &[0; BATCH], &mut sum);
            let exact = f32::from(extreme) * f32::from(MOST_STEPS) * BATCH as f32;
            assert!(sum.iter().all(|x| *x == exact));
        }
    }

    #[test]
    fn an_id_out_of_range_adds_nothing() {
        let rows = Rows {
            values: &[[1; DIM]],
            steps: &[1],
            unit: 1.0,
        };
        let mut sum = [0.0; DIM];
        add_rows(rows, &[1, u32::MAX, 7, 9, 2], &mut sum);
        assert!(sum.iter().all(|x| *x == 0.0));
    }
}
