//! Which waves are in hand: taken from a mailbox and not finished yet.
//!
//! Contract:
//! - A handler has a wave from the moment it is taken to the end of the handler; a reader until it asks for the next, or
//!   leaves.
//! - Between a mailbox and a hand a wave is in neither for a moment. Whoever takes one announces that before, and whoever
//!   looks meanwhile looks again: so nobody waits, and no lock is held around another.
//! - A hand holds numbers. It keeps nothing alive.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use aether_core::medium::Key;
use pyo3::prelude::*;

use crate::guarded::{Counter, Guarded};
use crate::wave::Held;

/// The waves of one reader, or of one lane of handlers.
pub struct Holder {
    pub key: Key,
    /// The label of its mailbox.
    pub name: Box<str>,
    pub is_lane: bool,
    waves: Guarded<Vec<u64>>,
    /// Takes that are under way.
    moving: AtomicUsize,
}

/// A take that is under way.
pub struct Moving<'a>(&'a Holder);

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.0.moving.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Holder {
    pub fn new(key: Key, name: &str, is_lane: bool) -> Arc<Self> {
        let (waves, moving) = (Guarded::new(Vec::new()), AtomicUsize::new(0));
        Arc::new(Self { key, name: name.into(), is_lane, waves, moving })
    }

    /// A wave is about to be taken.
    pub fn moves(&self) -> Moving<'_> {
        self.moving.fetch_add(1, Ordering::AcqRel);
        Moving(self)
    }

    /// The same for the short way, in which nobody else runs where the interpreter has a lock.
    #[inline]
    pub fn moves_quickly(&self) -> Option<Moving<'_>> {
        if cfg!(Py_GIL_DISABLED) { Some(self.moves()) } else { None }
    }

    pub fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Acquire) > 0
    }

    /// It has these now as well.
    #[inline]
    pub fn hold(&self, py: Python<'_>, taken: &[Held]) {
        self.waves.with(py, |waves| waves.extend(taken.iter().map(Held::sequence)));
    }

    /// It has finished one.
    pub fn let_go(&self, py: Python<'_>, sequence: u64) {
        self.waves.with(py, |waves| {
            // Most often the one that it has had for longest.
            if let Some(place) = waves.iter().position(|&held| held == sequence) {
                waves.remove(place);
            }
        });
    }

    /// It has finished all that it had; nobody wants to know which.
    #[inline]
    pub fn finish(&self, py: Python<'_>) {
        self.waves.with(py, Vec::clear);
    }

    /// All that it has.
    pub fn all(&self, py: Python<'_>) -> Vec<u64> {
        self.waves.with(py, |waves| waves.clone())
    }

    /// The same, for who wants to know.
    pub fn take_all(&self, py: Python<'_>) -> Vec<u64> {
        self.waves.with(py, std::mem::take)
    }

    /// Whether it has a wave.
    pub fn holds(&self, py: Python<'_>, sequence: u64) -> bool {
        self.waves.with(py, |waves| waves.contains(&sequence))
    }
}

/// Everybody who may have a wave in hand.
#[derive(Default)]
pub struct Holders {
    all: Guarded<Listed>,
    /// How often a wave went back from a hand to its mailbox.
    pub returned: Counter,
}

#[derive(Default)]
struct Listed {
    holders: Vec<Weak<Holder>>,
    /// From so many on, it is worth to look for those that are gone.
    most: usize,
}

impl Holders {
    /// One more.
    pub fn add(&self, py: Python<'_>, holder: &Arc<Holder>) {
        self.all.with(py, |listed| {
            if listed.holders.len() >= listed.most {
                listed.holders.retain(|holder| holder.strong_count() > 0);
                listed.most = 64.max(2 * listed.holders.len());
            }
            listed.holders.push(Arc::downgrade(holder));
        });
    }

    /// Those who are there.
    pub fn all(&self, py: Python<'_>) -> Vec<Arc<Holder>> {
        self.all.with(py, |listed| listed.holders.iter().filter_map(Weak::upgrade).collect())
    }
}
