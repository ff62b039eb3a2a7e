//! The sum over chosen rows of a table, each multiplied by its factor; in integers, so the same on every machine.

use super::prefetch;

/// Rows summed at most: their products cannot overflow 32 bits.
pub(crate) const MOST_ROWS: usize = 512;

/// Rows that are on their way while those before are added.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 24;

/// Rows, and of each a factor in `[0, 2^14]`. One out of range is all zeros.
#[derive(Clone, Copy)]
struct Table<'a, const N: usize> {
    rows: &'a [[i8; N]],
    factors: &'a [i16],
}

impl<const N: usize> Table<'_, N> {
    #[inline(always)]
    #[allow(clippy::inline_always)] // compiled anew for each machine
    fn get(&self, id: Option<&u32>) -> (&[i8; N], i16) {
        let id = id.map_or(usize::MAX, |id| *id as usize);
        match (self.rows.get(id), self.factors.get(id)) {
            (Some(row), Some(factor)) => (row, *factor),
            _ => (const { &[0; N] }, 0),
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)]
    #[cfg(target_arch = "x86_64")]
    fn prefetch(&self, ids: &[u32]) {
        for id in ids {
            if let Some(row) = self.rows.get(*id as usize) {
                prefetch(row);
            }
        }
    }
}

/// The sum of at most [`MOST_ROWS`] rows of `ids`, each multiplied by its factor in `[0, 2^14]`.
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
pub(crate) fn sum_of_rows<const N: usize>(
    rows: &[[i8; N]],
    factors: &[i16],
    ids: &[u32],
) -> [i32; N] {
    debug_assert!(ids.len() <= MOST_ROWS);
    let table = Table { rows, factors };
    #[cfg(target_arch = "x86_64")]
    {
        if has_avx512() {
            // SAFETY: the one precondition, that the machine has AVX-512 F, BW and VNNI, was just checked.
            return unsafe { with_avx512(table, ids) };
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: likewise, AVX2.
            return unsafe { with_avx2(table, ids) };
        }
    }
    portable(table, ids)
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vnni")
}

fn portable<const N: usize>(table: Table<'_, N>, ids: &[u32]) -> [i32; N] {
    let mut sums = [0; N];
    for id in ids {
        let (row, factor) = table.get(Some(id));
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += i32::from(*value) * i32::from(factor);
        }
    }
    sums
}

/// Sums of 64 places, in the order that [`add_four`] leaves them in; of each the high part of the factors, and the low.
#[cfg(target_arch = "x86_64")]
type Sums = [[std::arch::x86_64::__m512i; 2]; 4];

/// Four rows at a time, half of their places after the other: all sums stay in registers.
///
/// An instruction multiplies four bytes by four of seven bits and adds them up, so factors come in two parts.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn with_avx512<const N: usize>(table: Table<'_, N>, ids: &[u32]) -> [i32; N] {
    use std::arch::x86_64::{_mm512_set1_epi32, _mm512_setzero_si512};
    const { assert!(N.is_multiple_of(128)) };
    let mut out = [0; N];
    for start in (0..N).step_by(128) {
        let (mut first, mut second): (Sums, Sums) = (
            [[_mm512_setzero_si512(); 2]; 4],
            [[_mm512_setzero_si512(); 2]; 4],
        );
        for (i, four) in ids.chunks(4).enumerate() {
            if start == 0 {
                let ahead = (4 * i + AHEAD).min(ids.len());
                table.prefetch(&ids[ahead..(ahead + 4).min(ids.len())]);
            }
            let (a, by_a) = table.get(four.first());
            let (b, by_b) = table.get(four.get(1));
            let (c, by_c) = table.get(four.get(2));
            let (d, by_d) = table.get(four.get(3));
            let by = [by_a, by_b, by_c, by_d];
            let factors = [
                _mm512_set1_epi32(i32::from_le_bytes(by.map(|by| (by >> 7) as u8))),
                _mm512_set1_epi32(i32::from_le_bytes(by.map(|by| (by & 127) as u8))),
            ];
            add_four(&mut first, [a, b, c, d], start, factors);
            add_four(&mut second, [a, b, c, d], start + 64, factors);
        }
        write(&first, &mut out[start..start + 64]);
        write(&second, &mut out[start + 64..start + 128]);
    }
    out
}

/// Adds 64 places of four rows from `at` on, each multiplied by its factor.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
#[allow(unsafe_code)]
fn add_four<const N: usize>(
    sums: &mut Sums,
    rows: [&[i8; N]; 4],
    at: usize,
    factors: [std::arch::x86_64::__m512i; 2],
) {
    use std::arch::x86_64::{
        _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_unpackhi_epi8, _mm512_unpackhi_epi16,
        _mm512_unpacklo_epi8, _mm512_unpacklo_epi16,
    };
    assert!(at + 64 <= N);
    // SAFETY: 64 bytes from `at` on lie in the row; any alignment will do.
    let [a, b, c, d] = rows.map(|row| unsafe { _mm512_loadu_si512(row.as_ptr().add(at).cast()) });
    let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
    let (ab_high, cd_high) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
    let fours = [
        _mm512_unpacklo_epi16(ab, cd),
        _mm512_unpackhi_epi16(ab, cd),
        _mm512_unpacklo_epi16(ab_high, cd_high),
        _mm512_unpackhi_epi16(ab_high, cd_high),
    ];
    for (sums, four) in sums.iter_mut().zip(fours) {
        for (sum, factors) in sums.iter_mut().zip(factors) {
            *sum = _mm512_dpbusd_epi32(*sum, factors, four);
        }
    }
}

/// Writes the sums in the order of their places: unpacking interleaves within quarters, and of each sixteen places the
/// first sums have the first four.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
#[allow(unsafe_code)]
fn write(sums: &Sums, out: &mut [i32]) {
    use std::arch::x86_64::{_mm512_add_epi32, _mm512_slli_epi32, _mm512_storeu_si512};
    for (j, [high, low]) in sums.iter().enumerate() {
        let mut lanes = [0; 16];
        let sum = _mm512_add_epi32(_mm512_slli_epi32::<7>(*high), *low);
        // SAFETY: sixteen lanes fill the array; any alignment will do.
        unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), sum) };
        for (sixteen, lanes) in out.chunks_exact_mut(16).zip(lanes.chunks_exact(4)) {
            sixteen[4 * j..4 * j + 4].copy_from_slice(lanes);
        }
    }
}

/// The factors of two rows in one lane.
#[cfg(target_arch = "x86_64")]
fn both(a: i16, b: i16) -> i32 {
    i32::from(a) & 0xffff | i32::from(b) << 16
}

/// Batch by batch, 64 places of all its rows before the next 64: sums stay in registers, a row's line is read once.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn with_avx2<const N: usize>(table: Table<'_, N>, ids: &[u32]) -> [i32; N] {
    const BATCH: usize = 64;
    let mut out = [0; N];
    for (i, batch) in ids.chunks(BATCH).enumerate() {
        if i == 0 {
            table.prefetch(batch);
        }
        let ahead = ids.chunks(BATCH).nth(i + 1);
        table.prefetch(ahead.unwrap_or_default());
        let mut chosen = [(const { &[0; N] }, 0); BATCH];
        for (place, id) in chosen.iter_mut().zip(batch) {
            *place = table.get(Some(id));
        }
        // An odd one is paired with the zeros behind it.
        add_with_avx2(&chosen[..batch.len().next_multiple_of(2)], &mut out);
    }
    out
}

/// Two rows at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
#[allow(unsafe_code)]
fn add_with_avx2<const N: usize>(rows: &[(&[i8; N], i16)], out: &mut [i32; N]) {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_loadu_si256,
        _mm256_madd_epi16, _mm256_permute2x128_si256, _mm256_set1_epi32, _mm256_setzero_si256,
        _mm256_storeu_si256, _mm256_unpackhi_epi16, _mm256_unpacklo_epi16,
    };
    const PLACES: usize = 64;
    const { assert!(N.is_multiple_of(PLACES)) };
    for start in (0..N).step_by(PLACES) {
        let mut sums = [[_mm256_setzero_si256(); 2]; PLACES / 16];
        for pair in rows.chunks_exact(2) {
            let [(a, by_a), (b, by_b)] = [pair[0], pair[1]];
            let factors = _mm256_set1_epi32(both(by_a, by_b));
            for (part, [low, high]) in sums.iter_mut().enumerate() {
                let at = start + 16 * part;
                // SAFETY: at + 16 <= N, as N is a multiple of 64; any alignment will do.
                let load = |row: &[i8; N]| unsafe {
                    _mm256_cvtepi8_epi16(_mm_loadu_si128(row.as_ptr().add(at).cast()))
                };
                let (a, b) = (load(a), load(b));
                let first = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), factors);
                let second = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), factors);
                *low = _mm256_add_epi32(*low, first);
                *high = _mm256_add_epi32(*high, second);
            }
        }
        for (part, [low, high]) in sums.into_iter().enumerate() {
            // Unpacking interleaves within halves: places 0-3 and 8-11 are in one sum, 4-7 and 12-15 in the other.
            let halves = [
                _mm256_permute2x128_si256(low, high, 0x20),
                _mm256_permute2x128_si256(low, high, 0x31),
            ];
            for (half, lanes) in halves.into_iter().enumerate() {
                let at = start + 16 * part + 8 * half;
                // SAFETY: at + 8 <= N; any alignment will do.
                unsafe {
                    let place = out.as_mut_ptr().add(at).cast();
                    _mm256_storeu_si256(place, _mm256_add_epi32(lanes, _mm256_loadu_si256(place)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On each road that this machine has.
    #[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
    fn sums<const N: usize>(table: Table<'_, N>, ids: &[u32]) -> Vec<[i32; N]> {
        let mut sums = vec![
            sum_of_rows(table.rows, table.factors, ids),
            portable(table, ids),
        ];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: it was just checked.
            sums.push(unsafe { with_avx2(table, ids) });
        }
        sums
    }

    #[test]
    fn sums_are_the_same_on_every_road() {
        let row = |seed: u8| -> [i8; 256] {
            std::array::from_fn(|i| (i as u8).wrapping_mul(seed).cast_signed())
        };
        let rows: Vec<[i8; 256]> = (0..64).map(|i| row(i * 3 + 1)).collect();
        let factors: Vec<i16> = (0..64).map(|i| (1 << 14) - 7 * i).collect();
        let table = Table {
            rows: &rows,
            factors: &factors,
        };
        for n in [0, 1, 2, 5, 64, 511, 512] {
            // Of every tenth there is no row.
            let ids: Vec<u32> = (0..n).map(|i| i * 37 % 70).collect();
            let sums = sums(table, &ids);
            assert!(sums.iter().all(|sum| *sum == sums[0]));
            let plain = ids
                .iter()
                .filter(|id| **id < 64)
                .map(|id| i32::from(rows[*id as usize][200]) * i32::from(factors[*id as usize]));
            assert_eq!(sums[0][200], plain.sum::<i32>());
        }
    }

    #[test]
    fn the_largest_values_do_not_overflow() {
        for extreme in [127, -128] {
            let table = Table {
                rows: &[[extreme; 256]],
                factors: &[1 << 14],
            };
            let exact = i32::from(extreme) * (1 << 14) * 512;
            for sum in sums(table, &[0; MOST_ROWS]) {
                assert!(sum.iter().all(|x| *x == exact));
            }
        }
    }
}
