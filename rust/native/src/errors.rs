//! The mapping of errors to Python: written once, here.
//!
//! The classes are Python's own, in `aether.errors`, because some of them have two bases. Each is a
//! type here too: `Closed::new_err(message)` makes an error of it. What needs more than a message
//! has a function.

use aether_core::channel::Fault;
use pyo3::PyTypeInfo;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PySlice, PyString};

use crate::channel::channel_class;
use crate::here::Here;
use crate::refusals::explanation_class;
use crate::waker::set_if_pending;

pyo3::import_exception!(aether.errors, AetherError);
pyo3::import_exception!(aether.errors, ChannelError);
pyo3::import_exception!(aether.errors, Closed);
pyo3::import_exception!(aether.errors, Deadlock);
pyo3::import_exception!(aether.errors, EndOfStream);
pyo3::import_exception!(aether.errors, ForkedMedium);
pyo3::import_exception!(aether.errors, JournalError);
pyo3::import_exception!(aether.errors, JournalFailed);
pyo3::import_exception!(aether.errors, JournalFull);
pyo3::import_exception!(aether.errors, NoReceiver);
pyo3::import_exception!(aether.errors, PayloadError);
pyo3::import_exception!(aether.errors, RequestFailed);
pyo3::import_exception!(aether.errors, WouldBlock);
pyo3::import_exception!(aether.errors, WrongLoop);

/// Imports now what native code will need of the package: while the interpreter ends, nothing is imported.
#[pyfunction]
pub fn import_ahead(py: Python<'_>) -> PyResult<()> {
    for class in [
        AetherError::type_object(py),
        ChannelError::type_object(py),
        Closed::type_object(py),
        Deadlock::type_object(py),
        EndOfStream::type_object(py),
        ForkedMedium::type_object(py),
        JournalError::type_object(py),
        JournalFailed::type_object(py),
        JournalFull::type_object(py),
        NoReceiver::type_object(py),
        PayloadError::type_object(py),
        RequestFailed::type_object(py),
        WouldBlock::type_object(py),
        WrongLoop::type_object(py),
    ] {
        drop(class);
    }
    channel_class(py)?;
    explanation_class(py)?;
    set_if_pending(py)?;
    // Whoever asks where it runs looks into `sys.modules`.
    Here::find(py)?;
    Ok(())
}

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

/// A number that was given for `what`, or the `TypeError` that names it.
#[inline]
pub fn number(what: &str, given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<f64>> {
    let Some(given) = given else { return Ok(None) };
    match given.cast_exact::<PyFloat>() {
        Ok(float) => Ok(Some(float.value())),
        Err(_) => other_number(what, given).map(Some),
    }
}

#[cold]
fn other_number(what: &str, given: &Bound<'_, PyAny>) -> PyResult<f64> {
    match given.extract::<f64>() {
        Ok(number) => Ok(number),
        // An int beyond any float.
        Err(error) if error.is_instance_of::<PyOverflowError>(given.py()) => {
            Ok(if given.lt(0)? { f64::NEG_INFINITY } else { f64::INFINITY })
        }
        Err(error) if error.is_instance_of::<PyTypeError>(given.py()) => {
            Err(type_error(what, "a number", given))
        }
        Err(error) => Err(error),
    }
}

/// How many may be taken: 1 or more; more than there can be means all.
pub fn at_most(what: &str, given: &Bound<'_, PyAny>) -> PyResult<usize> {
    let huge = given.is_instance_of::<PyInt>() && given.gt(i32::MAX)?;
    if huge { Ok(i32::MAX as usize) } else { count(what, 1, given) }
}

/// A count that was given for `what`, at least `least`.
pub fn count(what: &str, least: usize, given: &Bound<'_, PyAny>) -> PyResult<usize> {
    if !given.is_instance_of::<PyInt>() || given.is_instance_of::<PyBool>() {
        return Err(type_error(what, "an int", given));
    }
    let fits = given.extract::<i32>().ok().and_then(|count| usize::try_from(count).ok());
    fits.filter(|&count| count >= least).ok_or_else(|| {
        PyValueError::new_err(format!("{what} must be in {least}..{}, not {given}", i32::MAX))
    })
}

/// An amount that was given for `what`: 0 or more; more than there can be is as much as there can.
pub fn amount(what: &str, given: &Bound<'_, PyAny>) -> PyResult<u64> {
    if !given.is_instance_of::<PyInt>() || given.is_instance_of::<PyBool>() {
        return Err(type_error(what, "an int", given));
    }
    if given.lt(0)? {
        return Err(PyValueError::new_err(format!("{what} must be 0 or more, not {given}")));
    }
    Ok(given.extract().unwrap_or(u64::MAX))
}

/// Seconds to wait that were given for `what`; `None` for ever, also where that is what was given.
pub fn seconds(what: &str, given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<f64>> {
    let Some(seconds) = number(what, given)? else { return Ok(None) };
    if seconds.is_nan() || seconds < 0.0 {
        return Err(PyValueError::new_err(format!(
            "{what} must be a number of seconds, 0 or more, not {seconds}"
        )));
    }
    Ok(seconds.is_finite().then_some(seconds))
}

/// Does something where an error may be pending that is somebody else's, such as in a deallocation.
pub fn quietly(py: Python<'_>, act: impl FnOnce()) {
    let pending = PyErr::take(py);
    act();
    if let Some(pending) = pending {
        pending.restore(py);
    }
}
