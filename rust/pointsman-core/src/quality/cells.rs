//! [`Cells`]: vectors in cells of likeness, so that a search reads some hundreds of many thousands.
//!
//! An inverted file (Jegou et al. 2011, without the product codes) that grows by itself: a vector joins the cell of
//! the nearest centre, and a cell that is full is parted in two, so no moment pays for all. Up to [`N_SCANNED`]
//! vectors the search is exact up to the rounding of the codes.

use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;
use crate::quality::centres::Centres;
use crate::quality::codes::{BLOCK, Block, Codes, dot, dots_into, n_blocks};
use crate::quality::hits::{Hit, Hits};

/// Vectors in a cell before it is parted.
const CAPACITY: usize = 96;
/// Vectors a search reads, at least: what leaves a decision its microseconds (the row "neighbours, trained" of
/// `benches/callgrind.py`); of the 50 nearest of 6,000 it finds 85 % or more (the test of recall below).
const N_SCANNED: usize = 384;
/// Most cells a search opens.
const MAX_PROBES: usize = 16;
/// Rounds of 2-means when a cell is parted.
const N_ROUNDS: usize = 4;

/// Vectors near one centre; `rows` has as many blocks a vector as the store.
#[derive(Clone, Debug, PartialEq)]
struct Cell {
    n_blocks: usize,
    places: Vec<u32>,
    steps: Vec<f32>,
    rows: Vec<Block>,
}

impl Cell {
    fn empty(n_blocks: usize) -> Self {
        Self {
            n_blocks,
            places: Vec::new(),
            steps: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn row(&self, index: usize) -> &[Block] {
        &self.rows[index * self.n_blocks..][..self.n_blocks]
    }

    fn push(&mut self, place: u32, step: f32, row: &[Block]) {
        self.places.push(place);
        self.steps.push(step);
        self.rows.extend_from_slice(row);
    }

    fn remove(&mut self, index: usize) {
        let n = self.n_blocks;
        let last = self.places.len() - 1;
        self.places.swap_remove(index);
        self.steps.swap_remove(index);
        self.rows.copy_within(last * n.., index * n);
        self.rows.truncate(last * n);
    }

    /// How near the row is to a centre, up to the row's own scale.
    fn nearness(&self, index: usize, centre: &Codes) -> f32 {
        dot(self.row(index), centre) as f32 * centre.step
    }
}

/// The store.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cells {
    n_dimensions: usize,
    centres: Centres,
    all: Vec<Cell>,
    /// The cell of every place.
    cell_of: Vec<u32>,
}

impl Cells {
    pub(crate) fn new(n_dimensions: usize) -> Self {
        Self {
            n_dimensions,
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.cell_of.len()
    }

    pub(crate) fn n_dimensions(&self) -> usize {
        self.n_dimensions
    }

    /// Writes the vector at `place`, which is at most one behind the last.
    pub(crate) fn put(&mut self, place: usize, codes: &Codes) {
        if place < self.len() {
            self.take(place);
        } else {
            self.cell_of.push(0);
        }
        let cell = self.nearest(codes).unwrap_or_else(|| {
            self.centres.push(codes.blocks(), codes.step);
            self.all.push(Cell::empty(codes.blocks().len()));
            self.all.len() - 1
        });
        self.cell_of[place] = cell as u32;
        self.all[cell].push(place as u32, codes.step, codes.blocks());
        if self.all[cell].places.len() > CAPACITY {
            self.part(cell);
        }
    }

    pub(crate) fn holds(&self, place: usize, codes: &Codes) -> bool {
        place < self.len() && {
            let (cell, index) = self.locate(place);
            let cell = &self.all[cell];
            cell.steps[index].to_bits() == codes.step.to_bits() && cell.row(index) == codes.blocks()
        }
    }

    /// Offers every vector of the nearest cells to `hits`.
    pub(crate) fn search(&self, codes: &Codes, hits: &mut Hits) {
        let (probes, n_probes) = self.probes(codes);
        let (mut n_scanned, mut dots) = (0, [0; CAPACITY]);
        for probe in &probes[..n_probes] {
            let cell = &self.all[probe.place() as usize];
            dots_into(&cell.rows, codes, &mut dots);
            for ((dot, step), place) in dots.iter().zip(&cell.steps).zip(&cell.places) {
                hits.push(Hit::new(*dot as f32 * (step * codes.step), *place));
            }
            n_scanned += cell.places.len();
            if n_scanned >= N_SCANNED {
                return;
            }
        }
    }

    /// The nearest cells, nearest first.
    fn probes(&self, codes: &Codes) -> ([Hit; MAX_PROBES], usize) {
        let mut probes = [Hit::NONE; MAX_PROBES];
        let mut n = 0;
        self.centres.for_each(codes, |hit| {
            if n == MAX_PROBES && hit <= probes[n - 1] {
                return;
            }
            let at = probes[..n].partition_point(|other| *other > hit);
            n = (n + 1).min(MAX_PROBES);
            probes[at..n].rotate_right(1);
            probes[at] = hit;
        });
        (probes, n)
    }

    fn nearest(&self, codes: &Codes) -> Option<usize> {
        let mut best = Hit::NONE;
        self.centres.for_each(codes, |hit| best = best.max(hit));
        (best != Hit::NONE).then(|| best.place() as usize)
    }

    fn locate(&self, place: usize) -> (usize, usize) {
        let cell = self.cell_of[place] as usize;
        let places = &self.all[cell].places;
        let index = places.iter().position(|one| *one as usize == place);
        (cell, index.unwrap_or(0))
    }

    /// Takes the vector at `place` out of its cell, and the cell away if it was the last.
    fn take(&mut self, place: usize) {
        let (cell, index) = self.locate(place);
        self.all[cell].remove(index);
        if self.all[cell].places.is_empty() {
            self.all.swap_remove(cell);
            self.centres.swap_remove(cell);
            if cell < self.all.len() {
                self.settle(cell);
            }
        }
    }

    /// Tells every place of a cell where it is.
    fn settle(&mut self, cell: usize) {
        for place in &self.all[cell].places {
            self.cell_of[*place as usize] = cell as u32;
        }
    }

    /// Parts a cell in two by 2-means; in equal parts where its vectors are all alike.
    fn part(&mut self, cell: usize) {
        let old = &self.all[cell];
        let Some((centres, mut is_right)) = part(old, self.n_dimensions) else {
            return;
        };
        let n_right = is_right.iter().filter(|is_right| **is_right).count();
        if n_right == 0 || n_right == is_right.len() {
            is_right = (0..is_right.len()).map(|index| index % 2 == 1).collect();
        }
        let mut parts = [0, 1].map(|_| Cell::empty(old.n_blocks));
        for (index, is_right) in is_right.iter().enumerate() {
            let part = &mut parts[usize::from(*is_right)];
            part.push(old.places[index], old.steps[index], old.row(index));
        }
        let [left, right] = parts;
        self.all[cell] = left;
        self.all.push(right);
        self.centres.set(cell, &centres[0]);
        self.centres.push(centres[1].blocks(), centres[1].step);
        self.settle(cell);
        self.settle(self.all.len() - 1);
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.len(self.cell_of.len());
        writer.len(self.all.len());
        let centres = self.centres.iter(n_blocks(self.n_dimensions));
        for (cell, (centre, step)) in self.all.iter().zip(centres) {
            writer.f32(*step);
            save_blocks(writer, centre);
            writer.len(cell.places.len());
            cell.places.iter().for_each(|place| writer.u32(*place));
            cell.steps.iter().for_each(|step| writer.f32(*step));
            save_blocks(writer, &cell.rows);
        }
    }

    pub(crate) fn load(&mut self, reader: &mut Reader) -> Result<(), LearnError> {
        let n_places = reader.len(BLOCK)?;
        let n_cells = reader.len(BLOCK)?;
        self.cell_of = vec![u32::MAX; n_places];
        self.centres = Centres::default();
        self.all.clear();
        for _ in 0..n_cells {
            let n_blocks = n_blocks(self.n_dimensions);
            let step = reader.f32()?;
            self.centres.push(&load_blocks(reader, n_blocks)?, step);
            self.all.push(load_cell(reader, n_blocks)?);
        }
        for (cell, index) in self.all.iter().zip(0..) {
            for place in &cell.places {
                match self.cell_of.get_mut(*place as usize) {
                    Some(free) if *free == u32::MAX => *free = index,
                    _ => return Err(LearnError::state(format!("place {place} is taken twice"))),
                }
            }
        }
        if self.cell_of.contains(&u32::MAX) {
            return Err(LearnError::state("a vector is missing"));
        }
        Ok(())
    }
}

/// The centres and sides of 2-means, begun at the two vectors farthest from each other by two steps.
fn part(cell: &Cell, n_dimensions: usize) -> Option<([Codes; 2], Vec<bool>)> {
    let indices = 0..cell.places.len();
    let farthest = |centre: &Codes| {
        let near = |index: &usize| cell.nearness(*index, centre) * cell.steps[*index];
        indices
            .clone()
            .min_by(|a, b| near(a).total_cmp(&near(b)))
            .unwrap_or(0)
    };
    let start = centre_of(cell, n_dimensions, |_| true)?;
    let far = farthest(&start);
    let left = centre_of(cell, n_dimensions, |index| index == far)?;
    let far = farthest(&left);
    let right = centre_of(cell, n_dimensions, |index| index == far)?;
    let mut centres = [left, right];
    let mut is_right = Vec::new();
    for _ in 0..N_ROUNDS {
        let side = |i: usize| cell.nearness(i, &centres[1]) > cell.nearness(i, &centres[0]);
        is_right = indices.clone().map(side).collect();
        for (centre, wanted) in centres.iter_mut().zip([false, true]) {
            // A side that is empty, or cancels out, keeps its centre.
            if let Some(mean) = centre_of(cell, n_dimensions, |i| is_right[i] == wanted) {
                *centre = mean;
            }
        }
    }
    Some((centres, is_right))
}

/// The mean of some of a cell's vectors, at unit length.
fn centre_of(cell: &Cell, n_dimensions: usize, is_in: impl Fn(usize) -> bool) -> Option<Codes> {
    let mut sum = vec![0.0; n_dimensions];
    for index in (0..cell.places.len()).filter(|index| is_in(*index)) {
        let step = cell.steps[index];
        for (place, code) in sum.iter_mut().zip(cell.row(index).as_flattened()) {
            *place += step * f32::from(*code);
        }
    }
    let norm = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    sum.iter_mut()
        .for_each(|x| *x /= norm.max(f32::MIN_POSITIVE));
    Codes::new(&sum)
}

fn load_cell(reader: &mut Reader, n_blocks: usize) -> Result<Cell, LearnError> {
    let n = reader.len(BLOCK)?;
    if n > CAPACITY {
        return Err(LearnError::state(format!("{n} vectors in one cell")));
    }
    Ok(Cell {
        n_blocks,
        places: (0..n).map(|_| reader.u32()).collect::<Result<_, _>>()?,
        steps: (0..n).map(|_| reader.f32()).collect::<Result<_, _>>()?,
        rows: load_blocks(reader, n.saturating_mul(n_blocks))?,
    })
}

fn save_blocks(writer: &mut Writer, blocks: &[Block]) {
    writer.i8s(blocks.as_flattened());
}

fn load_blocks(reader: &mut Reader, n: usize) -> Result<Vec<Block>, LearnError> {
    let codes = reader.i8s(n.saturating_mul(BLOCK))?;
    let blocks = codes.chunks_exact(BLOCK);
    Ok(blocks
        .map(|block| std::array::from_fn(|index| block[index]))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::uniform;

    /// A vector near one of 40 themes.
    fn unit(seed: u64, n: usize) -> Vec<f32> {
        let draw = |seed: u64, index: u64| uniform(seed, index) as f32 - 0.5;
        let raw: Vec<f32> = (0..n as u64)
            .map(|index| draw(seed % 40, index) + draw(seed + 1_000, index))
            .collect();
        let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / norm).collect()
    }

    fn store(n: u64) -> Cells {
        let mut store = Cells::new(96);
        for seed in 0..n {
            store.put(seed as usize, &Codes::new(&unit(seed, 96)).unwrap());
        }
        store
    }

    fn found(store: &Cells, query: &[f32], n: usize) -> Vec<u32> {
        let mut hits = Hits::new(n);
        store.search(&Codes::new(query).unwrap(), &mut hits);
        hits.finish().iter().map(|hit| hit.place()).collect()
    }

    fn exact(n_vectors: u64, query: &[f32], n: usize) -> Vec<u32> {
        let cosine = |v: Vec<f32>| v.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
        let hits = (0..n_vectors).map(|seed| Hit::new(cosine(unit(seed, 96)), seed as u32));
        let mut hits: Vec<Hit> = hits.collect();
        hits.sort_by(|a, b| b.cmp(a));
        hits[..n].iter().map(|hit| hit.place()).collect()
    }

    fn recall(n_vectors: u64) -> f64 {
        let store = store(n_vectors);
        let mut n_found = 0;
        for seed in 90_000..90_040 {
            let query = unit(seed, 96);
            let wanted = exact(n_vectors, &query, 50);
            let found = found(&store, &query, 50);
            n_found += found.iter().filter(|place| wanted.contains(place)).count();
        }
        n_found as f64 / (40.0 * 50.0)
    }

    #[test]
    fn a_small_store_is_searched_whole_and_a_large_one_nearly() {
        assert!(recall(380) > 0.97, "{}", recall(380));
        assert!(recall(6_000) > 0.85, "{}", recall(6_000));
    }

    #[test]
    fn vectors_all_alike_are_parted_too() {
        let mut store = Cells::new(4);
        let codes = Codes::new(&[1.0, 0.0, 0.0, 0.0]).unwrap();
        (0..5_000).for_each(|place| store.put(place, &codes));
        assert!(store.all.iter().all(|cell| cell.places.len() <= CAPACITY));
    }

    #[test]
    fn what_is_overwritten_is_gone_and_every_place_is_where_it_is_said_to_be() {
        let mut store = store(1_500);
        for place in 0..1_500 {
            let codes = Codes::new(&unit(50_000 + place as u64 * 7 % 1_500, 96)).unwrap();
            store.put(place, &codes);
            assert!(store.holds(place, &codes));
        }
        assert_eq!(store.len(), 1_500);
        for (cell, index) in store.all.iter().zip(0..) {
            assert!(!cell.places.is_empty() && cell.rows.len() == 3 * cell.places.len());
            for place in &cell.places {
                assert_eq!(store.cell_of[*place as usize], index);
            }
        }
        let n_held: usize = store.all.iter().map(|cell| cell.places.len()).sum();
        assert_eq!(n_held, 1_500);
    }
}
