//! The one place of unsafe code. A kernel compiled twice, for AVX2 and for every machine; sums of a table's rows have a
//! road for AVX-512 too.
//!
//! Both are one source without fused multiplication and without reordered sums, so every machine gives the same bits.
//! Beside it: products of bytes, which the compiler widens, packs and widens again where two instructions do; they
//! are integers, the same on every machine anyway. And kinds of bytes, and prefetching, which safe code cannot ask for.

mod rows;
mod table;

pub(crate) use rows::{Block, COLUMNS, Row, blocks, rows, sum_of_chosen, sum_of_floats};
pub(crate) use table::{MOST_ROWS, sum_of_rows};

/// Work whose inner loops the compiler turns into vector instructions.
///
/// Mark `run`, and all that it calls in its loops, `#[inline(always)]`: that is what compiles it anew for AVX2.
pub(crate) trait Kernel {
    /// What the work gives.
    type Output;

    /// Does the work.
    fn run(self) -> Self::Output;
}

/// Runs the kernel with AVX2 where the machine has it, else with what every machine has.
#[inline]
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the body is safe code; its one precondition, that the machine has AVX2, was just checked.
        return unsafe { with_avx2(kernel) };
    }
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

/// Writes the scalar product of a query, widened once, with each row. Values of at most 127 cannot overflow.
#[inline]
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
pub(crate) fn dots<'a, const N: usize>(
    query: &[i16; N],
    rows: impl Iterator<Item = &'a [i8; N]>,
    out: &mut [i32],
) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the one precondition, that the machine has AVX2, was just checked.
        return unsafe { dots_with_avx2(query, rows, out) };
    }
    for (row, out) in rows.zip(out) {
        *out = dot(query, row);
    }
}

#[inline]
fn dot<const N: usize>(query: &[i16; N], row: &[i8; N]) -> i32 {
    let products = query.iter().zip(row);
    products.map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dots_with_avx2<'a, const N: usize>(
    query: &[i16; N],
    rows: impl Iterator<Item = &'a [i8; N]>,
    out: &mut [i32],
) {
    for (row, out) in rows.zip(out) {
        *out = dot_with_avx2(query, row);
    }
}

/// Sixteen products an instruction, in two independent sums.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
#[allow(unsafe_code)]
fn dot_with_avx2<const N: usize>(query: &[i16; N], row: &[i8; N]) -> i32 {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_loadu_si256,
        _mm256_madd_epi16, _mm256_setzero_si256, _mm256_storeu_si256,
    };
    const { assert!(N.is_multiple_of(32)) };
    let mut sums = [_mm256_setzero_si256(); 2];
    for start in (0..N).step_by(32) {
        for (half, sum) in sums.iter_mut().enumerate() {
            let at = start + 16 * half;
            // SAFETY: at + 16 <= N, as N is a multiple of 32: both loads are inside their arrays; any alignment will do.
            let (row, query) = unsafe {
                (
                    _mm_loadu_si128(row.as_ptr().add(at).cast()),
                    _mm256_loadu_si256(query.as_ptr().add(at).cast()),
                )
            };
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(_mm256_cvtepi8_epi16(row), query));
        }
    }
    let mut lanes = [0_i32; 8];
    // SAFETY: eight lanes of 32 bits fill the array.
    unsafe {
        _mm256_storeu_si256(
            lanes.as_mut_ptr().cast(),
            _mm256_add_epi32(sums[0], sums[1]),
        );
    }
    lanes.iter().sum()
}

/// A bit for each of sixteen bytes that lies in `first..=last`, both ASCII, once the bits of `set` are set in it.
#[inline(always)]
#[allow(clippy::inline_always)] // a handful of instructions
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
pub(crate) fn within(chunk: &[u8; 16], set: u8, first: u8, last: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE2 is there on every x86-64.
    unsafe {
        within_with_sse2(chunk, set, first, last)
    }
    #[cfg(not(target_arch = "x86_64"))]
    within_portable(chunk, set, first, last)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
#[allow(unsafe_code)]
fn within_with_sse2(chunk: &[u8; 16], set: u8, first: u8, last: u8) -> u32 {
    use std::arch::x86_64::{
        _mm_and_si128, _mm_cmpgt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };
    let each = |byte: u8| _mm_set1_epi8(i8::from_ne_bytes([byte]));
    // SAFETY: sixteen bytes are read where there are sixteen; any alignment will do.
    let bytes = unsafe { _mm_loadu_si128(chunk.as_ptr().cast()) };
    let bytes = _mm_or_si128(bytes, each(set));
    // Bytes beyond ASCII are negative, and so below all that is asked for.
    let from_first = _mm_cmpgt_epi8(bytes, each(first - 1));
    let to_last = _mm_cmpgt_epi8(each(last + 1), bytes);
    _mm_movemask_epi8(_mm_and_si128(from_first, to_last)) as u32
}

/// A bit for each of sixteen bytes that is not ASCII.
#[inline(always)]
#[allow(clippy::inline_always)]
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
pub(crate) fn beyond_ascii(chunk: &[u8; 16]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_loadu_si128, _mm_movemask_epi8};
        // SAFETY: as above, for both.
        unsafe { _mm_movemask_epi8(_mm_loadu_si128(chunk.as_ptr().cast())) as u32 }
    }
    #[cfg(not(target_arch = "x86_64"))]
    halves(chunk, |eight| eight & HIGH)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
const ONES: u64 = u64::MAX / 255;
#[cfg(any(test, not(target_arch = "x86_64")))]
const HIGH: u64 = ONES * 0x80;

/// The same without vector instructions: no carry crosses a byte, as bit 7 is left out of the sums.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn within_portable(chunk: &[u8; 16], set: u8, first: u8, last: u8) -> u32 {
    halves(chunk, |eight| {
        let eight = eight | (ONES * u64::from(set));
        let low = eight & !HIGH;
        let from_first = low + ONES * (128 - u64::from(first));
        let beyond_last = low + ONES * (127 - u64::from(last));
        from_first & !beyond_last & !eight & HIGH
    })
}

/// Gathers bit 7 of each byte that `kind` gives of each half.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn halves(chunk: &[u8; 16], kind: impl Fn(u64) -> u64) -> u32 {
    let half = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| chunk[at + i]));
    let gathered = |eight: u64| ((eight >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32;
    gathered(kind(half(0))) | gathered(kind(half(8))) << 8
}

/// Asks for all of an item's memory, so that it is on its way while other work is done.
#[inline]
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
pub(crate) fn prefetch<T>(item: &T) {
    #[cfg(target_arch = "x86_64")]
    for offset in (0..size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = std::ptr::from_ref(item).cast::<i8>();
        // SAFETY: the address is inside the item; a prefetch reads nothing, and SSE is there on every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(offset)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = item;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_within_are_the_same_on_every_road() {
        for start in 0..=240_u8 {
            let chunk: [u8; 16] = std::array::from_fn(|i| start + i as u8);
            for (set, first, last) in [
                (0, b'a', b'z'),
                (0x20, b'a', b'z'),
                (0, b'0', b'9'),
                (0, b'_', b'_'),
            ] {
                let one = |byte: &u8| (first..=last).contains(&(byte | set));
                let plain = (0..16)
                    .filter(|i| one(&chunk[*i]))
                    .fold(0, |bits, i| bits | 1 << i);
                assert_eq!(within(&chunk, set, first, last), plain);
                assert_eq!(within_portable(&chunk, set, first, last), plain);
            }
            assert_eq!(beyond_ascii(&chunk), halves(&chunk, |eight| eight & HIGH));
        }
    }

    #[test]
    fn products_of_bytes_are_exact_up_to_the_largest() {
        let row = |seed: u8| -> [i8; 256] {
            std::array::from_fn(|i| ((i as u8).wrapping_mul(seed) & 127).cast_signed() - 64)
        };
        let rows = [
            [127; 256],
            [-127; 256],
            [-128; 256],
            row(37),
            row(91),
            row(201),
        ];
        for query in rows {
            let wide = query.map(i16::from);
            let mut out = [0; 6];
            dots(&wide, rows.iter(), &mut out);
            for (row, out) in rows.iter().zip(out) {
                let plain: i64 = query
                    .iter()
                    .zip(row)
                    .map(|(a, b)| i64::from(*a) * i64::from(*b))
                    .sum();
                assert_eq!(i64::from(out), plain);
                assert_eq!(dot(&wide, row), out);
            }
        }
    }
}
