//! Looking after emissions that wait: who does not read is named, and a ring that closes later is found.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use aether_core::medium::Ticket;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::actors;
use crate::here::Here;
use crate::log;
use crate::refusals::listed;
use crate::shared::{Medium, Shared};
use crate::waker::Aftermath;

/// Whether an emission waits for ever, once those who have ended are forgotten.
pub fn is_stuck(py: Python<'_>, medium: &Medium, ticket: Ticket) -> PyResult<bool> {
    let mut gone = Vec::new();
    for actor in medium.suspects(ticket) {
        if actors::is_gone(py, actor)? {
            gone.push(actor);
        }
    }
    if !gone.is_empty() {
        medium.forget_actors(&gone);
    }
    Ok(medium.ring(ticket).is_some())
}

/// Begins to look after waiting emissions every `stall_warning` seconds, in the loop that runs.
pub fn watch(py: Python<'_>, shared: &Arc<Shared>) -> PyResult<()> {
    if shared.watched.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    let begun = matches!(Here::find(py)?, Here::Asyncio(_) | Here::Trio);
    if begun {
        let watch = PyStalls { shared: Arc::downgrade(shared) };
        py.import("aether._wait")?.call_method1("every", (shared.tuning.stall_warning(), watch))?;
    }
    shared.watched.store(begun, Ordering::Release);
    Ok(())
}

/// Called by the loop, every so often.
#[pyclass(frozen, name = "Stalls", module = "aether._native")]
pub struct PyStalls {
    shared: Weak<Shared>,
}

#[pymethods]
impl PyStalls {
    /// Looks once; false: nobody waits any more.
    fn __call__(&self, py: Python<'_>) -> PyResult<bool> {
        let Some(shared) = self.shared.upgrade() else { return Ok(false) };
        look(py, &shared)?;
        // In this order: who comes to wait in another thread is seen here, or begins to look himself.
        shared.watched.store(false, Ordering::Release);
        let waiting = shared.medium.statistics().waiting_send > 0;
        Ok(waiting && !shared.watched.swap(true, Ordering::AcqRel))
    }

    /// The loop that looked is gone; another may begin.
    fn lost(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.watched.store(false, Ordering::Release);
        }
    }
}

/// Names who does not read, once for each emission that waits too long; sends those that are stuck back to
/// see for themselves.
pub fn look(py: Python<'_>, shared: &Shared) -> PyResult<()> {
    let mut after = Aftermath::default();
    let stalls = shared.medium.stalls(shared.tuning.stall_warning(), &mut after);
    shared.settle(py, after);
    for stall in stalls {
        if stall.first {
            shared.stalls.next(py);
            log::count(py, "emission.stalled");
            let extra = PyDict::new(py);
            let names: Vec<&str> = stall.full.iter().map(|name| &**name).collect();
            extra.set_item("event", "emission.stalled")?;
            extra.set_item("vibrators", names)?;
            extra.set_item("channel", &*stall.channel)?;
            let keywords = PyDict::new(py);
            keywords.set_item("extra", extra)?;
            let logger = py.import("logging")?.call_method1("getLogger", ("aether",))?;
            let said = (
                "an emission on %r has waited %.1f s: %s full and not read",
                &*stall.channel,
                stall.waited,
                listed(&stall.full),
            );
            logger.call_method(intern!(py, "warning"), said, Some(&keywords))?;
        }
        if is_stuck(py, &shared.medium, stall.ticket)? {
            let mut after = Aftermath::default();
            shared.medium.rouse(stall.ticket, &mut after);
            shared.settle(py, after);
        }
    }
    Ok(())
}
