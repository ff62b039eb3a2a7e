//! The rows of an embedding: int8 with a scale each, read from safetensors, summed by the token.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;

use super::kernel::{MOST_STEPS, Rows};
use super::{DIM, EmbeddingError};
use crate::simd;

/// Longest header read, in bytes; the shipped one has 368.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// `n` rows of [`DIM`] int8 with a scale each: `row = rows * scale`, the scales rounded to 1 / 16,384 of the largest.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    file: Cow<'static, [u8]>,
    rows: Range<usize>,
    steps: Vec<i16>,
    unit: f32,
}

/// One entry of the safetensors header.
#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

impl Weights {
    /// Reads the tensors `rows` (`i8[n, 256]`) and `scale` (`f32[n]`); borrows the rows, copies the scales.
    pub(super) fn from_safetensors(file: Cow<'static, [u8]>) -> Result<Self, EmbeddingError> {
        let (header, data) = header(&file)?;
        let rows = tensor(&header, "rows", "I8", 1, &file, data)?;
        let scale = tensor(&header, "scale", "F32", 4, &file, data)?;
        let scales: Vec<f32> = file[scale]
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        if rows.len() != scales.len() * DIM || scales.is_empty() {
            let problem = format!(
                "{} values are not {} rows of {DIM}",
                rows.len(),
                scales.len()
            );
            return Err(EmbeddingError::Tensor {
                name: "rows",
                problem,
            });
        }
        if let Some(at) = scales.iter().position(|s| !s.is_finite() || *s < 0.0) {
            return Err(EmbeddingError::Tensor {
                name: "scale",
                problem: format!(
                    "scale[{at}] is {}: it must be finite and not negative",
                    scales[at]
                ),
            });
        }
        let largest = scales.iter().copied().fold(0.0, f32::max);
        let unit = largest.max(f32::MIN_POSITIVE) / f32::from(MOST_STEPS);
        let steps = scales.iter().map(|scale| (scale / unit).round() as i16);
        Ok(Self {
            steps: steps.collect(),
            file,
            rows,
            unit,
        })
    }

    /// Number of rows.
    pub(super) fn n_rows(&self) -> usize {
        self.steps.len()
    }

    /// The rows, ready to be added.
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows {
            values: simd::rows(&self.file[self.rows.clone()]),
            steps: &self.steps,
            unit: self.unit,
        }
    }
}

/// The parsed header and where the data begins.
fn header(file: &[u8]) -> Result<(HashMap<String, serde_json::Value>, usize), EmbeddingError> {
    let refuse = |problem: String| EmbeddingError::Header { problem };
    let length = file
        .first_chunk::<8>()
        .map(|bytes| u64::from_le_bytes(*bytes))
        .ok_or_else(|| refuse(format!("{} bytes are no safetensors file", file.len())))?;
    if length > MAX_HEADER_BYTES {
        return Err(refuse(format!(
            "claims {length} bytes, at most {MAX_HEADER_BYTES} are read"
        )));
    }
    let end = 8 + length as usize;
    let text = file.get(8..end).ok_or_else(|| {
        refuse(format!(
            "claims {length} bytes, the file has {}",
            file.len()
        ))
    })?;
    let header = serde_json::from_slice(text).map_err(|error| refuse(error.to_string()))?;
    Ok((header, end))
}

/// Where the named tensor's bytes stand in the file, once its type, shape and place are checked.
fn tensor(
    header: &HashMap<String, serde_json::Value>,
    name: &'static str,
    dtype: &str,
    item_bytes: usize,
    file: &[u8],
    data: usize,
) -> Result<Range<usize>, EmbeddingError> {
    let refuse = |problem: String| EmbeddingError::Tensor { name, problem };
    let entry = header
        .get(name)
        .ok_or_else(|| refuse("is missing".into()))?;
    let tensor = Tensor::deserialize(entry).map_err(|error| refuse(error.to_string()))?;
    if tensor.dtype != dtype {
        return Err(refuse(format!("dtype is {}, not {dtype}", tensor.dtype)));
    }
    let (start, end) = tensor.data_offsets;
    let n_bytes = tensor
        .shape
        .iter()
        .try_fold(item_bytes, |n, side| n.checked_mul(*side));
    if end.checked_sub(start) != n_bytes || n_bytes.is_none() {
        let shape = &tensor.shape;
        return Err(refuse(format!(
            "bytes {start}..{end} do not hold shape {shape:?}"
        )));
    }
    if end > file.len() - data {
        let got = file.len() - data;
        return Err(refuse(format!(
            "ends at byte {end}, the file has {got} of data"
        )));
    }
    Ok(data + start..data + end)
}
