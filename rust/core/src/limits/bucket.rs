//! A token bucket: so many in a second on average, and so many at once.
//!
//! Contract: in any span of `t` seconds no more than `burst + rate * t` pass, and who keeps to the rate always passes. It
//! is kept as the generic cell rate algorithm (ITU-T I.371, annex A): one number, the moment at which the bucket would be
//! full again, so that there is nothing to refill.

/// So much of a second is no time at all: sums of intervals are no exact numbers.
const SLACK: f64 = 1e-9;

/// A token bucket, full at the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Seconds in which one token comes; 0: no bound.
    interval: f64,
    /// How far `full` may be ahead of now for one more to pass.
    ahead: f64,
    /// When it will be full again, in monotonic seconds.
    full: f64,
    /// When the last one passed.
    last: f64,
}

impl Bucket {
    /// `rate` in a second: above 0; infinite: no bound. `burst` at once: 1 or more.
    pub fn new(rate: f64, burst: f64) -> Self {
        let interval = 1.0 / rate;
        let ahead = (burst.max(1.0) - 1.0) * interval;
        Self { interval, ahead, full: f64::NEG_INFINITY, last: f64::NEG_INFINITY }
    }

    /// Goes on by another rate. What has passed by the old one counts for no longer than one step of the new one.
    pub fn change(&mut self, rate: f64, burst: f64) {
        let Self { full, last, .. } = *self;
        *self = Self::new(rate, burst);
        self.last = last;
        self.full = full.min(last + self.interval);
    }

    /// Seconds from this moment until one may pass; 0: now.
    pub fn wait(&self, now: f64) -> f64 {
        let wait = self.full - self.ahead - now;
        if wait > SLACK { wait } else { 0.0 }
    }

    /// Whether one may pass at this moment; then it has.
    pub fn take(&mut self, now: f64) -> bool {
        if self.wait(now) > 0.0 {
            return false;
        }
        self.full = self.full.max(now) + self.interval;
        self.last = now;
        true
    }

    /// One that had passed did not, after all: another may.
    pub fn give_back(&mut self) {
        self.full -= self.interval;
    }

    /// How many may pass at once at this moment.
    pub fn level(&self, now: f64) -> f64 {
        if self.interval == 0.0 {
            return f64::INFINITY;
        }
        ((self.ahead - (self.full - now).max(0.0)) / self.interval + 1.0).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Tokens as such, which come one by one: the plain form of the same.
    struct Plain {
        rate: f64,
        burst: f64,
        tokens: f64,
        at: f64,
    }

    impl Plain {
        fn take(&mut self, now: f64) -> bool {
            self.tokens = self.burst.min(self.tokens + (now - self.at) * self.rate);
            self.at = now;
            let passes = self.tokens >= 1.0;
            self.tokens -= f64::from(u8::from(passes));
            passes
        }
    }

    #[test]
    fn a_thousand_a_second_are_a_thousand_a_second() {
        let mut bucket = Bucket::new(1_000.0, 50.0);
        let passed = (0..100_000).filter(|&step| bucket.take(f64::from(step) * 1e-4)).count();
        assert!((10_000..=10_050).contains(&passed), "{passed}");
    }

    #[test]
    fn a_burst_passes_at_once_and_no_more() {
        let mut bucket = Bucket::new(10.0, 3.0);
        assert!((bucket.level(0.0) - 3.0).abs() < 1e-9);
        assert_eq!([0, 1, 2, 3].map(|_| bucket.take(5.0)), [true, true, true, false]);
        assert!((bucket.wait(5.0) - 0.1).abs() < 1e-9);
        assert!(bucket.level(5.0) < 1e-9);
        assert!(bucket.take(5.1));
        assert!(!bucket.take(5.1));
    }

    #[test]
    fn what_is_given_back_may_pass_at_once_and_is_never_more_than_a_burst() {
        let mut bucket = Bucket::new(10.0, 2.0);
        assert!(bucket.take(0.0) && bucket.take(0.0));
        bucket.give_back();
        assert!(bucket.take(0.0));
        assert!(!bucket.take(0.0));
        bucket.give_back();
        assert_eq!([0, 1, 2].map(|_| bucket.take(9.0)), [true, true, false]);
    }

    #[test]
    fn without_a_bound_all_pass() {
        let mut bucket = Bucket::new(f64::INFINITY, 1.0);
        assert!((0..1_000).all(|_| bucket.take(0.0)));
        assert!(bucket.level(0.0).is_infinite());
    }

    #[test]
    fn another_rate_counts_from_the_next_one_on() {
        let mut bucket = Bucket::new(0.001, 1.0);
        assert!(bucket.take(0.0));
        assert!(!bucket.take(1.0));
        bucket.change(1_000.0, 1.0);
        assert!(bucket.take(1.0));
        bucket.change(0.001, 1.0);
        assert!(bucket.take(500.0));
        assert!(!bucket.take(1_499.0));
        assert!(bucket.take(1_500.0));
    }

    proptest! {
        /// Steps and rates that are sums of powers of two, so that the plain form is exact.
        #[test]
        fn it_is_a_bucket_of_tokens(
            rate in prop::sample::select(vec![0.25, 1.0, 2.0, 8.0]),
            burst in 1_u8..6,
            steps in prop::collection::vec(0_u16..1_024, 1..300),
        ) {
            let burst = f64::from(burst);
            let (mut bucket, mut now) = (Bucket::new(rate, burst), 0.0);
            let mut plain = Plain { rate, burst, tokens: burst, at: 0.0 };
            for step in steps {
                now += f64::from(step) / 256.0;
                let wait = bucket.wait(now);
                let passes = plain.take(now);
                prop_assert_eq!(bucket.take(now), passes);
                prop_assert_eq!(wait == 0.0, passes);
                if !passes {
                    let missing = (1.0 - plain.tokens) / rate;
                    prop_assert!((wait - missing).abs() < 1e-6, "{} {}", wait, missing);
                }
                prop_assert!((bucket.level(now) - plain.tokens).abs() < 1e-6);
            }
        }

        #[test]
        fn who_keeps_to_the_rate_always_passes(rate in 0.1_f64..10_000.0) {
            let mut bucket = Bucket::new(rate, 1.0);
            for number in 0..200 {
                prop_assert!(bucket.take(f64::from(number) * (1.0 + 1e-9) / rate));
            }
        }
    }
}
