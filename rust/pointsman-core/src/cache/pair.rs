//! The numbers that the posterior sees of a pair of texts.

use super::guard::compare;
use super::reading::Reading;

/// Names of the features, in order.
pub const PAIR_FEATURES: [&str; N_PAIR_FEATURES] = [
    "constant",
    "similarity",
    "light_share",
    "reworded_share",
    "is_moved",
    "log_n_matched",
    "gerund_share",
    "soft_share",
];
/// Length of a pair's feature row.
pub const N_PAIR_FEATURES: usize = 8;

/// The features of a pair that the guard lets pass, `None` if it does not: see [`PAIR_FEATURES`].
///
/// `similarity` is the cosine of the two embeddings.
///
/// # Example
///
/// ```
/// use pointsman_core::cache::{Reading, pair_features};
///
/// let (a, b) = (Reading::new("List 3 facts about Mars."), Reading::new("Give me 3 facts about Mars."));
/// assert!(pair_features(&a, &b, 0.95).is_some());
/// ```
pub fn pair_features(
    stored: &Reading,
    asked: &Reading,
    similarity: f32,
) -> Option<[f32; N_PAIR_FEATURES]> {
    let (alignment, is_moved) = compare(stored, asked).ok()?;
    let n_matched = alignment.n_matched as f32;
    Some([
        1.0,
        scaled(similarity),
        alignment.n_light() as f32 / n_matched.max(1.0),
        alignment.n_reworded as f32 / n_matched.max(1.0),
        f32::from(u8::from(is_moved)),
        n_matched.ln_1p(),
        alignment.n_gerunds as f32 / n_matched.max(1.0),
        alignment.n_soft() as f32 / n_matched.max(1.0),
    ])
}

/// The row of the same pair, had it another similarity.
pub(super) fn with_similarity(
    mut row: [f32; N_PAIR_FEATURES],
    similarity: f32,
) -> [f32; N_PAIR_FEATURES] {
    row[1] = scaled(similarity);
    row
}

fn scaled(similarity: f32) -> f32 {
    (similarity - 0.9) * 10.0
}
