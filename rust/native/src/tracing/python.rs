//! `Tracer` and `Span`: what Python sees of tracing.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use aether_core::trace::sampling::Share;
use pyo3::prelude::*;

use super::{Current, Span, Tracing};
use crate::ids::WaveId;

/// What traces a medium; see `aether.tracing`.
#[pyclass(frozen, name = "Tracer", module = "aether._native")]
pub struct PyTracer {
    pub tracing: Arc<Tracing>,
}

#[pymethods]
impl PyTracer {
    #[new]
    fn new(sample: f64, rate: f64, keep: usize) -> Self {
        Self { tracing: Arc::new(Tracing::new(Share::new(sample), rate, keep)) }
    }

    /// Goes on by another share of the waves, and another rate.
    fn tune(&self, sample: f64, rate: f64) {
        self.tracing.share.change(Share::new(sample));
        self.tracing.state.lock().rate.change(rate, rate);
    }

    /// Where OpenTelemetry has its current context, and what says which span that has.
    fn follow(&self, variable: Py<PyAny>, span_of: Py<PyAny>) {
        // The first one stays: there is one for each process.
        let _ = self.tracing.current.set(Current { variable, span_of });
    }

    /// At most so many spans from a number on, the number to go on with, and how many were gone already.
    fn since(&self, number: u64, most: usize) -> (Vec<PySpan>, u64, u64) {
        let since = self.tracing.state.lock().spans.since(number, most);
        (since.spans.into_iter().map(PySpan).collect(), since.next, since.lost)
    }

    /// All that is known of the trace of a wave.
    fn of_wave(&self, wave: &str) -> Vec<PySpan> {
        let spans = self.tracing.state.lock().spans.of_wave(&WaveId::parse(wave));
        spans.into_iter().map(PySpan).collect()
    }

    /// How many spans have ended; in the child of a fork, too.
    #[getter]
    fn count(&self) -> u64 {
        self.tracing.ended.load(Relaxed)
    }
}

/// One thing that was done with one wave; see `aether.tracing.Span`.
#[pyclass(frozen, name = "Span", module = "aether._native")]
pub struct PySpan(Span);

#[pymethods]
impl PySpan {
    #[getter]
    fn trace_id(&self) -> u128 {
        self.0.about.context.trace
    }

    #[getter]
    fn span_id(&self) -> u64 {
        self.0.id
    }

    #[getter]
    fn parent_id(&self) -> Option<u64> {
        self.0.parent
    }

    #[getter]
    fn links(&self) -> Vec<(u128, u64)> {
        self.0.link.iter().map(|link| (link.trace, link.span)).collect()
    }

    #[getter]
    fn work(&self) -> &'static str {
        self.0.work.name()
    }

    #[getter]
    fn channel(&self) -> &str {
        &self.0.about.channel
    }

    #[getter]
    fn wave_id(&self) -> String {
        self.0.about.wave.text()
    }

    #[getter]
    fn sequence(&self) -> Option<u64> {
        Some(self.0.sequence).filter(|&sequence| sequence != 0)
    }

    #[getter]
    fn amplitude(&self) -> f64 {
        self.0.about.amplitude
    }

    #[getter]
    fn by(&self) -> Option<&str> {
        self.0.by.as_deref()
    }

    #[getter]
    fn began(&self) -> f64 {
        self.0.began
    }

    #[getter]
    fn took(&self) -> f64 {
        self.0.took
    }

    #[getter]
    fn reached(&self) -> Option<(u32, u32)> {
        self.0.reached
    }

    #[getter]
    fn trouble(&self) -> Option<(&str, &str)> {
        self.0.trouble.as_ref().map(|trouble| (&*trouble.kind, &*trouble.message))
    }
}
