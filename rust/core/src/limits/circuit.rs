//! A circuit breaker: nothing passes for a while once too much of what passed has failed, or was too slow.
//!
//! ```text
//!            too many fail              its time is over, and somebody asks
//!   closed ----------------> open ------------------------------------------> half open
//!      ^                      ^                                                |      |
//!      |                      +------------- too many probes fail -------------+      |
//!      +---------------------------------- all probes are through --------------------+
//! ```
//!
//! Contract:
//! - Closed, it sums up the last calls; at least [`Rules::least`] of them have to be there before it opens.
//! - Open, nothing passes for [`Rules::open_for`] seconds.
//! - Half open, exactly [`Rules::probes`] calls pass. It opens again as soon as so many of them have failed that the rest
//!   cannot mend it, and closes when all have ended otherwise. A probe that was given up leaves its place to another.
//! - What was let through before a change counts for nothing after it: each permit belongs to one phase.
//!
//! After M. Nygard, Release It!, 2nd edition (2018), chapter 5; the sums and the shares as in Resilience4j.

use super::window::{Tally, Window};

pub use super::window::Span;

/// When it opens, and how it closes again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// How far back it looks.
    pub span: Span,
    /// So many calls there have to be: 1 or more.
    pub least: u64,
    /// The share of them that may not fail: above 0; above 1: all may.
    pub failed: f64,
    /// The share of them that may not be slow, as for `failed`.
    pub slow: f64,
    /// Slow is what takes so many seconds.
    pub slow_after: f64,
    /// How many seconds it stays open.
    pub open_for: f64,
    /// How many calls pass when it is half open: 1 or more.
    pub probes: u32,
}

/// What it lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Everything.
    Closed,
    /// Nothing.
    Open,
    /// A few, to see.
    HalfOpen,
}

impl Phase {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// The right to one call: it is to be given back, by [`Circuit::ended`] or [`Circuit::given_up`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit(u64);

/// It went from one phase to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it was.
    pub from: Phase,
    /// What it is.
    pub to: Phase,
    /// What has decided it.
    pub tally: Tally,
}

/// What becomes of a call that asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// It passes.
    Passes(Permit),
    /// It does not, for so many seconds.
    Open(f64),
    /// It does not, until a probe has ended.
    Probing,
}

#[derive(Debug)]
enum State {
    Closed(Window),
    Open { until: f64 },
    HalfOpen { out: u32, ended: Tally },
}

/// A circuit breaker.
#[derive(Debug)]
pub struct Circuit {
    rules: Rules,
    state: State,
    /// How often it has changed.
    changes: u64,
}

impl Circuit {
    /// One that is closed.
    pub fn new(rules: Rules) -> Self {
        Self { rules, state: State::Closed(Window::new(rules.span)), changes: 0 }
    }

    /// What it lets pass. One whose time is over stays open until somebody asks.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Closed(_) => Phase::Closed,
            State::Open { .. } => Phase::Open,
            State::HalfOpen { .. } => Phase::HalfOpen,
        }
    }

    /// What it has seen: closed, of the last calls; half open, of the probes.
    pub fn tally(&mut self, now: f64) -> Tally {
        match &mut self.state {
            State::Closed(window) => window.tally(now),
            State::Open { .. } => Tally::default(),
            State::HalfOpen { ended, .. } => *ended,
        }
    }

    /// A call asks whether it may pass, at this moment in monotonic seconds.
    pub fn ask(&mut self, now: f64) -> (Answer, Option<Change>) {
        let mut change = None;
        if let State::Open { until } = self.state {
            if now < until {
                return (Answer::Open(until - now), None);
            }
            let begun = State::HalfOpen { out: 0, ended: Tally::default() };
            change = Some(self.turn(begun, Tally::default()));
        }
        if let State::HalfOpen { out, ended } = &mut self.state {
            if u64::from(*out) + ended.calls >= u64::from(self.rules.probes) {
                return (Answer::Probing, change);
            }
            *out += 1;
        }
        (Answer::Passes(Permit(self.changes)), change)
    }

    /// A call has ended: whether it has failed, and how many seconds it took.
    pub fn ended(&mut self, permit: Permit, failed: bool, took: f64, now: f64) -> Option<Change> {
        if permit.0 != self.changes {
            return None;
        }
        let Rules { least, probes, open_for, .. } = self.rules;
        let one = Tally::one(failed, took >= self.rules.slow_after);
        match &mut self.state {
            State::Closed(window) => {
                window.add(one, now);
                let tally = window.tally(now);
                let opens =
                    tally.calls >= least && tally.reaches(self.rules.failed, self.rules.slow);
                opens.then(|| self.turn(State::Open { until: now + open_for }, tally))
            }
            State::HalfOpen { out, ended } => {
                *out -= 1;
                ended.add(one);
                let tally = *ended;
                // As if all others would go well.
                let at_best = Tally { calls: u64::from(probes), ..tally };
                if at_best.reaches(self.rules.failed, self.rules.slow) {
                    return Some(self.turn(State::Open { until: now + open_for }, tally));
                }
                let closed = || State::Closed(Window::new(self.rules.span));
                (tally.calls >= u64::from(probes)).then(closed).map(|state| self.turn(state, tally))
            }
            // No permit is of this phase.
            State::Open { .. } => None,
        }
    }

    /// A call has come to no end that says anything, as it was cancelled; whether another may ask for its place.
    pub fn given_up(&mut self, permit: Permit) -> bool {
        match &mut self.state {
            State::HalfOpen { out, .. } if permit.0 == self.changes => {
                *out -= 1;
                true
            }
            _ => false,
        }
    }

    fn turn(&mut self, state: State, tally: Tally) -> Change {
        let from = self.phase();
        self.state = state;
        self.changes += 1;
        Change { from, to: self.phase(), tally }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules {
        span: Span::Calls(10),
        least: 4,
        failed: 0.5,
        slow: 0.8,
        slow_after: 2.0,
        open_for: 30.0,
        probes: 3,
    };

    fn passes(circuit: &mut Circuit, now: f64) -> Permit {
        match circuit.ask(now) {
            (Answer::Passes(permit), _) => permit,
            (answer, _) => panic!("{answer:?}"),
        }
    }

    fn call(circuit: &mut Circuit, failed: bool, now: f64) -> Option<Change> {
        let permit = passes(circuit, now);
        circuit.ended(permit, failed, 0.0, now)
    }

    fn opened() -> Circuit {
        let mut circuit = Circuit::new(RULES);
        for _ in 0..3 {
            assert_eq!(call(&mut circuit, true, 0.0), None, "too few to tell");
        }
        let change = call(&mut circuit, true, 0.0).unwrap();
        assert_eq!((change.from, change.to), (Phase::Closed, Phase::Open));
        circuit
    }

    #[test]
    fn it_opens_once_half_of_the_last_calls_have_failed() {
        let mut circuit = Circuit::new(RULES);
        for _ in 0..10 {
            assert_eq!(call(&mut circuit, false, 0.0), None);
        }
        for _ in 0..4 {
            assert_eq!(call(&mut circuit, true, 0.0), None);
        }
        let tally = call(&mut circuit, true, 0.0).unwrap().tally;
        assert_eq!(tally, Tally { calls: 10, failed: 5, slow: 0 });
    }

    #[test]
    fn what_is_slow_counts_though_it_does_not_fail() {
        let mut circuit = Circuit::new(RULES);
        for number in 0..4 {
            let permit = passes(&mut circuit, 0.0);
            assert_eq!(circuit.ended(permit, false, 2.0, 0.0).is_some(), number == 3);
        }
    }

    #[test]
    fn open_it_says_for_how_long() {
        let mut circuit = opened();
        assert_eq!(circuit.ask(10.0), (Answer::Open(20.0), None));
    }

    #[test]
    fn half_open_exactly_so_many_pass() {
        let mut circuit = opened();
        let first = passes(&mut circuit, 30.0);
        assert_eq!(circuit.phase(), Phase::HalfOpen);
        passes(&mut circuit, 30.0);
        passes(&mut circuit, 30.0);
        assert_eq!(circuit.ask(30.0).0, Answer::Probing);
        assert!(circuit.given_up(first), "its place is another's");
        let again = passes(&mut circuit, 30.0);
        assert_eq!(circuit.ended(again, false, 0.0, 30.0), None);
        assert_eq!(circuit.ask(30.0).0, Answer::Probing, "an end is no place");
    }

    #[test]
    fn probes_that_are_through_close_it() {
        let mut circuit = opened();
        assert_eq!(call(&mut circuit, true, 30.0), None, "one of three may fail");
        assert_eq!(call(&mut circuit, false, 30.0), None);
        assert_eq!(call(&mut circuit, false, 30.0).unwrap().to, Phase::Closed);
        assert_eq!(circuit.tally(30.0), Tally::default(), "it begins anew");
    }

    #[test]
    fn it_opens_again_as_soon_as_that_is_decided() {
        let mut circuit = opened();
        let late = passes(&mut circuit, 30.0);
        assert_eq!(call(&mut circuit, true, 30.0), None);
        assert_eq!(call(&mut circuit, true, 31.0).unwrap().to, Phase::Open);
        assert_eq!(circuit.ask(60.0).0, Answer::Open(1.0));
        assert_eq!(circuit.ended(late, false, 0.0, 31.0), None, "of another phase");
        passes(&mut circuit, 61.0);
        assert!(!circuit.given_up(late));
    }

    /// What became of a call that passed.
    #[derive(Clone, Copy, PartialEq)]
    enum Call {
        Out,
        Ended(bool, bool),
        GivenUp,
    }

    /// The same by a list of all that was let through, looked at as a whole each time.
    struct Plain {
        phase: Phase,
        since: usize,
        until: f64,
        calls: Vec<Call>,
        /// Which of them have ended, in that order.
        ended: Vec<usize>,
    }

    impl Plain {
        fn ask(&mut self, now: f64) -> Option<usize> {
            if self.phase == Phase::Open && now >= self.until {
                (self.phase, self.since) = (Phase::HalfOpen, self.calls.len());
            }
            let of_phase = self.calls[self.since..].iter();
            let places = of_phase.filter(|&&call| call != Call::GivenUp).count();
            let may = match self.phase {
                Phase::Closed => true,
                Phase::Open => false,
                Phase::HalfOpen => places < RULES.probes as usize,
            };
            may.then(|| {
                self.calls.push(Call::Out);
                self.calls.len() - 1
            })
        }

        fn end(&mut self, call: usize, came_to: Call, now: f64) {
            self.calls[call] = came_to;
            if call < self.since || came_to == Call::GivenUp {
                return;
            }
            self.ended.push(call);
            let of_phase = self.ended.iter().rev().filter(|&&call| call >= self.since);
            let last: Vec<Call> = of_phase.take(10).map(|&call| self.calls[call]).collect();
            let share = |share: f64, of: usize, is: fn(&&Call) -> bool| {
                last.iter().filter(is).count() as f64 >= share * of as f64
            };
            let fails = |of| {
                share(RULES.failed, of, |call| matches!(call, Call::Ended(true, _)))
                    || share(RULES.slow, of, |call| matches!(call, Call::Ended(_, true)))
            };
            let next = match self.phase {
                Phase::Closed if last.len() >= 4 && fails(last.len()) => Phase::Open,
                Phase::HalfOpen if fails(3) => Phase::Open,
                Phase::HalfOpen if last.len() == 3 => Phase::Closed,
                phase => phase,
            };
            if next != self.phase {
                (self.phase, self.since, self.until) = (next, self.calls.len(), now + 30.0);
            }
        }
    }

    proptest! {
        #[test]
        fn it_does_what_a_list_of_all_calls_says(
            steps in prop::collection::vec((0_u8..6, any::<prop::sample::Index>(), any::<bool>(), any::<bool>()), 1..300),
        ) {
            let mut circuit = Circuit::new(RULES);
            let (phase, calls, ended) = (Phase::Closed, Vec::new(), Vec::new());
            let mut plain = Plain { phase, since: 0, until: 0.0, calls, ended };
            let (mut out, mut now) = (Vec::new(), 0.0);
            for (kind, which, failed, slow) in steps {
                match kind {
                    0..=2 => {
                        let call = plain.ask(now);
                        if let (Answer::Passes(permit), _) = circuit.ask(now) {
                            out.push((permit, call.unwrap()));
                        } else {
                            prop_assert_eq!(call, None);
                        }
                    }
                    3 => now += 10.0,
                    _ if out.is_empty() => {}
                    _ => {
                        let (permit, call) = out.swap_remove(which.index(out.len()));
                        if kind == 4 {
                            let took = if slow { 2.0 } else { 1.0 };
                            circuit.ended(permit, failed, took, now);
                            plain.end(call, Call::Ended(failed, slow), now);
                        } else {
                            circuit.given_up(permit);
                            plain.end(call, Call::GivenUp, now);
                        }
                    }
                }
                prop_assert_eq!(circuit.phase(), plain.phase);
            }
        }
    }
}
