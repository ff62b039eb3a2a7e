//! N-grams in the order they are met, before those that were met earlier are left out.
//!
//! What a text's words tell is first written down without a look at any of it, then looked through in one go: neither
//! loop has a branch that depends on what the text says.

use super::Tallies;
use super::gathered::Grams;
use super::met::Met;
use super::place::MIDDLE_WEIGHT;
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
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) rows: Rows,
    pub(super) counts: Counts,
}

/// What waits: only the first ones as [`Counts`] tell. They stand apart so that a loop can keep them in registers.
#[derive(Debug)]
pub(super) struct Rows {
    buckets: [u16; ROOM],
    factors: [u8; ROOM],
    /// Themes of a word, a bit each, and where it stands.
    themes: [u32; THEMES_ROOM],
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    n_grams: usize,
    n_themes: usize,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            buckets: [0; ROOM],
            factors: [0; ROOM],
            themes: [0; THEMES_ROOM],
        }
    }
}

impl Counts {
    /// Whether another token might have no room.
    #[inline]
    pub(super) fn is_full(self) -> bool {
        self.n_grams > ROOM - MOST_OF_TOKEN
    }
}

impl Rows {
    /// Adds a token, its pair, and its pieces as [`push_pieces`](Self::push_pieces) does.
    #[inline(always)]
    #[allow(clippy::inline_always)] // once a word
    pub(super) fn push_token<const N: usize>(
        &mut self,
        counts: &mut Counts,
        own: [u16; N_OF_TOKEN],
        pieces: &[u16; N],
        n_pieces: usize,
        factors: &Factors,
    ) {
        let range = counts.n_grams..counts.n_grams + N_OF_TOKEN + N;
        let buckets = self.buckets.get_mut(range.clone());
        if let (Some(buckets), Some(places)) = (buckets, self.factors.get_mut(range)) {
            buckets[..N_OF_TOKEN].copy_from_slice(&own);
            buckets[N_OF_TOKEN..].copy_from_slice(pieces);
            places.copy_from_slice(&factors[..N_OF_TOKEN + N]);
            counts.n_grams += N_OF_TOKEN + n_pieces;
        }
    }

    /// Adds a symbol and its pair; written over by what comes next if it is none.
    #[inline(always)]
    #[allow(clippy::inline_always)] // once a byte between words
    pub(super) fn push_symbol(
        &mut self,
        counts: &mut Counts,
        own: [u16; N_OF_TOKEN],
        is_symbol: bool,
        factors: &Factors,
    ) {
        let range = counts.n_grams..counts.n_grams + N_OF_TOKEN;
        let buckets = self.buckets.get_mut(range.clone());
        if let (Some(buckets), Some(places)) = (buckets, self.factors.get_mut(range)) {
            buckets.copy_from_slice(&own);
            places.copy_from_slice(&factors[..N_OF_TOKEN]);
            counts.n_grams += N_OF_TOKEN * usize::from(is_symbol);
        }
    }

    /// Adds the first `n_pieces` of a word's pieces; the others are written too and written over.
    #[inline(always)]
    #[allow(clippy::inline_always)] // once a word
    pub(super) fn push_pieces<const N: usize>(
        &mut self,
        counts: &mut Counts,
        pieces: &[u16; N],
        n_pieces: usize,
        factors: &Factors,
    ) {
        let range = counts.n_grams..counts.n_grams + N;
        let buckets = self.buckets.get_mut(range.clone());
        if let (Some(buckets), Some(places)) = (buckets, self.factors.get_mut(range)) {
            buckets.copy_from_slice(pieces);
            places.copy_from_slice(&factors[N_OF_TOKEN..N_OF_TOKEN + N]);
            counts.n_grams += n_pieces;
        }
    }

    /// Adds the themes of a word, with where it stands.
    #[inline(always)]
    #[allow(clippy::inline_always)] // once a word
    pub(super) fn push_themes(&mut self, counts: &mut Counts, themes: u32, place: u32) {
        self.themes[counts.n_themes % THEMES_ROOM] = themes | place;
        counts.n_themes += usize::from(themes != 0);
    }
}

impl Queue {
    #[inline]
    pub(super) fn push(&mut self, bucket: u16, factor: u8) {
        let at = self.counts.n_grams % ROOM;
        (self.rows.buckets[at], self.rows.factors[at]) = (bucket, factor);
        self.counts.n_grams += 1;
    }

    #[inline]
    pub(super) fn push_themes(&mut self, themes: u32, place: u32) {
        self.rows.push_themes(&mut self.counts, themes, place);
    }

    /// Goes through all: adds the buckets that were not met before, and counts the themes.
    pub(super) fn settle(&mut self, met: &mut Met, grams: &mut Grams, tallies: &mut Tallies) {
        let Counts { n_grams, n_themes } = std::mem::take(&mut self.counts);
        let n_new = self.rows.keep_new(met, n_grams);
        let Rows {
            buckets,
            factors,
            themes,
        } = &self.rows;
        grams.extend(&buckets[..n_new], &factors[..n_new]);
        for themes in &themes[..n_themes.min(THEMES_ROOM)] {
            let is_edge = f32::from(u8::from(themes & AT_EDGE != 0));
            let share = if themes & IN_MIDDLE == 0 {
                1.0
            } else {
                MIDDLE_WEIGHT
            };
            let mut bits = themes & stems::ALL;
            while bits != 0 {
                let theme = bits.trailing_zeros() as usize;
                tallies.all[theme] += share;
                tallies.edge[theme] += is_edge;
                bits &= bits - 1;
            }
        }
    }
}

impl Rows {
    /// Moves what was not met before to the front; returns how many they are.
    fn keep_new(&mut self, met: &mut Met, n_grams: usize) -> usize {
        const AT_ONCE: usize = 4;
        if n_grams == 0 {
            return 0;
        }
        // Up to a whole number of steps the last is repeated: it is not new then.
        let end = n_grams.next_multiple_of(AT_ONCE).min(ROOM);
        let last = n_grams.min(ROOM) - 1;
        for at in n_grams..end {
            (self.buckets[at], self.factors[at]) = (self.buckets[last], self.factors[last]);
        }
        let (mut at, mut n_new) = (0, 0);
        while let (Some(buckets), Some(factors)) = (
            chunk::<_, AT_ONCE>(&self.buckets[..end], at),
            chunk::<_, AT_ONCE>(&self.factors[..end], at),
        ) {
            for (bucket, factor) in buckets.into_iter().zip(factors) {
                (self.buckets[n_new % ROOM], self.factors[n_new % ROOM]) = (bucket, factor);
                n_new += usize::from(met.is_new(bucket));
            }
            at += AT_ONCE;
        }
        n_new.min(ROOM)
    }
}

fn chunk<T: Copy, const N: usize>(row: &[T], at: usize) -> Option<[T; N]> {
    row.get(at..)?.first_chunk().copied()
}
