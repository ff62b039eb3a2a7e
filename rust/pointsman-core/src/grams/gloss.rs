//! What the bytes of a word alone tell: its hash, its themes, its pieces.

use super::word::MAX_WORD_BYTES;
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
    pub(crate) fn of(word: &[u8], is_operator: bool) -> Option<Self> {
        let (mut pieces, mut n_pieces) = ([0; MAX_PIECES], 0);
        each_piece(word, word.is_ascii(), |hash| {
            if let Some(place) = pieces.get_mut(n_pieces) {
                *place = bucket(hash, Kind::Piece, is_operator);
            }
            n_pieces += 1;
        });
        let own = hash(word);
        (n_pieces <= MAX_PIECES).then(|| Self {
            own,
            themes: stems::themes(word, own),
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
    for piece in word.windows(4) {
        let bytes = [piece[0], piece[1], piece[2], piece[3]];
        emit(u64::from(u32::from_le_bytes(bytes)));
    }
}

/// Of a script with spaces three and four characters, of one without one to three.
fn pieces_of_chars(word: &[u8], mut emit: impl FnMut(u64)) {
    let mut starts = [0; MAX_WORD_BYTES + 1];
    let mut n_chars = 0;
    for (at, byte) in word.iter().enumerate() {
        if *byte & 0xC0 != 0x80 {
            starts[n_chars] = at;
            n_chars += 1;
        }
    }
    starts[n_chars] = word.len();
    let is_wide = word.iter().any(|byte| *byte >= 0xE0);
    let lengths = if is_wide { 1..=3 } else { 3..=4 };
    for length in lengths {
        for first in 0..(n_chars + 1).saturating_sub(length) {
            emit(hash(&word[starts[first]..starts[first + length]]));
        }
    }
}
