//! `Tap`: something callable that looks on at the emissions of a pattern, while it is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyWeakrefReference;

use crate::shared::Shared;
use crate::taps::Kind;
use crate::wave::PyWave;

/// A callable that is called with each wave of a pattern; see `Medium.tap`.
///
/// The medium holds it weakly, so that a callable which holds its medium is found by the collector.
#[pyclass(frozen, weakref, name = "Tap", module = "aether._native")]
pub struct PyTap {
    shared: Arc<Shared>,
    watch: Py<PyAny>,
    /// 0 until it is there.
    number: AtomicU64,
}

impl PyTap {
    pub fn open(
        py: Python<'_>,
        shared: &Arc<Shared>,
        pattern: &Bound<'_, PyAny>,
        watch: Py<PyAny>,
    ) -> PyResult<Py<Self>> {
        shared.home.enter()?;
        let pattern = shared.pattern(pattern)?;
        let shared = Arc::clone(shared);
        let tap = Bound::new(py, Self { shared, watch, number: AtomicU64::new(0) })?;
        let kind = Kind::Watch(PyWeakrefReference::new(tap.as_any())?.unbind());
        let number = tap.get().shared.taps.add(py, pattern, kind);
        tap.get().number.store(number, Relaxed);
        Ok(tap.unbind())
    }
}

#[pymethods]
impl PyTap {
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        wave: &Bound<'py, PyWave>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.watch.bind(py).call1((wave,))
    }

    /// Ends it; a second time does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.home.enter()?;
        self.shared.taps.remove(py, self.number.load(Relaxed));
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.watch)
    }
}

impl Drop for PyTap {
    fn drop(&mut self) {
        // A child of a fork leaves its parent's locks alone.
        if self.shared.home.is_here() {
            let number = self.number.load(Relaxed);
            Python::try_attach(|py| self.shared.taps.remove(py, number));
        }
    }
}
