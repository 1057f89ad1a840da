//! Tracing: spans of the waves that are followed, for `medium.trace` and for OpenTelemetry.
//!
//! Contract:
//! - Whether a wave is followed is decided when it is emitted. It is if what led to it is: the span that it names in its
//!   header `traceparent`, that which OpenTelemetry has as the current one, the handler that emits, or its cause, in this
//!   order. If nothing led to it, a share of the waves is, as [`aether_core::trace::sampling`] says.
//! - A wave that is followed has the header `traceparent` of its own span, made when somebody reads it. Others get none.
//! - An emission is one span, from the call to its receipt; a handler is another, from its begin to its end; a reader that
//!   takes a wave, a third, without a length. They are kept here once they have ended, the last ones, without Python.
//! - A medium that does not trace pays one look for each emission, and for each wave that is taken.

mod processing;
mod python;
mod sending;

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

use aether_core::clock::Clock;
use aether_core::limits::bucket::Bucket;
use aether_core::trace::context::SpanContext;
use aether_core::trace::sampling::{Rising, Share, mix};
use aether_core::trace::spans::{self, Spans, Trouble};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;

pub use processing::{Processing, received};
pub use python::{PySpan, PyTracer};
pub use sending::{Behind, Sending};

use crate::channel::text;
use crate::context;
use crate::ids::{self, WaveId};
use crate::wave::{PyWave, next_number};

/// A followed wave, as it was sent.
pub type Sent = spans::Sent<WaveId>;

/// One thing that was done with one wave.
pub type Span = spans::Span<WaveId>;

/// What of a medium is traced, and what was seen last.
pub struct Tracing {
    /// Of the waves without a parent, those that begin a trace, by their numbers.
    share: Rising,
    /// The number of a wave that begins a trace whatever its number says; 0: none.
    granted: AtomicU64,
    state: Mutex<State>,
    /// How many spans have ended: beside the lock, which the child of a fork must not touch.
    ended: AtomicU64,
    /// What ids are made of.
    seeds: [u64; 3],
    made: AtomicU64,
    clock: OnceLock<Clock>,
    /// OpenTelemetry's context variable, and what says which span a context has.
    current: OnceLock<Current>,
}

struct State {
    /// What one second has left over, the next may use.
    rate: Bucket,
    spans: Spans<WaveId>,
}

struct Current {
    variable: Py<PyAny>,
    span_of: Py<PyAny>,
}

impl Current {
    /// The context, if there is something in it.
    #[inline]
    fn context<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyDict>> {
        let context = context::value(self.variable.bind(py))?.cast_into::<PyDict>().ok()?;
        (!context.is_empty()).then_some(context)
    }
}

/// What led to a wave.
enum Parent {
    Nobody,
    /// Something that is not followed.
    Unsampled,
    Span(SpanContext),
}

impl From<SpanContext> for Parent {
    fn from(context: SpanContext) -> Self {
        if context.sampled { Self::Span(context) } else { Self::Unsampled }
    }
}

impl Tracing {
    fn new(share: Share, rate: f64, keep: usize) -> Self {
        Self {
            share: Rising::new(share),
            granted: AtomicU64::new(0),
            state: Mutex::new(State { rate: Bucket::new(rate, rate), spans: Spans::new(keep) }),
            ended: AtomicU64::new(0),
            seeds: [ids::random(), ids::random(), ids::random()],
            made: AtomicU64::new(0),
            clock: OnceLock::new(),
            current: OnceLock::new(),
        }
    }

    /// A medium is made that traces by it.
    pub fn begin(&self, clock: &Clock) {
        // A second medium goes by the clock of the first.
        let _ = self.clock.set(clock.clone());
    }

    fn clock(&self) -> &Clock {
        static SYSTEM: Clock = Clock::System;
        self.clock.get().unwrap_or(&SYSTEM)
    }

    /// Whether the next wave that is made may have to be followed.
    #[inline]
    pub fn may_follow(&self, py: Python<'_>) -> bool {
        self.share.has(next_number()) || context::at_work(py).1.is_some() || self.has_current(py)
    }

    /// Whether OpenTelemetry has something in its current context.
    #[inline]
    fn has_current(&self, py: Python<'_>) -> bool {
        self.current.get().is_some_and(|current| current.context(py).is_some())
    }

    /// The current span of OpenTelemetry.
    #[cold]
    fn current(&self, py: Python<'_>) -> Option<SpanContext> {
        let current = self.current.get()?;
        let context = current.context(py)?;
        let span = current.span_of.bind(py).call1((context,)).ok()?;
        let (trace, span, sampled) = span.extract().ok()?;
        Some(SpanContext { trace, span, sampled }).filter(|span| span.trace != 0 && span.span != 0)
    }

    fn next(&self) -> u64 {
        self.made.fetch_add(1, Relaxed)
    }

    fn new_span(&self) -> u64 {
        mix(self.seeds[0].wrapping_add(self.next())).max(1)
    }

    fn new_trace(&self) -> u128 {
        let made = self.next();
        let half = |seed: u64| u128::from(mix(seed.wrapping_add(made)));
        (half(self.seeds[1]) << 64 | half(self.seeds[2])).max(1)
    }

    /// The next wave that is made begins a trace if nothing led to it: another one, which had begun it, was not sent.
    fn follow_next(&self) {
        self.granted.store(next_number(), Relaxed);
    }

    /// Whether a wave of this number that nothing led to begins a trace; then it has.
    fn begins(&self, number: u64) -> bool {
        self.granted.compare_exchange(number, 0, Relaxed, Relaxed).is_ok()
            || (self.share.share().has(number)
                && self.state.lock().rate.take(self.clock().monotonic()))
    }

    fn keep(&self, span: Span) {
        let gone = {
            let mut state = self.state.lock();
            let gone = state.spans.push(span);
            // Never ahead of what is there.
            self.ended.store(state.spans.count(), Relaxed);
            gone
        };
        drop(gone);
    }

    /// The end of a span that began at these Unix and monotonic seconds.
    fn ends(&self, mut span: Span, since: f64) {
        span.took = (self.clock().monotonic() - since).max(0.0);
        self.keep(span);
    }
}

/// Where a wave is in its trace.
pub fn context_of(py: Python<'_>, wave: &PyWave) -> Option<SpanContext> {
    wave.rare.as_ref()?.headers.context(py)
}

/// How a wave was sent, if it is followed.
fn sent(py: Python<'_>, wave: &PyWave) -> Option<Arc<Sent>> {
    let headers = &wave.rare.as_ref()?.headers;
    match headers.sent() {
        Some(sent) => Some(Arc::clone(sent)),
        None => headers
            .context(py)
            .filter(|context| context.sampled)
            .map(|context| as_sent(py, wave, context)),
    }
}

fn as_sent(py: Python<'_>, wave: &PyWave, context: SpanContext) -> Arc<Sent> {
    Arc::new(Sent {
        context,
        wave: wave.wave_id(),
        channel: text(wave.channel.bind(py)).unwrap_or("?").into(),
        amplitude: wave.strength.amplitude,
    })
}

/// So much of what an error says is kept, in bytes.
const SAID: usize = 1_024;

/// What an error says of itself; nothing, if it cannot. It may run Python code.
pub fn trouble(py: Python<'_>, error: &PyErr) -> Trouble {
    let kind =
        error.get_type(py).name().map_or_else(|_| "Exception".to_owned(), |name| name.to_string());
    let message = error.value(py).str().map_or_else(|_| String::new(), |said| said.to_string());
    Trouble { kind: cut(kind), message: cut(message) }
}

/// The beginning of a text.
fn cut(mut text: String) -> String {
    if text.len() > SAID {
        let end = (0..=SAID).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
        text.truncate(end);
        text.shrink_to_fit();
        text.push('…');
    }
    text
}
