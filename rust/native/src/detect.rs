//! `Engine`: the native half of `PhysicsEngine`: what it is told of a wave, and the `Detection` it gives.

use aether_core::channel::check_channel;
use aether_physics::detect::{Config, Engine, Finding, Pattern, Seen, Undone};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt, PyString, PyTuple, PyType};

use crate::channel::{WIDEST, text};
use crate::digest::{digest, hash_bytes, mix};
use crate::errors::{channel_error, count, number, type_error};
use crate::guarded::{Counter, Guarded};
use crate::ids::WaveId;
use crate::rare::{Undone as Undoes, bad};
use crate::wave::PyWave;

/// Finds patterns in the waves that it is shown: the native half of `aether.PhysicsEngine`.
#[pyclass(frozen, subclass, name = "Engine", module = "aether._native")]
pub struct PyEngine {
    engine: Guarded<Engine<WaveId>>,
    /// What says what a wave is about.
    key: Option<Py<PyAny>>,
    key_errors: Counter,
}

/// What a wave is about.
enum Key<'py> {
    Payload(u64),
    Chosen(Bound<'py, PyAny>, u64),
    Nothing,
}

impl Key<'_> {
    const fn hash(&self) -> Option<u64> {
        match self {
            Self::Payload(hash) | Self::Chosen(_, hash) => Some(*hash),
            Self::Nothing => None,
        }
    }

    /// How it is shown.
    fn text(&self) -> Option<String> {
        match self {
            Self::Chosen(key, _)
                if key.is_exact_instance_of::<PyString>()
                    || key.is_exact_instance_of::<PyInt>() =>
            {
                Some(key.to_string())
            }
            Self::Payload(hash) | Self::Chosen(_, hash) => Some(format!("{hash:016x}")),
            Self::Nothing => None,
        }
    }
}

impl PyEngine {
    /// Whether Python code is asked what a wave is about.
    pub const fn asks(&self) -> bool {
        self.key.is_some()
    }

    /// Shows it a wave on a channel that is sound; what that completes, as a `Detection`, and its pattern. An
    /// error is none of `Exception`, as the end of the program.
    pub fn look<'py>(
        &self,
        channel: &Bound<'py, PyAny>,
        wave: &Bound<'py, PyWave>,
    ) -> PyResult<Option<(Pattern, Bound<'py, PyAny>)>> {
        let py = wave.py();
        let key = self.key_of(wave)?;
        let shown = wave.get();
        let seen = Seen {
            channel: channel.hash()? as u64,
            key: key.hash(),
            source: shown
                .source
                .as_ref()
                .map(|source| source.bind(py).hash())
                .transpose()?
                .map(|hash| hash as u64),
            wave: shown.wave_id(),
            time: shown.timestamp,
            amplitude: shown.strength.amplitude,
            phase: shown.phase(),
            undoes: shown.undoes().map(to_undo),
        };
        match self.engine.with(py, |engine| engine.see(seen)) {
            None => Ok(None),
            Some(finding) => {
                let made = detection(channel, shown, &key, &finding)?;
                Ok(Some((finding.evidence.pattern(), made)))
            }
        }
    }

    fn key_of<'py>(&self, wave: &Bound<'py, PyWave>) -> PyResult<Key<'py>> {
        let py = wave.py();
        let Some(choose) = &self.key else {
            return Ok(Key::Payload(digest(wave.get().payload.bind(py))));
        };
        match choose.bind(py).call1((wave,)) {
            Ok(key) if key.is_none() => Ok(Key::Nothing),
            Ok(key) => {
                let hash = digest(&key);
                Ok(Key::Chosen(key, hash))
            }
            Err(error) if error.is_instance_of::<PyException>(py) => {
                self.key_errors.next(py);
                Ok(Key::Nothing)
            }
            Err(error) => Err(error),
        }
    }
}

fn to_undo(undoes: &Undoes) -> Undone<WaveId> {
    let name = match &undoes.id {
        WaveId::Local(generation, number) => mix(u64::from(*generation), *number),
        WaveId::Foreign(text) => hash_bytes(text.as_bytes()),
    };
    Undone {
        name,
        wave: undoes.id.clone(),
        time: undoes.timestamp,
        amplitude: undoes.amplitude,
        phase: undoes.phase,
    }
}

/// `aether.physics.detection.Detection`.
#[cold]
fn detection<'py>(
    channel: &Bound<'py, PyAny>,
    wave: &PyWave,
    key: &Key<'_>,
    finding: &Finding<WaveId>,
) -> PyResult<Bound<'py, PyAny>> {
    static DETECTION: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static PATTERN: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = channel.py();
    let Finding { evidence, partners } = finding;
    let pattern = PATTERN
        .import(py, "aether.physics.detection", "InterferencePattern")?
        .call1((evidence.pattern().name(),))?;
    let (period, spread) = evidence.period().unzip();
    let partners = PyTuple::new(py, partners.iter().map(WaveId::text))?;
    let explanation = evidence.sentence(text(channel)?);
    let confidence = 1.0 - evidence.chance();
    // Of a burst, no key is what it is about.
    let key = if evidence.pattern() == Pattern::Resonance { None } else { key.text() };
    let rest = (spread, channel, key, wave.wave_id().text(), wave.timestamp);
    let (spread, channel, key, id, timestamp) = rest;
    DETECTION.import(py, "aether.physics.detection", "Detection")?.call1((
        pattern,
        confidence,
        period,
        partners,
        explanation,
        spread,
        channel,
        key,
        id,
        timestamp,
    ))
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (*, key=None, window=None, max_keys=None, max_channels=None))]
    fn py_new(
        key: Option<Bound<'_, PyAny>>,
        window: Option<&Bound<'_, PyAny>>,
        max_keys: Option<&Bound<'_, PyAny>>,
        max_channels: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut config = Config::default();
        if let Some(key) = key.as_ref().filter(|key| !key.is_callable()) {
            return Err(type_error("key", "callable with a wave, or None", key));
        }
        if let Some(window) = number("window", window)? {
            if !(window > 0.0 && window.is_finite()) {
                return Err(bad("window", window, "a finite number of seconds above 0"));
            }
            config.window = window;
        }
        if let Some(given) = max_keys {
            config.keys = count("max_keys", 1, given)?;
        }
        if let Some(given) = max_channels {
            config.channels = count("max_channels", 1, given)?;
        }
        let key = key.map(Bound::unbind);
        Ok(Self { engine: Guarded::new(Engine::new(config)), key, key_errors: Counter::new() })
    }

    /// Shows the engine a wave, and says what that completes.
    ///
    /// Each wave is looked at once, in bounded time. A pattern is told of once an episode, and again
    /// when it has ended and begun anew; a wave completes one at most, and what else is found waits
    /// for the next wave of its kind.
    ///
    /// Args:
    ///     channel: Where the wave was seen: a concrete channel.
    ///     wave: The wave; it is not kept.
    ///
    /// Returns:
    ///     The pattern with its evidence, or `None`.
    ///
    /// Raises:
    ///     ChannelError: The channel breaks a rule, or is a pattern.
    ///     TypeError: An argument is of the wrong type.
    ///
    /// Example:
    ///     >>> from aether import PhysicsEngine, Wave
    ///     >>> engine = PhysicsEngine()
    ///     >>> placed = Wave("orders.placed", {"id": 7}, timestamp=1e9)
    ///     >>> cancelled = Wave("orders.cancelled", {"id": 7}, phase=3.14, timestamp=1e9 + 2)
    ///     >>> engine.detect("orders.placed", placed)
    ///     >>> found = engine.detect("orders.cancelled", cancelled)
    ///     >>> str(found.pattern), found.partners == (placed.id,)
    ///     ('cancellation', True)
    #[pyo3(signature = (channel, wave, /))]
    fn detect<'py>(
        &self,
        channel: &Bound<'py, PyAny>,
        wave: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Ok(wave) = wave.cast::<PyWave>() else {
            return Err(type_error("wave", "a Wave", wave));
        };
        if !wave.get().channel.is(channel) {
            let name = text(channel)?;
            check_channel(name, WIDEST).map_err(|fault| channel_error(name, &fault))?;
        }
        Ok(self.look(channel, wave)?.map(|(_, detection)| detection))
    }

    /// Counters of the engine, by name.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.engine.with(py, |engine| engine.counts());
        let found = PyDict::new(py);
        for (pattern, count) in Pattern::ALL.iter().zip(counts.found) {
            found.set_item(pattern.name(), count)?;
        }
        let all = PyDict::new(py);
        all.set_item("waves", counts.waves)?;
        all.set_item("late", counts.late)?;
        all.set_item("found", found)?;
        all.set_item("key_errors", self.key_errors.get())?;
        all.set_item("keys", counts.keys)?;
        all.set_item("channels", counts.channels)?;
        all.set_item("evicted_keys", counts.evicted_keys)?;
        all.set_item("evicted_channels", counts.evicted_channels)?;
        Ok(all)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.key {
            Some(key) => visit.call(key),
            None => Ok(()),
        }
    }
}
