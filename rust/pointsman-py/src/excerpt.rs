//! Of a very long text what a decision reads of it: to encode all of it would take longer than to decide.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PySlice, PyString};

/// Characters of a text beyond ASCII from which on it is read in excerpts; more than are read of any.
const MIN_CHARS: usize = 128 << 10;
/// Characters of the start, of the end and of each piece of what lies between.
const N_HEAD: usize = 24 << 10;
const N_TAIL: usize = 8 << 10;
const N_PIECE: usize = 1 << 10;
const N_PIECES: usize = 8;

/// A text in excerpts: its start, pieces of its middle and its end, a line apart.
pub(crate) struct Excerpt<'py> {
    pub(crate) text: Bound<'py, PyString>,
    /// Characters of the whole for each of the excerpt, at least 1.
    pub(crate) scale: f64,
}

/// The excerpt of a text that is long and not ASCII; `None` of any other, which is lent whole or encoded soon enough.
pub(crate) fn excerpt<'py>(text: &Bound<'py, PyString>) -> PyResult<Option<Excerpt<'py>>> {
    let py = text.py();
    let n_chars = text.len()?;
    let is_lent = || text.call_method0(intern!(py, "isascii"))?.is_truthy();
    if n_chars < MIN_CHARS || is_lent()? {
        return Ok(None);
    }
    let stride = (n_chars - N_HEAD - N_TAIL) / N_PIECES;
    let pieces = (0..N_PIECES).map(|i| (N_HEAD + i * stride + stride / 2, N_PIECE));
    let ends = [(0, N_HEAD), (n_chars - N_TAIL, N_TAIL)];
    let places = ends[..1].iter().copied().chain(pieces).chain([ends[1]]);
    let slices = places.map(|(start, n)| slice(text, start, n));
    let slices = PyList::new(py, slices.collect::<PyResult<Vec<_>>>()?)?;
    let joined = PyString::new(py, "\n").call_method1(intern!(py, "join"), (slices,))?;
    let text = joined.cast_into::<PyString>()?;
    let scale = n_chars as f64 / text.len()? as f64;
    Ok(Some(Excerpt { text, scale }))
}

fn slice<'py>(text: &Bound<'py, PyString>, start: usize, n: usize) -> PyResult<Bound<'py, PyAny>> {
    let place = |at: usize| isize::try_from(at).unwrap_or(isize::MAX);
    let slice = PySlice::new(text.py(), place(start), place(start + n), 1);
    text.get_item(slice)
}
