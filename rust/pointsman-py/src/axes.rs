//! `axis_features`: what the heads of the task classifier see, for those who train them.

use pointsman_core::Features;
use pyo3::prelude::*;

use crate::request;

/// Dense features, buckets of n-grams and their weights.
#[pyfunction]
pub(crate) fn axis_features(
    request: &Bound<'_, PyAny>,
) -> PyResult<(Vec<f32>, Vec<u32>, Vec<f32>)> {
    let features = Features::extract(&request::extract(request)?);
    let (buckets, weights) = features.grams().unzip();
    Ok((features.dense().to_vec(), buckets, weights))
}
