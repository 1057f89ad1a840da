//! How long things take: counts in fixed buckets, that any thread may add to.
//!
//! Contract: adding is two relaxed additions, and waits for nobody. A reading while others add may have one more in its
//! buckets than in its sum, or the other way round; each bucket and the sum are exact once they have done so.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// How many buckets there are below the last one, which has no bound.
pub const BOUNDED: usize = 25;

/// The bound of the first bucket, in nanoseconds; that of each other one is twice as high.
const FIRST_NS: u64 = 1_000;

/// Counts of durations, by powers of two from a microsecond to 17 seconds.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDED + 1],
    /// In nanoseconds.
    sum: AtomicU64,
}

/// What a histogram has at some moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// How many durations there are in each bucket alone; those above all bounds come last.
    pub buckets: [u64; BOUNDED + 1],
    /// All durations together, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// The greatest duration that counts in each bucket but the last, in seconds.
    pub fn bounds() -> [f64; BOUNDED] {
        std::array::from_fn(|bucket| (FIRST_NS << bucket) as f64 / 1e9)
    }

    /// Adds a duration, in seconds; one that is negative counts as none.
    #[inline]
    pub fn add(&self, seconds: f64) {
        let nanoseconds = nanoseconds(seconds);
        self.buckets[bucket(nanoseconds)].fetch_add(1, Relaxed);
        self.sum.fetch_add(nanoseconds, Relaxed);
    }

    /// What it has now.
    pub fn read(&self) -> Reading {
        Reading {
            buckets: std::array::from_fn(|bucket| self.buckets[bucket].load(Relaxed)),
            sum: self.sum.load(Relaxed) as f64 / 1e9,
        }
    }
}

/// How many durations there were, and how long they took together.
#[derive(Debug, Default)]
pub struct Total {
    count: AtomicU64,
    /// In nanoseconds.
    sum: AtomicU64,
}

impl Total {
    /// Adds a duration, in seconds; one that is negative counts as none.
    #[inline]
    pub fn add(&self, seconds: f64) {
        self.count.fetch_add(1, Relaxed);
        self.sum.fetch_add(nanoseconds(seconds), Relaxed);
    }

    /// How many, and how many seconds.
    pub fn read(&self) -> (u64, f64) {
        (self.count.load(Relaxed), self.sum.load(Relaxed) as f64 / 1e9)
    }
}

/// To the nearest one. What is negative is 0, and so is NaN.
#[inline]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

/// The first bucket whose bound is no less.
#[inline]
fn bucket(nanoseconds: u64) -> usize {
    let whole = nanoseconds.saturating_sub(1) / FIRST_NS;
    (u64::BITS - whole.leading_zeros()).min(BOUNDED as u32) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[allow(clippy::float_cmp, reason = "these numbers are exact")]
    fn bounds_are_powers_of_two_from_a_microsecond() {
        let bounds = Histogram::bounds();
        assert_eq!((bounds[0], bounds[10], bounds[24]), (1e-6, 1.024e-3, 16.777_216));
    }

    #[test]
    fn what_is_at_a_bound_is_within_it() {
        for (at, bound) in Histogram::bounds().into_iter().enumerate() {
            let histogram = Histogram::default();
            histogram.add(bound);
            histogram.add(bound + 1e-9);
            let read = histogram.read().buckets;
            assert_eq!((read[at], read[at + 1]), (1, 1), "{bound}");
        }
    }

    proptest! {
        #[test]
        fn each_duration_is_in_the_bucket_that_a_search_finds(exponents in prop::collection::vec(-9.0..3.0, 0..100)) {
            let (histogram, total) = (Histogram::default(), Total::default());
            let (mut plain, mut sum) = ([0; BOUNDED + 1], 0.0);
            for exponent in &exponents {
                let seconds = (10f64.powf(*exponent) * 1e9).round() / 1e9;
                histogram.add(seconds);
                total.add(seconds);
                plain[Histogram::bounds().iter().take_while(|&&bound| bound < seconds).count()] += 1;
                sum += seconds;
            }
            let read = histogram.read();
            prop_assert_eq!(read.buckets, plain);
            prop_assert!((read.sum - sum).abs() <= 1e-9 * sum);
            prop_assert_eq!(total.read(), (exponents.len() as u64, read.sum));
        }

        #[test]
        fn no_duration_is_a_bad_one(seconds in any::<f64>()) {
            Histogram::default().add(seconds);
        }
    }
}
