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

/// A `WordPiece` vocabulary: pieces that begin a word, and pieces that continue one.
#[derive(Clone, Debug)]
pub(super) struct WordPiece {
    first: ByteMap,
    continued: ByteMap,
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
        let mut first = ByteMap::with_capacity(tokens.len());
        let mut continued = ByteMap::with_capacity(tokens.len());
        for (token, id) in tokens.iter().zip(0..) {
            match token
                .strip_prefix(CONTINUED)
                .filter(|piece| !piece.is_empty())
            {
                Some(piece) => continued.insert(piece.as_bytes(), id),
                None => first.insert(token.as_bytes(), id),
            }
        }
        let ascii = std::array::from_fn(|byte| first.get(&[byte as u8], 0, 1).unwrap_or(unknown));
        let special = SPECIAL.map(|token| first.get(token.as_bytes(), 0, token.len()));
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
        if let Some(id) = self.first.get_packed(word) {
            return emit(id);
        }
        let mut pieces = [0; PACKED_LEN];
        for id in self.pieces_of_packed(word, n, &mut pieces) {
            emit(*id);
        }
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
            let longest = map.longest().min(word.len() - at);
            let found = (1..=longest)
                .rev()
                .filter(|n| word.get(at + n).is_none_or(|byte| !is_continuation(*byte)))
                .find_map(|n| map.get(word, at, n).map(|id| (id, n)));
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
        let mut n_pieces = 0;
        let mut at = 0;
        while at < n {
            let map = if at == 0 {
                &self.first
            } else {
                &self.continued
            };
            let longest = if at == 0 { n - 1 } else { n - at };
            let found = (1..=longest.min(map.longest())).rev().find_map(|length| {
                if is_continuation(word.byte(at + length)) {
                    return None;
                }
                let id = map.get_packed(word.slice(at, length))?;
                Some((id, length))
            });
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
