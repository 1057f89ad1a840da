//! A wave on its way out: made from what was asked, checked, and tried.

use std::f64::consts::PI;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aether_core::channel::check_channel;
use aether_core::medium::{Carry, Emission, Refusal, Reserved, Sent, Ticket};
use aether_core::router::Hint;
use aether_core::wave::{Spent, Strength, wrapped};
use aether_journal::record::Encoded;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::causes::{caused, hand_on};
use crate::channel::{channel_object, text};
use crate::context::{handled, is_inside};
use crate::errors::{NoReceiver, WouldBlock, channel_error};
use crate::journal::{Admitted, Appended, Fate, Writer};
use crate::machine::{Quickly, Raised};
use crate::origin::Origin;
use crate::rare::{Given, Rare, checked_amplitude};
use crate::receipt::PyReceipt;
use crate::refusals::{closed_vibrator, not_admitted, would_block};
use crate::shared::Shared;
use crate::tracing::{Behind, Sending};
use crate::waker::{Aftermath, rouse_all};
use crate::wave::{Hands, Held, PyWave};

/// What may be said of an emission beside channel and payload.
#[derive(Default)]
pub struct Options<'a, 'py> {
    pub amplitude: Option<f64>,
    pub given: Given<'a, 'py>,
    pub cause: Option<&'a Bound<'py, PyWave>>,
    pub compensates: Option<&'a Bound<'py, PyWave>>,
    pub require: Option<usize>,
    pub timeout: Option<f64>,
}

/// A wave that is ready to go.
pub struct Draft {
    pub wave: Held,
    hint: Hint,
    require: usize,
    /// By the rules of a hop it goes nowhere.
    spent: Option<Spent>,
    /// Its record, in a medium with a journal.
    encoded: Option<Box<Encoded>>,
    /// Its span, if it is followed.
    sending: Option<Box<Sending>>,
    /// When it began to wait, in monotonic seconds; NaN: it does not, or nobody wants to know.
    pub begun: f64,
}

/// What an attempt came to.
pub enum Attempt {
    Sent(Py<PyReceipt>),
    /// These vibrators block and are full.
    Full(Vec<Arc<str>>),
    /// The journal has it, and delivers it.
    Appended(Arc<Fate>),
    /// So much waits for the disk that there is no room for more before this is told.
    Busy(Arc<Fate>),
}

impl Draft {
    /// Checks everything that can be wrong with a new wave, and makes it.
    #[inline]
    pub fn new(
        py: Python<'_>,
        shared: &Shared,
        origin: &Origin,
        name: &Bound<'_, PyAny>,
        payload: Option<Py<PyAny>>,
        options: &Options<'_, '_>,
    ) -> PyResult<Self> {
        shared.home.enter()?;
        let (channel, hint) = shared.channel(name)?;
        let amplitude = options.amplitude.map(checked_amplitude).transpose()?;
        let mut rare = Rare::checked(&options.given)?;
        let named = Behind::names(py, shared, rare.as_deref());
        let timestamp = shared.medium.clock().unix();
        let (hopped, before) = match (options.cause, options.compensates) {
            (None, None) => {
                let first = Strength::new(amplitude.unwrap_or(1.0));
                (first.hop(&shared.tuning.rules(py)), first)
            }
            (Some(cause), None) => {
                let cause = cause.get();
                hand_on(py, &mut rare, cause, true)?;
                (caused(cause.strength, amplitude, &shared.tuning.rules(py)), cause.strength)
            }
            (None, Some(compensated)) => {
                let cause = compensated.get();
                hand_on(py, &mut rare, cause, true)?;
                let rare = rare.get_or_insert_default();
                if options.given.phase.is_none() {
                    rare.phase = wrapped(cause.phase() + PI).unwrap_or(0.0);
                }
                rare.frequency = options.given.frequency.or(Some(cause.frequency()));
                rare.undoes = Some(Box::new(cause.to_undo()));
                (caused(cause.strength, amplitude, &shared.tuning.rules(py)), cause.strength)
            }
            (Some(_), Some(_)) => {
                return Err(PyValueError::new_err(
                    "a wave has one cause: give cause= or compensates=, which is a cause in antiphase",
                ));
            }
        };
        let (strength, spent) = match hopped {
            Ok(strength) => (strength, None),
            Err(spent) => (before, Some(spent)),
        };
        if options.cause.is_none() && options.compensates.is_none() {
            if let Some(handled) = handled(py, shared) {
                hand_on(py, &mut rare, handled.get(), false)?;
            }
        }
        let source = origin.name.as_ref().map(|name| name.clone_ref(py));
        let payload = payload.unwrap_or_else(|| py.None());
        let wave = PyWave::new(py, channel, payload, source, strength, timestamp, rare);
        let cause = options.cause.or(options.compensates).map(Bound::get);
        let draft = (hint, options.require, spent);
        Self::ready(py, (shared, origin), wave, Behind { named, cause }, draft)
    }

    /// A new wave of which nothing is said but its strength after the first hop; `None`: there is no memory.
    #[inline]
    pub fn plain(
        py: Python<'_>,
        (shared, origin): (&Shared, &Origin),
        (channel, hint): (Py<PyAny>, Hint),
        payload: Option<&Bound<'_, PyAny>>,
        strength: Strength,
        follow: bool,
    ) -> Option<Self> {
        let payload = payload.map_or_else(|| py.None(), |payload| payload.clone().unbind());
        let source = origin.name.as_ref().map(|name| name.clone_ref(py));
        let timestamp = shared.medium.clock().unix();
        let mut wave = PyWave::new(py, channel, payload, source, strength, timestamp, None);
        let sending = if follow {
            Sending::begin(py, shared, origin, &mut wave, Behind::default()).ok()?
        } else {
            None
        };
        let wave = Held(wave.into_object(py).ok()?);
        shared.weigh(py, wave.0.get());
        Some(Self { wave, hint, require: 0, spent: None, encoded: None, sending, begun: f64::NAN })
    }

    /// An emission of a wave that exists: one more hop of it.
    pub fn again(
        py: Python<'_>,
        shared: &Shared,
        origin: &Origin,
        wave: &Bound<'_, PyWave>,
        options: &Options<'_, '_>,
    ) -> PyResult<Self> {
        shared.home.enter()?;
        let given = wave.get();
        let name = given.channel.bind(py);
        let (_, hint) = shared.channel(name)?;
        let (strength, spent) = match given.strength.hop(&shared.tuning.rules(py)) {
            Ok(strength) => (strength, None),
            Err(spent) => (given.strength, Some(spent)),
        };
        let mut hopped = given.with(py, strength);
        if let Some(name) = &origin.name {
            hopped.source = Some(name.clone_ref(py));
        }
        let first = given.strength.hops == 0;
        let named = first && Behind::names(py, shared, hopped.rare.as_deref());
        if !first {
            hopped.rare.get_or_insert_default().trail = Some(given.trail(py)?);
        } else if let Some(handled) = handled(py, shared) {
            hand_on(py, &mut hopped.rare, handled.get(), false)?;
        }
        let behind = Behind { named, cause: (!first).then_some(given) };
        Self::ready(py, (shared, origin), hopped, behind, (hint, options.require, spent))
    }

    /// A wave that the library emits itself, on a channel that it derives.
    pub fn derived(
        py: Python<'_>,
        (shared, origin): (&Shared, &Origin),
        name: &str,
        payload: Py<PyAny>,
        strength: Strength,
        rare: Rare,
        cause: Option<&PyWave>,
    ) -> PyResult<Self> {
        shared.home.enter()?;
        check_channel(name, shared.limits.derived())
            .map_err(|fault| channel_error(name, &fault))?;
        let channel = channel_object(&PyString::new(py, name))?;
        let timestamp = shared.medium.clock().unix();
        let wave = PyWave::new(py, channel, payload, None, strength, timestamp, Some(rare.into()));
        let behind = Behind { named: false, cause };
        Self::ready(py, (shared, origin), wave, behind, (Hint::default(), None, None))
    }

    /// A checked wave as it goes out: followed if it is to be, and encoded if it is to be written.
    #[inline]
    fn ready(
        py: Python<'_>,
        (shared, origin): (&Shared, &Origin),
        mut wave: PyWave,
        behind: Behind<'_>,
        (hint, require, spent): (Hint, Option<usize>, Option<Spent>),
    ) -> PyResult<Self> {
        let sending = Sending::begin(py, shared, origin, &mut wave, behind)?;
        let wave = Held(wave.into_object(py)?);
        shared.weigh(py, wave.0.get());
        let encoded = Self::encoded(py, shared, &wave, spent)?;
        let require = require.unwrap_or(0);
        Ok(Self { wave, hint, require, spent, encoded, sending, begun: f64::NAN })
    }

    /// The record of a wave that goes somewhere, if there is a journal to write it to.
    fn encoded(
        py: Python<'_>,
        shared: &Shared,
        wave: &Held,
        spent: Option<Spent>,
    ) -> PyResult<Option<Box<Encoded>>> {
        match &shared.writer {
            Some(writer) if spent.is_none() => writer.encoded(py, wave.0.get()).map(Some),
            _ => Ok(None),
        }
    }

    /// Emits, if nothing blocks. `name` is what the channel was given as, to remember its route by;
    /// `ticket` that of an emission that has waited.
    pub fn send(
        &mut self,
        py: Python<'_>,
        shared: &Arc<Shared>,
        origin: &Arc<Origin>,
        name: &Bound<'_, PyAny>,
        ticket: Option<Ticket>,
    ) -> PyResult<Attempt> {
        let attempt = self.attempt(py, shared, origin, name, ticket);
        match (attempt, &mut self.sending) {
            (Err(error), _) => Err(self.failed(py, error)),
            (Ok(Attempt::Appended(fate)), Some(sending)) => {
                sending.appended(self.wave.0.get());
                Ok(Attempt::Appended(fate))
            }
            (attempt, _) => attempt,
        }
    }

    /// It comes to nothing but this error.
    #[cold]
    pub fn failed(&mut self, py: Python<'_>, error: PyErr) -> PyErr {
        if let Some(sending) = &mut self.sending {
            sending.raised(py, &error);
        }
        error
    }

    #[inline]
    fn attempt(
        &mut self,
        py: Python<'_>,
        shared: &Arc<Shared>,
        origin: &Arc<Origin>,
        name: &Bound<'_, PyAny>,
        ticket: Option<Ticket>,
    ) -> PyResult<Attempt> {
        shared.home.enter()?;
        let channel = self.channel(py)?;
        if origin.closed.load(Ordering::Relaxed) {
            return Err(closed_vibrator(py, origin, channel));
        }
        if let Some(spent) = self.spent {
            if self.require > 0 {
                return Err(NoReceiver::new_err(format!(
                    "emitting on {channel:?} requires {} and the wave goes nowhere ({}); nothing was emitted",
                    self.require,
                    spent.name()
                )));
            }
            let receipt = Py::new(py, self.dies(py, shared, channel, spent))?;
            if let Some(sending) = &mut self.sending {
                sending.spent(spent.name());
            }
            return Ok(Attempt::Sent(receipt));
        }
        if let Some(writer) = &shared.writer {
            return self.append(py, (shared, origin, writer), name, ticket);
        }
        let emission = self.emission(py, shared, origin, channel);
        let (mut hint, mut after) = (self.hint, Aftermath::default());
        let medium = &shared.medium;
        let outcome = medium.emit(&emission, &mut hint, ticket, &self.wave, &Hands(py), &mut after);
        self.note_route(name, shared, hint, outcome.as_ref().map(|sent| sent.matched));
        if let Ok(sent) = &outcome {
            self.delivered(py, shared, sent);
        }
        shared.settle(py, after);
        match outcome {
            Ok(sent) => {
                origin.count(py);
                Ok(Attempt::Sent(PyReceipt::sent(py, shared, sent)?))
            }
            Err(Refusal::Full(full)) => Ok(Attempt::Full(full)),
            Err(refusal) => Err(self.refused(py, shared, origin, &refusal)),
        }
    }

    /// The same in a medium with a journal, which delivers it later: room is reserved, and the record appended.
    fn append(
        &mut self,
        py: Python<'_>,
        (shared, origin, writer): (&Arc<Shared>, &Arc<Origin>, &Writer),
        name: &Bound<'_, PyAny>,
        ticket: Option<Ticket>,
    ) -> PyResult<Attempt> {
        let emission = self.emission(py, shared, origin, self.channel(py)?);
        let (mut hint, mut after) = (self.hint, Aftermath::default());
        let reserved = shared.medium.reserve(&emission, &mut hint, ticket, &mut after);
        self.note_route(name, shared, hint, reserved.as_ref().map(Reserved::matched));
        shared.settle(py, after);
        let reserved = match reserved {
            Ok(reserved) => reserved,
            Err(Refusal::Full(full)) => return Ok(Attempt::Full(full)),
            Err(refusal) => return Err(self.refused(py, shared, origin, &refusal)),
        };
        if self.begun.is_nan() {
            self.begun = shared.begun();
        }
        let fate = Arc::new(Fate::default());
        let admitted = Box::new(Admitted {
            shared: Arc::clone(shared),
            origin: Arc::clone(origin),
            wave: Held(self.wave.0.clone_ref(py)),
            reserved,
            begun: self.begun,
            fate: Arc::clone(&fate),
            undurably: writer.undurably,
        });
        let Some(encoded) = &mut self.encoded else {
            return Err(PyRuntimeError::new_err("this wave was appended already"));
        };
        match writer.append(encoded, admitted) {
            Appended::Placed(sequence) => {
                fate.place(sequence);
                Hands(py).number(&self.wave, sequence);
                origin.count(py);
                Ok(Attempt::Appended(fate))
            }
            Appended::Busy(admitted) => {
                admitted.give_up(py);
                Ok(Attempt::Busy(writer.latest()))
            }
            Appended::Refused(admitted, _) if writer.undurably => {
                origin.count(py);
                rouse_all(py, admitted.deliver(py, 0));
                Ok(Attempt::Appended(fate))
            }
            Appended::Refused(admitted, refusal) => {
                admitted.give_up(py);
                Err(writer.refused(&refusal))
            }
        }
    }

    /// The same where nothing stands in the way; `None`: it has to be sent by [`Self::send`], which says why
    /// if it fails. Nothing has happened then.
    #[inline]
    pub fn send_quickly(
        &mut self,
        py: Python<'_>,
        shared: &Shared,
        origin: &Origin,
        name: &Bound<'_, PyAny>,
    ) -> Quickly<Py<PyReceipt>> {
        if !shared.home.is_settled()
            || origin.closed.load(Ordering::Relaxed)
            || self.spent.is_some()
            || self.encoded.is_some()
        {
            return Ok(None);
        }
        let wave = self.wave.0.get();
        if wave.rare.is_none() && self.require == 0 {
            let (priority, mut listener) = (wave.strength.priority, None);
            let (medium, hint, wakes) = (&shared.medium, self.hint, &mut listener);
            let one = if shared.times.is_none() {
                medium.emit_to_one(priority, hint, &self.wave, &Hands(py), wakes)
            } else {
                medium.emit_to_one_counted(priority, hint, &self.wave, &Hands(py), wakes)
            };
            if let Some((sequence, handled)) = one {
                origin.count(py);
                shared.time_admission(sequence, self.begun);
                shared.tap(py, &self.wave, sequence);
                if let Some(waker) = listener {
                    shared.wake(py, waker);
                }
                return PyReceipt::one(py, shared, sequence, handled);
            }
        }
        self.send_to_all(py, shared, origin, name)
    }

    #[inline(never)]
    fn send_to_all(
        &mut self,
        py: Python<'_>,
        shared: &Shared,
        origin: &Origin,
        name: &Bound<'_, PyAny>,
    ) -> Quickly<Py<PyReceipt>> {
        let Ok(channel) = self.channel(py) else { return Ok(None) };
        let emission = self.emission(py, shared, origin, channel);
        let (mut hint, mut after) = (self.hint, Aftermath::default());
        let medium = &shared.medium;
        let outcome = medium.emit(&emission, &mut hint, None, &self.wave, &Hands(py), &mut after);
        self.note_route(name, shared, hint, outcome.as_ref().map(|sent| sent.matched));
        if let Ok(sent) = &outcome {
            self.delivered(py, shared, sent);
        }
        shared.settle_attached(py, after);
        let Ok(sent) = outcome else { return Ok(None) };
        origin.count(py);
        PyReceipt::sent(py, shared, sent).map(Some).map_err(|error| Raised::set(py, error))
    }

    /// Shows it to those who look on.
    #[inline]
    fn delivered(&mut self, py: Python<'_>, shared: &Shared, sent: &Sent) {
        shared.time_admission(sent.sequence, self.begun);
        shared.tap(py, &self.wave, sent.sequence);
        if let Some(sending) = &mut self.sending {
            sending.sent(self.wave.0.get(), sent.matched, sent.dropped);
        }
    }

    /// Remembers what the next emission on the same name would like to know.
    #[inline]
    fn note_route(
        &mut self,
        name: &Bound<'_, PyAny>,
        shared: &Shared,
        hint: Hint,
        matched: Result<usize, &Refusal>,
    ) {
        let heard = shared.retains || matched.map_or(true, |matched| matched > 0);
        if hint != self.hint || !heard {
            self.hint = hint;
            shared.remember(name, hint, heard);
        }
    }

    /// Emits, or raises `WouldBlock`.
    #[inline]
    pub fn send_now(
        mut self,
        py: Python<'_>,
        shared: &Arc<Shared>,
        origin: &Arc<Origin>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Py<PyReceipt>> {
        match (self.send(py, shared, origin, name, None)?, &shared.writer) {
            (Attempt::Sent(receipt), _) => Ok(receipt),
            (Attempt::Appended(fate), Some(writer)) => PyReceipt::appended(py, writer, &fate),
            (Attempt::Full(full), _) => {
                let error = would_block(self.channel(py)?, &full);
                Err(self.failed(py, error))
            }
            (Attempt::Busy(_) | Attempt::Appended(_), _) => {
                let error = WouldBlock::new_err(format!(
                    "emitting on {:?} would block: the journal has as much to write as it may hold back; await \
                     emit_wave, or give the journal more pending_bytes",
                    self.channel(py)?
                ));
                Err(self.failed(py, error))
            }
        }
    }

    /// It was not sent, and is made anew the long way.
    #[cold]
    pub fn unsent(&mut self) {
        if let Some(sending) = self.sending.take() {
            sending.undo();
        }
    }

    /// It was only to be checked, or could not be sent: nobody is to know of it.
    #[cold]
    pub fn discard(&mut self) {
        if let Some(sending) = self.sending.take() {
            sending.discard();
        }
    }

    /// Drops it in a thread that is attached though `PyO3` may not know it.
    #[inline]
    pub fn release(self, py: Python<'_>) {
        drop(self.wave.0.into_bound(py));
    }

    /// The text of its channel.
    pub fn channel<'a>(&'a self, py: Python<'a>) -> PyResult<&'a str> {
        text(self.wave.0.get().channel.bind(py))
    }

    /// What the core needs to know of it.
    #[inline]
    pub fn emission<'a>(
        &self,
        py: Python<'_>,
        shared: &Shared,
        origin: &Origin,
        channel: &'a str,
    ) -> Emission<'a> {
        let emission = emission_of(shared, origin, &self.wave, channel);
        Emission { inside: is_inside(py, shared), require: self.require, ..emission }
    }

    #[cold]
    fn dies(&self, py: Python<'_>, shared: &Shared, channel: &str, spent: Spent) -> PyReceipt {
        let trail = self.wave.0.get().rare.as_ref().and_then(|rare| rare.trail.as_deref());
        if let Some(trail) = trail {
            shared.chain_ended(py, trail, channel, spent.name());
        }
        PyReceipt::spent(spent)
    }

    #[cold]
    fn refused(
        &self,
        py: Python<'_>,
        shared: &Shared,
        origin: &Origin,
        refusal: &Refusal,
    ) -> PyErr {
        let amplitude = self.wave.0.get().strength.amplitude;
        match self.channel(py) {
            Ok(channel) => {
                not_admitted(py, shared, origin, channel, amplitude, self.require, refusal)
            }
            Err(error) => error,
        }
    }
}

/// What the core needs to know of a wave on its way, from outside and without a requirement.
#[inline]
pub fn emission_of<'a>(
    shared: &Shared,
    origin: &Origin,
    wave: &Held,
    channel: &'a str,
) -> Emission<'a> {
    let wave = wave.0.get();
    Emission {
        channel,
        amplitude: wave.strength.amplitude,
        priority: wave.strength.priority,
        lifetime: wave.lifetime(shared.medium.clock()),
        emitter: origin.identity,
        inside: false,
        require: 0,
        weight: if shared.weighs() { wave.weight() } else { 0 },
    }
}
