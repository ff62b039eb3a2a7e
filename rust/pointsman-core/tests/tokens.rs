//! Token counts against `tiktoken`'s, and what holds for any text.

#![allow(clippy::expect_used)] // Helpers of tests: a panic is the report.

use pointsman_core::tokens::{EXACT_BYTES, TokenCount, TokenFamily, count, prepare};
use proptest::prelude::*;

const FAMILIES: [TokenFamily; 9] = [
    TokenFamily::O200k,
    TokenFamily::Cl100k,
    TokenFamily::Llama3,
    TokenFamily::Qwen,
    TokenFamily::DeepSeek,
    TokenFamily::Mistral,
    TokenFamily::Claude3,
    TokenFamily::Claude47,
    TokenFamily::Other,
];

/// A text and its counts by `bpe-openai` 0.3.2, which equals `tiktoken`.
#[derive(serde::Deserialize)]
struct Reference {
    text: String,
    o200k: usize,
    cl100k: usize,
}

#[test]
fn openai_counts_equal_the_reference() {
    let references: Vec<Reference> =
        serde_json::from_str(include_str!("../data/tokens/reference.json")).expect("valid JSON");
    assert!(references.len() > 100);
    for Reference {
        text,
        o200k,
        cl100k,
    } in references
    {
        for (family, n_tokens) in [(TokenFamily::O200k, o200k), (TokenFamily::Cl100k, cl100k)] {
            let exact = TokenCount {
                n_tokens,
                is_exact: true,
                relative_error: 0.0,
            };
            assert_eq!(count(family, &text), exact, "{family:?} of {text:?}");
        }
    }
}

#[test]
fn a_long_text_is_sampled_within_the_stated_error() {
    let prompt = include_str!("../benches/prompt.txt");
    let n_prompt = count(TokenFamily::O200k, prompt).n_tokens;
    for n_copies in [8, 30, 100, 900] {
        let sampled = count(TokenFamily::O200k, &prompt.repeat(n_copies));
        let ratio = sampled.n_tokens as f32 / (n_prompt * n_copies) as f32;
        assert!(!sampled.is_exact);
        assert!(
            (ratio - 1.0).abs() <= sampled.relative_error,
            "{ratio} at {n_copies}"
        );
    }
}

#[test]
fn other_families_need_more_tokens_and_say_so() {
    let text = "Summarise the attached report in three sentences, then list open questions.";
    let exact = count(TokenFamily::O200k, text);
    for family in FAMILIES {
        let estimate = family.estimate_from(exact, text);
        assert!(estimate.n_tokens >= exact.n_tokens, "{family:?}");
        assert_eq!(
            estimate.is_exact,
            family == TokenFamily::O200k,
            "{family:?}"
        );
        assert_eq!(
            estimate.relative_error > 0.0,
            !estimate.is_exact,
            "{family:?}"
        );
    }
    let chinese = "請用三句話總結這份報告";
    let wide = count(TokenFamily::Claude3, chinese).relative_error;
    assert!(wide > count(TokenFamily::Claude3, text).relative_error);
}

#[test]
fn preparing_twice_is_free() {
    FAMILIES.into_iter().chain(FAMILIES).for_each(prepare);
}

proptest! {
    #[test]
    fn a_count_lies_between_one_and_the_bytes(text in "\\PC{0,60}|[ -~\r\n\t]{0,300}") {
        for family in [TokenFamily::O200k, TokenFamily::Cl100k] {
            let n_tokens = count(family, &text).n_tokens;
            prop_assert!(n_tokens <= text.len());
            prop_assert_eq!(n_tokens == 0, text.is_empty());
        }
    }

    #[test]
    fn counts_add_up_where_a_line_begins_a_word(lines in prop::collection::vec("[a-z]{1,9}( [a-z]{1,9}){0,9}", 1..20)) {
        // A newline ends a piece, so lines of words count alone as they do together.
        for family in [TokenFamily::O200k, TokenFamily::Cl100k] {
            let alone: usize = lines.iter().map(|line| count(family, line).n_tokens + 1).sum();
            let together = count(family, &(lines.join("\n") + "\n")).n_tokens;
            prop_assert_eq!(together, alone);
        }
    }

    #[test]
    fn any_long_text_is_counted(piece in any::<String>(), n in 1_usize..400) {
        let text = piece.repeat(n);
        for family in FAMILIES {
            let got = count(family, &text);
            prop_assert!(got.relative_error.is_finite());
            prop_assert!(got.n_tokens <= text.len() * 4);
            if family == TokenFamily::O200k {
                prop_assert_eq!(got.is_exact, text.len() <= EXACT_BYTES);
            }
        }
    }
}
