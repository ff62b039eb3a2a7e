//! The exceptions, and the one road from the core's errors to them.

use pointsman_core::{Error, ErrorKind, Infeasible};
use pyo3::exceptions::{PyException, PyKeyError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::decision::PyInfeasible;

/// The exception types, made once when the module is.
struct Exceptions {
    base: Py<PyType>,
    invalid_input: Py<PyType>,
    unknown_name: Py<PyType>,
    invalid_state: Py<PyType>,
    no_feasible_deployment: Py<PyType>,
}

static EXCEPTIONS: PyOnceLock<Exceptions> = PyOnceLock::new();

fn exceptions<'py>(py: Python<'py>) -> PyResult<&'py Exceptions> {
    EXCEPTIONS.get_or_try_init(py, || {
        let base = new_type(
            py,
            "PointsmanError",
            "Base of everything pointsman raises on purpose.",
            vec![py.get_type::<PyException>()],
        )?;
        let under = |name, doc, other: Vec<Bound<'py, PyType>>| {
            let bases = std::iter::once(base.clone()).chain(other).collect();
            new_type(py, name, doc, bases)
        };
        let value_error = vec![py.get_type::<PyValueError>()];
        let key_error = vec![py.get_type::<PyKeyError>()];
        let unknown_name = under(
            "UnknownName",
            "A name the catalog does not hold.",
            key_error,
        )?;
        // KeyError shows the repr of its message; this one is a sentence.
        unknown_name.setattr("__str__", py.get_type::<PyException>().getattr("__str__")?)?;
        let text = "Saved state that cannot be used.";
        Ok(Exceptions {
            invalid_state: under("InvalidState", text, value_error.clone())?.unbind(),
            invalid_input: under("InvalidInput", "A value the core refuses.", value_error)?
                .unbind(),
            unknown_name: unknown_name.unbind(),
            no_feasible_deployment: under(
                "NoFeasibleDeployment",
                "The constraints exclude every deployment.",
                Vec::new(),
            )?
            .unbind(),
            base: base.unbind(),
        })
    })
}

/// `type(name, bases, {...})`: the macro for exceptions knows one base only.
fn new_type<'py>(
    py: Python<'py>,
    name: &str,
    doc: &str,
    bases: Vec<Bound<'py, PyType>>,
) -> PyResult<Bound<'py, PyType>> {
    let body = PyDict::new(py);
    body.set_item("__module__", "pointsman._native")?;
    body.set_item("__doc__", doc)?;
    let made = py
        .get_type::<PyType>()
        .call1((name, PyTuple::new(py, bases)?, body))?;
    Ok(made.cast_into::<PyType>()?)
}

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let types = exceptions(module.py())?;
    for made in [
        &types.base,
        &types.invalid_input,
        &types.unknown_name,
        &types.invalid_state,
        &types.no_feasible_deployment,
    ] {
        let made = made.bind(module.py());
        module.add(made.name()?, made)?;
    }
    Ok(())
}

/// The core's error on its way to Python; the orphan rule forbids `From` without it.
pub(crate) struct CoreError(pub(crate) Error);

impl From<Error> for CoreError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<CoreError> for PyErr {
    fn from(CoreError(error): CoreError) -> Self {
        Python::attach(|py| match exceptions(py) {
            Ok(types) => {
                let made = match error.kind() {
                    ErrorKind::UnknownName { .. } => &types.unknown_name,
                    ErrorKind::State { .. } => &types.invalid_state,
                    _ => &types.invalid_input,
                };
                PyErr::from_type(made.bind(py).clone(), error.to_string())
            }
            Err(failure) => failure,
        })
    }
}

/// `InvalidInput` for a malformed request.
pub(crate) fn invalid(
    field: impl Into<String>,
    got: impl std::fmt::Display,
    remedy: &str,
) -> PyErr {
    CoreError(Error::invalid(field, got, remedy)).into()
}

/// `NoFeasibleDeployment` with its `.infeasible`.
pub(crate) fn no_feasible(
    py: Python<'_>,
    infeasible: Box<Infeasible>,
) -> PyResult<Bound<'_, PyAny>> {
    let made = exceptions(py)?
        .no_feasible_deployment
        .bind(py)
        .call1((infeasible.message(),))?;
    made.setattr("infeasible", PyInfeasible::new(infeasible))?;
    Ok(made)
}

/// A wrong Python type becomes `InvalidInput`; other errors (a raising property) stay what they are.
pub(crate) fn of_field<'a>(field: &'a str, remedy: &'a str) -> impl Fn(PyErr) -> PyErr + 'a {
    move |error| {
        Python::attach(|py| {
            let is_wrong_type = error.is_instance_of::<PyTypeError>(py);
            let is_wrong_value = error.is_instance_of::<PyValueError>(py)
                || error.is_instance_of::<PyOverflowError>(py);
            if is_wrong_type || is_wrong_value {
                return invalid(field, error.value(py), remedy);
            }
            error
        })
    }
}

/// The same error naming the request's place in a list.
pub(crate) fn within(py: Python<'_>, error: PyErr, index: usize) -> PyErr {
    let is_ours = exceptions(py).is_ok_and(|types| error.is_instance(py, types.base.bind(py)));
    if !is_ours {
        return error;
    }
    PyErr::from_type(
        error.get_type(py),
        format!("requests[{index}].{}", error.value(py)),
    )
}
