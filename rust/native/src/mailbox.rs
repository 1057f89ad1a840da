//! `Mailbox`: a handle on one mailbox of the core, and what the garbage collector sees of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use aether_core::channel::Pattern;
use aether_core::mailbox::Overflow;
use aether_core::medium::{Emission, Key, Take};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyString};

use crate::actors::LastReader;
use crate::awaitable::awaitable;
use crate::channel::text;
use crate::errors::{Closed, EndOfStream, WouldBlock, channel_error, quietly, seconds};
use crate::journal::{Cursor, Rules};
use crate::last;
use crate::receive::{ReceiveOp, Source, Wanted};
use crate::shared::Shared;
use crate::waker::Aftermath;
use crate::wave::{Held, PyWave};

/// A mailbox of the medium. It ends with the last handle on it.
#[pyclass(frozen, weakref, name = "Mailbox", module = "aether._native")]
pub struct PyMailbox {
    pub shared: Arc<Shared>,
    pub key: Key,
    /// Under which number it is counted by name.
    pub counted_as: u32,
    name: Py<PyString>,
    overflow: Overflow,
    /// It is that of a handler.
    pub is_lane: bool,
    last_reader: LastReader,
    /// Nobody can name its readers, and that has been said.
    unknown_reader: AtomicBool,
    /// What keeps count of what its readers have finished.
    cursor: OnceLock<Arc<Cursor>>,
}

impl PyMailbox {
    pub fn new(
        shared: Arc<Shared>,
        key: Key,
        name: Py<PyString>,
        overflow: Overflow,
        is_lane: bool,
    ) -> Self {
        let counted_as = shared.times.as_ref().map_or(0, |_| shared.medium.counted_as(key));
        Self {
            shared,
            key,
            counted_as,
            name,
            overflow,
            is_lane,
            last_reader: LastReader::default(),
            unknown_reader: AtomicBool::new(false),
            cursor: OnceLock::new(),
        }
    }

    pub fn name(&self, py: Python<'_>) -> String {
        self.name.bind(py).to_string()
    }

    /// Notes who reads, where that can matter: only who blocks can be part of a deadlock. Returns what is
    /// remembered of the running task then, if it is one that can be named.
    #[inline]
    pub fn note_reader(&self, py: Python<'_>) -> PyResult<Option<&LastReader>> {
        // Once somebody has read whom nobody can name, there is no proof, whoever reads later.
        if self.is_anonymous() || self.unknown_reader.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match self.last_reader.changed(py)? {
            None => {}
            Some(0) => {
                self.unknown_reader.store(true, Ordering::Relaxed);
                self.shared.medium.read_by(self.key, None);
                return Ok(None);
            }
            known => self.shared.medium.read_by(self.key, known),
        }
        Ok(Some(&self.last_reader))
    }

    /// Whether nothing ever has to be noted of readers.
    #[inline]
    pub fn is_anonymous(&self) -> bool {
        self.overflow != Overflow::Block
    }

    /// What keeps count of what its readers have finished.
    #[inline]
    pub fn cursor(&self) -> Option<&Arc<Cursor>> {
        self.cursor.get()
    }

    /// The next wave for a reader, or the error that says why there is none.
    pub fn take_now(&self, py: Python<'_>, reader: u64) -> PyResult<(Py<PyWave>, u64)> {
        self.shared.home.enter()?;
        self.note_reader(py)?;
        let mut after = Aftermath::default();
        let taken = match self.cursor() {
            None => self.shared.medium.take(self.key, None, &mut after),
            Some(cursor) => {
                cursor.ask(py, reader);
                cursor.take(py, self, reader, None, &mut after)
            }
        };
        self.shared.settle(py, after);
        match taken {
            Take::Wave(taken) => {
                self.shared.time_receipt(&taken.item, self);
                Ok((taken.item.0, taken.missed))
            }
            Take::Empty => Err(WouldBlock::new_err(format!(
                "no wave waits at {:?}; await receive(), or look at statistics() first",
                self.name(py)
            ))),
            Take::Ended => Err(self.ended(py)),
        }
    }

    /// `EndOfStream`.
    pub fn ended(&self, py: Python<'_>) -> PyErr {
        EndOfStream::new_err(format!(
            "{:?} is closed and every wave of it was taken; no more will come",
            self.name(py)
        ))
    }

    fn pattern(&self, name: &Bound<'_, PyAny>) -> PyResult<Pattern> {
        self.shared.home.enter()?;
        let read = text(name)?;
        Pattern::parse(read, self.shared.limits).map_err(|fault| channel_error(read, &fault))
    }

    /// What a mailbox that resonates already says to a cursor: nothing, if that is all it asks for.
    #[cold]
    fn resonates_by(&self, name: &str, has: &[Pattern], asked: &[Pattern]) -> PyResult<usize> {
        let known = |one: &Pattern| has.iter().any(|known| known.canonical() == one.canonical());
        let same = self.cursor().is_some_and(|cursor| &*cursor.name == name);
        if same && asked.iter().all(known) {
            return Ok(0);
        }
        let names: Vec<&str> = has.iter().map(Pattern::as_str).collect();
        let by = match self.cursor() {
            Some(cursor) => format!("by cursor {:?}", cursor.name),
            None => "without a cursor".to_owned(),
        };
        Err(PyValueError::new_err(format!(
            "cursor {name:?} keeps count of a whole mailbox, and this one has resonated {by} on [{}]: give all patterns \
             with the cursor, in one call, to a vibrator that resonates on nothing yet",
            names.join(", ")
        )))
    }

    #[cold]
    fn resonates_no_more(&self, py: Python<'_>) -> PyErr {
        Closed::new_err(format!(
            "vibrator {:?} is closed and resonates no more; make a new one",
            self.name(py)
        ))
    }

    fn with_aftermath<R>(&self, py: Python<'_>, act: impl FnOnce(&mut Aftermath) -> R) -> R {
        let mut after = Aftermath::default();
        let done = act(&mut after);
        self.shared.settle(py, after);
        done
    }
}

#[pymethods]
impl PyMailbox {
    /// Resonates on a pattern; false if it does already.
    fn resonate(&self, py: Python<'_>, pattern: &Bound<'_, PyAny>) -> PyResult<bool> {
        let parsed = self.pattern(pattern)?;
        self.shared.medium.resonate(self.key, parsed).ok_or_else(|| self.resonates_no_more(py))
    }

    /// The same with history: what the journal has after a sequence comes first. In a medium with a journal.
    fn resonate_after(
        &self,
        py: Python<'_>,
        pattern: &Bound<'_, PyAny>,
        sequence: u64,
    ) -> PyResult<bool> {
        let parsed = self.pattern(pattern)?;
        self.shared.begin_refill()?;
        let mut after = Aftermath::default();
        let resonates = self.shared.medium.resonate_behind(self.key, parsed, sequence, &mut after);
        self.shared.settle(py, after);
        resonates.ok_or_else(|| self.resonates_no_more(py))
    }

    /// Resonates on patterns, beginning with the last wave of each channel. Returns on how many; those that it
    /// resonates on already change nothing.
    fn resonate_last(&self, py: Python<'_>, patterns: Vec<Bound<'_, PyAny>>) -> PyResult<usize> {
        let parsed: Vec<Pattern> =
            patterns.iter().map(|name| self.pattern(name)).collect::<PyResult<_>>()?;
        let resonates = last::resonate(py, &self.shared, self.key, &parsed)?;
        resonates.ok_or_else(|| self.resonates_no_more(py))
    }

    /// Resonates on patterns by a durable cursor: from where its readers have stopped, or else after a sequence, or
    /// from now on. Returns on how many; 0 if it does so already.
    #[pyo3(signature = (patterns, name, after, by_next, timeout, most))]
    #[expect(clippy::too_many_arguments, reason = "the options of a cursor")]
    fn resonate_by_cursor(
        &self,
        py: Python<'_>,
        patterns: Vec<Bound<'_, PyAny>>,
        name: &str,
        after: Option<u64>,
        by_next: bool,
        timeout: f64,
        most: u32,
    ) -> PyResult<usize> {
        let parsed: Vec<Pattern> =
            patterns.iter().map(|name| self.pattern(name)).collect::<PyResult<_>>()?;
        let Some(writer) = &self.shared.writer else {
            return Err(PyValueError::new_err(
                "cursor= needs a medium with a journal: Aether(journal=Journal(path))",
            ));
        };
        let has = self.shared.medium.patterns(self.key);
        if self.cursor().is_some() || !has.is_empty() {
            return self.resonates_by(name, &has, &parsed);
        }
        if !matches!(self.overflow, Overflow::Block | Overflow::Error | Overflow::Replay) {
            return Err(PyValueError::new_err(format!(
                "cursor {name:?} forgets nothing, and the overflow of {:?} drops waves: make it 'block', 'error' or \
                 'replay'",
                self.name(py)
            )));
        }
        self.shared.begin_refill()?;
        let rules = Rules { by_next, timeout, most };
        let asked = (name, after, rules);
        let cursor = self.shared.cursors.claim(py, &self.shared, writer, self.key, asked)?;
        // Before a wave can be there.
        if self.cursor.set(Arc::clone(&cursor)).is_err() {
            return self.resonates_by(name, &has, &parsed);
        }
        let (low, mut added, mut after) = (cursor.low(py), 0, Aftermath::default());
        for pattern in parsed {
            let resonates = self.shared.medium.resonate_behind(self.key, pattern, low, &mut after);
            added += usize::from(resonates.ok_or_else(|| self.resonates_no_more(py))?);
        }
        self.shared.settle(py, after);
        cursor.begins(py);
        Ok(added)
    }

    /// The number that `Medium.survey` has for it.
    #[getter]
    fn number(&self) -> u64 {
        self.key.number()
    }

    /// The name of its cursor, if it has one.
    #[getter]
    fn cursor_name(&self) -> Option<&str> {
        self.cursor().map(|cursor| &*cursor.name)
    }

    /// Whether it has waves to come from the journal before live ones.
    #[getter]
    fn is_behind(&self) -> PyResult<bool> {
        self.shared.home.enter()?;
        Ok(self.shared.medium.is_behind(self.key))
    }

    /// Takes back a pattern, in any spelling; false if it is not resonated on.
    fn detune(&self, py: Python<'_>, pattern: &Bound<'_, PyAny>) -> PyResult<bool> {
        let given = self.pattern(pattern)?;
        Ok(self.with_aftermath(py, |after| self.shared.medium.detune(self.key, &given, after)))
    }

    /// The patterns, as they were spelled.
    fn patterns(&self) -> PyResult<Vec<String>> {
        self.shared.home.enter()?;
        let patterns = self.shared.medium.patterns(self.key);
        Ok(patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect())
    }

    /// One more member shares it, with so many tasks that will read it; false if it is closed.
    fn join(&self, readers: usize) -> PyResult<bool> {
        self.shared.home.enter()?;
        let joined = self.shared.medium.join(self.key);
        if joined {
            self.shared.medium.expect_readers(self.key, readers);
        }
        Ok(joined)
    }

    /// A member goes, unless it is the last; returns whether it is.
    fn resign(&self) -> PyResult<bool> {
        self.shared.home.enter()?;
        Ok(self.shared.medium.resign(self.key))
    }

    /// A member goes; the last one closes it. Returns whether it did.
    fn leave(&self, py: Python<'_>) -> PyResult<bool> {
        self.shared.home.enter()?;
        Ok(self.with_aftermath(py, |after| self.shared.medium.leave(self.key, after)))
    }

    /// Takes no more waves; readers get the rest, then the end.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.home.enter()?;
        self.with_aftermath(py, |after| self.shared.medium.finish(self.key, after));
        Ok(())
    }

    /// Ends at once.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.home.enter()?;
        self.with_aftermath(py, |after| self.shared.medium.close(self.key, after));
        Ok(())
    }

    /// Whether it takes waves.
    #[getter]
    fn is_open(&self) -> PyResult<bool> {
        self.shared.home.enter()?;
        Ok(self.shared.medium.is_open(self.key))
    }

    /// How many waves wait.
    fn __len__(&self) -> PyResult<usize> {
        self.shared.home.enter()?;
        Ok(self.shared.medium.waiting(self.key))
    }

    /// Puts a wave straight in; false if it is closed or did not keep it.
    fn put(&self, py: Python<'_>, wave: Py<PyWave>) -> PyResult<bool> {
        self.shared.home.enter()?;
        let given = wave.clone_ref(py);
        let given = given.get();
        self.shared.weigh(py, given);
        let emission = Emission {
            channel: text(given.channel.bind(py))?,
            amplitude: given.strength.amplitude,
            priority: given.strength.priority,
            lifetime: f64::INFINITY,
            emitter: 0,
            inside: true,
            require: 0,
            weight: 0,
        };
        let held = Held(wave);
        Ok(self
            .with_aftermath(py, |after| self.shared.medium.hand(self.key, &emission, held, after)))
    }

    /// Awaits the next wave; `None` at the end. With a timeout: `TimeoutError`.
    #[pyo3(signature = (timeout=None))]
    fn receive<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let timeout = seconds("timeout", timeout)?;
        let op = ReceiveOp::new(Source::Mailbox(slf.clone().unbind()), Wanted::One).timed(timeout);
        awaitable(slf.py(), op)
    }

    /// The next wave, or `WouldBlock`, or `EndOfStream`.
    fn receive_nowait(&self, py: Python<'_>) -> PyResult<Py<PyWave>> {
        Ok(self.take_now(py, 0)?.0)
    }

    /// By which name it is counted, and spoken of: that of its vibrator or group.
    #[getter]
    fn label(&self, py: Python<'_>) -> Py<PyString> {
        self.name.clone_ref(py)
    }

    /// A handler has failed on a wave of it.
    fn handler_failed(&self) {
        if let Some(times) = &self.shared.times {
            times.failed(self.counted_as);
        }
    }

    /// Counters: (used, capacity, waiting to receive, waiting to send, received, dropped by reason).
    fn counters<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(usize, usize, usize, usize, u64, Bound<'py, PyDict>)> {
        self.shared.home.enter()?;
        let counted =
            self.with_aftermath(py, |after| self.shared.medium.mailbox_statistics(self.key, after));
        let dropped = PyDict::new(py);
        for (reason, count) in counted.dropped.iter() {
            dropped.set_item(reason.name(), count)?;
        }
        let (receive, send) = (counted.waiting_receive, counted.waiting_send);
        Ok((counted.used, counted.capacity, receive, send, counted.received, dropped))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if !self.shared.home.is_here() {
            return Ok(());
        }
        let mut waves: Result<(), PyTraverseError> = Ok(());
        let mut wakers: Result<(), PyTraverseError> = Ok(());
        // If somebody holds the lock, less is reported than there is: it only lives longer.
        let _ = self.shared.medium.try_visit(
            self.key,
            &mut |held| {
                if waves.is_ok() {
                    waves = visit.call(&held.0);
                }
            },
            &mut |waker| {
                for object in waker.objects() {
                    if wakers.is_ok() {
                        wakers = visit.call(object);
                    }
                }
            },
        );
        waves.and(wakers)
    }

    fn __clear__(&self) {
        self.discard();
    }
}

impl PyMailbox {
    /// Closes and forgets the mailbox.
    fn discard(&self) {
        if self.shared.home.is_here() {
            let mut after = Aftermath::default();
            self.shared.medium.discard(self.key, &mut after);
            Python::attach(|py| quietly(py, || self.shared.settle(py, after)));
        }
    }
}

impl Drop for PyMailbox {
    fn drop(&mut self) {
        self.discard();
    }
}
