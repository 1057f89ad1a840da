//! The awaitable behind `receive()` and the emissions: a coroutine in native code.
//!
//! `PyO3` classes have no `am_send`, the slot through which `await` and the tasks of asyncio and trio drive
//! a coroutine without making a `StopIteration`. So this one type is made by hand; all that is unsafe about
//! it is here, and [`Operation`]s are safe code.
//!
//! Contract:
//! - Awaiting tries the operation at once. If it is done, the await ends in place: no task switch.
//! - Otherwise the task is enlisted with the medium and sleeps; woken, it tries again.
//! - An end from outside (`throw`, `close`, collection) calls [`Operation::abandon`], which undoes the
//!   enlisting and passes a wake-up on. Nothing has been done then.
//! - Of each [`IN_PLACE_LIMIT`] awaits in a row that end in place, in one thread, one gives way to the loop
//!   first.
//! - Each awaitable is awaited once; it refuses to be driven by two tasks.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::{ManuallyDrop, offset_of};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyStopIteration, PyTypeError};
use pyo3::ffi::{self, PySendResult};
use pyo3::intern;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::iterator::PySendResult as Sent;
use pyo3::types::{PyIterator, PyType};

use crate::here::Here;
use crate::waker::{Sleeper, set_if_pending, thread_ident};

/// How many awaits in a row may end in place.
const IN_PLACE_LIMIT: u32 = 128;

thread_local! {
    static IN_PLACE: Cell<u32> = const { Cell::new(0) };
}

/// Something that can be awaited, and waited for by a thread.
pub trait Operation: Send + Sized + 'static {
    /// The type's name.
    const NAME: &'static CStr;

    /// Where the type object is kept.
    fn class() -> &'static PyOnceLock<Py<PyType>>;

    /// Does it, or says that it has to wait (`None`). Not called again after it was done or failed.
    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>>;

    /// Has the sleeper woken when it is worth another attempt; false: it is so already.
    fn enlist(&mut self, py: Python<'_>, sleeper: Sleeper) -> PyResult<bool>;

    /// It will not be tried again: undoes [`Self::enlist`].
    fn abandon(&mut self, py: Python<'_>);

    /// For how many seconds it may wait from now on; asked before each wait.
    fn patience(&self) -> Option<f64> {
        None
    }

    /// What it comes to when patience has run out.
    fn run_out(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(py.None())
    }

    /// It is dropped and was never awaited.
    fn never_awaited(&self, _py: Python<'_>) {}

    /// Every Python object that it owns, for the garbage collector.
    fn visit(&self, each: &mut dyn FnMut(&Py<PyAny>));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Begun,
    Done,
}

/// What a step of the coroutine came to.
enum Step {
    Yield(Py<PyAny>),
    Return(Py<PyAny>),
}

/// The coroutine itself, in safe code.
struct Machine<O> {
    /// Gone once it is done.
    op: Option<O>,
    state: State,
    /// What is awaited inside: a future's iterator, a coroutine of trio.
    inner: Option<Py<PyIterator>>,
    /// In the time of the loop.
    deadline: Option<f64>,
    /// The loop's timer for the deadline.
    timer: Option<Py<PyAny>>,
}

impl<O: Operation> Machine<O> {
    fn send(&mut self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Step> {
        match self.state {
            State::Done => {
                return Err(PyRuntimeError::new_err(
                    "this was awaited already; call the method again",
                ));
            }
            State::Fresh => {
                self.state = State::Begun;
                if let Some(step) = self.give_way(py)? {
                    return Ok(step);
                }
            }
            State::Begun => {
                if let Some(inner) = &self.inner {
                    match inner.bind(py).send(value)? {
                        Sent::Next(yielded) => {
                            return Ok(Step::Yield(yielded.unbind()));
                        }
                        Sent::Return(_) => self.inner = None,
                    }
                }
            }
        }
        self.advance(py)
    }

    fn op(&mut self) -> PyResult<&mut O> {
        self.op.as_mut().ok_or_else(awaited_already)
    }

    fn advance(&mut self, py: Python<'_>) -> PyResult<Step> {
        self.stop_timer(py)?;
        loop {
            if let Some(value) = self.op()?.attempt(py)? {
                IN_PLACE.set(IN_PLACE.get() + 1);
                return Ok(Step::Return(value));
            }
            IN_PLACE.set(0);
            if let Some(step) = self.park(py)? {
                return Ok(step);
            }
        }
    }

    /// One yield to the loop, when it is due.
    #[inline]
    fn give_way(&mut self, py: Python<'_>) -> PyResult<Option<Step>> {
        if IN_PLACE.get() + 1 < IN_PLACE_LIMIT {
            return Ok(None);
        }
        IN_PLACE.set(0);
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
        match Here::find(py)? {
            Here::Nowhere => Err(Here::nowhere()),
            Here::Asyncio(home) => {
                let now = |home: &Bound<'_, PyAny>| -> PyResult<f64> {
                    home.call_method0(intern!(py, "time"))?.extract()
                };
                if self.runs_out(|| now(&home))? {
                    return self.op()?.run_out(py).map(|value| Some(Step::Return(value)));
                }
                let future = home.call_method0(intern!(py, "create_future"))?;
                let waiting = future.call_method0(intern!(py, "__await__"))?;
                if let Some(deadline) = self.deadline {
                    let timed = (deadline, set_if_pending(py)?, &future);
                    self.timer = Some(home.call_method1(intern!(py, "call_at"), timed)?.unbind());
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
                if self.runs_out(|| time.call0()?.extract())? {
                    return self.op()?.run_out(py).map(|value| Some(Step::Return(value)));
                }
                let sleeper = SLEEPER.import(py, "aether._wait", "TrioSleeper")?.call0()?;
                let woken = Sleeper::Trio { sleeper: sleeper.clone().unbind(), thread };
                if !self.op()?.enlist(py, woken)? {
                    return Ok(None);
                }
                let sleep = sleeper.call_method1(intern!(py, "sleep_until"), (self.deadline,))?;
                self.delegate(&sleep).map(Some)
            }
        }
    }

    /// Sets the deadline by the operation's patience; true if it has passed.
    fn runs_out(&mut self, now: impl FnOnce() -> PyResult<f64>) -> PyResult<bool> {
        match (self.deadline, self.op()?.patience()) {
            (None, Some(patience)) => {
                self.deadline = Some(now()? + patience);
                Ok(patience <= 0.0)
            }
            (Some(deadline), _) => Ok(now()? >= deadline),
            (None, None) => Ok(false),
        }
    }

    fn stop_timer(&mut self, py: Python<'_>) -> PyResult<()> {
        match self.timer.take() {
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
                self.inner = Some(inner.unbind());
                Ok(Step::Yield(yielded.unbind()))
            }
            // It was woken before it slept.
            Sent::Return(_) => self.advance(py),
        }
    }

    fn throw(&mut self, py: Python<'_>, error: PyErr) -> PyResult<Step> {
        if self.state == State::Done {
            return Err(error);
        }
        self.state = State::Begun;
        let Some(inner) = self.inner.as_ref().map(|inner| inner.clone_ref(py)) else {
            return Err(error);
        };
        match inner.bind(py).call_method1(intern!(py, "throw"), (error,)) {
            Ok(yielded) => Ok(Step::Yield(yielded.unbind())),
            Err(end) if end.is_instance_of::<PyStopIteration>(py) => {
                self.inner = None;
                self.advance(py)
            }
            Err(error) => Err(error),
        }
    }

    fn close(&mut self, py: Python<'_>) -> PyResult<Step> {
        let inner = self.inner.take();
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
    fn drop_unfinished(&mut self, py: Python<'_>) {
        let pending = PyErr::take(py);
        // Nobody can be told of a panic here.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if let (State::Fresh, Some(op)) = (self.state, &self.op) {
                op.never_awaited(py);
            }
            self.finish(py, false);
        }));
        drop(ended);
        if let Some(pending) = pending {
            pending.restore(py);
        }
    }

    /// The coroutine has ended. Undoes what waits, unless it was done.
    fn finish(&mut self, py: Python<'_>, done: bool) {
        self.state = State::Done;
        let inner = self.inner.take();
        if let Some(mut op) = self.op.take() {
            if !done {
                op.abandon(py);
            }
        }
        if let Err(error) = self.stop_timer(py) {
            error.write_unraisable(py, None);
        }
        drop(inner);
    }
}

#[cold]
fn awaited_already() -> PyErr {
    PyRuntimeError::new_err("this was awaited already; call the method again")
}

/// The Python object. `machine` is touched only through [`Raw::enter`], by one frame at a time.
#[repr(C)]
struct Raw<O> {
    head: ffi::PyObject,
    machine: ManuallyDrop<Machine<O>>,
    /// A frame is inside: reached again by what it calls, or by a garbage collection, keep out.
    entered: Cell<bool>,
    tracked: Cell<bool>,
}

/// A new awaitable.
pub fn awaitable<O: Operation>(py: Python<'_>, op: O) -> PyResult<Bound<'_, PyAny>> {
    let class = O::class().get_or_try_init(py, || make_class::<O>(py))?;
    let machine =
        Machine { op: Some(op), state: State::Fresh, inner: None, deadline: None, timer: None };
    // SAFETY: the class was made by `make_class::<O>`, so its basic size is that of `Raw<O>`. The object
    // comes with an initialised head (and a reference to its class), untracked; each further field is
    // written before anybody sees it.
    unsafe {
        let raw = ffi::PyObject_GC_New::<Raw<O>>(class.as_ptr().cast());
        if raw.is_null() {
            return Err(PyErr::fetch(py));
        }
        (&raw mut (*raw).machine).write(ManuallyDrop::new(machine));
        (&raw mut (*raw).entered).write(Cell::new(false));
        (&raw mut (*raw).tracked).write(Cell::new(false));
        Ok(Bound::from_owned_ptr(py, raw.cast()))
    }
}

impl<O: Operation> Raw<O> {
    /// Runs one step of the coroutine and settles its end.
    ///
    /// # Safety
    /// `this` is a live object of `make_class::<O>`, and the thread is attached.
    unsafe fn enter(
        this: *mut ffi::PyObject,
        py: Python<'_>,
        step: impl FnOnce(&mut Machine<O>) -> PyResult<Step>,
    ) -> PyResult<Step> {
        let raw = this.cast::<Self>();
        // SAFETY: `this` is live, and `entered` is a `Cell`, shared at will.
        let entered = unsafe { &(*raw).entered };
        if entered.replace(true) {
            return Err(PyRuntimeError::new_err("this is being awaited already, by another task"));
        }
        // SAFETY: whoever comes while `entered` is set keeps out, so this is the only reference. The
        // caller of a slot holds the object, so it outlives the step.
        let machine = unsafe { &mut *(&raw mut (*raw).machine).cast::<Machine<O>>() };
        let outcome = catch_unwind(AssertUnwindSafe(|| step(machine))).unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
            let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(PanicException::new_err((said.unwrap_or_default(),)))
        });
        match &outcome {
            Ok(Step::Yield(_)) => {
                // SAFETY: the object is live and was allocated with a head for the collector.
                unsafe { Self::track(raw) };
            }
            Ok(Step::Return(_)) => machine.finish(py, true),
            Err(_) => machine.finish(py, false),
        }
        entered.set(false);
        outcome
    }

    /// Only an awaitable that waits can be part of a cycle.
    unsafe fn track(raw: *mut Self) {
        // SAFETY: by the caller's promise.
        unsafe {
            if !(*raw).tracked.replace(true) {
                ffi::PyObject_GC_Track(raw.cast());
            }
        }
    }
}

/// Hands a step's outcome to the interpreter as `am_send` does.
fn outcome(
    py: Python<'_>,
    outcome: PyResult<Step>,
    result: *mut *mut ffi::PyObject,
) -> PySendResult {
    let (value, said) = match outcome {
        Ok(Step::Yield(value)) => (value.into_ptr(), PySendResult::PYGEN_NEXT),
        Ok(Step::Return(value)) => (value.into_ptr(), PySendResult::PYGEN_RETURN),
        Err(error) => {
            error.restore(py);
            (ptr::null_mut(), PySendResult::PYGEN_ERROR)
        }
    };
    // SAFETY: the interpreter gives a place to write to.
    unsafe { *result = value };
    said
}

/// Hands a step's outcome to the interpreter as `__next__` and `send()` do.
fn returned(py: Python<'_>, outcome: PyResult<Step>) -> *mut ffi::PyObject {
    match outcome {
        Ok(Step::Yield(value)) => value.into_ptr(),
        Ok(Step::Return(value)) => {
            // As a tuple of one: a value that is a tuple or an exception must not be spread or raised.
            PyStopIteration::new_err((value,)).restore(py);
            ptr::null_mut()
        }
        Err(error) => {
            error.restore(py);
            ptr::null_mut()
        }
    }
}

// Each slot attaches: the thread is attached already, but what PyO3 drops in between must know it.

unsafe extern "C" fn am_send<O: Operation>(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> PySendResult {
    Python::attach(|py| {
        // SAFETY: the interpreter calls slots attached, with live objects.
        let step = unsafe {
            let value = Bound::from_borrowed_ptr(py, value);
            Raw::<O>::enter(this, py, |machine| machine.send(py, &value))
        };
        outcome(py, step, result)
    })
}

unsafe extern "C" fn am_await<O: Operation>(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls slots attached, with live objects. Nobody is inside unless `entered`
    // is set, and then the state is not read.
    unsafe {
        let raw = this.cast::<Raw<O>>();
        let machine = (&raw const (*raw).machine).cast::<Machine<O>>();
        if (*raw).entered.get() || (*machine).state != State::Fresh {
            Python::attach(|py| awaited_already().restore(py));
            return ptr::null_mut();
        }
        ffi::Py_NewRef(this)
    }
}

unsafe extern "C" fn tp_iter(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls slots with live objects.
    unsafe { ffi::Py_NewRef(this) }
}

unsafe extern "C" fn tp_iternext<O: Operation>(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as for `send`, of which this is the form without a value.
    unsafe { send::<O>(this, ffi::Py_None()) }
}

unsafe extern "C" fn send<O: Operation>(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    Python::attach(|py| {
        // SAFETY: as for `am_send`.
        let step = unsafe {
            let value = Bound::from_borrowed_ptr(py, value);
            Raw::<O>::enter(this, py, |machine| machine.send(py, &value))
        };
        returned(py, step)
    })
}

unsafe extern "C" fn throw<O: Operation>(
    this: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    Python::attach(|py| {
        let given = |place: isize| {
            // SAFETY: `args` points to `count` live objects.
            (place < count).then(|| unsafe { Bound::from_borrowed_ptr(py, *args.offset(place)) })
        };
        let error = thrown(given(0), given(1));
        // SAFETY: as for `am_send`.
        returned(py, unsafe { Raw::<O>::enter(this, py, |machine| machine.throw(py, error)) })
    })
}

/// The error of `throw(value)` or, as older code writes it, `throw(type, value)`.
fn thrown<'py>(kind: Option<Bound<'py, PyAny>>, value: Option<Bound<'py, PyAny>>) -> PyErr {
    let made = match (kind, value.filter(|value| !value.is_none())) {
        (None, _) => return PyTypeError::new_err("throw() takes an exception"),
        (Some(kind), None) => kind,
        (Some(_), Some(value)) if value.is_instance_of::<PyBaseException>() => value,
        (Some(kind), Some(value)) => match kind.call1((value,)) {
            Ok(error) => error,
            Err(error) => return error,
        },
    };
    PyErr::from_value(made)
}

unsafe extern "C" fn close<O: Operation>(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    Python::attach(|py| {
        // SAFETY: as for `am_send`.
        let closed = unsafe { Raw::<O>::enter(this, py, |machine| machine.close(py)) };
        match closed {
            Ok(_) => py.None().into_ptr(),
            Err(error) => {
                error.restore(py);
                ptr::null_mut()
            }
        }
    })
}

unsafe extern "C" fn tp_traverse<O: Operation>(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: the collector calls with live, tracked objects. While a frame is inside, the machine is
    // not touched: to report fewer references than there are only keeps objects alive.
    unsafe {
        let class = ffi::Py_TYPE(this);
        let mut said = visit(class.cast(), arg);
        let raw = this.cast::<Raw<O>>();
        if said != 0 || (*raw).entered.get() {
            return said;
        }
        let machine: &Machine<O> = &(*raw).machine;
        let mut each = |object: &Py<PyAny>| {
            if said == 0 {
                said = visit(object.as_ptr(), arg);
            }
        };
        machine.inner.iter().for_each(|inner| each(inner.as_any()));
        machine.timer.iter().for_each(&mut each);
        machine.op.iter().for_each(|op| op.visit(&mut each));
        said
    }
}

unsafe extern "C" fn tp_clear<O: Operation>(this: *mut ffi::PyObject) -> c_int {
    Python::attach(|py| {
        // SAFETY: as for `am_send`.
        let ended = unsafe { Raw::<O>::enter(this, py, |machine| machine.close(py)) };
        if let Err(error) = ended {
            error.write_unraisable(py, None);
        }
    });
    0
}

unsafe extern "C" fn tp_dealloc<O: Operation>(this: *mut ffi::PyObject) {
    // SAFETY: called once, attached, with the last reference gone; no frame is inside, as it would hold
    // one.
    unsafe {
        let raw = this.cast::<Raw<O>>();
        if (*raw).tracked.get() {
            ffi::PyObject_GC_UnTrack(this.cast());
        }
        let machine: &mut Machine<O> = &mut (*raw).machine;
        if machine.state != State::Done {
            Python::attach(|py| machine.drop_unfinished(py));
        }
        // What is left has no Python object in it.
        ManuallyDrop::drop(&mut (*raw).machine);
        let class = ffi::Py_TYPE(this);
        ffi::PyObject_GC_Del(this.cast());
        ffi::Py_DECREF(class.cast());
    }
}

fn make_class<O: Operation>(py: Python<'_>) -> PyResult<Py<PyType>> {
    let method = |name: &'static CStr, function, flags, doc: &'static CStr| ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: function,
        ml_flags: flags,
        ml_doc: doc.as_ptr(),
    };
    let pointer = |function| ffi::PyMethodDefPointer { PyCFunction: function };
    let fast = ffi::PyMethodDefPointer { PyCFunctionFast: throw::<O> };
    let methods = vec![
        method(c"send", pointer(send::<O>), ffi::METH_O, c"Drive it: send(None)."),
        method(c"throw", fast, ffi::METH_FASTCALL, c"Raise an exception where it waits."),
        method(c"close", pointer(close::<O>), ffi::METH_NOARGS, c"End it; nothing has been done."),
        ffi::PyMethodDef::zeroed(),
    ];
    // The type refers to its methods for as long as it lives: for ever.
    let methods = Box::leak(methods.into_boxed_slice());
    let slot = |slot, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(ffi::Py_am_send, am_send::<O> as *mut c_void),
        slot(ffi::Py_am_await, am_await::<O> as *mut c_void),
        slot(ffi::Py_tp_iter, tp_iter as *mut c_void),
        slot(ffi::Py_tp_iternext, tp_iternext::<O> as *mut c_void),
        slot(ffi::Py_tp_methods, methods.as_mut_ptr().cast()),
        slot(ffi::Py_tp_traverse, tp_traverse::<O> as *mut c_void),
        slot(ffi::Py_tp_clear, tp_clear::<O> as *mut c_void),
        slot(ffi::Py_tp_dealloc, tp_dealloc::<O> as *mut c_void),
        ffi::PyType_Slot::default(),
    ];
    let flags =
        ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    let mut spec = ffi::PyType_Spec {
        name: O::NAME.as_ptr(),
        basicsize: c_int::try_from(size_of::<Raw<O>>()).expect("a few hundred bytes"),
        itemsize: 0,
        flags: flags as _,
        slots: slots.as_mut_ptr(),
    };
    const { assert!(offset_of!(Raw<()>, head) == 0) };
    // SAFETY: each slot has the signature that its number stands for, the methods live for ever, and the
    // basic size is that of the struct that `awaitable` fills.
    unsafe {
        let class = ffi::PyType_FromSpec(&raw mut spec);
        Ok(Bound::from_owned_ptr_or_err(py, class)?.cast_into::<PyType>()?.unbind())
    }
}
