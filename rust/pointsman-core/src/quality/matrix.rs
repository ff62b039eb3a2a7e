//! The three dense kernels of the ridge, on row-major squares.

use crate::simd;

/// Independent sums, so that the compiler may use vector registers without reordering a sum.
const LANES: usize = 8;

/// Scalar product.
#[inline(always)]
#[allow(clippy::inline_always)] // what compiles it anew for AVX2 in `quadratic`
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (heads, tails) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = heads
        .remainder()
        .iter()
        .zip(tails.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in heads.zip(tails) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `vector' square vector` of a symmetric square, of which the lower half is read.
pub(crate) fn quadratic(square: &[f64], vector: &[f64]) -> f64 {
    simd::run(Quadratic { square, vector })
}

struct Quadratic<'a> {
    square: &'a [f64],
    vector: &'a [f64],
}

impl simd::Kernel for Quadratic<'_> {
    type Output = f64;

    #[inline(always)]
    #[allow(clippy::inline_always)] // what compiles the body anew for AVX2
    fn run(self) -> f64 {
        let rows = self.square.chunks_exact(self.vector.len()).zip(self.vector);
        let mut sum = 0.0;
        for (index, (row, x)) in rows.enumerate() {
            let below = dot(&row[..index], &self.vector[..index]);
            sum += x * (2.0 * below + row[index] * x);
        }
        sum
    }
}

/// `out = square * vector`.
pub(crate) fn mul_into(square: &[f64], vector: &[f64], out: &mut [f64]) {
    let rows = square.chunks_exact(vector.len());
    for (place, row) in out.iter_mut().zip(rows) {
        *place = dot(row, vector);
    }
}

/// Inverts a symmetric positive definite matrix in place; `false`, with the matrix spoilt, if it is not one.
pub(crate) fn invert_spd(square: &mut [f64], n: usize) -> bool {
    if !factor(square, n) {
        return false;
    }
    let mut column = vec![0.0; n];
    let mut inverse = vec![0.0; n * n];
    for index in 0..n {
        column.fill(0.0);
        column[index] = 1.0;
        solve(square, n, &mut column);
        for (row, value) in column.iter().enumerate() {
            inverse[row * n + index] = *value;
        }
    }
    for row in 0..n {
        for other in 0..n {
            square[row * n + other] =
                f64::midpoint(inverse[row * n + other], inverse[other * n + row]);
        }
    }
    true
}

/// Cholesky: the lower triangle becomes `L` with `L L' = A`.
fn factor(square: &mut [f64], n: usize) -> bool {
    for row in 0..n {
        for other in 0..=row {
            let (head, tail) = square.split_at(row * n);
            let left = &tail[..other];
            let right = if other == row {
                left
            } else {
                &head[other * n..][..other]
            };
            let rest = tail[other] - dot(left, right);
            let value = if other < row {
                rest / head[other * n + other]
            } else if rest > 0.0 {
                rest.sqrt()
            } else {
                return false;
            };
            square[row * n + other] = value;
        }
    }
    true
}

/// Solves `L L' x = b` in place.
fn solve(factor: &[f64], n: usize, b: &mut [f64]) {
    for row in 0..n {
        let known = dot(&factor[row * n..][..row], &b[..row]);
        b[row] = (b[row] - known) / factor[row * n + row];
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n)
            .map(|below| factor[below * n + row] * b[below])
            .sum();
        b[row] = (b[row] - known) / factor[row * n + row];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_times_the_matrix_is_one() {
        let n = 5;
        let entry = |i: usize, j: usize| 1.0 / (1 + i + j) as f64 + f64::from(u8::from(i == j));
        let matrix: Vec<f64> = (0..n * n).map(|cell| entry(cell / n, cell % n)).collect();
        let mut inverse = matrix.clone();
        assert!(invert_spd(&mut inverse, n));
        for row in 0..n {
            for column in 0..n {
                let product: f64 = (0..n)
                    .map(|k| matrix[row * n + k] * inverse[k * n + column])
                    .sum();
                assert!((product - f64::from(u8::from(row == column))).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn an_indefinite_matrix_is_refused() {
        assert!(!invert_spd(&mut [1.0, 2.0, 2.0, 1.0], 2));
        assert!(!invert_spd(&mut [f64::NAN], 1));
    }
}
