//! How many retries there may be beside first attempts: so that a service that is down is not held down by them.
//!
//! Contract: over the last [`WINDOW`] seconds there are no more retries than a share of all attempts, retries among them;
//! but for a few that may always be, so that who has little to do can retry at all.

use super::window::{Span, Tally, Window};

/// Seconds that it looks back.
pub const WINDOW: f64 = 10.0;

/// So many retries may always be, in each window.
pub const ALWAYS: u64 = 10;

/// The budget of retries of one handler.
#[derive(Debug)]
pub struct Budget {
    share: f64,
    /// All attempts; what "failed" in it are the retries.
    attempts: Window,
}

impl Budget {
    /// `share` of all attempts may be retries: 0..1.
    pub fn new(share: f64) -> Self {
        Self { share, attempts: Window::new(Span::Seconds(WINDOW)) }
    }

    /// A first attempt is made.
    pub fn begin(&mut self, now: f64) {
        self.attempts.add(Tally::one(false, false), now);
    }

    /// Whether there may be one more retry; then there is.
    pub fn retry(&mut self, now: f64) -> bool {
        let Tally { calls, failed: retries, .. } = self.attempts.tally(now);
        let may = retries < ALWAYS || (retries + 1) as f64 <= self.share * (calls + 1) as f64;
        if may {
            self.attempts.add(Tally::one(true, false), now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_few_may_always_be() {
        let mut budget = Budget::new(0.0);
        assert!((0..ALWAYS).all(|_| budget.retry(0.0)));
        assert!(!budget.retry(9.9));
        assert!(budget.retry(10.0));
    }

    proptest! {
        /// However many want to retry, they stay a share of all.
        #[test]
        fn retries_are_a_share_of_all_attempts(
            share in 0.0_f64..0.9,
            steps in prop::collection::vec((0_u32..30, 0_u32..30, 0.0_f64..0.5), 1..200),
        ) {
            let (mut budget, mut now) = (Budget::new(share), 0.0);
            let (mut firsts, mut retries) = (Vec::new(), Vec::new());
            for (first, wanted, waited) in steps {
                now += waited;
                for _ in 0..first {
                    budget.begin(now);
                    firsts.push(now);
                }
                for _ in 0..wanted {
                    if budget.retry(now) {
                        retries.push(now);
                        // The oldest step of a tenth of the window may be gone already.
                        let lately = |all: &[f64]| all.iter().filter(|&&at| at > now - WINDOW).count() as f64;
                        let (first, retried) = (lately(&firsts), lately(&retries));
                        let most = share * (first + retried) + ALWAYS as f64;
                        let gone = WINDOW / 10.0;
                        let oldest = retries.iter().filter(|&&at| at > now - WINDOW && at <= now - WINDOW + gone).count();
                        prop_assert!(retried <= most + oldest as f64, "{retried} of {first}");
                    }
                }
            }
        }
    }
}
