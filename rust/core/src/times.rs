//! How long waves wait and are handled, taken of one wave in 64.
//!
//! Contract:
//! - Which waves are timed is decided by their sequences alone ([`is_timed`]), so that nobody has to mark them, and every
//!   receiver of one of them agrees. A sequence is multiplied by 2^64 over the golden ratio, and the least products are
//!   taken: of traffic that comes in turns of any length, each turn is timed as often as the others in the long run.
//! - When such a wave is admitted, the moments of its emission and its admission are noted in a ring; whoever takes the
//!   wave finds them there. Two timed sequences are 34 apart or more, so that a note stands while no more than [`REACH`] waves
//!   were admitted after it. A wave whose note is gone, or that was admitted in another program, is counted as not timed.
//! - Nothing here waits: notes and counts are atomics. A note that is read while it is replaced counts as gone.

use std::sync::atomic::AtomicU64 as AtomicCount;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::histogram::{Histogram, Total};
use crate::sync::atomic::{AtomicU64, fence};

/// 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One wave in so many is timed.
pub const ONE_IN: u64 = 64;

/// Two timed sequences are at least so many apart, as a power of two.
const APART: u32 = 5;

/// How many notes there is room for.
#[cfg(not(all(test, loom)))]
const NOTES: usize = 4_096;
#[cfg(all(test, loom))]
const NOTES: usize = 1;

/// A note stands while no more waves than so many were admitted after it.
pub const REACH: u64 = (NOTES as u64 - 1) << APART;

/// Whether the wave of this sequence is timed; one without a place, of the sequence 0, is not.
#[inline]
pub fn is_timed(sequence: u64) -> bool {
    // 0 has the least product of all.
    sequence.wrapping_mul(GOLDEN).wrapping_sub(1) < u64::MAX / ONE_IN
}

/// When a wave was emitted and admitted.
struct Note {
    /// Whose it is; 0: nobody's, or just being written.
    sequence: AtomicU64,
    /// The bits of monotonic seconds.
    emitted: AtomicU64,
    admitted: AtomicU64,
}

/// What is measured of a medium's waves.
pub struct Times {
    notes: Box<[Note]>,
    /// From the emission to the hands of a reader or handler.
    pub latency: Histogram,
    /// From the admission on: in the mailbox, and where a handler's key is busy.
    pub queue: Histogram,
    /// What handlers take.
    pub handler: Histogram,
    names: Box<[NameTimes]>,
    untimed: AtomicCount,
}

/// The same for the vibrators of one name.
#[derive(Debug, Default)]
pub struct NameTimes {
    /// In the mailbox, and where a handler's key is busy.
    pub queue: Total,
    /// In a handler.
    pub handler: Total,
    /// Waves whose handler has failed: of all waves, timed or not.
    pub failed: AtomicCount,
}

impl Times {
    /// Of so many names, besides the one that the others share.
    pub fn new(names: usize) -> Self {
        let note = |_| Note {
            sequence: AtomicU64::new(0),
            emitted: AtomicU64::new(0),
            admitted: AtomicU64::new(0),
        };
        Self {
            notes: (0..NOTES).map(note).collect(),
            latency: Histogram::default(),
            queue: Histogram::default(),
            handler: Histogram::default(),
            names: (0..=names).map(|_| NameTimes::default()).collect(),
            untimed: AtomicCount::new(0),
        }
    }

    /// A wave is admitted now; both moments in monotonic seconds.
    pub fn admitted(&self, sequence: u64, emitted: f64, now: f64) {
        let note = self.note(sequence);
        note.sequence.store(0, Relaxed);
        fence(Release);
        note.emitted.store(emitted.to_bits(), Relaxed);
        note.admitted.store(now.to_bits(), Relaxed);
        note.sequence.store(sequence, Release);
    }

    /// A wave is in the hands of a reader or handler of this name now.
    pub fn taken(&self, sequence: u64, name: u32, now: f64) {
        let Some((emitted, admitted)) = self.moments(sequence) else {
            self.untimed.fetch_add(1, Relaxed);
            return;
        };
        self.latency.add(now - emitted);
        self.queue.add(now - admitted);
        self.names[name as usize].queue.add(now - admitted);
    }

    /// A handler of this name took so many seconds.
    pub fn handled(&self, name: u32, seconds: f64) {
        self.handler.add(seconds);
        self.names[name as usize].handler.add(seconds);
    }

    /// A handler of this name has failed.
    pub fn failed(&self, name: u32) {
        self.names[name as usize].failed.fetch_add(1, Relaxed);
    }

    /// How many waves were to be timed when they were taken, and were not, as their notes were gone.
    pub fn untimed(&self) -> u64 {
        self.untimed.load(Relaxed)
    }

    /// By the number of the name.
    pub fn names(&self) -> &[NameTimes] {
        &self.names
    }

    /// When a wave was emitted and admitted, if that is known.
    pub fn moments(&self, sequence: u64) -> Option<(f64, f64)> {
        let note = self.note(sequence);
        if note.sequence.load(Acquire) != sequence {
            return None;
        }
        let moments = (note.emitted.load(Relaxed), note.admitted.load(Relaxed));
        fence(Acquire);
        let same = note.sequence.load(Relaxed) == sequence;
        same.then(|| (f64::from_bits(moments.0), f64::from_bits(moments.1)))
    }

    fn note(&self, sequence: u64) -> &Note {
        &self.notes[(sequence >> APART) as usize % NOTES]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_in_64_is_timed_and_they_are_apart() {
        let timed: Vec<u64> = (0..6_400_000).filter(|&sequence| is_timed(sequence)).collect();
        assert!(timed[0] > 0, "a wave without a place is not timed");
        assert!((99_990..=100_010).contains(&timed.len()), "{} of 6,400,000", timed.len());
        let least = timed.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or_default();
        assert!(least >= 1 << APART, "{least}");
    }

    #[test]
    fn traffic_that_comes_in_turns_is_timed_evenly() {
        for length in (1..=130).chain([144, 233, 256, 377, 512, 1_000]) {
            let rounds = 40_000;
            let timed =
                |turn: u64| (0..rounds).filter(|round| is_timed(1 + round * length + turn)).count();
            let even = rounds as f64 / ONE_IN as f64;
            for turn in (0..length).step_by(1 + length as usize / 8) {
                let share = timed(turn) as f64 / even;
                assert!((0.9..1.1).contains(&share), "turn {turn} of {length}: {share}");
            }
        }
    }

    #[test]
    fn a_note_stands_for_as_long_as_it_says() {
        let times = Times::new(0);
        let chosen: Vec<u64> = (1..3 * REACH).filter(|&sequence| is_timed(sequence)).collect();
        let mut oldest = 0;
        for &sequence in &chosen {
            times.admitted(sequence, sequence as f64, 0.0);
            while chosen[oldest] + REACH < sequence {
                oldest += 1;
            }
            assert!(times.moments(chosen[oldest]).is_some(), "{oldest} at {sequence}");
        }
        assert!(oldest > 0 && times.moments(chosen[0]).is_none());
    }

    proptest! {
        #[test]
        fn what_is_taken_is_found_unless_another_has_its_place(
            steps in prop::collection::vec((any::<bool>(), 0..9_000_usize), 0..400),
        ) {
            let chosen: Vec<u64> = (1..64 * 9_100).filter(|&sequence| is_timed(sequence)).collect();
            let (times, mut plain) = (Times::new(1), std::collections::HashMap::new());
            let (mut now, mut untimed, mut sum) = (0.0, 0, 0.0);
            for (admits, at) in steps {
                now += 0.25;
                let sequence = chosen[at];
                let place = (sequence >> APART) % NOTES as u64;
                if admits {
                    times.admitted(sequence, now - 0.5, now);
                    plain.insert(place, (sequence, now));
                } else {
                    times.taken(sequence, 1, now);
                    match plain.get(&place) {
                        Some(&(known, since)) if known == sequence => sum += now - since,
                        _ => untimed += 1,
                    }
                }
            }
            prop_assert_eq!(times.untimed(), untimed);
            let queue = times.queue.read();
            prop_assert!((queue.sum - sum).abs() < 1e-6);
            let count: u64 = queue.buckets.iter().sum();
            prop_assert_eq!(times.names()[1].queue.read(), (count, queue.sum));
            prop_assert!((times.latency.read().sum - sum - 0.5 * count as f64).abs() < 1e-6);
            prop_assert_eq!(times.names()[0].queue.read(), (0, 0.0));
        }
    }
}
