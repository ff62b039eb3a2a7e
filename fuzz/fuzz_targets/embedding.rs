//! Weights and a vocabulary of any bytes are refused or embed any text; so does the shipped embedding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pointsman_core::embed::{DIM, Embedding};

fuzz_target!(|input: (Vec<u8>, u8, String, String)| {
    let (bytes, n_rows, vocab, text) = input;
    _ = Embedding::from_bytes(bytes.clone(), &vocab);
    // A header that is right, so that what stands behind it is reached.
    let n = usize::from(n_rows % 8) + 1;
    let (rows, scales) = (n * DIM, n * DIM + 4 * n);
    let header = format!(
        r#"{{"rows":{{"dtype":"I8","shape":[{n},{DIM}],"data_offsets":[0,{rows}]}},"scale":{{"dtype":"F32","shape":[{n}],"data_offsets":[{rows},{scales}]}}}}"#
    );
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(
        bytes
            .iter()
            .copied()
            .cycle()
            .take(if bytes.is_empty() { 0 } else { scales }),
    );
    let shipped = Embedding::builtin().expect("the shipped embedding loads");
    let loaded = Embedding::from_bytes(file, &vocab);
    for embedding in loaded.iter().chain([shipped]) {
        let mut vector = [0.0; DIM];
        embedding.embed_window_into(&text, &mut vector);
        let square: f32 = vector.iter().map(|x| x * x).sum();
        assert!(square.is_finite() || std::ptr::from_ref(embedding) != std::ptr::from_ref(shipped));
    }
});
