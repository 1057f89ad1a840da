//! `Watch`: shows an engine what a tap sees, and emits what it finds.
//!
//! Contract:
//! - It runs in the thread that emits, right after the wave was admitted. What goes wrong here never reaches
//!   the emitter.
//! - What is found goes out on `physics.<kind>.<channel>`, which may exceed the medium's limits, with the
//!   detection as payload. Nobody waits for that: where a mailbox that blocks is full, or the medium takes no
//!   more waves, it is dropped and counted. No watch is shown it.
//! - A wave that the engine's `key` emits, while it is asked about another, is not shown to the same watch: a
//!   key that emits where it watches would never end.

use std::sync::Arc;
use std::thread::{self, ThreadId};

use aether_core::channel::check_channel;
use aether_core::medium::Emission;
use aether_core::router::Hint;
use aether_core::wave::Strength;
use aether_physics::detect::Pattern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyString;
use smallvec::SmallVec;

use crate::channel::{channel_object, text};
use crate::context::is_inside;
use crate::detect::PyEngine;
use crate::errors::channel_error;
use crate::guarded::{Counter, Guarded};
use crate::medium::PyMedium;
use crate::shared::Shared;
use crate::waker::Aftermath;
use crate::wave::{Hands, Held, PyWave};

/// Called with each wave of a pattern: the native half of `aether.Watch`.
#[pyclass(frozen, name = "Watcher", module = "aether._native")]
pub struct PyWatcher {
    shared: Arc<Shared>,
    engine: Py<PyEngine>,
    /// The threads that ask the engine's key just now.
    asking: Guarded<SmallVec<[ThreadId; 4]>>,
    waves: Counter,
    skipped: Counter,
    found: Counter,
    dropped: Counter,
}

/// A thread that asks; it ends with this.
struct Asking<'a, 'py>(&'a PyWatcher, Python<'py>);

impl Drop for Asking<'_, '_> {
    fn drop(&mut self) {
        let me = thread::current().id();
        self.0.asking.with(self.1, |asking| asking.retain(|thread| *thread != me));
    }
}

impl PyWatcher {
    /// Goes in, unless this thread is inside already.
    fn ask<'py>(&self, py: Python<'py>) -> Option<Asking<'_, 'py>> {
        let me = thread::current().id();
        let fresh = self.asking.with(py, |asking| {
            let fresh = !asking.contains(&me);
            if fresh {
                asking.push(me);
            }
            fresh
        });
        fresh.then_some(Asking(self, py))
    }

    /// Emits what was found; false if somebody did not get it.
    fn tell(
        &self,
        channel: &Bound<'_, PyAny>,
        pattern: Pattern,
        detection: Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let (py, shared) = (channel.py(), &*self.shared);
        let name = format!("physics.{}.{}", pattern.name(), text(channel)?);
        check_channel(&name, shared.limits.derived())
            .map_err(|fault| channel_error(&name, &fault))?;
        let derived = channel_object(&PyString::new(py, &name))?;
        let Ok(strength) = Strength::new(1.0).hop(&shared.tuning.rules(py)) else {
            return Ok(false);
        };
        let timestamp = shared.medium.clock().unix();
        let wave = PyWave::new(py, derived, detection.unbind(), None, strength, timestamp, None);
        let wave = Held(wave.into_object(py)?);
        let emission = Emission {
            channel: &name,
            amplitude: strength.amplitude,
            priority: strength.priority,
            lifetime: f64::INFINITY,
            emitter: 0,
            inside: is_inside(py, shared),
            require: 0,
            weight: 0,
        };
        let (mut hint, mut after) = (Hint::default(), Aftermath::default());
        let outcome = shared.medium.emit(&emission, &mut hint, None, &wave, &Hands(py), &mut after);
        if let Ok(sent) = &outcome {
            shared.time_admission(sent.sequence, f64::NAN);
            shared.tap(py, &wave, sent.sequence);
        }
        shared.settle(py, after);
        Ok(outcome.is_ok_and(|sent| sent.reasons.is_none()))
    }
}

#[pymethods]
impl PyWatcher {
    #[new]
    fn new(medium: &Bound<'_, PyMedium>, engine: Py<PyEngine>) -> Self {
        Self {
            shared: Arc::clone(&medium.get().shared),
            engine,
            asking: Guarded::default(),
            waves: Counter::new(),
            skipped: Counter::new(),
            found: Counter::new(),
            dropped: Counter::new(),
        }
    }

    fn __call__(&self, wave: &Bound<'_, PyWave>) -> PyResult<()> {
        let py = wave.py();
        let engine = self.engine.get();
        let asking = if engine.asks() {
            let Some(asking) = self.ask(py) else {
                self.skipped.next(py);
                return Ok(());
            };
            Some(asking)
        } else {
            None
        };
        self.waves.next(py);
        let channel = wave.get().channel.bind(py);
        let found = engine.look(channel, wave)?;
        drop(asking);
        if let Some((pattern, detection)) = found {
            self.found.next(py);
            if !self.tell(channel, pattern, detection).inspect_err(|_| {
                self.dropped.next(py);
            })? {
                self.dropped.next(py);
            }
        }
        Ok(())
    }

    /// Waves shown to the engine, waves of its own key that were not, found, and of these dropped.
    fn counters(&self) -> (u64, u64, u64, u64) {
        (self.waves.get(), self.skipped.get(), self.found.get(), self.dropped.get())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)
    }
}
