//! The methods of the hot path, entered without `PyO3`'s reading of arguments.
//!
//! `PyO3` reads twelve keywords of `emit_wave`, and notes at each call that the thread is attached; for a
//! plain call that takes longer than to deliver the wave. [`install`] puts entries in front of some methods.
//!
//! Contract:
//! - An entry takes the plain call only: a channel, a payload, perhaps an amplitude that is a `float`.
//!   Whatever else is given it hands on to the method of `PyO3`, as it was called, before anything has
//!   happened. What is raised meanwhile is raised: it may be a signal handler's.
//! - Names, docstrings and signatures stay those of the methods.

use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::OnceLock;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::PyString;

use crate::awaitable::{awaitable, raise};
use crate::emitter::PyEmitter;
use crate::machine::Raised;
use crate::panics::caught;
use crate::receive::Wanted;
use crate::vibrator::{PyVibrator, PyWaves};

type Fast = unsafe extern "C" fn(
    *mut PyObject,
    *const *mut PyObject,
    ffi::Py_ssize_t,
    *mut PyObject,
) -> *mut PyObject;

/// The methods of `PyO3` behind the entries.
static EMIT_NOWAIT: OnceLock<Fast> = OnceLock::new();
static EMIT_WAVE: OnceLock<Fast> = OnceLock::new();
static RECEIVE_MANY: OnceLock<Fast> = OnceLock::new();

static AMPLITUDE: PyOnceLock<Py<PyString>> = PyOnceLock::new();

/// A plain call.
struct Plain<'a, 'py> {
    name: Borrowed<'a, 'py, PyAny>,
    payload: Option<Borrowed<'a, 'py, PyAny>>,
    amplitude: f64,
}

impl<'py> Plain<'_, 'py> {
    /// Reads the arguments, if they are those of a plain call.
    ///
    /// # Safety
    /// `args` points to `count` live objects and those of the keywords in the tuple `keywords`, if it is not
    /// null, and stays so for `'a`.
    #[inline]
    unsafe fn read(
        py: Python<'py>,
        args: *const *mut PyObject,
        count: ffi::Py_ssize_t,
        keywords: *mut PyObject,
    ) -> Option<Self> {
        if count != 1 && count != 2 {
            return None;
        }
        // SAFETY: within the arguments, by the caller's promise.
        unsafe {
            let amplitude = if keywords.is_null() {
                1.0
            } else {
                let known = AMPLITUDE.get(py)?.as_ptr();
                let only = ffi::PyTuple_GET_SIZE(keywords) == 1;
                if !only || ffi::PyTuple_GET_ITEM(keywords, 0) != known {
                    return None;
                }
                let given = *args.offset(count);
                if ffi::PyFloat_CheckExact(given) == 0 {
                    return None;
                }
                ffi::PyFloat_AS_DOUBLE(given)
            };
            let name = Borrowed::from_ptr(py, *args);
            let payload = (count == 2).then(|| Borrowed::from_ptr(py, *args.add(1)));
            Some(Self { name, payload, amplitude })
        }
    }
}

/// The method behind an entry.
#[cold]
fn long_way(method: &OnceLock<Fast>) -> Fast {
    *method.get().expect("an entry stands in front of its method")
}

/// Hands a result to the interpreter.
#[inline]
fn handed<'py, T>(
    py: Python<'py>,
    made: impl FnOnce() -> PyResult<Bound<'py, T>>,
) -> *mut PyObject {
    match caught(made).and_then(|result| result) {
        Ok(value) => value.into_ptr(),
        Err(error) => {
            raise(py, error);
            ptr::null_mut()
        }
    }
}

/// Does what may have raised already; a panic is raised here.
#[inline]
fn entered<T>(
    py: Python<'_>,
    act: impl FnOnce() -> Result<Option<T>, Raised>,
) -> Result<Option<T>, Raised> {
    caught(act).unwrap_or_else(|error| {
        raise(py, error);
        Err(Raised)
    })
}

unsafe extern "C" fn emit_nowait(
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter calls attached, with live objects, `this` of the class of the method.
    unsafe {
        let py = Python::assume_attached();
        let emitter = Borrowed::from_ptr(py, this).cast_unchecked::<PyEmitter>();
        let done = entered(py, || match Plain::read(py, args, count, keywords) {
            Some(Plain { name, payload, amplitude }) => {
                emitter.get().emit_now(py, &name, payload.as_deref(), amplitude)
            }
            None => Ok(None),
        });
        match done {
            Ok(Some(receipt)) => receipt.into_ptr(),
            Ok(None) => long_way(&EMIT_NOWAIT)(this, args, count, keywords),
            Err(Raised) => ptr::null_mut(),
        }
    }
}

unsafe extern "C" fn emit_wave(
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: as for `emit_nowait`.
    unsafe {
        let py = Python::assume_attached();
        let emitter = Borrowed::from_ptr(py, this).cast_unchecked::<PyEmitter>();
        let made = entered(py, || match Plain::read(py, args, count, keywords) {
            Some(Plain { name, payload, amplitude }) => {
                PyEmitter::emit_soon(&emitter, &name, payload.as_deref(), amplitude)
            }
            None => Ok(None),
        });
        match made {
            Ok(Some(emission)) => emission.into_ptr(),
            Ok(None) => long_way(&EMIT_WAVE)(this, args, count, keywords),
            Err(Raised) => ptr::null_mut(),
        }
    }
}

/// `receive_many(most)`, with a number from 1 on.
unsafe extern "C" fn receive_many(
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: as for `emit_nowait`.
    unsafe {
        let py = Python::assume_attached();
        let most = if count == 1 && keywords.is_null() && ffi::PyLong_CheckExact(*args) != 0 {
            // What does not fit sets an error, and is 0 here.
            usize::try_from(ffi::PyLong_AsSsize_t(*args)).unwrap_or(0)
        } else {
            0
        };
        if most == 0 {
            ffi::PyErr_Clear();
            return long_way(&RECEIVE_MANY)(this, args, count, keywords);
        }
        let vibrator = Borrowed::from_ptr(py, this).cast_unchecked::<PyVibrator>();
        handed(py, || awaitable(py, PyVibrator::receiving(&vibrator, Wanted::Many(most, 0.0))))
    }
}

unsafe extern "C" fn receive(this: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: as for `emit_nowait`.
    unsafe {
        let py = Python::assume_attached();
        let vibrator = Borrowed::from_ptr(py, this).cast_unchecked::<PyVibrator>();
        handed(py, || awaitable(py, PyVibrator::receiving(&vibrator, Wanted::One)))
    }
}

unsafe extern "C" fn vibrator_anext(this: *mut PyObject) -> *mut PyObject {
    // SAFETY: as for `emit_nowait`.
    unsafe {
        let py = Python::assume_attached();
        let vibrator = Borrowed::from_ptr(py, this).cast_unchecked::<PyVibrator>();
        handed(py, || awaitable(py, PyVibrator::receiving(&vibrator, Wanted::Next)))
    }
}

unsafe extern "C" fn waves_anext(this: *mut PyObject) -> *mut PyObject {
    // SAFETY: as for `emit_nowait`.
    unsafe {
        let py = Python::assume_attached();
        let waves = Borrowed::from_ptr(py, this).cast_unchecked::<PyWaves>();
        let vibrator = waves.get().vibrator.bind_borrowed(py);
        handed(py, || awaitable(py, PyVibrator::receiving(&vibrator, Wanted::Next)))
    }
}

/// Puts the entries in front of the methods, before there is an object or a derived class.
pub fn install(py: Python<'_>) -> PyResult<()> {
    AMPLITUDE.get_or_init(py, || PyString::intern(py, "amplitude").unbind());
    let fast = ffi::METH_FASTCALL | ffi::METH_KEYWORDS;
    // SAFETY: each entry has the signature that the flags stand for, and only such methods are replaced.
    unsafe {
        for (name, entry, kept) in [
            ("emit_nowait", emit_nowait as Fast, &EMIT_NOWAIT),
            ("emit_wave", emit_wave, &EMIT_WAVE),
        ] {
            let entry = ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: entry };
            replace::<PyEmitter>(py, name, fast, entry, |method| {
                kept.get_or_init(|| method.PyCFunctionFastWithKeywords);
            })?;
        }
        let entry = ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: receive_many };
        replace::<PyVibrator>(py, "receive_many", fast, entry, |method| {
            RECEIVE_MANY.get_or_init(|| method.PyCFunctionFastWithKeywords);
        })?;
        let entry = ffi::PyMethodDefPointer { PyCFunction: receive };
        replace::<PyVibrator>(py, "receive", ffi::METH_NOARGS, entry, |_| {})?;
        for (class, entry) in [
            (PyVibrator::type_object_raw(py), vibrator_anext as ffi::unaryfunc),
            (PyWaves::type_object_raw(py), waves_anext),
        ] {
            let slots = (*class).tp_as_async;
            if !slots.is_null() {
                (*slots).am_anext = Some(entry);
            }
        }
    }
    Ok(())
}

/// Replaces a method of a class by one of the same name and documentation, if `PyO3` has made it with these
/// flags; `keep` gets what was there.
///
/// # Safety
/// `entry` is a function of the signature that `flags` stand for.
unsafe fn replace<T: PyTypeInfo>(
    py: Python<'_>,
    name: &'static str,
    flags: c_int,
    entry: ffi::PyMethodDefPointer,
    keep: impl FnOnce(ffi::PyMethodDefPointer),
) -> PyResult<()> {
    let class = T::type_object(py);
    let known = class.getattr("__dict__")?.get_item(name)?;
    // SAFETY: a method of a native class is a method descriptor, whose class is compared first. The new
    // definition is never freed, as the descriptor refers to it.
    unsafe {
        if !ptr::eq(known.get_type_ptr(), &raw mut ffi::PyMethodDescr_Type) {
            return Ok(());
        }
        let method = &*(*known.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method;
        if method.ml_flags != flags {
            return Ok(());
        }
        keep(method.ml_meth);
        let (ml_name, ml_doc): (*const c_char, _) = (method.ml_name, method.ml_doc);
        let definition = Box::leak(Box::new(ffi::PyMethodDef {
            ml_name,
            ml_meth: entry,
            ml_flags: flags,
            ml_doc,
        }));
        let descriptor = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
        class.setattr(name, Bound::from_owned_ptr_or_err(py, descriptor)?)
    }
}
