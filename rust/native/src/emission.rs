//! Emissions that are awaited, or waited for by a thread.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::fmt::Write as _;
use std::sync::Arc;

use aether_core::medium::{Actor, Enlisted, Link, Patience, Ticket};
use pyo3::exceptions::{PyRuntimeWarning, PyTimeoutError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::actors;
use crate::awaitable::Store;
use crate::draft::{Attempt, Draft};
use crate::emitter::PyEmitter;
use crate::errors::Deadlock;
use crate::here::Thread;
use crate::journal::{Fate, Writer, give_way};
use crate::machine::{IN_PLACE_LIMIT, Operation, Quickly, in_place};
use crate::receipt::PyReceipt;
use crate::refusals::listed;
use crate::shared::Shared;
use crate::stalls;
use crate::waker::{Aftermath, Post, Sleeper, Waker};

/// Seconds, for clocks that do not tick together.
const NAP_MARGIN: f64 = 0.001;

/// An emission that may wait for room.
pub struct EmitOp {
    emitter: Py<PyEmitter>,
    draft: Draft,
    /// The name as given, to remember its route by.
    name: Py<PyAny>,
    /// Seconds.
    timeout: Option<f64>,
    /// How many of them are left.
    left: Option<f64>,
    /// It waits for so many seconds only, as time makes room then; its patience is longer.
    nap: Option<f64>,
    /// Its place among those that wait, once it has waited.
    ticket: Option<Ticket>,
    enlisted: bool,
    /// What it waits for at the journal.
    journal: AtJournal,
}

/// What an emission waits for at the journal.
enum AtJournal {
    Nothing,
    /// Room: until this is told.
    Room(Arc<Fate>),
    /// It was appended, and completes, awaited or not.
    Commit(Arc<Fate>),
}

impl AtJournal {
    fn fate(&self) -> Option<&Arc<Fate>> {
        match self {
            Self::Nothing => None,
            Self::Room(fate) | Self::Commit(fate) => Some(fate),
        }
    }
}

impl EmitOp {
    #[inline]
    pub fn new(
        emitter: &Bound<'_, PyEmitter>,
        draft: Draft,
        name: &Bound<'_, PyAny>,
        timeout: Option<f64>,
    ) -> Self {
        let (emitter, name) = (emitter.clone().unbind(), name.clone().unbind());
        Self {
            emitter,
            draft,
            name,
            timeout,
            left: timeout,
            nap: None,
            ticket: None,
            enlisted: false,
            journal: AtJournal::Nothing,
        }
    }

    #[inline]
    pub fn shared(&self) -> &Shared {
        &self.emitter.get().shared
    }

    fn send(&mut self, py: Python<'_>) -> PyResult<Attempt> {
        let ticket = self.ticket.filter(|_| self.enlisted);
        let PyEmitter { shared, origin } = self.emitter.get();
        let sent = self.draft.send(py, shared, origin, self.name.bind(py), ticket);
        // An error may come from before the medium, which withdraws the ticket at each attempt. What waits
        // still is abandoned then; a ticket that is gone does no harm.
        self.enlisted &= sent.is_err();
        sent
    }

    /// The receipt of an emission that was appended, once the journal has told what became of it.
    fn committed(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let (AtJournal::Commit(fate), Some(writer)) = (&self.journal, &self.shared().writer) else {
            return Ok(None);
        };
        let Some(told) = fate.told() else { return Ok(None) };
        PyReceipt::told(py, writer, fate, told).map(|receipt| Some(receipt.into_any()))
    }

    /// Whether the emission that has just begun to wait is stuck for ever.
    #[cold]
    fn deadlock(&mut self, py: Python<'_>, ticket: Ticket) -> PyResult<()> {
        let medium = &self.shared().medium;
        if !stalls::is_stuck(py, medium, ticket)? {
            return Ok(());
        }
        let Some(ring) = medium.ring(ticket) else { return Ok(()) };
        self.abandon(py);
        let error = Deadlock::new_err(described(py, &ring));
        Err(self.draft.failed(py, error))
    }
}

fn described(py: Python<'_>, ring: &[Link]) -> String {
    let mut said =
        String::from("this emission would wait for ever; nothing was emitted. The ring:");
    for link in ring {
        let (actor, reader) = (actors::name(py, link.actor), actors::name(py, link.reader));
        // Writing to a String cannot fail.
        let _ = write!(
            said,
            "\n  {actor:?} emits on {:?} and waits for room in {:?}, which {reader:?} would have to read",
            link.channel, link.full
        );
    }
    said.push_str(
        "\nLet somebody else read one of them, give one a larger buffer_size or an overflow that drops, or \
         emit with a timeout",
    );
    said
}

impl Operation for EmitOp {
    const NAME: &'static CStr = c"aether._native.Emission";

    fn store() -> &'static Store {
        static STORE: Store = Store::new();
        &STORE
    }

    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match &self.journal {
            AtJournal::Nothing => {}
            AtJournal::Room(fate) => {
                if fate.told().is_none() {
                    return Ok(None);
                }
                self.journal = AtJournal::Nothing;
            }
            AtJournal::Commit(_) => return self.committed(py),
        }
        match self.send(py)? {
            Attempt::Sent(receipt) => Ok(Some(receipt.into_any())),
            Attempt::Full(_) => Ok(None),
            Attempt::Busy(fate) => {
                self.journal = AtJournal::Room(fate);
                Ok(None)
            }
            Attempt::Appended(fate) => {
                self.journal = AtJournal::Commit(fate);
                self.committed(py)
            }
        }
    }

    #[inline]
    fn quick(&mut self, py: Python<'_>, _thread: &Thread) -> Quickly<Py<PyAny>> {
        let PyEmitter { shared, origin } = self.emitter.get();
        let sent = self.draft.send_quickly(py, shared, origin, self.name.bind(py))?;
        Ok(sent.map(Py::into_any))
    }

    #[inline]
    fn release(self, py: Python<'_>) {
        self.draft.release(py);
        drop((self.name.into_bound(py), self.emitter.into_bound(py)));
    }

    fn enlist(&mut self, py: Python<'_>, sleeper: Sleeper) -> PyResult<bool> {
        if self.draft.begun.is_nan() {
            self.draft.begun = self.shared().begun();
        }
        if let Some(fate) = self.journal.fate() {
            return Ok(fate.enlist(Waker { post: Post::Watcher, sleeper }).is_none());
        }
        let thread = match &sleeper {
            Sleeper::Thread { thread, .. } => Some(actors::actor(thread.bind(py))?),
            _ => None,
        };
        let actor: Actor = match thread {
            Some(thread) => thread,
            None => actors::current_actor(py)?,
        };
        let timed = self.timeout.is_some() || self.nap.is_some();
        let patience = if timed { Patience::Timed } else { Patience::Endless };
        let PyEmitter { shared, origin } = self.emitter.get();
        let ticket = *self.ticket.get_or_insert_with(|| shared.medium.new_ticket());
        let channel = self.draft.channel(py)?;
        let emission = self.draft.emission(py, shared, origin, channel);
        let waker = Waker { post: Post::Sender(ticket), sleeper };
        match shared.medium.enlist_sender(&emission, ticket, (actor, patience), waker) {
            Enlisted::Retry(_unused) => Ok(false),
            Enlisted::Waiting(ticket) => {
                self.enlisted = true;
                self.deadlock(py, ticket)?;
                if thread.is_none() {
                    stalls::watch(py, &self.emitter.get().shared)?;
                }
                Ok(true)
            }
        }
    }

    fn abandon(&mut self, py: Python<'_>) {
        if let Some(ticket) = self.ticket.filter(|_| std::mem::take(&mut self.enlisted)) {
            let shared = self.shared();
            if shared.home.is_here() {
                let mut after = Aftermath::default();
                shared.medium.abandon_sender(ticket, &mut after);
                shared.settle(py, after);
            }
        }
    }

    fn timers<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.shared().timers(py)
    }

    fn patience(&mut self, py: Python<'_>) -> Option<f64> {
        match self.journal {
            AtJournal::Nothing => {}
            AtJournal::Room(_) => return self.left,
            AtJournal::Commit(_) => return None,
        }
        let PyEmitter { shared, origin } = self.emitter.get();
        let room = self.draft.channel(py).ok().and_then(|channel| {
            let emission = self.draft.emission(py, shared, origin, channel);
            shared.medium.opens_in(&emission)
        });
        // A moment later than the waves go, so that they are gone then.
        let nap = room.map(|seconds| seconds.max(0.0) + NAP_MARGIN);
        self.nap = nap.filter(|&nap| self.left.is_none_or(|left| nap < left));
        self.nap.or(self.left)
    }

    fn run_out(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let full = match &self.journal {
            AtJournal::Commit(_) => return self.committed(py),
            AtJournal::Room(_) => Vec::new(),
            AtJournal::Nothing => match self.send(py)? {
                Attempt::Sent(receipt) => return Ok(Some(receipt.into_any())),
                Attempt::Appended(fate) => {
                    self.journal = AtJournal::Commit(fate);
                    return self.committed(py);
                }
                Attempt::Busy(_) => Vec::new(),
                Attempt::Full(full) => full,
            },
        };
        if let Some(nap) = self.nap.take() {
            self.left = self.left.map(|left| left - nap);
            return Ok(None);
        }
        let channel = self.draft.channel(py)?;
        let error = PyTimeoutError::new_err(format!(
            "emitting on {channel:?} waited {} s for room: {} full; nothing was emitted",
            self.timeout.unwrap_or(0.0),
            if full.is_empty() {
                "what may wait for the journal's disk is".to_owned()
            } else {
                listed(&full)
            }
        ));
        Err(self.draft.failed(py, error))
    }

    fn never_awaited(&self, py: Python<'_>) {
        let channel = self.draft.channel(py).unwrap_or("?");
        warn_unawaited(
            py,
            &format!("an emission on {channel:?} was never awaited; nothing was emitted"),
        );
    }

    fn visit(&self, each: &mut dyn FnMut(&Py<PyAny>)) {
        each(self.draft.wave.0.as_any());
        each(&self.name);
        each(self.emitter.as_any());
        let shared = self.shared();
        if let Some(ticket) = self.ticket.filter(|_| self.enlisted && shared.home.is_here()) {
            // Somebody holds the lock: what is not reported only lives longer.
            let _ = shared
                .medium
                .try_visit_sender(ticket, &mut |waker| waker.objects().for_each(&mut *each));
        }
    }
}

/// A `RuntimeWarning`; as an error it cannot be raised from where something is dropped.
fn warn_unawaited(py: Python<'_>, said: &str) {
    let category = py.get_type::<PyRuntimeWarning>();
    let message = CString::new(said).unwrap_or_default();
    if let Err(error) = PyErr::warn(py, &category, &message, 1) {
        error.write_unraisable(py, None);
    }
}

/// What is known of an emission that has gone out.
pub enum Emitted {
    Receipt(Py<PyAny>),
    /// The journal will tell.
    Appended(Arc<Fate>),
}

/// After so many emissions in a row, what is committed by then is delivered.
const GIVE_WAY: usize = 1_024;

/// Several emissions, one after the other. Those that a journal has are waited for together, at the end.
pub struct EmitManyOp {
    pub waves: VecDeque<EmitOp>,
    pub receipts: Vec<Emitted>,
    /// It has emitted many in a row, and gives way to the loop.
    pub pausing: bool,
    pub writer: Option<Arc<Writer>>,
}

impl EmitManyOp {
    fn last_appended(&self) -> Option<&Arc<Fate>> {
        self.receipts.iter().rev().find_map(|receipt| match receipt {
            Emitted::Receipt(_) => None,
            Emitted::Appended(fate) => Some(fate),
        })
    }

    /// The final receipt; an error if the journal has refused the wave.
    fn receipt(&self, py: Python<'_>, emitted: Emitted) -> PyResult<Py<PyAny>> {
        match (emitted, &self.writer) {
            (Emitted::Appended(fate), Some(writer)) => {
                PyReceipt::appended(py, writer, &fate).map(Py::into_any)
            }
            (Emitted::Appended(_), None) => Ok(py.None()),
            (Emitted::Receipt(receipt), _) => Ok(receipt),
        }
    }
}

impl Operation for EmitManyOp {
    const NAME: &'static CStr = c"aether._native.Emissions";

    fn store() -> &'static Store {
        static STORE: Store = Store::new();
        &STORE
    }

    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        while let Some(first) = self.waves.front_mut() {
            let receipt = match (first.attempt(py)?, &first.journal) {
                (Some(receipt), _) => Emitted::Receipt(receipt),
                (None, AtJournal::Commit(fate)) => Emitted::Appended(Arc::clone(fate)),
                (None, _) => return Ok(None),
            };
            self.receipts.push(receipt);
            self.waves.pop_front();
            if self.writer.is_some() && self.receipts.len() % GIVE_WAY == 0 {
                give_way(py);
            }
            // The last one is counted as the await that ends in place.
            if !self.waves.is_empty() && in_place(|row| row + 1) >= IN_PLACE_LIMIT {
                self.pausing = true;
                return Ok(None);
            }
        }
        // They are told in order.
        if self.last_appended().is_some_and(|fate| fate.told().is_none()) {
            return Ok(None);
        }
        let receipts = std::mem::take(&mut self.receipts);
        let receipts = receipts.into_iter().map(|receipt| self.receipt(py, receipt));
        let receipts: Vec<Py<PyAny>> = receipts.collect::<PyResult<_>>()?;
        Ok(Some(PyList::new(py, receipts)?.into_any().unbind()))
    }

    fn enlist(&mut self, py: Python<'_>, sleeper: Sleeper) -> PyResult<bool> {
        if std::mem::take(&mut self.pausing) {
            sleeper.wake_soon(py)?;
            return Ok(true);
        }
        if let Some(first) = self.waves.front_mut() {
            return first.enlist(py, sleeper);
        }
        Ok(self
            .last_appended()
            .is_some_and(|fate| fate.enlist(Waker { post: Post::Watcher, sleeper }).is_none()))
    }

    fn timers<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.waves.front().and_then(|first| first.timers(py))
    }

    fn patience(&mut self, py: Python<'_>) -> Option<f64> {
        self.waves.front_mut().and_then(|first| first.patience(py))
    }

    fn run_out(&mut self, _py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        // None of them has a timeout: time has made room.
        Ok(None)
    }

    fn abandon(&mut self, py: Python<'_>) {
        if let Some(first) = self.waves.front_mut() {
            first.abandon(py);
        }
    }

    fn never_awaited(&self, py: Python<'_>) {
        if let Some(first) = self.waves.front() {
            first.never_awaited(py);
        }
    }

    fn visit(&self, each: &mut dyn FnMut(&Py<PyAny>)) {
        self.waves.iter().for_each(|wave| wave.visit(each));
        for receipt in &self.receipts {
            if let Emitted::Receipt(receipt) = receipt {
                each(receipt);
            }
        }
    }
}
