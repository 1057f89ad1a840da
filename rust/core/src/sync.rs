//! The one place that names a lock and its like: of the kind that the owner of a medium chooses (`parking_lot`'s, unless
//! it has a better one), or loom's mock in its models.

pub use parking_lot::lock_api::RawMutex as RawLock;

/// The kind of lock where nobody has chosen another.
pub type DefaultLock = parking_lot::RawMutex;

#[cfg(not(all(test, loom)))]
pub(crate) use parking_lot::lock_api::Mutex;

#[cfg(all(test, loom))]
pub(crate) use self::model::Mutex;

#[cfg(all(test, loom))]
mod model {
    use std::marker::PhantomData;

    use loom::sync::MutexGuard;

    /// loom's mutex with the interface of `lock_api`: a poisoned lock is a failed model.
    #[derive(Debug)]
    pub(crate) struct Mutex<R, T>(loom::sync::Mutex<T>, PhantomData<R>);

    impl<R, T> Mutex<R, T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value), PhantomData)
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no model panics while it holds the lock")
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }
}

/// Atomics whose order matters, or loom's.
pub(crate) mod atomic {
    #[cfg(all(test, loom))]
    pub(crate) use loom::sync::atomic::{AtomicU64, fence};
    #[cfg(not(all(test, loom)))]
    pub(crate) use std::sync::atomic::{AtomicU64, fence};
}
