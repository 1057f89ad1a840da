//! `ManualClock`: time that a test moves by hand, and the threads that wait for a moment of it.

use std::sync::{Arc, Weak};

use aether_core::clock::{Clock, ManualClock};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::guarded::Guarded;
use crate::numbers;
use crate::waker::Gate;

/// A clock that stands still until it is moved: for tests of what happens in time.
///
/// Give it to a medium: the timestamps of what is emitted, `ttl` and fading go by it. Timeouts go
/// by the loop's clock.
///
/// Args:
///     start: What it shows first, in Unix seconds: finite.
///
/// Raises:
///     ValueError: `start` is not finite.
///
/// Example:
///     >>> from aether import Aether, ManualClock
///     >>> clock = ManualClock(start=100.0)
///     >>> inbox = Aether(clock=clock).vibrator("inbox")
///     >>> clock.advance(2.5)
///     102.5
#[pyclass(frozen, name = "ManualClock", module = "aether")]
pub struct PyManualClock {
    clock: Arc<ManualClock>,
    /// Threads that wait for a moment of it.
    gates: Guarded<Vec<Weak<Gate>>>,
}

impl PyManualClock {
    /// The same clock, for a medium.
    pub fn shared(&self) -> Clock {
        Clock::Manual(Arc::clone(&self.clock))
    }

    /// Calls a thread when it is moved.
    pub fn call(&self, py: Python<'_>, gate: &Arc<Gate>) {
        self.gates.with(py, |gates| {
            gates.retain(|gate| gate.strong_count() > 0);
            gates.push(Arc::downgrade(gate));
        });
    }
}

#[pymethods]
impl PyManualClock {
    #[new]
    #[pyo3(signature = (start=0.0))]
    fn new(#[pyo3(from_py_with = numbers::start)] start: f64) -> PyResult<Self> {
        if !start.is_finite() {
            return Err(PyValueError::new_err(format!(
                "start must be finite seconds, not {start}"
            )));
        }
        Ok(Self { clock: Arc::new(ManualClock::new(start)), gates: Guarded::default() })
    }

    /// What the clock shows, in seconds.
    fn now(&self) -> f64 {
        self.clock.now()
    }

    /// Moves the clock on.
    ///
    /// Args:
    ///     seconds: By how much: finite, 0 or more.
    ///
    /// Returns:
    ///     What it shows then, in seconds.
    ///
    /// Raises:
    ///     ValueError: `seconds` is negative or not finite.
    fn advance(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = numbers::seconds)] seconds: f64,
    ) -> PyResult<f64> {
        if !(seconds.is_finite() && seconds >= 0.0) {
            return Err(PyValueError::new_err(format!(
                "a clock moves on by a number of seconds, 0 or more, not {seconds}"
            )));
        }
        let shown = self.clock.advance(seconds);
        let gates = self.gates.with(py, |gates| gates.clone());
        gates.iter().filter_map(Weak::upgrade).for_each(|gate| gate.open());
        Ok(shown)
    }
}
