//! `Emitter`: a handle that only emits, from any thread; the base of vibrators and of the medium.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::awaitable::awaitable;
use crate::blocking::{Blocking, PyWaiting};
use crate::draft::{Draft, Options, Origin};
use crate::emission::{EmitManyOp, EmitOp};
use crate::errors::{count, number, seconds, type_error};
use crate::receipt::PyReceipt;
use crate::shared::Shared;
use crate::wave::{Given, PyWave};

/// A handle that only emits.
#[pyclass(frozen, subclass, name = "Emitter", module = "aether._native")]
pub struct PyEmitter {
    pub shared: Arc<Shared>,
    pub origin: Arc<Origin>,
}

/// What was given beside channel and payload, as it came.
struct Asked<'a, 'py> {
    amplitude: Option<&'a Bound<'py, PyAny>>,
    phase: Option<&'a Bound<'py, PyAny>>,
    frequency: Option<&'a Bound<'py, PyAny>>,
    headers: Option<&'a Bound<'py, PyAny>>,
    ttl: Option<&'a Bound<'py, PyAny>>,
    cause: Option<&'a Bound<'py, PyAny>>,
    compensates: Option<&'a Bound<'py, PyAny>>,
    require: Option<&'a Bound<'py, PyAny>>,
    timeout: Option<&'a Bound<'py, PyAny>>,
}

impl<'a, 'py> Asked<'a, 'py> {
    /// Whether there is nothing, as for most emissions.
    #[inline]
    fn is_plain(&self) -> bool {
        let Self { amplitude, phase, frequency, headers, ttl, .. } = self;
        let given = [amplitude, phase, frequency, headers, ttl];
        let Self { cause, compensates, require, timeout, .. } = self;
        let others = [cause, compensates, require, timeout];
        given.into_iter().chain(others).all(Option::is_none)
    }

    /// Checks the types, and the ranges that have nothing to do with the wave.
    #[inline]
    fn checked(self) -> PyResult<Options<'a, 'py>> {
        if self.is_plain() {
            return Ok(Options::default());
        }
        Ok(Options {
            amplitude: number("amplitude", self.amplitude)?,
            given: Given {
                phase: number("phase", self.phase)?,
                frequency: number("frequency", self.frequency)?,
                ttl: number("ttl", self.ttl)?,
                headers: self.headers,
            },
            cause: wave("cause", self.cause)?,
            compensates: wave("compensates", self.compensates)?,
            require: self.require.map(|require| count("require", 0, require)).transpose()?,
            timeout: seconds("timeout", self.timeout)?,
        })
    }
}

#[inline]
fn wave<'a, 'py>(
    what: &str,
    given: Option<&'a Bound<'py, PyAny>>,
) -> PyResult<Option<&'a Bound<'py, PyWave>>> {
    let Some(given) = given else { return Ok(None) };
    given.cast::<PyWave>().map(Some).map_err(|_| type_error(what, "a Wave", given))
}

#[pymethods]
#[allow(clippy::too_many_arguments)] // the public signatures
impl PyEmitter {
    /// Emits a new wave; awaited, it waits for room.
    #[pyo3(signature = (channel, payload=None, *, amplitude=None, phase=None, frequency=None, headers=None,
                        ttl=None, cause=None, compensates=None, require=None, timeout=None))]
    fn emit_wave<'py>(
        &self,
        py: Python<'py>,
        channel: &Bound<'py, PyAny>,
        payload: Option<Py<PyAny>>,
        amplitude: Option<&Bound<'py, PyAny>>,
        phase: Option<&Bound<'py, PyAny>>,
        frequency: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        ttl: Option<&Bound<'py, PyAny>>,
        cause: Option<&Bound<'py, PyAny>>,
        compensates: Option<&Bound<'py, PyAny>>,
        require: Option<&Bound<'py, PyAny>>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let asked = Asked {
            amplitude,
            phase,
            frequency,
            headers,
            ttl,
            cause,
            compensates,
            require,
            timeout,
        };
        let options = asked.checked()?;
        let op = self.prepare(py, channel, payload, &options)?;
        awaitable(py, op)
    }

    /// Emits a wave that exists: one more hop of it.
    #[pyo3(signature = (wave, *, require=None, timeout=None))]
    fn emit<'py>(
        &self,
        py: Python<'py>,
        wave: &Bound<'py, PyAny>,
        require: Option<&Bound<'py, PyAny>>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let require = require.map(|require| count("require", 0, require)).transpose()?;
        let timeout = seconds("timeout", timeout)?;
        let options = Options { require, timeout, ..Options::default() };
        awaitable(py, self.again(py, wave, &options)?)
    }

    /// Emits a new wave now, from any thread, or raises `WouldBlock`.
    #[pyo3(signature = (channel, payload=None, *, amplitude=None, phase=None, frequency=None, headers=None,
                        ttl=None, cause=None, compensates=None, require=None))]
    fn emit_nowait<'py>(
        &self,
        py: Python<'py>,
        channel: &Bound<'py, PyAny>,
        payload: Option<Py<PyAny>>,
        amplitude: Option<&Bound<'py, PyAny>>,
        phase: Option<&Bound<'py, PyAny>>,
        frequency: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        ttl: Option<&Bound<'py, PyAny>>,
        cause: Option<&Bound<'py, PyAny>>,
        compensates: Option<&Bound<'py, PyAny>>,
        require: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Py<PyReceipt>> {
        let asked = Asked {
            amplitude,
            phase,
            frequency,
            headers,
            ttl,
            cause,
            compensates,
            require,
            timeout: None,
        };
        let options = asked.checked()?;
        let draft = Draft::new(py, &self.shared, &self.origin, channel, payload, &options)?;
        draft.send_now(py, &self.shared, &self.origin, channel)
    }

    /// The steps of `emit_sync`.
    #[pyo3(signature = (channel, payload=None, *, amplitude=None, phase=None, frequency=None, headers=None,
                        ttl=None, cause=None, compensates=None, require=None, timeout=None))]
    fn begin_emit_sync<'py>(
        &self,
        py: Python<'py>,
        channel: &Bound<'py, PyAny>,
        payload: Option<Py<PyAny>>,
        amplitude: Option<&Bound<'py, PyAny>>,
        phase: Option<&Bound<'py, PyAny>>,
        frequency: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        ttl: Option<&Bound<'py, PyAny>>,
        cause: Option<&Bound<'py, PyAny>>,
        compensates: Option<&Bound<'py, PyAny>>,
        require: Option<&Bound<'py, PyAny>>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<PyWaiting> {
        let asked = Asked {
            amplitude,
            phase,
            frequency,
            headers,
            ttl,
            cause,
            compensates,
            require,
            timeout,
        };
        let options = asked.checked()?;
        let op = self.prepare(py, channel, payload, &options)?;
        Ok(PyWaiting::new(Blocking::Emit(op)))
    }

    /// Emits waves and (channel, payload) pairs in order, all checked before the first goes out.
    fn emit_many<'py>(&self, items: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = items.py();
        let options = Options::default();
        let waves = items
            .try_iter()?
            .map(|item| {
                let item = item?;
                if item.is_instance_of::<PyWave>() {
                    return self.again(py, &item, &options);
                }
                let pair = item.cast::<PyTuple>().ok().filter(|pair| pair.len() == 2);
                let Some(pair) = pair else {
                    return Err(type_error(
                        "each item",
                        "a Wave or a (channel, payload) pair",
                        &item,
                    ));
                };
                let (channel, payload) = (pair.get_item(0)?, Some(pair.get_item(1)?.unbind()));
                self.prepare(py, &channel, payload, &options)
            })
            .collect::<PyResult<_>>()?;
        awaitable(py, EmitManyOp { waves, receipts: Vec::new() })
    }

    /// A handle that only emits, in the same name as another.
    #[new]
    #[pyo3(signature = (of, /))]
    fn py_new(of: &Bound<'_, Self>) -> Self {
        let of = of.get();
        Self { shared: Arc::clone(&of.shared), origin: Arc::clone(&of.origin) }
    }
}

impl PyEmitter {
    fn prepare(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyAny>,
        payload: Option<Py<PyAny>>,
        options: &Options<'_, '_>,
    ) -> PyResult<EmitOp> {
        let draft = Draft::new(py, &self.shared, &self.origin, name, payload, options)?;
        Ok(self.operation(draft, name, options))
    }

    fn again(
        &self,
        py: Python<'_>,
        wave: &Bound<'_, PyAny>,
        options: &Options<'_, '_>,
    ) -> PyResult<EmitOp> {
        let Ok(wave) = wave.cast::<PyWave>() else {
            return Err(type_error("emit()", "given a Wave (emit_wave takes a channel)", wave));
        };
        let draft = Draft::again(py, &self.shared, &self.origin, wave, options)?;
        Ok(self.operation(draft, wave.get().channel.bind(py), options))
    }

    fn operation(
        &self,
        draft: Draft,
        name: &Bound<'_, PyAny>,
        options: &Options<'_, '_>,
    ) -> EmitOp {
        EmitOp {
            shared: Arc::clone(&self.shared),
            origin: Arc::clone(&self.origin),
            draft,
            name: name.clone().unbind(),
            timeout: options.timeout,
            ticket: None,
            enlisted: false,
        }
    }
}
