//! The headers of a wave: those that it was given or has inherited, and its place in a trace.
//!
//! Contract: nobody changes the headers of a wave, so that waves share them. A wave that is followed has one more,
//! `traceparent`, which is made when somebody reads them: few ever do.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use aether_core::trace::context::SpanContext;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyMapping, PyString};

use crate::channel::text;
use crate::errors::type_error;
use crate::tracing::Sent;
use crate::wave::PyWave;

/// The header that carries the address of a request's answer. Waves that a request causes do not have it.
pub const REPLY_HEADER: &str = "aether-reply";

/// The header of the W3C for a place in a trace.
pub const TRACE_HEADER: &str = "traceparent";

/// The headers of a wave.
pub struct Headers {
    /// Not empty; without [`TRACE_HEADER`] if the wave is followed.
    given: Option<Py<PyDict>>,
    sent: Option<Arc<Sent>>,
    /// Both as one, once somebody has asked for it. There is nothing in it but text, which the collector need not see.
    whole: PyOnceLock<Py<PyDict>>,
}

impl Default for Headers {
    fn default() -> Self {
        Self { given: None, sent: None, whole: PyOnceLock::new() }
    }
}

impl From<Bound<'_, PyDict>> for Headers {
    fn from(given: Bound<'_, PyDict>) -> Self {
        let given = (!given.is_empty()).then(|| given.unbind());
        Self { given, ..Self::default() }
    }
}

impl Headers {
    /// A copy of what was given, which nobody else can change.
    pub fn checked(headers: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = headers.py();
        let Ok(mapping) = headers.cast::<PyMapping>() else {
            return Err(type_error("headers", "a mapping of str to str", headers));
        };
        let copy = PyDict::new(py);
        copy.update(mapping)?;
        for pair in copy.items() {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
            for part in [&key, &value] {
                if !part.is_instance_of::<PyString>() {
                    let what = format!("headers[{}]", key.repr()?);
                    return Err(type_error(&what, "a str to a str", part));
                }
            }
            if !key.is_exact_instance_of::<PyString>() || !value.is_exact_instance_of::<PyString>()
            {
                // As plain text: what is derived from it could be part of a cycle.
                copy.del_item(&key)?;
                copy.set_item(plain(&key)?, plain(&value)?)?;
            }
        }
        Ok(copy.into())
    }

    pub fn is_empty(&self) -> bool {
        self.given.is_none() && self.sent.is_none()
    }

    /// All of them; `None`: there are none.
    pub fn all<'py>(&self, py: Python<'py>) -> PyResult<Option<&Bound<'py, PyDict>>> {
        let Some(sent) = &self.sent else {
            return Ok(self.given.as_ref().map(|given| given.bind(py)));
        };
        let whole = self.whole.get_or_try_init(py, || {
            let whole = match &self.given {
                Some(given) => given.bind(py).copy()?,
                None => PyDict::new(py),
            };
            whole.set_item(pyo3::intern!(py, TRACE_HEADER), sent.context.to_string())?;
            PyResult::Ok(whole.unbind())
        })?;
        Ok(Some(whole.bind(py)))
    }

    /// The same for another wave.
    pub fn copied(&self, py: Python<'_>) -> Self {
        let given = self.given.as_ref().map(|given| given.clone_ref(py));
        Self { given, sent: self.sent.clone(), whole: PyOnceLock::new() }
    }

    /// Those of a cause, under the own ones; but for the address of its answer.
    pub fn inherit(&mut self, py: Python<'_>, cause: &Self) -> PyResult<()> {
        let own = self.given.as_ref().map(|given| given.bind(py));
        let named = own.map(|given| given.contains(pyo3::intern!(py, TRACE_HEADER)));
        if !named.transpose()?.unwrap_or(false) {
            self.sent.clone_from(&cause.sent);
        }
        let Some(inherited) = &cause.given else { return Ok(()) };
        let inherited = inherited.bind(py);
        let addressed = inherited.contains(pyo3::intern!(py, REPLY_HEADER))?;
        if self.given.is_none() && !addressed {
            self.given = Some(inherited.clone().unbind());
            return Ok(());
        }
        let merged = inherited.copy()?;
        if addressed {
            merged.del_item(pyo3::intern!(py, REPLY_HEADER))?;
        }
        if let Some(given) = &self.given {
            merged.update(given.bind(py).as_mapping())?;
        }
        self.given = (!merged.is_empty()).then(|| merged.unbind());
        Ok(())
    }

    /// One more of them, or another value of one.
    fn add(&mut self, py: Python<'_>, name: &str, value: &str) -> PyResult<()> {
        let given = match &self.given {
            Some(given) => given.bind(py).copy()?,
            None => PyDict::new(py),
        };
        given.set_item(name, value)?;
        self.given = Some(given.unbind());
        Ok(())
    }

    /// The wave is followed from here on.
    pub fn follow(&mut self, py: Python<'_>, sent: Arc<Sent>) -> PyResult<()> {
        self.forget(py)?;
        self.sent = Some(sent);
        Ok(())
    }

    /// The wave is not followed, whatever its headers say.
    pub fn forget(&mut self, py: Python<'_>) -> PyResult<()> {
        self.sent = None;
        self.whole.take();
        if let Some(given) = &self.given {
            let name = pyo3::intern!(py, TRACE_HEADER);
            if given.bind(py).contains(name)? {
                let given = given.bind(py).copy()?;
                given.del_item(name)?;
                self.given = (!given.is_empty()).then(|| given.unbind());
            }
        }
        Ok(())
    }

    /// How the wave was sent, if it is followed and has not come from elsewhere.
    #[inline]
    pub fn sent(&self) -> Option<&Arc<Sent>> {
        self.sent.as_ref()
    }

    /// The address of a request's answer; `None`: it is no request.
    pub fn reply_address<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match &self.given {
            Some(given) => given.bind(py).get_item(pyo3::intern!(py, REPLY_HEADER)),
            None => Ok(None),
        }
    }

    /// Where the wave is in its trace.
    pub fn context(&self, py: Python<'_>) -> Option<SpanContext> {
        match &self.sent {
            Some(sent) => Some(sent.context),
            None => self.named_span(py),
        }
    }

    /// Whether what was given names a span.
    pub fn names_span(&self, py: Python<'_>) -> bool {
        self.named_span(py).is_some()
    }

    fn named_span(&self, py: Python<'_>) -> Option<SpanContext> {
        let given = self.given.as_ref()?.bind(py);
        let header = given.get_item(pyo3::intern!(py, TRACE_HEADER)).ok()??;
        SpanContext::parse(text(&header).ok()?)
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.given.as_ref().map_or(Ok(()), |given| visit.call(given))
    }

    /// Drops them in a thread that is attached though `PyO3` may not know it.
    pub fn release(self, py: Python<'_>) {
        drop(self.given.map(|given| given.into_bound(py)));
        drop(self.whole.into_inner().map(|whole| whole.into_bound(py)));
    }
}

/// The same wave as it was admitted, with one more header: for whoever gets it once more.
#[pyfunction]
pub fn with_header(wave: &Bound<'_, PyWave>, name: &str, value: &str) -> PyResult<Py<PyWave>> {
    let (py, given) = (wave.py(), wave.get());
    let mut again = given.with(py, given.strength);
    again.sequence.store(given.sequence.load(Relaxed), Relaxed);
    let rare = again.rare.get_or_insert_default();
    rare.deliveries = given.deliveries();
    rare.headers.add(py, name, value)?;
    again.into_object(py)
}

/// The address of the answer to a wave; `None`: it is no request. Cheaper than to look into its headers.
#[pyfunction]
pub fn reply_address<'py>(
    py: Python<'py>,
    wave: &Bound<'py, PyWave>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    wave.get().rare.as_ref().map_or(Ok(None), |rare| rare.headers.reply_address(py))
}

/// The same text without whatever a class derived from `str` adds.
fn plain<'py>(text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    PyString::intern(text.py(), "").call_method1("join", ((text,),))
}
