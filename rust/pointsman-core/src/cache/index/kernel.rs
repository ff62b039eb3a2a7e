//! Scalar products of 8-bit codes: what a search spends its time on.

use super::{Code, DIM};
use crate::simd;

/// The numbers of a code, widened once for many products.
pub(crate) type Wide = [i16; DIM];

/// Writes the scalar product of the query with every code; `out` is as long as `codes`.
///
/// Integers, so every machine gives the same sums.
#[inline]
pub(crate) fn dots(query: &Wide, codes: &[&Code], out: &mut [i32]) {
    simd::run(Dots { query, codes, out });
}

/// [`dots`] for codes that lie side by side.
#[inline]
pub(crate) fn dots_of_rows(query: &Wide, codes: &[Code], out: &mut [i32]) {
    simd::run(DotsOfRows { query, codes, out });
}

struct Dots<'a> {
    query: &'a Wide,
    codes: &'a [&'a Code],
    out: &'a mut [i32],
}

struct DotsOfRows<'a> {
    query: &'a Wide,
    codes: &'a [Code],
    out: &'a mut [i32],
}

impl simd::Kernel for Dots<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // what compiles the body anew for AVX2
    fn run(self) {
        for (code, out) in self.codes.iter().zip(self.out) {
            *out = dot(self.query, &code.values);
        }
    }
}

impl simd::Kernel for DotsOfRows<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn run(self) {
        for (code, out) in self.codes.iter().zip(self.out) {
            *out = dot(self.query, &code.values);
        }
    }
}

/// 256 products of at most 127 x 127 fit an `i32` easily. The lanes compile to packed multiply-and-add.
#[inline(always)]
#[allow(clippy::inline_always)]
#[allow(clippy::needless_range_loop)] // three arrays in step read best by index
fn dot(query: &Wide, values: &[i8; DIM]) -> i32 {
    const LANES: usize = 16;
    let mut sums = [0_i32; LANES];
    for start in (0..DIM).step_by(LANES) {
        for lane in 0..LANES {
            let at = start + lane;
            sums[lane] += i32::from(query[at]) * i32::from(values[at]);
        }
    }
    sums.iter().sum()
}
