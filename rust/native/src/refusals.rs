//! Why an emission does not go out, in words: what was wrong, with which value, and what to do.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use crate::draft::Origin;
use crate::errors::{Closed, WouldBlock};
use crate::medium::explain_rows;
use crate::shared::Shared;

/// A closed vibrator emits no more.
pub fn closed_vibrator(py: Python<'_>, origin: &Origin, channel: &str) -> PyErr {
    let name = origin.name.as_ref().map_or_else(String::new, |name| name.bind(py).to_string());
    Closed::new_err(format!(
        "emitting on {channel:?}: vibrator {name:?} is closed; make a new one, or emit through the medium"
    ))
}

/// A mailbox that blocks is full, for who never waits.
#[cold]
pub fn would_block(channel: &str, full: &[Arc<str>]) -> PyErr {
    WouldBlock::new_err(format!(
        "emitting on {channel:?} would block: {} full, or others wait for it already; await emit_wave, or \
         give the vibrator another overflow or a larger buffer_size",
        listed(full)
    ))
}

/// `'a' and 'b' are`, for a message.
pub fn listed(names: &[Arc<str>]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    match quoted.as_slice() {
        [] => "a vibrator is".to_owned(),
        [one] => format!("vibrator {one} is"),
        [first @ .., last] => format!("vibrators {} and {last} are", first.join(", ")),
    }
}

/// What `explain` says, as a text.
pub fn explanation(
    py: Python<'_>,
    shared: &Shared,
    channel: &str,
    amplitude: f64,
    emitter: u64,
) -> PyResult<String> {
    let rows: Bound<'_, PyList> = explain_rows(py, shared, channel, amplitude, emitter)?;
    explanation_class(py)?.call_method1("of", (channel, amplitude, rows))?.str()?.extract()
}

/// `aether.explanation.Explanation`.
pub fn explanation_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    CLASS.import(py, "aether.explanation", "Explanation")
}
