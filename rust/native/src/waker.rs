//! How a waiting task or thread is woken, and what is done after each operation of the core.
//!
//! Contract:
//! - Each is woken apart from the others: where one raises or panics, the others are woken all the same, and that one
//!   from a thread of its own, `aether-wake`. That tries until it is done, with a pause after each failure, which is
//!   reported; so nobody sleeps on by a mistake. It ends with the interpreter.
//! - Where there is nobody to wake any more, what was to be his goes to others.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::time::Duration;
use std::{mem, thread};

use aether_core::medium::{self, Key, Ticket};
use parking_lot::{Condvar, Mutex};
use pyo3::exceptions::{PyRecursionError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use crate::fork::Inside;
use crate::here::{Here, current_task};
use crate::log;
use crate::panics;
use crate::shared::Shared;
use crate::wave::Held;

/// What waits.
#[derive(Clone, Copy, Debug)]
pub enum Post {
    /// A reader of this mailbox.
    Reader(Key),
    /// An emission.
    Sender(Ticket),
    /// Somebody who waits for quiet.
    Watcher,
}

/// Wakes one waiting task or thread, once.
pub struct Waker {
    pub post: Post,
    pub sleeper: Sleeper,
}

/// Who sleeps, and where.
pub enum Sleeper {
    /// A future of an asyncio loop, and the loop.
    Asyncio { future: Py<PyAny>, home: Py<PyAny>, thread: u64 },
    /// An `aether._wait.TrioSleeper`, which knows its task and loop.
    Trio { sleeper: Py<PyAny>, thread: u64 },
    /// A held `_thread.lock` on which a `threading.Thread` waits.
    Thread { lock: Py<PyAny>, thread: Py<PyAny> },
    /// A thread of the library's own, which waits unattached.
    Native(Arc<Gate>),
}

/// What a native thread waits at, unattached, until there is something to do. It stays open until somebody has come
/// through.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn open(&self) {
        *self.open.lock() = true;
        self.opened.notify_one();
    }

    /// Waits at most so long; whether somebody has opened it.
    pub fn wait_for(&self, most: Duration) -> bool {
        let mut open = self.open.lock();
        if !*open {
            self.opened.wait_for(&mut open, most);
        }
        std::mem::take(&mut *open)
    }

    pub fn wait(&self) {
        let mut open = self.open.lock();
        while !std::mem::take(&mut *open) {
            self.opened.wait(&mut open);
        }
    }
}

/// How long it is before somebody who could not be woken is tried again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(60));

/// What the core leaves to be done.
pub type Aftermath = medium::Aftermath<Held, Waker>;

/// The thread that runs.
pub fn thread_ident() -> u64 {
    // SAFETY: takes no arguments and needs no interpreter state; it is called from an attached thread.
    unsafe { pyo3::ffi::PyThread_get_thread_ident() as u64 }
}

/// Whether the interpreter is being taken down: this thread is the last, and what it drops was left by others.
fn is_taken_down() -> bool {
    // SAFETY: takes no arguments, and may be called at any time. It says so before modules and garbage go.
    unsafe { pyo3::ffi::Py_IsInitialized() == 0 }
}

impl Sleeper {
    /// Wakes it in the next turn of its loop: a way to let others run.
    pub fn wake_soon(&self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::Asyncio { future, home, .. } => {
                home.bind(py)
                    .call_method1(intern!(py, "call_soon"), (set_if_pending(py)?, future))?;
            }
            Self::Trio { sleeper, .. } => {
                sleeper.call_method0(py, intern!(py, "wake_soon"))?;
            }
            Self::Thread { lock, .. } => {
                lock.call_method0(py, intern!(py, "release"))?;
            }
            Self::Native(gate) => gate.open(),
        }
        Ok(())
    }
}

impl Waker {
    /// Whether two tasks may wait at one mailbox: threads may everywhere, tasks of one loop together.
    pub fn may_join(&self, other: &Self) -> bool {
        match (&self.sleeper, &other.sleeper) {
            (Sleeper::Asyncio { home: a, .. }, Sleeper::Asyncio { home: b, .. }) => a.is(b),
            (Sleeper::Trio { thread: a, .. }, Sleeper::Trio { thread: b, .. }) => a == b,
            (Sleeper::Thread { .. }, _) | (_, Sleeper::Thread { .. }) => true,
            _ => false,
        }
    }

    /// Wakes it. False if its loop is gone.
    fn wake(&self, py: Python<'_>) -> PyResult<bool> {
        match &self.sleeper {
            Sleeper::Asyncio { future, home, thread } => {
                let (future, home) = (future.bind(py), home.bind(py));
                // In a signal handler no task runs, and the loop may sleep in its selector; and this thread
                // may run another loop by now.
                if *thread == thread_ident() && Here::runs(home)? {
                    return set_now(future).map(|()| true);
                }
                let set = set_if_pending(py)?;
                through_loop(&home.getattr(intern!(py, "call_soon_threadsafe"))?, (set, future))
            }
            Sleeper::Trio { sleeper, thread } => {
                let sleeper = sleeper.bind(py);
                if *thread == thread_ident() && current_task(py)?.is_some() {
                    sleeper.call_method0(intern!(py, "wake"))?;
                    return Ok(true);
                }
                through_loop(&sleeper.getattr(intern!(py, "wake_soon"))?, ())
            }
            Sleeper::Thread { lock, .. } => {
                match lock.call_method0(py, intern!(py, "release")) {
                    // It was woken before that has failed.
                    Err(error) if !error.is_instance_of::<PyRuntimeError>(py) => return Err(error),
                    _ => {}
                }
                Ok(true)
            }
            Sleeper::Native(gate) => {
                gate.open();
                Ok(true)
            }
        }
    }

    /// Wakes it, come what may; false if its loop is gone.
    pub fn rouse(self, py: Python<'_>) -> bool {
        let _inside = Inside::enter(py);
        let woken = panics::apart(|| self.wake(py));
        match woken {
            None | Some(Err(_)) if !is_taken_down() => {
                if let Some(Err(error)) = woken {
                    panics::apart(|| raise_later(py, error));
                }
                self.wake_apart()
            }
            // At the end, the collector may have emptied the loop already: it is gone, whatever it says. And no
            // thread is begun any more: without the interpreter's lock, none would be kept from running Python code
            // beside the teardown.
            woken => {
                self.release(py);
                matches!(woken, Some(Ok(true)))
            }
        }
    }

    /// Wakes it from a thread of its own, where neither a signal handler nor a deep stack gets in the way.
    /// False if there is no such thread.
    fn wake_apart(self) -> bool {
        let wake = move || {
            let mut pause = PAUSES.0;
            while !self.try_to_wake() {
                thread::sleep(pause);
                pause = (pause * 2).min(PAUSES.1);
            }
            Python::try_attach(|py| self.release(py));
        };
        thread::Builder::new().name("aether-wake".to_owned()).spawn(wake).is_ok()
    }

    /// Wakes it from a thread that is not attached. False: it is to be tried again.
    fn try_to_wake(&self) -> bool {
        let tried = panics::apart(|| {
            Python::try_attach(|py| {
                let _inside = Inside::enter(py);
                self.wake(py).map_err(|error| error.write_unraisable(py, None)).is_ok()
            })
        });
        // While the interpreter is taken down, nobody is left to wake.
        tried.is_some_and(|woken| woken.unwrap_or(true))
    }

    /// Drops it in a thread that is attached though `PyO3` may not know it.
    fn release(self, py: Python<'_>) {
        let (first, second) = match self.sleeper {
            Sleeper::Asyncio { future, home, .. } => (future, Some(home)),
            Sleeper::Trio { sleeper, .. } => (sleeper, None),
            Sleeper::Thread { lock, thread } => (lock, Some(thread)),
            Sleeper::Native(_) => return,
        };
        drop((first.into_bound(py), second.map(|second| second.into_bound(py))));
    }

    /// The Python objects that it owns, for the garbage collector.
    pub fn objects(&self) -> impl Iterator<Item = &Py<PyAny>> {
        let (first, second) = match &self.sleeper {
            Sleeper::Asyncio { future, home, .. } => (Some(future), Some(home)),
            Sleeper::Trio { sleeper, .. } => (Some(sleeper), None),
            Sleeper::Thread { lock, thread } => (Some(lock), Some(thread)),
            Sleeper::Native(_) => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// Wakes many who only want to know. Tasks of one asyncio loop are woken by one call into it, as each call writes to
/// the loop's socket: a hundred tasks that wait for one commit cost as much as one.
pub fn rouse_all(py: Python<'_>, wakers: Vec<Waker>) {
    let mut homes: Vec<(Py<PyAny>, Vec<Waker>)> = Vec::new();
    for waker in wakers {
        let Sleeper::Asyncio { home, thread, .. } = &waker.sleeper else {
            waker.rouse(py);
            continue;
        };
        if *thread == thread_ident() {
            waker.rouse(py);
        } else if let Some((_, together)) = homes.iter_mut().find(|(known, _)| known.is(home)) {
            together.push(waker);
        } else {
            homes.push((home.clone_ref(py), vec![waker]));
        }
    }
    for (home, together) in homes {
        let woken = together.len() > 1
            && panics::apart(|| wake_together(home.bind(py), &together))
                .is_some_and(|woken| woken.unwrap_or(false));
        if !woken {
            // Whatever has gone wrong is seen to for each by itself. One that is woken twice does not mind.
            for waker in together {
                waker.rouse(py);
            }
        }
    }
}

/// Wakes tasks of one loop from another thread; false if the loop is gone.
fn wake_together(home: &Bound<'_, PyAny>, wakers: &[Waker]) -> PyResult<bool> {
    static SET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = home.py();
    let _inside = Inside::enter(py);
    let futures = wakers.iter().filter_map(|waker| match &waker.sleeper {
        Sleeper::Asyncio { future, .. } => Some(future.bind(py)),
        _ => None,
    });
    let futures = PyList::new(py, futures.collect::<Vec<_>>())?;
    let set = SET.import(py, "aether._wait", "set_each_pending")?;
    through_loop(&home.getattr(intern!(py, "call_soon_threadsafe"))?, (set, futures))
}

/// Raises in the main thread, at its next step, what a signal handler has raised in the midst of something
/// that cannot be undone. In other threads, where no signal handler runs, the error is only reported.
#[cold]
pub fn raise_later(py: Python<'_>, error: PyErr) {
    extern "C" fn raise(error: *mut c_void) -> c_int {
        // SAFETY: the address of what `raise_later` has boxed; called once.
        let error = unsafe { Box::from_raw(error.cast::<PyErr>()) };
        // Below C code, nothing may unwind.
        if panics::apart(|| Python::attach(|py| error.restore(py))).is_none() {
            // SAFETY: the interpreter makes such calls attached.
            unsafe { pyo3::ffi::PyErr_NoMemory() };
        }
        -1
    }
    let in_main_thread = || -> PyResult<bool> {
        let main = py.import("threading")?.call_method0("main_thread")?;
        Ok(main.getattr("ident")?.extract::<u64>()? == thread_ident())
    };
    if !in_main_thread().unwrap_or(false) {
        return error.write_unraisable(py, None);
    }
    let boxed = Box::into_raw(Box::new(error));
    // SAFETY: the function takes what it gets here. Where too many calls wait already, the box is still ours.
    unsafe {
        if pyo3::ffi::Py_AddPendingCall(Some(raise), boxed.cast()) != 0 {
            Box::from_raw(boxed).write_unraisable(py, None);
        }
    }
}

/// Sets a future of the running loop, unless it was cancelled.
fn set_now(future: &Bound<'_, PyAny>) -> PyResult<()> {
    static INVALID_STATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = future.py();
    let Err(error) = future.call_method1(intern!(py, "set_result"), (py.None(),)) else {
        return Ok(());
    };
    let done_before = INVALID_STATE.import(py, "asyncio", "InvalidStateError")?;
    if error.is_instance(py, done_before) { Ok(()) } else { Err(error) }
}

/// `aether._wait.set_if_pending`.
pub fn set_if_pending(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static SET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    SET.import(py, "aether._wait", "set_if_pending")
}

/// Calls into another loop; false if it is gone, which both libraries say with a `RuntimeError`, as the
/// interpreter does of a stack that is too deep.
fn through_loop<'py>(
    call: &Bound<'py, PyAny>,
    args: impl pyo3::call::PyCallArgs<'py>,
) -> PyResult<bool> {
    match call.call1(args) {
        Ok(_) => Ok(true),
        Err(error)
            if error.is_instance_of::<PyRuntimeError>(call.py())
                && !error.is_instance_of::<PyRecursionError>(call.py()) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

impl Shared {
    /// Does what the core has left to be done. No lock is held here: wakers and payloads run Python code.
    #[inline]
    pub fn settle(&self, py: Python<'_>, after: Aftermath) {
        if after.is_untouched() {
            // Nothing was allocated either.
            return mem::forget(after);
        }
        self.settle_all(py, after);
    }

    /// The same in a thread that is attached though `PyO3` may not know it.
    #[inline]
    pub fn settle_attached(&self, py: Python<'_>, after: Aftermath) {
        if after.is_untouched() {
            return mem::forget(after);
        }
        let mut after = Some(after);
        let settled = Python::try_attach(|py| {
            if let Some(after) = after.take() {
                self.settle_all(py, after);
            }
        });
        // The interpreter ends, and PyO3 attaches no more: what is dropped now stays as it is.
        if let (None, Some(after)) = (settled, after) {
            self.settle_all(py, after);
        }
    }

    /// Wakes one, in a thread that is attached though `PyO3` may not know it.
    #[inline(never)]
    pub fn wake(&self, py: Python<'_>, waker: Waker) {
        let mut after = Aftermath::default();
        self.wake_one(py, waker, &mut after);
        self.settle_attached(py, after);
    }

    #[inline(never)]
    fn settle_all(&self, py: Python<'_>, mut after: Aftermath) {
        while !after.wakes.is_empty() || !after.episodes.is_empty() {
            self.wake_and_log(py, &mut after);
        }
        self.tell_gone(py, &after.garbage);
    }

    fn wake_and_log(&self, py: Python<'_>, after: &mut Aftermath) {
        for waker in std::mem::take(&mut after.wakes) {
            self.wake_one(py, waker, after);
        }
        for episode in std::mem::take(&mut after.episodes) {
            panics::apart(|| log::losing(py, &episode.name, episode.reason.name()));
        }
    }

    #[inline]
    fn wake_one(&self, py: Python<'_>, waker: Waker, after: &mut Aftermath) {
        let post = waker.post;
        if !waker.rouse(py) {
            self.not_woken(post, after);
        }
    }

    /// What the sleeper would have got goes to others. If it wakes all the same, nothing is lost by that.
    #[cold]
    fn not_woken(&self, post: Post, after: &mut Aftermath) {
        match post {
            Post::Reader(key) => self.medium.pass_on(key, after),
            Post::Sender(ticket) => self.medium.abandon_sender(ticket, after),
            Post::Watcher => {}
        }
    }
}
