//! [`Centres`]: where the cells lie, so that the nearest are found before any is opened.

use crate::quality::codes::{Block, Codes, dots_into};
use crate::quality::hits::Hit;

/// Centres whose products are held at once.
const CHUNK: usize = 128;

/// The centres of all cells, in one piece.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Centres {
    rows: Vec<Block>,
    steps: Vec<f32>,
}

impl Centres {
    pub(crate) fn push(&mut self, centre: &[Block], step: f32) {
        self.rows.extend_from_slice(centre);
        self.steps.push(step);
    }

    /// Every centre, of so many blocks, and its step.
    pub(crate) fn iter(&self, n_blocks: usize) -> impl Iterator<Item = (&[Block], &f32)> {
        self.rows.chunks(n_blocks).zip(&self.steps)
    }

    pub(crate) fn set(&mut self, cell: usize, centre: &Codes) {
        let n = centre.blocks().len();
        self.rows[cell * n..][..n].copy_from_slice(centre.blocks());
        self.steps[cell] = centre.step;
    }

    pub(crate) fn swap_remove(&mut self, cell: usize) {
        let last = self.steps.len() - 1;
        let n = self.rows.len() / self.steps.len();
        self.steps.swap_remove(cell);
        self.rows.copy_within(last * n.., cell * n);
        self.rows.truncate(last * n);
    }

    /// Tells `see` how near every centre is.
    pub(crate) fn for_each(&self, codes: &Codes, mut see: impl FnMut(Hit)) {
        let mut dots = [0; CHUNK];
        let rows = self.rows.chunks(CHUNK * codes.blocks().len());
        let mut cells = 0..;
        for (rows, steps) in rows.zip(self.steps.chunks(CHUNK)) {
            dots_into(rows, codes, &mut dots);
            for ((dot, step), cell) in dots.iter().zip(steps).zip(&mut cells) {
                see(Hit::new(*dot as f32 * step, cell));
            }
        }
    }
}
