//! Plain Python values: strings, lists and mappings, lent and not copied; errors name the path.

use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{
    PyBool, PyDict, PyFloat, PyInt, PyIterator, PyList, PyMapping, PyString, PyTuple,
};

use crate::error::invalid;

/// A string that Python owns.
pub(crate) type Text = PyBackedStr;

/// Schemas nested deeper than this are cut: nothing real is, and the stack is finite.
const MAX_DEPTH: usize = 64;

/// Collects every key and scalar of nested JSON, depth first.
pub(crate) fn collect(
    value: &Bound<'_, PyAny>,
    path: &str,
    found: &mut Vec<Text>,
    depth: usize,
) -> PyResult<()> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    if value.is_instance_of::<PyString>() {
        found.push(text(value, path)?);
    } else if let Ok(map) = value.cast::<PyDict>() {
        for (key, item) in map {
            collect(&key, path, found, depth + 1)?;
            collect(&item, path, found, depth + 1)?;
        }
    } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        for item in value.try_iter()? {
            collect(&item?, path, found, depth + 1)?;
        }
    } else if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        found.push(text(value.str()?.as_any(), path)?);
    } else if !value.is_none() && !value.is_instance_of::<PyBool>() {
        return Err(invalid(path, type_name(value), "give plain JSON values"));
    }
    Ok(())
}

/// The entry of a mapping, dict or not; `None` if it lacks it.
pub(crate) fn lookup<'py>(
    map: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    path: &dyn Fn() -> String,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Ok(dict) = map.cast::<PyDict>() {
        return dict.get_item(name);
    }
    if map.cast::<PyMapping>().is_ok() {
        let found = map.call_method1(intern!(map.py(), "get"), (name,))?;
        return Ok(Some(found).filter(|found| !found.is_none()));
    }
    Err(invalid(path(), type_name(map), "give an object"))
}

pub(crate) fn get<'py>(
    map: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    path: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    lookup(map, name, &|| path.to_owned())
}

/// Iterates a list or other sequence; a string or mapping is none.
pub(crate) fn items<'py>(list: &Bound<'py, PyAny>, path: &str) -> PyResult<Bound<'py, PyIterator>> {
    let is_list = !list.is_instance_of::<PyString>() && !list.is_instance_of::<PyDict>();
    let iterator = if is_list { list.try_iter().ok() } else { None };
    iterator.ok_or_else(|| invalid(path, type_name(list), "give a list"))
}

pub(crate) fn texts(list: &Bound<'_, PyAny>, path: &str) -> PyResult<Vec<Text>> {
    items(list, path)?.map(|item| text(&item?, path)).collect()
}

pub(crate) fn optional_texts(list: &Bound<'_, PyAny>, path: &str) -> PyResult<Option<Vec<Text>>> {
    if list.is_none() {
        Ok(None)
    } else {
        texts(list, path).map(Some)
    }
}

pub(crate) fn optional_text(value: &Bound<'_, PyAny>, path: &str) -> PyResult<Option<Text>> {
    if value.is_none() {
        Ok(None)
    } else {
        text(value, path).map(Some)
    }
}

pub(crate) fn text(value: &Bound<'_, PyAny>, path: &str) -> PyResult<Text> {
    text_at(value, &|| path.to_owned())
}

/// The string, lent; a lone surrogate is no text.
pub(crate) fn text_at(value: &Bound<'_, PyAny>, path: &dyn Fn() -> String) -> PyResult<Text> {
    let Ok(string) = value.cast::<PyString>() else {
        return Err(invalid(path(), type_name(value), "give a string"));
    };
    PyBackedStr::try_from(string.clone()).map_err(|error| {
        if error.is_instance_of::<PyUnicodeEncodeError>(value.py()) {
            let remedy = "remove the lone surrogate (decode with errors=\"replace\")";
            return invalid(path(), "text that is not valid Unicode", remedy);
        }
        error
    })
}

pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    value
        .get_type()
        .name()
        .map_or_else(|_| "an object".to_owned(), |name| format!("of type {name}"))
}
