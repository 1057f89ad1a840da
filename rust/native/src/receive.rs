//! Taking waves out of a mailbox: now, awaited, or in a thread.

use std::ffi::CStr;
use std::slice::from_ref;
use std::sync::atomic::Ordering;

use aether_core::mailbox::{Taken, WaiterId};
use aether_core::medium::{Emission, Key, Take, Unlisted};
use pyo3::exceptions::{PyStopAsyncIteration, PyTimeoutError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::actors::actor;
use crate::awaitable::Store;
use crate::channel::text;
use crate::errors::WrongLoop;
use crate::here::Thread;
use crate::holding::Holder;
use crate::machine::{Operation, Quickly, Raised};
use crate::mailbox::PyMailbox;
use crate::shared::Shared;
use crate::vibrator::PyVibrator;
use crate::waker::{Aftermath, Post, Sleeper, Waker};
use crate::wave::Held;
use crate::wave_object::prefetch;

/// What is to be taken.
#[derive(Clone, Copy, PartialEq)]
pub enum Wanted {
    /// A wave, or `None` at the end.
    One,
    /// A wave, or `StopAsyncIteration` at the end.
    Next,
    /// A list of at most so many, `[]` at the end; with the first there, it waits so many seconds for more.
    Many(usize, f64),
}

/// From where it is taken.
pub enum Source {
    /// The mailbox of a vibrator, whose `missed` is kept.
    Vibrator(Py<PyVibrator>),
    Mailbox(Py<PyMailbox>),
}

/// A receive.
pub struct ReceiveOp {
    source: Source,
    wanted: Wanted,
    waiter: Option<WaiterId>,
    /// Seconds, for a receive that gives up.
    timeout: Option<f64>,
    /// `Wanted::Many`: the first wave is there.
    gathering: bool,
    /// Who reads is known: a thread, and not the task that runs in it.
    by_thread: bool,
    /// Its mailbox's cursor, if there is one, knows that it has begun, and so does whoever follows waves.
    begun: bool,
    /// What a thread took: until it has returned with it, an interrupt may come between.
    taken: Option<Taken<Held>>,
}

impl ReceiveOp {
    pub fn new(source: Source, wanted: Wanted) -> Self {
        Self {
            source,
            wanted,
            waiter: None,
            timeout: None,
            gathering: false,
            by_thread: false,
            begun: false,
            taken: None,
        }
    }

    pub fn timed(self, timeout: Option<f64>) -> Self {
        Self { timeout, ..self }
    }

    #[inline]
    pub fn mailbox(&self) -> &PyMailbox {
        match &self.source {
            Source::Vibrator(reader) => reader.get().mailbox(),
            Source::Mailbox(mailbox) => mailbox.get(),
        }
    }

    /// A thread reads.
    pub fn read_by(&mut self, thread: &Bound<'_, PyAny>) -> PyResult<()> {
        self.by_thread = true;
        let mailbox = self.mailbox();
        mailbox.shared.home.enter()?;
        mailbox.shared.medium.read_by(mailbox.key, Some(actor(thread)?));
        Ok(())
    }

    /// Who reads, for a cursor.
    fn reader(&self) -> u64 {
        match &self.source {
            Source::Vibrator(reader) => reader.get().number,
            Source::Mailbox(_) => 0,
        }
    }

    /// A reader asks for more: what it had it has finished.
    fn ask(&self, py: Python<'_>) {
        let mailbox = self.mailbox();
        if let Some(cursor) = mailbox.cursor() {
            cursor.ask(py, self.reader());
        }
        if let Source::Vibrator(reader) = &self.source {
            mailbox.shared.follows.asks(py, &reader.get().holder);
        }
    }

    /// In whose hand it comes.
    fn holder(&self) -> Option<&Holder> {
        match &self.source {
            Source::Vibrator(reader) => Some(&reader.get().holder),
            Source::Mailbox(mailbox) => mailbox.get().holder.as_deref(),
        }
    }

    /// Tells whoever follows waves of those that were taken.
    #[inline]
    fn note(&self, py: Python<'_>, taken: &[Held]) {
        if let Source::Vibrator(reader) = &self.source {
            PyVibrator::took(reader.bind(py), &self.mailbox().shared, taken);
        } else if let Some(holder) = self.holder() {
            holder.hold(py, taken);
        }
    }

    #[inline]
    fn missed(&self, missed: u64) {
        if let Source::Vibrator(reader) = &self.source {
            reader.get().set_missed(missed);
        }
    }

    #[inline]
    fn has_departed(&self) -> bool {
        match &self.source {
            Source::Vibrator(reader) => reader.get().has_departed(),
            Source::Mailbox(_) => false,
        }
    }

    fn one(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let mut after = Aftermath::default();
        let waiter = self.waiter.take();
        let mailbox = self.mailbox();
        let moving = self.holder().map(Holder::moves);
        let taken = match mailbox.cursor() {
            None => mailbox.shared.medium.take(mailbox.key, waiter, &mut after),
            Some(cursor) => cursor.take(py, mailbox, self.reader(), waiter, &mut after),
        };
        mailbox.shared.settle(py, after);
        match taken {
            Take::Wave(taken) => {
                mailbox.shared.time_receipt(&taken.item, mailbox);
                self.missed(taken.missed);
                self.note(py, from_ref(&taken.item));
                drop(moving);
                if !self.by_thread {
                    return Ok(Some(taken.item.0.into_any()));
                }
                let wave = taken.item.0.clone_ref(py).into_any();
                self.taken = Some(taken);
                Ok(Some(wave))
            }
            Take::Empty => Ok(None),
            Take::Ended => self.end(py).map(Some),
        }
    }

    /// The thread was interrupted before it had returned: what it took goes back.
    pub fn give_back(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some(taken) = self.taken.take() else { return Ok(()) };
        let (wave, mailbox) = (taken.item.0.clone_ref(py), self.mailbox());
        let (given, shared) = (wave.get(), &mailbox.shared);
        let holder = self.holder();
        let _moving = holder.map(Holder::moves);
        let emission = Emission {
            channel: text(given.channel.bind(py))?,
            amplitude: given.strength.amplitude,
            priority: given.strength.priority,
            lifetime: given.lifetime(shared.medium.clock()),
            emitter: 0,
            inside: true,
            require: 0,
            weight: 0,
        };
        let mut after = Aftermath::default();
        let put = || shared.medium.take_back(mailbox.key, taken, &emission, &mut after);
        match mailbox.cursor() {
            None => put(),
            Some(cursor) => cursor.take_back(py, given, put),
        }
        if let Some(holder) = holder {
            // In this order: it is seen here or there, or the look is made again.
            shared.follows.holders.returned.next(py);
            holder.let_go(py, given.sequence.load(Ordering::Relaxed));
        }
        shared.settle(py, after);
        // Where it waits time may remove it, which whoever follows it has to see to.
        shared.follows.wake(py, [given.sequence.load(Ordering::Relaxed)]);
        Ok(())
    }

    /// What comes after the last wave.
    fn end(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.wanted {
            Wanted::One => Ok(py.None()),
            Wanted::Next => Err(PyStopAsyncIteration::new_err(())),
            Wanted::Many(..) => Ok(PyList::empty(py).into_any().unbind()),
        }
    }

    fn many(&mut self, py: Python<'_>, least: usize, most: usize) -> PyResult<Option<Py<PyAny>>> {
        let (mut taken, mut after) = (Vec::new(), Aftermath::default());
        let waiter = self.waiter.take();
        let (mailbox, bounds) = (self.mailbox(), (least, most));
        let medium = &mailbox.shared.medium;
        let _moving = self.holder().map(Holder::moves);
        let missed = match mailbox.cursor() {
            None => medium.take_many(mailbox.key, waiter, bounds, &mut taken, &mut after),
            Some(cursor) => {
                let missed;
                (taken, missed) =
                    cursor.take_many(py, mailbox, self.reader(), waiter, bounds, &mut after);
                missed
            }
        };
        mailbox.shared.settle(py, after);
        let ended = missed.is_none();
        if taken.is_empty() && !ended {
            return Ok(None);
        }
        mailbox.shared.time_receipts(&taken, mailbox);
        self.missed(missed.unwrap_or(0));
        self.note(py, &taken);
        listed(py, taken).map(Some)
    }

    /// How many waves must be there before it is worth an attempt.
    fn want(&self) -> usize {
        match self.wanted {
            Wanted::Many(most, max_wait) if self.gathering && max_wait > 0.0 => most,
            _ => 1,
        }
    }
}

#[inline(never)]
fn many_quickly(
    py: Python<'_>,
    reader: &Bound<'_, PyVibrator>,
    shared: &Shared,
    key: Key,
    most: usize,
) -> Quickly<Py<PyAny>> {
    let _moving = reader.get().holder.moves_quickly();
    let Some(taken) = shared.medium.take_many_quickly(key, most) else { return Ok(None) };
    reader.get().holder.finish(py);
    shared.time_receipts(&taken, reader.get().mailbox());
    reader.get().set_missed(0);
    PyVibrator::took(reader, shared, &taken);
    listed(py, taken).map(Some).map_err(|error| Raised::set(py, error))
}

/// Waves as a Python list.
fn listed(py: Python<'_>, waves: Vec<Held>) -> PyResult<Py<PyAny>> {
    Ok(PyList::new(py, waves.into_iter().map(|held| held.0))?.into_any().unbind())
}

impl Operation for ReceiveOp {
    const NAME: &'static CStr = c"aether._native.Receive";

    fn store() -> &'static Store {
        static STORE: Store = Store::new();
        &STORE
    }

    #[inline]
    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.mailbox().shared.home.enter()?;
        if self.has_departed() {
            self.abandon(py);
            return self.end(py).map(Some);
        }
        if !self.by_thread {
            match &self.source {
                Source::Vibrator(reader) => reader.get().note_reader(py)?,
                Source::Mailbox(mailbox) => drop(mailbox.get().note_reader(py)?),
            }
        }
        if !self.begun {
            self.begun = true;
            self.ask(py);
        }
        match self.wanted {
            Wanted::One | Wanted::Next => self.one(py),
            Wanted::Many(most, max_wait) if max_wait > 0.0 => {
                let taken = self.many(py, most, most)?;
                let mailbox = self.mailbox();
                self.gathering |= mailbox.shared.medium.waiting(mailbox.key) > 0;
                Ok(taken)
            }
            Wanted::Many(most, _) => self.many(py, 1, most),
        }
    }

    #[inline]
    fn quick(&mut self, py: Python<'_>, thread: &Thread) -> Quickly<Py<PyAny>> {
        let Source::Vibrator(reader) = &self.source else { return Ok(None) };
        let reader = reader.bind(py);
        let Some((shared, key)) = PyVibrator::at_hand(reader, thread) else {
            return Ok(None);
        };
        if shared.follows.any() {
            // They are to be told, which runs Python code.
            return Ok(None);
        }
        match self.wanted {
            Wanted::One | Wanted::Next => {
                let _moving = reader.get().holder.moves_quickly();
                Ok(shared.medium.take_quickly(key, prefetch).map(|taken| {
                    shared.time_receipt(&taken.item, reader.get().mailbox());
                    reader.get().set_missed(taken.missed);
                    reader.get().holder.finish(py);
                    PyVibrator::took(reader, shared, from_ref(&taken.item));
                    taken.item.0.into_any()
                }))
            }
            Wanted::Many(most, max_wait) if max_wait <= 0.0 => {
                many_quickly(py, reader, shared, key, most)
            }
            Wanted::Many(..) => Ok(None),
        }
    }

    #[inline]
    fn release(self, py: Python<'_>) {
        match self.source {
            Source::Vibrator(reader) => drop(reader.into_bound(py)),
            Source::Mailbox(mailbox) => drop(mailbox.into_bound(py)),
        }
    }

    fn enlist(&mut self, py: Python<'_>, sleeper: Sleeper) -> PyResult<bool> {
        let mailbox = self.mailbox();
        let waker = Waker { post: Post::Reader(mailbox.key), sleeper };
        let want = self.want();
        let listed =
            mailbox.shared.medium.enlist_receiver(mailbox.key, waker, want, Waker::may_join);
        match listed {
            Ok(waiter) => {
                self.waiter = Some(waiter);
                Ok(true)
            }
            // For the first of several waves, the next attempt begins to gather.
            Err(Unlisted::Retry(unused)) => {
                drop(unused);
                Ok(false)
            }
            Err(Unlisted::Apart(unused)) => {
                drop(unused);
                Err(WrongLoop::new_err(format!(
                    "a task of another event loop waits at {:?} already; one loop at a time awaits on a \
                     vibrator: give each loop a vibrator of its own (with group= to share the waves)",
                    mailbox.name(py)
                )))
            }
        }
    }

    fn abandon(&mut self, py: Python<'_>) {
        if let Some(waiter) = self.waiter.take() {
            let mailbox = self.mailbox();
            if mailbox.shared.home.is_here() {
                let mut after = Aftermath::default();
                mailbox.shared.medium.abandon_receiver(mailbox.key, waiter, &mut after);
                mailbox.shared.settle(py, after);
            }
        }
    }

    fn timers<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.mailbox().shared.timers(py)
    }

    fn patience(&mut self, _py: Python<'_>) -> Option<f64> {
        match self.wanted {
            Wanted::Many(_, max_wait) if self.gathering => {
                Some(max_wait).filter(|wait| wait.is_finite())
            }
            _ => self.timeout,
        }
    }

    fn run_out(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        if let Wanted::Many(most, _) = self.wanted {
            // The first wave may be gone again, expired or taken by another: then it waits for a new one.
            self.gathering = false;
            return self.many(py, 1, most);
        }
        if let Some(wave) = self.one(py)? {
            return Ok(Some(wave));
        }
        Err(PyTimeoutError::new_err(format!(
            "no wave came to {:?} within {} s; medium.explain(channel) says who would get one",
            self.mailbox().name(py),
            self.timeout.unwrap_or(0.0)
        )))
    }

    fn visit(&self, each: &mut dyn FnMut(&Py<PyAny>)) {
        match &self.source {
            Source::Vibrator(reader) => each(reader.as_any()),
            Source::Mailbox(mailbox) => each(mailbox.as_any()),
        }
        self.taken.iter().for_each(|taken| each(taken.item.0.as_any()));
    }
}
