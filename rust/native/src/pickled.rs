//! Waves that are pickled: what `__reduce__` gives, and how a wave is made of it again.

use std::sync::atomic::Ordering;

use aether_core::wave::Strength;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::channel::channel_object;
use crate::ids::WaveId;
use crate::rare::{Given, Rare, Undone, checked_amplitude};
use crate::wave::PyWave;

/// The function that makes it again, and its arguments.
pub fn reduced<'py>(
    py: Python<'py>,
    wave: &PyWave,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
    let sequence = Some(wave.sequence.load(Ordering::Relaxed)).filter(|&sequence| sequence != 0);
    let restore = py.import(intern!(py, "aether._native"))?.getattr(intern!(py, "restore_wave"))?;
    let Strength { amplitude, priority, hops } = wave.strength;
    let numbers = (amplitude, priority, hops, sequence, wave.timestamp);
    let undoes = undone(wave);
    let rare = (wave.phase(), wave.frequency(), wave.ttl(), wave.headers(py)?, undoes);
    let named = (&wave.channel, &wave.payload, &wave.source, wave.id_text());
    Ok((restore, (named, numbers, rare).into_pyobject(py)?))
}

/// Id, timestamp, amplitude and phase of what is undone.
pub type UndoneFields = (String, f64, f64, f64);

/// What a wave knows of the one that it undoes.
fn undone(wave: &PyWave) -> Option<UndoneFields> {
    let undone = wave.undoes()?;
    Some((undone.id.text(), undone.timestamp, undone.amplitude, undone.phase))
}

/// Id, timestamp, amplitude and phase of the wave that this one undoes.
#[pyfunction]
pub fn undone_by(wave: &Bound<'_, PyWave>) -> Option<UndoneFields> {
    undone(wave.get())
}

/// Phase, frequency, ttl, headers, and what is undone.
type RareFields<'py> = (f64, f64, Option<f64>, Option<Bound<'py, PyAny>>, Option<UndoneFields>);

/// Makes a wave again from what `__reduce__` gave.
#[pyfunction]
pub fn restore_wave<'py>(
    named: (Bound<'py, PyAny>, Py<PyAny>, Option<Py<PyString>>, String),
    numbers: (f64, f64, u32, Option<u64>, f64),
    rare: RareFields<'py>,
) -> PyResult<Py<PyWave>> {
    let (channel, payload, source, id) = named;
    let py = channel.py();
    let (amplitude, priority, hops, sequence, timestamp) = numbers;
    let (phase, frequency, ttl, headers, undoes) = rare;
    let given =
        Given { phase: Some(phase), frequency: Some(frequency), ttl, headers: headers.as_ref() };
    let mut rare = Rare::checked(&given)?.unwrap_or_default();
    rare.undoes = undoes.map(|(id, timestamp, amplitude, phase)| {
        Box::new(Undone { id: WaveId::parse(&id), timestamp, amplitude, phase })
    });
    let channel = channel_object(channel.cast()?)?;
    let strength = Strength { amplitude: checked_amplitude(amplitude)?, priority, hops };
    let (id, sequence) = (WaveId::parse(&id), sequence.unwrap_or(0));
    PyWave::again(channel, payload, source, id, sequence, strength, timestamp, Some(rare))
        .into_object(py)
}
