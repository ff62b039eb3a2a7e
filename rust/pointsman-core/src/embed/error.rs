//! Why an embedding could not be loaded.

/// Why weights or a vocabulary were refused: what was wrong, the value seen and the remedy.
///
/// # Example
///
/// ```
/// use pointsman_core::embed::{Embedding, EmbeddingError};
///
/// let error = Embedding::from_bytes(b"no weights".as_slice(), "[UNK]").unwrap_err();
/// assert!(matches!(error, EmbeddingError::Header { .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddingError {
    /// The safetensors header does not fit the file or is not the JSON it should be.
    #[error("embedding header: {problem}")]
    Header {
        /// What is wrong, with the value seen.
        problem: String,
    },
    /// A tensor is missing, or of another type, shape or place than expected.
    #[error("embedding tensor {name:?}: {problem}")]
    Tensor {
        /// Name of the tensor: `rows` or `scale`.
        name: &'static str,
        /// What is wrong, with the value seen.
        problem: String,
    },
    /// The vocabulary does not fit the rows.
    #[error("embedding vocabulary: {problem}")]
    Vocabulary {
        /// What is wrong, with the value seen.
        problem: String,
    },
}
