//! Which waves without a parent begin a trace: a share of them. No more begin than a
//! [bucket](crate::limits::bucket) lets pass.
//!
//! Contract:
//! - The share is decided by a hash of the wave's number: the same wave is followed at each of its hops or at none, and
//!   traffic that repeats itself is sampled without a bias.
//! - Traces are begun whole or not at all.

/// A share of all numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u64);

impl Share {
    /// The share `ratio` of all numbers, 0..1.
    pub fn new(ratio: f64) -> Self {
        // The hash has 63 bits here, so that 1 is all of them.
        Self((ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64)
    }

    /// As a number, for whoever keeps it in an atomic.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// What [`Self::bits`] gave.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether a number belongs to it.
    #[inline]
    pub fn has(self, number: u64) -> bool {
        mix(number) >> 1 < self.0
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
}
