//! `Origin`: who emits, the medium itself or a vibrator.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::guarded::Counter;

/// Who emits.
pub struct Origin {
    /// 0 for the medium itself.
    pub identity: u64,
    pub name: Option<Py<PyString>>,
    pub emitted: Counter,
    pub closed: AtomicBool,
    /// The name, once somebody has asked for it beyond Python.
    label: OnceLock<Arc<str>>,
}

impl Origin {
    pub fn new(identity: u64, name: Option<Py<PyString>>) -> Self {
        let closed = AtomicBool::new(false);
        Self { identity, name, emitted: Counter::new(), closed, label: OnceLock::new() }
    }

    /// The name; the medium itself has none.
    pub fn label(&self, py: Python<'_>) -> Option<Arc<str>> {
        let name = self.name.as_ref()?;
        let made = || Arc::from(&*name.bind(py).to_string_lossy());
        Some(Arc::clone(self.label.get_or_init(made)))
    }

    /// Counts an emission.
    #[inline]
    pub fn count(&self, py: Python<'_>) {
        self.emitted.next(py);
    }
}
