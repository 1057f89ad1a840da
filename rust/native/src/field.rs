//! `Field`: the native half of `aether.physics.Field`, which records while it is held.

use std::sync::Arc;

use aether_core::clock::Clock;
use aether_core::medium::Phase;
use aether_physics::field::{Field, MAX_SIZE, Window};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::{Closed, count, forked, number};
use crate::fork;
use crate::medium::PyMedium;
use crate::taps::{Kind, Taps};
use crate::window::{PyWindow, channel_of};

/// The native half of a field. It outlives its medium.
#[pyclass(frozen, subclass, weakref, name = "Field", module = "aether._native")]
pub struct PyField {
    taps: Arc<Taps>,
    number: u64,
    size: usize,
    clock: Clock,
    /// In which process, counted by forks, it was made.
    generation: u32,
}

/// From how many rows on a sum lets other threads run meanwhile.
const LONG: usize = 1 << 16;

impl PyField {
    fn ask<R>(&self, py: Python<'_>, ask: impl FnOnce(&mut Field) -> R) -> PyResult<R> {
        if self.generation != fork::generation() {
            return Err(forked());
        }
        Ok(self.taps.ask(py, self.number, ask).expect("a field is there while it is held"))
    }

    fn sum<R: Send>(&self, py: Python<'_>, sum: impl FnOnce(&Window) -> R + Send) -> PyResult<R> {
        let window = self.ask(py, Field::window)?;
        if window.len() < LONG { Ok(sum(&window)) } else { Ok(py.detach(|| sum(&window))) }
    }
}

#[pymethods]
impl PyField {
    #[new]
    #[pyo3(signature = (medium, pattern, size))]
    fn py_new(
        medium: &Bound<'_, PyMedium>,
        pattern: &Bound<'_, PyAny>,
        size: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let (py, shared) = (medium.py(), &medium.get().shared);
        shared.home.enter()?;
        let pattern = shared.pattern(pattern)?;
        let rows = count("size", 1, size)?;
        if rows > MAX_SIZE {
            return Err(PyValueError::new_err(format!(
                "size must be in 1..{MAX_SIZE}, not {rows}; a wave takes 44 bytes, and there is room for twice \
                 as many"
            )));
        }
        if shared.medium.phase() == Phase::Closed {
            return Err(Closed::new_err(format!(
                "the medium is closed: no wave will come into a field of {:?}; make a new medium",
                pattern.as_str()
            )));
        }
        let number = shared.taps.add(py, pattern, Kind::Field(Field::new(rows)));
        Ok(Self {
            taps: Arc::clone(&shared.taps),
            number,
            size: rows,
            clock: shared.medium.clock().clone(),
            generation: fork::generation(),
        })
    }

    /// How many waves it keeps at most.
    #[getter]
    fn size(&self) -> usize {
        self.size
    }

    /// How many waves it has recorded, those that it keeps no more among them.
    #[getter]
    fn recorded(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask(py, |field| field.recorded())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.ask(py, |field| field.len())
    }

    /// What it holds at this moment.
    fn window(&self, py: Python<'_>) -> PyResult<PyWindow> {
        Ok(PyWindow(self.ask(py, Field::window)?))
    }

    /// The sum of the squares of the amplitudes.
    fn total_energy(&self, py: Python<'_>) -> PyResult<f64> {
        self.sum(py, Window::energy)
    }

    /// The same by channel, the loudest first.
    fn energies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let energies = self.sum(py, |window| {
            let named = window.channels().iter().zip(window.energies());
            let mut energies: Vec<_> =
                named.filter_map(|(name, energy)| Some((Arc::clone(name), energy?))).collect();
            energies.sort_by(|(_, a), (_, b)| b.total_cmp(a));
            energies
        })?;
        let by_channel = PyDict::new(py);
        for (name, energy) in energies {
            by_channel.set_item(channel_of(py, &name)?, energy)?;
        }
        Ok(by_channel)
    }

    /// Waves per second over the last seconds, by the medium's clock.
    fn rate_over(&self, py: Python<'_>, window: &Bound<'_, PyAny>) -> PyResult<f64> {
        let seconds = number("window", Some(window))?.unwrap_or_default();
        if !(seconds > 0.0 && seconds.is_finite()) {
            return Err(PyValueError::new_err(format!(
                "window must be a number of seconds above 0, not {seconds}"
            )));
        }
        let now = self.clock.unix();
        self.sum(py, |window| window.rate(now, seconds))
    }
}

impl Drop for PyField {
    fn drop(&mut self) {
        // A child of a fork leaves its parent's locks alone.
        if self.generation == fork::generation() {
            Python::try_attach(|py| self.taps.remove(py, self.number));
        }
    }
}
