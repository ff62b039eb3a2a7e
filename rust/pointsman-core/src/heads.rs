//! The four linear heads: weights as `tools/axes/train.py` writes them, and the logits of a request.

use std::sync::LazyLock;

use crate::features::{Features, N_DENSE};
use crate::grams::N_BUCKETS;
use crate::profile::{Complexity, Domain, LatencyClass, Structure};

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

    fn logits(&self, features: &Features) -> Row {
        let mut logits = self.bias;
        for (value, row) in features.dense().iter().zip(&self.dense) {
            for (sum, weight) in logits.iter_mut().zip(row) {
                *sum += value * weight;
            }
        }
        let mut hashed = [0.0; N_LOGITS];
        for (bucket, value) in features.grams() {
            let start = bucket as usize * N_LOGITS;
            let row = &self.hashed[start..start + N_LOGITS];
            for (sum, weight) in hashed.iter_mut().zip(row) {
                *sum += value * f32::from(i8::from_ne_bytes([*weight]));
            }
        }
        for ((logit, sum), scale) in logits.iter_mut().zip(hashed).zip(self.scale) {
            *logit += sum * scale;
        }
        logits
    }
}

/// What the heads say of a request, each axis divided by its temperature: ready for a softmax.
pub(crate) fn logits(features: &Features) -> Row {
    let heads = &*HEADS;
    let mut logits = heads.logits(features);
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
