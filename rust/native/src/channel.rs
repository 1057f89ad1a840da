//! Names between Python and the core: the text of a `str`, the relations of patterns, and
//! `aether.channel.Channel` objects.
//!
//! A `str` from outside is checked by the limits that people have. A `Channel` has been checked
//! when it was made, by these limits or by its medium's, so it is read with the widest there are.

use aether_core::channel::{Limits, Pattern, check_channel, check_token, relate};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};

use crate::errors::{channel_error, type_error, unreadable};

/// Every name that some medium admits is within these.
pub const WIDEST: Limits =
    Limits { max_tokens: Limits::DEFAULT.max_tokens, max_bytes: u16::MAX as usize }.derived();

/// The text of a name. Anything but a `str` is a `TypeError`, a lone surrogate a `ChannelError`.
#[inline]
pub fn text<'a>(name: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    match name.cast::<PyString>() {
        Ok(string) => string.to_str().map_err(|error| unreadable(string, error)),
        Err(_) => Err(type_error("a channel", "a str", name)),
    }
}

/// The `Channel` of a name that is known to be sound: the object itself if it is one. Nothing is
/// checked.
pub fn channel_object(name: &Bound<'_, PyString>) -> PyResult<Py<PyAny>> {
    static NEW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = name.py();
    let class = channel_class(py)?;
    if name.is_exact_instance(class) {
        return Ok(name.clone().into_any().unbind());
    }
    let new = NEW.get_or_try_init(py, || {
        py.get_type::<PyString>().getattr(intern!(py, "__new__")).map(Bound::unbind)
    })?;
    new.call1(py, (class, exact(name)?))
}

/// The name as a plain `str`, if it is a sound channel or pattern.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub fn check_pattern<'py>(name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let text = text(name)?;
    // Nearly every name is concrete, and that check allocates nothing.
    if check_channel(text, Limits::DEFAULT).is_err() {
        Pattern::parse(text, Limits::DEFAULT).map_err(|fault| channel_error(text, &fault))?;
    }
    exact(name.cast()?)
}

/// The name as a plain `str`, if it is one literal token.
#[pyfunction]
#[pyo3(name = "check_token", signature = (name, /))]
pub fn literal_token<'py>(name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let text = text(name)?;
    check_token(text, Limits::DEFAULT).map_err(|fault| channel_error(text, &fault))?;
    exact(name.cast()?)
}

/// The canonical spelling, and whether there is a wildcard.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub fn parse_pattern(name: &Bound<'_, PyAny>) -> PyResult<(String, bool)> {
    let pattern = pattern(name)?;
    Ok((pattern.canonical().to_owned(), !pattern.is_concrete()))
}

/// The `Channel` of a name that a medium has checked, by limits of its own.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub fn restore_channel(name: &Bound<'_, PyString>) -> PyResult<Py<PyAny>> {
    channel_object(name)
}

/// Whether every channel of the second is one of the first.
#[pyfunction]
#[pyo3(signature = (first, second, /))]
pub fn covers(first: &Bound<'_, PyAny>, second: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(relate::covers(&pattern(first)?, &pattern(second)?))
}

/// Whether some channel belongs to both.
#[pyfunction]
#[pyo3(signature = (first, second, /))]
pub fn overlaps(first: &Bound<'_, PyAny>, second: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(relate::overlaps(&pattern(first)?, &pattern(second)?))
}

/// Reads a channel or pattern.
pub fn pattern(name: &Bound<'_, PyAny>) -> PyResult<Pattern> {
    let checked = name.is_exact_instance(channel_class(name.py())?);
    let limits = if checked { WIDEST } else { Limits::DEFAULT };
    let text = text(name)?;
    Pattern::parse(text, limits).map_err(|fault| channel_error(text, &fault))
}

/// `aether.channel.Channel`.
pub fn channel_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "aether.channel", "Channel")
}

/// The name as a plain `str`: the object itself unless its class is derived. `str.__new__` would
/// ask a derived class for its `__str__`, which may say something else than was checked.
pub fn exact<'py>(name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
    if name.is_exact_instance_of::<PyString>() {
        return Ok(name.clone());
    }
    Ok(PyString::new(name.py(), name.to_str()?))
}
