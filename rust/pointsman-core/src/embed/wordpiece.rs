//! Greedy longest-match `WordPiece` over a frozen vocabulary.

use super::EmbeddingError;
use crate::byte_map::{ByteMap, PACKED_LEN, Packed};

/// A word of more characters than this is unknown as a whole (BERT's `max_input_chars_per_word`).
pub(super) const MAX_WORD_CHARS: usize = 100;

/// Longest word, in bytes: every character of four.
pub(super) const MAX_WORD_BYTES: usize = 4 * MAX_WORD_CHARS;

/// Tokens that stand for themselves when a text spells them out, as in the tokenizer the rows were trained with.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/// The token of a word that cannot be cut into known pieces.
const UNKNOWN: &str = "[UNK]";
/// What marks a piece that continues a word.
const CONTINUED: &str = "##";

/// Pieces, and which lengths they have by their first bytes: most that are not there are not looked up.
#[derive(Clone, Debug)]
struct Pieces {
    map: ByteMap,
    /// Bit `n`: a piece of `n` bytes; bit 0: a longer one than is packed.
    lengths: Vec<u16>,
}

/// Bytes that lengths are told by; shorter pieces are always looked up.
const PREFIX: usize = 4;
const SHORTER: u16 = (1 << PREFIX) - 2;
/// Bits of a hash of them: 32 KB, and a place for most.
const PREFIX_BITS: u32 = 14;

impl Pieces {
    fn with_capacity(n_pieces: usize) -> Self {
        Self {
            map: ByteMap::with_capacity(n_pieces),
            lengths: vec![0; 1 << PREFIX_BITS],
        }
    }

    fn insert(&mut self, piece: &[u8], id: u32) {
        self.map.insert(piece, id);
        let n = piece.len();
        if n >= PREFIX {
            let head = Packed::at(piece, 0, n.min(PACKED_LEN));
            let bit = if n <= PACKED_LEN { n } else { 0 };
            self.lengths[place(head)] |= 1 << bit;
        }
    }

    /// The longest of at most `n` bytes that a key of at least as many begins with, and its length.
    #[inline]
    fn longest_packed(&self, word: Packed, n: usize) -> Option<(u32, usize)> {
        // Bit `n` and those below, without the bit for longer ones.
        let mut lengths = (self.lengths[place(word)] | SHORTER) & (2_u16 << n).wrapping_sub(2);
        while lengths != 0 {
            let length = lengths.ilog2() as usize;
            if !is_continuation(word.byte(length))
                && let Some(id) = self.map.get_packed(word.prefix(length))
            {
                return Some((id, length));
            }
            lengths ^= 1 << length;
        }
        None
    }

    /// The longest that the word goes on with at `at`, and its length.
    fn longest_of(&self, word: &[u8], at: usize) -> Option<(u32, usize)> {
        let n = word.len() - at;
        let head = Packed::at(word, at, n.min(PACKED_LEN));
        let is_end = |n: &usize| word.get(at + n).is_none_or(|byte| !is_continuation(*byte));
        if n > PACKED_LEN && self.lengths[place(head)] & 1 != 0 {
            let lengths = PACKED_LEN + 1..=self.map.longest().min(n);
            let get = |n| self.map.get(word, at, n).map(|id| (id, n));
            let found = lengths.rev().filter(is_end).find_map(get);
            if found.is_some() {
                return found;
            }
        }
        // Behind the last byte that is packed stands its length: so the end is looked at in the word.
        if n >= PACKED_LEN
            && is_end(&PACKED_LEN)
            && let Some(id) = self.map.get_packed(head)
        {
            return Some((id, PACKED_LEN));
        }
        self.longest_packed(head, n.min(PACKED_LEN - 1))
    }
}

/// Where lengths stand of what begins with those bytes.
#[inline]
fn place(word: Packed) -> usize {
    (word.low_u32().wrapping_mul(0x9e37_79b1) >> (32 - PREFIX_BITS)) as usize
}

/// A `WordPiece` vocabulary: pieces that begin a word, and pieces that continue one.
#[derive(Clone, Debug)]
pub(super) struct WordPiece {
    first: Pieces,
    continued: Pieces,
    ascii: [u32; 128],
    special: [Option<u32>; SPECIAL.len()],
    unknown: u32,
}

impl WordPiece {
    /// Reads a vocabulary: one token a line, the line number is the id.
    pub(super) fn from_vocab(vocab: &str, n_rows: usize) -> Result<Self, EmbeddingError> {
        let refuse = |problem: String| EmbeddingError::Vocabulary { problem };
        let tokens: Vec<&str> = vocab.lines().collect();
        if tokens.len() != n_rows {
            return Err(refuse(format!("{} lines for {n_rows} rows", tokens.len())));
        }
        let unknown = tokens
            .iter()
            .position(|token| *token == UNKNOWN)
            .ok_or_else(|| refuse(format!("holds no {UNKNOWN}")))? as u32;
        let mut first = Pieces::with_capacity(tokens.len());
        let mut continued = Pieces::with_capacity(tokens.len());
        for (token, id) in tokens.iter().zip(0..) {
            match token
                .strip_prefix(CONTINUED)
                .filter(|piece| !piece.is_empty())
            {
                Some(piece) => continued.insert(piece.as_bytes(), id),
                None => first.insert(token.as_bytes(), id),
            }
        }
        let ascii =
            std::array::from_fn(|byte| first.map.get(&[byte as u8], 0, 1).unwrap_or(unknown));
        let special = SPECIAL.map(|token| first.map.get(token.as_bytes(), 0, token.len()));
        Ok(Self {
            first,
            continued,
            ascii,
            special,
            unknown,
        })
    }

    /// The id of one ASCII character that is a word by itself.
    #[inline]
    pub(super) fn ascii(&self, byte: u8) -> u32 {
        self.ascii[usize::from(byte & 127)]
    }

    /// The special token that `text` begins with: its id and length in bytes.
    pub(super) fn special(&self, text: &[u8]) -> Option<(u32, usize)> {
        let (token, id) = SPECIAL
            .iter()
            .zip(self.special)
            .find(|(token, _)| text.starts_with(token.as_bytes()))?;
        Some((id?, token.len()))
    }

    /// The id of what is not known.
    pub(super) fn unknown(&self) -> u32 {
        self.unknown
    }

    /// Emits the pieces of a word of `n` packed bytes, 1 to [`PACKED_LEN`], already normalised.
    #[inline]
    pub(super) fn cut_packed(&self, word: Packed, n: usize, mut emit: impl FnMut(u32)) {
        if let Some(id) = self.first.map.get_packed(word) {
            return emit(id);
        }
        let mut pieces = [0; PACKED_LEN];
        for id in self.pieces_of_packed(word, n, &mut pieces) {
            emit(*id);
        }
    }

    /// Asks for what the cut of a packed word will read first.
    pub(super) fn prefetch(&self, word: Packed) {
        self.first.map.prefetch(word);
    }

    /// Emits the pieces of a normalised word of at most [`MAX_WORD_CHARS`] characters.
    pub(super) fn cut(&self, word: &[u8], mut emit: impl FnMut(u32)) {
        if (1..=PACKED_LEN).contains(&word.len()) {
            return self.cut_packed(Packed::at(word, 0, word.len()), word.len(), emit);
        }
        let mut pieces = [0; MAX_WORD_BYTES];
        let mut n_pieces = 0;
        let mut at = 0;
        while at < word.len() {
            let map = if at == 0 {
                &self.first
            } else {
                &self.continued
            };
            let found = map.longest_of(word, at);
            let Some((id, n)) = found else {
                return emit(self.unknown);
            };
            pieces[n_pieces] = id;
            n_pieces += 1;
            at += n;
        }
        pieces[..n_pieces].iter().copied().for_each(emit);
    }

    /// The pieces of a packed word that is not in the vocabulary as a whole.
    #[inline(never)]
    fn pieces_of_packed<'a>(
        &self,
        word: Packed,
        n: usize,
        pieces: &'a mut [u32; PACKED_LEN],
    ) -> &'a [u32] {
        let (mut n_pieces, mut at) = (0, 0);
        while at < n {
            // The whole was looked up already.
            let found = match at {
                0 => self.first.longest_packed(word, n - 1),
                _ => self
                    .continued
                    .longest_packed(word.slice(at, n - at), n - at),
            };
            let Some((id, length)) = found else {
                pieces[0] = self.unknown;
                return &pieces[..1];
            };
            pieces[n_pieces] = id;
            n_pieces += 1;
            at += length;
        }
        &pieces[..n_pieces]
    }
}

/// Whether the byte continues a character: no piece ends before it.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_longest_piece_is_what_trying_every_length_finds(
            pieces in prop::collection::vec("[abé語]{1,9}", 1..40), word in "[abé語]{1,14}"
        ) {
            let mut table = Pieces::with_capacity(pieces.len());
            for (piece, id) in pieces.iter().zip(0..) {
                table.insert(piece.as_bytes(), id);
            }
            for (at, _) in word.char_indices() {
                let rest = &word[at..];
                let mut lengths = (1..=rest.len()).rev().filter(|n| rest.is_char_boundary(*n));
                let plain = lengths.find_map(|n| table.map.get(rest.as_bytes(), 0, n).map(|id| (id, n)));
                prop_assert_eq!(table.longest_of(word.as_bytes(), at), plain);
                let n = rest.len();
                if n <= PACKED_LEN {
                    prop_assert_eq!(table.longest_packed(Packed::at(rest.as_bytes(), 0, n), n), plain);
                }
            }
        }
    }
}
