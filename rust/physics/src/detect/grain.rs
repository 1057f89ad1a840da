//! How fine the clock is that stamped the waves of a channel.
//!
//! Times in whole seconds look regular where they are not: at ten waves a second, nine of ten intervals are
//! exactly 0. So each detector is told the grain, and believes no interval to be known better than that.
//!
//! A grain shows when two waves of a channel have the same time. Without that, whole seconds may be what a
//! program counts by.

/// How fine the times seen so far are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grain {
    /// Of all times; it only becomes finer.
    unit: Unit,
    /// Two waves had the same time.
    shows: bool,
    last: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Millisecond,
    Finer,
}

impl Grain {
    pub(super) const fn new() -> Self {
        Self { unit: Unit::Second, shows: false, last: f64::NAN }
    }

    /// In seconds; 0 where none shows.
    pub(super) const fn seconds(self) -> f64 {
        match self.unit {
            Unit::Second if self.shows => 1.0,
            Unit::Millisecond if self.shows => 0.001,
            _ => 0.0,
        }
    }

    /// Takes one more time into account.
    #[inline]
    pub(super) fn see(&mut self, time: f64) {
        self.shows |= time.to_bits() == self.last.to_bits();
        self.last = time;
        if self.unit == Unit::Second && time.fract() != 0.0 {
            self.unit = Unit::Millisecond;
        }
        if self.unit == Unit::Millisecond {
            let milliseconds = time * 1e3;
            // An `f64` of today's seconds is exact to 0.24 µs.
            if (milliseconds - milliseconds.round()).abs() > 1e-3 {
                self.unit = Unit::Finer;
            }
        }
    }
}
