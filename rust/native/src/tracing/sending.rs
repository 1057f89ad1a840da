//! The span of an emission: from the call to the receipt.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use aether_core::trace::context::SpanContext;
use aether_core::trace::spans::{Trouble, Work};
use pyo3::prelude::*;

use super::{Parent, Span, Tracing, as_sent, context_of, trouble};
use crate::context;
use crate::origin::Origin;
use crate::rare::Rare;
use crate::shared::Shared;
use crate::wave::PyWave;

/// An emission that is followed. Its span ends when this is dropped: as cancelled, unless something became of it.
pub struct Sending {
    tracing: Arc<Tracing>,
    /// Taken when it has ended.
    span: Option<Span>,
    since: f64,
    /// It has come to something.
    settled: bool,
}

/// What is known of what led to a wave.
#[derive(Clone, Copy, Default)]
pub struct Behind<'a> {
    /// Its own headers name a span.
    pub named: bool,
    /// The wave that it continues.
    pub cause: Option<&'a PyWave>,
}

impl Behind<'_> {
    /// Whether headers that were given name a span.
    pub fn names(py: Python<'_>, shared: &Shared, rare: Option<&Rare>) -> bool {
        shared.tracing.is_some() && rare.is_some_and(|rare| rare.headers.names_span(py))
    }
}

impl Sending {
    /// Follows a wave that is about to go out, if it is to be: then its header says so.
    #[inline]
    pub fn begin(
        py: Python<'_>,
        shared: &Shared,
        origin: &Origin,
        wave: &mut PyWave,
        behind: Behind<'_>,
    ) -> PyResult<Option<Box<Self>>> {
        match &shared.tracing {
            None => Ok(None),
            Some(tracing) => Self::decide(py, tracing, origin, wave, behind),
        }
    }

    #[inline(never)]
    fn decide(
        py: Python<'_>,
        tracing: &Arc<Tracing>,
        origin: &Origin,
        wave: &mut PyWave,
        behind: Behind<'_>,
    ) -> PyResult<Option<Box<Self>>> {
        let caused = behind.cause.and_then(|cause| context_of(py, cause));
        let (trace, parent) = match parent(py, tracing, wave, behind, caused) {
            Parent::Span(parent) => (parent.trace, Some(parent.span)),
            Parent::Nobody if tracing.begins(wave.number()) => (tracing.new_trace(), None),
            Parent::Nobody | Parent::Unsampled => {
                return forget(py, wave, behind).map(|()| None);
            }
        };
        let context = SpanContext { trace, span: tracing.new_span(), sampled: true };
        let about = as_sent(py, wave, context);
        wave.rare.get_or_insert_default().headers.follow(py, Arc::clone(&about))?;
        let span = Span {
            about,
            id: context.span,
            parent,
            // A cause that is not the parent.
            link: caused.filter(|cause| Some(cause.span) != parent),
            work: Work::Send,
            sequence: 0,
            by: origin.label(py),
            began: tracing.clock().unix(),
            took: 0.0,
            reached: None,
            trouble: None,
        };
        let since = tracing.clock().monotonic();
        Ok(Some(Box::new(Self {
            tracing: Arc::clone(tracing),
            span: Some(span),
            since,
            settled: false,
        })))
    }

    /// It was delivered: to so many, of whom so many have let it go.
    pub fn sent(&mut self, wave: &PyWave, matched: usize, dropped: usize) {
        if let Some(span) = &mut self.span {
            let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            span.reached = Some((count(matched), count(dropped)));
        }
        self.appended(wave);
        self.end();
    }

    /// The journal has it; it goes on until whoever awaits it lets go.
    pub fn appended(&mut self, wave: &PyWave) {
        self.settled = true;
        if let Some(span) = &mut self.span {
            span.sequence = wave.sequence.load(Relaxed);
        }
    }

    /// It was not sent, and is made anew: then that is the one which is followed.
    pub fn undo(self) {
        self.tracing.follow_next();
        self.discard();
    }

    /// It was never to be sent.
    pub fn discard(mut self) {
        (self.span, self.settled) = (None, true);
    }

    /// It goes nowhere, for this reason.
    pub fn spent(&mut self, reason: &str) {
        self.fails(Trouble { kind: reason.to_owned(), message: String::new() });
    }

    /// It has raised an error.
    pub fn raised(&mut self, py: Python<'_>, error: &PyErr) {
        self.fails(trouble(py, error));
    }

    fn fails(&mut self, trouble: Trouble) {
        if let Some(span) = &mut self.span {
            span.trouble = Some(Box::new(trouble));
        }
        self.end();
    }

    fn end(&mut self) {
        if let Some(span) = self.span.take() {
            self.tracing.ends(span, self.since);
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.settled {
            self.spent("cancelled");
        }
        self.end();
    }
}

/// A wave that is not followed does not name the span of the one that has caused it.
fn forget(py: Python<'_>, wave: &mut PyWave, behind: Behind<'_>) -> PyResult<()> {
    if behind.named {
        return Ok(());
    }
    match &mut wave.rare {
        Some(rare) if rare.headers.context(py).is_some_and(|context| context.sampled) => {
            rare.headers.forget(py)
        }
        _ => Ok(()),
    }
}

/// What led to a wave.
fn parent(
    py: Python<'_>,
    tracing: &Tracing,
    wave: &PyWave,
    behind: Behind<'_>,
    caused: Option<SpanContext>,
) -> Parent {
    if behind.named {
        if let Some(named) = context_of(py, wave) {
            return named.into();
        }
    }
    if let Some(current) = tracing.current(py) {
        return current.into();
    }
    let (handles, span) = context::at_work(py);
    if let Some(span) = span {
        return Parent::Span(span);
    }
    match (caused, behind.cause) {
        (Some(caused), _) => caused.into(),
        // What led to it is not followed.
        (None, Some(_)) => Parent::Unsampled,
        (None, None) if handles => Parent::Unsampled,
        (None, None) => Parent::Nobody,
    }
}
