//! What a medium, its vibrators and their emitters share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use aether_core::channel::{Limits, Pattern, check_channel};
use aether_core::medium::{self, Bounds, Most};
use aether_core::router::Hint;
use aether_core::times::Times;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::channel::text;
use crate::errors::channel_error;
use crate::fork::Home;
use crate::guarded::{Counter, Guarded, Lock};
use crate::journal::{Cursors, Refill, Writer};
use crate::log;
use crate::names::{Name, Names};
use crate::rare::Trail;
use crate::receipt::PyReceipt;
use crate::taps::Taps;
use crate::tracing::Tracing;
use crate::tuning::{Tuned, Tuning};
use crate::waker::{Gate, Waker};
use crate::wave::{Held, PyWave, concrete};

/// The medium of the core, as it is used here.
pub type Medium = medium::Medium<Held, Waker, Lock>;

/// How many kinds of dying chains are remembered.
const CHAINS: usize = 256;

/// What is seen of the waves of a medium, beside what is counted.
#[derive(Default)]
pub struct Watching {
    pub times: Option<Times>,
    pub tracing: Option<Arc<Tracing>>,
}

/// What a medium, its vibrators and their emitters share.
pub struct Shared {
    /// No other medium has had it.
    pub number: u64,
    pub medium: Medium,
    pub tuning: Tuning,
    pub limits: Limits,
    /// Last waves are retained, heard or not.
    pub retains: bool,
    pub home: Home,
    /// Handlers at work.
    pub working: AtomicUsize,
    /// Somebody looks after emissions that wait.
    pub watched: AtomicBool,
    /// The receipt that was given out last, to be used again.
    pub receipt: Guarded<Option<Py<PyReceipt>>>,
    /// Fields outlive their medium.
    pub taps: Arc<Taps>,
    /// What follows waves.
    pub tracing: Option<Arc<Tracing>>,
    /// What is measured of its waves, if anything is.
    pub times: Option<Box<Times>>,
    /// Emissions that have waited for longer than they should.
    pub stalls: Counter,
    /// Emissions that were refused as too many waves wait.
    pub refused: Counter,
    /// Those that were refused as their payloads are too large.
    pub refused_bytes: Counter,
    /// It counts how large payloads are.
    weighs: AtomicBool,
    /// Where each wave is written down before it is delivered.
    pub writer: Option<Arc<Writer>>,
    /// Where readers are, by name.
    pub cursors: Cursors,
    refill: Refill,
    names: Guarded<Names>,
    /// When a chain last died on a channel, in monotonic seconds.
    chains: Mutex<HashMap<String, f64>>,
}

/// What is known of a name.
pub enum Recalled {
    /// Somebody heard it last time.
    Heard(Py<PyAny>, Hint),
    /// Nobody did.
    Unheard(Option<Py<PyAny>>, Hint),
    Unknown,
}

impl Recalled {
    /// The hint of a known name that is not heard.
    #[inline]
    pub fn unheard(self, py: Python<'_>) -> Option<Hint> {
        match self {
            Self::Heard(channel, hint) | Self::Unheard(Some(channel), hint) => {
                drop(channel.into_bound(py));
                Some(hint)
            }
            Self::Unheard(None, hint) => Some(hint),
            Self::Unknown => None,
        }
    }
}

impl Shared {
    pub fn new(
        medium: Medium,
        tuned: Tuned,
        limits: Limits,
        Watching { times, tracing }: Watching,
        writer: Option<Arc<Writer>>,
    ) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        if let Some(tracing) = &tracing {
            tracing.begin(medium.clock());
        }
        let retains = !medium.retained_patterns().is_empty();
        Self {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            medium,
            tuning: Tuning::new(tuned),
            limits,
            retains,
            home: Home::new(),
            working: AtomicUsize::new(0),
            watched: AtomicBool::new(false),
            receipt: Guarded::new(None),
            taps: Arc::default(),
            times: times.map(Box::new),
            stalls: Counter::new(),
            refused: Counter::new(),
            refused_bytes: Counter::new(),
            weighs: AtomicBool::new(false),
            tracing,
            writer,
            cursors: Cursors::default(),
            refill: Refill::default(),
            names: Guarded::new(Names::default()),
            chains: Mutex::new(HashMap::new()),
        }
    }

    /// Limits how much may wait; `None`: not at all.
    pub fn limit_queued(&self, py: Python<'_>, bounds: Option<Bounds>) {
        let weighs = bounds.is_some_and(|bounds| bounds.weight != Most::NONE);
        self.weighs.store(weighs, Ordering::Relaxed);
        if weighs {
            let mut waiting = Vec::new();
            self.medium.for_each_waiting(&mut |held| waiting.push(held.0.clone_ref(py)));
            for wave in waiting {
                wave.get().weigh(py);
                drop(wave.into_bound(py));
            }
        }
        let weigh = if weighs { |held: &Held| held.0.get().weight() } else { |_: &Held| 0 };
        self.medium.limit_queued(bounds, weigh);
    }

    /// Whether it counts how large payloads are.
    #[inline]
    pub fn weighs(&self) -> bool {
        self.weighs.load(Ordering::Relaxed)
    }

    /// Finds out how large the payload of a wave is that goes into mailboxes, if that counts.
    #[inline]
    pub fn weigh(&self, py: Python<'_>, wave: &PyWave) {
        if self.weighs() {
            wave.weigh(py);
        }
    }

    /// Sees to it that mailboxes that are behind are filled; without a journal, none ever is.
    pub fn begin_refill(self: &Arc<Self>) -> PyResult<()> {
        self.writer.as_ref().map_or(Ok(()), |writer| self.refill.begin(self, writer))
    }

    /// Where the thread waits that does so.
    pub fn gate(&self) -> Arc<Gate> {
        self.refill.gate()
    }

    /// A pattern, by the limits of this medium.
    pub fn pattern(&self, name: &Bound<'_, PyAny>) -> PyResult<Pattern> {
        let read = text(name)?;
        Pattern::parse(read, self.limits).map_err(|fault| channel_error(read, &fault))
    }

    /// The checked channel of a name, and where its route was.
    #[inline]
    pub fn channel(&self, name: &Bound<'_, PyAny>) -> PyResult<(Py<PyAny>, Hint)> {
        match self.recall(name) {
            Recalled::Heard(channel, hint) | Recalled::Unheard(Some(channel), hint) => {
                Ok((channel, hint))
            }
            Recalled::Unheard(None, _) | Recalled::Unknown => self.learn(name),
        }
    }

    /// What is known of a name by its address alone.
    #[inline]
    pub fn recall(&self, name: &Bound<'_, PyAny>) -> Recalled {
        let py = name.py();
        self.names.with(py, |names| {
            let Some(known) = names.get(name) else { return Recalled::Unknown };
            let channel = known.channel.as_ref().map(|channel| channel.clone_ref(py));
            match channel {
                Some(channel) if known.heard => Recalled::Heard(channel, known.hint),
                channel => Recalled::Unheard(channel, known.hint),
            }
        })
    }

    #[cold]
    fn learn(&self, name: &Bound<'_, PyAny>) -> PyResult<(Py<PyAny>, Hint)> {
        let channel = concrete(name, self.limits)?;
        self.keep(name, Some(&channel), Hint::default());
        Ok((channel, Hint::default()))
    }

    /// Remembers a name that was checked; without a channel, it was not heard.
    fn keep(&self, name: &Bound<'_, PyAny>, channel: Option<&Py<PyAny>>, hint: Hint) {
        let py = name.py();
        // A `str` of some other class could be part of a cycle, which nobody would see here.
        if name.is_exact_instance_of::<PyString>()
            || channel.is_some_and(|channel| channel.is(name))
        {
            let (given, heard) = (name.clone().unbind(), channel.is_some());
            let channel = channel.map(|channel| channel.clone_ref(py));
            let learned = Name { given, channel, hint, heard };
            for Name { given, channel, .. } in self.names.with(py, |names| names.learn(learned)) {
                drop((given.into_bound(py), channel.map(|channel| channel.into_bound(py))));
            }
        }
    }

    /// Remembers where the route of a name was found, and whether somebody may hear it.
    #[inline]
    pub fn remember(&self, name: &Bound<'_, PyAny>, hint: Hint, heard: bool) {
        self.names.with(name.py(), |names| {
            if let Some(known) = names.get(name) {
                known.hint = hint;
                known.heard = heard;
            }
        });
    }

    /// Emits on a name that nobody resonates with, without a wave, and returns the sequence. `None`: somebody
    /// may hear it, or the medium is not open; then nothing has happened. `hint` is that of a known name.
    #[inline]
    pub fn emit_unheard(
        &self,
        name: &Bound<'_, PyAny>,
        hint: Option<Hint>,
    ) -> PyResult<Option<u64>> {
        match hint.and_then(|hint| self.medium.emit_unheard_again(hint)) {
            None => self.find_unheard(name, hint),
            sequence => Ok(sequence),
        }
    }

    #[inline(never)]
    fn find_unheard(&self, name: &Bound<'_, PyAny>, hint: Option<Hint>) -> PyResult<Option<u64>> {
        let read = text(name)?;
        if hint.is_none() {
            check_channel(read, self.limits).map_err(|fault| channel_error(read, &fault))?;
        }
        let mut found = hint.unwrap_or_default();
        let sequence = self.medium.emit_unheard(read, &mut found);
        match hint {
            // What the router does not keep, since it may never come again, is not worth a place here.
            None if sequence.is_some() && found != Hint::default() => self.keep(name, None, found),
            Some(hint) if found != hint || sequence.is_none() => {
                self.remember(name, found, sequence.is_none());
            }
            _ => {}
        }
        Ok(sequence)
    }

    /// Logs a chain that died, once an episode: while it goes on dying, nothing more is said, until none
    /// has died on that channel for ten times `stall_warning`.
    #[cold]
    pub fn chain_ended(&self, py: Python<'_>, trail: &Trail, channel: &str, reason: &str) {
        let now = self.medium.clock().monotonic();
        let quiet = 10.0 * self.tuning.stall_warning();
        let first = {
            let mut chains = self.chains.lock();
            if chains.len() >= CHAINS && !chains.contains_key(channel) {
                chains.clear();
            }
            let last = chains.insert(channel.to_owned(), now);
            last.is_none_or(|last| now - last > quiet)
        };
        if first {
            let mut channels = trail.channels();
            channels.push(channel);
            log::chain_ended(py, reason, &channels);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.refill.end();
    }
}
