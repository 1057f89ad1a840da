//! Why an emission does not go out, in words: what was wrong, with which value, and what to do.

use std::sync::Arc;

use aether_core::medium::Refusal;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use crate::errors::{Closed, NoReceiver, WouldBlock};
use crate::explain::explain_rows;
use crate::origin::Origin;
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

/// The core has not admitted a wave of this amplitude, which requires so many receivers.
#[cold]
pub fn not_admitted(
    py: Python<'_>,
    shared: &Shared,
    origin: &Origin,
    channel: &str,
    amplitude: f64,
    require: usize,
    refusal: &Refusal,
) -> PyErr {
    match refusal {
        Refusal::Closed | Refusal::Full(_) => Closed::new_err(format!(
            "emitting on {channel:?}: the medium is closed, or drains and takes waves from its handlers \
             only; emit before you leave 'async with medium', or make a new medium"
        )),
        Refusal::Refused(name) => WouldBlock::new_err(format!(
            "emitting on {channel:?}: vibrator {name:?} is full and its overflow is 'error'; nothing was \
             delivered to anybody; emit again when it has read"
        )),
        Refusal::Queued { waiting, most } => {
            shared.refused.next(py);
            WouldBlock::new_err(format!(
                "emitting on {channel:?} would exceed limits.queued: {waiting} waves wait in this medium, and \
                 {most} may; nobody got the wave; let somebody read, emit later, or raise the limit"
            ))
        }
        Refusal::Heavy { waiting, more, most } => {
            shared.refused_bytes.next(py);
            WouldBlock::new_err(format!(
                "emitting on {channel:?} would exceed limits.queued_bytes: payloads of {waiting} bytes wait in this \
                 medium, {more} would come, and {most} may; nobody got the wave; let somebody read, emit later or \
                 less, or raise the limit"
            ))
        }
        Refusal::TooFew { matched } => {
            let explained = explanation(py, shared, channel, amplitude, origin.identity);
            match explained {
                Ok(explained) => NoReceiver::new_err(format!(
                    "emitting on {channel:?} requires {require} and reaches {matched}; nothing was emitted\n\
                     {explained}"
                )),
                Err(error) => error,
            }
        }
    }
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
