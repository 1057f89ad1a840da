//! What most waves do not have: headers, a phase, a frequency, a ttl, a chain behind them; and the checks of
//! what was given.

use std::sync::Arc;

use aether_core::wave::{clamped, wrapped};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::headers::Headers;
use crate::ids::WaveId;

/// What most waves do not have.
#[derive(Default)]
pub struct Rare {
    pub headers: Headers,
    pub phase: f64,
    /// `None`: 1.0.
    pub frequency: Option<f64>,
    pub ttl: Option<f64>,
    /// The id of a wave that came from another process.
    pub foreign: Option<Arc<str>>,
    /// The channels behind it.
    pub trail: Option<Arc<Trail>>,
    /// What it undoes.
    pub undoes: Option<Box<Undone>>,
    /// The so many-th time that its reader gets it, if that is not the first.
    pub deliveries: u32,
}

/// What a wave knows of the one that it undoes.
#[derive(Clone, Debug)]
pub struct Undone {
    pub id: WaveId,
    pub timestamp: f64,
    pub amplitude: f64,
    pub phase: f64,
}

/// The channels that a chain of waves has come through last: no more of them than a log line should show,
/// however long the chain may get.
#[derive(Clone, Default)]
pub struct Trail(Vec<Arc<str>>);

impl Trail {
    const SHOWN: usize = 16;

    /// The trail one channel further.
    pub fn extended(&self, channel: &str) -> Self {
        let skipped = (self.0.len() + 1).saturating_sub(Self::SHOWN);
        let kept = self.0.iter().skip(skipped).cloned();
        Self(kept.chain([Arc::from(channel)]).collect())
    }

    /// The channels, oldest first.
    pub fn channels(&self) -> Vec<&str> {
        self.0.iter().map(|channel| &**channel).collect()
    }
}

/// The numbers that a wave is given, checked.
#[derive(Default)]
pub struct Given<'a, 'py> {
    pub phase: Option<f64>,
    pub frequency: Option<f64>,
    pub ttl: Option<f64>,
    pub headers: Option<&'a Bound<'py, PyAny>>,
}

impl Rare {
    /// Checks what was given; `None` if that is nothing out of the ordinary.
    #[inline]
    pub fn checked(given: &Given<'_, '_>) -> PyResult<Option<Box<Self>>> {
        if given.phase.is_none()
            && given.frequency.is_none()
            && given.ttl.is_none()
            && given.headers.is_none()
        {
            return Ok(None);
        }
        let phase = match given.phase {
            None => 0.0,
            Some(phase) => {
                wrapped(phase).ok_or_else(|| bad("phase", phase, "finite, in radians"))?
            }
        };
        if let Some(frequency) = given.frequency.filter(|f| !f.is_finite() || *f < 0.0) {
            return Err(bad("frequency", frequency, "finite and not negative"));
        }
        if let Some(ttl) = given.ttl.filter(|ttl| ttl.is_nan() || *ttl < 0.0) {
            return Err(bad("ttl", ttl, "a number of seconds, 0 or more"));
        }
        let headers = given.headers.map(Headers::checked).transpose()?.unwrap_or_default();
        Ok(Some(Box::new(Self {
            headers,
            phase,
            frequency: given.frequency,
            ttl: given.ttl,
            ..Self::default()
        })))
    }

    /// The same again.
    pub fn copied(&self, py: Python<'_>) -> Self {
        Self {
            headers: self.headers.copied(py),
            phase: self.phase,
            frequency: self.frequency,
            ttl: self.ttl,
            foreign: self.foreign.clone(),
            trail: self.trail.clone(),
            undoes: self.undoes.clone(),
            // Of a new wave it is the first time.
            deliveries: 0,
        }
    }
}

/// `ValueError` for a number that breaks its rule.
#[cold]
pub fn bad(what: &str, value: f64, rule: &str) -> PyErr {
    PyValueError::new_err(format!("{what} must be {rule}, not {value}"))
}

/// An amplitude in 0..1, or `ValueError` for NaN.
#[inline]
pub fn checked_amplitude(amplitude: f64) -> PyResult<f64> {
    clamped(amplitude).ok_or_else(|| bad("amplitude", amplitude, "a number in 0..1"))
}
