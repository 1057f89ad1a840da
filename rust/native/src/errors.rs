//! The mapping of errors to Python: written once, here.
//!
//! The classes are Python's own, in `aether.errors`, because some of them have two bases. Each is a
//! type here too: `Closed::new_err(message)` makes an error of it. What needs more than a message
//! has a function.

use aether_core::channel::Fault;
use pyo3::PyTypeInfo;
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::{PySlice, PyString};

pyo3::import_exception!(aether.errors, ChannelError);
pyo3::import_exception!(aether.errors, Closed);
pyo3::import_exception!(aether.errors, Deadlock);
pyo3::import_exception!(aether.errors, EndOfStream);
pyo3::import_exception!(aether.errors, ForkedMedium);
pyo3::import_exception!(aether.errors, NoReceiver);
pyo3::import_exception!(aether.errors, RequestFailed);
pyo3::import_exception!(aether.errors, WouldBlock);
pyo3::import_exception!(aether.errors, WrongLoop);

/// `ChannelError` for a name that the core has refused.
#[cold]
pub fn channel_error(name: &str, fault: &Fault) -> PyErr {
    ChannelError::new_err(fault.message(name))
}

/// `TypeError` for an argument of the wrong type: "`what` must be `wanted`, not `<type>`".
#[cold]
pub fn type_error(what: &str, wanted: &str, given: &Bound<'_, PyAny>) -> PyErr {
    match given.get_type().fully_qualified_name() {
        Ok(name) => PyTypeError::new_err(format!("{what} must be {wanted}, not {name}")),
        Err(error) => error,
    }
}

/// `ForkedMedium`: the child of a fork used its parent's medium.
#[cold]
pub fn forked() -> PyErr {
    ForkedMedium::new_err(
        "this medium was used before the process forked; make a new medium in the child, or start \
         processes with 'spawn'",
    )
}

/// What to raise for a `str` that has no UTF-8: `ChannelError` at the token with the lone
/// surrogate. `error` is what the attempt to read it gave; anything but an encoding error is handed on.
#[cold]
pub fn unreadable(name: &Bound<'_, PyString>, error: PyErr) -> PyErr {
    const SHOWN: isize = 96;
    let py = name.py();
    if !error.is_instance(py, &PyUnicodeEncodeError::type_object(py)) {
        return error;
    }
    let described = || -> PyResult<String> {
        let start = error.value(py).getattr("start")?;
        let before: usize = name.call_method1("count", (".", 0, start))?.extract()?;
        let shown = name.get_item(PySlice::new(py, 0, SHOWN, 1))?.repr()?;
        let cut = if name.len()? > SHOWN as usize { "..." } else { "" };
        Ok(format!(
            "channel {shown}{cut}: token {} has a lone surrogate in it, which is no character; \
             decode the bytes it came from with errors='replace'",
            before + 1
        ))
    };
    described().map_or_else(|other| other, ChannelError::new_err)
}
