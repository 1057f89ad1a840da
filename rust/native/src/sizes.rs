//! How large payloads are, as far as that can be known without running anybody's code.

use std::sync::OnceLock;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTuple,
};

use crate::here::imported;

/// Bytes of a payload; `None`: of an object, which may refer to anything.
///
/// Those of `bytes`, `bytearray`, `memoryview`, an array of numpy and the characters of a `str`; a number is as large as
/// its object, and `None` is nothing.
#[pyfunction]
pub fn payload_size(payload: &Bound<'_, PyAny>) -> Option<u64> {
    if let Ok(bytes) = payload.cast_exact::<PyBytes>() {
        return Some(bytes.as_bytes().len() as u64);
    }
    if payload.is_none() {
        return Some(0);
    }
    let holds = payload.is_exact_instance_of::<PyDict>()
        || payload.is_exact_instance_of::<PyList>()
        || payload.is_exact_instance_of::<PyTuple>();
    if holds {
        return None;
    }
    if payload.is_exact_instance_of::<PyString>() {
        let beside = size_of_no_text(payload.py())?;
        return object_size(payload).map(|size| size.saturating_sub(beside));
    }
    if let Ok(bytes) = payload.cast_exact::<PyByteArray>() {
        return Some(bytes.len() as u64);
    }
    let number = payload.is_exact_instance_of::<PyInt>()
        || payload.is_exact_instance_of::<PyFloat>()
        || payload.is_exact_instance_of::<PyBool>();
    if number {
        return object_size(payload);
    }
    // A view may have been released: then it is an error.
    let sized = payload.is_exact_instance_of::<PyMemoryView>() || is_array(payload);
    if sized { payload.getattr(intern!(payload.py(), "nbytes")).and_then(|size| size.extract()).ok() } else { None }
}

fn object_size(object: &Bound<'_, PyAny>) -> Option<u64> {
    object.call_method0(intern!(object.py(), "__sizeof__")).and_then(|size| size.extract()).ok()
}

/// What a text takes beside its characters is the same for all.
fn size_of_no_text(py: Python<'_>) -> Option<u64> {
    static SIZE: OnceLock<u64> = OnceLock::new();
    if SIZE.get().is_none() {
        _ = SIZE.set(object_size(&PyString::new(py, ""))?);
    }
    SIZE.get().copied()
}

/// Whether it is an array of numpy, which nobody has imported for this.
fn is_array(object: &Bound<'_, PyAny>) -> bool {
    let class = object.get_type();
    let py = object.py();
    let numpy = imported(intern!(py, "numpy")).ok().flatten();
    let array = numpy.and_then(|numpy| numpy.getattr(intern!(py, "ndarray")).ok());
    array.is_some_and(|array| class.is(&array))
}
