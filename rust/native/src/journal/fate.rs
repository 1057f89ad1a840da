//! What becomes of an emission that is in the hands of the journal: told once, to all who wait for it.

use std::ffi::CStr;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aether_core::medium::Sent;
use aether_journal::journal::Refusal;
use parking_lot::Mutex;
use pyo3::prelude::*;

use super::writer::Writer;
use crate::awaitable::Store;
use crate::errors::AetherError;
use crate::machine::Operation;
use crate::receipt::PyReceipt;
use crate::waker::{Post, Sleeper, Waker};

/// What has become of it.
#[derive(Clone, Debug)]
pub enum Told {
    /// It was delivered; without a sequence if the journal has refused it.
    Delivered(Sent),
    /// It is as durable as was asked; this is no emission, or one that somebody else delivers.
    Settled,
    /// It is in no file, and was delivered to nobody.
    Refused(Refusal),
    /// Its delivery, or the note of it, has panicked: an emission is in the journal, a note may not be.
    Panicked,
}

/// What becomes of an emission, or of whatever waits for a commit.
#[derive(Default)]
pub struct Fate {
    /// Its place in the journal; 0 before it has one.
    position: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    told: Option<Told>,
    wakers: Vec<Waker>,
}

impl Fate {
    /// Of what is settled already.
    pub fn settled(position: u64, told: Told) -> Self {
        let state = Mutex::new(State { told: Some(told), wakers: Vec::new() });
        Self { position: AtomicU64::new(position), state }
    }

    pub fn position(&self) -> u64 {
        self.position.load(Relaxed)
    }

    pub fn place(&self, position: u64) {
        self.position.store(position, Relaxed);
    }

    /// Says what has become of it, and returns who is to be woken.
    #[must_use]
    pub fn tell(&self, told: Told) -> Vec<Waker> {
        let mut state = self.state.lock();
        state.told = Some(told);
        mem::take(&mut state.wakers)
    }

    pub fn told(&self) -> Option<Told> {
        self.state.lock().told.clone()
    }

    /// Has the waker woken when it is told; gives it back if it is told already.
    pub fn enlist(&self, waker: Waker) -> Option<Waker> {
        let mut state = self.state.lock();
        if state.told.is_some() {
            return Some(waker);
        }
        state.wakers.push(waker);
        None
    }
}

/// An acknowledgement: done when it is as durable as the journal.
pub struct AckOp {
    pub writer: Arc<Writer>,
    pub fate: Arc<Fate>,
}

impl Operation for AckOp {
    const NAME: &'static CStr = c"aether._native.Acknowledgement";

    fn store() -> &'static Store {
        static STORE: Store = Store::new();
        &STORE
    }

    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.fate.told() {
            None => Ok(None),
            Some(Told::Refused(refusal)) => {
                Err(self.writer.not_noted(self.fate.position(), &refusal))
            }
            Some(Told::Panicked) => Err(AetherError::new_err(format!(
                "a panic in Rust has met the acknowledgement of wave {}: in this program it holds, after the next start \
                 the wave may come again; native.panicked in the log says where",
                self.fate.position()
            ))),
            Some(Told::Delivered(_) | Told::Settled) => Ok(Some(py.None())),
        }
    }

    fn enlist(&mut self, _py: Python<'_>, sleeper: Sleeper) -> PyResult<bool> {
        Ok(self.fate.enlist(Waker { post: Post::Watcher, sleeper }).is_none())
    }

    fn abandon(&mut self, _py: Python<'_>) {}

    fn visit(&self, _each: &mut dyn FnMut(&Py<PyAny>)) {}
}

/// The final receipt of what was appended.
pub struct DurableOp {
    pub writer: Arc<Writer>,
    pub fate: Arc<Fate>,
}

impl Operation for DurableOp {
    const NAME: &'static CStr = c"aether._native.Durable";

    fn store() -> &'static Store {
        static STORE: Store = Store::new();
        &STORE
    }

    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some(told) = self.fate.told() else { return Ok(None) };
        PyReceipt::told(py, &self.writer, &self.fate, told).map(|receipt| Some(receipt.into_any()))
    }

    fn enlist(&mut self, _py: Python<'_>, sleeper: Sleeper) -> PyResult<bool> {
        Ok(self.fate.enlist(Waker { post: Post::Watcher, sleeper }).is_none())
    }

    fn abandon(&mut self, _py: Python<'_>) {}

    fn visit(&self, _each: &mut dyn FnMut(&Py<PyAny>)) {}
}
