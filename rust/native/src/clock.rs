//! `ManualClock`: time that a test moves by hand, and the threads and loops that wait for a moment of it.

use std::sync::{Arc, Weak};

use aether_core::clock::{Clock, ManualClock};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

use crate::guarded::Guarded;
use crate::numbers;
use crate::waker::Gate;

/// A clock that stands still until it is moved: for tests of what happens in time.
///
/// Give it to a medium: the timestamps of what is emitted, `ttl`, fading, delays and timeouts go by it.
/// What ends the medium, `drain` and `aclose`, goes by the loop's clock, and so does `settle`.
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
    /// What is called when it has been moved.
    followers: Guarded<Vec<Py<PyAny>>>,
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
        let clock = Arc::new(ManualClock::new(start));
        Ok(Self { clock, gates: Guarded::default(), followers: Guarded::default() })
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
        let followers = self
            .followers
            .with(py, |all| all.iter().map(|one| one.clone_ref(py)).collect::<Vec<_>>());
        for one in followers {
            one.call0(py)?;
        }
        Ok(shown)
    }

    /// Calls a function each time that the clock has been moved, in the thread that moves it.
    fn follow(&self, py: Python<'_>, follower: Py<PyAny>) {
        self.followers.with(py, |all| all.push(follower));
    }

    /// Calls it no more.
    fn unfollow(&self, py: Python<'_>, follower: Py<PyAny>) {
        let gone = self.followers.with(py, |all| {
            all.iter().position(|one| one.is(&follower)).map(|at| all.swap_remove(at))
        });
        drop(gone);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // If somebody holds the lock, less is reported than there is: it only lives longer.
        let visited = self.followers.look(|all| all.iter().try_for_each(|one| visit.call(one)));
        visited.unwrap_or(Ok(()))
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.followers.with(py, std::mem::take));
    }
}
