//! The one place that names the locks and threads of a journal: the standard library's, or those of shuttle in its models.

use std::sync::PoisonError;

#[cfg(not(all(test, shuttle)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(all(test, shuttle)))]
pub(crate) use std::thread::{Builder, JoinHandle};

#[cfg(all(test, shuttle))]
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
#[cfg(all(test, shuttle))]
pub(crate) use shuttle::thread::{Builder, JoinHandle};

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while it was held leaves nothing half done: all changes are single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
