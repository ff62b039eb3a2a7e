//! The n-grams of a conversation, text by text, each with the weight that its space gives it.

use super::{N_SPACES, Space};

/// The n-grams gathered so far, a space apart; a bucket counts once in each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grams {
    buckets: Vec<u16>,
    /// What each counts in its text.
    factors: Vec<u8>,
    texts: Vec<Text>,
}

/// A text whose n-grams end at a place.
#[derive(Clone, Copy, Debug)]
struct Text {
    space: Space,
    weight: f32,
    end: usize,
    sum_of_squares: u32,
}

/// Buckets of one text: each counts `scale` times its factor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) scale: f32,
    pub(crate) buckets: &'a [u16],
    pub(crate) factors: &'a [u8],
}

impl Grams {
    /// Begins with a text of a space; spaces come one after the other.
    pub(super) fn begin(&mut self, space: Space, weight: f32) {
        self.texts.push(Text {
            space,
            weight,
            end: self.buckets.len(),
            sum_of_squares: 0,
        });
    }

    /// Adds buckets of the text begun with.
    pub(super) fn extend(&mut self, buckets: &[u16], factors: &[u8]) {
        self.buckets.extend_from_slice(buckets);
        self.factors.extend_from_slice(factors);
        if let Some(text) = self.texts.last_mut() {
            let squares = factors.iter().map(|x| u32::from(*x) * u32::from(*x));
            text.sum_of_squares += squares.sum::<u32>();
            text.end = self.buckets.len();
        }
    }

    /// Text by text; each space is a vector as long as its weight, the greatest that a text of it was read with.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let scales = self.scales();
        let mut start = 0;
        self.texts.iter().map(move |text| {
            let range = start..text.end;
            start = text.end;
            Run {
                scale: text.weight * scales[text.space as usize],
                buckets: &self.buckets[range.clone()],
                factors: &self.factors[range],
            }
        })
    }

    fn scales(&self) -> [f32; N_SPACES] {
        let (mut squares, mut weights) = ([0.0_f32; N_SPACES], [0.0_f32; N_SPACES]);
        for text in &self.texts {
            let space = text.space as usize;
            squares[space] += text.weight * text.weight * text.sum_of_squares as f32;
            weights[space] = weights[space].max(text.weight);
        }
        std::array::from_fn(|space| {
            if squares[space] > 0.0 {
                weights[space].min(1.0) / squares[space].sqrt()
            } else {
                0.0
            }
        })
    }

    /// Buckets with their weights; each space is a vector as long as its weight.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, f32)> {
        self.runs().flat_map(|run| {
            let items = run.buckets.iter().zip(run.factors);
            items.map(move |(bucket, factor)| (u32::from(*bucket), f32::from(*factor) * run.scale))
        })
    }
}
