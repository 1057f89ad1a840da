//! One emission: what it needs, its attempt, and its wait.

use std::f64::consts::PI;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aether_core::medium::{Actor, Emission, Enlisted, Link, Patience, Refusal, Ticket};
use aether_core::router::Hint;
use aether_core::wave::{Spent, Strength, wrapped};
use pyo3::exceptions::{PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString, PyType};

use crate::actors;
use crate::awaitable::Operation;
use crate::channel::text;
use crate::context::{handled, is_inside};
use crate::errors::{Closed, Deadlock, NoReceiver, WouldBlock};
use crate::medium::explain_rows;
use crate::receipt::PyReceipt;
use crate::shared::Shared;
use crate::stalls;
use crate::waker::{Aftermath, Post, Sleeper, Waker};
use crate::wave::{Given, Hands, Held, PyWave, Rare, checked_amplitude};

/// The header that carries the address of a request's answer. Waves that a request causes do not have it.
pub const REPLY_HEADER: &str = "aether-reply";

/// Who emits.
pub struct Origin {
    /// 0 for the medium itself.
    pub identity: u64,
    pub name: Option<Py<PyString>>,
    pub emitted: AtomicU64,
    pub closed: AtomicBool,
}

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

/// An emission that is ready to be tried.
pub struct EmitOp {
    shared: Arc<Shared>,
    origin: Arc<Origin>,
    wave: Held,
    /// The name as given, to remember its route by.
    name: Py<PyAny>,
    hint: Hint,
    require: usize,
    /// Seconds.
    timeout: Option<f64>,
    /// By the rules of a hop the wave goes nowhere.
    spent: Option<Spent>,
    ticket: Option<Ticket>,
    enlisted: bool,
}

/// What an attempt came to.
pub enum Attempt {
    Sent(PyReceipt),
    /// These vibrators block and are full.
    Full(Vec<Arc<str>>),
}

impl EmitOp {
    /// Checks everything that can be wrong with a new wave, and makes it.
    #[inline]
    pub fn prepare(
        py: Python<'_>,
        shared: &Arc<Shared>,
        origin: &Arc<Origin>,
        name: &Bound<'_, PyAny>,
        payload: Option<Py<PyAny>>,
        options: Options<'_, '_>,
    ) -> PyResult<Self> {
        shared.home.enter()?;
        let (channel, hint) = shared.channel(name)?;
        let amplitude = options.amplitude.map(checked_amplitude).transpose()?;
        let mut rare = Rare::checked(&options.given)?;
        let timestamp = shared.medium.clock().unix();
        let (hopped, before) = match (options.cause, options.compensates) {
            (None, None) => {
                let first = Strength::new(amplitude.unwrap_or(1.0));
                (first.hop(&shared.rules), first)
            }
            (Some(cause), None) => {
                let cause = cause.get();
                hand_on(py, &mut rare, cause, true)?;
                (caused(cause.strength, amplitude, shared), cause.strength)
            }
            (None, Some(compensated)) => {
                let cause = compensated.get();
                hand_on(py, &mut rare, cause, true)?;
                let rare = rare.get_or_insert_default();
                if options.given.phase.is_none() {
                    rare.phase = wrapped(cause.phase() + PI).unwrap_or(0.0);
                }
                rare.frequency = options.given.frequency.or(Some(cause.frequency()));
                (caused(cause.strength, amplitude, shared), cause.strength)
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
            if let Some(handled) = handled(py) {
                hand_on(py, &mut rare, handled.get(), false)?;
            }
        }
        let source = origin.name.as_ref().map(|name| name.clone_ref(py));
        let payload = payload.unwrap_or_else(|| py.None());
        let wave = PyWave::new(channel, payload, source, strength, timestamp, rare);
        Self::of(py, shared, origin, wave, name, hint, spent, &options)
    }

    /// An emission of a wave that exists: one more hop of it.
    pub fn again(
        py: Python<'_>,
        shared: &Arc<Shared>,
        origin: &Arc<Origin>,
        wave: &Bound<'_, PyWave>,
        options: &Options<'_, '_>,
    ) -> PyResult<Self> {
        shared.home.enter()?;
        let given = wave.get();
        let name = given.channel.bind(py);
        let (_, hint) = shared.channel(name)?;
        let (strength, spent) = match given.strength.hop(&shared.rules) {
            Ok(strength) => (strength, None),
            Err(spent) => (given.strength, Some(spent)),
        };
        let mut hopped = given.with(py, strength);
        if let Some(name) = &origin.name {
            hopped.source = Some(name.clone_ref(py));
        }
        if given.strength.hops > 0 {
            hopped.rare.get_or_insert_default().trail = Some(given.trail(py)?);
        }
        Self::of(py, shared, origin, hopped, name, hint, spent, options)
    }

    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the fields of an emission, from its two makers")]
    fn of(
        py: Python<'_>,
        shared: &Arc<Shared>,
        origin: &Arc<Origin>,
        wave: PyWave,
        name: &Bound<'_, PyAny>,
        hint: Hint,
        spent: Option<Spent>,
        options: &Options<'_, '_>,
    ) -> PyResult<Self> {
        Ok(Self {
            shared: Arc::clone(shared),
            origin: Arc::clone(origin),
            wave: Held(Py::new(py, wave)?),
            name: name.clone().unbind(),
            hint,
            require: options.require.unwrap_or(0),
            timeout: options.timeout,
            spent,
            ticket: None,
            enlisted: false,
        })
    }

    /// Emits, if nothing blocks.
    #[inline]
    pub fn try_once(&mut self, py: Python<'_>) -> PyResult<Attempt> {
        self.shared.home.enter()?;
        let wave = self.wave.0.get();
        let channel = text(wave.channel.bind(py))?;
        if self.origin.closed.load(Ordering::Relaxed) {
            return Err(closed_vibrator(py, &self.origin, channel));
        }
        if let Some(spent) = self.spent {
            return Ok(Attempt::Sent(self.dies(py, channel, spent)));
        }
        let emission = self.emission(py, channel);
        let (mut hint, mut after) = (self.hint, Aftermath::default());
        let ticket = self.ticket.filter(|_| self.enlisted);
        self.enlisted = false;
        let outcome = self.shared.medium.emit(
            &emission,
            &mut hint,
            ticket,
            &self.wave,
            &Hands(py),
            &mut after,
        );
        if hint != self.hint {
            self.hint = hint;
            self.shared.remember(self.name.bind(py), hint);
        }
        self.shared.settle(py, after);
        match outcome {
            Ok(sent) => {
                self.origin.emitted.fetch_add(1, Ordering::Relaxed);
                Ok(Attempt::Sent(PyReceipt::sent(&sent)))
            }
            Err(Refusal::Full(full)) => Ok(Attempt::Full(full)),
            Err(refusal) => Err(self.refused(py, channel, &refusal)),
        }
    }

    /// Emits, or raises `WouldBlock`.
    #[inline]
    pub fn now(mut self, py: Python<'_>) -> PyResult<PyReceipt> {
        match self.try_once(py)? {
            Attempt::Sent(receipt) => Ok(receipt),
            Attempt::Full(full) => {
                let channel = text(self.wave.0.get().channel.bind(py))?;
                Err(WouldBlock::new_err(format!(
                    "emitting on {channel:?} would block: {} full; await emit_wave, or give the vibrator \
                     another overflow or a larger buffer_size",
                    listed(&full)
                )))
            }
        }
    }

    fn emission<'a>(&self, py: Python<'_>, channel: &'a str) -> Emission<'a> {
        let wave = self.wave.0.get();
        let clock = self.shared.medium.clock();
        Emission {
            channel,
            amplitude: wave.strength.amplitude,
            priority: wave.strength.priority,
            lifetime: wave.ttl().map_or(f64::INFINITY, |ttl| ttl - (clock.unix() - wave.timestamp)),
            emitter: self.origin.identity,
            inside: is_inside(py, &self.shared),
            require: self.require,
        }
    }

    #[cold]
    fn dies(&self, py: Python<'_>, channel: &str, spent: Spent) -> PyReceipt {
        let trail = self.wave.0.get().rare.as_ref().and_then(|rare| rare.trail.as_deref());
        if let Some(trail) = trail {
            self.shared.chain_ended(py, trail, channel, spent.name());
        }
        PyReceipt::spent(spent)
    }

    #[cold]
    fn refused(&self, py: Python<'_>, channel: &str, refusal: &Refusal) -> PyErr {
        match refusal {
            Refusal::Closed | Refusal::Full(_) => Closed::new_err(format!(
                "emitting on {channel:?}: the medium is closed, or drains and takes waves from its handlers \
                 only; emit before you leave 'async with medium', or make a new medium"
            )),
            Refusal::Refused(name) => WouldBlock::new_err(format!(
                "emitting on {channel:?}: vibrator {name:?} is full and its overflow is 'error'; nothing was \
                 delivered to anybody; emit again when it has read"
            )),
            Refusal::TooFew { matched } => {
                let amplitude = self.wave.0.get().strength.amplitude;
                let explained =
                    explanation(py, &self.shared, channel, amplitude, self.origin.identity);
                match explained {
                    Ok(explained) => NoReceiver::new_err(format!(
                        "emitting on {channel:?} requires {} and reaches {matched}; nothing was emitted\n\
                         {explained}",
                        self.require
                    )),
                    Err(error) => error,
                }
            }
        }
    }

    /// Whether the emission that has just begun to wait is stuck for ever.
    #[cold]
    fn deadlock(&mut self, py: Python<'_>, ticket: Ticket) -> PyResult<()> {
        let medium = &self.shared.medium;
        if !stalls::is_stuck(py, medium, ticket)? {
            return Ok(());
        }
        let Some(ring) = medium.ring(ticket) else { return Ok(()) };
        self.abandon(py);
        Err(Deadlock::new_err(described(py, &ring)))
    }
}

/// The strength of a wave that another causes: an amplitude that is given stands as it is.
fn caused(before: Strength, amplitude: Option<f64>, shared: &Shared) -> Result<Strength, Spent> {
    let Some(amplitude) = amplitude else { return before.hop(&shared.rules) };
    // As for a first emission, which keeps its amplitude; then the hops of the cause.
    let hopped = Strength { amplitude, priority: before.priority, hops: 0 }.hop(&shared.rules)?;
    if before.hops >= shared.rules.max_propagation {
        return Err(Spent::Propagation);
    }
    Ok(Strength { hops: before.hops + 1, ..hopped })
}

/// Hands headers on from a cause to what it causes, under those that were given; and the trail, for a
/// chain.
fn hand_on(
    py: Python<'_>,
    rare: &mut Option<Box<Rare>>,
    cause: &PyWave,
    chain: bool,
) -> PyResult<()> {
    let inherited = cause.headers(py);
    if inherited.is_none() && !chain {
        return Ok(());
    }
    let rare = rare.get_or_insert_default();
    if chain {
        rare.trail = Some(cause.trail(py)?);
    }
    let Some(inherited) = inherited else { return Ok(()) };
    let addressed = inherited.contains(REPLY_HEADER)?;
    if rare.headers.is_none() && !addressed {
        // Nobody changes the headers of a wave, so the two can share them.
        rare.headers = Some(inherited.clone().unbind());
        return Ok(());
    }
    let headers = inherited.copy()?;
    if addressed {
        headers.del_item(REPLY_HEADER)?;
    }
    if let Some(given) = &rare.headers {
        headers.update(given.bind(py).as_mapping())?;
    }
    rare.headers = (!headers.is_empty()).then(|| headers.unbind());
    Ok(())
}

fn closed_vibrator(py: Python<'_>, origin: &Origin, channel: &str) -> PyErr {
    let name = origin.name.as_ref().map_or_else(String::new, |name| name.bind(py).to_string());
    Closed::new_err(format!(
        "emitting on {channel:?}: vibrator {name:?} is closed; make a new one, or emit through the medium"
    ))
}

/// `'a' and 'b' are`, for a message.
pub fn listed(names: &[Arc<str>]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    match quoted.as_slice() {
        [] => "a vibrator is".to_owned(),
        [one] => format!("vibrator {one} is"),
        [first @ .., last] => format!("vibrators {} and {last} are", first.join(", ")),
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

/// What `explain` says, as a text.
fn explanation(
    py: Python<'_>,
    shared: &Shared,
    channel: &str,
    amplitude: f64,
    emitter: u64,
) -> PyResult<String> {
    let rows: Bound<'_, PyList> = explain_rows(py, shared, channel, amplitude, emitter)?;
    let class = py.import("aether.explanation")?.getattr("Explanation")?;
    class.call_method1("of", (channel, amplitude, rows))?.str()?.extract()
}

impl Operation for EmitOp {
    const NAME: &'static std::ffi::CStr = c"aether._native.Emission";

    fn class() -> &'static PyOnceLock<Py<PyType>> {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        &CLASS
    }

    #[inline]
    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.try_once(py)? {
            Attempt::Sent(receipt) => Ok(Some(Py::new(py, receipt)?.into_any())),
            Attempt::Full(_) => Ok(None),
        }
    }

    fn enlist(&mut self, py: Python<'_>, sleeper: Sleeper) -> PyResult<bool> {
        let by_thread = matches!(sleeper, Sleeper::Thread(_));
        let actor: Actor =
            if by_thread { actors::current_thread(py)? } else { actors::current_actor(py)? };
        let patience = if self.timeout.is_some() { Patience::Timed } else { Patience::Endless };
        let ticket = *self.ticket.get_or_insert_with(|| self.shared.medium.new_ticket());
        let channel = text(self.wave.0.get().channel.bind(py))?;
        let emission = self.emission(py, channel);
        let waker = Waker { post: Post::Sender(ticket), sleeper };
        match self.shared.medium.enlist_sender(&emission, ticket, (actor, patience), waker) {
            Enlisted::Retry(_unused) => Ok(false),
            Enlisted::Waiting(ticket) => {
                self.enlisted = true;
                self.deadlock(py, ticket)?;
                if !by_thread {
                    stalls::watch(py, &self.shared)?;
                }
                Ok(true)
            }
        }
    }

    fn abandon(&mut self, py: Python<'_>) {
        if let Some(ticket) = self.ticket.filter(|_| std::mem::take(&mut self.enlisted)) {
            if self.shared.home.is_here() {
                let mut after = Aftermath::default();
                self.shared.medium.abandon_sender(ticket, &mut after);
                self.shared.settle(py, after);
            }
        }
    }

    fn patience(&self) -> Option<f64> {
        self.timeout
    }

    fn run_out(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let full = match self.try_once(py)? {
            Attempt::Sent(receipt) => return Ok(Py::new(py, receipt)?.into_any()),
            Attempt::Full(full) => full,
        };
        let channel = text(self.wave.0.get().channel.bind(py))?;
        Err(PyTimeoutError::new_err(format!(
            "emitting on {channel:?} waited {} s for room: {} full; nothing was emitted",
            self.timeout.unwrap_or(0.0),
            listed(&full)
        )))
    }

    fn never_awaited(&self, py: Python<'_>) {
        let channel = text(self.wave.0.get().channel.bind(py)).unwrap_or("?");
        warn_unawaited(
            py,
            &format!("an emission on {channel:?} was never awaited; nothing was emitted"),
        );
    }

    fn visit(&self, each: &mut dyn FnMut(&Py<PyAny>)) {
        each(self.wave.0.as_any());
        each(&self.name);
        if let Some(ticket) = self.ticket.filter(|_| self.enlisted && self.shared.home.is_here()) {
            // Somebody holds the lock: what is not reported only lives longer.
            let _ = self
                .shared
                .medium
                .try_visit_sender(ticket, &mut |waker| waker.objects().for_each(&mut *each));
        }
    }
}

/// A `RuntimeWarning`; as an error it cannot be raised from where something is dropped.
fn warn_unawaited(py: Python<'_>, said: &str) {
    let category = py.get_type::<pyo3::exceptions::PyRuntimeWarning>();
    let message = std::ffi::CString::new(said).unwrap_or_default();
    if let Err(error) = PyErr::warn(py, &category, &message, 1) {
        error.write_unraisable(py, None);
    }
}

/// Several emissions, one after the other.
pub struct EmitManyOp {
    pub waves: std::collections::VecDeque<EmitOp>,
    pub receipts: Vec<Py<PyAny>>,
}

impl Operation for EmitManyOp {
    const NAME: &'static std::ffi::CStr = c"aether._native.Emissions";

    fn class() -> &'static PyOnceLock<Py<PyType>> {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        &CLASS
    }

    fn attempt(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        while let Some(first) = self.waves.front_mut() {
            let Some(receipt) = first.attempt(py)? else { return Ok(None) };
            self.receipts.push(receipt);
            self.waves.pop_front();
        }
        Ok(Some(PyList::new(py, std::mem::take(&mut self.receipts))?.into_any().unbind()))
    }

    fn enlist(&mut self, py: Python<'_>, sleeper: Sleeper) -> PyResult<bool> {
        self.waves.front_mut().map_or(Ok(false), |first| first.enlist(py, sleeper))
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
        self.receipts.iter().for_each(each);
    }
}
