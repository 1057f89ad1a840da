//! The settings of a medium that may change while it is used.
//!
//! Contract: whoever asks gets all of them as they are at one moment, without a lock. An emission asks once.
//!
//! Where the interpreter has a lock of its own, nobody writes while somebody reads. In a free-threaded build a version tells:
//! it is odd while somebody writes, and who has met that, or another version behind than before, reads again.

use std::hint::spin_loop;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64, fence};

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

/// The settings as they are now, as the bits of their numbers.
#[derive(Default)]
pub struct Tuning {
    version: AtomicU64,
    attenuation_factor: AtomicU64,
    decay_interval: AtomicU64,
    min_amplitude: AtomicU64,
    stall_warning: AtomicU64,
    max_propagation: AtomicU32,
    /// One writes at a time.
    writing: Guarded<()>,
}

impl Tuning {
    pub fn new(tuned: Tuned) -> Self {
        let tuning = Self::default();
        tuning.write(tuned);
        tuning
    }

    pub fn set(&self, py: Python<'_>, tuned: Tuned) {
        self.writing.with(py, |()| {
            self.version.fetch_add(1, Relaxed);
            fence(Release);
            self.write(tuned);
            self.version.fetch_add(1, Release);
        });
    }

    fn write(&self, Tuned { rules, stall_warning }: Tuned) {
        self.attenuation_factor.store(rules.attenuation_factor.to_bits(), Relaxed);
        self.decay_interval.store(rules.decay_interval.to_bits(), Relaxed);
        self.min_amplitude.store(rules.min_amplitude.to_bits(), Relaxed);
        self.max_propagation.store(rules.max_propagation, Relaxed);
        self.stall_warning.store(stall_warning.to_bits(), Relaxed);
    }

    /// By which rules a wave makes its hops.
    #[inline]
    pub fn rules(&self, _py: Python<'_>) -> Rules {
        loop {
            let version = self.version.load(Acquire);
            let rules = Rules {
                attenuation_factor: f64::from_bits(self.attenuation_factor.load(Relaxed)),
                decay_interval: f64::from_bits(self.decay_interval.load(Relaxed)),
                max_propagation: self.max_propagation.load(Relaxed),
                min_amplitude: f64::from_bits(self.min_amplitude.load(Relaxed)),
            };
            if !cfg!(Py_GIL_DISABLED) {
                return rules;
            }
            fence(Acquire);
            if version % 2 == 0 && self.version.load(Relaxed) == version {
                return rules;
            }
            spin_loop();
        }
    }

    /// An emission that waits longer says who does not read, in seconds.
    pub fn stall_warning(&self) -> f64 {
        f64::from_bits(self.stall_warning.load(Relaxed))
    }
}
