//! Which waves without a parent begin a trace: a share of them, and no more than so many in a second.
//!
//! Contract:
//! - The share is decided by a hash of the wave's number: the same wave is followed at each of its hops or at none, and
//!   traffic that repeats itself is sampled without a bias.
//! - Traces are begun whole or not at all. Over the rate none is begun; what one second has left over, the next may use, but
//!   no second ever has more than twice the rate (a token bucket one second deep, as GCRA: ITU-T I.371, annex A).

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// A share of all numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u64);

impl Share {
    /// The share `ratio` of all numbers, 0..1.
    pub fn new(ratio: f64) -> Self {
        // The hash has 63 bits here, so that 1 is all of them.
        Self((ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64)
    }

    /// Whether a number belongs to it.
    #[inline]
    pub fn has(self, number: u64) -> bool {
        mix(number) >> 1 < self.0
    }
}

/// The share of the numbers that are asked for one after the other, as they rise: most are answered by one comparison.
#[derive(Debug)]
pub struct Rising {
    share: AtomicU64,
    /// No smaller number that has not been asked for belongs to the share.
    next: AtomicU64,
}

impl Rising {
    /// How far it looks ahead.
    const AHEAD: u64 = 64;

    /// Numbers of this share.
    pub fn new(share: Share) -> Self {
        Self { share: AtomicU64::new(share.0), next: AtomicU64::new(0) }
    }

    /// The share.
    pub fn share(&self) -> Share {
        Share(self.share.load(Relaxed))
    }

    /// Goes on by another share.
    pub fn change(&self, share: Share) {
        self.share.store(share.0, Relaxed);
        self.next.store(0, Relaxed);
    }

    /// Whether a number belongs to it, for numbers that are no smaller than those before.
    #[inline]
    pub fn has(&self, number: u64) -> bool {
        number >= self.next.load(Relaxed) && self.look(number)
    }

    #[cold]
    fn look(&self, number: u64) -> bool {
        let share = self.share();
        // One that belongs to it may be asked for again: whoever asked has not used it then.
        let next = (number..=number + Self::AHEAD).find(|&next| share.has(next));
        self.next.store(next.unwrap_or(number + Self::AHEAD + 1), Relaxed);
        next == Some(number)
    }
}

/// Spreads a number over all 64 bits (the finalizer of `SplitMix64`: G. Steele, D. Lea and C. Flood, OOPSLA 2014).
#[inline]
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// So many in a second, and no more.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Seconds from one to the next; 0: no bound.
    interval: f64,
    /// When the next would be due, had they come evenly.
    due: f64,
    /// When the last one came.
    last: f64,
}

impl Pace {
    /// `rate` in a second: above 0; infinite: no bound.
    pub fn new(rate: f64) -> Self {
        Self { interval: 1.0 / rate, due: f64::NEG_INFINITY, last: f64::NEG_INFINITY }
    }

    /// Goes on by another rate. What the old one has used up counts for no longer than one step of the new one.
    pub fn change(&mut self, rate: f64) {
        self.interval = 1.0 / rate;
        self.due = self.due.min(self.last + self.interval);
    }

    /// Whether one more may come at this moment, in monotonic seconds; then it has.
    pub fn admits(&mut self, now: f64) -> bool {
        let due = self.due.max(now);
        // A rate below one in a second admits the first one too; sums of intervals are no exact numbers.
        if due - now > (1.0 - self.interval).max(0.0) + 1e-9 {
            return false;
        }
        self.due = due + self.interval;
        self.last = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_is_a_share() {
        for (ratio, low, high) in
            [(0.0, 0, 0), (0.01, 900, 1_100), (0.5, 49_000, 51_000), (1.0, 100_000, 100_000)]
        {
            let share = Share::new(ratio);
            let picked = (0..100_000).filter(|&number| share.has(number)).count();
            assert!((low..=high).contains(&picked), "{ratio}: {picked}");
        }
    }

    #[test]
    fn traffic_that_repeats_itself_is_sampled_without_a_bias() {
        let share = Share::new(0.01);
        for kind in 0..64 {
            let picked = (0..20_000).filter(|round| share.has(round * 64 + kind)).count();
            assert!((140..=260).contains(&picked), "kind {kind}: {picked}");
        }
    }

    proptest! {
        /// Numbers that rise, with gaps that others have taken.
        #[test]
        fn who_asks_for_rising_numbers_gets_the_same(
            ratio in 0.0_f64..0.2,
            gaps in prop::collection::vec(1_u64..200, 1..500),
        ) {
            let (share, mut number) = (Share::new(ratio), 0);
            let rising = Rising::new(share);
            for (step, gap) in gaps.into_iter().enumerate() {
                number += if step % 3 == 0 { gap } else { 1 };
                for _ in 0..=(step % 2) {
                    prop_assert_eq!(rising.has(number), share.has(number));
                }
            }
            rising.change(Share::new(1.0));
            prop_assert!(rising.has(number + 1));
        }
    }

    #[test]
    fn a_rate_below_one_lets_the_first_pass() {
        let mut pace = Pace::new(0.1);
        assert!(pace.admits(0.0));
        assert!(!pace.admits(9.9));
        assert!(pace.admits(10.0));
    }

    #[test]
    fn another_rate_counts_from_the_next_one_on() {
        let mut pace = Pace::new(0.001);
        assert!(pace.admits(0.0));
        assert!(!pace.admits(1.0));
        pace.change(1_000.0);
        assert!(pace.admits(1.0));
        pace.change(0.001);
        assert!(pace.admits(500.0));
        assert!(!pace.admits(1_499.0));
        assert!(pace.admits(1_500.0));
    }

    proptest! {
        /// Against a plain list of the moments that were admitted.
        #[test]
        fn no_second_has_more_than_twice_the_rate(
            rate in 1.0_f64..50.0,
            steps in prop::collection::vec(0.0_f64..0.2, 1..400),
        ) {
            let (mut pace, mut now, mut passed) = (Pace::new(rate), 0.0, Vec::new());
            for step in steps {
                now += step;
                if pace.admits(now) {
                    passed.push(now);
                }
                let lately = passed.iter().filter(|&&moment| moment > now - 1.0).count();
                prop_assert!(lately as f64 <= 2.0 * rate + 1.0, "{lately} at {rate}");
            }
        }

        #[test]
        fn who_keeps_to_the_rate_always_passes(rate in 1.0_f64..1_000.0) {
            let mut pace = Pace::new(rate);
            for number in 0..100 {
                prop_assert!(pace.admits(f64::from(number) * (1.0 + 1e-9) / rate));
            }
        }
    }
}
