//! What has become of a wave that was emitted: who has it, who has finished with it, and how.
//!
//! Contract:
//! - Nothing is kept for it on the way of a wave that ends well. What ends otherwise is remembered by its sequence: what
//!   mailboxes let go by the core, how handlers and readers have ended here, the last [`MOST`] of them.
//! - A look asks all mailboxes, then all hands, then what is remembered, so that a wave that moves on meanwhile is seen at
//!   least once, and its end is remembered before it leaves a hand.
//! - Who waits is called whenever somebody may have finished with its wave, and looks for itself. It may be called in vain.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use aether_core::medium::{Sighting, Whereabouts};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

use crate::context::handled;
use crate::errors::quietly;
use crate::fork::Inside;
use crate::guarded::Guarded;
use crate::holding::{Holder, Holders};
use crate::shared::{Medium, Shared};
use crate::waker::Aftermath;
use crate::wave::Held;

/// So many ends are remembered that were not good.
const MOST: usize = 1_024;

/// So much of what an error says is kept, in characters.
const SAID: usize = 1_024;

/// How somebody has ended with a wave, if not well.
#[derive(Clone)]
pub struct End {
    /// In the words of statistics, or `failed` or `left`.
    pub how: Box<str>,
    /// The class and the message of an error.
    pub error: Option<Box<str>>,
}

impl End {
    pub fn of(how: &str) -> Self {
        Self { how: how.into(), error: None }
    }

    /// A handler has raised an error. Runs Python code.
    pub fn failed(error: &Bound<'_, PyAny>) -> Self {
        let kind = error.get_type().name().map_or_else(|_| String::new(), |name| name.to_string());
        let said = error.str().map(|said| said.to_string_lossy().into_owned()).unwrap_or_default();
        let text = if said.is_empty() { kind } else { format!("{kind}: {said}") };
        let error = Some(text.chars().take(SAID).collect());
        Self { how: "failed".into(), error }
    }
}

/// How one receiver has ended with a wave.
#[derive(Clone)]
struct Ended {
    /// The number of the mailbox.
    number: u64,
    name: Box<str>,
    is_lane: bool,
    end: End,
}

/// Somebody who waits for the end of one wave.
struct Follower {
    wake: Py<PyAny>,
}

/// A wave that somebody follows.
#[derive(Default)]
struct Followed {
    followers: Vec<Weak<Follower>>,
    /// How some have ended, none forgotten since then: of each mailbox the last.
    ends: Vec<Ended>,
}

impl Followed {
    fn note(&mut self, ended: Ended) {
        match self.ends.iter_mut().find(|known| known.number == ended.number) {
            Some(known) => *known = ended,
            None => self.ends.push(ended),
        }
    }
}

#[derive(Default)]
struct Known {
    /// By the sequence of the wave.
    followed: HashMap<u64, Followed>,
    /// Ends of other waves.
    last: VecDeque<(u64, Ended)>,
    /// None beyond this one was forgotten.
    forgotten: u64,
}

impl Known {
    fn remember(&mut self, sequence: u64, ended: Ended) {
        if let Some(followed) = self.followed.get_mut(&sequence) {
            followed.note(ended);
            return;
        }
        if self.last.len() >= MOST {
            let first = self.last.pop_front().map_or(0, |(sequence, _)| sequence);
            self.forgotten = self.forgotten.max(first);
        }
        self.last.push_back((sequence, ended));
    }

    /// One follows it no more.
    fn leave(&mut self, sequence: u64, who: *const Follower) {
        let Some(followed) = self.followed.get_mut(&sequence) else { return };
        followed.followers.retain(|one| one.as_ptr() != who);
        if !followed.followers.is_empty() {
            return;
        }
        // Somebody may ask again.
        let ends = self.followed.remove(&sequence).map_or_else(Vec::new, |gone| gone.ends);
        for ended in ends {
            self.remember(sequence, ended);
        }
    }

    /// One follows it from now on. Whether it may have been forgotten how somebody has ended before.
    fn join(&mut self, sequence: u64, who: Weak<Follower>) -> bool {
        let followed = self.followed.entry(sequence).or_default();
        followed.followers.push(who);
        self.last.retain(|(known, ended)| {
            if *known == sequence {
                followed.note(ended.clone());
            }
            *known != sequence
        });
        sequence <= self.forgotten
    }

    /// How some have ended with a wave that is followed.
    fn of(&self, sequence: u64) -> Vec<Ended> {
        self.followed.get(&sequence).map_or_else(Vec::new, |followed| followed.ends.clone())
    }
}

/// What a medium knows of its waves after they were delivered.
#[derive(Default)]
pub struct Follows {
    pub holders: Holders,
    known: Guarded<Known>,
    /// How many wait.
    waiting: AtomicUsize,
}

impl Follows {
    /// Whether somebody waits.
    #[inline]
    pub fn any(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Remembers how somebody has ended with a wave, while it is still in its hand.
    #[cold]
    pub fn remember(&self, py: Python<'_>, sequence: u64, holder: &Holder, end: End) {
        let (number, name) = (holder.key.number(), holder.name.clone());
        let ended = Ended { number, name, is_lane: holder.is_lane, end };
        self.known.with(py, |known| known.remember(sequence, ended));
    }

    /// A reader asks for more: what it has, it has finished.
    #[inline]
    pub fn asks(&self, py: Python<'_>, holder: &Holder) {
        if self.any() { self.asks_aloud(py, holder) } else { holder.finish(py) }
    }

    #[cold]
    fn asks_aloud(&self, py: Python<'_>, holder: &Holder) {
        self.wake(py, holder.take_all(py));
    }

    /// A reader leaves, with what it has.
    pub fn leaves(&self, py: Python<'_>, holder: &Holder) {
        // In this order: what is in no hand and not remembered counts as finished.
        for sequence in holder.all(py) {
            self.remember(py, sequence, holder, End::of("left"));
        }
        self.wake(py, holder.take_all(py));
    }

    /// Calls those who wait for the end of one of these waves. Runs Python code.
    pub fn wake(&self, py: Python<'_>, ended: impl IntoIterator<Item = u64>) {
        if !self.any() {
            return;
        }
        let mut woken = Vec::new();
        self.known.with(py, |known| {
            for sequence in ended {
                let followed = known.followed.get(&sequence);
                let followers = followed.into_iter().flat_map(|followed| &followed.followers);
                woken.extend(followers.filter_map(Weak::upgrade));
            }
        });
        call(py, woken);
    }

    /// The same for waves that were let go, or have come to where they are not needed.
    #[cold]
    fn are_gone(&self, py: Python<'_>, medium: &Medium, garbage: &[Held]) {
        let mut gone: Vec<u64> = garbage.iter().map(Held::sequence).collect();
        self.known.with(py, |known| gone.retain(|wave| known.followed.contains_key(wave)));
        gone.sort_unstable();
        gone.dedup();
        for &sequence in &gone {
            // The mailbox may forget it before those who wait have looked.
            for Sighting { number, name, lane, at } in medium.let_go(sequence) {
                let Whereabouts::Gone(reason) = at else { continue };
                let end = End::of(reason.name());
                let ended = Ended { number, name: (&*name).into(), is_lane: lane, end };
                self.known.with(py, |known| known.remember(sequence, ended));
            }
        }
        self.wake(py, gone);
    }

    /// Calls all who wait: something has come from the journal, or was passed over there.
    #[inline]
    pub fn wake_all(&self, py: Python<'_>) {
        if self.any() {
            let all = |known: &mut Known| {
                let followers = known.followed.values().flat_map(|followed| &followed.followers);
                followers.filter_map(Weak::upgrade).collect::<Vec<_>>()
            };
            call(py, self.known.with(py, all));
        }
    }
}

impl Shared {
    /// Tells those who follow waves that were let go.
    #[inline]
    pub fn tell_gone(&self, py: Python<'_>, garbage: &[Held]) {
        if !garbage.is_empty() && self.follows.any() {
            self.follows.are_gone(py, &self.medium, garbage);
        }
    }
}

fn call(py: Python<'_>, woken: Vec<Arc<Follower>>) {
    for follower in woken {
        let _inside = Inside::enter(py);
        quietly(py, || {
            if let Err(error) = follower.wake.call0(py) {
                error.write_unraisable(py, None);
            }
        });
    }
}

/// (number of the mailbox, its label, handlers, state, error, seconds until time removes the wave)
type Row = (u64, String, bool, String, Option<String>, Option<f64>);

/// One who follows a wave to its end.
#[pyclass(frozen, name = "Following", module = "aether._native")]
pub struct PyFollowing {
    shared: Arc<Shared>,
    sequence: u64,
    follower: Arc<Follower>,
    /// How some have ended before may be forgotten.
    late: bool,
    over: AtomicBool,
}

impl PyFollowing {
    pub fn begin(
        py: Python<'_>,
        shared: Arc<Shared>,
        sequence: u64,
        wake: Py<PyAny>,
    ) -> PyResult<Self> {
        shared.home.enter()?;
        let follower = Arc::new(Follower { wake });
        let weak = Arc::downgrade(&follower);
        shared.follows.waiting.fetch_add(1, Ordering::AcqRel);
        let late = shared.follows.known.with(py, |known| known.join(sequence, weak));
        Ok(Self { shared, sequence, follower, late, over: AtomicBool::new(false) })
    }

    /// Whether waves moved meanwhile, so that one may have passed by unseen; and what is seen.
    fn seen(&self, py: Python<'_>) -> (bool, Vec<Row>) {
        let (shared, sequence) = (&self.shared, self.sequence);
        let follows = &shared.follows;
        let returned = follows.holders.returned.get();
        let mut after = Aftermath::default();
        let sightings = shared.medium.whereabouts(sequence, &mut after);
        shared.settle(py, after);
        let mut rows: Vec<Row> = Vec::new();
        let mut moving = false;
        for holder in follows.holders.all(py) {
            moving |= holder.is_moving();
            if holder.holds(py, sequence) {
                let state = if holder.is_lane { "handles" } else { "reads" };
                let (number, name) = (holder.key.number(), holder.name.to_string());
                rows.push((number, name, holder.is_lane, state.to_owned(), None, None));
            }
        }
        for sighting in sightings {
            let (state, left) = match sighting.at {
                Whereabouts::Waits { left } => ("waits", left),
                Whereabouts::Behind => ("behind", None),
                Whereabouts::Gone(reason) => (reason.name(), None),
                Whereabouts::Forgotten => ("forgotten", None),
            };
            let (number, name) = (sighting.number, sighting.name.to_string());
            rows.push((number, name, sighting.lane, state.to_owned(), None, left));
        }
        for Ended { number, name, is_lane, end } in
            follows.known.with(py, |known| known.of(sequence))
        {
            let error = end.error.map(String::from);
            rows.push((number, name.into(), is_lane, end.how.into(), error, None));
        }
        if self.late {
            rows.push((u64::MAX, String::new(), false, "forgotten".to_owned(), None, None));
        }
        (moving || returned != follows.holders.returned.get(), rows)
    }
}

#[pymethods]
impl PyFollowing {
    /// Whether to look again, and (number, label, handlers, state, error, seconds) of each mailbox that has, or had,
    /// something to do with the wave.
    fn look(&self, py: Python<'_>) -> PyResult<(bool, Vec<Row>)> {
        self.shared.home.enter()?;
        Ok(self.seen(py))
    }

    /// It follows no more, and is not called again.
    fn end(&self, py: Python<'_>) {
        if self.over.swap(true, Ordering::AcqRel) {
            return;
        }
        let (follows, sequence) = (&self.shared.follows, self.sequence);
        follows.waiting.fetch_sub(1, Ordering::AcqRel);
        if self.shared.home.is_here() {
            let me = Arc::as_ptr(&self.follower);
            follows.known.with(py, |known| known.leave(sequence, me));
        }
    }

    /// The number of the wave that the running handler of this medium handles.
    fn handles(&self, py: Python<'_>) -> Option<u64> {
        let wave = handled(py, &self.shared)?;
        Some(wave.get().sequence.load(Ordering::Relaxed))
    }

    /// How many follow a wave of this medium.
    #[getter]
    fn waiting(&self) -> usize {
        self.shared.follows.waiting.load(Ordering::Acquire)
    }

    /// The number of the medium.
    #[getter]
    fn medium(&self) -> u64 {
        self.shared.number
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.follower.wake)
    }
}

impl Drop for PyFollowing {
    fn drop(&mut self) {
        Python::attach(|py| self.end(py));
    }
}
