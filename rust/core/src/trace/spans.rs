//! What was seen of the waves that are traced: the last spans, each with a number.
//!
//! Contract: memory is bounded; the oldest span goes first. Who follows them by their numbers is told how many went before
//! they were seen.

use std::collections::VecDeque;
use std::sync::Arc;

use super::context::SpanContext;

/// What was done with a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It was emitted.
    Send,
    /// A reader took it.
    Receive,
    /// A handler worked on it.
    Process,
}

impl Work {
    /// The word of the messaging conventions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Process => "process",
        }
    }
}

/// Why something came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The name of an error's class, or a word for what is none.
    pub kind: String,
    /// What it said.
    pub message: String,
}

/// A followed wave as it was sent: what all spans that are about it have in common. `I`: the ids of waves.
#[derive(Debug)]
pub struct Sent<I> {
    /// The span of its emission.
    pub context: SpanContext,
    /// The id of the wave.
    pub wave: I,
    /// Its channel.
    pub channel: Box<str>,
    /// 0..1.
    pub amplitude: f64,
}

/// One thing that was done with one wave.
#[derive(Clone, Debug)]
pub struct Span<I> {
    /// The wave.
    pub about: Arc<Sent<I>>,
    /// Which span it is, of the trace of the wave.
    pub id: u64,
    /// The span that led to it, of the same trace.
    pub parent: Option<u64>,
    /// Another one that it came from.
    pub link: Option<SpanContext>,
    /// What was done.
    pub work: Work,
    /// 0: it has none.
    pub sequence: u64,
    /// The vibrator; `None`: the medium itself.
    pub by: Option<Arc<str>>,
    /// In Unix seconds.
    pub began: f64,
    /// How long it took, in seconds.
    pub took: f64,
    /// How many it reached, and how many of those let it go; of what was emitted.
    pub reached: Option<(u32, u32)>,
    /// Why it came to nothing.
    pub trouble: Option<Box<Trouble>>,
}

/// The last spans.
#[derive(Debug)]
pub struct Spans<I> {
    kept: VecDeque<Span<I>>,
    most: usize,
    /// The number of the first that is kept.
    first: u64,
}

/// What came after a number.
#[derive(Debug)]
pub struct Since<I> {
    /// In order.
    pub spans: Vec<Span<I>>,
    /// Where to go on.
    pub next: u64,
    /// How many were gone already.
    pub lost: u64,
}

impl<I: Clone + PartialEq> Spans<I> {
    /// Room for so many; at least one.
    pub fn new(most: usize) -> Self {
        Self { kept: VecDeque::new(), most: most.max(1), first: 0 }
    }

    /// One more. The one that goes for it is handed back, to be dropped elsewhere.
    pub fn push(&mut self, span: Span<I>) -> Option<Span<I>> {
        let gone = if self.kept.len() == self.most { self.kept.pop_front() } else { None };
        self.first += u64::from(gone.is_some());
        self.kept.push_back(span);
        gone
    }

    /// How many there were in all.
    pub fn count(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// At most so many from this number on.
    pub fn since(&self, number: u64, most: usize) -> Since<I> {
        let from = number.clamp(self.first, self.count());
        let spans: Vec<_> =
            self.kept.iter().skip((from - self.first) as usize).take(most).cloned().collect();
        let next = from + spans.len() as u64;
        Since { spans, next, lost: self.first.saturating_sub(number) }
    }

    /// All of the trace to which a wave of this id belongs, as far as they are kept, in the order in which they ended; of
    /// several traces, the latest.
    pub fn of_wave(&self, wave: &I) -> Vec<Span<I>> {
        let Some(found) = self.kept.iter().rev().find(|span| span.about.wave == *wave) else {
            return Vec::new();
        };
        let trace = found.about.context.trace;
        self.kept.iter().filter(|span| span.about.context.trace == trace).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(trace: u128, number: u64, wave: &'static str) -> Span<&'static str> {
        let context = SpanContext { trace, span: number + 1, sampled: true };
        let about = Arc::new(Sent { context, wave, channel: "a.b".into(), amplitude: 1.0 });
        Span {
            about,
            id: number + 1,
            parent: None,
            link: None,
            work: Work::Send,
            sequence: number,
            by: None,
            began: 0.0,
            took: 0.0,
            reached: None,
            trouble: None,
        }
    }

    fn numbers(spans: &[Span<&str>]) -> Vec<u64> {
        spans.iter().map(|span| span.sequence).collect()
    }

    #[test]
    fn a_trace_is_found_by_any_wave_of_it() {
        let mut spans = Spans::new(10);
        for (number, (trace, wave)) in
            [(1, "x"), (2, "y"), (1, "z"), (3, "x")].into_iter().enumerate()
        {
            spans.push(span(trace, number as u64, wave));
        }
        assert_eq!(numbers(&spans.of_wave(&"z")), [0, 2]);
        assert_eq!(
            numbers(&spans.of_wave(&"x")),
            [3],
            "the latest trace of a wave that was emitted again"
        );
        assert!(spans.of_wave(&"none").is_empty());
    }

    proptest! {
        /// Against a list that forgets nothing.
        #[test]
        fn who_follows_sees_each_or_is_told(most in 1_usize..8, steps in prop::collection::vec((0_u64..6, 1_usize..5), 1..50)) {
            let (mut spans, mut all, mut at) = (Spans::new(most), 0, 0);
            for (pushed, asked) in steps {
                for _ in 0..pushed {
                    let gone = spans.push(span(1, all, "w"));
                    prop_assert_eq!(gone.map(|gone| gone.sequence), all.checked_sub(most as u64));
                    all += 1;
                }
                let since = spans.since(at, asked);
                let first = at.max(all.saturating_sub(most as u64));
                let expected: Vec<u64> = (first..all).take(asked).collect();
                prop_assert_eq!(since.lost, first - at);
                prop_assert_eq!(numbers(&since.spans), expected);
                at = since.next;
            }
            prop_assert_eq!(spans.count(), all);
        }
    }
}
