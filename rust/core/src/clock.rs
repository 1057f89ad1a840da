//! Two readings of time: *unix* seconds for what people see (timestamps), *monotonic* seconds for what
//! must never jump (expiry, fading, how long an emission has waited).
//!
//! A medium has one clock. [`Clock::System`] reads the machine's; [`Clock::Manual`] stands still until a
//! test moves it, and moves both readings alike.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Where a medium reads the time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clocks.
    #[default]
    System,
    /// A clock that a test moves by hand.
    Manual(Arc<ManualClock>),
}

impl Clock {
    /// Seconds since 1970-01-01 UTC.
    #[inline]
    pub fn unix(&self) -> f64 {
        match self {
            Self::System => system_unix(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Seconds since some fixed moment; never goes back.
    #[inline]
    pub fn monotonic(&self) -> f64 {
        static START: OnceLock<Instant> = OnceLock::new();
        match self {
            Self::System => START.get_or_init(Instant::now).elapsed().as_secs_f64(),
            Self::Manual(clock) => clock.now(),
        }
    }
}

/// The machine's clock. `SystemTime` would take twice as long, most of it to subtract the epoch.
#[cfg(unix)]
#[inline]
fn system_unix() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

#[cfg(not(unix))]
fn system_unix() -> f64 {
    use std::time::{SystemTime, UNIX_EPOCH};

    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A clock that stands still until it is moved. Both readings are the same number.
#[derive(Debug)]
pub struct ManualClock {
    /// The bits of an `f64`, in seconds.
    now: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `start` seconds.
    pub fn new(start: f64) -> Self {
        Self { now: AtomicU64::new(start.to_bits()) }
    }

    /// What the clock shows, in seconds.
    pub fn now(&self) -> f64 {
        f64::from_bits(self.now.load(Ordering::Acquire))
    }

    /// Moves the clock on by `seconds`, which must not be negative, and returns what it shows then.
    pub fn advance(&self, seconds: f64) -> f64 {
        let moved = |bits: u64| Some((f64::from_bits(bits) + seconds.max(0.0)).to_bits());
        // The closure always answers, so both arms carry the value before the move.
        let (Ok(before) | Err(before)) =
            self.now.fetch_update(Ordering::AcqRel, Ordering::Acquire, moved);
        f64::from_bits(before) + seconds.max(0.0)
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Arc::new(ManualClock::new(10.0));
        let read = Clock::Manual(Arc::clone(&clock));
        assert_eq!((read.unix(), read.monotonic()), (10.0, 10.0));
        assert_eq!(clock.advance(2.5), 12.5);
        assert_eq!(clock.advance(-1.0), 12.5);
        assert_eq!((read.unix(), read.monotonic()), (12.5, 12.5));
    }

    #[test]
    fn the_system_clock_does_not_go_back() {
        let clock = Clock::System;
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
        assert!(clock.unix() > 1.0e9);
    }
}
