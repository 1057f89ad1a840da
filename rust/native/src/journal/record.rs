//! Waves as records: what is written of a wave, and how its payload is encoded.

use aether_journal::record::{Codec, Encoded, HeaderBytes, Undone, Wave};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::restore::{NONE, RAW};
use crate::channel::text;
use crate::errors::PayloadError;
use crate::headers::REPLY_HEADER;
use crate::wave::PyWave;

/// What a payload becomes on the disk.
struct Payload<'py> {
    codec: Codec,
    bytes: Option<Bound<'py, PyBytes>>,
}

impl<'py> Payload<'py> {
    /// `None` and `bytes` are taken as they are, everything else goes to `encode`.
    fn of(payload: &Bound<'py, PyAny>, encode: &Bound<'py, PyAny>) -> PyResult<Self> {
        if payload.is_none() {
            return Ok(Self { codec: Codec(NONE), bytes: None });
        }
        if let Ok(bytes) = payload.cast_exact::<PyBytes>() {
            return Ok(Self { codec: Codec(RAW), bytes: Some(bytes.clone()) });
        }
        let (codec, bytes): (u8, Bound<'py, PyBytes>) = encode.call1((payload,))?.extract()?;
        Ok(Self { codec: Codec(codec), bytes: Some(bytes) })
    }
}

/// The record of a wave, without its place; `encode` gives the number of a codec and the bytes of a payload of
/// which at most `most` may be.
pub fn encoded(
    py: Python<'_>,
    wave: &PyWave,
    encode: &Bound<'_, PyAny>,
    most: usize,
) -> PyResult<Encoded> {
    let channel = text(wave.channel.bind(py))?;
    let Payload { codec, bytes } = Payload::of(wave.payload.bind(py), encode)?;
    let payload = bytes.as_ref().map_or(&[][..], |bytes| bytes.as_bytes());
    if payload.len() > most {
        return Err(PayloadError::new_err(format!(
            "the payload of {channel:?} has {} bytes, and max_payload_bytes is {most}; nothing was emitted: send \
             less, or raise the limit",
            payload.len()
        )));
    }
    let source = wave.source.as_ref().map(|source| utf8(channel, "source", source.bind(py)));
    let source = source.transpose()?;
    let headers = wave.headers(py)?.map(|headers| header_bytes(channel, headers));
    let headers = headers.transpose()?.unwrap_or_default();
    let own;
    let id = if let Some(foreign) = wave.foreign() {
        foreign
    } else {
        own = wave.own_id();
        own.as_str()
    };
    let undone = wave.undoes().map(|undone| (undone.id.text(), undone));
    let undoes = undone.as_ref().map(|(id, undone)| Undone {
        id,
        time: undone.timestamp,
        amplitude: undone.amplitude,
        phase: undone.phase,
    });
    let written = Wave {
        sequence: 0,
        time: wave.timestamp,
        channel,
        source,
        id,
        amplitude: wave.strength.amplitude,
        priority: wave.strength.priority,
        phase: wave.phase(),
        frequency: wave.frequency(),
        ttl: wave.ttl().unwrap_or(f64::INFINITY),
        hops: u16::try_from(wave.strength.hops).unwrap_or(u16::MAX),
        headers: headers.view(),
        undoes,
        codec,
        payload,
    };
    Encoded::wave(&written).map_err(|unfit| {
        PayloadError::new_err(format!(
            "the wave on {channel:?} does not fit into the journal: {unfit}; nothing was emitted"
        ))
    })
}

/// All headers but the address of an answer, which nobody can be reached at later.
fn header_bytes(channel: &str, headers: &Bound<'_, PyDict>) -> PyResult<HeaderBytes> {
    let mut texts = Vec::with_capacity(headers.len());
    for (name, text) in headers {
        let (name, text) = (name.cast_into::<PyString>()?, text.cast_into::<PyString>()?);
        if utf8(channel, "header", &name)? != REPLY_HEADER {
            texts.push((name, text));
        }
    }
    let pairs: PyResult<Vec<_>> = texts
        .iter()
        .map(|(name, text)| Ok((name.to_str()?, utf8(channel, "header", text)?)))
        .collect();
    Ok(HeaderBytes::new(pairs?))
}

/// A text as a file can hold it.
fn utf8<'a>(channel: &str, what: &str, text: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    text.to_str().map_err(|error| {
        let refused = PayloadError::new_err(format!(
            "the wave on {channel:?} has a {what} with a lone surrogate in it, which no journal can hold; nothing \
             was emitted: decode the bytes it came from with errors='replace'"
        ));
        refused.set_cause(text.py(), Some(error));
        refused
    })
}
