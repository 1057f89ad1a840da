//! `Bucket`, `Budget` and `Circuit`: the limits of the core, for handlers and emitters in Python.
//!
//! Contract: each call is one step, also where several threads make calls at once. All are told the time, in monotonic
//! seconds of the medium's clock.

use aether_core::limits::circuit::{Answer, Change, Circuit, Permit, Rules, Span};
use aether_core::limits::{bucket, budget};
use pyo3::prelude::*;

use crate::guarded::Guarded;

/// So many in a second, and so many at once.
#[pyclass(frozen, name = "Bucket", module = "aether._native")]
pub struct PyBucket(Guarded<bucket::Bucket>);

#[pymethods]
impl PyBucket {
    #[new]
    fn new(rate: f64, burst: f64) -> Self {
        Self(Guarded::new(bucket::Bucket::new(rate, burst)))
    }

    /// Takes one token: 0.0; or says in how many seconds there will be one.
    fn take(&self, py: Python<'_>, now: f64) -> f64 {
        self.0.with(py, |bucket| if bucket.take(now) { 0.0 } else { bucket.wait(now) })
    }

    /// One that was taken is not used: another may take it.
    fn give_back(&self, py: Python<'_>) {
        self.0.with(py, bucket::Bucket::give_back);
    }

    /// How many tokens there are.
    fn level(&self, py: Python<'_>, now: f64) -> f64 {
        self.0.with(py, |bucket| bucket.level(now))
    }

    /// Goes on by another rate.
    fn change(&self, py: Python<'_>, rate: f64, burst: f64) {
        self.0.with(py, |bucket| bucket.change(rate, burst));
    }
}

/// No more retries than a share of all attempts.
#[pyclass(frozen, name = "Budget", module = "aether._native")]
pub struct PyBudget(Guarded<budget::Budget>);

#[pymethods]
impl PyBudget {
    #[new]
    fn new(share: f64) -> Self {
        Self(Guarded::new(budget::Budget::new(share)))
    }

    /// A first attempt is made.
    fn begin(&self, py: Python<'_>, now: f64) {
        self.0.with(py, |budget| budget.begin(now));
    }

    /// Whether there may be one more retry; then there is.
    fn retry(&self, py: Python<'_>, now: f64) -> bool {
        self.0.with(py, |budget| budget.retry(now))
    }
}

/// From, to, calls, failed, slow.
type Turn = (&'static str, &'static str, u64, u64, u64);

fn turn(change: Change) -> Turn {
    let Change { from, to, tally } = change;
    (from.name(), to.name(), tally.calls, tally.failed, tally.slow)
}

/// The right to one call that a circuit has let pass.
#[pyclass(frozen, name = "Permit", module = "aether._native")]
pub struct PyPermit(Permit);

/// Nothing passes for a while, once too much has failed.
#[pyclass(frozen, name = "Circuit", module = "aether._native")]
pub struct PyCircuit(Guarded<Circuit>);

#[pymethods]
impl PyCircuit {
    /// A window of `calls`, or of `seconds` if that is above 0.
    #[new]
    #[allow(clippy::too_many_arguments)] // as many rules as there are
    fn new(
        calls: usize,
        seconds: f64,
        least: u64,
        failed: f64,
        slow: f64,
        slow_after: f64,
        open_for: f64,
        probes: u32,
    ) -> Self {
        let span = if seconds > 0.0 { Span::Seconds(seconds) } else { Span::Calls(calls) };
        let rules = Rules { span, least, failed, slow, slow_after, open_for, probes };
        Self(Guarded::new(Circuit::new(rules)))
    }

    /// A call asks: a permit, or in how many seconds it may ask again (NaN: once a probe has ended); and whether the circuit
    /// has changed by that.
    fn ask(&self, py: Python<'_>, now: f64) -> PyResult<(Option<Py<PyPermit>>, f64, Option<Turn>)> {
        let (answer, change) = self.0.with(py, |circuit| circuit.ask(now));
        let change = change.map(turn);
        Ok(match answer {
            Answer::Passes(permit) => (Some(Py::new(py, PyPermit(permit))?), 0.0, change),
            Answer::Open(seconds) => (None, seconds, change),
            Answer::Probing => (None, f64::NAN, change),
        })
    }

    /// A call has ended; whether the circuit has changed by that.
    fn ended(
        &self,
        py: Python<'_>,
        permit: &PyPermit,
        failed: bool,
        took: f64,
        now: f64,
    ) -> Option<Turn> {
        self.0.with(py, |circuit| circuit.ended(permit.0, failed, took, now)).map(turn)
    }

    /// A call has come to no end that says anything; whether another may ask for its place.
    fn given_up(&self, py: Python<'_>, permit: &PyPermit) -> bool {
        self.0.with(py, |circuit| circuit.given_up(permit.0))
    }

    /// closed, open or half_open.
    #[getter]
    fn phase(&self, py: Python<'_>) -> &'static str {
        self.0.with(py, |circuit| circuit.phase().name())
    }

    /// What it has seen lately: calls, failed, slow.
    fn tally(&self, py: Python<'_>, now: f64) -> (u64, u64, u64) {
        let tally = self.0.with(py, |circuit| circuit.tally(now));
        (tally.calls, tally.failed, tally.slow)
    }
}
