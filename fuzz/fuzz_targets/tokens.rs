//! A count never exceeds the bytes of a text, and is 0 only of none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pointsman_core::tokens::{TokenFamily, count};

fuzz_target!(|input: (String, u16)| {
    let (piece, n) = input;
    // Long ones too, which are sampled or merged by a heap.
    let text = piece.repeat(1 + usize::from(n) % 64);
    for family in [
        TokenFamily::O200k,
        TokenFamily::Cl100k,
        TokenFamily::Claude3,
    ] {
        let counted = count(family, &text);
        assert_eq!(counted.n_tokens == 0, text.is_empty());
        assert!(counted.relative_error.is_finite());
        if counted.is_exact {
            assert!(counted.n_tokens <= text.len());
        }
    }
});
