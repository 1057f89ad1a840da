//! Which waves without a parent begin a trace: a share of them. No more begin than a
//! [bucket](crate::limits::bucket) lets pass.
//!
//! Contract:
//! - The share is decided by a hash of the wave's number: the same wave is followed at each of its hops or at none, and
//!   traffic that repeats itself is sampled without a bias.
//! - Traces are begun whole or not at all.

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
}
