//! `Vibrator`: the native half of a participant, an emitter with a mailbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aether_core::medium::Key;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::actors::LastReader;
use crate::awaitable::awaitable;
use crate::blocking::{Blocking, PyWaiting};
use crate::channel::exact;
use crate::emitter::PyEmitter;
use crate::errors::{at_most, quietly, seconds};
use crate::here::Thread;
use crate::holding::Holder;
use crate::journal::AckOp;
use crate::mailbox::PyMailbox;
use crate::medium::{PyMedium, new_identity};
use crate::origin::Origin;
use crate::receive::{ReceiveOp, Source, Wanted};
use crate::shared::Shared;
use crate::tracing::received;
use crate::waker::Aftermath;
use crate::wave::{Held, PyWave};

/// The native half of a vibrator: an emitter that also receives.
#[pyclass(frozen, subclass, weakref, extends = PyEmitter, name = "Vibrator", module = "aether._native")]
pub struct PyVibrator {
    mailbox: Py<PyMailbox>,
    /// The key of the mailbox, close at hand.
    key: Key,
    missed: AtomicU64,
    /// It has left its mailbox to the others of its group.
    departed: AtomicBool,
    /// Nobody asks who reads.
    anonymous: bool,
    /// Its medium has a journal, so that its mailbox may have a cursor.
    journaled: bool,
    /// Tells it from other readers of its mailbox.
    pub number: u64,
    /// Whom the mailbox knows as a reader.
    reader: LastReader,
    /// What its readers have in hand.
    pub holder: Arc<Holder>,
}

impl PyVibrator {
    #[inline]
    pub fn has_departed(&self) -> bool {
        self.departed.load(Ordering::Relaxed)
    }

    #[inline]
    pub fn set_missed(&self, missed: u64) {
        self.missed.store(missed, Ordering::Relaxed);
    }

    #[inline]
    pub fn mailbox(&self) -> &PyMailbox {
        self.mailbox.get()
    }

    #[inline]
    pub fn receiving(slf: &Bound<'_, Self>, wanted: Wanted) -> ReceiveOp {
        ReceiveOp::new(Source::Vibrator(slf.clone().unbind()), wanted)
    }

    /// Notes who reads; see [`PyMailbox::note_reader`].
    pub fn note_reader(&self, py: Python<'_>) -> PyResult<()> {
        let noted = self.mailbox().note_reader(py)?;
        if let Some(noted) = noted {
            self.reader.copy(noted);
        }
        Ok(())
    }

    /// The medium and the key of the mailbox, if the running task may take from it and nothing else has to be
    /// thought of.
    #[inline]
    pub fn at_hand<'a>(slf: &'a Bound<'_, Self>, thread: &Thread) -> Option<(&'a Shared, Key)> {
        let this = slf.get();
        let shared = &slf.as_super().get().shared;
        let known = this.anonymous || this.reader.is_current(slf.py(), thread);
        let counted = this.journaled && this.mailbox().cursor().is_some();
        let free = known && !counted && !this.has_departed() && shared.home.is_settled();
        free.then_some((&**shared, this.key))
    }

    /// It has taken waves, which whoever follows them is told.
    #[inline]
    pub fn took(slf: &Bound<'_, Self>, shared: &Shared, taken: &[Held]) {
        slf.get().holder.hold(slf.py(), taken);
        if shared.tracing.is_some() {
            for held in taken {
                let by = || slf.as_super().get().origin.label(slf.py());
                received(slf.py(), shared, held.0.get(), by);
            }
        }
    }
}

#[pymethods]
impl PyVibrator {
    #[new]
    #[pyo3(signature = (medium, name, mailbox, identity, *_args, **_kwargs))]
    fn py_new(
        medium: &Bound<'_, PyMedium>,
        name: &Bound<'_, PyString>,
        mailbox: Py<PyMailbox>,
        identity: u64,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let origin = Origin::new(identity, Some(exact(name)?.unbind()));
        let shared = Arc::clone(&medium.as_super().get().shared);
        let journaled = shared.writer.is_some();
        let emitter = PyEmitter { shared, origin: Arc::new(origin) };
        let (key, anonymous) = (mailbox.get().key, mailbox.get().is_anonymous());
        let holder = Holder::new(mailbox.get().key, &mailbox.get().name(medium.py()), false);
        emitter.shared.follows.holders.add(medium.py(), &holder);
        let vibrator = Self {
            mailbox,
            key,
            missed: AtomicU64::new(0),
            departed: AtomicBool::new(false),
            anonymous,
            journaled,
            number: new_identity(),
            reader: LastReader::default(),
            holder,
        };
        Ok(PyClassInitializer::from(emitter).add_subclass(vibrator))
    }

    /// Where its waves wait.
    #[getter(mailbox)]
    fn py_mailbox(&self, py: Python<'_>) -> Py<PyMailbox> {
        self.mailbox.clone_ref(py)
    }

    /// Waves lost to this reader after the wave returned before and before the one just returned.
    ///
    /// Counted in its mailbox: those dropped, faded and expired. 0 until something was received.
    #[getter]
    fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Awaits the next wave, by the order of the mailbox; where one waits, it ends in place.
    ///
    /// Cancelling loses nothing, at any moment: a wave leaves the mailbox only in the hands of the
    /// task that resumes with it, and a cancelled waiter passes its wake-up on.
    ///
    /// Returns:
    ///     The wave; `None` at the end: the vibrator or its medium is closed, and all was taken.
    ///
    /// Raises:
    ///     WrongLoop: A task of another event loop waits here already.
    ///     ForkedMedium: The medium was used before this process was forked.
    ///     RuntimeError: No loop of asyncio or trio runs, and it would have to wait.
    ///
    /// Example:
    ///     >>> import asyncio
    ///     >>> from aether import Aether
    ///     >>> async def main():
    ///     ...     async with Aether() as medium, medium.vibrator("audit") as audit:
    ///     ...         audit.resonate_on("orders.*")
    ///     ...         await medium.emit_wave("orders.created", {"id": 7})
    ///     ...         return await audit.receive()
    ///     >>> asyncio.run(main()).payload
    ///     {'id': 7}
    fn receive<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        awaitable(slf.py(), Self::receiving(slf, Wanted::One))
    }

    /// Awaits several waves at once: the first however long, then more for at most `max_wait`.
    ///
    /// Cancelling loses nothing, as for `receive`, whose errors it shares.
    ///
    /// Args:
    ///     most: How many at most, 1 or more.
    ///     max_wait: How long it waits for more once there is one, in seconds: 0 or more. At 0, or
    ///         without it, it takes what is there.
    ///
    /// Returns:
    ///     At least one wave, in order; ``[]`` at the end.
    ///
    /// Raises:
    ///     TypeError: `most` or `max_wait` is no number.
    ///     ValueError: One of them is out of range.
    #[pyo3(signature = (most, *, max_wait=None))]
    fn receive_many<'py>(
        slf: &Bound<'py, Self>,
        most: &Bound<'py, PyAny>,
        max_wait: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let most = at_most("the number of waves", most)?;
        let max_wait = match max_wait {
            None => 0.0,
            some => seconds("max_wait", some)?.unwrap_or(f64::INFINITY),
        };
        awaitable(slf.py(), Self::receiving(slf, Wanted::Many(most, max_wait)))
    }

    /// Takes the next wave now, from any thread, with or without a loop: it never waits.
    ///
    /// Raises:
    ///     WouldBlock: No wave waits.
    ///     EndOfStream: The vibrator or its medium is closed, and all was taken.
    ///     ForkedMedium: The medium was used before this process was forked.
    fn receive_nowait(slf: &Bound<'_, Self>, py: Python<'_>) -> PyResult<Py<PyWave>> {
        let this = slf.get();
        let mailbox = this.mailbox.get();
        if this.has_departed() {
            return Err(mailbox.ended(py));
        }
        mailbox.shared.follows.asks(py, &this.holder);
        let _moving = this.holder.moves();
        let (wave, missed) = mailbox.take_now(py, this.number)?;
        this.set_missed(missed);
        let taken = Held(wave);
        Self::took(slf, &mailbox.shared, std::slice::from_ref(&taken));
        Ok(taken.0)
    }

    /// Says that a wave is finished, to the durable cursor that it came by.
    ///
    /// It acts at the call, awaited or not: the wave does not come again in this program, and not after the next
    /// start either, once this is done, which it is when the acknowledgement is as durable as the journal. A second
    /// time does no harm, and neither does one after its time was over, if nobody else has finished it.
    ///
    /// Args:
    ///     wave: What this vibrator, or another one of its group, has received.
    ///
    /// Raises:
    ///     ValueError: The vibrator resonates by no cursor, or the wave was not received by it.
    ///     JournalFull: Awaited: the disk has no room for it. In this program it holds.
    ///     JournalFailed: Awaited: the journal has failed before it was safe.
    fn ack<'py>(&self, py: Python<'py>, wave: &Bound<'py, PyWave>) -> PyResult<Bound<'py, PyAny>> {
        let mailbox = self.mailbox();
        mailbox.shared.home.enter()?;
        let Some(cursor) = mailbox.cursor() else {
            return Err(PyValueError::new_err(format!(
                "vibrator {:?} resonates by no cursor, so there is nothing to acknowledge: resonate_on(..., \
                 cursor=\"name\") gives it one",
                mailbox.name(py)
            )));
        };
        let fate = cursor.acknowledge(py, wave.get())?;
        awaitable(py, AckOp { writer: Arc::clone(cursor.writer()), fate })
    }

    /// The steps of `receive_sync`.
    #[pyo3(signature = (timeout=None))]
    fn begin_receive_sync(
        slf: &Bound<'_, Self>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyWaiting> {
        let timeout = seconds("timeout", timeout)?;
        let op = Self::receiving(slf, Wanted::One).timed(timeout);
        Ok(PyWaiting::new(Blocking::Receive(op)))
    }

    fn __aiter__(slf: &Bound<'_, Self>) -> PyWaves {
        PyWaves { vibrator: slf.clone().unbind() }
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        awaitable(slf.py(), Self::receiving(slf, Wanted::Next))
    }

    /// What this vibrator, or an emitter of it, has emitted.
    #[getter]
    fn emitted(slf: &Bound<'_, Self>) -> u64 {
        slf.as_super().get().origin.emitted.get()
    }

    /// Its emitters emit no more.
    fn mute(slf: &Bound<'_, Self>) {
        slf.as_super().get().origin.closed.store(true, Ordering::Relaxed);
    }

    /// Its readers finish no more of what they have.
    fn leave_waves(&self, py: Python<'_>) {
        let shared = &self.mailbox().shared;
        if shared.home.is_here() {
            shared.follows.leaves(py, &self.holder);
        }
    }

    /// It leaves its mailbox to the others of its group: for its own readers, that is the end.
    fn depart(&self, py: Python<'_>) -> PyResult<()> {
        self.mailbox.get().shared.home.enter()?;
        self.departed.store(true, Ordering::Relaxed);
        let mailbox = self.mailbox.get();
        let mut after = Aftermath::default();
        mailbox.shared.medium.call_readers(mailbox.key, &mut after);
        mailbox.shared.settle(py, after);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.mailbox)
    }
}

impl Drop for PyVibrator {
    fn drop(&mut self) {
        Python::attach(|py| quietly(py, || self.leave_waves(py)));
    }
}

/// The waves of a vibrator, for `async for`.
#[pyclass(frozen, name = "Waves", module = "aether._native")]
pub struct PyWaves {
    pub vibrator: Py<PyVibrator>,
}

#[pymethods]
impl PyWaves {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        awaitable(py, PyVibrator::receiving(self.vibrator.bind(py), Wanted::Next))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.vibrator)
    }
}
