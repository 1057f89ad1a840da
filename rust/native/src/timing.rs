//! Taking the time of waves, where that is asked for: see [`aether_core::times`].
//!
//! A medium that is not measured pays one look at a pointer for each emission, and one for each wave that is taken.

use std::sync::atomic::Ordering::Relaxed;

use aether_core::times::{Times, is_timed};

use crate::mailbox::PyMailbox;
use crate::shared::Shared;
use crate::wave::Held;

impl Shared {
    /// A wave was admitted just now. Its emission has begun at `begun`, in monotonic seconds; NaN: just now, too.
    #[inline]
    pub fn time_admission(&self, sequence: u64, begun: f64) {
        if let Some(times) = &self.times {
            if is_timed(sequence) {
                self.note_admission(times, sequence, begun);
            }
        }
    }

    /// A wave was taken from a mailbox just now. If that is a handler's, it may have to stand behind another one, and its
    /// time is taken once the handler begins: see [`crate::context::PyHandling`].
    #[inline]
    pub fn time_receipt(&self, wave: &Held, mailbox: &PyMailbox) {
        if let Some(times) = &self.times {
            let sequence = wave.0.get().sequence.load(Relaxed);
            if is_timed(sequence) && !mailbox.is_lane {
                times.taken(sequence, mailbox.counted_as, self.medium.clock().monotonic());
            }
        }
    }

    /// The same for several.
    pub fn time_receipts(&self, waves: &[Held], mailbox: &PyMailbox) {
        if self.times.is_some() {
            for wave in waves {
                self.time_receipt(wave, mailbox);
            }
        }
    }

    /// The moment at which an emission begins to wait, in monotonic seconds; NaN where that interests nobody.
    pub fn begun(&self) -> f64 {
        self.times.as_ref().map_or(f64::NAN, |_| self.medium.clock().monotonic())
    }

    #[inline(never)]
    fn note_admission(&self, times: &Times, sequence: u64, begun: f64) {
        let now = self.medium.clock().monotonic();
        times.admitted(sequence, if begun.is_nan() { now } else { begun }, now);
    }
}
