//! How much counts what is read, by where in a text it stands.

use std::ops::Range;

use super::Kind;
use super::queue::{AT_EDGE, Factors, IN_MIDDLE};

/// Bytes at the head and the tail of a text where instructions stand; what lies between weighs less.
const HEAD_ZONE: usize = 240;
const TAIL_ZONE: usize = 200;
pub(super) const MIDDLE_WEIGHT: f32 = MIDDLE_FIFTHS as f32 / 5.0;
const MIDDLE_FIFTHS: u8 = 2;
/// Bytes at the head and the tail of a text where the themes of what is asked are counted apart.
const EDGE_ZONE: usize = 90;

/// A place of a window, and how much counts what is read there.
#[derive(Debug)]
pub(super) struct Place {
    factors: &'static Factors,
    marks: u32,
    /// Where another begins.
    end: usize,
    /// Where the window lies between the zones of instructions, and between the first and the last words.
    middle: Range<usize>,
    inside: Range<usize>,
}

static FULL: Factors = factors(5);
static MIDDLE: Factors = factors(MIDDLE_FIFTHS);

/// Factors of a token, its pair and its pieces.
const fn factors(fifths: u8) -> Factors {
    let mut factors = [Kind::Piece.factor() / 5 * fifths; size_of::<Factors>()];
    factors[0] = Kind::Word.factor() / 5 * fifths;
    factors[1] = Kind::Pair.factor() / 5 * fifths;
    factors
}

impl Place {
    /// Before the first byte of a window that begins at `at` in a text of `n_bytes`.
    pub(super) fn before(at: usize, n_bytes: usize) -> Self {
        let zone =
            |head: usize, tail: usize| head.saturating_sub(at)..(n_bytes - at).saturating_sub(tail);
        Self {
            factors: &FULL,
            marks: if at == 0 { AT_EDGE } else { 0 },
            end: 0,
            middle: zone(HEAD_ZONE, TAIL_ZONE),
            inside: zone(EDGE_ZONE, EDGE_ZONE),
        }
    }

    /// Goes on to a byte of the window.
    #[inline]
    pub(super) fn go_to(&mut self, at: usize) {
        if at >= self.end {
            self.change(at);
        }
    }

    /// Where in the window another place begins.
    #[inline]
    pub(super) fn end(&self) -> usize {
        self.end
    }

    #[cold]
    fn change(&mut self, at: usize) {
        let is_middle = self.middle.contains(&at);
        let is_edge = !self.inside.contains(&at);
        let bounds = [&self.middle, &self.inside].map(|zone| [zone.start, zone.end]);
        let ahead = bounds.into_iter().flatten().filter(|bound| *bound > at);
        self.factors = if is_middle { &MIDDLE } else { &FULL };
        self.marks = (u32::from(is_middle) * IN_MIDDLE) | (u32::from(is_edge) * AT_EDGE);
        self.end = ahead.min().unwrap_or(usize::MAX);
    }

    /// As themes that stand here are marked.
    #[inline]
    pub(super) fn marks(&self) -> u32 {
        self.marks
    }

    /// Of a token, its pair and its pieces.
    #[inline]
    pub(super) fn factors(&self) -> &'static Factors {
        self.factors
    }

    #[inline]
    pub(super) fn factor(&self, kind: Kind) -> u8 {
        match kind {
            Kind::Word | Kind::Lead => self.factors[0],
            Kind::Pair => self.factors[1],
            Kind::Piece => self.factors[2],
            Kind::End => self.factors[0] / 5 * (Kind::End.factor() / (Kind::Word.factor() / 5)),
        }
    }
}
