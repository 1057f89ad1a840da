//! `Receipt`: what an emission did.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use aether_core::medium::Sent;
use aether_core::reason::Tally;
use aether_core::wave::Spent;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::errors::AetherError;
use crate::following::PyFollowing;
use crate::journal::{Fate, Told, Writer};
use crate::machine::{Quickly, Raised};
use crate::shared::Shared;

/// What an emission did: immutable, and true if somebody got the wave.
///
/// ``matched == delivered + dropped``, about this wave alone: what else had to leave a mailbox to
/// make room is counted in the statistics of that vibrator. Mailboxes that the wave is too faint
/// for, or that ignore their own waves, are not matched.
///
/// Example:
///     >>> from aether import Aether
///     >>> medium = Aether()
///     >>> screen = medium.vibrator("screen", overflow="drop_newest", buffer_size=1)
///     >>> _ = screen.resonate_on("progress.*")
///     >>> bool(medium.emit_nowait("progress.1")), bool(medium.emit_nowait("progress.2"))
///     (True, False)
///     >>> medium.emit_nowait("progress.3").reasons
///     {'full': 1}
// A thread that waits for the lock of PyO3's list comes back to the interpreter with that lock: without the
// interpreter's own, it may be stopped there, and a fork then leaves its child a lock that nobody opens.
#[cfg_attr(Py_GIL_DISABLED, pyclass(frozen, name = "Receipt", module = "aether"))]
#[cfg_attr(
    not(Py_GIL_DISABLED),
    pyclass(frozen, freelist = 256, name = "Receipt", module = "aether")
)]
pub struct PyReceipt {
    /// 0 for a wave that was not admitted.
    sequence: AtomicU64,
    matched: AtomicU32,
    dropped: AtomicU32,
    handlers: AtomicU32,
    why: Why,
    /// The medium that it was emitted in.
    medium: Weak<Shared>,
}

/// Why not everybody got the wave.
enum Why {
    Nothing,
    Dropped(Box<Tally>),
    Spent(Spent),
    Journaled(Box<Journaled>),
}

/// What the receipt of a wave in a journal has beside the others.
struct Journaled {
    fate: Arc<Fate>,
    dropped: Option<Box<Tally>>,
    pending: bool,
}

impl PyReceipt {
    /// Of an emission that was admitted.
    ///
    /// Most callers drop a receipt at once. One that nobody else holds any more is used again: to make and
    /// drop an object is a quarter of an emission's cost.
    #[inline]
    pub fn sent(py: Python<'_>, shared: &Shared, sent: Sent) -> PyResult<Py<Self>> {
        let (matched, dropped) = (sent.matched as u32, sent.dropped as u32);
        let handlers = sent.lanes as u32;
        if let Some(tally) = sent.reasons {
            return Py::new(
                py,
                Self::new(
                    sent.sequence,
                    matched,
                    dropped,
                    handlers,
                    Why::Dropped(tally),
                    &shared.me,
                ),
            );
        }
        Self::plain(py, shared, sent.sequence, matched, handlers)
    }

    /// Of an emission that reached one mailbox, or with [`Self::nobody`] none.
    #[inline]
    pub fn one(py: Python<'_>, shared: &Shared, sequence: u64, handled: bool) -> Quickly<Py<Self>> {
        let receipt = Self::plain(py, shared, sequence, 1, u32::from(handled));
        receipt.map(Some).map_err(|error| Raised::set(py, error))
    }

    /// Of an emission that nobody heard.
    #[inline]
    pub fn nobody(py: Python<'_>, shared: &Shared, sequence: u64) -> Quickly<Py<Self>> {
        let receipt = Self::plain(py, shared, sequence, 0, 0);
        receipt.map(Some).map_err(|error| Raised::set(py, error))
    }

    /// Of an emission of which nothing was dropped.
    #[inline]
    fn plain(
        py: Python<'_>,
        shared: &Shared,
        sequence: u64,
        matched: u32,
        handlers: u32,
    ) -> PyResult<Py<Self>> {
        let reused = shared.receipt.with(py, |spare| {
            let spare = spare.as_ref().filter(|spare| is_unshared(py, spare))?;
            let reused = spare.get();
            reused.sequence.store(sequence, Relaxed);
            reused.matched.store(matched, Relaxed);
            reused.handlers.store(handlers, Relaxed);
            Some(spare.clone_ref(py))
        });
        reused.map_or_else(|| Self::fresh(py, shared, sequence, matched, handlers), Ok)
    }

    /// A new one, which will be used again.
    #[cold]
    fn fresh(
        py: Python<'_>,
        shared: &Shared,
        sequence: u64,
        matched: u32,
        handlers: u32,
    ) -> PyResult<Py<Self>> {
        let receipt =
            Py::new(py, Self::new(sequence, matched, 0, handlers, Why::Nothing, &shared.me))?;
        let next = receipt.clone_ref(py);
        let last = shared.receipt.with(py, |spare| spare.replace(next));
        drop(last.map(|last| last.into_bound(py)));
        Ok(receipt)
    }

    fn new(
        sequence: u64,
        matched: u32,
        dropped: u32,
        handlers: u32,
        why: Why,
        medium: &Weak<Shared>,
    ) -> Self {
        let (matched, dropped) = (AtomicU32::new(matched), AtomicU32::new(dropped));
        let handlers = AtomicU32::new(handlers);
        let sequence = AtomicU64::new(sequence);
        Self { sequence, matched, dropped, handlers, why, medium: Weak::clone(medium) }
    }

    /// Of an emission that the journal has and has not confirmed: what became of it, if that is known by now.
    pub fn appended(py: Python<'_>, writer: &Writer, fate: &Arc<Fate>) -> PyResult<Py<Self>> {
        match fate.told() {
            Some(told) => Self::told(py, writer, fate, told),
            None => Self::journaled(py, writer, fate, fate.position(), (0, 0, 0), None, true),
        }
    }

    /// Of an emission that the journal has told of; an error if it has refused it.
    pub fn told(
        py: Python<'_>,
        writer: &Writer,
        fate: &Arc<Fate>,
        told: Told,
    ) -> PyResult<Py<Self>> {
        match told {
            // One that the journal has refused has no place in it.
            Told::Delivered(sent) => {
                let counts = (sent.matched as u32, sent.dropped as u32, sent.lanes as u32);
                Self::journaled(py, writer, fate, sent.sequence, counts, sent.reasons, false)
            }
            Told::Settled => {
                Self::journaled(py, writer, fate, fate.position(), (0, 0, 0), None, false)
            }
            Told::Refused(refusal) => Err(writer.refused(&refusal)),
            Told::Panicked => Err(AetherError::new_err(format!(
                "a panic in Rust has met the delivery of wave {}: it is in the journal {}, and who was to have it may not \
                 have got it; native.panicked in the log says where",
                fate.position(),
                writer.path().display()
            ))),
        }
    }

    fn journaled(
        py: Python<'_>,
        writer: &Writer,
        fate: &Arc<Fate>,
        position: u64,
        (matched, dropped, handlers): (u32, u32, u32),
        tally: Option<Box<Tally>>,
        pending: bool,
    ) -> PyResult<Py<Self>> {
        let journaled = Journaled { fate: Arc::clone(fate), dropped: tally, pending };
        let why = Why::Journaled(Box::new(journaled));
        let medium = writer.medium(py);
        Py::new(py, Self::new(position, matched, dropped, handlers, why, &medium))
    }

    /// What the journal knows of it.
    fn journal(&self) -> Option<&Journaled> {
        match &self.why {
            Why::Journaled(journaled) => Some(journaled),
            _ => None,
        }
    }

    /// Why it was let go, and how often.
    fn tally(&self) -> Option<&Tally> {
        match &self.why {
            Why::Dropped(tally) => Some(tally),
            Why::Journaled(journaled) => journaled.dropped.as_deref(),
            Why::Nothing | Why::Spent(_) => None,
        }
    }

    /// Of a wave that went nowhere by the rules of a hop.
    pub fn spent(spent: Spent) -> Self {
        Self::new(0, 0, 0, 0, Why::Spent(spent), &Weak::new())
    }
}

/// Whether nobody but the medium holds it, and nobody can come to.
#[inline]
fn is_unshared(_py: Python<'_>, receipt: &Py<PyReceipt>) -> bool {
    // Without the interpreter's lock, another thread could be dropping or taking a reference now.
    // SAFETY: a live object.
    !cfg!(Py_GIL_DISABLED) && unsafe { pyo3::ffi::Py_REFCNT(receipt.as_ptr()) } == 1
}

#[pymethods]
impl PyReceipt {
    /// The number of the wave in this medium, from 1; `None` if it went nowhere.
    #[getter]
    fn sequence(&self) -> Option<u64> {
        Some(self.sequence.load(Relaxed)).filter(|&sequence| sequence != 0)
    }

    /// How many mailboxes resonate on the channel and hear the wave.
    #[getter]
    fn matched(&self) -> u32 {
        self.matched.load(Relaxed)
    }

    /// How many took it.
    #[getter]
    fn delivered(&self) -> u32 {
        self.matched() - self.dropped()
    }

    /// How many let it go.
    #[getter]
    fn dropped(&self) -> u32 {
        self.dropped.load(Relaxed)
    }

    /// Why it was let go, and how often: `full`, `faintest`, `expired` or `shed`.
    ///
    /// Of a wave that goes nowhere: ``{"max_propagation": 1}`` or ``{"min_amplitude": 1}``.
    #[getter]
    fn reasons<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let reasons = PyDict::new(py);
        if let Why::Spent(spent) = &self.why {
            reasons.set_item(spent.name(), 1)?;
        }
        for (reason, count) in self.tally().into_iter().flat_map(Tally::iter) {
            reasons.set_item(reason.name(), count)?;
        }
        Ok(reasons)
    }

    /// The first of `reasons`; `None` if nothing was dropped.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        match &self.why {
            Why::Spent(spent) => Some(spent.name()),
            _ => self.tally()?.iter().next().map(|(reason, _)| reason.name()),
        }
    }

    /// Whether a journal has yet to confirm it: then it is false, its counts are 0, and
    /// ``await journal.durable(receipt.position)`` gives the final one. False without a journal.
    #[getter]
    fn pending(&self) -> bool {
        self.journal().is_some_and(|journaled| journaled.pending)
    }

    /// Its place in the journal; `None` without one, or if the journal has failed and it was delivered all the
    /// same.
    #[getter]
    fn position<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        static POSITION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let (Some(Journaled { fate, .. }), Some(sequence)) = (self.journal(), self.sequence())
        else {
            return Ok(None);
        };
        let class = POSITION.import(py, "aether.journal.position", "Position")?;
        let position = class.call1((sequence,))?;
        position.setattr("fate", PyFate(Arc::clone(fate)))?;
        Ok(Some(position))
    }

    /// How many of those that kept the wave are handlers.
    #[getter]
    fn handlers(&self) -> u32 {
        self.handlers.load(Relaxed)
    }

    /// Awaits that everybody who got the wave has finished with it, and says who has failed and how.
    ///
    /// A handler has finished when it has ended: well, or failed for good after its retries, its time limit and what its
    /// circuit says. A reader has when it asks for the next. A wave that is dropped where it waits ends there. Nothing is
    /// kept of waves that nobody asks about but how the last 1,024 in this medium have failed, and what each mailbox let
    /// go last, as many waves as it holds and at least 256: of what is older, it is `unknown` how it ended, if it was over
    /// before it was asked for.
    ///
    /// Cancelling changes nothing. It may be asked for again, by several, in any loop.
    ///
    /// Args:
    ///     timeout: Seconds to wait, 0 or more, by the clock of the medium. Without it: until all have finished, which a
    ///         reader may never do that has left its loop and not closed its vibrator, nor a handler that does not run.
    ///
    /// Returns:
    ///     A `Handled`.
    ///
    /// Raises:
    ///     TimeoutError: Some were still at it; the message names them.
    ///     RuntimeError: A handler asks for the end of the wave that it handles, which would not come.
    ///     TypeError: `timeout` is no number.
    ///     ValueError: `timeout` is NaN or negative.
    ///     JournalFull: The disk had no room for the wave, and nobody got it.
    ///     JournalFailed: The journal has failed before the wave was safe, and nobody got it.
    ///     ForkedMedium: The medium was used before this process was forked.
    ///
    /// Example:
    ///     >>> import asyncio
    ///     >>> from aether import Aether
    ///     >>> medium = Aether()
    ///     >>> shop = medium.vibrator("shop")
    ///     >>> @shop.on("orders.*")
    ///     ... async def book(wave):
    ///     ...     if wave.payload < 1:
    ///     ...         raise ValueError("nothing to book")
    ///     >>> async def main():
    ///     ...     async with medium:
    ///     ...         receipt = await medium.emit_wave("orders.created", 3)
    ///     ...         return await receipt.handled(timeout=5.0)
    ///     >>> asyncio.run(main())
    ///     Handled(outcomes=(Outcome(vibrator='shop', handler='book', how='handled', error=None),), finished=0, unknown=0)
    #[pyo3(signature = (timeout=None))]
    fn handled<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static HANDLED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        HANDLED.import(slf.py(), "aether.handled", "handled")?.call1((slf, timeout))
    }

    /// Follows its wave: `wake` is called, in any thread, whenever somebody may have finished with it. `None`: it went
    /// nowhere, or its medium is gone.
    fn follow(&self, py: Python<'_>, wake: Py<PyAny>) -> PyResult<Option<PyFollowing>> {
        let Some(sequence) = self.sequence() else { return Ok(None) };
        let medium = self.medium.upgrade();
        medium.map(|shared| PyFollowing::begin(py, shared, sequence, wake)).transpose()
    }

    fn __bool__(&self) -> bool {
        self.delivered() > 0
    }

    fn __eq__(&self, other: &Self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.sequence() == other.sequence()
            && self.matched() == other.matched()
            && self.dropped() == other.dropped()
            && self.reasons(py)?.eq(other.reasons(py)?)?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let sequence = self.sequence().map_or("None".to_owned(), |sequence| sequence.to_string());
        Ok(format!(
            "Receipt(sequence={sequence}, matched={}, delivered={}, dropped={}, reasons={}, pending={})",
            self.matched(),
            self.delivered(),
            self.dropped(),
            self.reasons(py)?.repr()?,
            if self.pending() { "True" } else { "False" }
        ))
    }
}

/// What becomes of a wave in a journal, for whoever holds its position.
#[pyclass(frozen, name = "Fate", module = "aether._native")]
pub struct PyFate(Arc<Fate>);

impl PyFate {
    /// That of a position, if it is one of a receipt and not a mere number.
    pub fn of(position: &Bound<'_, PyAny>) -> PyResult<Option<Arc<Fate>>> {
        let fate = position.getattr_opt("fate")?;
        let fate = fate.as_ref().and_then(|fate| fate.cast::<Self>().ok());
        Ok(fate.map(|fate| Arc::clone(&fate.get().0)))
    }
}
