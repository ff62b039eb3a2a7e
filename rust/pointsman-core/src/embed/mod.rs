//! The static token embedding: text to a unit vector of 256 numbers, in microseconds and without a model.
//!
//! BERT's normalisation and word split, greedy longest-match `WordPiece`, then the mean of the tokens' rows,
//! made unit length. It is a bag of words: order, negation and roles are invisible to it. The dimensions are
//! ordered, so the first 64 or 128 are usable alone, once made unit length again.
//!
//! # Example
//!
//! ```
//! use pointsman_core::embed::{DIM, Embedding};
//!
//! let embedding = Embedding::builtin()?;
//! let mut vectors = [[0.0; DIM]; 2];
//! embedding.embed_into("What is the capital of France?", &mut vectors[0]);
//! embedding.embed_into("Name France's capital city", &mut vectors[1]);
//! let cosine: f32 = vectors[0].iter().zip(&vectors[1]).map(|(a, b)| a * b).sum();
//! assert!(cosine > 0.8);
//! # Ok::<(), pointsman_core::embed::EmbeddingError>(())
//! ```

mod error;
mod kernel;
mod normalise;
mod recent;
mod scan;
mod weights;
mod window;
mod wordpiece;

use std::borrow::Cow;
use std::sync::OnceLock;

pub use error::EmbeddingError;
pub use window::{HEAD_BYTES, HEAD_TOKENS, TAIL_BYTES, TAIL_TOKENS};

use crate::byte_map::Packed;
use crate::plain_words::PlainWords;
use kernel::{MOST_ROWS, Rows, squared_norm};
pub(crate) use scan::Cuts;
use scan::{Cutter, Sink, scan};
use weights::Weights;
use wordpiece::WordPiece;

/// Length of an embedding vector.
pub const DIM: usize = 256;

const FILE: &[u8; include_bytes!("../../data/embedding/embedding.safetensors").len()] =
    include_bytes!("../../data/embedding/embedding.safetensors");
static WEIGHTS: Placed<{ FILE.len() }> = Placed {
    _before: [0; 32],
    file: *FILE,
};
static VOCAB: &str = include_str!("../../data/embedding/vocab.txt");

/// The shipped file, so placed that its rows begin where a line of a cache does: each is four lines then, not five.
#[repr(C, align(64))]
struct Placed<const N: usize> {
    _before: [u8; 32],
    file: [u8; N],
}

/// A static token embedding: a `WordPiece` vocabulary and a row a token. Immutable and shared freely.
#[derive(Clone, Debug)]
pub struct Embedding {
    wordpiece: WordPiece,
    weights: Weights,
    /// Tells one embedding's vectors from another's.
    number: u64,
}

impl Embedding {
    /// The embedding shipped in this crate; loaded once (some milliseconds), then free.
    ///
    /// # Errors
    ///
    /// Never with the data this crate ships; the type says what [`from_bytes`](Self::from_bytes) may say.
    pub fn builtin() -> Result<&'static Self, EmbeddingError> {
        static BUILTIN: OnceLock<Result<Embedding, EmbeddingError>> = OnceLock::new();
        BUILTIN
            .get_or_init(|| Self::from_bytes(&WEIGHTS.file[..], VOCAB))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Loads an embedding from a safetensors file (`rows` `i8[n, 256]`, `scale` `f32[n]`) and its vocabulary.
    ///
    /// Static bytes are borrowed, a `Vec` is kept; neither is copied. The vocabulary has one token a line.
    ///
    /// # Errors
    ///
    /// [`EmbeddingError`] if the header is malformed, a tensor is missing or of another type or shape, a scale
    /// is negative or not finite, or the vocabulary has no `[UNK]` or another number of lines than rows.
    pub fn from_bytes(
        weights: impl Into<Cow<'static, [u8]>>,
        vocab: &str,
    ) -> Result<Self, EmbeddingError> {
        let weights = Weights::from_safetensors(weights.into())?;
        let wordpiece = WordPiece::from_vocab(vocab, weights.n_rows())?;
        Ok(Self {
            wordpiece,
            weights,
            number: recent::next_number(),
        })
    }

    /// The token ids of the whole text, without special tokens. Allocates; for tests and tools.
    ///
    /// # Example
    ///
    /// ```
    /// # use pointsman_core::embed::Embedding;
    /// assert_eq!(Embedding::builtin()?.tokenize("Unaffordable!"), [14477, 4246, 8551, 3085, 999]);
    /// # Ok::<(), pointsman_core::embed::EmbeddingError>(())
    /// ```
    pub fn tokenize(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        scan(&mut Cutter::plain(&self.wordpiece), text, &mut ids);
        ids
    }

    /// Writes the unit vector of the whole text and returns its number of tokens.
    ///
    /// Without a token the vector is zero. Allocates nothing; linear in the text, so cap what may be long with
    /// [`embed_window_into`](Self::embed_window_into).
    pub fn embed_into(&self, text: &str, out: &mut [f32; DIM]) -> usize {
        let mut mean = Mean::new(&self.weights, out);
        scan(&mut Cutter::plain(&self.wordpiece), text, &mut mean);
        mean.finish()
    }

    /// Writes the unit vector of the text's first 384 and last 128 tokens and returns how many were used.
    ///
    /// Equal to [`embed_into`](Self::embed_into) up to 512 tokens. Never reads more than the first
    /// [`HEAD_BYTES`] and the last [`TAIL_BYTES`], so a megabyte costs what 32 KB do.
    ///
    /// A text is often embedded twice in a row, by the cache and by the decision: each thread remembers its last few.
    pub fn embed_window_into(&self, text: &str, out: &mut [f32; DIM]) -> usize {
        self.embed_window(Cutter::plain(&self.wordpiece), None, text, out)
    }

    /// As [`embed_window_into`](Self::embed_window_into) for the shipped embedding, with what was cut before: `cuts`
    /// must never have been another's.
    pub(crate) fn embed_window_with(
        &self,
        words: &mut PlainWords,
        cuts: &mut Cuts,
        text: &str,
        out: &mut [f32; DIM],
    ) -> usize {
        let cutter = Cutter {
            wordpiece: &self.wordpiece,
            cuts: Some(cuts),
        };
        self.embed_window(cutter, Some(words), text, out)
    }

    /// Asks for what the cut of a word of ASCII letters and digits will read first.
    pub(crate) fn prefetch(&self, word: Packed) {
        self.wordpiece.prefetch(word.lower_of_alphanumeric());
    }

    /// Emits the ids of a word of `n` ASCII letters and digits.
    pub(crate) fn each_id(&self, word: Packed, n: usize, emit: impl FnMut(u32)) {
        self.wordpiece
            .cut_packed(word.lower_of_alphanumeric(), n, emit);
    }

    fn embed_window(
        &self,
        cutter: Cutter<'_>,
        words: Option<&mut PlainWords>,
        text: &str,
        out: &mut [f32; DIM],
    ) -> usize {
        if !recent::is_worth_it(text) {
            return self.embed_anew(cutter, words, text, out);
        }
        recent::get(self.number, text, out).unwrap_or_else(|| {
            let n_tokens = self.embed_anew(cutter, words, text, out);
            recent::put(self.number, text, n_tokens, out);
            n_tokens
        })
    }

    #[inline(never)]
    fn embed_anew(
        &self,
        mut cutter: Cutter<'_>,
        mut words: Option<&mut PlainWords>,
        text: &str,
        out: &mut [f32; DIM],
    ) -> usize {
        let window = window::Window::of(&mut cutter, &mut words, text);
        let (rows, ids) = (self.weights.rows(), window.ids());
        out.fill(0.0);
        for batch in ids.chunks(MOST_ROWS) {
            rows.add(batch, out);
        }
        make_unit(out);
        ids.len()
    }
}

/// Sums the rows of the ids it takes.
///
/// Ids are gathered before their rows are added, which keeps the scan and the sum each in a tight loop and gives the
/// rows time to come from memory.
struct Mean<'a> {
    rows: Rows<'a>,
    sum: &'a mut [f32; DIM],
    batch: [u32; BATCH],
    n_batch: usize,
    n_tokens: usize,
}

/// Ids gathered before their rows are added.
const BATCH: usize = MOST_ROWS;

impl<'a> Mean<'a> {
    fn new(weights: &'a Weights, sum: &'a mut [f32; DIM]) -> Self {
        sum.fill(0.0);
        Self {
            rows: weights.rows(),
            sum,
            batch: [0; BATCH],
            n_batch: 0,
            n_tokens: 0,
        }
    }

    fn flush(&mut self) {
        self.rows.add(&self.batch[..self.n_batch], self.sum);
        self.n_tokens += self.n_batch;
        self.n_batch = 0;
    }

    fn finish(mut self) -> usize {
        self.flush();
        make_unit(self.sum);
        self.n_tokens
    }
}

/// Makes a sum of rows unit length, which the mean's division would not change; zero stays zero.
pub(crate) fn make_unit(sum: &mut [f32; DIM]) {
    let square = squared_norm(sum);
    if square > 0.0 {
        let scale = square.sqrt().recip();
        sum.iter_mut().for_each(|x| *x *= scale);
    }
}

impl Sink for Mean<'_> {
    #[inline]
    fn push(&mut self, id: u32) {
        self.rows.prefetch(id);
        self.batch[self.n_batch] = id;
        self.n_batch += 1;
        if self.n_batch == BATCH {
            self.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rows_begin_with_a_line_of_a_cache() -> Result<(), EmbeddingError> {
        let rows = Embedding::builtin()?.weights.rows();
        assert_eq!(rows.values.as_ptr().addr() % 64, 0);
        Ok(())
    }
}
