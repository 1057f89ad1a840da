//! What the native side says through Python's `logging`, on the logger `aether`. Never under a lock.

use std::collections::BTreeMap;

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::guarded::Guarded;
use crate::waker::raise_later;

/// How often each event was said, whether a logger let it through or not.
static SAID: Guarded<BTreeMap<String, u64>> = Guarded::new(BTreeMap::new());

/// Counts an event that is said.
#[pyfunction]
pub fn count_event(py: Python<'_>, event: &str) {
    count(py, event);
}

/// How often each event was said in this process.
#[pyfunction]
pub fn counted_events(py: Python<'_>) -> BTreeMap<String, u64> {
    SAID.with(py, |said| said.clone())
}

/// Counts an event that is said.
pub fn count(py: Python<'_>, event: &str) {
    let event = event.to_owned();
    SAID.with(py, |said| *said.entry(event).or_default() += 1);
}

/// A vibrator has begun to lose waves.
#[cold]
pub fn losing(py: Python<'_>, vibrator: &str, reason: &str) {
    // Replacing is what `conflate` was asked for.
    let level = if reason == "conflated" { "info" } else { "warning" };
    let format = "vibrator %r has begun to lose waves (%s); statistics() counts them by reason";
    let fields = [("vibrator", vibrator), ("reason", reason)];
    say(py, "vibrator.losing", level, format, (vibrator, reason), &fields);
}

/// A chain of waves has ended by its rules.
#[cold]
pub fn chain_ended(py: Python<'_>, reason: &str, channels: &[&str]) {
    let chain = channels.join(" -> ");
    let format = "a chain of waves died out (%s): %s; if it is no loop, raise max_propagation or lower \
                  min_amplitude";
    let fields = [("reason", reason), ("chain", chain.as_str())];
    say(py, "chain.ended", "warning", format, (reason, &chain), &fields);
}

/// The journal cannot be read, or a wave of it cannot be made, for readers that are behind.
#[cold]
pub fn unreadable(py: Python<'_>, journal: &str, why: &str) {
    let format = "the journal %s, read for a vibrator that is behind: %s";
    say(py, "journal.unreadable", "error", format, (journal, why), &[("journal", journal)]);
}

/// The last wave of a channel cannot be made of what the journal has.
#[cold]
pub fn no_last(py: Python<'_>, journal: &str, why: &str) {
    let format = "the journal %s, read for the last wave of each channel: %s";
    say(py, "journal.no_last_wave", "error", format, (journal, why), &[("journal", journal)]);
}

/// A wave that was not acknowledged at a durable cursor comes no more.
#[cold]
pub fn given_up(py: Python<'_>, cursor: &str, why: &str) {
    let format = "cursor %r gives a wave up that was not acknowledged: %s";
    say(py, "cursor.gave_up", "error", format, (cursor, why), &[("cursor", cursor)]);
}

/// The retention of a journal does not do what it is to.
#[cold]
pub fn retention_failed(py: Python<'_>, journal: &str, why: &str) {
    let format = "the retention of the journal %s has failed, and is tried again: %s";
    say(py, "journal.retention_failed", "error", format, (journal, why), &[("journal", journal)]);
}

/// Rust code has panicked, and was kept from taking the process down.
#[cold]
pub fn panicked(py: Python<'_>, place: &str, message: &str, thread: &str, backtrace: &str) {
    let format = "a panic in Rust at %s: %s; this is a mistake in Aether, please report it";
    let fields = [("place", place), ("native_thread", thread), ("backtrace", backtrace)];
    say(py, "native.panicked", "critical", format, (place, message), &fields);
}

/// Says what `aether.events` lists under this name. A logger that fails must not take the emission down with it; a
/// Ctrl-C meanwhile comes later.
fn say(
    py: Python<'_>,
    event: &str,
    level: &str,
    format: &str,
    (first, second): (&str, &str),
    fields: &[(&str, &str)],
) {
    count(py, event);
    let said = || {
        let extra = PyDict::new(py);
        extra.set_item("event", event)?;
        fields.iter().try_for_each(|(name, value)| extra.set_item(name, value))?;
        let keywords = PyDict::new(py);
        keywords.set_item("extra", extra)?;
        let logging = py.import(intern!(py, "logging"))?;
        let logger = logging.call_method1(intern!(py, "getLogger"), ("aether",))?;
        logger.call_method(level, (format, first, second), Some(&keywords)).map(drop)
    };
    match said() {
        Ok(()) => {}
        Err(error) if error.is_instance_of::<PyException>(py) => error.write_unraisable(py, None),
        Err(error) => raise_later(py, error),
    }
}
