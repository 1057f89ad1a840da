//! What the native side says through Python's `logging`, on the logger `aether`. Never under a lock.

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::waker::raise_later;

/// A vibrator has begun to lose waves.
#[cold]
pub fn losing(py: Python<'_>, vibrator: &str, reason: &str) {
    let extra = PyDict::new(py);
    let filled =
        extra.set_item("vibrator", vibrator).and_then(|()| extra.set_item("reason", reason));
    let said = filled.and_then(|()| {
        // Replacing is what `conflate` was asked for.
        let level = if reason == "conflated" { "info" } else { "warning" };
        say(
            py,
            level,
            "vibrator %r has begun to lose waves (%s); statistics() counts them by reason",
            (vibrator, reason),
            &extra,
        )
    });
    report(py, said);
}

/// A chain of waves has ended by its rules.
#[cold]
pub fn chain_ended(py: Python<'_>, reason: &str, channels: &[&str]) {
    let chain = channels.join(" -> ");
    let extra = PyDict::new(py);
    let filled = extra.set_item("reason", reason).and_then(|()| extra.set_item("chain", &chain));
    let said = filled.and_then(|()| {
        say(
            py,
            "warning",
            "a chain of waves died out (%s): %s; if it is no loop, raise max_propagation or lower \
             min_amplitude",
            (reason, &chain),
            &extra,
        )
    });
    report(py, said);
}

/// The journal cannot be read, or a wave of it cannot be made, for readers that are behind.
#[cold]
pub fn unreadable(py: Python<'_>, journal: &str, why: &str) {
    let extra = PyDict::new(py);
    let said = extra.set_item("journal", journal).and_then(|()| {
        say(
            py,
            "error",
            "the journal %s, read for a vibrator that is behind: %s",
            (journal, why),
            &extra,
        )
    });
    report(py, said);
}

/// The last wave of a channel cannot be made of what the journal has.
#[cold]
pub fn no_last(py: Python<'_>, journal: &str, why: &str) {
    let extra = PyDict::new(py);
    let said = extra.set_item("journal", journal).and_then(|()| {
        say(
            py,
            "error",
            "the journal %s, read for the last wave of each channel: %s",
            (journal, why),
            &extra,
        )
    });
    report(py, said);
}

/// A wave that was not acknowledged at a durable cursor comes no more.
#[cold]
pub fn given_up(py: Python<'_>, cursor: &str, why: &str) {
    let extra = PyDict::new(py);
    let said = extra.set_item("cursor", cursor).and_then(|()| {
        say(
            py,
            "error",
            "cursor %r gives a wave up that was not acknowledged: %s",
            (cursor, why),
            &extra,
        )
    });
    report(py, said);
}

/// The retention of a journal does not do what it is to.
#[cold]
pub fn retention_failed(py: Python<'_>, journal: &str, why: &str) {
    let extra = PyDict::new(py);
    let said = extra.set_item("journal", journal).and_then(|()| {
        say(
            py,
            "error",
            "the retention of the journal %s has failed, and is tried again: %s",
            (journal, why),
            &extra,
        )
    });
    report(py, said);
}

fn say<'py>(
    py: Python<'py>,
    level: &str,
    format: &str,
    (first, second): (&str, &str),
    extra: &Bound<'py, PyDict>,
) -> PyResult<()> {
    let logger =
        py.import(intern!(py, "logging"))?.call_method1(intern!(py, "getLogger"), ("aether",))?;
    let keywords = PyDict::new(py);
    keywords.set_item("extra", extra)?;
    logger.call_method(level, (format, first, second), Some(&keywords))?;
    Ok(())
}

/// A logger that fails must not take the emission down with it; a Ctrl-C meanwhile comes later.
fn report(py: Python<'_>, said: PyResult<()>) {
    match said {
        Ok(()) => {}
        Err(error) if error.is_instance_of::<PyException>(py) => error.write_unraisable(py, None),
        Err(error) => raise_later(py, error),
    }
}
