//! Waiting until nothing is left to do.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::PyBool;

use crate::awaitable::Store;
use crate::machine::Operation;
use crate::mailbox::PyMailbox;
use crate::shared::Shared;
use crate::waker::{Aftermath, Post, Sleeper, Waker};

/// What is waited for.
pub enum Until {
    /// No handler works, and nothing waits for a handler or a waiting reader.
    Quiet,
    /// Everything that a journal has was delivered.
    Delivered,
    /// These mailboxes are empty with nothing on the way to them, and this tells that no handler of theirs works.
    Empty(Vec<Py<PyMailbox>>, Py<PyAny>),
}

/// True once it is so, false when patience has run out.
pub struct UntilOp {
    pub shared: Arc<Shared>,
    pub until: Until,
    pub timeout: Option<f64>,
    /// What it is watched under while it waits.
    pub watcher: Option<u64>,
}

impl UntilOp {
    fn is_so(&self, py: Python<'_>) -> PyResult<bool> {
        self.shared.home.enter()?;
        match &self.until {
            Until::Quiet => {
                Ok(self.shared.working.load(Ordering::Acquire) == 0
                    && self.shared.medium.is_quiet())
            }
            Until::Delivered => Ok(!self.shared.medium.has_undelivered()),
            Until::Empty(mailboxes, idle) => {
                let drained =
                    |mailbox: &Py<PyMailbox>| self.shared.medium.is_drained(mailbox.get().key);
                Ok(mailboxes.iter().all(drained) && idle.call0(py)?.is_truthy(py)?)
            }
        }
    }
}

impl Operation for UntilOp {
    const NAME: &'static CStr = c"aether._native.Until";

    fn store() -> &'static Store {
        static STORE: Store = Store::new();
        &STORE
    }

    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.abandon(py);
        let so = self.is_so(py)?;
        Ok(so.then(|| PyBool::new(py, true).to_owned().into_any().unbind()))
    }

    fn enlist(&mut self, py: Python<'_>, sleeper: Sleeper) -> PyResult<bool> {
        self.abandon(py);
        self.watcher = Some(self.shared.medium.watch(Waker { post: Post::Watcher, sleeper }));
        // A change between the attempt and the watch would be missed. The waker may fire all the same.
        Ok(!self.is_so(py)?)
    }

    fn abandon(&mut self, py: Python<'_>) {
        if let Some(watcher) = self.watcher.take().filter(|_| self.shared.home.is_here()) {
            let mut after = Aftermath::default();
            self.shared.medium.unwatch(watcher, &mut after);
            self.shared.settle(py, after);
        }
    }

    fn patience(&mut self, _py: Python<'_>) -> Option<f64> {
        self.timeout
    }

    fn run_out(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let so = self.is_so(py)?;
        Ok(Some(PyBool::new(py, so).to_owned().into_any().unbind()))
    }

    fn visit(&self, each: &mut dyn FnMut(&Py<PyAny>)) {
        if let Some(watcher) = self.watcher.filter(|_| self.shared.home.is_here()) {
            // Somebody holds the lock: what is not reported only lives longer.
            let _ = self
                .shared
                .medium
                .try_visit_watcher(watcher, &mut |waker| waker.objects().for_each(&mut *each));
        }
        if let Until::Empty(mailboxes, idle) = &self.until {
            for mailbox in mailboxes {
                each(mailbox.as_any());
            }
            each(idle);
        }
    }
}
