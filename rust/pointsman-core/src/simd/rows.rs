//! Sums of weighted rows.

/// Bytes as rows of int8; what does not fill a row is left out.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn rows<const N: usize>(bytes: &[u8]) -> &[[i8; N]] {
    const { assert!(N > 0) };
    // SAFETY: `i8` has the size and alignment of `u8`, and every byte is one; the rows lie within the bytes.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / N) }
}

/// Columns of the rows that [`sum_of_chosen`] and [`sum_of_floats`] sum: whole vector registers.
pub(crate) const COLUMNS: usize = 16;

/// A row of weights: one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Row(pub(crate) [f32; COLUMNS]);

/// Rows that are skipped together if all their values are 0.
pub(crate) type Block = [Row; BLOCK];
pub(crate) const BLOCK: usize = 8;

/// Rows as blocks, the last filled up with zeros.
pub(crate) fn blocks(rows: &[Row]) -> Vec<Block> {
    let none = Row([0.0; COLUMNS]);
    let block = |rows: &[Row]| std::array::from_fn(|i| rows.get(i).copied().unwrap_or(none));
    rows.chunks(BLOCK).map(block).collect()
}

/// Sums of floats side by side, none of which waits for another.
const N_SUMS: usize = 4;

/// The sum of rows, each multiplied by its value; the same bits on every road. Rows beyond the values are left out.
#[inline]
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
pub(crate) fn sum_of_floats(values: &[f32], blocks: &[Block]) -> [f32; COLUMNS] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the one precondition, that the machine has AVX2, was just checked.
        return unsafe { sum_of_floats_with_avx2(values, blocks) };
    }
    sum_of_floats_portable(values, blocks)
}

fn sum_of_floats_portable(values: &[f32], blocks: &[Block]) -> [f32; COLUMNS] {
    let mut sums = [[0.0; COLUMNS]; N_SUMS];
    for (values, rows) in values.chunks(BLOCK).zip(blocks) {
        if values.iter().all(|value| *value == 0.0) {
            continue;
        }
        for (i, (value, row)) in values.iter().zip(rows).enumerate() {
            for (sum, weight) in sums[i % N_SUMS].iter_mut().zip(row.0) {
                *sum += value * weight;
            }
        }
    }
    std::array::from_fn(|k| (sums[0][k] + sums[1][k]) + (sums[2][k] + sums[3][k]))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn sum_of_floats_with_avx2(values: &[f32], blocks: &[Block]) -> [f32; COLUMNS] {
    use std::arch::x86_64::{
        _CMP_NEQ_UQ, _mm256_add_ps, _mm256_cmp_ps, _mm256_loadu_ps, _mm256_movemask_ps,
        _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    let zero = _mm256_setzero_ps();
    let mut sums = [[zero; 2]; N_SUMS];
    for (values, rows) in values.chunks(BLOCK).zip(blocks) {
        let values: [f32; BLOCK] = match values.try_into() {
            Ok(whole) => whole,
            Err(_) => std::array::from_fn(|i| values.get(i).copied().unwrap_or(0.0)),
        };
        // SAFETY: eight values are read where there are eight; any alignment will do.
        let any = unsafe { _mm256_cmp_ps::<_CMP_NEQ_UQ>(_mm256_loadu_ps(values.as_ptr()), zero) };
        if _mm256_movemask_ps(any) == 0 {
            continue;
        }
        for i in 0..BLOCK {
            let value = _mm256_set1_ps(values[i]);
            for (half, sum) in sums[i % N_SUMS].iter_mut().enumerate() {
                // SAFETY: both halves of a row have eight places.
                let weights = unsafe { _mm256_loadu_ps(rows[i].0.as_ptr().add(8 * half)) };
                *sum = _mm256_add_ps(*sum, _mm256_mul_ps(value, weights));
            }
        }
    }
    let mut out = [0.0; COLUMNS];
    for half in 0..2 {
        let [a, b, c, d] = sums.map(|sum| sum[half]);
        let sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
        // SAFETY: eight lanes fill each half of the array; any alignment will do.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr().add(8 * half), sum) };
    }
    out
}

/// The sum of the rows at some places, each multiplied by the factor at the same index; of 2^16 it cannot overflow.
#[inline]
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
pub(crate) fn sum_of_chosen(
    rows: &[[i8; COLUMNS]; 1 << 16],
    places: &[u16],
    factors: &[u8],
) -> [i32; COLUMNS] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the one precondition, that the machine has AVX2, was just checked.
        return unsafe { sum_of_chosen_with_avx2(rows, places, factors) };
    }
    sum_of_chosen_portable(rows, places, factors)
}

fn sum_of_chosen_portable(
    rows: &[[i8; COLUMNS]; 1 << 16],
    places: &[u16],
    factors: &[u8],
) -> [i32; COLUMNS] {
    let mut sums = [0; COLUMNS];
    for (place, factor) in places.iter().zip(factors) {
        for (sum, value) in sums.iter_mut().zip(rows[usize::from(*place)]) {
            *sum += i32::from(value) * i32::from(*factor);
        }
    }
    sums
}

/// Two rows at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn sum_of_chosen_with_avx2(
    rows: &[[i8; COLUMNS]; 1 << 16],
    places: &[u16],
    factors: &[u8],
) -> [i32; COLUMNS] {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm_set1_epi16, _mm256_add_epi32, _mm256_cvtepi8_epi16,
        _mm256_cvtepu8_epi16, _mm256_madd_epi16, _mm256_permute2x128_si256, _mm256_setzero_si256,
        _mm256_storeu_si256, _mm256_unpackhi_epi16, _mm256_unpacklo_epi16,
    };
    // SAFETY: sixteen bytes are read where there are sixteen; any alignment will do.
    let row = |place: u16| unsafe {
        _mm256_cvtepi8_epi16(_mm_loadu_si128(rows[usize::from(place)].as_ptr().cast()))
    };
    let [mut low, mut high] = [_mm256_setzero_si256(); 2];
    let (place_pairs, factor_pairs) = (places.chunks_exact(2), factors.chunks_exact(2));
    let last = place_pairs.remainder().iter().zip(factor_pairs.remainder());
    for (places, factors) in place_pairs.zip(factor_pairs) {
        let [a, b] = [row(places[0]), row(places[1])];
        let factors = _mm_set1_epi16(i16::from_le_bytes([factors[0], factors[1]]));
        let factors = _mm256_cvtepu8_epi16(factors);
        let first = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), factors);
        let second = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), factors);
        low = _mm256_add_epi32(low, first);
        high = _mm256_add_epi32(high, second);
    }
    let mut sums = [0_i32; COLUMNS];
    // Unpacking interleaves within halves, as above.
    // SAFETY: eight lanes of 32 bits fill each half of the array; any alignment will do.
    unsafe {
        let [first, second] = [
            _mm256_permute2x128_si256(low, high, 0x20),
            _mm256_permute2x128_si256(low, high, 0x31),
        ];
        _mm256_storeu_si256(sums.as_mut_ptr().cast(), first);
        _mm256_storeu_si256(sums.as_mut_ptr().add(8).cast(), second);
    }
    for (place, factor) in last {
        for (sum, value) in sums.iter_mut().zip(rows[usize::from(*place)]) {
            *sum += i32::from(value) * i32::from(*factor);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_chosen_rows_are_the_same_on_every_road() {
        let value = |i: usize| (i.wrapping_mul(0x9e37_79b9) >> 8) as u8;
        let rows: Vec<[i8; COLUMNS]> = (0..1 << 16)
            .map(|i| std::array::from_fn(|k| value(16 * i + k).cast_signed()))
            .collect();
        let rows = rows.first_chunk().unwrap();
        let places: Vec<u16> = (0..401_u16).map(|i| i.wrapping_mul(40_503)).collect();
        let factors: Vec<u8> = (0..401).map(|i| value(i * 7)).collect();
        for n in [0, 1, 2, 7, 400, 401] {
            let (places, factors) = (&places[..n], &factors[..n]);
            assert_eq!(
                sum_of_chosen(rows, places, factors),
                sum_of_chosen_portable(rows, places, factors)
            );
        }
        let (places, factors) = (&vec![9; 1 << 16], &vec![255; 1 << 16]);
        let sums = sum_of_chosen(rows, places, factors);
        let plain = rows[9].map(|value| i32::from(value) * (255 << 16));
        assert_eq!(sums, plain, "no overflow");
    }

    #[test]
    fn blocks_are_filled_up_with_zeros() {
        let rows: Vec<Row> = (1..=11_u8).map(|i| Row([f32::from(i); COLUMNS])).collect();
        let blocks = blocks(&rows);
        let firsts: Vec<f32> = blocks.iter().flatten().map(|row| row.0[0]).collect();
        let expected = (1..=16_u8).map(|i| f32::from(i) * f32::from(u8::from(i <= 11)));
        assert_eq!(firsts, expected.collect::<Vec<_>>());
        assert!(super::blocks(&[]).is_empty());
    }

    #[test]
    fn sums_of_floats_are_the_same_bits_on_every_road() {
        let value = |i: usize| (i.wrapping_mul(0x9e37_79b9) % 1000) as f32 / 700.0 - 0.7;
        let row = |i: usize| Row(std::array::from_fn(|k| value(16 * i + k)));
        let blocks: Vec<Block> = (0..6)
            .map(|block| std::array::from_fn(|i| row(8 * block + i)))
            .collect();
        let values = |i: usize| if i % 24 < 9 { 0.0 } else { value(i) };
        let values: Vec<f32> = (0..43).map(values).collect();
        for n in [0, 1, 8, 24, 43] {
            let values = &values[..n];
            let bits = |row: [f32; COLUMNS]| row.map(f32::to_bits);
            let portable = sum_of_floats_portable(values, &blocks);
            assert_eq!(bits(sum_of_floats(values, &blocks)), bits(portable));
            let rows = blocks.iter().flatten();
            let plain = values.iter().zip(rows).map(|(x, row)| x * row.0[3]);
            assert!((portable[3] - plain.sum::<f32>()).abs() < 1e-4);
        }
    }
}
