//! `Receipt`: what an emission did.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use aether_core::medium::Sent;
use aether_core::reason::Tally;
use aether_core::wave::Spent;
use pyo3::prelude::*;
use pyo3::types::PyDict;

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
}

/// Why not everybody got the wave.
enum Why {
    Nothing,
    Dropped(Box<Tally>),
    Spent(Spent),
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
                Self::new(sent.sequence, matched, dropped, handlers, Why::Dropped(tally)),
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
        let receipt = Py::new(py, Self::new(sequence, matched, 0, handlers, Why::Nothing))?;
        let next = receipt.clone_ref(py);
        let last = shared.receipt.with(py, |spare| spare.replace(next));
        drop(last.map(|last| last.into_bound(py)));
        Ok(receipt)
    }

    fn new(sequence: u64, matched: u32, dropped: u32, handlers: u32, why: Why) -> Self {
        let (matched, dropped) = (AtomicU32::new(matched), AtomicU32::new(dropped));
        let handlers = AtomicU32::new(handlers);
        Self { sequence: AtomicU64::new(sequence), matched, dropped, handlers, why }
    }

    /// Of a wave that went nowhere by the rules of a hop.
    pub fn spent(spent: Spent) -> Self {
        Self::new(0, 0, 0, 0, Why::Spent(spent))
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

    /// Why it was let go, and how often: `full`, `faintest` or `expired`.
    ///
    /// Of a wave that goes nowhere: ``{"max_propagation": 1}`` or ``{"min_amplitude": 1}``.
    #[getter]
    fn reasons<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let reasons = PyDict::new(py);
        match &self.why {
            Why::Nothing => {}
            Why::Spent(spent) => reasons.set_item(spent.name(), 1)?,
            Why::Dropped(tally) => {
                for (reason, count) in tally.iter() {
                    reasons.set_item(reason.name(), count)?;
                }
            }
        }
        Ok(reasons)
    }

    /// The first of `reasons`; `None` if nothing was dropped.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        match &self.why {
            Why::Nothing => None,
            Why::Spent(spent) => Some(spent.name()),
            Why::Dropped(tally) => tally.iter().next().map(|(reason, _)| reason.name()),
        }
    }

    /// Whether a journal has yet to confirm it; false without a journal.
    #[getter]
    #[expect(clippy::unused_self, reason = "a property of receipts, true only with a journal")]
    fn pending(&self) -> bool {
        false
    }

    /// How many of those that kept the wave are handlers.
    #[getter]
    fn handlers(&self) -> u32 {
        self.handlers.load(Relaxed)
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
            "Receipt(sequence={sequence}, matched={}, delivered={}, dropped={}, reasons={}, pending=False)",
            self.matched(),
            self.delivered(),
            self.dropped(),
            self.reasons(py)?.repr()?
        ))
    }
}
