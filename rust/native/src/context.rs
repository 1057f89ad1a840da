//! Which wave is being handled: the ambient cause of what a handler emits, and the pass of a handler in a
//! medium that drains.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aether_core::times::is_timed;
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
    /// The number of the medium.
    medium: u64,
    /// The handler has ended; what it has started goes on in its context.
    over: AtomicBool,
    /// The bits of the monotonic second at which it has begun; NaN: it has not, or nobody wants to know.
    begun: AtomicU64,
    /// Under which number its vibrator is counted.
    counted_as: u32,
}

impl PyHandling {
    /// The handler has ended.
    pub fn end(&self, shared: &Shared) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(times) = &shared.times {
            let begun = f64::from_bits(self.begun.load(Ordering::Relaxed));
            if !begun.is_nan() {
                times.handled(self.counted_as, shared.medium.clock().monotonic() - begun);
            }
        }
    }

    pub fn new(shared: &Shared, wave: Py<PyWave>, counted_as: u32) -> Self {
        HANDLERS.store(true, Ordering::Relaxed);
        let (medium, over) = (shared.number, AtomicBool::new(false));
        let begun = AtomicU64::new(f64::NAN.to_bits());
        let handling = Self { wave, medium, over, begun, counted_as };
        handling.begin(shared);
        handling
    }

    /// It does not begin yet; until it does, it takes no time.
    pub fn stand(&self, shared: &Shared) {
        if shared.times.is_some() {
            self.begun.store(f64::NAN.to_bits(), Ordering::Relaxed);
        }
    }

    /// It begins now.
    pub fn begin(&self, shared: &Shared) {
        let timed = || is_timed(self.wave.get().sequence.load(Ordering::Relaxed));
        if shared.times.is_some() && timed() {
            self.begun.store(shared.begun().to_bits(), Ordering::Relaxed);
        }
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

/// What the running code handles, if it runs in a handler of this medium.
#[inline]
fn handling<'py>(py: Python<'py>, shared: &Shared) -> Option<Bound<'py, PyHandling>> {
    if HANDLERS.load(Ordering::Relaxed) { find_handling(py, shared) } else { None }
}

#[inline(never)]
fn find_handling<'py>(py: Python<'py>, shared: &Shared) -> Option<Bound<'py, PyHandling>> {
    let variable = variable(py).ok()?;
    let mut value = ptr::null_mut();
    // SAFETY: attached; `variable` is a `ContextVar`, `value` a place to write to. What comes back is
    // null or a new reference.
    let found = unsafe {
        ffi::PyContextVar_Get(variable.as_ptr(), ptr::null_mut(), &raw mut value);
        Bound::from_owned_ptr_or_opt(py, value)
    };
    let handling = found?.cast_into::<PyHandling>().ok()?;
    let at_work = !handling.get().over.load(Ordering::Relaxed);
    (at_work && handling.get().medium == shared.number).then_some(handling)
}

/// The wave that the running handler handles.
#[inline]
pub fn handled(py: Python<'_>, shared: &Shared) -> Option<Py<PyWave>> {
    handling(py, shared).map(|handling| handling.get().wave.clone_ref(py))
}

/// Whether the running code is a handler of this medium.
#[inline]
pub fn is_inside(py: Python<'_>, shared: &Shared) -> bool {
    handling(py, shared).is_some()
}
