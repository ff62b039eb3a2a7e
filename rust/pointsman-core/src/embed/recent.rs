//! The last few texts that a thread embedded, with their vectors.
//!
//! A memo and nothing else: the vector is the same whether it is found here or made anew.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::DIM;

/// Texts remembered: a system prompt, the last user texts.
const N_RECENT: usize = 4;
/// Shorter texts are embedded as quickly as they are looked for; longer ones are not worth their room. Bytes.
const WORTH_BYTES: std::ops::RangeInclusive<usize> = 128..=32 * 1024;

/// One text and its vector.
struct Recent {
    number: u64,
    text: String,
    n_tokens: usize,
    vector: [f32; DIM],
}

#[derive(Default)]
struct Ring {
    texts: Vec<Recent>,
    oldest: usize,
}

thread_local! {
    static RING: RefCell<Ring> = RefCell::default();
}

/// A number that no other embedding of the process has.
pub(super) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Whether a text is of a length that is remembered.
pub(super) fn is_worth_it(text: &str) -> bool {
    WORTH_BYTES.contains(&text.len())
}

/// Writes the vector of a text that this embedding made in this thread not long ago; its number of tokens.
pub(super) fn get(number: u64, text: &str, out: &mut [f32; DIM]) -> Option<usize> {
    RING.with_borrow(|ring| {
        let is_it = |recent: &&Recent| recent.number == number && recent.text == text;
        let found = ring.texts.iter().find(is_it)?;
        out.copy_from_slice(&found.vector);
        Some(found.n_tokens)
    })
}

/// Remembers a vector in place of the oldest.
pub(super) fn put(number: u64, text: &str, n_tokens: usize, vector: &[f32; DIM]) {
    RING.with_borrow_mut(|ring| {
        if ring.texts.len() < N_RECENT {
            ring.texts.push(Recent {
                number,
                text: text.to_owned(),
                n_tokens,
                vector: *vector,
            });
            return;
        }
        let oldest = ring.oldest;
        ring.oldest = (oldest + 1) % N_RECENT;
        let recent = &mut ring.texts[oldest];
        (recent.number, recent.n_tokens, recent.vector) = (number, n_tokens, *vector);
        recent.text.clear();
        recent.text.push_str(text);
    });
}
