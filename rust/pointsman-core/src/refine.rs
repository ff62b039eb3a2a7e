//! The second stage of the classifier: a small network, as `tools/axes/refine.py` writes it, that corrects the logits
//! of the linear heads.
//!
//! Linear heads cannot say that a poem is general whatever it is about. One hidden layer sees what was measured of a
//! request, the logits and their probabilities, and adds to the logits of all axes.

use std::sync::LazyLock;

use crate::features::{Features, N_MEASURED};
use crate::heads::{self, N_COLUMNS, N_LOGITS, softmax};
use crate::simd::{self, Block, Row};

/// Measures, logits, probabilities.
const N_INPUTS: usize = N_MEASURED + 2 * N_LOGITS;
const N_HIDDEN: usize = 64;
/// The hidden layer as it is summed: so many columns at a time.
const N_GROUPS: usize = N_HIDDEN / N_COLUMNS;
const _: () = assert!(N_GROUPS * N_COLUMNS == N_HIDDEN);

/// f32 numbers: the ends of each measure, the hidden layer and its biases, the shares of the logits, the output and
/// its biases.
const N_FLOATS: usize = 2 * N_MEASURED + (N_INPUTS + 1) * N_HIDDEN + (1 + N_HIDDEN + 1) * N_LOGITS;

static FILE: &[u8; N_FLOATS * 4] = include_bytes!("../data/axes/refine.bin");

/// The weights; the output and what follows are divided by the temperatures.
struct Network {
    least: [f32; N_MEASURED],
    greatest: [f32; N_MEASURED],
    hidden: [Vec<Block>; N_GROUPS],
    hidden_bias: [[f32; N_COLUMNS]; N_GROUPS],
    share: [f32; N_LOGITS],
    output: Vec<Block>,
    bias: [f32; N_COLUMNS],
}

static NETWORK: LazyLock<Network> = LazyLock::new(Network::load);

/// The numbers of the file.
fn floats() -> impl Iterator<Item = f32> {
    let (numbers, _) = FILE.as_chunks();
    numbers.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

impl Network {
    fn load() -> Self {
        let mut floats = floats();
        let mut next = || floats.next().unwrap_or(0.0);
        let mut ends = || std::array::from_fn(|_| next());
        let (least, greatest) = (ends(), ends());
        let mut groups = || std::array::from_fn(|_| std::array::from_fn(|_| next()));
        let rows: Vec<[_; N_GROUPS]> = (0..N_INPUTS).map(|_| groups()).collect();
        let group = |group: usize| rows.iter().map(|row| Row(row[group])).collect::<Vec<_>>();
        let hidden_bias = groups();
        let mut logits = || std::array::from_fn(|_| next());
        let share = logits();
        let mut output = || Row(heads::folded(logits()));
        let output: Vec<Row> = (0..N_HIDDEN).map(|_| output()).collect();
        Self {
            least,
            greatest,
            hidden: std::array::from_fn(|index| simd::blocks(&group(index))),
            hidden_bias,
            share,
            output: simd::blocks(&output),
            bias: heads::folded(logits()),
        }
    }

    /// What the hidden layer passes on.
    fn hidden(&self, inputs: &[f32; N_INPUTS]) -> [f32; N_HIDDEN] {
        let mut active = [0.0; N_HIDDEN];
        let (groups, _) = active.as_chunks_mut::<N_COLUMNS>();
        for ((group, rows), bias) in groups.iter_mut().zip(&self.hidden).zip(&self.hidden_bias) {
            let sums = simd::sum_of_floats(inputs, rows);
            *group = std::array::from_fn(|k| f32::max(sums[k] + bias[k], 0.0));
        }
        active
    }

    fn inputs(&self, measured: &[f32; N_MEASURED], logits: &[f32; N_LOGITS]) -> [f32; N_INPUTS] {
        let mut inputs = [0.0; N_INPUTS];
        let (clipped, rest) = inputs.split_at_mut(N_MEASURED);
        let ends = self.least.iter().zip(&self.greatest);
        for ((input, value), (least, greatest)) in clipped.iter_mut().zip(measured).zip(ends) {
            *input = value.max(*least).min(*greatest);
        }
        let (said, likely) = rest.split_at_mut(N_LOGITS);
        said.copy_from_slice(logits);
        likely.copy_from_slice(&probabilities(logits));
        inputs
    }
}

/// The logits of the heads corrected, and divided by the temperature of their axis: ready for a softmax.
pub(crate) fn refined(features: &Features, logits: &[f32; N_LOGITS]) -> [f32; N_LOGITS] {
    let network = &*NETWORK;
    let inputs = network.inputs(features.measured(), logits);
    let sums = simd::sum_of_floats(&network.hidden(&inputs), &network.output);
    let added = heads::unfolded(std::array::from_fn(|k| sums[k] + network.bias[k]));
    std::array::from_fn(|k| network.share[k] * logits[k] + added[k])
}

/// Probabilities axis by axis.
fn probabilities(logits: &[f32; N_LOGITS]) -> [f32; N_LOGITS] {
    let (complexity, domain, structure, latency) = heads::split(logits);
    let mut each = softmax(complexity)
        .into_iter()
        .chain(softmax(domain))
        .chain(softmax(structure))
        .chain(softmax(latency));
    std::array::from_fn(|_| each.next().unwrap_or(0.0) as f32)
}

/// Reads the weights now, so that the first decision does not.
pub(crate) fn warm_up() {
    LazyLock::force(&NETWORK);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Conversation, Request};

    fn number(i: usize) -> f64 {
        let bytes = FILE[4 * i..].first_chunk().copied();
        f64::from(f32::from_le_bytes(bytes.unwrap_or_default()))
    }

    /// The correction as the file says, in f64.
    fn plainly(measured: &[f32], logits: &[f32; N_LOGITS]) -> [f64; N_LOGITS] {
        let clipped = |i: usize| {
            f64::from(measured[i])
                .max(number(i))
                .min(number(N_MEASURED + i))
        };
        let inputs = (0..N_MEASURED).map(clipped);
        let inputs = inputs.chain(logits.map(f64::from));
        let inputs: Vec<f64> = inputs.chain(probabilities(logits).map(f64::from)).collect();
        let hidden = 2 * N_MEASURED;
        let share = hidden + (N_INPUTS + 1) * N_HIDDEN;
        let output = share + N_LOGITS;
        let active: [f64; N_HIDDEN] = std::array::from_fn(|h| {
            let rows = inputs.iter().zip(0..);
            let sum: f64 = rows
                .map(|(x, row)| x * number(hidden + row * N_HIDDEN + h))
                .sum();
            f64::max(sum + number(hidden + N_INPUTS * N_HIDDEN + h), 0.0)
        });
        std::array::from_fn(|k| {
            let rows = active.iter().zip(0..);
            let sum: f64 = rows
                .map(|(x, row)| x * number(output + row * N_LOGITS + k))
                .sum();
            let kept = f64::from(logits[k]) * number(share + k);
            kept + sum + number(output + N_HIDDEN * N_LOGITS + k)
        })
    }

    #[test]
    fn the_correction_is_that_of_the_file() {
        for n_sentences in [0, 1, 7, 150] {
            let text = "Solve x = 12 y, then write a poem on it; ".repeat(n_sentences);
            let features = Features::extract(&Request::new(Conversation::user(&text)));
            let logits = heads::logits(&features);
            let (got, stated) = (
                refined(&features, &logits),
                plainly(features.measured(), &logits),
            );
            for k in 0..N_LOGITS - 2 {
                assert!(
                    (f64::from(got[k]) - stated[k]).abs() < 1e-3,
                    "{got:?} {stated:?}"
                );
            }
            let gap = f64::from(got[N_LOGITS - 2] - got[N_LOGITS - 1]);
            assert!((gap - (stated[N_LOGITS - 2] - stated[N_LOGITS - 1])).abs() < 1e-3);
        }
    }

    #[test]
    fn probabilities_of_each_axis_add_up_to_one() {
        let logits = std::array::from_fn(|k| k as f32 * 3.0 - 60.0);
        let p = probabilities(&logits);
        for axis in [0..3, 3..10, 10..15, 15..17] {
            assert!((p[axis].iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }
}
