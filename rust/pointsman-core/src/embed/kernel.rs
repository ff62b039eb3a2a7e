//! The sum over rows: what an embedding spends half its time on.

use super::DIM;
use crate::simd;

/// Stands in for a row out of range, which a checked vocabulary cannot ask for.
const ZERO: &[u8; DIM] = &[0; DIM];

/// Rows of int8 with a scale each: `row = values * scale`.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// The values, [`DIM`] a row.
    pub(super) values: &'a [u8],
    /// One a row.
    pub(super) scales: &'a [f32],
}

impl Rows<'_> {
    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn row(&self, id: u32) -> (&[u8; DIM], f32) {
        let id = id as usize;
        let row = self.values.get(id * DIM..).and_then(<[u8]>::first_chunk);
        (
            row.unwrap_or(ZERO),
            self.scales.get(id).copied().unwrap_or(0.0),
        )
    }
}

/// Adds the rows of `ids` to `sum`.
///
/// With AVX2 where the machine has it: 2.7 times the speed of the SSE2 that x86-64 wheels are built for.
pub(super) fn add_rows(rows: Rows<'_>, ids: &[u32], sum: &mut [f32; DIM]) {
    simd::run(AddRows { rows, ids, sum });
}

struct AddRows<'a> {
    rows: Rows<'a>,
    ids: &'a [u32],
    sum: &'a mut [f32; DIM],
}

impl simd::Kernel for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // what compiles the body anew for AVX2
    fn run(self) {
        add_rows_portable(self.rows, self.ids, self.sum);
    }
}

/// Eight rows at a time, added by fours: the sum is loaded and stored once for eight.
#[inline(always)]
#[allow(clippy::inline_always)] // what compiles the body anew for AVX2
fn add_rows_portable(rows: Rows<'_>, ids: &[u32], sum: &mut [f32; DIM]) {
    let eights = ids.chunks_exact(8);
    let fours = eights.remainder().chunks_exact(4);
    let rest = fours.remainder();
    let four = |ids: &[u32], at: usize| [0, 1, 2, 3].map(|i| rows.row(ids[at + i]));
    for ids in eights {
        let (first, second) = (four(ids, 0), four(ids, 4));
        for (i, sum) in sum.iter_mut().enumerate() {
            *sum = *sum + of_four(&first, i) + of_four(&second, i);
        }
    }
    for ids in fours {
        let four = four(ids, 0);
        for (i, sum) in sum.iter_mut().enumerate() {
            *sum += of_four(&four, i);
        }
    }
    for id in rest {
        let (row, scale) = rows.row(*id);
        for (sum, byte) in sum.iter_mut().zip(row) {
            *sum += value(*byte) * scale;
        }
    }
}

/// The sum of four rows at a place, two and two.
#[inline(always)]
#[allow(clippy::inline_always)]
fn of_four([a, b, c, d]: &[(&[u8; DIM], f32); 4], at: usize) -> f32 {
    let left = value(a.0[at]) * a.1 + value(b.0[at]) * b.1;
    let right = value(c.0[at]) * c.1 + value(d.0[at]) * d.1;
    left + right
}

/// The int8 in a byte, as a float.
#[inline(always)]
#[allow(clippy::inline_always)]
fn value(byte: u8) -> f32 {
    f32::from(i8::from_ne_bytes([byte]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_road_gives_the_same_bits_and_the_right_sum() {
        let values: Vec<u8> = (0..50 * DIM as u32)
            .map(|i| ((i.wrapping_mul(i).wrapping_mul(31)) >> 3) as u8)
            .collect();
        let scales: Vec<f32> = (1..=50).map(|i| 1.0 / i as f32).collect();
        let rows = Rows {
            values: &values,
            scales: &scales,
        };
        let ids: Vec<u32> = (0..203).map(|i| i * 7 % 50).collect();
        let (mut fast, mut portable) = ([0.5; DIM], [0.5; DIM]);
        add_rows(rows, &ids, &mut fast);
        add_rows_portable(rows, &ids, &mut portable);
        assert!(
            fast.iter()
                .zip(&portable)
                .all(|(a, b)| a.to_bits() == b.to_bits())
        );
        for (i, sum) in fast.iter().enumerate() {
            let exact: f64 = ids
                .iter()
                .map(|id| *id as usize)
                .map(|id| f64::from(value(values[id * DIM + i])) * f64::from(scales[id]))
                .sum();
            assert!(
                (f64::from(*sum) - 0.5 - exact).abs() < 1e-2,
                "{sum} {exact}"
            );
        }
    }

    #[test]
    fn an_id_out_of_range_adds_nothing() {
        let mut sum = [0.0; DIM];
        add_rows(
            Rows {
                values: &[1; DIM],
                scales: &[1.0],
            },
            &[1, u32::MAX, 7, 9, 2],
            &mut sum,
        );
        assert!(sum.iter().all(|x| *x == 0.0));
    }
}
