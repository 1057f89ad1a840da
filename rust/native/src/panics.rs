//! Panics: a mistake of ours, which must not take the process down.
//!
//! Contract:
//! - Each is counted, in whichever thread, and its place and message are kept by that thread until it is told of. What
//!   Rust says of it on standard error is said as well, and a backtrace is kept where `RUST_BACKTRACE` asks for one.
//! - `PyO3` catches what panics below a method, and raises its `PanicException`, which is no `Exception` and would end
//!   most programs. That class is our own copy, so [`install`] has it make `AetherError`s, after a line in the log. It
//!   costs nothing where nothing panics.
//! - What is entered without `PyO3` catches for itself: [`caught`].
//! - A thread of ours goes on, after a line in the log: one that looks after something begins anew, after longer and
//!   longer pauses ([`begin_anew`]); of what is done for many in turn, each is apart from the others ([`apart`]).
//! - Nobody waits for ever: whoever was to be told or woken in the midst of a panic is, by guards that end by unwinding.
//!   Locks are free again, too.
//! - Of work that is shared among [`HELPERS`] for a call, the call has the panic as if it were its own.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use aether_physics::cores::HELPERS;
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::fork::Inside;
use crate::log;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// How long a thread rests after a panic, and at most after one that follows others.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The last one of a thread that helps with a call, which is told of by the thread that has called.
static HELPER: Mutex<Option<Panic>> = Mutex::new(None);

thread_local! {
    /// The last one of this thread that was not told of yet.
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

struct Panic {
    place: String,
    message: String,
    backtrace: String,
}

/// How many panics there were in this process.
#[pyfunction]
pub fn panics() -> u64 {
    COUNT.load(Relaxed)
}

/// Has panics counted and kept, and made into `AetherError`; called once in a process.
pub fn install(py: Python<'_>) -> PyResult<()> {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        COUNT.fetch_add(1, Relaxed);
        let backtrace = Backtrace::capture();
        let backtrace = match backtrace.status() {
            BacktraceStatus::Captured => backtrace.to_string(),
            _ => String::new(),
        };
        let place =
            info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let message = message_of(info.payload());
        let panic = Some(Panic { place, message, backtrace });
        if thread::current().name() == Some(HELPERS) {
            *HELPER.lock() = panic;
        } else {
            let _ = LAST.try_with(|last| last.replace(panic));
        }
        before(info);
    }));
    let made = py.get_type::<PanicException>();
    let told = wrap_pyfunction!(made_of_panic, py)?;
    // For a function of C, calling it as `__new__` passes the class, as it does for one of Python's.
    made.setattr("__new__", told)
}

/// What `PanicException(message)` gives: an `AetherError` instead, of which the log says where it comes from.
#[pyfunction]
#[pyo3(signature = (_class, *given))]
fn made_of_panic<'py>(
    _class: &Bound<'py, PyAny>,
    given: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = given.py();
    let first = given.get_item(0).ok();
    // CPython 3.11 asks again with what it was given.
    if let Some(error) = first.as_ref().filter(|first| first.cast::<PyString>().is_err()) {
        return Ok(error.clone());
    }
    let message = first.map(|first| first.to_string()).unwrap_or_default();
    let last = take_last().or_else(|| HELPER.lock().take());
    let (place, backtrace) = last.map_or_else(
        || ("an unknown place".to_owned(), String::new()),
        |panic| (panic.place, panic.backtrace),
    );
    log::panicked(py, &place, &message, &thread_name(), &backtrace);
    let said = format!(
        "a panic in Rust at {place}: {message}; this is a mistake in Aether, please report it with what the log says of \
         native.panicked"
    );
    // Not by the classes of `errors`: to look for one could panic itself.
    let class = py.import("aether.errors").and_then(|errors| errors.getattr("AetherError"));
    class.and_then(|class| class.call1((&said,))).or_else(|_| {
        let error = PyRuntimeError::new_err(said);
        Ok(error.into_value(py).into_bound(py).into_any())
    })
}

fn thread_name() -> String {
    thread::current().name().unwrap_or("a thread of the program").to_owned()
}

/// What a panic has said.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
    said.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "of no text".to_owned())
}

/// Runs what is entered without `PyO3`: a panic becomes the error that `PyO3` would make of it.
#[inline]
pub fn caught<R>(act: impl FnOnce() -> R) -> Result<R, PyErr> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| error_of(&*panic))
}

#[cold]
fn error_of(panic: &(dyn Any + Send)) -> PyErr {
    PanicException::new_err((message_of(panic),))
}

/// Does what is apart from whatever comes after it: a panic is logged, and gives `None`. It need not be attached.
pub fn apart<R>(act: impl FnOnce() -> R) -> Option<R> {
    let done = catch_unwind(AssertUnwindSafe(act));
    done.inspect_err(|_| tell_last()).ok()
}

/// Runs what a thread of ours does, and anew after each panic, once that was logged. `rest` gets what it has said, and
/// how long to wait: each time longer, unless it went well for longer than that. False: the thread ends.
pub fn begin_anew(mut run: impl FnMut(), mut rest: impl FnMut(&str, Duration) -> bool) {
    let (first, longest) = PAUSES;
    let mut pause = first;
    loop {
        let begun = Instant::now();
        let Err(panic) = catch_unwind(AssertUnwindSafe(&mut run)) else { return };
        tell_last();
        if begun.elapsed() > longest {
            pause = first;
        }
        if !rest(&message_of(&*panic), pause) {
            return;
        }
        pause = (pause * 2).min(longest);
    }
}

fn take_last() -> Option<Panic> {
    LAST.try_with(RefCell::take).ok().flatten()
}

/// Logs the last panic of this thread, if it was not told of. It need not be attached.
pub fn tell_last() {
    let Some(Panic { place, message, backtrace }) = take_last() else { return };
    // Without memory for the line, it was counted, and Rust has said it.
    let said = catch_unwind(|| {
        Python::try_attach(|py| {
            let _inside = Inside::enter(py);
            log::panicked(py, &place, &message, &thread_name(), &backtrace);
        });
    });
    drop(said);
}
