//! The awaitable behind `receive()` and the emissions: a coroutine in native code.
//!
//! `PyO3` classes have no `am_send`, the slot through which `await` and the tasks of asyncio and trio drive
//! a coroutine without making a `StopIteration`. So this one type is made by hand. All that is unsafe about
//! it is here; what it does is in [`crate::machine`].

use std::ffi::{CStr, c_int, c_void};
use std::mem::{ManuallyDrop, offset_of};
use std::ptr::{self, NonNull};

use pyo3::exceptions::{PyBaseException, PyStopIteration, PyTypeError};
use pyo3::ffi::{self, PySendResult};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::fork::Inside;
use crate::guarded::{Door, Guarded};
use crate::machine::{Machine, Operation, Quickly, Raised, State, Step, awaited_by_another};
use crate::panics::caught;
use crate::spares::Spares;

/// The Python object. `machine` is touched only through [`Raw::enter`], by one frame at a time.
#[repr(C)]
struct Raw<O> {
    head: ffi::PyObject,
    machine: ManuallyDrop<Machine<O>>,
    /// While a frame is inside, what it calls, another thread and a garbage collection keep out.
    door: Door,
}

/// What all awaitables of one kind share: their class, and objects to be used again.
pub struct Store {
    class: PyOnceLock<Py<PyType>>,
    /// Dropped ones.
    spares: Spares,
    /// One that has ended in place. Mostly it is dropped at once, and the next one wanted right after.
    ended: Guarded<Option<Py<PyAny>>>,
}

impl Store {
    pub const fn new() -> Self {
        Self { class: PyOnceLock::new(), spares: Spares::new(64), ended: Guarded::new(None) }
    }

    /// Remembers an awaitable that has ended in place.
    #[inline]
    fn keep(&self, py: Python<'_>, object: Borrowed<'_, '_, PyAny>) {
        // Without the interpreter's lock, nobody could tell that it was dropped.
        if !cfg!(Py_GIL_DISABLED) {
            self.ended.with(py, |ended| {
                if ended.is_none() {
                    *ended = Some(object.to_owned().unbind());
                }
            });
        }
    }

    /// The awaitable that has ended in place, if nobody else holds it any more.
    #[inline]
    fn reuse<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let ended = self.ended.with(py, Option::take)?.into_bound(py);
        // SAFETY: a live object.
        (unsafe { ffi::Py_REFCNT(ended.as_ptr()) } == 1).then_some(ended)
    }
}

/// A new awaitable.
#[inline]
pub fn awaitable<O: Operation>(py: Python<'_>, op: O) -> PyResult<Bound<'_, PyAny>> {
    if let Some(ended) = O::store().reuse(py) {
        // SAFETY: it is of this class, nobody else can reach it, and it has ended: its operation is gone.
        unsafe {
            let raw = ended.as_ptr().cast::<Raw<O>>();
            (&raw mut (*raw).machine).write(ManuallyDrop::new(Machine::new(op)));
        }
        return Ok(ended);
    }
    let class = O::store().class.get_or_try_init(py, || make_class::<O>(py))?;
    // SAFETY: the class was made by `make_class::<O>`, so its basic size is that of `Raw<O>`; each field is
    // written before anybody sees the object.
    unsafe {
        let object = O::store().spares.make(py, class.as_ptr().cast())?;
        let raw = object.cast::<Raw<O>>().as_ptr();
        (&raw mut (*raw).machine).write(ManuallyDrop::new(Machine::new(op)));
        (&raw mut (*raw).door).write(Door::default());
        ffi::PyObject_GC_Track(object.as_ptr().cast());
        Ok(Bound::from_owned_ptr(py, object.as_ptr()))
    }
}

impl<O: Operation> Raw<O> {
    /// Drives the coroutine on, unless it is another task's.
    ///
    /// # Safety
    /// As for [`Self::enter`].
    unsafe fn drive(
        this: *mut ffi::PyObject,
        py: Python<'_>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<Step> {
        // SAFETY: by the caller's promise.
        let refusal = unsafe { Self::look(this, |machine| machine.refusal(py)) };
        match refusal.unwrap_or_else(|| Some(awaited_by_another())) {
            // SAFETY: by the caller's promise.
            None => unsafe { Self::enter(this, py, |machine| machine.send(py, value)) },
            Some(error) => Err(error),
        }
    }

    /// Looks at the machine; `None`: a frame is inside.
    ///
    /// # Safety
    /// As for [`Self::enter`].
    unsafe fn look<R>(this: *mut ffi::PyObject, look: impl FnOnce(&Machine<O>) -> R) -> Option<R> {
        // SAFETY: `this` is live, and a `Door` is shared at will; inside it, nobody else has a reference.
        unsafe {
            let raw = this.cast::<Self>();
            (*raw).door.enter().then(|| {
                let seen = look(&(*raw).machine);
                (*raw).door.leave();
                seen
            })
        }
    }

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
        // SAFETY: `this` is live, and a `Door` is shared at will.
        let door = unsafe { &(*raw).door };
        if !door.enter() {
            return Err(awaited_by_another());
        }
        let _inside = Inside::enter(py);
        // SAFETY: whoever comes meanwhile keeps out, so this is the only reference. The caller of a slot
        // holds the object, so it outlives the step.
        let machine = unsafe { &mut *(&raw mut (*raw).machine).cast::<Machine<O>>() };
        let outcome = caught(|| step(machine)).unwrap_or_else(Err);
        match &outcome {
            Ok(Step::Yield(_)) => {}
            Ok(Step::Return(_)) => machine.finish(py, true),
            Err(_) => machine.finish(py, false),
        }
        door.leave();
        outcome
    }

    /// The whole of it at once, if that takes next to nothing: see [`Machine::quick`].
    ///
    /// # Safety
    /// As for [`Self::enter`].
    #[inline]
    unsafe fn quick(this: *mut ffi::PyObject) -> Quickly<Py<PyAny>> {
        // SAFETY: as in `enter`.
        unsafe {
            let raw = this.cast::<Self>();
            let door = &(*raw).door;
            if !door.enter() {
                return Ok(None);
            }
            let machine = &mut *(&raw mut (*raw).machine).cast::<Machine<O>>();
            let py = Python::assume_attached();
            let value = caught(|| machine.quick(py)).unwrap_or_else(|error| {
                machine.finish(py, false);
                raise(py, error);
                Err(Raised)
            });
            door.leave();
            if let Ok(Some(_)) = value {
                O::store().keep(py, Borrowed::from_ptr(py, this));
            }
            value
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
            raise(py, error);
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
            raised(py, PyStopIteration::new_err((value,)))
        }
        Err(error) => raised(py, error),
    }
}

// Each slot attaches: the thread is attached already, but what PyO3 drops in between must know it. While
// the interpreter ends, PyO3 attaches no more: nothing is driven then, and what is dropped is left alone.

/// Raises in a slot that gives an object.
#[cold]
fn raised(py: Python<'_>, error: PyErr) -> *mut ffi::PyObject {
    raise(py, error);
    ptr::null_mut()
}

/// Raises an error in what is entered without `PyO3`. It is made only now, which panics where there is no memory.
#[cold]
pub fn raise(py: Python<'_>, error: PyErr) {
    if caught(|| error.restore(py)).is_err() {
        // SAFETY: attached, as `py` says.
        unsafe { ffi::PyErr_NoMemory() };
    }
}

/// Raises in a slot that cannot run any more.
#[cold]
fn ending() -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls slots attached.
    unsafe {
        let said = c"the interpreter is shutting down";
        ffi::PyErr_SetString(ffi::PyExc_RuntimeError, said.as_ptr());
    }
    ptr::null_mut()
}

unsafe extern "C" fn am_send<O: Operation>(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> PySendResult {
    // SAFETY: the interpreter calls slots attached, with live objects.
    let (value_at_once, said) = match unsafe { Raw::<O>::quick(this) } {
        Ok(Some(value)) => (value.into_ptr(), PySendResult::PYGEN_RETURN),
        Err(Raised) => (ptr::null_mut(), PySendResult::PYGEN_ERROR),
        Ok(None) => return drive::<O>(this, value, result),
    };
    // SAFETY: the interpreter gives a place to write to.
    unsafe { *result = value_at_once };
    said
}

/// `am_send` of what does not end at once.
#[inline(never)]
fn drive<O: Operation>(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> PySendResult {
    let sent = Python::try_attach(|py| {
        // SAFETY: the interpreter calls slots attached, with live objects.
        let step = unsafe {
            let value = Bound::from_borrowed_ptr(py, value);
            Raw::<O>::drive(this, py, &value)
        };
        outcome(py, step, result)
    });
    sent.unwrap_or_else(|| {
        // SAFETY: the interpreter gives a place to write to.
        unsafe { *result = ending() };
        PySendResult::PYGEN_ERROR
    })
}

unsafe extern "C" fn am_await<O: Operation>(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls slots attached, with live objects.
    let state = unsafe { Raw::<O>::look(this, Machine::state) };
    if state == Some(State::Fresh) {
        // SAFETY: a live object.
        return unsafe { ffi::Py_NewRef(this) };
    }
    let asked = Python::try_attach(|py| {
        // `anext(.., default)` asks at each step.
        // SAFETY: as above.
        let refusal = match unsafe { Raw::<O>::look(this, |machine| machine.refusal(py)) } {
            Some(refusal) => refusal,
            None => Some(awaited_by_another()),
        };
        // SAFETY: a live object.
        refusal.map_or_else(|| unsafe { ffi::Py_NewRef(this) }, |error| raised(py, error))
    });
    asked.unwrap_or_else(ending)
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
    let sent = Python::try_attach(|py| {
        // SAFETY: as for `am_send`.
        let step = unsafe {
            let value = Bound::from_borrowed_ptr(py, value);
            Raw::<O>::drive(this, py, &value)
        };
        returned(py, step)
    });
    sent.unwrap_or_else(ending)
}

unsafe extern "C" fn throw<O: Operation>(
    this: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    let thrown = Python::try_attach(|py| {
        let given = |place: isize| {
            // SAFETY: `args` points to `count` live objects.
            (place < count).then(|| unsafe { Bound::from_borrowed_ptr(py, *args.offset(place)) })
        };
        let error = thrown(given(0), given(1));
        // SAFETY: as for `am_send`.
        returned(py, unsafe { Raw::<O>::enter(this, py, |machine| machine.throw(py, error)) })
    });
    thrown.unwrap_or_else(ending)
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
    let closed = Python::try_attach(|py| {
        // SAFETY: as for `am_send`.
        let closed = unsafe { Raw::<O>::enter(this, py, |machine| machine.close(py)) };
        match closed {
            Ok(_) => py.None().into_ptr(),
            Err(error) => raised(py, error),
        }
    });
    closed.unwrap_or_else(ending)
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
        if said != 0 || (*raw).door.is_entered() {
            return said;
        }
        let machine: &Machine<O> = &(*raw).machine;
        machine.visit(&mut |object| {
            if said == 0 {
                said = visit(object.as_ptr(), arg);
            }
        });
        said
    }
}

unsafe extern "C" fn tp_clear<O: Operation>(this: *mut ffi::PyObject) -> c_int {
    Python::try_attach(|py| {
        let clear = |machine: &mut Machine<O>| {
            machine.warn_if_fresh(py);
            machine.close(py)
        };
        // SAFETY: as for `am_send`.
        let ended = unsafe { Raw::<O>::enter(this, py, clear) };
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
        ffi::PyObject_GC_UnTrack(this.cast());
        let machine: &mut Machine<O> = &mut (*raw).machine;
        let finished = machine.state() == State::Done
            || Python::try_attach(|py| machine.drop_unfinished(py)).is_some();
        if finished {
            // What is left has no Python object in it.
            ManuallyDrop::drop(&mut (*raw).machine);
        }
        O::store().spares.take_back(Python::assume_attached(), NonNull::new_unchecked(this));
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
