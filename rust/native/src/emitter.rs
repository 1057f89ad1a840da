//! `Emitter`: a handle that only emits, from any thread; the base of vibrators and of the medium.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aether_core::wave::{Strength, clamped};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyListMethods, PyTuple};

use crate::awaitable::awaitable;
use crate::blocking::{Blocking, PyWaiting};
use crate::causes::inherits;
use crate::context::handled;
use crate::draft::{Attempt, Draft, Options};
use crate::emission::{EmitManyOp, EmitOp};
use crate::errors::{count, number, seconds, type_error};
use crate::machine::{Quickly, Raised};
use crate::origin::Origin;
use crate::rare::Given;
use crate::receipt::PyReceipt;
use crate::refusals::closed_vibrator;
use crate::shared::{Recalled, Shared};
use crate::wave::{PyWave, pass_number};

/// A handle that only emits: the native half of `aether.Emitter`, and of all that emit.
#[pyclass(frozen, subclass, name = "Emitter", module = "aether._native")]
pub struct PyEmitter {
    pub shared: Arc<Shared>,
    pub origin: Arc<Origin>,
}

/// What was given beside channel and payload, as it came.
struct Asked<'a, 'py> {
    amplitude: Option<&'a Bound<'py, PyAny>>,
    phase: Option<&'a Bound<'py, PyAny>>,
    frequency: Option<&'a Bound<'py, PyAny>>,
    headers: Option<&'a Bound<'py, PyAny>>,
    ttl: Option<&'a Bound<'py, PyAny>>,
    cause: Option<&'a Bound<'py, PyAny>>,
    compensates: Option<&'a Bound<'py, PyAny>>,
    require: Option<&'a Bound<'py, PyAny>>,
    timeout: Option<&'a Bound<'py, PyAny>>,
}

/// The keywords that stand for what may be asked.
const KEYWORDS: [&str; 9] = [
    "amplitude",
    "phase",
    "frequency",
    "headers",
    "ttl",
    "cause",
    "compensates",
    "require",
    "timeout",
];

impl<'a, 'py> Asked<'a, 'py> {
    /// In the order of [`KEYWORDS`].
    fn of(given: [Option<&'a Bound<'py, PyAny>>; 9]) -> Self {
        let [amplitude, phase, frequency, headers, ttl, cause, compensates, require, timeout] =
            given;
        Self { amplitude, phase, frequency, headers, ttl, cause, compensates, require, timeout }
    }

    /// What was given, by keyword.
    fn keywords(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Self { amplitude, phase, frequency, headers, ttl, .. } = self;
        let Self { cause, compensates, require, timeout, .. } = self;
        let given =
            [amplitude, phase, frequency, headers, ttl, cause, compensates, require, timeout];
        let keywords = PyDict::new(py);
        for (name, given) in KEYWORDS.into_iter().zip(given) {
            if let Some(given) = given {
                keywords.set_item(name, given)?;
            }
        }
        Ok(keywords)
    }

    /// Whether there is nothing, as for most emissions.
    #[inline]
    fn is_plain(&self) -> bool {
        let Self { amplitude, phase, frequency, headers, ttl, .. } = self;
        let given = [amplitude, phase, frequency, headers, ttl];
        let Self { cause, compensates, require, timeout, .. } = self;
        let others = [cause, compensates, require, timeout];
        given.into_iter().chain(others).all(Option::is_none)
    }

    /// Checks the types, and the ranges that have nothing to do with the wave.
    #[inline]
    fn checked(&self) -> PyResult<Options<'a, 'py>> {
        if self.is_plain() {
            return Ok(Options::default());
        }
        Ok(Options {
            amplitude: number("amplitude", self.amplitude)?,
            given: Given {
                phase: number("phase", self.phase)?,
                frequency: number("frequency", self.frequency)?,
                ttl: number("ttl", self.ttl)?,
                headers: self.headers,
            },
            cause: wave("cause", self.cause)?,
            compensates: wave("compensates", self.compensates)?,
            require: self.require.map(|require| count("require", 0, require)).transpose()?,
            timeout: seconds("timeout", self.timeout)?,
        })
    }
}

#[inline]
fn wave<'a, 'py>(
    what: &str,
    given: Option<&'a Bound<'py, PyAny>>,
) -> PyResult<Option<&'a Bound<'py, PyWave>>> {
    let Some(given) = given else { return Ok(None) };
    given.cast::<PyWave>().map(Some).map_err(|_| type_error(what, "a Wave", given))
}

/// What `emit` takes.
fn existing<'a, 'py>(given: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyWave>> {
    given
        .cast::<PyWave>()
        .map_err(|_| type_error("emit()", "given a Wave (emit_wave takes a channel)", given))
}

#[pymethods]
#[allow(clippy::too_many_arguments)] // the public signatures
impl PyEmitter {
    /// Emits a new wave to everyone in resonance; awaited, it waits for room.
    ///
    /// Everything is checked and the wave is made at the call; nothing is emitted before it is awaited.
    /// Where nobody blocks, the await ends in place. Under the policy `block`, the wave reaches every
    /// matching mailbox or, while one is full, none yet. Cancelled or timed out, it has reached nobody.
    ///
    /// Args:
    ///     channel: A concrete channel. Of a ``Channel[T]``, type checkers want a `payload` of ``T``.
    ///     payload: Any object, carried by reference; receivers share it and must not change it.
    ///     amplitude: How loud it is, 0..1; values outside are clamped. Without it: 1.0, or what is left
    ///         of the cause after one more hop.
    ///     phase: In radians, finite; wrapped to [0, 2π). Without it: 0.0.
    ///     frequency: In hertz, finite, 0 or more. Without it: 1.0.
    ///     headers: Text by name, copied. They go over those of the cause.
    ///     ttl: Seconds, 0 or more, after which it is dropped as `expired` where it still waits.
    ///         Without it: never.
    ///     cause: The wave that this one continues: its amplitude, priority, hops, headers and trace.
    ///     compensates: A cause that this one undoes: as `cause`, in antiphase. One of the two only.
    ///     require: How many receivers must match, 0 or more. Without it: none.
    ///     timeout: Seconds to wait for room, 0 or more. Without it: for ever.
    ///     delay: Emits it in so many seconds of the medium's clock, 0 or more, and does not wait for
    ///         that. Without it: now.
    ///
    /// Returns:
    ///     What the emission did. It is false if nobody got the wave. With `delay`: a
    ///     `DelayedEmission`, which can be cancelled.
    ///
    /// Raises:
    ///     ChannelError: The channel breaks a rule, or is a pattern.
    ///     TypeError: An argument is of the wrong type.
    ///     ValueError: A number is NaN or out of its range, or both `cause` and `compensates` are given.
    ///     Closed: The emitter is closed; or the medium is, or drains and this is none of its handlers.
    ///     WouldBlock: A mailbox of the policy `error` is full; nobody got the wave.
    ///     NoReceiver: Fewer than `require` match; the message says of each vibrator why.
    ///     TimeoutError: No room came in time; the message names the full vibrators.
    ///     Deadlock: Everyone who could make room waits for this emission.
    ///     ForkedMedium: The medium was used before this process was forked.
    ///     LimitExceeded: As many delayed waves wait as `limits.delayed` allows.
    ///     RuntimeError: No loop of asyncio or trio runs, and it would have to wait.
    ///
    /// Example:
    ///     >>> import asyncio
    ///     >>> from aether import Aether
    ///     >>> async def main():
    ///     ...     async with Aether() as medium, medium.vibrator("audit") as audit:
    ///     ...         audit.resonate_on("orders.*")
    ///     ...         return await medium.emit_wave("orders.created", {"id": 7}, amplitude=0.5)
    ///     >>> receipt = asyncio.run(main())
    ///     >>> receipt.delivered
    ///     1
    #[pyo3(signature = (channel, payload=None, *, amplitude=None, phase=None, frequency=None, headers=None,
                        ttl=None, cause=None, compensates=None, require=None, timeout=None, delay=None))]
    fn emit_wave<'py>(
        slf: &Bound<'py, Self>,
        py: Python<'py>,
        channel: &Bound<'py, PyAny>,
        payload: Option<Py<PyAny>>,
        amplitude: Option<&Bound<'py, PyAny>>,
        phase: Option<&Bound<'py, PyAny>>,
        frequency: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        ttl: Option<&Bound<'py, PyAny>>,
        cause: Option<&Bound<'py, PyAny>>,
        compensates: Option<&Bound<'py, PyAny>>,
        require: Option<&Bound<'py, PyAny>>,
        timeout: Option<&Bound<'py, PyAny>>,
        delay: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let asked = Asked {
            amplitude,
            phase,
            frequency,
            headers,
            ttl,
            cause,
            compensates,
            require,
            timeout,
        };
        if let Some(delay) = delay {
            return Self::later(slf, "emit_wave", (channel, payload), &asked, delay);
        }
        let options = asked.checked()?;
        awaitable(py, Self::prepare(slf, channel, payload, &options)?)
    }

    /// Emits a wave that exists: one more hop of it; awaited, it waits for room.
    ///
    /// What goes out has the same id and payload, a `propagation_count` of one more and, if this
    /// emitter has a name, that as its `source`; the given wave does not change. A first emission
    /// keeps the amplitude as given; each further hop multiplies it by `attenuation_factor`. A wave
    /// with `max_propagation` hops behind it, or fainter than `min_amplitude`, goes nowhere, and
    /// the receipt says why.
    ///
    /// Args:
    ///     wave: One made by `Wave`, or one received.
    ///     require: How many receivers must match, 0 or more. Without it: none.
    ///     timeout: Seconds to wait for room, 0 or more. Without it: for ever.
    ///     delay: As for `emit_wave`. The age of the wave goes on meanwhile, as for any wave that exists.
    ///
    /// Returns:
    ///     What the emission did. With `delay`: a `DelayedEmission`.
    ///
    /// Raises:
    ///     TypeError: The argument is no wave.
    ///     ChannelError: The channel is longer than this medium admits.
    ///
    /// The other errors are those of `emit_wave`.
    ///
    /// Example:
    ///     >>> import asyncio
    ///     >>> from aether import Aether, Wave
    ///     >>> async def main():
    ///     ...     async with Aether() as medium:
    ///     ...         return await medium.emit(Wave("orders.created", amplitude=0.001))
    ///     >>> asyncio.run(main()).reason
    ///     'min_amplitude'
    #[pyo3(signature = (wave, *, require=None, timeout=None, delay=None))]
    fn emit<'py>(
        slf: &Bound<'py, Self>,
        py: Python<'py>,
        wave: &Bound<'py, PyAny>,
        require: Option<&Bound<'py, PyAny>>,
        timeout: Option<&Bound<'py, PyAny>>,
        delay: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(delay) = delay {
            let mut given = [None; 9];
            [given[7], given[8]] = [require, timeout];
            return Self::later(slf, "emit", (wave, None), &Asked::of(given), delay);
        }
        let require = require.map(|require| count("require", 0, require)).transpose()?;
        let timeout = seconds("timeout", timeout)?;
        let options = Options { require, timeout, ..Options::default() };
        awaitable(py, Self::again(slf, wave, &options)?)
    }

    /// Emits a new wave now, from any thread, with or without a loop: it never waits.
    ///
    /// Args and Raises as for `emit_wave`, without a timeout. With `delay` it does not wait for room then,
    /// either; a loop runs here, or the handlers of the medium do.
    ///
    /// Returns:
    ///     What the emission did. With `delay`: a `DelayedEmission`.
    ///
    /// Raises:
    ///     WouldBlock: A mailbox that blocks is full; the message names it, and nobody got the wave.
    ///     RuntimeError: There is a `delay`, and no loop that could see to it.
    ///
    /// Example:
    ///     >>> from aether import Aether
    ///     >>> medium = Aether()
    ///     >>> medium.emit_nowait("orders.created", {"id": 7}).matched
    ///     0
    #[pyo3(signature = (channel, payload=None, *, amplitude=None, phase=None, frequency=None, headers=None,
                        ttl=None, cause=None, compensates=None, require=None, delay=None))]
    fn emit_nowait<'py>(
        slf: &Bound<'py, Self>,
        py: Python<'py>,
        channel: &Bound<'py, PyAny>,
        payload: Option<Py<PyAny>>,
        amplitude: Option<&Bound<'py, PyAny>>,
        phase: Option<&Bound<'py, PyAny>>,
        frequency: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        ttl: Option<&Bound<'py, PyAny>>,
        cause: Option<&Bound<'py, PyAny>>,
        compensates: Option<&Bound<'py, PyAny>>,
        require: Option<&Bound<'py, PyAny>>,
        delay: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let asked = Asked {
            amplitude,
            phase,
            frequency,
            headers,
            ttl,
            cause,
            compensates,
            require,
            timeout: None,
        };
        if let Some(delay) = delay {
            return Self::later(slf, "emit_nowait", (channel, payload), &asked, delay);
        }
        let Self { shared, origin } = slf.get();
        let options = asked.checked()?;
        let draft = Draft::new(py, shared, origin, channel, payload, &options)?;
        Ok(draft.send_now(py, shared, origin, channel)?.into_bound(py).into_any())
    }

    /// Emits a new wave, or one that exists, if nobody has to be waited for: for one that was delayed.
    ///
    /// `None`: somebody has to, and nothing was emitted.
    fn emit_if_room<'py>(
        &self,
        py: Python<'py>,
        subject: &Bound<'py, PyAny>,
        payload: Option<Py<PyAny>>,
        keywords: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Py<PyReceipt>>> {
        let Self { shared, origin } = self;
        let mut given = [const { None }; 9];
        for (place, name) in given.iter_mut().zip(KEYWORDS) {
            *place = keywords.get_item(name)?;
        }
        let options = Asked::of(given.each_ref().map(Option::as_ref)).checked()?;
        let (mut draft, name) = match subject.cast::<PyWave>() {
            Ok(wave) => {
                let draft = Draft::again(py, shared, origin, wave, &options)?;
                (draft, wave.get().channel.bind(py))
            }
            Err(_) => (Draft::new(py, shared, origin, subject, payload, &options)?, subject),
        };
        match (draft.send(py, shared, origin, name, None)?, &shared.writer) {
            (Attempt::Sent(receipt), _) => Ok(Some(receipt)),
            (Attempt::Appended(fate), Some(writer)) => {
                PyReceipt::appended(py, writer, &fate).map(Some)
            }
            _ => {
                draft.discard();
                Ok(None)
            }
        }
    }

    /// The steps of `emit_sync`.
    #[pyo3(signature = (channel, payload=None, *, amplitude=None, phase=None, frequency=None, headers=None,
                        ttl=None, cause=None, compensates=None, require=None, timeout=None))]
    fn begin_emit_sync<'py>(
        slf: &Bound<'py, Self>,
        channel: &Bound<'py, PyAny>,
        payload: Option<Py<PyAny>>,
        amplitude: Option<&Bound<'py, PyAny>>,
        phase: Option<&Bound<'py, PyAny>>,
        frequency: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        ttl: Option<&Bound<'py, PyAny>>,
        cause: Option<&Bound<'py, PyAny>>,
        compensates: Option<&Bound<'py, PyAny>>,
        require: Option<&Bound<'py, PyAny>>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<PyWaiting> {
        let asked = Asked {
            amplitude,
            phase,
            frequency,
            headers,
            ttl,
            cause,
            compensates,
            require,
            timeout,
        };
        let options = asked.checked()?;
        let op = Self::prepare(slf, channel, payload, &options)?;
        Ok(PyWaiting::new(Blocking::Emit(op)))
    }

    /// Emits waves in order, each as `emit` or `emit_wave` would; awaited, it waits for room.
    ///
    /// All are checked at the call, before the first goes out. Cancelled, or stopped by an error,
    /// it has emitted a prefix.
    ///
    /// Args:
    ///     items: Waves, and pairs of a concrete channel and a payload.
    ///
    /// Returns:
    ///     A receipt for each, in the same order.
    ///
    /// Raises:
    ///     TypeError: An item is neither; nothing was emitted.
    ///
    /// The other errors are those of `emit_wave`, without those of a timeout.
    ///
    /// Example:
    ///     >>> import asyncio
    ///     >>> from aether import Aether, Wave
    ///     >>> async def main():
    ///     ...     async with Aether() as medium:
    ///     ...         pairs = [("jobs.added", number) for number in range(3)]
    ///     ...         return await medium.emit_many([*pairs, Wave("jobs.done")])
    ///     >>> [receipt.sequence for receipt in asyncio.run(main())]
    ///     [1, 2, 3, 4]
    fn emit_many<'py>(
        slf: &Bound<'py, Self>,
        items: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = items.py();
        let options = Options::default();
        let expected = items.cast_exact::<PyList>().map_or(0, PyListMethods::len);
        let mut waves = VecDeque::with_capacity(expected);
        for item in items.try_iter()? {
            let item = item?;
            waves.push_back(if item.is_instance_of::<PyWave>() {
                Self::again(slf, &item, &options)?
            } else {
                let pair = item.cast::<PyTuple>().ok().filter(|pair| pair.len() == 2);
                let Some(pair) = pair else {
                    return Err(type_error(
                        "each item",
                        "a Wave or a (channel, payload) pair",
                        &item,
                    ));
                };
                let (channel, payload) = (pair.get_item(0)?, Some(pair.get_item(1)?.unbind()));
                Self::prepare(slf, &channel, payload, &options)?
            });
        }
        let writer = slf.get().shared.writer.clone();
        awaitable(py, EmitManyOp { waves, receipts: Vec::new(), pausing: false, writer })
    }

    /// A handle that only emits, in the same name as another.
    #[new]
    #[pyo3(signature = (of, /))]
    fn py_new(of: &Bound<'_, Self>) -> Self {
        let of = of.get();
        Self { shared: Arc::clone(&of.shared), origin: Arc::clone(&of.origin) }
    }
}

impl PyEmitter {
    /// [`Self::emit_nowait`] of a wave of which nothing but the amplitude is said. `None`: it takes the long
    /// way; nothing has happened.
    #[inline]
    pub fn emit_now(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyAny>,
        payload: Option<&Bound<'_, PyAny>>,
        amplitude: f64,
    ) -> Quickly<Py<PyReceipt>> {
        let Self { shared, origin } = self;
        let Some(strength) = self.plain_strength(py, amplitude) else { return Ok(None) };
        let follow = self.may_follow(py);
        let (channel, hint) = match shared.recall(name) {
            Recalled::Heard(channel, hint) => (channel, hint),
            _ if follow => match shared.channel(name) {
                Ok(channel) => channel,
                Err(error) => return Err(Raised::set(py, error)),
            },
            other => {
                let known = other.unheard(py);
                match shared.emit_unheard(name, known) {
                    Err(error) => return Err(Raised::set(py, error)),
                    Ok(Some(sequence)) => {
                        origin.count(py);
                        if shared.tracing.is_some() {
                            // Whether the next one is followed goes by another number.
                            pass_number(py);
                        }
                        if shared.taps.are_there() {
                            shared.tap_unheard(py, origin, name, payload, strength, sequence);
                        }
                        return PyReceipt::nobody(py, shared, sequence);
                    }
                    Ok(None) => match shared.channel(name) {
                        Ok(channel) => channel,
                        Err(error) => return Err(Raised::set(py, error)),
                    },
                }
            }
        };
        let draft = Draft::plain(py, (shared, origin), (channel, hint), payload, strength, follow);
        let Some(mut draft) = draft else { return Ok(None) };
        let receipt = draft.send_quickly(py, shared, origin, name);
        if let Ok(None) = receipt {
            draft.unsent();
        }
        draft.release(py);
        receipt
    }

    /// [`Self::emit_wave`] of such a wave.
    #[inline]
    pub fn emit_soon<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        payload: Option<&Bound<'py, PyAny>>,
        amplitude: f64,
    ) -> Quickly<Bound<'py, PyAny>> {
        let (py, Self { shared, origin }) = (slf.py(), slf.get());
        let Some(strength) = slf.get().plain_strength(py, amplitude) else { return Ok(None) };
        let channel = shared.channel(name).map_err(|error| Raised::set(py, error))?;
        let follow = slf.get().may_follow(py);
        let draft = Draft::plain(py, (shared, origin), channel, payload, strength, follow);
        let Some(draft) = draft else { return Ok(None) };
        let made = awaitable(py, EmitOp::new(slf, draft, name, None));
        made.map(Some).map_err(|error| Raised::set(py, error))
    }

    /// The strength of a wave that takes the short way, after its first hop.
    #[expect(clippy::inline_always, reason = "29 instructions for each wave otherwise")]
    #[inline(always)]
    fn plain_strength(&self, py: Python<'_>, amplitude: f64) -> Option<Strength> {
        let Self { shared, origin } = self;
        let open = shared.home.is_settled() && !origin.closed.load(Ordering::Relaxed);
        if !open || shared.writer.is_some() || inherits(py, shared) {
            return None;
        }
        Strength::new(clamped(amplitude)?).hop(&shared.tuning.rules(py)).ok()
    }

    /// Whether the next wave may have to be followed.
    #[inline]
    fn may_follow(&self, py: Python<'_>) -> bool {
        self.shared.tracing.as_ref().is_some_and(|tracing| tracing.may_follow(py))
    }

    /// An emission that is to go out later, see `aether.delayed`. What is wrong with it is told now.
    #[cold]
    fn later<'py>(
        slf: &Bound<'py, Self>,
        method: &str,
        (subject, payload): (&Bound<'py, PyAny>, Option<Py<PyAny>>),
        asked: &Asked<'_, 'py>,
        delay: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static LATER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let (py, Self { shared, origin }) = (slf.py(), slf.get());
        let Some(delay) = seconds("delay", Some(delay))? else {
            return Err(PyValueError::new_err(
                "delay must be a finite number of seconds: what is to go out never need not be emitted",
            ));
        };
        let options = asked.checked()?;
        let kept = payload.as_ref().map(|payload| payload.clone_ref(py));
        let mut draft = if method == "emit" {
            Draft::again(py, shared, origin, existing(subject)?, &options)?
        } else {
            Draft::new(py, shared, origin, subject, payload, &options)?
        };
        draft.discard();
        if origin.closed.load(Ordering::Relaxed) {
            return Err(closed_vibrator(py, origin, draft.channel(py)?));
        }
        let given = (slf, method, subject, kept, asked.keywords(py)?, delay, handled(py, shared));
        LATER.import(py, "aether.delayed", "later")?.call1(given)
    }

    fn prepare(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        payload: Option<Py<PyAny>>,
        options: &Options<'_, '_>,
    ) -> PyResult<EmitOp> {
        let Self { shared, origin } = slf.get();
        let draft = Draft::new(slf.py(), shared, origin, name, payload, options)?;
        Ok(EmitOp::new(slf, draft, name, options.timeout))
    }

    fn again(
        slf: &Bound<'_, Self>,
        wave: &Bound<'_, PyAny>,
        options: &Options<'_, '_>,
    ) -> PyResult<EmitOp> {
        let wave = existing(wave)?;
        let Self { shared, origin } = slf.get();
        let draft = Draft::again(slf.py(), shared, origin, wave, options)?;
        Ok(EmitOp::new(slf, draft, wave.get().channel.bind(slf.py()), options.timeout))
    }
}
