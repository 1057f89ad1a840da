//! Waves of a journal as Python objects: with the id, sequence, numbers and headers that they had.
//!
//! Contract:
//! - Raw bytes and `None` are made here; every other payload by `decode(tag, data)`, at once.
//! - A wave that cannot be made is told by an error that names it: `PayloadError` if that is the payload's
//!   doing, `JournalError` if its record breaks a rule of waves.

use std::collections::HashMap;

use aether_core::channel::check_channel;
use foldhash::fast::RandomState;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::kept::{KeptUndone, KeptWave};
use crate::channel::{WIDEST, channel_object};
use crate::errors::{JournalError, PayloadError};
use crate::ids::Own;
use crate::rare::{Rare, Undone};
use crate::wave::PyWave;

/// The codecs that need no decoding, as `docs/journal-format.md` numbers them.
pub const RAW: u8 = 0;
pub const NONE: u8 = 5;

/// Makes waves of what was read.
#[derive(Default)]
pub struct Restorer {
    channels: Texts<Py<PyAny>>,
    sources: Texts<Py<PyString>>,
}

impl Restorer {
    /// Makes the Python object of a wave. `own`: what the ids of this process begin with.
    pub fn wave(
        &mut self,
        decode: &Bound<'_, PyAny>,
        own: &Own,
        kept: &KeptWave,
    ) -> PyResult<Py<PyWave>> {
        let py = decode.py();
        if let Some((name, number)) = kept.odd {
            return Err(broken(kept, &format!("its {name} is {number}")));
        }
        let channel = self.channels.get(kept.channel(), |name| {
            check_channel(name, WIDEST).map_err(|fault| broken(kept, &fault.message(name)))?;
            channel_object(&PyString::new(py, name))
        })?;
        let channel = channel.clone_ref(py);
        let source = match kept.source() {
            None => None,
            Some(name) => {
                let made = self.sources.get(name, |name| Ok(PyString::new(py, name).unbind()))?;
                Some(made.clone_ref(py))
            }
        };
        let payload = payload(decode, kept)?;
        let rare = rare(py, own, kept)?;
        let id = own.parse(kept.id());
        let (strength, timestamp) = (kept.strength, kept.timestamp);
        PyWave::again(channel, payload, source, id, kept.sequence, strength, timestamp, rare)
            .into_object(py)
    }
}

fn payload(decode: &Bound<'_, PyAny>, kept: &KeptWave) -> PyResult<Py<PyAny>> {
    let py = decode.py();
    let data = || PyBytes::new(py, &kept.payload);
    match kept.codec {
        RAW => Ok(data().into_any().unbind()),
        NONE => Ok(py.None()),
        tag => match decode.call1((tag, data())) {
            Ok(payload) => Ok(payload.unbind()),
            Err(error) if error.is_instance_of::<PayloadError>(py) => {
                let named = PayloadError::new_err(format!("{}: {}", name(kept), error.value(py)));
                named.set_cause(py, Some(error));
                Err(named)
            }
            Err(error) => Err(error),
        },
    }
}

fn rare(py: Python<'_>, own: &Own, kept: &KeptWave) -> PyResult<Option<Box<Rare>>> {
    let &KeptWave { phase, frequency, ttl, ref headers, ref undoes, deliveries, .. } = kept;
    #[allow(clippy::float_cmp)] // what is usual is not written
    let usual = phase == 0.0 && frequency == 1.0 && ttl == f64::INFINITY && headers.is_empty();
    if usual && undoes.is_none() && deliveries == 1 {
        return Ok(None);
    }
    let mut rare = Rare { phase, frequency: Some(frequency), ..Rare::default() };
    rare.deliveries = deliveries;
    rare.undoes = undoes.as_ref().map(|undone| {
        let &KeptUndone { ref id, timestamp, amplitude, phase } = &**undone;
        Box::new(Undone { id: own.parse(id), timestamp, amplitude, phase })
    });
    rare.ttl = (ttl != f64::INFINITY).then_some(ttl);
    if !headers.is_empty() {
        let dict = PyDict::new(py);
        for (name, text) in headers {
            dict.set_item(&**name, &**text)?;
        }
        rare.headers = dict.into();
    }
    Ok(Some(Box::new(rare)))
}

fn name(kept: &KeptWave) -> String {
    format!("wave {} on {:?}", kept.sequence, kept.channel())
}

/// The record is sound, but what it says is no wave.
#[cold]
fn broken(kept: &KeptWave, why: &str) -> PyErr {
    JournalError::new_err(format!(
        "{}: {why}; whoever wrote this journal broke the rules of waves, so the wave is passed over",
        name(kept)
    ))
}

/// Objects by text, made once for the texts that come again and again.
struct Texts<V> {
    known: HashMap<Box<str>, V, RandomState>,
}

impl<V> Default for Texts<V> {
    fn default() -> Self {
        Self { known: HashMap::default() }
    }
}

impl<V> Texts<V> {
    /// A journal may have a channel for each wave: then none is worth to be remembered.
    const MOST: usize = 4_096;

    fn get(&mut self, text: &str, make: impl FnOnce(&str) -> PyResult<V>) -> PyResult<&V> {
        if !self.known.contains_key(text) {
            let value = make(text)?;
            if self.known.len() == Self::MOST {
                self.known.clear();
            }
            return Ok(self.known.entry(text.into()).or_insert(value));
        }
        Ok(&self.known[text])
    }
}
