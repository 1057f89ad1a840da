//! What a medium has counted and measured, as Python gets it for its metrics.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use aether_core::histogram::{Histogram, Reading};
use aether_core::medium::NameFigures;
use aether_core::reason::Tally;
use aether_core::times::{NameTimes, Times};
use aether_journal::journal::Figures as JournalFigures;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::journal::Cursor;
use crate::shared::Shared;

/// By name: all counters of a medium, with those by domain and by the name of vibrators.
pub fn figures<'py>(
    py: Python<'py>,
    shared: &Shared,
    times: &Times,
) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    let figures = shared.medium.figures();
    let counted = &figures.medium;
    for (name, value) in [
        ("emitted", counted.emitted),
        ("delivered", counted.delivered),
        ("unheard", counted.unheard),
        ("received", counted.received),
        ("waiting", counted.waiting),
        ("mailboxes", counted.mailboxes as u64),
        ("waiting_emissions", counted.waiting_send as u64),
        ("retained", counted.retained as u64),
        ("forgotten", counted.forgotten),
        ("patterns", counted.router.patterns as u64),
        ("cached_routes", counted.router.cached as u64),
        ("route_hits", counted.router.hits),
        ("route_walks", counted.router.walks),
        ("route_evictions", counted.router.evictions),
        ("stalls", shared.stalls.get()),
    ] {
        all.set_item(name, value)?;
    }
    all.set_item("dropped", by_reason(py, &counted.dropped)?)?;
    let domains = figures.domains.iter().map(|(name, count)| (&**name, *count));
    all.set_item("domains", PyList::new(py, domains.collect::<Vec<_>>())?)?;
    let vibrators = PyList::empty(py);
    for (name, measured) in figures.names.iter().zip(times.names()) {
        vibrators.append(of_name(py, name, measured)?)?;
    }
    all.set_item("vibrators", vibrators)?;
    all.set_item("latency", reading(&times.latency.read()))?;
    all.set_item("queue", reading(&times.queue.read()))?;
    all.set_item("handler", reading(&times.handler.read()))?;
    all.set_item("untimed", times.untimed())?;
    let journal = shared.writer.as_ref().map(|writer| of_journal(py, &writer.journal.figures()));
    all.set_item("journal", journal.transpose()?)?;
    let last = shared.writer.as_ref().map_or(0, |writer| writer.last());
    let cursors = shared.cursors.all(py);
    let lag = |cursor: &Arc<Cursor>| last.saturating_sub(cursor.low(py));
    let cursors = cursors.iter().map(|cursor| (&*cursor.name, lag(cursor)));
    all.set_item("cursors", PyList::new(py, cursors.collect::<Vec<_>>())?)?;
    Ok(all)
}

fn of_journal<'py>(py: Python<'py>, figures: &JournalFigures) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for (name, value) in [
        ("position", figures.last),
        ("safe_position", figures.safe),
        ("lost", figures.lost),
        ("pending_bytes", figures.pending_bytes as u64),
        ("segments", figures.segments as u64),
        ("bytes", figures.bytes),
        ("waves", figures.waves),
        ("failed", u64::from(figures.has_failed)),
    ] {
        all.set_item(name, value)?;
    }
    if let Some((commits, failures)) = &figures.commits {
        all.set_item("commits", reading(commits))?;
        all.set_item("commit_failures", failures)?;
    }
    Ok(all)
}

fn of_name<'py>(
    py: Python<'py>,
    name: &NameFigures,
    measured: &NameTimes,
) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    all.set_item("name", &*name.name)?;
    for (field, value) in [
        ("mailboxes", name.mailboxes),
        ("waiting", name.waiting),
        ("size", name.size),
        ("readers", name.readers),
        ("emissions", name.emissions),
        ("received", name.received),
        ("failed", measured.failed.load(Relaxed)),
    ] {
        all.set_item(field, value)?;
    }
    all.set_item("dropped", by_reason(py, &name.dropped)?)?;
    all.set_item("queue", measured.queue.read())?;
    all.set_item("handler", measured.handler.read())?;
    Ok(all)
}

fn by_reason<'py>(py: Python<'py>, tally: &Tally) -> PyResult<Bound<'py, PyDict>> {
    let dropped = PyDict::new(py);
    for (reason, count) in tally.iter() {
        dropped.set_item(reason.name(), count)?;
    }
    Ok(dropped)
}

/// The counts of the buckets alone, and the sum in seconds.
fn reading(reading: &Reading) -> (Vec<u64>, f64) {
    (reading.buckets.to_vec(), reading.sum)
}

/// The bounds of the buckets of a histogram, in seconds: a duration counts in the first one that is no less, and beyond all
/// of them in one more.
#[pyfunction]
pub fn histogram_bounds() -> Vec<f64> {
    Histogram::bounds().to_vec()
}
