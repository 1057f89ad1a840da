//! Which wave is being handled: the ambient cause of what a handler emits, and the pass of a handler in a
//! medium that drains.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aether_core::times::is_timed;
use aether_core::trace::context::SpanContext;
use aether_core::trace::spans::Trouble;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::sync::PyOnceLock;

use crate::following::End;
use crate::guarded::Guarded;
use crate::holding::Holder;
use crate::mailbox::PyMailbox;
use crate::shared::Shared;
use crate::tracing::{self, Processing};
use crate::wave::PyWave;

/// Whether any handler has run in this program: until then nobody asks the context.
static HANDLERS: AtomicBool = AtomicBool::new(false);

/// A handler at work on a wave; the value of the context variable.
#[pyclass(frozen, name = "Handling", module = "aether._native")]
pub struct PyHandling {
    wave: Py<PyWave>,
    /// The number of the medium.
    medium: u64,
    /// The handler has ended; what it has started goes on in its context.
    over: AtomicBool,
    /// The bits of the monotonic second at which it has begun; NaN: it has not, or nobody wants to know.
    begun: AtomicU64,
    /// Under which number its vibrator is counted.
    counted_as: u32,
    /// Its span, where its wave is followed, until it has ended.
    processing: Guarded<Option<Box<Processing>>>,
    span: Option<SpanContext>,
    /// Where the wave is in hand, until it has ended.
    holder: Option<Arc<Holder>>,
    /// How it ends, if not well.
    end: Guarded<Option<End>>,
}

impl PyHandling {
    /// The handler has ended.
    pub fn end(&self, py: Python<'_>, shared: &Shared) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(times) = &shared.times {
            let begun = f64::from_bits(self.begun.load(Ordering::Relaxed));
            if !begun.is_nan() {
                times.handled(self.counted_as, shared.medium.clock().monotonic() - begun);
            }
        }
        self.let_go(py, shared);
        if self.span.is_some() {
            let processing = self.processing.with(py, Option::take);
            if let Some(processing) = processing {
                processing.end();
            }
        }
    }

    pub fn new(py: Python<'_>, shared: &Shared, wave: Py<PyWave>, mailbox: &PyMailbox) -> Self {
        HANDLERS.store(true, Ordering::Relaxed);
        let processing =
            Processing::begin(py, shared, wave.get(), || Some(mailbox.name(py).into()));
        let span = processing.as_ref().map(|processing| processing.context());
        Self {
            wave,
            medium: shared.number,
            over: AtomicBool::new(false),
            begun: AtomicU64::new(f64::NAN.to_bits()),
            counted_as: mailbox.counted_as,
            processing: Guarded::new(processing),
            span,
            holder: mailbox.holder.clone(),
            end: Guarded::new(None),
        }
    }

    /// The wave is in no hand any more; how that came is remembered, if it is not by a good end.
    fn let_go(&self, py: Python<'_>, shared: &Shared) {
        let Some(holder) = &self.holder else { return };
        let sequence = self.wave.get().sequence.load(Ordering::Relaxed);
        if let Some(end) = self.end.with(py, Option::take) {
            shared.follows.remember(py, sequence, holder, end);
        }
        holder.let_go(py, sequence);
        shared.follows.wake(py, [sequence]);
    }

    /// It will end like this, unless it has been said already.
    fn ends(&self, py: Python<'_>, end: End) {
        self.end.with(py, |known| _ = known.get_or_insert(end));
    }

    /// It begins now, after it may have stood behind another one.
    pub fn begin(&self, py: Python<'_>, shared: &Shared) {
        self.time(shared);
        if self.span.is_some() {
            self.processing.with(py, |processing| {
                if let Some(processing) = processing {
                    processing.resume();
                }
            });
        }
    }

    /// The wave is in the hands of the handler now; until then it waits, and the handler takes no time.
    pub fn time(&self, shared: &Shared) {
        if let Some(times) = &shared.times {
            let sequence = self.wave.get().sequence.load(Ordering::Relaxed);
            if is_timed(sequence) {
                let now = shared.medium.clock().monotonic();
                times.taken(sequence, self.counted_as, now);
                self.begun.store(now.to_bits(), Ordering::Relaxed);
            }
        }
    }
}

impl PyHandling {
    fn troubled(&self, py: Python<'_>, trouble: Trouble) {
        self.processing.with(py, |processing| {
            if let Some(processing) = processing {
                processing.fails(trouble);
            }
        });
    }
}

#[pymethods]
impl PyHandling {
    /// Trace and span of the handler, where its wave is followed.
    #[getter]
    fn span(&self) -> Option<(u128, u64)> {
        self.span.map(|span| (span.trace, span.span))
    }

    /// Whether the handler has ended; what it has started may go on in its context.
    #[getter]
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// The handler has raised an error.
    fn fail(&self, py: Python<'_>, error: Bound<'_, PyAny>) {
        self.ends(py, End::failed(&error));
        if self.span.is_some() {
            self.troubled(py, tracing::trouble(py, &PyErr::from_value(error)));
        }
    }

    /// The handler did not come to its end, for this reason.
    fn abandon(&self, py: Python<'_>, reason: &str) {
        self.ends(py, End::of(reason));
        if self.span.is_some() {
            self.troubled(py, Trouble { kind: reason.to_owned(), message: String::new() });
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.wave)
    }
}

/// The context variable, made once.
pub fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = VARIABLE.get_or_try_init(py, || {
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        PyResult::Ok(class.call1(("aether_handling",))?.unbind())
    })?;
    Ok(made.bind(py))
}

/// What the running code handles, if it runs in a handler of this medium.
#[inline]
fn handling<'py>(py: Python<'py>, shared: &Shared) -> Option<Bound<'py, PyHandling>> {
    if HANDLERS.load(Ordering::Relaxed) { find_handling(py, shared) } else { None }
}

#[inline(never)]
fn find_handling<'py>(py: Python<'py>, shared: &Shared) -> Option<Bound<'py, PyHandling>> {
    let handling = find(py)?;
    let at_work = !handling.get().over.load(Ordering::Relaxed);
    (at_work && handling.get().medium == shared.number).then_some(handling)
}

fn find(py: Python<'_>) -> Option<Bound<'_, PyHandling>> {
    value(variable(py).ok()?)?.cast_into::<PyHandling>().ok()
}

/// What a context variable holds now.
#[inline]
pub fn value<'py>(variable: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let mut value = ptr::null_mut();
    // SAFETY: attached; `value` is a place to write to, which stays null if `variable` is no `ContextVar`, and that error is
    // taken back. What comes is a new reference.
    unsafe {
        if ffi::PyContextVar_Get(variable.as_ptr(), ptr::null_mut(), &raw mut value) < 0 {
            ffi::PyErr_Clear();
        }
        Bound::from_owned_ptr_or_opt(variable.py(), value)
    }
}

/// Whether the running code is a handler of any medium, and its span, where its wave is followed.
#[inline]
pub fn at_work(py: Python<'_>) -> (bool, Option<SpanContext>) {
    if !HANDLERS.load(Ordering::Relaxed) {
        return (false, None);
    }
    match find(py) {
        Some(handling) if !handling.get().over.load(Ordering::Relaxed) => {
            (true, handling.get().span)
        }
        _ => (false, None),
    }
}

/// The wave that the running handler handles.
#[inline]
pub fn handled(py: Python<'_>, shared: &Shared) -> Option<Py<PyWave>> {
    handling(py, shared).map(|handling| handling.get().wave.clone_ref(py))
}

/// Whether the running code is a handler of this medium.
#[inline]
pub fn is_inside(py: Python<'_>, shared: &Shared) -> bool {
    handling(py, shared).is_some()
}
