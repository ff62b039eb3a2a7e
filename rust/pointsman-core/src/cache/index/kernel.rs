//! Scalar products of 8-bit codes: what a search spends its time on.

use super::{Code, DIM};
use crate::simd;

/// The numbers of a code, widened once for many products.
pub(crate) type Wide = [i16; DIM];

/// Writes the scalar product of the query with every code; `out` is as long as `codes`.
///
/// Integers, so every machine gives the same sums.
#[inline]
pub(crate) fn dots<'a>(query: &Wide, codes: impl Iterator<Item = &'a Code>, out: &mut [i32]) {
    simd::dots(query, codes.map(|code| &code.values), out);
}
