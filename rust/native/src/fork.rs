//! Which process this is, counted by forks, and whether it ends: a medium belongs to the process that used it
//! first, and at its end to the thread that ends it.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

use crate::errors::forked;
use crate::guarded::Counter;
use crate::waker::thread_ident;

/// How many forks lie between the first process and this one; [`ENDING`] is added at the end of a program.
static NOW: AtomicU32 = AtomicU32::new(0);

/// Set in [`NOW`], so that no medium is at home any more, and everybody asks why.
const ENDING: u32 = 1 << 31;

/// How many forks lie between the first process and this one.
#[inline]
pub fn generation() -> u32 {
    NOW.load(Relaxed) & !ENDING
}

/// In the child of a fork, before any Python code of it runs.
extern "C" fn after_fork() {
    NOW.fetch_add(1, Relaxed);
}

/// Has forks counted; called once in a process.
#[cfg(unix)]
pub fn count_forks() {
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<extern "C" fn()>,
            parent: Option<extern "C" fn()>,
            child: Option<extern "C" fn()>,
        ) -> std::ffi::c_int;
    }
    // SAFETY: the function of POSIX, which adds to a list of functions; an extension module stays loaded.
    unsafe { pthread_atfork(None, None, Some(after_fork)) };
}

#[cfg(not(unix))]
pub fn count_forks() {}

/// The thread that ends the program.
static LAST_THREAD: AtomicU64 = AtomicU64::new(0);

/// From now on, threads other than the one that calls get `SystemExit` where they enter a medium.
///
/// An interpreter that ends stops daemon threads wherever they ask for its lock, by an unwinding that must
/// not meet a native frame: so none shall begin to run Python code below one.
#[pyfunction]
pub fn end_threads() {
    LAST_THREAD.store(thread_ident(), Relaxed);
    NOW.fetch_or(ENDING, Relaxed);
}

/// `SystemExit` in a thread other than the one that ends the program, once it ends.
pub fn goes_on() -> PyResult<()> {
    if NOW.load(Relaxed) != generation() && thread_ident() != LAST_THREAD.load(Relaxed) {
        return Err(PySystemExit::new_err(()));
    }
    Ok(())
}

/// How many threads run Python code below a native frame.
static INSIDE: Counter = Counter::new();

/// How many threads run Python code below a native frame. Once [`end_threads`] was called, they get fewer.
#[pyfunction]
pub fn threads_inside() -> u64 {
    INSIDE.get()
}

/// While it lives, Python code may run below a native frame.
pub struct Inside<'py>(Python<'py>);

impl<'py> Inside<'py> {
    #[inline]
    pub fn enter(py: Python<'py>) -> Self {
        INSIDE.next(py);
        Self(py)
    }
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        INSIDE.back(self.0);
    }
}

/// The process that a medium belongs to.
pub struct Home(AtomicU32);

impl Home {
    const UNUSED: u32 = u32::MAX;

    pub const fn new() -> Self {
        Self(AtomicU32::new(Self::UNUSED))
    }

    /// Whether the medium is in use in this process, and the program does not end.
    #[inline]
    pub fn is_settled(&self) -> bool {
        self.0.load(Relaxed) == NOW.load(Relaxed)
    }

    /// Moves in at the first use; `ForkedMedium` in the child of a fork after that. No lock of the medium
    /// may be touched before: another thread of the parent may have held it.
    #[inline]
    pub fn enter(&self) -> PyResult<()> {
        if self.is_settled() { Ok(()) } else { self.move_in() }
    }

    #[cold]
    fn move_in(&self) -> PyResult<()> {
        let here = generation();
        goes_on()?;
        match self.0.compare_exchange(Self::UNUSED, here, Relaxed, Relaxed) {
            Err(home) if home != here => Err(forked()),
            _ => Ok(()),
        }
    }

    /// The same for what is no use: an unused medium stays so, and may be used in a child. For what keeps the
    /// interpreter's lock while it has one of the medium, so that no fork comes in between.
    pub fn look_in(&self) -> PyResult<()> {
        if self.is_settled() {
            return Ok(());
        }
        goes_on()?;
        if self.is_here() { Ok(()) } else { Err(forked()) }
    }

    /// Whether this process may touch the medium's locks.
    pub fn is_here(&self) -> bool {
        let home = self.0.load(Relaxed);
        home == generation() || home == Self::UNUSED
    }
}
