//! Which process this is, counted by forks: a medium belongs to the process that used it first.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;

use crate::errors::forked;

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
