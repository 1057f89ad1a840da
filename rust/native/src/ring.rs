//! `Ring`: keeps the waves of a pattern for somebody who looks at them later.
//!
//! Contract:
//! - It keeps so many waves at most, until they are taken out. What comes meanwhile is counted, and let be: nothing is
//!   dropped in the thread that emits, which never waits for whoever looks.
//! - It is shown every channel, those that the library derives too, as nothing is emitted here.
//! - Like the waves that wait in a mailbox, those in it keep their payloads alive.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

use crate::guarded::Guarded;
use crate::shared::Shared;
use crate::taps::Kind;
use crate::wave::PyWave;

/// What the taps and whoever looks have in common.
pub struct Kept {
    size: usize,
    waves: Guarded<Vec<Py<PyWave>>>,
    /// How many are in it, to be asked without the lock.
    count: AtomicUsize,
    missed: AtomicU64,
}

impl Kept {
    /// Whether there is room; if not, one more was missed.
    #[inline]
    pub fn has_room(&self) -> bool {
        let room = self.count.load(Relaxed) < self.size;
        if !room {
            self.missed.fetch_add(1, Relaxed);
        }
        room
    }

    /// Puts a wave in. What several threads put in at once may be a few more than there is room for.
    pub fn put(&self, wave: &Bound<'_, PyWave>) {
        self.waves.with(wave.py(), |waves| {
            waves.push(wave.clone().unbind());
            self.count.store(waves.len(), Relaxed);
        });
    }
}

/// The last waves of a pattern, up to a number; see `Medium.ring`.
#[pyclass(frozen, name = "Ring", module = "aether._native")]
pub struct PyRing {
    shared: Arc<Shared>,
    kept: Arc<Kept>,
    number: u64,
}

impl PyRing {
    pub fn open(
        py: Python<'_>,
        shared: &Arc<Shared>,
        pattern: &Bound<'_, PyAny>,
        size: usize,
    ) -> PyResult<Self> {
        shared.home.enter()?;
        let pattern = shared.pattern(pattern)?;
        let kept = Arc::new(Kept {
            size,
            waves: Guarded::default(),
            count: AtomicUsize::new(0),
            missed: AtomicU64::new(0),
        });
        let number = shared.taps.add(py, pattern, Kind::Ring(Arc::clone(&kept)));
        Ok(Self { shared: Arc::clone(shared), kept, number })
    }

    fn empty(&self, py: Python<'_>) -> Vec<Py<PyWave>> {
        self.kept.waves.with(py, |waves| {
            self.kept.count.store(0, Relaxed);
            mem::take(waves)
        })
    }
}

#[pymethods]
impl PyRing {
    /// Takes the waves out, in the order in which they came, with how many there was no room for since the last time.
    fn take(&self, py: Python<'_>) -> PyResult<(Vec<Py<PyWave>>, u64)> {
        self.shared.home.enter()?;
        let missed = self.kept.missed.swap(0, Relaxed);
        Ok((self.empty(py), missed))
    }

    /// Ends it; a second time does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.home.enter()?;
        self.shared.taps.remove(py, self.number);
        drop(self.empty(py));
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if !self.shared.home.is_here() {
            return Ok(());
        }
        // If somebody holds the lock, less is reported than there is: it only lives longer.
        self.kept
            .waves
            .look(|waves| waves.iter().try_for_each(|wave| visit.call(wave)))
            .unwrap_or(Ok(()))
    }

    fn __clear__(&self) {
        if self.shared.home.is_here() {
            Python::attach(|py| drop(self.empty(py)));
        }
    }
}

impl Drop for PyRing {
    fn drop(&mut self) {
        // A child of a fork leaves its parent's locks alone.
        if self.shared.home.is_here() {
            Python::try_attach(|py| {
                self.shared.taps.remove(py, self.number);
                drop(self.empty(py));
            });
        }
    }
}
