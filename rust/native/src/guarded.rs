//! What only attached threads touch: locks, counters, doors.
//!
//! Where the interpreter has a lock of its own, a thread that is attached holds it. What it does in between
//! is seen by nobody, as long as it runs no Python code: then to take another lock is a formality. So it is
//! here, and costs next to nothing. In a free-threaded build it is a real one.
//!
//! Contract:
//! - Only attached threads take it, and none lets go of the interpreter's lock or runs Python code while it
//!   holds it (see `docs/locks.md`).
//! - Whoever breaks that and comes back to the same lock gets a panic, rather than see the value twice.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};

use parking_lot::lock_api;
use pyo3::prelude::*;

/// The kind of lock.
#[cfg(Py_GIL_DISABLED)]
pub type Lock = parking_lot::RawMutex;

/// The kind of lock.
#[cfg(not(Py_GIL_DISABLED))]
pub use self::formal::FormalLock as Lock;

#[cfg(not(Py_GIL_DISABLED))]
mod formal {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use parking_lot::lock_api::{GuardNoSend, RawMutex};

    /// Notes that it is taken. That nobody else takes it meanwhile is the interpreter's doing.
    pub struct FormalLock(AtomicBool);

    impl FormalLock {
        #[cold]
        fn taken_twice() -> ! {
            panic!(
                "a lock that is held was asked for: Python code ran, or a thread was not attached"
            )
        }
    }

    // SAFETY: whoever takes it is attached, and so holds the interpreter's lock, which also orders what one
    // thread has written before what the next one reads. Should a holder let go of that lock, the note
    // refuses the next one.
    unsafe impl RawMutex for FormalLock {
        const INIT: Self = Self(AtomicBool::new(false));

        type GuardMarker = GuardNoSend;

        #[inline]
        fn lock(&self) {
            if !self.try_lock() {
                Self::taken_twice();
            }
        }

        #[inline]
        fn try_lock(&self) -> bool {
            let free = !self.0.load(Relaxed);
            if free {
                self.0.store(true, Relaxed);
            }
            free
        }

        #[inline]
        unsafe fn unlock(&self) {
            self.0.store(false, Relaxed);
        }
    }
}

/// Small state that every emission touches.
#[derive(Default)]
pub struct Guarded<T>(lock_api::Mutex<Lock, T>);

impl<T> Guarded<T> {
    pub const fn new(value: T) -> Self {
        Self(lock_api::Mutex::new(value))
    }

    /// Runs `act` on the value: no Python code, and no drop of a Python object. What it removes it returns,
    /// to be dropped afterwards.
    #[inline]
    pub fn with<R>(&self, _py: Python<'_>, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut self.0.lock())
    }

    /// Looks at the value, if nobody holds it: for the collector, who may not wait.
    pub fn look<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.try_lock().map(|value| look(&value))
    }
}

/// Counts.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One more; how many that makes.
    #[inline]
    pub fn next(&self, _py: Python<'_>) -> u64 {
        if cfg!(Py_GIL_DISABLED) {
            return self.0.fetch_add(1, Relaxed) + 1;
        }
        // Nobody else counts in between.
        let next = self.0.load(Relaxed) + 1;
        self.0.store(next, Relaxed);
        next
    }

    /// One fewer.
    #[inline]
    pub fn back(&self, _py: Python<'_>) {
        if cfg!(Py_GIL_DISABLED) {
            self.0.fetch_sub(1, Relaxed);
        } else {
            self.0.store(self.0.load(Relaxed) - 1, Relaxed);
        }
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Lets one frame in at a time, and turns away whoever comes meanwhile: nobody waits.
#[derive(Default)]
pub struct Door(AtomicBool);

impl Door {
    /// Goes in; false if somebody is inside.
    #[inline]
    pub fn enter(&self) -> bool {
        if cfg!(Py_GIL_DISABLED) {
            !self.0.swap(true, Acquire)
        } else {
            // Nobody else runs in between.
            let free = !self.0.load(Relaxed);
            if free {
                self.0.store(true, Relaxed);
            }
            free
        }
    }

    /// Goes out again.
    #[inline]
    pub fn leave(&self) {
        self.0.store(false, Release);
    }

    /// Whether somebody is inside.
    #[inline]
    pub fn is_entered(&self) -> bool {
        self.0.load(Acquire)
    }
}
