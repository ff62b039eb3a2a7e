//! Which buckets were met: an n-gram said twice says no more.

use super::{N_BUCKETS, Space};

/// The buckets met in the space being read.
#[derive(Clone, Debug)]
pub(super) struct Met {
    bits: Box<[u64; N_BUCKETS / 64]>,
    /// `None` before the first.
    space: Option<Space>,
}

impl Default for Met {
    fn default() -> Self {
        Self {
            bits: Box::new([0; N_BUCKETS / 64]),
            space: None,
        }
    }
}

impl Met {
    pub(super) fn space(&self) -> Space {
        self.space.unwrap_or(Space::System)
    }

    /// Goes out of all spaces: the next that is entered is new.
    pub(super) fn leave(&mut self) {
        self.space = None;
    }

    /// Whether the bucket was not met before in this space; spaces come one after the other.
    #[inline(always)]
    #[allow(clippy::inline_always)] // once an n-gram
    pub(super) fn is_new(&mut self, bucket: u16) -> bool {
        let word = &mut self.bits[usize::from(bucket) / 64];
        let bit = 1 << (bucket % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Goes over to a space; of one left before, nothing is remembered.
    pub(super) fn enter(&mut self, space: Space) {
        if self.space != Some(space) {
            self.bits.fill(0);
            self.space = Some(space);
        }
    }
}
