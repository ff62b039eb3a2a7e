//! What the bytes of a word alone tell: its hash, its themes, its pieces.

use super::{Kind, bucket, hash};
use crate::stems;

/// Pieces that a gloss has room for.
pub(super) const MAX_PIECES: usize = 16;

/// What is kept of a word.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeptGloss {
    pub(crate) own: u64,
    /// As [`stems::themes`] tells them.
    pub(crate) themes: u32,
    /// The bucket of the word as a whole.
    pub(crate) bucket: u16,
    pub(super) n_pieces: u16,
    pub(super) pieces: [u16; MAX_PIECES],
}

impl KeptGloss {
    /// The gloss of a folded word; `None` of one with more pieces than there is room for.
    pub(crate) fn of(word: &[u8], is_ascii: bool, is_operator: bool) -> Option<Self> {
        let (mut pieces, mut n_pieces) = ([0; MAX_PIECES], 0);
        let mut places = pieces.iter_mut();
        each_piece(word, is_ascii, |hash| {
            if let Some(place) = places.next() {
                *place = bucket(hash, Kind::Piece, is_operator);
            }
            n_pieces += 1;
        });
        let own = hash(word);
        (n_pieces <= MAX_PIECES).then(|| Self {
            own,
            themes: stems::themes(word, own, is_ascii),
            bucket: bucket(own, Kind::Word, is_operator),
            n_pieces: n_pieces as u16,
            pieces,
        })
    }

    /// The buckets of its pieces.
    pub(crate) fn pieces(&self) -> &[u16] {
        &self.pieces[..MAX_PIECES.min(usize::from(self.n_pieces))]
    }
}

/// Emits the hash of each piece of a folded word, cut as of ASCII or by characters.
pub(super) fn each_piece(word: &[u8], is_ascii: bool, emit: impl FnMut(u64)) {
    if is_ascii {
        pieces_of_ascii(word, emit);
    } else {
        pieces_of_chars(word, emit);
    }
}

fn pieces_of_ascii(word: &[u8], mut emit: impl FnMut(u64)) {
    const MIN_BYTES: usize = 5;
    if word.len() < MIN_BYTES {
        return;
    }
    let ends = [[b'^', word[0], word[1], word[2]], {
        let n = word.len();
        [word[n - 3], word[n - 2], word[n - 1], b'$']
    }];
    for piece in ends {
        emit(u64::from(u32::from_le_bytes(piece)));
    }
    let mut rest = word;
    while let Some(piece) = rest.first_chunk() {
        emit(u64::from(u32::from_le_bytes(*piece)));
        rest = &rest[1..];
    }
}

/// Of a script with spaces three and four characters, of one without one to three.
fn pieces_of_chars(word: &[u8], mut emit: impl FnMut(u64)) {
    let is_wide = word.iter().any(|byte| *byte >= 0xE0);
    let (least, most) = if is_wide { (1, 3) } else { (3, 4) };
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        if is_start(*first) {
            each_run(rest, least, most, &mut emit);
        }
        rest = after;
    }
}

/// Emits the hash of the first characters, as many as each of `least` to `most`, as far as there are so many.
fn each_run(bytes: &[u8], least: usize, most: usize, emit: &mut impl FnMut(u64)) {
    let (mut n_chars, mut hash) = (0, stems::OFFSET);
    for (at, byte) in bytes.iter().enumerate() {
        hash = stems::step(hash, *byte);
        if bytes.get(at + 1).is_none_or(|next| is_start(*next)) {
            n_chars += 1;
            if n_chars >= least {
                emit(hash);
            }
            if n_chars == most {
                return;
            }
        }
    }
}

/// Whether a byte of UTF-8 begins a character.
fn is_start(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}
