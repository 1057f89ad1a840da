//! The one place that names atomics and `Arc`: the standard library's, or loom's in its models.

#[cfg(not(all(test, loom)))]
pub use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64},
};

#[cfg(all(test, loom))]
pub use loom::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64},
};
