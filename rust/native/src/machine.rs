//! The life of an awaited operation, in safe code: try, sleep, try again, end.
//!
//! Contract:
//! - Awaiting tries the operation at once. If it is done, the await ends in place: no task switch.
//! - Otherwise the task is enlisted with the medium and sleeps; woken, it tries again.
//! - An end from outside (`throw`, `close`, collection) calls [`Operation::abandon`], which undoes the
//!   enlisting and passes a wake-up on. Nothing has been done then.
//! - Of each [`IN_PLACE_LIMIT`] awaits in a row that end in place, in one thread, one gives way to the loop
//!   first.
//! - Each is awaited once; it refuses to be driven by two tasks.

use std::ffi::CStr;

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyIterator;
use pyo3::types::iterator::PySendResult as Sent;

use crate::awaitable::Store;
use crate::errors::quietly;
use crate::here::{Here, Thread, current_task};
use crate::panics;
use crate::waker::{Sleeper, set_if_pending, thread_ident};

/// How many awaits in a row may end in place.
pub const IN_PLACE_LIMIT: u32 = 128;

/// A Python error is set.
pub struct Raised;

impl Raised {
    /// Sets an error.
    #[cold]
    pub fn set(py: Python<'_>, error: PyErr) -> Self {
        error.restore(py);
        Self
    }
}

/// What a short way gives: the value; `None` if it is not passable, and nothing has happened.
pub type Quickly<T> = Result<Option<T>, Raised>;

/// Something that can be awaited, and waited for by a thread.
pub trait Operation: Send + Sized + 'static {
    /// The type's name.
    const NAME: &'static CStr;

    /// Where the type object is kept, and objects to be used again.
    fn store() -> &'static Store;

    /// Does it, or says that it has to wait (`None`). Not called again after it was done or failed.
    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>>;

    /// Has the sleeper woken when it is worth another attempt; false: it is so already.
    fn enlist(&mut self, py: Python<'_>, sleeper: Sleeper) -> PyResult<bool>;

    /// It will not be tried again: undoes [`Self::enlist`].
    fn abandon(&mut self, py: Python<'_>);

    /// For how many seconds it may wait from now on; asked before the first wait, and when it has run out.
    fn patience(&mut self, _py: Python<'_>) -> Option<f64> {
        None
    }

    /// The timers that its patience goes by; `None`: those of the loop.
    fn timers<'py>(&self, _py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        None
    }

    /// What it comes to when patience has run out; `None`: it waits on, with new patience.
    fn run_out(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        Ok(Some(py.None()))
    }

    /// It is dropped and was never awaited.
    fn never_awaited(&self, _py: Python<'_>) {}

    /// Does it, if nothing stands in the way; otherwise nothing has happened. `PyO3` does not know that the
    /// thread is attached: what is dropped here is dropped as `Bound`.
    #[inline]
    fn quick(&mut self, _py: Python<'_>, _thread: &Thread) -> Quickly<Py<PyAny>> {
        Ok(None)
    }

    /// Drops it after [`Self::quick`] in a thread that is attached though `PyO3` does not know it.
    #[inline]
    fn release(self, _py: Python<'_>) {}

    /// Every Python object that it owns, for the garbage collector.
    fn visit(&self, each: &mut dyn FnMut(&Py<PyAny>));
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Fresh,
    Begun,
    Done,
}

/// What a step came to.
pub enum Step {
    Yield(Py<PyAny>),
    Return(Py<PyAny>),
}

/// An operation that is awaited.
pub struct Machine<O> {
    /// Gone once it is done.
    op: Option<O>,
    state: State,
    asleep: Asleep,
}

/// What only those have that had to wait.
#[derive(Default)]
struct Asleep {
    /// The address of the task that drives it (0: no task), once it has slept.
    driver: Option<usize>,
    /// What is awaited inside: a future's iterator, a coroutine of trio.
    inner: Option<Py<PyIterator>>,
    /// In the time of the loop, or of the operation's timers.
    deadline: Option<f64>,
    /// The loop's timer for the deadline, or theirs.
    timer: Option<Py<PyAny>>,
}

impl<O: Operation> Machine<O> {
    pub fn new(op: O) -> Self {
        Self { op: Some(op), state: State::Fresh, asleep: Asleep::default() }
    }

    #[inline]
    pub fn state(&self) -> State {
        self.state
    }

    /// The first step, if it is also the last and nothing stands in its way; otherwise nothing has happened.
    #[inline]
    pub fn quick(&mut self, py: Python<'_>) -> Quickly<Py<PyAny>> {
        let (State::Fresh, Some(op)) = (self.state, &mut self.op) else { return Ok(None) };
        let done = Thread::with(|thread| {
            let next = thread.in_place.get() + 1;
            if next >= IN_PLACE_LIMIT {
                return Ok(None);
            }
            let done = op.quick(py, thread);
            if let Ok(Some(_)) = done {
                thread.in_place.set(next);
            }
            done
        });
        // What raises has been done: it must not be done again.
        if !matches!(done, Ok(None)) {
            self.state = State::Done;
            if let Some(op) = self.op.take() {
                op.release(py);
            }
        }
        done
    }

    pub fn send(&mut self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Step> {
        match self.state {
            State::Done => return Err(awaited_already()),
            State::Fresh => {
                self.state = State::Begun;
                if let Some(step) = self.give_way(py)? {
                    return Ok(step);
                }
            }
            State::Begun => {
                if let Some(inner) = self.asleep.inner.take() {
                    match inner.bind(py).send(value)? {
                        Sent::Next(yielded) => {
                            self.asleep.inner = Some(inner);
                            return Ok(Step::Yield(yielded.unbind()));
                        }
                        Sent::Return(_) => {}
                    }
                }
            }
        }
        self.advance(py)
    }

    /// Why the running task may not drive it on.
    pub fn refusal(&self, py: Python<'_>) -> Option<PyErr> {
        match self.state {
            State::Fresh => None,
            State::Begun => {
                let other = self.asleep.driver.is_some_and(|known| known != driver(py));
                other.then(awaited_by_another)
            }
            State::Done => Some(awaited_already()),
        }
    }

    fn op(&mut self) -> PyResult<&mut O> {
        self.op.as_mut().ok_or_else(awaited_already)
    }

    fn advance(&mut self, py: Python<'_>) -> PyResult<Step> {
        self.stop_timer(py)?;
        loop {
            if let Some(value) = self.op()?.attempt(py)? {
                in_place(|row| row + 1);
                return Ok(Step::Return(value));
            }
            in_place(|_| 0);
            if let Some(step) = self.park(py)? {
                return Ok(step);
            }
        }
    }

    /// One yield to the loop, when it is due.
    #[inline]
    fn give_way(&mut self, py: Python<'_>) -> PyResult<Option<Step>> {
        if in_place(|row| row) + 1 < IN_PLACE_LIMIT {
            return Ok(None);
        }
        in_place(|_| 0);
        match Here::find(py)? {
            Here::Asyncio(_) => Ok(Some(Step::Yield(py.None()))),
            Here::Trio => {
                static CHECKPOINT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                let checkpoint = CHECKPOINT.import(py, "trio.lowlevel", "checkpoint")?;
                self.delegate(&checkpoint.call0()?).map(Some)
            }
            Here::Nowhere => Ok(None),
        }
    }

    /// Sleeps until woken; `None`: there is no need to.
    #[cold]
    fn park(&mut self, py: Python<'_>) -> PyResult<Option<Step>> {
        let thread = thread_ident();
        self.asleep.driver.get_or_insert_with(|| driver(py));
        let timers = self.op()?.timers(py);
        match Here::find(py)? {
            Here::Nowhere => Err(Here::nowhere()),
            Here::Asyncio(home) => {
                let now = || match &timers {
                    None => home.call_method0(intern!(py, "time"))?.extract(),
                    Some(timers) => shown(timers),
                };
                if self.runs_out(py, now)? {
                    return self.run_out(py);
                }
                let future = home.call_method0(intern!(py, "create_future"))?;
                let waiting = future.try_iter()?.into_any();
                if let Some(deadline) = self.asleep.deadline {
                    let (clock, at) = match &timers {
                        None => (&home, intern!(py, "call_at")),
                        Some(timers) => (timers, intern!(py, "at")),
                    };
                    let timed = (deadline, set_if_pending(py)?, &future);
                    self.asleep.timer = Some(clock.call_method1(at, timed)?.unbind());
                }
                let (future, home) = (future.unbind(), home.unbind());
                if !self.op()?.enlist(py, Sleeper::Asyncio { future, home, thread })? {
                    self.stop_timer(py)?;
                    return Ok(None);
                }
                self.delegate(&waiting).map(Some)
            }
            Here::Trio => {
                static SLEEPER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                static TIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                let time = TIME.import(py, "trio", "current_time")?;
                let now = || match &timers {
                    None => time.call0()?.extract(),
                    Some(timers) => shown(timers),
                };
                if self.runs_out(py, now)? {
                    return self.run_out(py);
                }
                let sleeper = SLEEPER.import(py, "aether._wait", "TrioSleeper")?.call0()?;
                let woken = Sleeper::Trio { sleeper: sleeper.clone().unbind(), thread };
                let mut deadline = self.asleep.deadline;
                if let (Some(timers), Some(moment)) = (timers, deadline) {
                    let wake = sleeper.getattr(intern!(py, "wake"))?;
                    let timer = timers.call_method1(intern!(py, "at"), (moment, wake))?;
                    self.asleep.timer = Some(timer.unbind());
                    deadline = None;
                }
                if !self.op()?.enlist(py, woken)? {
                    self.stop_timer(py)?;
                    return Ok(None);
                }
                let sleep = sleeper.call_method1(intern!(py, "sleep_until"), (deadline,))?;
                self.delegate(&sleep).map(Some)
            }
        }
    }

    fn run_out(&mut self, py: Python<'_>) -> PyResult<Option<Step>> {
        self.asleep.deadline = None;
        Ok(self.op()?.run_out(py)?.map(Step::Return))
    }

    /// Sets the deadline by the operation's patience; true if it has passed.
    fn runs_out(&mut self, py: Python<'_>, now: impl FnOnce() -> PyResult<f64>) -> PyResult<bool> {
        let patience = match self.asleep.deadline {
            None => self.op()?.patience(py),
            Some(_) => None,
        };
        match (self.asleep.deadline, patience) {
            (None, Some(patience)) => {
                self.asleep.deadline = Some(now()? + patience);
                Ok(patience <= 0.0)
            }
            (Some(deadline), _) => Ok(now()? >= deadline),
            (None, None) => Ok(false),
        }
    }

    fn stop_timer(&mut self, py: Python<'_>) -> PyResult<()> {
        match self.asleep.timer.take() {
            Some(timer) => timer.call_method0(py, intern!(py, "cancel")).map(drop),
            None => Ok(()),
        }
    }

    /// Awaits something inside: a future's iterator, or a coroutine. Returns what it yields first.
    fn delegate(&mut self, awaited: &Bound<'_, PyAny>) -> PyResult<Step> {
        let py = awaited.py();
        let inner = match awaited.cast::<PyIterator>() {
            Ok(iterator) => iterator.clone(),
            Err(_) => awaited.call_method0(intern!(py, "__await__"))?.cast_into()?,
        };
        let first = inner.send(py.None().bind(py))?;
        match first {
            Sent::Next(yielded) => {
                self.asleep.inner = Some(inner.unbind());
                Ok(Step::Yield(yielded.unbind()))
            }
            // It was woken before it slept.
            Sent::Return(_) => self.advance(py),
        }
    }

    pub fn throw(&mut self, py: Python<'_>, error: PyErr) -> PyResult<Step> {
        if self.state == State::Done {
            return Err(error);
        }
        self.state = State::Begun;
        let Some(inner) = self.asleep.inner.take() else {
            return Err(error);
        };
        match inner.bind(py).call_method1(intern!(py, "throw"), (error,)) {
            Ok(yielded) => {
                self.asleep.inner = Some(inner);
                Ok(Step::Yield(yielded.unbind()))
            }
            Err(end) if end.is_instance_of::<PyStopIteration>(py) => self.advance(py),
            Err(error) => Err(error),
        }
    }

    pub fn close(&mut self, py: Python<'_>) -> PyResult<Step> {
        let inner = self.asleep.inner.take();
        self.finish(py, false);
        if let Some(inner) = inner {
            if let Some(close) = inner.bind(py).getattr_opt(intern!(py, "close"))? {
                close.call0()?;
            }
        }
        Ok(Step::Return(py.None()))
    }

    /// It is dropped before it has ended. The pending error, if any, is somebody else's.
    #[cold]
    pub fn drop_unfinished(&mut self, py: Python<'_>) {
        quietly(py, || {
            panics::apart(|| {
                self.warn_if_fresh(py);
                self.finish(py, false);
            });
        });
    }

    /// Says so if it was never awaited.
    pub fn warn_if_fresh(&self, py: Python<'_>) {
        if let (State::Fresh, Some(op)) = (self.state, &self.op) {
            op.never_awaited(py);
        }
    }

    /// The coroutine has ended. Undoes what waits, unless it was done.
    pub fn finish(&mut self, py: Python<'_>, done: bool) {
        self.state = State::Done;
        if let Some(mut op) = self.op.take() {
            if !done {
                op.abandon(py);
            }
        }
        if let Err(error) = self.stop_timer(py) {
            error.write_unraisable(py, None);
        }
        self.asleep = Asleep::default();
    }

    /// Every Python object that it owns, for the garbage collector.
    pub fn visit(&self, each: &mut dyn FnMut(&Py<PyAny>)) {
        self.asleep.inner.iter().for_each(|inner| each(inner.as_any()));
        self.asleep.timer.iter().for_each(&mut *each);
        self.op.iter().for_each(|op| op.visit(each));
    }
}

/// Changes how many awaits in a row have ended in place in this thread, and says how many.
pub fn in_place(change: impl FnOnce(u32) -> u32) -> u32 {
    Thread::with(|thread| {
        thread.in_place.set(change(thread.in_place.get()));
        thread.in_place.get()
    })
}

/// What the clock of a medium's timers shows.
fn shown(timers: &Bound<'_, PyAny>) -> PyResult<f64> {
    timers.call_method0(intern!(timers.py(), "now"))?.extract()
}

/// The address of the running task; 0: there is none.
fn driver(py: Python<'_>) -> usize {
    current_task(py).ok().flatten().map_or(0, |task| task.as_ptr() as usize)
}

/// What to raise for an await by two at once.
#[cold]
pub fn awaited_by_another() -> PyErr {
    PyRuntimeError::new_err("this is being awaited already, by another task")
}

/// What to raise for a second await.
#[cold]
pub fn awaited_already() -> PyErr {
    PyRuntimeError::new_err("this was awaited already; call the method again")
}
