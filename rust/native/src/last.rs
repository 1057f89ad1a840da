//! The last wave of each channel: asked for, or what a reader begins with.
//!
//! Where there is a journal it has them (see `journal::last`); without one, the medium has those of the channels that it
//! retains, and what else is asked for is an error, as nobody could tell "none" from "not kept".

use std::sync::Arc;

use aether_core::channel::Pattern;
use aether_core::medium::{Emission, Key, Last, Read};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::channel::text;
use crate::journal;
use crate::shared::Shared;
use crate::waker::Aftermath;
use crate::wave::{Hands, Held, PyWave};

/// The last waves of the channels that a pattern takes, by rising sequences.
pub fn last(py: Python<'_>, shared: &Shared, pattern: Pattern) -> PyResult<Vec<Py<PyWave>>> {
    let patterns = [pattern];
    let found = if let Some(writer) = &shared.writer {
        journal::last_waves(py, shared, writer, &patterns)?.1
    } else {
        are_retained(shared, &patterns)?;
        shared.medium.last(&patterns, &Hands(py))
    };
    let alive = |wave: &Py<PyWave>| wave.get().lifetime(shared.medium.clock()) >= 0.0;
    Ok(found.into_iter().map(|last| last.item.0).filter(alive).collect())
}

/// Resonates a mailbox on patterns, beginning with the last waves. Returns on how many; `None`: it is closed.
pub fn resonate(
    py: Python<'_>,
    shared: &Arc<Shared>,
    key: Key,
    patterns: &[Pattern],
) -> PyResult<Option<usize>> {
    let mut after = Aftermath::default();
    let resonates = if let Some(writer) = &shared.writer {
        shared.begin_refill()?;
        let (up_to, found) = journal::last_waves(py, shared, writer, patterns)?;
        let objects: Vec<Py<PyWave>> = found.iter().map(|last| last.item.0.clone_ref(py)).collect();
        let lasts = found.into_iter().zip(&objects);
        let lasts = lasts.map(|(last, wave)| read(py, shared, last, wave)).collect();
        shared.medium.resonate_last_behind(key, patterns, up_to, lasts, &mut after)
    } else {
        are_retained(shared, patterns)?;
        shared.medium.resonate_last(key, patterns, &Hands(py), &mut after)
    };
    shared.settle(py, after);
    Ok(resonates)
}

fn read<'a>(
    py: Python<'a>,
    shared: &Shared,
    last: Last<Held>,
    wave: &'a Py<PyWave>,
) -> Read<'a, Held> {
    let Last { sequence, emitter, item } = last;
    let wave = wave.get();
    shared.weigh(py, wave);
    let emission = Emission {
        // A wave that was emitted, so its channel is one.
        channel: text(wave.channel.bind(py)).unwrap_or_default(),
        amplitude: wave.strength.amplitude,
        priority: wave.strength.priority,
        lifetime: wave.lifetime(shared.medium.clock()),
        emitter,
        inside: true,
        require: 0,
        weight: 0,
    };
    Read { emission, sequence, item }
}

fn are_retained(shared: &Shared, patterns: &[Pattern]) -> PyResult<()> {
    match patterns.iter().find(|pattern| !shared.medium.retains(pattern)) {
        None => Ok(()),
        Some(pattern) => Err(not_retained(shared, pattern.as_str())),
    }
}

#[cold]
fn not_retained(shared: &Shared, pattern: &str) -> PyErr {
    let retained = shared.medium.retained_patterns();
    let only = match &*retained {
        [] => "nothing".to_owned(),
        some => some.iter().map(|one| format!("{:?}", one.as_str())).collect::<Vec<_>>().join(", "),
    };
    PyValueError::new_err(format!(
        "nobody keeps the last waves of {pattern:?}: this medium has no journal, and retains {only}; make it with \
         AetherConfig(retain=[{pattern:?}]), which keeps them in memory, or with Aether(journal=Journal(path))"
    ))
}
