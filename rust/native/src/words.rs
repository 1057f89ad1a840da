//! The words for what a mailbox does, as users say them.

use aether_core::mailbox::{Order, Overflow};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors::type_error;

/// A word that was given for `what`.
pub fn word<'a>(what: &str, given: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    match given.cast::<PyString>() {
        Ok(word) => word.to_str(),
        Err(_) => Err(type_error(what, "a str", given)),
    }
}

/// The word of an order.
pub fn order(word: &str) -> PyResult<Order> {
    match word {
        "amplitude" => Ok(Order::Amplitude),
        "fifo" => Ok(Order::Fifo),
        "fresh" => Ok(Order::Fresh),
        _ => Err(PyValueError::new_err(format!(
            "order must be 'amplitude', 'fifo' or 'fresh', not {word:?}"
        ))),
    }
}

/// The word of an overflow policy.
pub fn overflow(word: &str) -> PyResult<Overflow> {
    match word {
        "block" => Ok(Overflow::Block),
        "drop_oldest" => Ok(Overflow::DropOldest),
        "drop_newest" => Ok(Overflow::DropNewest),
        "drop_faintest" => Ok(Overflow::DropFaintest),
        "conflate" => Ok(Overflow::Conflate),
        "error" => Ok(Overflow::Error),
        "replay" => Ok(Overflow::Replay),
        _ => Err(PyValueError::new_err(format!(
            "overflow must be 'block', 'drop_oldest', 'drop_newest', 'drop_faintest', 'conflate', 'error' or, with a \
             journal, 'replay', not {word:?}"
        ))),
    }
}
