//! The four linear heads: weights as `tools/axes/train.py` writes them, and the logits of a request.

use std::sync::LazyLock;

use crate::features::{Features, N_DENSE};
use crate::grams::N_BUCKETS;
use crate::profile::{Complexity, Domain, LatencyClass, Structure};
use crate::simd;

/// Logits of all axes: complexity, domain, structure, latency, each in the order of its labels.
pub(crate) const N_LOGITS: usize =
    Complexity::ALL.len() + Domain::ALL.len() + Structure::ALL.len() + LatencyClass::ALL.len();
const N_AXES: usize = 4;

/// f32 numbers before the int8 weights: temperatures, biases, scales of the int8 columns, dense weights.
const N_FLOATS: usize = N_AXES + N_LOGITS * (2 + N_DENSE);

static FILE: &[u8; N_FLOATS * 4 + N_BUCKETS * N_LOGITS] = include_bytes!("../data/axes/heads.bin");

type Row = [f32; N_LOGITS];

/// The weights; a row a feature.
struct Heads {
    temperatures: [f32; N_AXES],
    bias: Row,
    scale: Row,
    dense: Vec<Row>,
    hashed: &'static [u8],
}

static HEADS: LazyLock<Heads> = LazyLock::new(Heads::load);

impl Heads {
    fn load() -> Self {
        let (floats, hashed) = FILE.split_at(N_FLOATS * 4);
        let mut floats = floats
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let mut next = || floats.next().unwrap_or(0.0);
        Self {
            temperatures: std::array::from_fn(|_| next()),
            bias: std::array::from_fn(|_| next()),
            scale: std::array::from_fn(|_| next()),
            dense: (0..N_DENSE)
                .map(|_| std::array::from_fn(|_| next()))
                .collect(),
            hashed,
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // what compiles the body anew for AVX2
    fn logits(&self, features: &Features) -> Row {
        let mut logits = Sums::new(&self.bias);
        for (value, row) in features.dense().iter().zip(&self.dense) {
            // Most cues and scripts are absent, and so is a system prompt's embedding.
            if *value != 0.0 {
                logits.add(*value, row, |weight| *weight);
            }
        }
        let mut hashed = Sums::new(&[0.0; N_LOGITS]);
        for (scale, items) in features.gram_spaces() {
            for (bucket, weight) in items {
                let row = self.hashed.get(usize::from(*bucket) * N_LOGITS..);
                if let Some(row) = row.and_then(<[u8]>::first_chunk) {
                    hashed.add(weight * scale, row, |weight| {
                        f32::from(i8::from_ne_bytes([*weight]))
                    });
                }
            }
        }
        let mut logits = logits.row();
        for ((logit, sum), scale) in logits.iter_mut().zip(hashed.row()).zip(self.scale) {
            *logit += sum * scale;
        }
        logits
    }
}

/// Sums of weighted rows: sixteen that fill whole vector registers, and the rest.
struct Sums {
    wide: [f32; WIDE],
    rest: [f32; N_LOGITS - WIDE],
}

const WIDE: usize = 16;

impl Sums {
    fn new(row: &Row) -> Self {
        Self {
            wide: std::array::from_fn(|i| row[i]),
            rest: std::array::from_fn(|i| row[WIDE + i]),
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // the sums stay in registers over a whole loop
    fn add<W>(&mut self, value: f32, row: &[W; N_LOGITS], weight: impl Fn(&W) -> f32) {
        let (wide, rest) = row.split_at(WIDE);
        for (sum, one) in self.wide.iter_mut().zip(wide) {
            *sum += value * weight(one);
        }
        for (sum, one) in self.rest.iter_mut().zip(rest) {
            *sum += value * weight(one);
        }
    }

    fn row(&self) -> Row {
        std::array::from_fn(|i| {
            if i < WIDE {
                self.wide[i]
            } else {
                self.rest[i - WIDE]
            }
        })
    }
}

struct Logits<'a> {
    heads: &'a Heads,
    features: &'a Features,
}

impl simd::Kernel for Logits<'_> {
    type Output = Row;

    #[inline(always)]
    #[allow(clippy::inline_always)] // what compiles the body anew for AVX2
    fn run(self) -> Row {
        self.heads.logits(self.features)
    }
}

/// What the heads say of a request, each axis divided by its temperature: ready for a softmax.
pub(crate) fn logits(features: &Features) -> Row {
    let heads = &*HEADS;
    let mut logits = simd::run(Logits { heads, features });
    let sizes = [
        Complexity::ALL.len(),
        Domain::ALL.len(),
        Structure::ALL.len(),
        LatencyClass::ALL.len(),
    ];
    let mut start = 0;
    for (size, temperature) in sizes.into_iter().zip(heads.temperatures) {
        for logit in &mut logits[start..start + size] {
            *logit /= temperature;
        }
        start += size;
    }
    logits
}

/// Reads the weights now, so that the first decision does not.
pub(crate) fn warm_up() {
    LazyLock::force(&HEADS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Conversation, Request};
    use simd::Kernel;

    #[test]
    fn every_machine_gives_the_same_bits() {
        for n_sentences in [0, 1, 7, 150] {
            let text = "Solve x = 12 y, then say why; ".repeat(n_sentences);
            let features = &Features::extract(&Request::new(Conversation::user(text)));
            let logits = || Logits {
                heads: &HEADS,
                features,
            };
            let bits = |row: Row| row.map(f32::to_bits);
            assert_eq!(bits(simd::run(logits())), bits(logits().run()));
        }
    }
}
