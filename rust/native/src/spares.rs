//! Dropped objects of one class, kept to be used again: to allocate and free a small object that the
//! collector knows costs more than to receive a wave.
//!
//! CPython's own types do the same. Unlike `PyO3`'s `freelist`, this one leaves it to its user whether the
//! collector is to look at an object: most of ours are dropped before it could find anything.

use std::ptr::NonNull;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::guarded::Guarded;

/// Objects of one class that nobody refers to: untracked, their contents gone.
pub struct Spares {
    objects: Guarded<Vec<Spare>>,
    most: usize,
}

struct Spare(NonNull<ffi::PyObject>);

// SAFETY: memory that nobody refers to may be filled by any thread.
unsafe impl Send for Spare {}

impl Spares {
    /// Keeps up to `most`; none in a free-threaded build, whose reference counts have an owner.
    pub const fn new(most: usize) -> Self {
        let most = if cfg!(Py_GIL_DISABLED) { 0 } else { most };
        Self { objects: Guarded::new(Vec::new()), most }
    }

    /// A new object of a class, untracked, with nothing but its head initialised.
    ///
    /// # Safety
    /// `class` is the class of all objects here, with the collector's head, and of a fixed size.
    #[inline]
    pub unsafe fn make(
        &self,
        py: Python<'_>,
        class: *mut ffi::PyTypeObject,
    ) -> PyResult<NonNull<ffi::PyObject>> {
        let spare = if self.most == 0 { None } else { self.objects.with(py, Vec::pop) };
        // SAFETY: a spare has the size and the head of its class, as the caller promises.
        let made = unsafe {
            match spare {
                Some(Spare(object)) => ffi::PyObject_Init(object.as_ptr(), class),
                None => ffi::PyObject_GC_New(class),
            }
        };
        NonNull::new(made).ok_or_else(|| PyErr::fetch(py))
    }

    /// Takes an object back at its end, as the last step of its class's `tp_dealloc`.
    ///
    /// # Safety
    /// Nobody refers to the object. It came from [`Self::make`], is untracked, and its contents are gone.
    #[inline]
    pub unsafe fn take_back(&self, py: Python<'_>, object: NonNull<ffi::PyObject>) {
        // SAFETY: the head of the object is still there.
        let class = unsafe { ffi::Py_TYPE(object.as_ptr()) };
        let kept = self.most > 0
            && self.objects.with(py, |objects| {
                let room = objects.len() < self.most;
                if room {
                    objects.push(Spare(object));
                }
                room
            });
        // SAFETY: by the caller's promise; each object of a heap type holds a reference to its class.
        unsafe {
            if !kept {
                ffi::PyObject_GC_Del(object.as_ptr().cast());
            }
            ffi::Py_DECREF(class.cast());
        }
    }
}
