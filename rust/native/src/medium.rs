//! `Medium`: the native half of `Aether`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aether_core::channel::{Limits, Pattern, check_channel, relate};
use aether_core::clock::Clock;
use aether_core::decay::Fading;
use aether_core::mailbox::{Overflow, Role, Spec};
use aether_core::medium::{self, Bounds, Most, Phase, Pressure};
use aether_core::times::Times;
use aether_core::wave::Rules;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyList, PyString};

use crate::awaitable::awaitable;
use crate::channel::{exact, text};
use crate::clock::PyManualClock;
use crate::context::PyHandling;
use crate::emitter::PyEmitter;
use crate::errors::{Closed, amount, at_most, channel_error, count, number, quietly, seconds};
use crate::explain::explain_rows;
use crate::figures;
use crate::journal::PyJournalWriter;
use crate::last;
use crate::mailbox::PyMailbox;
use crate::numbers;
use crate::origin::Origin;
use crate::quiet::{Until, UntilOp};
use crate::rare::{bad, checked_amplitude};
use crate::ring::PyRing;
use crate::shared::{Shared, Watching};
use crate::survey;
use crate::tap::PyTap;
use crate::tracing::PyTracer;
use crate::tuning::Tuned;
use crate::waker::Aftermath;
use crate::wave::{Held, PyWave};
use crate::words::{order, overflow, word};

/// An emission that waits: its channel, the vibrators that are full for it, and for how many seconds.
type Stalled = (String, Vec<String>, f64);

/// The native half of a medium: an emitter in nobody's name.
#[pyclass(frozen, subclass, weakref, extends = PyEmitter, name = "Medium", module = "aether._native")]
pub struct PyMedium {
    pub shared: Arc<Shared>,
}

/// A limit that was given for `what`, and from which amount on it sheds.
fn most(what: &str, given: Option<(Bound<'_, PyAny>, Bound<'_, PyAny>)>) -> PyResult<Most> {
    let Some((hard, soft)) = given else { return Ok(Most::NONE) };
    let (hard, soft) = (amount(what, &hard)?, amount(what, &soft)?);
    Ok(Most { soft: soft.min(hard), hard })
}

impl PyMedium {
    /// How many emissions have waited for `stall_warning` or longer, and the first of them.
    fn waits(&self, most: usize) -> PyResult<(usize, Vec<Stalled>)> {
        self.shared.home.enter()?;
        let (count, waits) = self.shared.medium.waits(self.shared.tuning.stall_warning(), most);
        let row = |stall: &medium::Stall| {
            let full = stall.full.iter().map(ToString::to_string).collect();
            (stall.channel.to_string(), full, stall.waited)
        };
        Ok((count, waits.iter().map(row).collect()))
    }
}

#[pymethods]
impl PyMedium {
    #[new]
    #[pyo3(signature = (*, attenuation_factor=0.95, decay_interval=1.0, max_propagation=10,
                        min_amplitude=0.01, max_channel_length=1024, stall_warning=1.0, retain=Vec::new(),
                        retain_channels=100_000, metrics=None, clock=None, journal=None, tracer=None))]
    #[expect(clippy::too_many_arguments, reason = "the settings of a medium")]
    fn py_new(
        attenuation_factor: f64,
        decay_interval: f64,
        max_propagation: u32,
        min_amplitude: f64,
        max_channel_length: usize,
        stall_warning: f64,
        retain: Vec<Bound<'_, PyAny>>,
        retain_channels: usize,
        metrics: Option<(usize, usize)>,
        clock: Option<&Bound<'_, PyManualClock>>,
        journal: Option<&Bound<'_, PyJournalWriter>>,
        tracer: Option<&Bound<'_, PyTracer>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let moved = clock.map(Bound::get);
        let clock = moved.map_or(Clock::System, PyManualClock::shared);
        let rules = Rules { attenuation_factor, decay_interval, max_propagation, min_amplitude };
        let limits = Limits { max_bytes: max_channel_length, ..Limits::DEFAULT };
        let medium = medium::Medium::with_lock(clock);
        medium.number_by(Held::sequence);
        let parsed = |name: &Bound<'_, PyAny>| {
            let read = text(name)?;
            Pattern::parse(read, limits).map_err(|fault| channel_error(read, &fault))
        };
        let retain: Vec<Pattern> = retain.iter().map(parsed).collect::<PyResult<_>>()?;
        if !retain.is_empty() {
            medium.retain(retain, retain_channels);
        }
        if let Some((domains, names)) = metrics {
            medium.count_by_name(domains, names);
        }
        let times = metrics.map(|(_, names)| Times::new(names));
        let writer = journal.map(|journal| Arc::clone(&journal.get().writer));
        if let Some(writer) = &writer {
            medium.begin_at(writer.last());
            if metrics.is_some() {
                writer.journal.measure();
            }
        }
        let tracing = tracer.map(|tracer| Arc::clone(&tracer.get().tracing));
        let watching = Watching { times, tracing };
        let shared = Shared::new(medium, Tuned { rules, stall_warning }, limits, watching, writer);
        if let (Some(writer), Some(journal)) = (&shared.writer, journal) {
            writer.serve(journal.py(), &shared);
        }
        if let (Some(clock), Some(journal)) = (moved, journal) {
            clock.call(journal.py(), &shared.gate());
        }
        let origin = Arc::new(Origin::new(0, None));
        let emitter = PyEmitter { shared: Arc::clone(&shared), origin };
        Ok(PyClassInitializer::from(emitter).add_subclass(Self { shared }))
    }

    /// Goes on by other settings, from the next emission and the next mailbox on.
    #[pyo3(signature = (*, attenuation_factor, decay_interval, max_propagation, min_amplitude, stall_warning))]
    fn tune(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = numbers::attenuation_factor)] attenuation_factor: f64,
        #[pyo3(from_py_with = numbers::decay_interval)] decay_interval: f64,
        max_propagation: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = numbers::min_amplitude)] min_amplitude: f64,
        #[pyo3(from_py_with = numbers::stall_warning)] stall_warning: f64,
    ) -> PyResult<()> {
        self.shared.home.look_in()?;
        let max_propagation = count("max_propagation", 1, max_propagation)? as u32;
        for (what, value, holds, rule) in [
            ("attenuation_factor", attenuation_factor, attenuation_factor > 0.0, "in (0, 1]"),
            ("attenuation_factor", attenuation_factor, attenuation_factor <= 1.0, "in (0, 1]"),
            ("decay_interval", decay_interval, decay_interval > 0.0, "above 0"),
            ("min_amplitude", min_amplitude, (0.0..=1.0).contains(&min_amplitude), "in 0..1"),
            ("stall_warning", stall_warning, stall_warning > 0.0, "above 0"),
        ] {
            if !holds {
                return Err(bad(what, value, rule));
            }
        }
        let rules = Rules { attenuation_factor, decay_interval, max_propagation, min_amplitude };
        self.shared.tuning.set(py, Tuned { rules, stall_warning });
        Ok(())
    }

    /// Admits only so many waves, and payloads of so many bytes, each with the smaller number from which on it sheds faint
    /// waves; `None`: however much.
    fn limit_queued(
        &self,
        py: Python<'_>,
        waves: Option<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
        payloads: Option<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
    ) -> PyResult<()> {
        self.shared.home.look_in()?;
        let limited = waves.is_some() || payloads.is_some();
        let bounds = Bounds { waves: most("waves", waves)?, weight: most("payloads", payloads)? };
        self.shared.limit_queued(py, limited.then_some(bounds));
        Ok(())
    }

    /// A wave that was taken waits still, behind the busy key of a handler, and counts until `stands_no_more`.
    fn stands(&self, wave: &PyWave) -> PyResult<()> {
        self.shared.home.enter()?;
        self.shared.medium.stands(wave.weight());
        Ok(())
    }

    /// It waits no more.
    fn stands_no_more(&self, wave: &PyWave) -> PyResult<()> {
        self.shared.home.enter()?;
        self.shared.medium.stands_no_more(wave.weight());
        Ok(())
    }

    /// What that has come to: how many waves wait and how large their payloads are, the noise floor of the medium, and how
    /// many emissions were refused for their number and for their size.
    fn pressure(&self) -> PyResult<(u64, u64, f64, u64, u64)> {
        self.shared.home.enter()?;
        let Pressure { waiting, weight, floor, .. } = self.shared.medium.pressure();
        let (refused, refused_bytes) = (&self.shared.refused, &self.shared.refused_bytes);
        Ok((waiting, weight, floor, refused.get(), refused_bytes.get()))
    }

    /// Makes a mailbox.
    #[pyo3(signature = (name, *, order_by, overflow_by, buffer_size, noise_floor=None, ignored=0, lane=false,
                        aside=false, readers=0))]
    #[expect(clippy::too_many_arguments, reason = "the fields of a mailbox")]
    fn open_mailbox(
        &self,
        name: &Bound<'_, PyString>,
        order_by: &Bound<'_, PyAny>,
        overflow_by: &Bound<'_, PyAny>,
        buffer_size: &Bound<'_, PyAny>,
        noise_floor: Option<&Bound<'_, PyAny>>,
        ignored: u64,
        lane: bool,
        aside: bool,
        readers: usize,
    ) -> PyResult<PyMailbox> {
        self.shared.home.enter()?;
        let noise_floor = number("noise_floor", noise_floor)?.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&noise_floor) {
            return Err(PyValueError::new_err(format!(
                "noise_floor must be in 0..1, not {noise_floor}"
            )));
        }
        let capacity = count("buffer_size", 1, buffer_size)?;
        let policy = overflow(word("overflow", overflow_by)?)?;
        if policy == Overflow::Replay {
            if self.shared.writer.is_none() {
                return Err(PyValueError::new_err(
                    "overflow 'replay' reads what a full mailbox has no room for from the journal, and this medium has \
                     none: Aether(journal=Journal(path))",
                ));
            }
            self.shared.begin_refill()?;
        }
        let role = match (lane, aside) {
            (_, true) => Role::Aside,
            (true, false) => Role::Lane,
            (false, false) => Role::Reader,
        };
        let spec = Spec {
            name: Arc::from(name.to_str()?),
            order: order(word("order", order_by)?)?,
            overflow: policy,
            capacity,
            noise_floor,
            ignored,
            role,
            readers,
        };
        let Rules { attenuation_factor, decay_interval, .. } = self.shared.tuning.rules(name.py());
        let fading = Fading::new(attenuation_factor, decay_interval);
        let Some(key) = self.shared.medium.open(spec, fading) else {
            let phase = match self.shared.medium.phase() {
                Phase::Draining => "drains",
                Phase::Open | Phase::Closed => "is closed",
            };
            let what = if aside {
                "nobody waits for waves of it any more".to_owned()
            } else {
                format!("it takes no vibrator {:?}", name.to_str()?)
            };
            return Err(Closed::new_err(format!("the medium {phase}: {what}; make a new medium")));
        };
        let (shared, name) = (Arc::clone(&self.shared), exact(name)?);
        PyMailbox::new(shared, key, &name, policy, lane)
    }

    /// The last wave of each channel that a pattern takes, in the order of their sequences.
    ///
    /// The last wave of a channel is the one of the highest sequence that was delivered on it, whether anybody heard
    /// it or not; what was refused is not it. It is as it was emitted, and has not faded. One whose `ttl` is over is
    /// not there, and none takes its place.
    ///
    /// With a journal, it has the last wave of every channel that it still has waves of; one record for each channel is
    /// read from the disk, at once. A wave that cannot be read is logged and left out. Without one, `retain` in the
    /// configuration says of which channels the medium keeps the last wave, the very object that was emitted.
    ///
    /// Args:
    ///     pattern: A channel or pattern.
    ///
    /// Raises:
    ///     ChannelError: It is no pattern.
    ///     TypeError: It is no `str`.
    ///     ValueError: There is no journal, and `retain` does not cover the pattern.
    ///     JournalError: The journal cannot be read.
    ///     ForkedMedium: The medium was used before this process was forked.
    ///
    /// Example:
    ///     >>> from aether import Aether, AetherConfig
    ///     >>> medium = Aether(AetherConfig(retain=["sensors.*"]))
    ///     >>> for channel, degrees in [("sensors.a", 20), ("sensors.b", 5), ("sensors.a", 21)]:
    ///     ...     _ = medium.emit_nowait(channel, degrees)
    ///     >>> [(wave.channel, wave.payload) for wave in medium.last("sensors.*")]
    ///     [('sensors.b', 5), ('sensors.a', 21)]
    fn last(&self, py: Python<'_>, pattern: &Bound<'_, PyAny>) -> PyResult<Vec<Py<PyWave>>> {
        self.shared.home.enter()?;
        let pattern = self.shared.pattern(pattern)?;
        last::last(py, &self.shared, pattern)
    }

    /// Every pattern that is resonated on, as spelled, once for each mailbox.
    fn active_patterns(&self) -> PyResult<Vec<String>> {
        self.shared.home.enter()?;
        let patterns = self.shared.medium.active_patterns();
        Ok(patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect())
    }

    /// Detunes every pattern that this one covers, everywhere; what waits already stays.
    ///
    /// Args:
    ///     pattern: A channel or pattern.
    ///
    /// Returns:
    ///     How many patterns were detuned, counted for each mailbox.
    ///
    /// Raises:
    ///     ChannelError: It is no pattern.
    ///     TypeError: It is no `str`.
    fn remove_channel(&self, py: Python<'_>, pattern: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.shared.home.enter()?;
        let pattern = self.shared.pattern(pattern)?;
        let mut after = Aftermath::default();
        let covered = |known: &Pattern| relate::covers(&pattern, known);
        let removed = self.shared.medium.detune_all(covered, &mut after);
        self.shared.settle(py, after);
        self.shared.follows.wake_all(py);
        Ok(removed)
    }

    /// Drops what waits in every mailbox, counted as `cleared`.
    ///
    /// Returns:
    ///     How many waves were dropped.
    fn clear(&self, py: Python<'_>) -> PyResult<usize> {
        self.shared.home.enter()?;
        let mut after = Aftermath::default();
        let cleared = self.shared.medium.clear(&mut after);
        self.shared.settle(py, after);
        Ok(cleared)
    }

    /// Goes on to a phase; `at_once` drops what waits.
    fn shut(&self, py: Python<'_>, phase: &str, at_once: bool) -> PyResult<()> {
        self.shared.home.enter()?;
        let phase = if phase == "closed" { Phase::Closed } else { Phase::Draining };
        let mut after = Aftermath::default();
        self.shared.medium.shut(phase, at_once, &mut after);
        self.shared.settle(py, after);
        self.shared.follows.wake_all(py);
        Ok(())
    }

    /// `open`, `draining` (handlers may still emit) or `closed`.
    #[getter]
    fn phase(&self) -> PyResult<&'static str> {
        self.shared.home.look_in()?;
        Ok(match self.shared.medium.phase() {
            Phase::Open => "open",
            Phase::Draining => "draining",
            Phase::Closed => "closed",
        })
    }

    /// For `explain`: vibrator, patterns, reached, reason and lane of every mailbox.
    #[pyo3(signature = (channel, amplitude, emitter=0))]
    fn explain_rows<'py>(
        &self,
        channel: &Bound<'py, PyAny>,
        amplitude: &Bound<'py, PyAny>,
        emitter: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        self.shared.home.enter()?;
        let read = text(channel)?;
        check_channel(read, self.shared.limits).map_err(|fault| channel_error(read, &fault))?;
        let amplitude = checked_amplitude(number("amplitude", Some(amplitude))?.unwrap_or(1.0))?;
        explain_rows(channel.py(), &self.shared, read, amplitude, emitter)
    }

    /// Counters of the medium, by name.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.shared.home.enter()?;
        let counted = self.shared.medium.statistics();
        let dropped = PyDict::new(py);
        for (reason, count) in counted.dropped.iter() {
            dropped.set_item(reason.name(), count)?;
        }
        let all = PyDict::new(py);
        all.set_item("emitted", counted.emitted)?;
        all.set_item("delivered", counted.delivered)?;
        all.set_item("unheard", counted.unheard)?;
        all.set_item("received", counted.received)?;
        all.set_item("dropped", dropped)?;
        all.set_item("waiting", counted.waiting)?;
        all.set_item("mailboxes", counted.mailboxes)?;
        all.set_item("retained", counted.retained)?;
        all.set_item("forgotten", counted.forgotten)?;
        all.set_item("tasks_waiting_send", counted.waiting_send)?;
        all.set_item("patterns", counted.router.patterns)?;
        all.set_item("cached_routes", counted.router.cached)?;
        all.set_item("route_hits", counted.router.hits)?;
        all.set_item("route_walks", counted.router.walks)?;
        Ok(all)
    }

    /// For metrics: all counters, by name and by domain, and what was measured, of its journal and cursors too.
    ///
    /// `None`: it measures nothing.
    fn figures<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.shared.home.enter()?;
        let Some(times) = &self.shared.times else { return Ok(None) };
        figures::figures(py, &self.shared, times).map(Some)
    }

    /// Calls `watch` with each wave of a pattern that is emitted, while the tap is held.
    fn tap(
        &self,
        py: Python<'_>,
        pattern: &Bound<'_, PyAny>,
        watch: Py<PyAny>,
    ) -> PyResult<Py<PyTap>> {
        PyTap::open(py, &self.shared, pattern, watch)
    }

    /// Keeps the waves of a pattern that are emitted, up to a number, until they are taken out of it.
    fn ring(
        &self,
        py: Python<'_>,
        pattern: &Bound<'_, PyAny>,
        size: &Bound<'_, PyAny>,
    ) -> PyResult<PyRing> {
        PyRing::open(py, &self.shared, pattern, at_most("size", size)?)
    }

    /// What each mailbox holds, with some of the payloads, and the bytes that the routes take; see `aether.monitoring`.
    fn survey(
        &self,
        py: Python<'_>,
        each: &Bound<'_, PyAny>,
        most: &Bound<'_, PyAny>,
    ) -> PyResult<(Vec<survey::Row>, usize)> {
        self.shared.home.enter()?;
        let (each, most) = (count("each", 0, each)?, count("most", 0, most)?);
        Ok(survey::rows(py, &self.shared, each, most))
    }

    /// A number that grows with everything that is emitted or taken.
    fn progress(&self) -> PyResult<u64> {
        self.shared.home.enter()?;
        Ok(self.shared.medium.progress())
    }

    /// Awaits quiet: true once it is there, false at the timeout.
    #[pyo3(signature = (timeout=None))]
    fn until_quiet<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let timeout = seconds("timeout", timeout)?;
        let shared = Arc::clone(&self.shared);
        awaitable(py, UntilOp { shared, until: Until::Quiet, timeout, watcher: None })
    }

    /// Awaits that everything that was appended to the journal is delivered, or refused.
    fn until_delivered<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let shared = Arc::clone(&self.shared);
        awaitable(py, UntilOp { shared, until: Until::Delivered, timeout: None, watcher: None })
    }

    /// Awaits that these mailboxes are empty and `idle()` is true; false at the timeout.
    #[pyo3(signature = (mailboxes, idle, timeout=None))]
    fn until_empty<'py>(
        &self,
        py: Python<'py>,
        mailboxes: Vec<Py<PyMailbox>>,
        idle: Py<PyAny>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let timeout = seconds("timeout", timeout)?;
        let shared = Arc::clone(&self.shared);
        awaitable(
            py,
            UntilOp { shared, until: Until::Empty(mailboxes, idle), timeout, watcher: None },
        )
    }

    /// Channel, full vibrators and seconds of what has waited for `stall_warning` or longer.
    fn stalled(&self) -> PyResult<Vec<Stalled>> {
        Ok(self.waits(usize::MAX)?.1)
    }

    /// How many have waited so long, and the first ten of them.
    fn first_stalled(&self) -> PyResult<(usize, Vec<Stalled>)> {
        self.waits(10)
    }

    /// A handler has a wave of this mailbox, and `begins` with it or may have to wait; returns the value of the context
    /// variable `handling`.
    fn handling(
        &self,
        py: Python<'_>,
        wave: Py<PyWave>,
        mailbox: &Bound<'_, PyMailbox>,
        begins: bool,
    ) -> PyHandling {
        self.shared.working.fetch_add(1, Ordering::AcqRel);
        let handling = PyHandling::new(py, &self.shared, wave, mailbox.get());
        if begins {
            handling.time(&self.shared);
        }
        handling
    }

    /// It begins now, after it may have stood behind another one.
    fn handling_begins(&self, py: Python<'_>, handling: &Bound<'_, PyHandling>) {
        handling.get().begin(py, &self.shared);
    }

    /// A handler has ended.
    fn handled(&self, py: Python<'_>, handling: &Bound<'_, PyHandling>) {
        handling.get().end(py, &self.shared);
        self.shared.working.fetch_sub(1, Ordering::AcqRel);
        let mut after = Aftermath::default();
        self.shared.medium.stir(&mut after);
        self.shared.settle(py, after);
    }

    /// Has the timeouts of emissions and receives go by these timers, and not by those of the loop.
    fn wait_by(&self, timers: &Bound<'_, PyAny>) -> PyResult<()> {
        self.shared.wait_by(timers)
    }

    /// A number that no other medium has.
    #[getter]
    fn number(&self) -> u64 {
        self.shared.number
    }

    /// What the medium's clock shows, in Unix seconds.
    fn now(&self) -> f64 {
        self.shared.medium.clock().unix()
    }

    /// Raises `ForkedMedium` in the child of a fork.
    fn check_process(&self) -> PyResult<()> {
        self.shared.home.enter()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let mut waves: Result<(), PyTraverseError> = Ok(());
        if self.shared.retains && self.shared.home.is_here() {
            // If somebody holds the lock, less is reported than there is: it only lives longer.
            let _ = self.shared.medium.try_visit_retained(&mut |held| {
                if waves.is_ok() {
                    waves = visit.call(&held.0);
                }
            });
        }
        waves
    }

    fn __clear__(&self) {
        self.forget();
    }
}

impl PyMedium {
    /// Lets go of what is retained: only who has the medium could ask for it.
    fn forget(&self) {
        if self.shared.retains && self.shared.home.is_here() {
            let mut after = Aftermath::default();
            self.shared.medium.retain_no_more(&mut after);
            Python::attach(|py| quietly(py, || self.shared.settle(py, after)));
        }
    }
}

impl Drop for PyMedium {
    fn drop(&mut self) {
        self.forget();
    }
}

/// A number for somebody who can ignore its own waves.
#[pyfunction]
pub fn new_identity() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
