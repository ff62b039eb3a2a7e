//! The static embedding against its reference, and what holds for any text.

#![allow(clippy::expect_used, clippy::float_cmp)] // Helpers of tests: a panic is the report.

use std::sync::LazyLock;

use pointsman_core::embed::{DIM, Embedding, EmbeddingError, HEAD_TOKENS, TAIL_TOKENS};
use proptest::prelude::*;

static EMBEDDING: LazyLock<&Embedding> = LazyLock::new(|| Embedding::builtin().expect("loads"));

#[derive(serde::Deserialize)]
struct Reference {
    text: String,
    ids: Vec<u32>,
    n_ids: usize,
    vector: Vec<f32>,
}

fn references() -> Vec<Reference> {
    serde_json::from_str(include_str!("../data/embedding/reference.json")).expect("valid JSON")
}

fn embed(text: &str) -> [f32; DIM] {
    let mut vector = [f32::NAN; DIM];
    EMBEDDING.embed_into(text, &mut vector);
    vector
}

fn window(text: &str) -> ([f32; DIM], usize) {
    let mut vector = [f32::NAN; DIM];
    let n_tokens = EMBEDDING.embed_window_into(text, &mut vector);
    (vector, n_tokens)
}

fn assert_close(left: &[f32], right: &[f32], tolerance: f32, text: &str) {
    for (a, b) in left.iter().zip(right) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b} in {text:?}");
    }
}

#[test]
fn reference_ids_are_equal_and_vectors_close() {
    let references = references();
    assert_eq!(references.len(), 25);
    for Reference {
        text,
        ids,
        n_ids,
        vector,
    } in references
    {
        let got = EMBEDDING.tokenize(&text);
        assert_eq!(got.len(), n_ids, "{text:?}");
        assert_eq!(got[..n_ids.min(512)], ids, "{text:?}");
        assert_close(&embed(&text), &vector, 1e-3, &text);
    }
}

#[test]
fn special_tokens_stand_for_themselves_only_when_spelt_out() {
    assert_eq!(EMBEDDING.tokenize("mask[MASK]?"), [7308, 103, 1029]);
    assert_eq!(EMBEDDING.tokenize("[mask]").len(), 3);
    assert_eq!(EMBEDDING.tokenize("[MASK").len(), 2);
}

#[test]
fn dropped_characters_join_what_they_stand_between() {
    assert_eq!(
        EMBEDDING.tokenize("ca\0pi\u{200b}tal"),
        EMBEDDING.tokenize("capital")
    );
}

#[test]
fn words_over_a_hundred_characters_are_unknown() {
    for (c, unknown) in [('a', 100), ('é', 100)] {
        let longest: String = std::iter::repeat_n(c, 100).collect();
        assert!(EMBEDDING.tokenize(&longest).iter().all(|id| *id != unknown));
        assert_eq!(EMBEDDING.tokenize(&format!("{longest}a")), [unknown]);
    }
}

#[test]
fn window_keeps_first_and_last_tokens() {
    let words: Vec<String> = (0..900).map(|i| format!("w{i}ord,")).collect();
    let text = words.join(" ");
    let ids = EMBEDDING.tokenize(&text);
    let kept = [&ids[..HEAD_TOKENS], &ids[ids.len() - TAIL_TOKENS..]].concat();
    let (vector, n_tokens) = window(&text);
    assert_eq!(n_tokens, kept.len());
    let mut wanted = [0.0_f64; DIM];
    for id in &kept {
        // The row of an id, through the vector of the token alone times its length: by linearity of the mean.
        let row = row(*id);
        wanted.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    let norm = wanted.iter().map(|x| x * x).sum::<f64>().sqrt();
    let wanted: Vec<f32> = wanted.iter().map(|x| (x / norm) as f32).collect();
    assert_close(&vector, &wanted, 1e-4, "window");
}

/// The dequantised row of an id, read from the file by hand.
fn row(id: u32) -> Vec<f64> {
    let file = include_bytes!("../data/embedding/embedding.safetensors");
    let data = 8 + u64::from_le_bytes(*file.first_chunk().expect("header")) as usize;
    let id = id as usize;
    let scale = &file[data + 4 * id..][..4];
    let scale = f32::from_le_bytes(scale.try_into().expect("four bytes"));
    let values = &file[data + 4 * 30522 + DIM * id..][..DIM];
    values
        .iter()
        .map(|v| f64::from(i8::from_ne_bytes([*v])) * f64::from(scale))
        .collect()
}

#[test]
fn a_megabyte_without_words_or_spaces_is_bounded() {
    for text in [
        " ".repeat(1 << 20),
        "語".repeat(1 << 19),
        "x".repeat(1 << 20),
        "🙂".repeat(1 << 18),
    ] {
        let (_, n_tokens) = window(&text);
        assert!(n_tokens <= HEAD_TOKENS + TAIL_TOKENS);
    }
}

/// A safetensors file of one row, with the header given.
fn file(header: &str, n_data: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.resize(file.len() + n_data, 0);
    file
}

/// The header of a good file of one row.
const GOOD: &str = r#"{"scale":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"rows":{"dtype":"I8","shape":[1,256],"data_offsets":[4,260]}}"#;

#[test]
fn a_text_embedded_again_has_the_same_vector_and_each_embedding_its_own() {
    let texts: Vec<String> = (0..9)
        .map(|n| format!("Question {n}: {}", "which river is the longest? ".repeat(6)))
        .collect();
    let zero = Embedding::from_bytes(file(GOOD, 260), "[UNK]\n").expect("a good file");
    for at in [0, 1, 2, 0, 0, 1, 3, 4, 5, 6, 0, 7, 8, 8, 4] {
        let (vector, n_tokens) = window(&texts[at]);
        assert_eq!(vector, embed(&texts[at]));
        assert_eq!(n_tokens, EMBEDDING.tokenize(&texts[at]).len());
        let mut other = [f32::NAN; DIM];
        zero.embed_window_into(&texts[at], &mut other);
        assert_eq!(other, [0.0; DIM]);
    }
}

#[test]
fn malformed_files_are_typed_errors() {
    let good = GOOD;
    assert!(Embedding::from_bytes(file(good, 260), "[UNK]\n").is_ok());
    let load = |header: &str, n_data, vocab| {
        Embedding::from_bytes(file(header, n_data), vocab).expect_err("must be refused")
    };
    let is_tensor =
        |error, wanted| matches!(error, EmbeddingError::Tensor { name, .. } if name == wanted);
    assert!(is_tensor(load(good, 259, "[UNK]"), "rows"));
    assert!(is_tensor(
        load(&good.replace("I8", "U8"), 260, "[UNK]"),
        "rows"
    ));
    assert!(is_tensor(
        load(&good.replace("[4,260]", "[260,4]"), 260, "[UNK]"),
        "rows"
    ));
    assert!(is_tensor(
        load(
            &good.replace("[1,256]", "[1,18446744073709551615]"),
            260,
            "[UNK]"
        ),
        "rows"
    ));
    assert!(is_tensor(
        load(
            &good.replace("[0,4]", "[256,260]").replace("[1]", "[2]"),
            260,
            "[UNK]"
        ),
        "scale"
    ));
    assert!(is_tensor(
        load(&good.replace("\"scale\"", "\"scales\""), 260, "[UNK]"),
        "scale"
    ));
    assert!(matches!(
        load("{", 260, "[UNK]"),
        EmbeddingError::Header { .. }
    ));
    assert!(matches!(
        load(good, 260, "[UNK]\na"),
        EmbeddingError::Vocabulary { .. }
    ));
    assert!(matches!(
        load(good, 260, "a"),
        EmbeddingError::Vocabulary { .. }
    ));
    let short = Embedding::from_bytes(vec![255; 9], "[UNK]");
    assert!(matches!(short, Err(EmbeddingError::Header { .. })));
}

/// Text of the kinds that meet: plain words, punctuation, accents, CJK, controls, and any character.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[A-Za-z0-9]{1,20}",
        2 => "[ \t\r\n]{1,3}",
        2 => "[!-/:-@\\[-`{-~]",
        1 => "[àÉñÅß語한か🙂\u{301}\u{200d}\u{0}’—\u{a0}\u{3000}]{1,4}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_vector_is_unit_or_zero(text in any_text()) {
        let vector = embed(&text);
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        let is_empty = EMBEDDING.tokenize(&text).is_empty();
        prop_assert!(if is_empty { norm == 0.0 } else { (norm - 1.0).abs() < 1e-4 }, "norm {norm}");
    }

    #[test]
    fn white_space_around_changes_nothing(text in any_text(), space in "[ \t\r\n\u{a0}\u{2003}]{0,4}") {
        let ids = EMBEDDING.tokenize(&text);
        prop_assert_eq!(EMBEDDING.tokenize(&format!("{space}{text}{space}")), ids);
        prop_assert_eq!(embed(&format!("{text}{space}")), embed(&text));
    }

    #[test]
    fn tokens_of_parts_join_at_white_space(left in any_text(), right in any_text()) {
        let joined = EMBEDDING.tokenize(&format!("{left} {right}"));
        prop_assert_eq!(joined, [EMBEDDING.tokenize(&left), EMBEDDING.tokenize(&right)].concat());
    }

    #[test]
    fn the_fast_road_equals_the_careful_one(words in "[ -~\t\n]{0,200}") {
        // A zero-width space is dropped, but sends every run it stands in down the careful road.
        let careful: String = words.chars().flat_map(|c| [c, '\u{200b}']).collect();
        prop_assert_eq!(EMBEDDING.tokenize(&words), EMBEDDING.tokenize(&careful));
    }

    #[test]
    fn case_and_accents_are_invisible(text in "[a-z ]{0,40}") {
        let loud: String = text.chars().flat_map(|c| [c.to_ascii_uppercase(), if c == ' ' { ' ' } else { '\u{301}' }]).collect();
        prop_assert_eq!(EMBEDDING.tokenize(&loud), EMBEDDING.tokenize(&text));
    }

    #[test]
    fn the_window_of_a_short_text_is_the_whole(text in any_text()) {
        prop_assume!(EMBEDDING.tokenize(&text).len() <= HEAD_TOKENS + TAIL_TOKENS);
        prop_assert_eq!(window(&text).0, embed(&text));
    }

    #[test]
    fn any_bytes_load_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), vocab in ".{0,20}") {
        prop_assert!(Embedding::from_bytes(bytes, &vocab).is_err());
    }
}
