//! [`Vectors`]: unit vectors as 8-bit codes, scanned flat.
//!
//! Structure of arrays: the first [`BLOCK`] dimensions of every vector lie together, the rest elsewhere, so that a scan
//! reads a quarter of a 256-dimensional store and only the short list is scored in full. This needs vectors whose
//! dimensions are ordered by importance, as those of the shipped embedding are.
//!
//! Codes are saved as bytes and held as 16-bit integers in blocks of fixed size: this compiles to the packed
//! multiply-and-add that every x86-64 has, six times as fast as widening bytes on the way (measured, 20,000 x 64:
//! 52 against 312 microseconds).

use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;

/// Dimensions of the first pass, and of one block of the rest.
const BLOCK: usize = 64;
/// Most dimensions.
pub(crate) const MAX_DIMENSIONS: usize = 512;
/// Most neighbours.
pub(crate) const MAX_NEIGHBOURS: usize = 256;
/// Short-listed vectors per neighbour wanted (measured on the routing data: 0.92 to 0.96 of the true neighbours).
const SHORT_LIST: usize = 3;
const BUFFER: usize = 2 * SHORT_LIST * MAX_NEIGHBOURS;

/// A vector's similarity and place in one number: the greater, the nearer; ties go to the older place.
///
/// Selecting among plain integers is several times as fast as among pairs with a float.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit(u64);

impl Hit {
    fn new(similarity: f32, place: u32) -> Self {
        let bits = similarity.to_bits();
        // The usual trick: negative floats are turned round, so that the integers are in the floats' order.
        let order = if bits >> 31 == 0 {
            bits | 1 << 31
        } else {
            !bits
        };
        Self(u64::from(order) << 32 | u64::from(!place))
    }

    pub(crate) fn similarity(self) -> f32 {
        let order = (self.0 >> 32) as u32;
        let bits = if order >> 31 == 1 {
            order & !(1 << 31)
        } else {
            !order
        };
        f32::from_bits(bits)
    }

    pub(crate) fn place(self) -> u32 {
        !(self.0 as u32)
    }
}

/// The nearest vectors, the best of them first, the others in no order.
pub(crate) struct Hits {
    buffer: [Hit; BUFFER],
    n: usize,
    /// The similarity below which nothing is of interest.
    bar: f32,
}

impl Hits {
    pub(crate) fn new() -> Self {
        Self {
            buffer: [Hit(0); BUFFER],
            n: 0,
            bar: f32::NEG_INFINITY,
        }
    }

    pub(crate) fn as_slice(&self) -> &[Hit] {
        &self.buffer[..self.n]
    }

    fn push(&mut self, similarity: f32, place: u32, n_wanted: usize) {
        if similarity < self.bar {
            return;
        }
        self.buffer[self.n] = Hit::new(similarity, place);
        self.n += 1;
        if self.n == 2 * n_wanted {
            self.keep_best(n_wanted);
        }
    }

    /// Keeps the `n` best in no order.
    fn keep_best(&mut self, n: usize) {
        if self.n <= n {
            return;
        }
        let hits = &mut self.buffer[..self.n];
        let (_, worst, _) = hits.select_nth_unstable_by(n - 1, |a, b| b.cmp(a));
        self.bar = worst.similarity();
        self.n = n;
    }

    /// Puts the nearest first; the others stay in no order.
    fn lead(&mut self) {
        let hits = &mut self.buffer[..self.n];
        if let Some(best) = (0..hits.len()).max_by_key(|index| hits[*index]) {
            hits.swap(0, best);
        }
    }
}

/// [`BLOCK`] codes in -127..=127.
type Block = [i16; BLOCK];

/// One vector in 8 bits: `value = step * code`.
pub(crate) struct Query {
    blocks: [Block; MAX_DIMENSIONS / BLOCK],
    step: f32,
}

impl Query {
    /// Rounds the vector; `None` if it is all zero.
    pub(crate) fn new(vector: &[f32]) -> Option<Self> {
        let largest = vector
            .iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
        if largest == 0.0 {
            return None;
        }
        let mut blocks = [[0; BLOCK]; MAX_DIMENSIONS / BLOCK];
        for (code, value) in blocks.as_flattened_mut().iter_mut().zip(vector) {
            *code = (value / largest * 127.0).round() as i16;
        }
        let step = largest / 127.0;
        Some(Self { blocks, step })
    }
}

/// The store.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Vectors {
    n_dimensions: usize,
    coarse: Vec<Block>,
    /// `n_fine` blocks per vector; what lies beyond the dimensions is 0.
    fine: Vec<Block>,
    steps: Vec<f32>,
}

impl Vectors {
    pub(crate) fn new(n_dimensions: usize) -> Self {
        Self {
            n_dimensions,
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn n_dimensions(&self) -> usize {
        self.n_dimensions
    }

    fn n_fine(&self) -> usize {
        self.n_dimensions.div_ceil(BLOCK) - 1
    }

    fn fine(&self, place: usize) -> &[Block] {
        &self.fine[place * self.n_fine()..][..self.n_fine()]
    }

    /// Writes the vector at `place`, which is at most one behind the last.
    pub(crate) fn put(&mut self, place: usize, query: &Query) {
        let n_fine = self.n_fine();
        let fine = &query.blocks[1..=n_fine];
        if place == self.len() {
            self.coarse.push(query.blocks[0]);
            self.fine.extend_from_slice(fine);
            self.steps.push(query.step);
            return;
        }
        self.coarse[place] = query.blocks[0];
        self.fine[place * n_fine..][..n_fine].copy_from_slice(fine);
        self.steps[place] = query.step;
    }

    pub(crate) fn holds(&self, place: usize, query: &Query) -> bool {
        place < self.len()
            && self.steps[place].to_bits() == query.step.to_bits()
            && self.coarse[place] == query.blocks[0]
            && *self.fine(place) == query.blocks[1..=self.n_fine()]
    }

    /// Finds the `n` nearest by cosine. `O(vectors)`, without an allocation.
    pub(crate) fn search(&self, query: &Query, n: usize, hits: &mut Hits) {
        let n_fine = self.n_fine();
        let n_listed = if n_fine == 0 { n } else { n * SHORT_LIST };
        for ((block, step), place) in self.coarse.iter().zip(&self.steps).zip(0_u32..) {
            let similarity = dot(block, &query.blocks[0]) as f32 * step;
            hits.push(similarity, place, n_listed);
        }
        hits.keep_best(n_listed);
        for hit in &mut hits.buffer[..hits.n] {
            let place = hit.place();
            let blocks = self.fine(place as usize).iter().zip(&query.blocks[1..]);
            let rest: i32 = blocks.map(|(a, b)| dot(a, b)).sum();
            let similarity = hit.similarity() + rest as f32 * self.steps[place as usize];
            *hit = Hit::new(similarity * query.step, place);
        }
        hits.keep_best(n);
        hits.lead();
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.len(self.len());
        self.steps.iter().for_each(|step| writer.f32(*step));
        for blocks in [&self.coarse, &self.fine] {
            let codes: Vec<i8> = blocks
                .as_flattened()
                .iter()
                .map(|code| *code as i8)
                .collect();
            writer.i8s(&codes);
        }
    }

    pub(crate) fn load(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        let n = reader.len(4)?;
        self.steps = (0..n).map(|_| reader.f32()).collect::<Result<_, _>>()?;
        self.coarse = blocks(reader, n)?;
        self.fine = blocks(reader, n * self.n_fine())?;
        Ok(())
    }
}

fn blocks(reader: &mut Reader, n: usize) -> Result<Vec<Block>, LearnError> {
    let codes = reader.i8s(n * BLOCK)?;
    let block = |codes: &[i8]| {
        let mut block = [0; BLOCK];
        block
            .iter_mut()
            .zip(codes)
            .for_each(|(place, code)| *place = i16::from(*code));
        block
    };
    Ok(codes.chunks_exact(BLOCK).map(block).collect())
}

/// Scalar product of codes; 512 of them fit easily. Eight sums, since one alone halves the speed.
fn dot(a: &Block, b: &Block) -> i32 {
    const LANES: usize = 8;
    let mut sums = [0; LANES];
    for start in (0..BLOCK).step_by(LANES) {
        for lane in 0..LANES {
            sums[lane] += i32::from(a[start + lane]) * i32::from(b[start + lane]);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::uniform;

    fn unit(seed: u64, n: usize) -> Vec<f32> {
        let raw: Vec<f32> = (0..n as u64)
            .map(|index| (uniform(seed, index) as f32 - 0.5) / (1.0 + index as f32 / 16.0))
            .collect();
        let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / norm).collect()
    }

    fn exact(vectors: &[Vec<f32>], query: &[f32], n: usize) -> Vec<u32> {
        let cosine = |v: &Vec<f32>| v.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
        let hits = vectors.iter().map(cosine).zip(0..);
        let mut hits: Vec<Hit> = hits.map(|(s, place)| Hit::new(s, place)).collect();
        hits.sort_by(|a, b| b.cmp(a));
        hits[..n].iter().map(|hit| hit.place()).collect()
    }

    #[test]
    fn search_agrees_with_the_exact_scan() {
        let vectors: Vec<Vec<f32>> = (0..3000).map(|seed| unit(seed, 256)).collect();
        let mut store = Vectors::new(256);
        for (place, vector) in vectors.iter().enumerate() {
            store.put(place, &Query::new(vector).unwrap());
        }
        let mut n_found = 0;
        for seed in 9000..9020 {
            let query = unit(seed, 256);
            let mut hits = Hits::new();
            store.search(&Query::new(&query).unwrap(), 100, &mut hits);
            let wanted = exact(&vectors, &query, 100);
            let first = hits.as_slice()[0];
            assert!(hits.as_slice().iter().all(|hit| *hit <= first));
            n_found += hits
                .as_slice()
                .iter()
                .filter(|hit| wanted.contains(&hit.place()))
                .count();
        }
        assert!(n_found >= 1900, "{n_found} of 2000");
    }

    #[test]
    fn hits_keep_their_number_and_their_order() {
        for similarity in [-1.5, -0.25, 0.0, 0.25, 1.0] {
            let hit = Hit::new(similarity, 7);
            assert!((hit.similarity() - similarity).abs() < 1e-9 && hit.place() == 7);
            assert!(Hit::new(similarity - 0.1, 7) < hit && Hit::new(similarity, 8) < hit);
        }
    }

    #[test]
    fn a_vector_is_nearest_to_itself_with_similarity_one() {
        let mut store = Vectors::new(64);
        for seed in 0..50 {
            store.put(seed, &Query::new(&unit(seed as u64, 64)).unwrap());
        }
        let mut hits = Hits::new();
        store.search(&Query::new(&unit(17, 64)).unwrap(), 5, &mut hits);
        assert_eq!(hits.as_slice()[0].place(), 17);
        assert!((hits.as_slice()[0].similarity() - 1.0).abs() < 0.01);
        assert!(Query::new(&[0.0; 64]).is_none());
    }
}
