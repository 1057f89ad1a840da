//! What a field held at one moment, as buffers that Python's libraries read in place.
//!
//! A [`PyColumn`] exports its rows through the buffer protocol, read-only and one-dimensional: numpy, pyarrow
//! and `memoryview` read the memory that was written in the emit path. The rows never change, and stay as long
//! as anybody holds the buffer; see `aether_physics::field`.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use aether_physics::field::{Cells, Column, Window};
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyMemoryView, PyString, PyTuple};

use crate::channel::channel_object;

/// What a field held at one moment.
#[pyclass(frozen, name = "Window", module = "aether._native")]
pub struct PyWindow(pub Window);

/// One column of a window: a read-only buffer.
#[pyclass(frozen, name = "Column", module = "aether._native")]
struct PyColumn {
    window: Window,
    column: Column,
    /// What the buffer's `shape` and `strides` point to.
    rows: ffi::Py_ssize_t,
    bytes_each: ffi::Py_ssize_t,
}

/// The `Channel` of a name that a medium has admitted.
pub fn channel_of(py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
    channel_object(&PyString::new(py, name))
}

#[pymethods]
impl PyWindow {
    /// `timestamp`, `amplitude`, `phase`, `frequency`, `channel` and `sequence`, read-only.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyMemoryView>>> {
        [
            Column::Timestamp,
            Column::Amplitude,
            Column::Phase,
            Column::Frequency,
            Column::Channel,
            Column::Sequence,
        ]
        .into_iter()
        .map(|column| {
            let column = Bound::new(py, PyColumn::new(self.0.clone(), column))?;
            PyMemoryView::from(column.as_any())
        })
        .collect()
    }

    /// The channels by number.
    fn channels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let channels = self.0.channels().iter().map(|name| channel_of(py, name));
        PyTuple::new(py, channels.collect::<PyResult<Vec<_>>>()?)
    }

    /// Windows of one field that are equal here have the same channels.
    #[getter]
    fn naming(&self) -> (u32, usize) {
        self.0.naming()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}

impl PyColumn {
    fn new(window: Window, column: Column) -> Self {
        let bytes_each = if column == Column::Channel { 4 } else { 8 };
        let rows = window.len().try_into().expect("no memory is larger");
        Self { window, column, rows, bytes_each }
    }

    /// What Python calls the type of a row.
    fn format(&self) -> &'static CStr {
        match self.column {
            Column::Channel => c"I",
            Column::Sequence => c"Q",
            _ => c"d",
        }
    }

    /// Where the rows begin.
    fn start(&self) -> *mut c_void {
        match self.window.cells(self.column) {
            Cells::Wide(cells) => cells.as_ptr().cast_mut().cast(),
            Cells::Narrow(cells) => cells.as_ptr().cast_mut().cast(),
        }
    }
}

#[pymethods]
impl PyColumn {
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("there is no Py_buffer to fill"));
        }
        let this = slf.get();
        let asked = |flag: c_int| flags & flag == flag;
        if asked(ffi::PyBUF_WRITABLE) {
            // SAFETY: the caller's, to be filled.
            unsafe { (*view).obj = ptr::null_mut() };
            return Err(PyBufferError::new_err(
                "the columns of a field are read-only; copy what you want to change",
            ));
        }
        let size = |flag, size: &ffi::Py_ssize_t| {
            if asked(flag) { ptr::from_ref(size).cast_mut() } else { ptr::null_mut() }
        };
        let format = if asked(ffi::PyBUF_FORMAT) { this.format().as_ptr() } else { ptr::null() };
        let filled = ffi::Py_buffer {
            buf: this.start(),
            obj: slf.as_ptr(),
            len: this.rows * this.bytes_each,
            itemsize: this.bytes_each,
            readonly: 1,
            ndim: 1,
            format: format.cast_mut(),
            shape: size(ffi::PyBUF_ND, &this.rows),
            strides: size(ffi::PyBUF_STRIDES, &this.bytes_each),
            suboffsets: ptr::null_mut(),
            internal: ptr::null_mut(),
        };
        // SAFETY: the caller's, to be filled. It owns the reference to this object from here on, which keeps
        // the window, and no row of a window is written again. `shape` and `strides` point into the object,
        // which does not move. Nobody writes through any of these pointers, as the buffer is read-only.
        unsafe { *view = filled };
        std::mem::forget(slf);
        Ok(())
    }
}
