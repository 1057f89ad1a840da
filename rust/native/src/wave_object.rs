//! The Python objects of waves: how they are made, and how they end.
//!
//! A wave is made and dropped for each emission, so this is done by hand. `PyO3` defines the class, with its
//! methods and its layout; [`install`] replaces the end of its objects by [`dealloc`], which keeps them to
//! be used again.
//!
//! Contract:
//! - The collector looks only at waves that can be part of a cycle: not at those that carry numbers, text,
//!   bytes or a `tuple` of such, and have no headers.
//! - A wave in a wave in a wave ... ends without recursion, however deep.

use std::mem::{self, size_of};
use std::ptr::{self, NonNull};

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::PyDict;

use crate::fork::Inside;
use crate::spares::Spares;
use crate::wave::{Held, PyWave};

static SPARES: Spares = Spares::new(16384);

/// Where the value stands in the object: right after the head, for a frozen class without a `__dict__` and
/// without weak references. [`install`] makes sure that it is so.
const VALUE: usize = size_of::<ffi::PyObject>();

/// The value in an object.
///
/// # Safety
/// The object is of the class `Wave`.
#[inline]
unsafe fn value(object: NonNull<ffi::PyObject>) -> *mut PyWave {
    // SAFETY: within the object, as `install` has made sure.
    unsafe { object.as_ptr().byte_add(VALUE).cast() }
}

/// Makes the Python object of a wave.
#[inline]
pub fn make(py: Python<'_>, mut wave: PyWave) -> PyResult<Py<PyWave>> {
    let watched = wave.rare.is_some() || is_watched(wave.payload.bind(py));
    wave.watched = watched;
    // SAFETY: the class is that of all spares; the object is complete before anybody sees it.
    unsafe {
        let object = SPARES.make(py, PyWave::type_object_raw(py))?;
        value(object).write(wave);
        if watched {
            ffi::PyObject_GC_Track(object.as_ptr().cast());
        }
        Ok(Bound::from_owned_ptr(py, object.as_ptr()).cast_into_unchecked().unbind())
    }
}

/// Whether an object can be part of a cycle, now or later. The collector does not look at a `dict` before it
/// holds what it looks at.
#[inline]
fn is_watched(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object, and its type.
    unsafe {
        ffi::PyType_HasFeature(object.get_type_ptr(), ffi::Py_TPFLAGS_HAVE_GC) != 0
            && (ffi::PyObject_GC_IsTracked(object.as_ptr()) != 0
                || object.is_exact_instance_of::<PyDict>())
    }
}

/// Tells the processor that a wave is about to be looked at: one of many that wait is no longer near.
#[inline]
pub fn prefetch(wave: &Held) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing; every processor of this kind has it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let place = wave.0.as_ptr().cast::<i8>();
        _mm_prefetch::<_MM_HINT_T0>(place);
        _mm_prefetch::<_MM_HINT_T0>(place.wrapping_add(64));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = wave;
}

/// The end of a wave.
unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    // SAFETY: called once, attached, with the last reference gone. What is read out of the object is not
    // looked at again in it.
    unsafe {
        let py = Python::assume_attached();
        let object = NonNull::new_unchecked(this);
        if (*value(object)).watched {
            ffi::PyObject_GC_UnTrack(this.cast());
        }
        let PyWave { channel, payload, source, rare, .. } = ptr::read(value(object));
        // As `Bound`: what is `Py` would be put off, as `PyO3` does not know that we are attached.
        drop(channel.into_bound(py));
        drop(source.map(|source| source.into_bound(py)));
        if let Some(rare) = rare {
            rare.headers.release(py);
        }
        // Whatever the end of a payload may run.
        let inside = (ffi::Py_REFCNT(payload.as_ptr()) == 1).then(|| Inside::enter(py));
        let_go(payload.into_bound(py));
        drop(inside);
        SPARES.take_back(py, object);
    }
}

/// Drops a payload. A wave that nobody else holds is emptied first, so that its end does not come back here.
#[inline]
fn let_go(mut payload: Bound<'_, PyAny>) {
    while let Some(inner) = owned_wave(&payload) {
        // SAFETY: nobody else has a reference to this wave, nor can get one.
        let emptied = unsafe { &mut (*value(inner)).payload };
        let next = mem::replace(emptied, payload.py().None()).into_bound(payload.py());
        payload = next;
    }
}

/// The object, if it is a wave that nobody else refers to.
#[inline]
fn owned_wave(object: &Bound<'_, PyAny>) -> Option<NonNull<ffi::PyObject>> {
    // Without the interpreter's lock, a count of 1 proves nothing.
    let wave = !cfg!(Py_GIL_DISABLED) && object.is_exact_instance_of::<PyWave>();
    // SAFETY: a live object.
    let owned = wave && unsafe { ffi::Py_REFCNT(object.as_ptr()) } == 1;
    owned.then_some(NonNull::new(object.as_ptr())).flatten()
}

/// Takes over the end of waves, before there is one.
pub fn install(py: Python<'_>) -> PyResult<()> {
    let probe = Py::new(py, PyWave::probe(py))?;
    let class = PyWave::type_object_raw(py);
    // SAFETY: addresses of one live object, and fields of its class.
    unsafe {
        let place = ptr::from_ref(probe.get()).addr() - probe.as_ptr().addr();
        let size = usize::try_from((*class).tp_basicsize)?;
        if place != VALUE || size != VALUE + size_of::<PyWave>() {
            return Err(PyImportError::new_err(format!(
                "aether._native was built with a PyO3 that lays out objects differently (a wave stands at \
                 {place} of {size} bytes); build it with the PyO3 of its Cargo.lock"
            )));
        }
        drop(probe.into_bound(py));
        (*class).tp_dealloc = Some(dealloc);
    }
    Ok(())
}
