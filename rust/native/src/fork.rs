//! Which process this is, counted by forks, and whether it ends: a medium belongs to the process that used
//! it first, and at its end to the main thread.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;

use pyo3::prelude::*;

use crate::errors::forked;
use crate::waker::thread_ident;

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between the first process and this one.
#[inline]
pub fn generation() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Called in the child of a fork, before anything else of it runs.
#[pyfunction]
pub fn after_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

static ENDING: AtomicBool = AtomicBool::new(false);
static MAIN_THREAD: AtomicU64 = AtomicU64::new(0);

/// From now on, a thread other than the one that calls stops for ever when it comes here.
///
/// An interpreter that ends stops daemon threads wherever they ask for its lock, by an unwinding that must
/// not meet a native frame. A thread that never asks again is not stopped at all.
#[pyfunction]
pub fn end_threads() {
    MAIN_THREAD.store(thread_ident(), Ordering::Relaxed);
    ENDING.store(true, Ordering::Relaxed);
}

#[cold]
fn stop_unless_main() {
    if thread_ident() != MAIN_THREAD.load(Ordering::Relaxed) {
        Python::attach(|py| {
            py.detach(|| {
                loop {
                    thread::park();
                }
            });
        });
    }
}

/// The process that a medium belongs to.
pub struct Home(AtomicU32);

impl Home {
    const UNUSED: u32 = u32::MAX;

    pub const fn new() -> Self {
        Self(AtomicU32::new(Self::UNUSED))
    }

    /// Moves in at the first use; `ForkedMedium` in the child of a fork after that. No lock of the medium
    /// may be touched before: another thread of the parent may have held it.
    #[inline]
    pub fn enter(&self) -> PyResult<()> {
        if ENDING.load(Ordering::Relaxed) {
            stop_unless_main();
        }
        let here = generation();
        match self.0.load(Ordering::Relaxed) {
            home if home == here => Ok(()),
            Self::UNUSED => {
                self.0.store(here, Ordering::Relaxed);
                Ok(())
            }
            _ => Err(forked()),
        }
    }

    /// Whether this process may touch the medium's locks.
    pub fn is_here(&self) -> bool {
        let home = self.0.load(Ordering::Relaxed);
        home == generation() || home == Self::UNUSED
    }
}
