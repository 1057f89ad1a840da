//! What became of the last calls: of so many, or of so many seconds.

use std::collections::VecDeque;

/// How far back a window looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// To so many calls: 1 or more.
    Calls(usize),
    /// To so many seconds, above 0, in steps of a tenth of them.
    Seconds(f64),
}

/// Steps of a window of seconds.
const STEPS: f64 = 10.0;

/// How many calls there were, and how many of them were no good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that took too long, failed or not.
    pub slow: u64,
}

impl Tally {
    pub(super) fn one(failed: bool, slow: bool) -> Self {
        Self { calls: 1, failed: u64::from(failed), slow: u64::from(slow) }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
    }

    fn remove(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }

    /// Whether a share of them, 0..1, has failed, or was too slow.
    pub(super) fn reaches(self, failed: f64, slow: f64) -> bool {
        let calls = self.calls as f64;
        self.calls > 0 && (self.failed as f64 >= failed * calls || self.slow as f64 >= slow * calls)
    }
}

/// The last calls, summed up.
#[derive(Debug)]
pub(super) struct Window {
    span: Span,
    /// By call, or by step: with its number, counted from the beginning of time.
    parts: VecDeque<(i64, Tally)>,
    sum: Tally,
}

impl Window {
    pub fn new(span: Span) -> Self {
        Self { span, parts: VecDeque::new(), sum: Tally::default() }
    }

    /// One more call has ended at this moment.
    pub fn add(&mut self, one: Tally, now: f64) {
        let step = self.forget(now);
        match (self.span, self.parts.back_mut()) {
            (Span::Seconds(_), Some((last, tally))) if *last == step => tally.add(one),
            _ => self.parts.push_back((step, one)),
        }
        self.sum.add(one);
        self.forget(now);
    }

    /// What it holds at this moment.
    pub fn tally(&mut self, now: f64) -> Tally {
        self.forget(now);
        self.sum
    }

    /// Lets go of what is too old; the number of the step that this moment belongs to.
    fn forget(&mut self, now: f64) -> i64 {
        let step = match self.span {
            Span::Calls(_) => 0,
            Span::Seconds(seconds) => (now / seconds * STEPS).floor() as i64,
        };
        while let Some(&(first, tally)) = self.parts.front() {
            let is_old = match self.span {
                Span::Calls(calls) => self.parts.len() > calls,
                Span::Seconds(_) => step - first >= STEPS as i64,
            };
            if !is_old {
                break;
            }
            self.parts.pop_front();
            self.sum.remove(tally);
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list that forgets nothing.
        #[test]
        fn it_holds_the_last_calls(
            span in prop_oneof![
                (1_usize..20).prop_map(Span::Calls),
                (1_u8..20).prop_map(|seconds| Span::Seconds(f64::from(seconds))),
            ],
            calls in prop::collection::vec((any::<bool>(), any::<bool>(), 0_u8..40), 1..200),
        ) {
            let (mut window, mut all, mut now) = (Window::new(span), Vec::new(), 0.0);
            for (failed, slow, waited) in calls {
                now += f64::from(waited) / 8.0;
                let one = Tally::one(failed, slow);
                window.add(one, now);
                all.push((now, one));
                let mut expected = Tally::default();
                for (number, &(at, one)) in all.iter().enumerate() {
                    let counts = match span {
                        Span::Calls(calls) => all.len() - number <= calls,
                        Span::Seconds(seconds) => {
                            let step = |moment: f64| (moment * 10.0 / seconds).floor();
                            step(now) - step(at) < 10.0
                        }
                    };
                    if counts {
                        expected.add(one);
                    }
                }
                prop_assert_eq!(window.tally(now), expected);
            }
        }
    }
}
