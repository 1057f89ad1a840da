//! Waves that the library emits itself: dead letters, and what happens to it.
//!
//! Contract: they go out like any other wave, also through the journal, but wait for nobody: a receiver that is full and
//! blocks does not get them, nor does anybody else then. They may be a little longer than a channel otherwise may, and
//! nothing is derived of them again.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use aether_core::wave::Strength;

use crate::draft::Draft;
use crate::errors::{Closed, WouldBlock};
use crate::medium::PyMedium;
use crate::rare::Rare;
use crate::taps::is_derived;
use crate::wave::PyWave;

/// Emits a wave on a derived channel: about another one, whose numbers it has then, or about none.
///
/// Returns whether it went out; false: somebody is full, or the medium takes no more.
#[pyfunction]
#[pyo3(signature = (medium, channel, payload, *, headers, about=None))]
pub fn emit_derived(
    medium: &Bound<'_, PyMedium>,
    channel: &str,
    payload: Py<PyAny>,
    headers: &Bound<'_, PyDict>,
    about: Option<&Bound<'_, PyWave>>,
) -> PyResult<bool> {
    let py = medium.py();
    let emitter = medium.as_super().get();
    let (shared, origin) = (&emitter.shared, &emitter.origin);
    let mut rare = Rare { headers: headers.copy()?.into(), ..Rare::default() };
    let strength = if let Some(about) = about {
        let about = about.get();
        rare.phase = about.phase();
        rare.frequency = Some(about.frequency());
        rare.trail = Some(about.trail(py)?);
        about.strength
    } else {
        Strength { hops: 1, ..Strength::new(1.0) }
    };
    let cause = about.map(Bound::get);
    let draft = Draft::derived(py, (shared, origin), channel, payload, strength, rare, cause)?;
    let name = draft.wave.0.get().channel.bind(py).clone();
    match draft.send_now(py, shared, origin, &name) {
        Ok(_) => Ok(true),
        Err(error) if error.is_instance_of::<WouldBlock>(py) => Ok(false),
        Err(error) if error.is_instance_of::<Closed>(py) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a channel is one that the library derives, of which nothing is derived again.
#[pyfunction]
#[pyo3(name = "is_derived")]
pub fn py_is_derived(channel: &str) -> bool {
    is_derived(channel)
}
