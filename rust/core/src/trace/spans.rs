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

/// One thing that was done with one wave.
#[derive(Clone, Debug)]
pub struct Span {
    /// Which one it is.
    pub context: SpanContext,
    /// The span that led to it, of the same trace.
    pub parent: Option<u64>,
    /// Others that it came from.
    pub links: Vec<SpanContext>,
    /// What was done.
    pub work: Work,
    /// The channel of the wave.
    pub channel: String,
    /// The id of the wave.
    pub wave: String,
    /// 0: it has none.
    pub sequence: u64,
    /// 0..1.
    pub amplitude: f64,
    /// The vibrator; `None`: the medium itself.
    pub by: Option<String>,
    /// In Unix seconds.
    pub began: f64,
    /// How long it took, in seconds.
    pub took: f64,
    /// How many it reached, and how many of those let it go; of what was emitted.
    pub reached: Option<(usize, usize)>,
    /// Why it came to nothing.
    pub trouble: Option<Trouble>,
}

/// The last spans.
#[derive(Debug)]
pub struct Spans {
    kept: VecDeque<Arc<Span>>,
    most: usize,
    /// The number of the first that is kept.
    first: u64,
}

/// What came after a number.
#[derive(Debug)]
pub struct Since {
    /// In order.
    pub spans: Vec<Arc<Span>>,
    /// Where to go on.
    pub next: u64,
    /// How many were gone already.
    pub lost: u64,
}

impl Spans {
    /// Room for so many; at least one.
    pub fn new(most: usize) -> Self {
        Self { kept: VecDeque::new(), most: most.max(1), first: 0 }
    }

    /// One more. The one that goes for it is handed back, to be dropped elsewhere.
    pub fn push(&mut self, span: Arc<Span>) -> Option<Arc<Span>> {
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
    pub fn since(&self, number: u64, most: usize) -> Since {
        let from = number.clamp(self.first, self.count());
        let spans: Vec<_> =
            self.kept.iter().skip((from - self.first) as usize).take(most).cloned().collect();
        let next = from + spans.len() as u64;
        Since { spans, next, lost: self.first.saturating_sub(number) }
    }

    /// All of the trace to which a wave of this id belongs, as far as they are kept, in the order in which they ended; of
    /// several traces, the latest.
    pub fn of_wave(&self, wave: &str) -> Vec<Arc<Span>> {
        let Some(found) = self.kept.iter().rev().find(|span| span.wave == wave) else {
            return Vec::new();
        };
        let trace = found.context.trace;
        self.kept.iter().filter(|span| span.context.trace == trace).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(trace: u128, number: u64, wave: &str) -> Arc<Span> {
        Arc::new(Span {
            context: SpanContext { trace, span: number + 1, sampled: true },
            parent: None,
            links: Vec::new(),
            work: Work::Send,
            channel: "a.b".to_owned(),
            wave: wave.to_owned(),
            sequence: number,
            amplitude: 1.0,
            by: None,
            began: 0.0,
            took: 0.0,
            reached: None,
            trouble: None,
        })
    }

    fn numbers(spans: &[Arc<Span>]) -> Vec<u64> {
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
        assert_eq!(numbers(&spans.of_wave("z")), [0, 2]);
        assert_eq!(
            numbers(&spans.of_wave("x")),
            [3],
            "the latest trace of a wave that was emitted again"
        );
        assert!(spans.of_wave("none").is_empty());
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
