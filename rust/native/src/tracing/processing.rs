//! The spans of those who get a wave: a handler at work, a reader that takes it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use aether_core::trace::context::SpanContext;
use aether_core::trace::spans::{Trouble, Work};
use pyo3::prelude::*;

use super::{Span, Tracing, sent};
use crate::shared::Shared;
use crate::wave::PyWave;

/// A handler at work on a wave that is followed.
pub struct Processing {
    tracing: Arc<Tracing>,
    span: Span,
    since: f64,
}

impl Processing {
    /// A handler of a vibrator begins with a wave; `None`: nobody follows it.
    #[inline]
    pub fn begin(
        py: Python<'_>,
        shared: &Shared,
        wave: &PyWave,
        by: impl FnOnce() -> Option<Arc<str>>,
    ) -> Option<Box<Self>> {
        let tracing = shared.tracing.as_ref()?;
        let span = follow(py, tracing, wave, Work::Process, by)?;
        let since = tracing.clock().monotonic();
        Some(Box::new(Self { tracing: Arc::clone(tracing), span, since }))
    }

    /// It begins only now: its wave stood behind another.
    pub fn resume(&mut self) {
        self.span.began = self.tracing.clock().unix();
        self.since = self.tracing.clock().monotonic();
    }

    /// The first trouble is the one that counts.
    pub fn fails(&mut self, trouble: Trouble) {
        self.span.trouble.get_or_insert_with(|| Box::new(trouble));
    }

    pub fn context(&self) -> SpanContext {
        SpanContext { span: self.span.id, ..self.span.about.context }
    }

    pub fn end(self) {
        self.tracing.ends(self.span, self.since);
    }
}

/// A reader has taken a wave.
#[inline]
pub fn received(
    py: Python<'_>,
    shared: &Shared,
    wave: &PyWave,
    by: impl FnOnce() -> Option<Arc<str>>,
) {
    if let (Some(tracing), true) = (&shared.tracing, wave.rare.is_some()) {
        if let Some(span) = follow(py, tracing, wave, Work::Receive, by) {
            tracing.keep(span);
        }
    }
}

/// The span of somebody who got a wave: a child of the one that sent it, and linked to it, as several may get it.
fn follow(
    py: Python<'_>,
    tracing: &Tracing,
    wave: &PyWave,
    work: Work,
    by: impl FnOnce() -> Option<Arc<str>>,
) -> Option<Span> {
    let about = sent(py, wave)?;
    Some(Span {
        id: tracing.new_span(),
        parent: Some(about.context.span),
        link: Some(about.context),
        work,
        sequence: wave.sequence.load(Relaxed),
        by: by(),
        began: tracing.clock().unix(),
        took: 0.0,
        reached: None,
        trouble: None,
        about,
    })
}
