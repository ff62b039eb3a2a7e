//! What the bytes of a plain word tell each of its readers.

use crate::byte_map::Packed;
use crate::embed::Embedding;
use crate::grams::KeptGloss;
use crate::markers;
use crate::plain_words::{Known, Lesson, PlainWords};
use crate::tokens;

/// Plain words as all readers of features know them.
pub(crate) fn plain_words() -> PlainWords {
    PlainWords::new(Lesson { prefetch, learn })
}

fn prefetch(word: Packed, n: usize) {
    tokens::prefetch(word, n);
    if let Ok(embedding) = Embedding::builtin() {
        embedding.prefetch(word);
    }
}

#[inline(never)]
fn learn(word: Packed, n: usize, is_operator: bool) -> Option<Known> {
    let gloss = KeptGloss::of(&word.folded().bytes()[..n], true, is_operator)?;
    let (places, pairs) = markers::places(word, n);
    let mut known = Known {
        own: gloss.own,
        themes: gloss.themes,
        bucket: gloss.bucket,
        places,
        pairs,
        n_tokens: tokens::of_word(word, n),
        ..Known::default()
    };
    let mut is_whole = known.keep_pieces(gloss.pieces());
    let embedding = Embedding::builtin().ok()?;
    embedding.each_id(word, n, |id| is_whole &= known.keep_id(id));
    is_whole.then_some(known)
}
