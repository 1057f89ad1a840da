//! What a medium, its vibrators and their emitters share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use aether_core::channel::Limits;
use aether_core::medium::Medium;
use aether_core::router::Hint;
use aether_core::wave::Rules;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::fork::Home;
use crate::log;
use crate::rare::Trail;
use crate::receipt::PyReceipt;
use crate::waker::Waker;
use crate::wave::{Held, concrete};

/// How many names are remembered by their address, at first and at most.
const NAMES: (usize, usize) = (256, 16_384);

/// How many kinds of dying chains are remembered.
const CHAINS: usize = 256;

/// What a medium, its vibrators and their emitters share.
pub struct Shared {
    /// No other medium has had it.
    pub number: u64,
    pub medium: Medium<Held, Waker>,
    pub rules: Rules,
    pub limits: Limits,
    /// Seconds.
    pub stall_warning: f64,
    pub home: Home,
    /// Handlers at work.
    pub working: AtomicUsize,
    /// Somebody looks after emissions that wait.
    pub watched: AtomicBool,
    /// The receipt that was given out last, to be used again.
    pub receipt: Mutex<Option<Py<PyReceipt>>>,
    names: Mutex<Names>,
    /// When a chain last died on a channel, in monotonic seconds.
    chains: Mutex<HashMap<String, f64>>,
}

/// A table of names by the address of their `str`: one place each, the newcomer takes it. It grows while
/// newcomers keep pushing others out.
#[derive(Default)]
struct Names {
    places: Vec<Option<Name>>,
    pushed_out: usize,
}

impl Names {
    #[inline]
    fn get(&mut self, name: &Bound<'_, PyAny>) -> Option<&mut Name> {
        let place = place(name.as_ptr() as usize, self.places.len());
        self.places.get_mut(place)?.as_mut().filter(|known| known.given.is(name))
    }

    /// Remembers a name, and returns those that are forgotten, to be dropped without the lock.
    fn learn(&mut self, learned: Name) -> Vec<Name> {
        let mut forgotten = Vec::new();
        if self.places.is_empty() {
            self.places.resize_with(NAMES.0, || None);
        } else if self.pushed_out > self.places.len() && self.places.len() < NAMES.1 {
            self.pushed_out = 0;
            let size = self.places.len() * 4;
            let known = std::mem::take(&mut self.places);
            self.places.resize_with(size, || None);
            for name in known.into_iter().flatten() {
                forgotten.extend(self.put(name));
            }
        }
        forgotten.extend(self.put(learned));
        self.pushed_out += forgotten.len();
        forgotten
    }

    fn put(&mut self, name: Name) -> Option<Name> {
        let place = place(name.given.as_ptr() as usize, self.places.len());
        self.places[place].replace(name)
    }
}

/// The place of an address in a table of a power of two. Objects are aligned to 16 bytes.
#[inline]
fn place(address: usize, size: usize) -> usize {
    (address >> 4) & size.wrapping_sub(1)
}

/// A name that was emitted on, remembered by the address of its `str`, which it keeps alive.
struct Name {
    given: Py<PyAny>,
    channel: Py<PyAny>,
    hint: Hint,
}

impl Shared {
    pub fn new(
        medium: Medium<Held, Waker>,
        rules: Rules,
        limits: Limits,
        stall_warning: f64,
    ) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            medium,
            rules,
            limits,
            stall_warning,
            home: Home::new(),
            working: AtomicUsize::new(0),
            watched: AtomicBool::new(false),
            receipt: Mutex::new(None),
            names: Mutex::new(Names::default()),
            chains: Mutex::new(HashMap::new()),
        }
    }

    /// The checked channel of a name, and where its route was.
    #[inline]
    pub fn channel(&self, name: &Bound<'_, PyAny>) -> PyResult<(Py<PyAny>, Hint)> {
        if let Some(known) = self.names.lock().get(name) {
            return Ok((known.channel.clone_ref(name.py()), known.hint));
        }
        self.learn(name)
    }

    #[cold]
    fn learn(&self, name: &Bound<'_, PyAny>) -> PyResult<(Py<PyAny>, Hint)> {
        let py = name.py();
        let channel = concrete(name, self.limits)?;
        let hint = Hint::default();
        // A `str` of some other class could be part of a cycle, which nobody would see here.
        if !name.is_exact_instance_of::<PyString>() && !channel.is(name) {
            return Ok((channel, hint));
        }
        let learned = Name { given: name.clone().unbind(), channel: channel.clone_ref(py), hint };
        let forgotten = self.names.lock().learn(learned);
        drop(forgotten);
        Ok((channel, hint))
    }

    /// Remembers where the route of a name was found.
    #[inline]
    pub fn remember(&self, name: &Bound<'_, PyAny>, hint: Hint) {
        if let Some(known) = self.names.lock().get(name) {
            known.hint = hint;
        }
    }

    /// Logs a chain that died, once an episode: while it goes on dying, nothing more is said, until none
    /// has died on that channel for ten times `stall_warning`.
    #[cold]
    pub fn chain_ended(&self, py: Python<'_>, trail: &Trail, channel: &str, reason: &str) {
        let now = self.medium.clock().monotonic();
        let first = {
            let mut chains = self.chains.lock();
            if chains.len() >= CHAINS && !chains.contains_key(channel) {
                chains.clear();
            }
            let last = chains.insert(channel.to_owned(), now);
            last.is_none_or(|last| now - last > 10.0 * self.stall_warning)
        };
        if first {
            let mut channels = trail.channels();
            channels.push(channel);
            log::chain_ended(py, reason, &channels);
        }
    }
}
