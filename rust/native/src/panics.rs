//! Panics: a mistake of ours, which must not take the process down.
//!
//! Contract:
//! - Each is counted, in whichever thread, and its place and message are kept by that thread until it is told of. What
//!   Rust says of it on standard error is said as well, and a backtrace is kept where `RUST_BACKTRACE` asks for one.
//! - `PyO3` catches what panics below a method, and raises its `PanicException`, which is no `Exception` and would end
//!   most programs. That class is our own copy, so [`install`] has it make `AetherError`s, after a line in the log. It
//!   costs nothing where nothing panics.
//! - What is entered without `PyO3` catches for itself: [`caught`]. Threads of ours do by [`thread`].
//! - Locks are free again after a panic: guards end by unwinding.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use pyo3::exceptions::PyRuntimeError;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::fork::Inside;
use crate::log;

static COUNT: AtomicU64 = AtomicU64::new(0);

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
    set_hook(Box::new(move |panic| {
        COUNT.fetch_add(1, Relaxed);
        let backtrace = Backtrace::capture();
        let backtrace = match backtrace.status() {
            BacktraceStatus::Captured => backtrace.to_string(),
            _ => String::new(),
        };
        let place =
            panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let message = message_of(panic.payload());
        let _ = LAST.try_with(|last| last.replace(Some(Panic { place, message, backtrace })));
        before(panic);
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
    let last = LAST.try_with(RefCell::take).ok().flatten();
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

/// Runs what a thread of ours does. A panic is logged, and `fallen` is called with what it has said.
pub fn thread(body: impl FnOnce(), fallen: impl FnOnce(&str)) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
        tell_last();
        fallen(&message_of(&*panic));
    }
}

/// Logs the last panic of this thread, if it was not told of. It need not be attached.
pub fn tell_last() {
    let last = LAST.try_with(RefCell::take).ok().flatten();
    let Some(Panic { place, message, backtrace }) = last else { return };
    Python::try_attach(|py| {
        let _inside = Inside::enter(py);
        log::panicked(py, &place, &message, &thread_name(), &backtrace);
    });
}
