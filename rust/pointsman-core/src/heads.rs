//! The four linear heads: weights as `tools/axes/train.py` writes them, and the logits of a request.

use std::sync::LazyLock;

use crate::features::{Features, N_DENSE};
use crate::grams::N_BUCKETS;
use crate::profile::{Complexity, Domain, LatencyClass, Structure};
use crate::simd::{self, Block, Row};

/// Logits of all axes: complexity, domain, structure, latency, each in the order of its labels.
pub(crate) const N_LOGITS: usize =
    Complexity::ALL.len() + Domain::ALL.len() + Structure::ALL.len() + LatencyClass::ALL.len();

/// f32 numbers before the int8 weights: biases, scales of the int8 columns, dense weights.
const N_FLOATS: usize = N_LOGITS * (2 + N_DENSE);

static FILE: &[u8; N_FLOATS * 4 + N_BUCKETS * N_LOGITS] = include_bytes!("../data/axes/heads.bin");

/// Columns of the weights as they are summed: whole vector registers. A softmax sees differences alone, and latency
/// has but two labels: half the difference of the two stands for the first, its negative for the last.
pub(crate) const N_COLUMNS: usize = simd::COLUMNS;
const _: () = assert!(N_COLUMNS + 1 == N_LOGITS && LatencyClass::ALL.len() == 2);

/// The weights; a row a feature.
struct Heads {
    bias: [f32; N_COLUMNS],
    scale: [f32; N_COLUMNS],
    dense: Vec<Block>,
    hashed: Vec<[i8; N_COLUMNS]>,
}

static HEADS: LazyLock<Heads> = LazyLock::new(Heads::load);

impl Heads {
    fn load() -> Self {
        let (floats, hashed) = FILE.split_at(N_FLOATS * 4);
        let mut floats = floats
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let mut next = || floats.next().unwrap_or(0.0);
        let mut row = || std::array::from_fn(|_| next());
        let (bias, scale) = (row(), row());
        let dense: Vec<Row> = (0..N_DENSE).map(|_| Row(folded(row()))).collect();
        Self {
            bias: folded(bias),
            dense: simd::blocks(&dense),
            // Both columns have the scale of what one is the negative of.
            scale: std::array::from_fn(|i| match i {
                LAST => f32::midpoint(scale[LAST], scale[LAST + 1]),
                _ => scale[i],
            }),
            hashed: simd::rows(hashed).iter().map(folded_bytes).collect(),
        }
    }

    fn of_grams(&self, features: &Features) -> [f32; N_COLUMNS] {
        let mut sums = [0.0; N_COLUMNS];
        let Some(rows) = self.hashed.first_chunk() else {
            return sums;
        };
        for run in features.gram_runs() {
            let whole = simd::sum_of_chosen(rows, run.buckets, run.factors);
            for (sum, whole) in sums.iter_mut().zip(whole) {
                *sum += run.scale * whole as f32;
            }
        }
        sums
    }
}

/// Where the column of the last axis stands.
const LAST: usize = N_COLUMNS - 1;

/// A row of the file with half the difference of the last two columns in their place.
pub(crate) fn folded(row: [f32; N_LOGITS]) -> [f32; N_COLUMNS] {
    std::array::from_fn(|i| match i {
        LAST => 0.5 * (row[LAST] - row[LAST + 1]),
        _ => row[i],
    })
}

/// The reverse of it, but for the mean of the last two, which no softmax sees.
pub(crate) fn unfolded(columns: [f32; N_COLUMNS]) -> [f32; N_LOGITS] {
    std::array::from_fn(|i| match i {
        N_COLUMNS => -columns[LAST],
        _ => columns[i],
    })
}

/// The same of int8 weights, which differ in the sign alone.
fn folded_bytes(row: &[i8; N_LOGITS]) -> [i8; N_COLUMNS] {
    std::array::from_fn(|i| row[i])
}

/// What the heads say of a request; `refine` makes of it what a softmax is taken of.
pub(crate) fn logits(features: &Features) -> [f32; N_LOGITS] {
    let heads = &*HEADS;
    let dense = simd::sum_of_floats(features.dense(), &heads.dense);
    let hashed = heads.of_grams(features);
    unfolded(std::array::from_fn(|i| {
        heads.bias[i] + dense[i] + hashed[i] * heads.scale[i]
    }))
}

/// The logits axis by axis.
pub(crate) fn split(logits: &[f32; N_LOGITS]) -> ([f32; 3], [f32; 7], [f32; 5], [f32; 2]) {
    (
        std::array::from_fn(|k| logits[k]),
        std::array::from_fn(|k| logits[3 + k]),
        std::array::from_fn(|k| logits[10 + k]),
        std::array::from_fn(|k| logits[15 + k]),
    )
}

/// Probabilities of the labels of one axis.
pub(crate) fn softmax<const N: usize>(logits: [f32; N]) -> [f64; N] {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = logits.map(|logit| f64::from(logit - greatest).exp());
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// Reads the weights now, so that the first decision does not.
pub(crate) fn warm_up() {
    LazyLock::force(&HEADS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Conversation, Request, Role};

    fn features(n_sentences: usize) -> Features {
        let text = "Solve x = 12 y, then say why; ".repeat(n_sentences);
        let mut conversation = Conversation::new();
        for (role, text) in [(Role::System, "Be brief."), (Role::User, &text)] {
            conversation.begin(role);
            conversation.text(text);
        }
        Features::extract(&Request::new(conversation))
    }

    #[test]
    fn the_columns_of_latency_differ_in_their_sign_alone() {
        let rows = simd::rows::<N_LOGITS>(&FILE[N_FLOATS * 4..]);
        let sums = rows
            .iter()
            .map(|row| i32::from(row[LAST]) + i32::from(row[LAST + 1]));
        assert!(
            sums.into_iter().all(|sum| sum.abs() <= 1),
            "no more than rounding"
        );
    }

    /// Logits as the file says, in f64.
    fn plainly(features: &Features) -> [f64; N_LOGITS] {
        let number =
            |i: usize| f32::from_le_bytes(FILE[4 * i..].first_chunk().copied().unwrap_or_default());
        let float = |i: usize| f64::from(number(i));
        let rows = simd::rows::<N_LOGITS>(&FILE[N_FLOATS * 4..]);
        std::array::from_fn(|k| {
            let dense = features.dense().iter().zip(2..);
            let dense = dense.map(|(x, row)| f64::from(*x) * float(row * N_LOGITS + k));
            let grams = features.grams();
            let grams = grams.map(|(bucket, x)| f64::from(x) * f64::from(rows[bucket as usize][k]));
            float(k) + dense.sum::<f64>() + float(N_LOGITS + k) * grams.sum::<f64>()
        })
    }

    #[test]
    fn the_logits_are_those_of_the_file() {
        for n_sentences in [0, 1, 7, 150] {
            let features = features(n_sentences);
            let (got, stated) = (logits(&features), plainly(&features));
            for k in 0..N_LOGITS - 2 {
                assert!(
                    (f64::from(got[k]) - stated[k]).abs() < 1e-4,
                    "{got:?} {stated:?}"
                );
            }
            let gap = f64::from(got[LAST] - got[LAST + 1]);
            assert!((gap - (stated[LAST] - stated[LAST + 1])).abs() < 1e-4);
        }
    }
}
