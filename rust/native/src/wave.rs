//! `Wave`: one immutable message. The same object reaches every receiver.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aether_core::channel::{Limits, check_channel};
use aether_core::clock::Clock;
use aether_core::decay::{attenuated, decayed};
use aether_core::medium::Carry;
use aether_core::wave::Strength;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyMappingProxy, PyString, PyTuple, PyType};

use crate::channel::{channel_object, text};
use crate::errors::{channel_error, number, type_error};
use crate::fork;
use crate::guarded::Counter;
use crate::ids::{self, WaveId};
use crate::numbers;
use crate::pickled;
use crate::rare::{Given, Rare, Trail, Undone, bad, checked_amplitude};
use crate::sizes::payload_size;
use crate::wave_object;

/// One immutable message; the same object reaches every receiver.
///
/// ``Wave[Order]`` says to type checkers what it carries, at no cost. A wave is always true; two
/// are equal if they have the same id and count; it pickles if its payload does.
///
/// Args:
///     channel: Where it is to go: a concrete name.
///     payload: Any object, carried by reference and never copied; receivers must not change it.
///     amplitude: How loud it is, 0..1; values outside are clamped.
///     phase: In radians, finite; wrapped to [0, 2π). Without it: 0.0.
///     frequency: In hertz, finite, 0 or more. Without it: 1.0.
///     source: Who emits it; a vibrator sets its own name.
///     headers: Text by name, copied.
///     timestamp: When it was made, in Unix seconds: finite. Without it: now.
///     ttl: Seconds, 0 or more; where it waits and is older, it is dropped as `expired`.
///         Without it: never.
///
/// Raises:
///     ChannelError: The channel breaks a rule, or is a pattern.
///     TypeError: An argument is of the wrong type.
///     ValueError: A number is NaN or out of its range.
///
/// Example:
///     >>> from aether import Wave
///     >>> wave = Wave("orders.created", {"id": 7}, amplitude=0.5, headers={"tenant": "a"})
///     >>> wave.channel, wave.payload, wave.amplitude, wave.sequence
///     ('orders.created', {'id': 7}, 0.5, None)
///     >>> wave.propagate().amplitude
///     0.475
#[pyclass(frozen, generic, name = "Wave", module = "aether")]
pub struct PyWave {
    pub channel: Py<PyAny>,
    pub payload: Py<PyAny>,
    pub source: Option<Py<PyString>>,
    /// What most waves do not have.
    pub rare: Option<Box<Rare>>,
    id: u64,
    /// 0 until a medium admits the wave.
    pub sequence: AtomicU64,
    /// Bytes of the payload and 1; 0 until somebody wants to know.
    weight: AtomicU64,
    pub strength: Strength,
    /// In which process, counted by forks, the wave was made.
    generation: u32,
    /// The collector looks at it.
    pub watched: bool,
    pub timestamp: f64,
}

/// A handle on a wave, as the core's mailboxes hold it.
pub struct Held(pub Py<PyWave>);

/// Multiplies and numbers waves while attached to the interpreter.
pub struct Hands<'py>(pub Python<'py>);

impl Carry<Held> for Hands<'_> {
    #[inline]
    fn share(&self, item: &Held) -> Held {
        Held(item.0.clone_ref(self.0))
    }

    #[inline]
    fn number(&self, item: &Held, sequence: u64) {
        item.0.get().sequence.store(sequence, Ordering::Relaxed);
    }
}

/// A channel to emit on: checked, as a `Channel`.
pub fn concrete(name: &Bound<'_, PyAny>, limits: Limits) -> PyResult<Py<PyAny>> {
    let read = text(name)?;
    check_channel(read, limits).map_err(|fault| channel_error(read, &fault))?;
    channel_object(name.cast()?)
}

/// The last number that a wave was given.
static LAST: Counter = Counter::new();

/// The number of the next wave that is made, unless another thread comes first.
#[inline]
pub fn next_number() -> u64 {
    LAST.get() + 1
}

/// No wave has the next number.
pub fn pass_number(py: Python<'_>) {
    LAST.next(py);
}

impl PyWave {
    /// A wave that was never emitted, with an id of its own.
    #[inline]
    pub fn new(
        py: Python<'_>,
        channel: Py<PyAny>,
        payload: Py<PyAny>,
        source: Option<Py<PyString>>,
        strength: Strength,
        timestamp: f64,
        rare: Option<Box<Rare>>,
    ) -> Self {
        Self {
            channel,
            payload,
            source,
            rare,
            id: LAST.next(py),
            sequence: AtomicU64::new(0),
            weight: AtomicU64::new(0),
            strength,
            generation: fork::generation(),
            watched: false,
            timestamp,
        }
    }

    /// A wave that was admitted before, by this process or another.
    #[allow(clippy::too_many_arguments)] // a wave has as many
    pub fn again(
        channel: Py<PyAny>,
        payload: Py<PyAny>,
        source: Option<Py<PyString>>,
        id: WaveId,
        sequence: u64,
        strength: Strength,
        timestamp: f64,
        mut rare: Option<Box<Rare>>,
    ) -> Self {
        let (generation, id) = match id {
            WaveId::Local(generation, number) => (generation, number),
            WaveId::Foreign(text) => {
                rare.get_or_insert_default().foreign = Some(text);
                (fork::generation(), 0)
            }
        };
        Self {
            channel,
            payload,
            source,
            rare,
            id,
            sequence: AtomicU64::new(sequence),
            weight: AtomicU64::new(0),
            strength,
            generation,
            watched: false,
            timestamp,
        }
    }

    /// A wave to look at the layout of its object.
    pub fn probe(py: Python<'_>) -> Self {
        Self::new(py, py.None(), py.None(), None, Strength::new(1.0), 0.0, None)
    }

    /// Makes the Python object.
    #[inline]
    pub fn into_object(self, py: Python<'_>) -> PyResult<Py<Self>> {
        wave_object::make(py, self)
    }

    /// The same wave, the same id, of another strength; not admitted yet.
    pub fn with(&self, py: Python<'_>, strength: Strength) -> Self {
        Self {
            channel: self.channel.clone_ref(py),
            payload: self.payload.clone_ref(py),
            source: self.source.as_ref().map(|source| source.clone_ref(py)),
            rare: self.rare.as_ref().map(|rare| Box::new(rare.copied(py))),
            id: self.id,
            sequence: AtomicU64::new(0),
            weight: AtomicU64::new(0),
            strength,
            generation: self.generation,
            watched: false,
            timestamp: self.timestamp,
        }
    }

    /// Finds out how large its payload is, unless that is known. Not under a lock.
    pub fn weigh(&self, py: Python<'_>) {
        if self.weight.load(Ordering::Relaxed) == 0 {
            let size = payload_size(self.payload.bind(py)).unwrap_or(0);
            self.fix_weight(size);
        }
    }

    /// Bytes of its payload, as they count where that is limited: from the first time that somebody asks always the same,
    /// whatever becomes of the payload. 0 if nobody has found out by then.
    pub fn weight(&self) -> u64 {
        match self.weight.load(Ordering::Relaxed) {
            0 => self.fix_weight(0),
            known => known - 1,
        }
    }

    fn fix_weight(&self, size: u64) -> u64 {
        let fixed = size.saturating_add(1);
        let known = self.weight.compare_exchange(0, fixed, Ordering::Relaxed, Ordering::Relaxed);
        known.map_or_else(|known| known - 1, |_| fixed - 1)
    }

    /// Its number in the process that made it.
    pub fn number(&self) -> u64 {
        self.id
    }

    #[inline]
    pub fn phase(&self) -> f64 {
        self.rare.as_ref().map_or(0.0, |rare| rare.phase)
    }

    pub fn frequency(&self) -> f64 {
        self.rare.as_ref().and_then(|rare| rare.frequency).unwrap_or(1.0)
    }

    #[inline]
    pub fn ttl(&self) -> Option<f64> {
        self.rare.as_ref().and_then(|rare| rare.ttl)
    }

    /// How many seconds it may still wait.
    pub fn lifetime(&self, clock: &Clock) -> f64 {
        self.ttl().map_or(f64::INFINITY, |ttl| ttl - (clock.unix() - self.timestamp))
    }

    pub fn headers<'py>(&self, py: Python<'py>) -> PyResult<Option<&Bound<'py, PyDict>>> {
        self.rare.as_ref().map_or(Ok(None), |rare| rare.headers.all(py))
    }

    /// Where a wave comes through that this one causes.
    pub fn trail(&self, py: Python<'_>) -> PyResult<Arc<Trail>> {
        let before = self.rare.as_ref().and_then(|rare| rare.trail.as_deref());
        let channel = text(self.channel.bind(py))?;
        Ok(Arc::new(before.unwrap_or(&Trail::default()).extended(channel)))
    }

    /// The so many-th time that its reader gets it.
    #[inline]
    pub fn deliveries(&self) -> u32 {
        self.rare.as_ref().map_or(1, |rare| rare.deliveries.max(1))
    }

    pub fn id_text(&self) -> String {
        match self.foreign() {
            Some(foreign) => foreign.to_string(),
            None => self.own_id().as_str().to_owned(),
        }
    }

    /// The id of a wave that this process has made.
    #[inline]
    pub fn own_id(&self) -> ids::Text {
        ids::Text::of(self.generation, self.id)
    }

    /// Which wave it is.
    #[inline]
    pub fn wave_id(&self) -> WaveId {
        match self.foreign() {
            Some(foreign) => WaveId::Foreign(Arc::clone(foreign)),
            None => WaveId::Local(self.generation, self.id),
        }
    }

    /// What another wave remembers of this one if it undoes it.
    pub fn to_undo(&self) -> Undone {
        Undone {
            id: self.wave_id(),
            timestamp: self.timestamp,
            amplitude: self.strength.amplitude,
            phase: self.phase(),
        }
    }

    #[inline]
    pub fn undoes(&self) -> Option<&Undone> {
        self.rare.as_ref().and_then(|rare| rare.undoes.as_deref())
    }

    /// The id of a wave that came from another process.
    #[inline]
    pub fn foreign(&self) -> Option<&Arc<str>> {
        self.rare.as_ref().and_then(|rare| rare.foreign.as_ref())
    }
}

#[pymethods]
impl PyWave {
    #[new]
    #[pyo3(signature = (channel, payload=None, *, amplitude=1.0, phase=None, frequency=None, source=None,
                        headers=None, timestamp=None, ttl=None))]
    #[allow(clippy::too_many_arguments)] // the public signature
    fn py_new<'py>(
        py: Python<'py>,
        channel: &Bound<'py, PyAny>,
        payload: Option<Py<PyAny>>,
        #[pyo3(from_py_with = numbers::amplitude)] amplitude: f64,
        #[pyo3(from_py_with = numbers::phase)] phase: Option<f64>,
        #[pyo3(from_py_with = numbers::frequency)] frequency: Option<f64>,
        source: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        #[pyo3(from_py_with = numbers::timestamp)] timestamp: Option<f64>,
        #[pyo3(from_py_with = numbers::ttl)] ttl: Option<f64>,
    ) -> PyResult<Py<Self>> {
        let channel = concrete(channel, Limits::DEFAULT)?;
        let strength = Strength::new(checked_amplitude(amplitude)?);
        let rare = Rare::checked(&Given { phase, frequency, ttl, headers })?;
        let timestamp = checked_moment("timestamp", timestamp)?;
        let payload = payload.unwrap_or_else(|| py.None());
        let source = checked_source(source)?;
        Self::new(py, channel, payload, source, strength, timestamp, rare).into_object(py)
    }

    /// A builder: puts a wave together field by field.
    ///
    /// Args:
    ///     channel: Where the wave is to go: a concrete name. It is checked by `build`.
    ///
    /// Example:
    ///     >>> from aether import Wave
    ///     >>> Wave.builder("orders.created").payload({"id": 7}).amplitude(0.5).build().amplitude
    ///     0.5
    #[classmethod]
    fn builder<'py>(
        cls: &Bound<'py, PyType>,
        channel: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        cls.py().import("aether._builder")?.getattr("WaveBuilder")?.call1((channel,))
    }

    /// A prefix of the process and a number: fixed, kept by hops and decay, new by `replace`.
    #[getter(id)]
    fn py_id(&self) -> String {
        self.id_text()
    }

    /// Its number in the medium that admitted it, from 1; `None` before.
    #[getter(sequence)]
    fn py_sequence(&self) -> Option<u64> {
        Some(self.sequence.load(Ordering::Relaxed)).filter(|&sequence| sequence != 0)
    }

    /// Where it goes.
    #[getter(channel)]
    fn py_channel(&self, py: Python<'_>) -> Py<PyAny> {
        self.channel.clone_ref(py)
    }

    /// What it carries; receivers share it and must not change it.
    #[getter(payload)]
    fn py_payload(&self, py: Python<'_>) -> Py<PyAny> {
        self.payload.clone_ref(py)
    }

    /// How loud it is, 0..1.
    #[getter]
    fn amplitude(&self) -> f64 {
        self.strength.amplitude
    }

    /// The amplitude that was given at the first emission, 0..1: hops and causes hand it on.
    #[getter]
    fn priority(&self) -> f64 {
        self.strength.priority
    }

    /// In radians, [0, 2π).
    #[getter(phase)]
    fn py_phase(&self) -> f64 {
        self.phase()
    }

    /// In hertz, 0 or more.
    #[getter(frequency)]
    fn py_frequency(&self) -> f64 {
        self.frequency()
    }

    /// Who emitted it; `None`: the medium itself.
    #[getter(source)]
    fn py_source(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.source.as_ref().map(|source| source.clone_ref(py))
    }

    /// Text by name, read-only; empty if there is none.
    #[getter(headers)]
    fn py_headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMappingProxy>> {
        let headers = self.headers(py)?.map_or_else(|| PyDict::new(py), Clone::clone);
        Ok(PyMappingProxy::new(py, headers.as_mapping()))
    }

    /// How many hops it has behind it: 1 once it was emitted.
    #[getter]
    fn propagation_count(&self) -> u32 {
        self.strength.hops
    }

    /// When it was made, in Unix seconds.
    #[getter(timestamp)]
    fn py_timestamp(&self) -> f64 {
        self.timestamp
    }

    /// How old it may become where it waits, in seconds; `None`: any age.
    #[getter(ttl)]
    fn py_ttl(&self) -> Option<f64> {
        self.ttl()
    }

    /// How often its reader has got it, this time included: above 1 where a durable cursor brings again what
    /// was not acknowledged in time.
    #[getter]
    fn delivery_count(&self) -> u32 {
        self.deliveries()
    }

    /// The id of the wave that this one undoes: that of `compensates=`; `None` for most.
    #[getter(compensates)]
    fn py_compensates(&self) -> Option<String> {
        self.undoes().map(|undone| undone.id.text())
    }

    /// Seconds since the wave's timestamp, 0 or more.
    ///
    /// Args:
    ///     now: In Unix seconds: finite. Without it: the machine's clock.
    ///
    /// Raises:
    ///     ValueError: `now` is not finite.
    #[pyo3(signature = (now=None))]
    fn age(&self, #[pyo3(from_py_with = numbers::now)] now: Option<f64>) -> PyResult<f64> {
        Ok((checked_moment("now", now)? - self.timestamp).max(0.0))
    }

    /// The wave after one more hop: amplitude x factor, count + 1, the same id.
    ///
    /// Args:
    ///     attenuation_factor: What is left of the amplitude: (0, 1].
    ///
    /// Returns:
    ///     A new wave, which no medium has admitted.
    ///
    /// Raises:
    ///     ValueError: The factor is out of range.
    ///
    /// Example:
    ///     >>> from aether import Wave
    ///     >>> wave = Wave("orders.created").propagate(0.5)
    ///     >>> wave.amplitude, wave.priority, wave.propagation_count
    ///     (0.5, 1.0, 1)
    #[pyo3(signature = (attenuation_factor=0.95))]
    fn propagate(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = numbers::attenuation_factor)] attenuation_factor: f64,
    ) -> PyResult<Py<Self>> {
        let factor = checked_factor(attenuation_factor)?;
        let amplitude = attenuated(self.strength.amplitude, factor, 1.0);
        let hops = self.strength.hops.saturating_add(1);
        self.with(py, Strength { amplitude, hops, ..self.strength }).into_object(py)
    }

    /// The wave as faint as its age has made it: amplitude x factor ** (age / interval).
    ///
    /// Args:
    ///     now: In Unix seconds: finite. Without it: the machine's clock.
    ///     attenuation_factor: What is left of the amplitude after each interval: (0, 1].
    ///     decay_interval: In seconds: finite, above 0.
    ///
    /// Returns:
    ///     A new wave of the same id and count, which no medium has admitted.
    ///
    /// Raises:
    ///     ValueError: A number is out of range.
    ///
    /// Example:
    ///     >>> from aether import Wave
    ///     >>> wave = Wave("orders.created", timestamp=100.0)
    ///     >>> wave.apply_time_decay(102.0, attenuation_factor=0.5).amplitude
    ///     0.25
    #[pyo3(signature = (now=None, *, attenuation_factor=0.95, decay_interval=1.0))]
    fn apply_time_decay(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = numbers::now)] now: Option<f64>,
        #[pyo3(from_py_with = numbers::attenuation_factor)] attenuation_factor: f64,
        #[pyo3(from_py_with = numbers::decay_interval)] decay_interval: f64,
    ) -> PyResult<Py<Self>> {
        let factor = checked_factor(attenuation_factor)?;
        if !(decay_interval > 0.0 && decay_interval.is_finite()) {
            return Err(bad("decay_interval", decay_interval, "a number of seconds above 0"));
        }
        let amplitude = decayed(self.strength.amplitude, self.age(now)?, factor, decay_interval);
        self.with(py, Strength { amplitude, ..self.strength }).into_object(py)
    }

    /// A wave with other fields and an id of its own, which no medium has admitted.
    ///
    /// The count is kept, and so is the priority, unless the amplitude changes: then it is that.
    ///
    /// Args:
    ///     changes: The new values by field: `channel`, `payload`, `amplitude`, `phase`,
    ///         `frequency`, `source`, `headers`, `timestamp`, `ttl`, as for `Wave`.
    ///
    /// Raises:
    ///     ChannelError: The channel breaks a rule, or is a pattern.
    ///     TypeError: There is no such field, or a value is of the wrong type.
    ///     ValueError: A number is NaN or out of its range.
    ///
    /// Example:
    ///     >>> from aether import Wave
    ///     >>> wave = Wave("orders.created", {"id": 7})
    ///     >>> louder = wave.replace(amplitude=0.9, source="shop")
    ///     >>> louder.payload, louder.source, louder.id == wave.id
    ///     ({'id': 7}, 'shop', False)
    #[pyo3(signature = (**changes))]
    fn replace(&self, py: Python<'_>, changes: Option<&Bound<'_, PyDict>>) -> PyResult<Py<Self>> {
        let mut strength = self.strength;
        let mut channel = self.channel.clone_ref(py);
        let mut payload = self.payload.clone_ref(py);
        let mut source = self.source.as_ref().map(|source| source.clone_ref(py));
        let mut timestamp = self.timestamp;
        let mut given = Given {
            phase: self.rare.as_ref().map(|rare| rare.phase),
            frequency: self.rare.as_ref().and_then(|rare| rare.frequency),
            ttl: self.ttl(),
            headers: None,
        };
        let mut headers = self.headers(py)?.map(|headers| headers.clone().into_any());
        for (key, value) in changes.into_iter().flatten() {
            let some = || (!value.is_none()).then_some(&value);
            match key.cast::<PyString>()?.to_str()? {
                "channel" => channel = concrete(&value, Limits::DEFAULT)?,
                "payload" => payload = value.unbind(),
                "amplitude" => {
                    strength = Strength {
                        hops: strength.hops,
                        ..Strength::new(checked_amplitude(numbers::amplitude(&value)?)?)
                    }
                }
                "phase" => given.phase = number("phase", some())?,
                "frequency" => given.frequency = number("frequency", some())?,
                "source" => source = checked_source(some())?,
                "headers" => headers = some().cloned(),
                "timestamp" => {
                    timestamp = checked_moment("timestamp", numbers::timestamp(&value)?)?;
                }
                "ttl" => given.ttl = numbers::ttl(&value)?,
                other => {
                    return Err(PyTypeError::new_err(format!(
                        "replace() got an unexpected field {other:?}; a wave has channel, payload, amplitude, \
                         phase, frequency, source, headers, timestamp and ttl"
                    )));
                }
            }
        }
        let mut rare = Rare::checked(&Given { headers: headers.as_ref(), ..given })?;
        if let (Some(rare), Some(mine)) = (&mut rare, &self.rare) {
            rare.trail.clone_from(&mine.trail);
            rare.undoes.clone_from(&mine.undoes);
        }
        Self::new(py, channel, payload, source, strength, timestamp, rare).into_object(py)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| {
            let other = other.get();
            self.id == other.id
                && self.generation == other.generation
                && self.foreign() == other.foreign()
                && self.strength.hops == other.strength.hops
        })
    }

    fn __hash__(&self) -> u64 {
        let mut hash = self.id ^ (u64::from(self.strength.hops) << 48);
        if let Some(foreign) = self.foreign() {
            hash = foreign.bytes().fold(hash, |hash, byte| hash.rotate_left(5) ^ u64::from(byte));
        }
        hash
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut shown =
            format!("Wave({}, id='{}'", self.channel.bind(py).str()?.repr()?, self.id_text());
        if let Some(sequence) = self.py_sequence() {
            write!(shown, ", sequence={sequence}").map_err(|_| PyValueError::new_err("repr"))?;
        }
        let Strength { amplitude, hops, .. } = self.strength;
        write!(shown, ", amplitude={amplitude:?}, propagation_count={hops})")
            .map_err(|_| PyValueError::new_err("repr"))?;
        Ok(shown)
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        pickled::reduced(py, self)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.channel)?;
        visit.call(&self.payload)?;
        self.rare.as_ref().map_or(Ok(()), |rare| rare.headers.traverse(&visit))
    }
}

fn checked_factor(factor: f64) -> PyResult<f64> {
    if factor > 0.0 && factor <= 1.0 {
        return Ok(factor);
    }
    Err(bad("attenuation_factor", factor, "above 0 and at most 1"))
}

/// A moment that was given, or now.
fn checked_moment(what: &str, moment: Option<f64>) -> PyResult<f64> {
    match moment {
        None => Ok(Clock::System.unix()),
        Some(moment) if moment.is_finite() => Ok(moment),
        Some(moment) => Err(bad(what, moment, "finite, in Unix seconds")),
    }
}

fn checked_source(source: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Py<PyString>>> {
    let Some(source) = source else { return Ok(None) };
    match source.cast::<PyString>() {
        // As a plain `str`: a derived one could be part of a cycle.
        Ok(name) if name.is_exact_instance_of::<PyString>() => Ok(Some(name.clone().unbind())),
        Ok(name) => Ok(Some(PyString::new(source.py(), name.to_str()?).unbind())),
        Err(_) => Err(type_error("source", "a str", source)),
    }
}
