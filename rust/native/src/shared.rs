//! What a medium, its vibrators and their emitters share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use aether_core::channel::Limits;
use aether_core::medium::Medium;
use aether_core::router::Hint;
use aether_core::wave::Rules;
use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::fork::Home;
use crate::log;
use crate::waker::Waker;
use crate::wave::{Held, Trail, concrete};

/// How many names are remembered by their address.
const NAMES: usize = 256;

/// How many kinds of dying chains are remembered.
const CHAINS: usize = 256;

/// What a medium, its vibrators and their emitters share.
pub struct Shared {
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
    names: Mutex<Vec<Option<Name>>>,
    /// When a chain last died on a channel, in monotonic seconds.
    chains: Mutex<HashMap<String, f64>>,
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
        Self {
            medium,
            rules,
            limits,
            stall_warning,
            home: Home::new(),
            working: AtomicUsize::new(0),
            watched: AtomicBool::new(false),
            names: Mutex::new(Vec::new()),
            chains: Mutex::new(HashMap::new()),
        }
    }

    /// The checked channel of a name, and where its route was.
    #[inline]
    pub fn channel(&self, name: &Bound<'_, PyAny>) -> PyResult<(Py<PyAny>, Hint)> {
        let place = place(name);
        if let Some(Some(known)) = self.names.lock().get(place) {
            if known.given.is(name) {
                return Ok((known.channel.clone_ref(name.py()), known.hint));
            }
        }
        self.learn(name, place)
    }

    #[cold]
    fn learn(&self, name: &Bound<'_, PyAny>, place: usize) -> PyResult<(Py<PyAny>, Hint)> {
        let py = name.py();
        let channel = concrete(name, self.limits)?;
        let hint = Hint::default();
        let learned = Name { given: name.clone().unbind(), channel: channel.clone_ref(py), hint };
        let forgotten = {
            let mut names = self.names.lock();
            if names.is_empty() {
                names.resize_with(NAMES, || None);
            }
            names[place].replace(learned)
        };
        drop(forgotten);
        Ok((channel, hint))
    }

    /// Remembers where the route of a name was found.
    #[inline]
    pub fn remember(&self, name: &Bound<'_, PyAny>, hint: Hint) {
        if let Some(Some(known)) = self.names.lock().get_mut(place(name)) {
            if known.given.is(name) {
                known.hint = hint;
            }
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

/// The place of a name, by its address.
#[inline]
fn place(name: &Bound<'_, PyAny>) -> usize {
    // Objects are aligned to 16 bytes.
    (name.as_ptr() as usize >> 4) % NAMES
}
