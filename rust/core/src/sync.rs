//! The one place that names a lock: `parking_lot` in production, loom's mock in its models.

#[cfg(not(all(test, loom)))]
pub(crate) use parking_lot::{Mutex, MutexGuard};

#[cfg(all(test, loom))]
pub(crate) use self::model::{Mutex, MutexGuard};

#[cfg(all(test, loom))]
mod model {
    pub(crate) use loom::sync::MutexGuard;

    /// loom's mutex with the interface of `parking_lot`: a poisoned lock is a failed model.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no model panics while it holds the lock")
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }
}
