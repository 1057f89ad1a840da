//! The settings of a medium that may change while it is used.
//!
//! Contract: whoever asks gets all of them as they are at one moment. An emission asks once.

use aether_core::wave::Rules;
use pyo3::prelude::*;

use crate::guarded::Guarded;

/// Settings that may change.
#[derive(Clone, Copy)]
pub struct Tuned {
    pub rules: Rules,
    /// Seconds.
    pub stall_warning: f64,
}

/// The settings as they are now.
pub struct Tuning(Guarded<Tuned>);

impl Tuning {
    pub const fn new(tuned: Tuned) -> Self {
        Self(Guarded::new(tuned))
    }

    pub fn set(&self, py: Python<'_>, tuned: Tuned) {
        self.0.with(py, |now| *now = tuned);
    }

    /// By which rules a wave makes its hops.
    #[inline]
    pub fn rules(&self, py: Python<'_>) -> Rules {
        self.0.with(py, |now| now.rules)
    }

    /// An emission that waits longer says who does not read, in seconds.
    pub fn stall_warning(&self, py: Python<'_>) -> f64 {
        self.0.with(py, |now| now.stall_warning)
    }
}
