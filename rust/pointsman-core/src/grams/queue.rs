//! N-grams in the order they are met, before those that were met earlier are left out.
//!
//! What a text's words tell is first written down without a look at any of it, then looked through in one go: neither
//! loop has a branch that depends on what the text says.

use super::Tallies;
use super::gathered::Grams;
use super::met::Met;
use crate::stems;

/// N-grams that there is room for, and themes: a token has two n-grams at least.
const ROOM: usize = 1 << 11;
const THEMES_ROOM: usize = ROOM / 2;
/// Most n-grams of a token, and what is written beyond them.
const MOST_OF_TOKEN: usize = 96;

/// What a token tells: itself and the pair it ends.
pub(super) const N_OF_TOKEN: usize = 2;
/// Factors of a token and of its pieces, as many as are written at once.
pub(super) type Factors = [u8; N_OF_TOKEN + super::gloss::MAX_PIECES];

/// Where themes were met: near an edge of a text, in its middle.
pub(super) const AT_EDGE: u32 = 1 << 31;
pub(super) const IN_MIDDLE: u32 = 1 << 30;

/// The n-grams and themes met in a text and not yet looked through.
#[derive(Debug)]
pub(super) struct Queue {
    buckets: [u16; ROOM],
    factors: [u8; ROOM],
    n: usize,
    /// Themes of a word, a bit each, and where it stands.
    themes: [u32; THEMES_ROOM],
    n_themes: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            buckets: [0; ROOM],
            factors: [0; ROOM],
            n: 0,
            themes: [0; THEMES_ROOM],
            n_themes: 0,
        }
    }
}

impl Queue {
    /// Whether another token might have no room.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.n > ROOM - MOST_OF_TOKEN
    }

    #[inline]
    pub(super) fn push(&mut self, bucket: u16, factor: u8) {
        self.buckets[self.n % ROOM] = bucket;
        self.factors[self.n % ROOM] = factor;
        self.n += 1;
    }

    /// Adds a token, its pair, and the first `n_pieces` of its pieces; the others are written too and written over.
    #[inline(always)]
    #[allow(clippy::inline_always)] // once a word
    pub(super) fn push_token<const N: usize>(
        &mut self,
        own: [u16; N_OF_TOKEN],
        pieces: &[u16; N],
        n_pieces: usize,
        factors: &Factors,
    ) {
        let range = self.n..self.n + N_OF_TOKEN + N;
        let buckets = self.buckets.get_mut(range.clone());
        if let (Some(buckets), Some(places)) = (buckets, self.factors.get_mut(range)) {
            buckets[..N_OF_TOKEN].copy_from_slice(&own);
            buckets[N_OF_TOKEN..].copy_from_slice(pieces);
            places.copy_from_slice(&factors[..N_OF_TOKEN + N]);
            self.n += N_OF_TOKEN + n_pieces;
        }
    }

    /// Adds the themes of a word, with where it stands.
    #[inline]
    pub(super) fn push_themes(&mut self, themes: u32, place: u32) {
        self.themes[self.n_themes % THEMES_ROOM] = themes | place;
        self.n_themes += usize::from(themes != 0);
    }

    /// Goes through all: adds the buckets that were not met before, and counts the themes, in the middle as `faint`.
    pub(super) fn settle(
        &mut self,
        met: &mut Met,
        grams: &mut Grams,
        tallies: &mut Tallies,
        faint: f32,
    ) {
        let mut n_new = 0;
        for at in 0..self.n.min(ROOM) {
            let (bucket, factor) = (self.buckets[at], self.factors[at]);
            self.buckets[n_new % ROOM] = bucket;
            self.factors[n_new % ROOM] = factor;
            n_new += usize::from(met.is_new(bucket));
        }
        let n_new = n_new.min(ROOM);
        grams.extend(&self.buckets[..n_new], &self.factors[..n_new]);
        self.n = 0;
        for themes in &self.themes[..self.n_themes.min(THEMES_ROOM)] {
            let is_edge = f32::from(u8::from(themes & AT_EDGE != 0));
            let share = if themes & IN_MIDDLE == 0 { 1.0 } else { faint };
            let mut bits = themes & stems::ALL;
            while bits != 0 {
                let theme = bits.trailing_zeros() as usize;
                tallies.all[theme] += share;
                tallies.edge[theme] += is_edge;
                bits &= bits - 1;
            }
        }
        self.n_themes = 0;
    }
}
