//! Which wave is being handled: the ambient cause of what a handler emits, and the pass of a handler in a
//! medium that drains.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::sync::PyOnceLock;

use crate::shared::Shared;
use crate::wave::PyWave;

/// Whether any handler has run in this program: until then nobody asks the context.
static HANDLERS: AtomicBool = AtomicBool::new(false);

/// A handler at work on a wave; the value of the context variable.
#[pyclass(frozen, name = "Handling", module = "aether._native")]
pub struct PyHandling {
    wave: Py<PyWave>,
    /// The address of the medium's shared part, to compare with.
    medium: usize,
}

impl PyHandling {
    pub fn new(shared: &Shared, wave: Py<PyWave>) -> Self {
        HANDLERS.store(true, Ordering::Relaxed);
        Self { wave, medium: ptr::from_ref(shared) as usize }
    }
}

#[pymethods]
impl PyHandling {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.wave)
    }
}

/// The context variable, made once.
pub fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = VARIABLE.get_or_try_init(py, || {
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        PyResult::Ok(class.call1(("aether_handling",))?.unbind())
    })?;
    Ok(made.bind(py))
}

/// What the running code handles, if it runs in a handler.
#[inline]
fn handling(py: Python<'_>) -> Option<Bound<'_, PyHandling>> {
    if !HANDLERS.load(Ordering::Relaxed) {
        return None;
    }
    let variable = variable(py).ok()?;
    let mut value = ptr::null_mut();
    // SAFETY: attached; `variable` is a `ContextVar`, `value` a place to write to. What comes back is
    // null or a new reference.
    let found = unsafe {
        ffi::PyContextVar_Get(variable.as_ptr(), ptr::null_mut(), &raw mut value);
        Bound::from_owned_ptr_or_opt(py, value)
    };
    found?.cast_into().ok()
}

/// The wave that the running handler handles.
#[inline]
pub fn handled(py: Python<'_>) -> Option<Py<PyWave>> {
    handling(py).map(|handling| handling.get().wave.clone_ref(py))
}

/// Whether the running code is a handler of this medium.
#[inline]
pub fn is_inside(py: Python<'_>, shared: &Shared) -> bool {
    handling(py).is_some_and(|handling| handling.get().medium == ptr::from_ref(shared) as usize)
}
