//! What is done when the journal has committed: deliver, and tell.
//!
//! Contract:
//! - Each emission is delivered, and each who waits is told, in the order of the journal, by whoever commits.
//! - Where a delivery panics, that one's emission is told so, and its room is given back; the others are delivered all
//!   the same. The wave is in the journal, where it is read by whoever reads there.

use std::cell::Cell;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use aether_core::medium::Reserved;
use aether_journal::journal::{Refusal, Settled};
use pyo3::prelude::*;

use super::cursor::Noted;
use super::fate::{Fate, Told};
use crate::channel::text;
use crate::draft::emission_of;
use crate::fork::Inside;
use crate::origin::Origin;
use crate::panics;
use crate::shared::Shared;
use crate::waker::{Aftermath, Waker, rouse_all};
use crate::wave::{Hands, Held};

/// What waits for a commit.
pub enum Waiter {
    /// An emission, which is delivered then.
    Emission(Box<Admitted>),
    /// Somebody who wants to know.
    Told(Arc<Fate>),
    /// A cursor, with what it says, or said before.
    Noted(Box<Noted>),
}

/// An emission that was appended and not delivered yet; room for it is reserved.
pub struct Admitted {
    pub shared: Arc<Shared>,
    pub origin: Arc<Origin>,
    pub wave: Held,
    pub reserved: Reserved,
    /// When its emission has begun, in monotonic seconds; NaN: nobody wants to know.
    pub begun: f64,
    pub fate: Arc<Fate>,
    /// It is delivered all the same if the journal refuses it.
    pub undurably: bool,
}

/// How many are woken together, at most: the first does not wait for thousands of others.
const AT_ONCE: usize = 64;

/// How often a thread that gives way looks whether the other one has come, before it goes on without.
const LOOKS: usize = 256;

/// How many threads have committed, and wait for the interpreter to deliver.
static COMING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread delivers; see [`Delivering`].
    static DELIVERS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is the thread that commits, in the midst of a delivery: it must not wait for itself.
pub fn delivers_here() -> bool {
    DELIVERS.get()
}

/// While it lives, its thread delivers.
struct Delivering;

impl Drop for Delivering {
    fn drop(&mut self) {
        DELIVERS.set(false);
    }
}

/// Called by the thread that commits, in the order of the journal.
pub fn settle(settled: Settled<Waiter>) {
    DELIVERS.set(true);
    let _delivering = Delivering;
    // If the journal has failed by a panic, that was in this thread, just now.
    panics::tell_last();
    settle_all(settled);
}

fn settle_all(settled: Settled<Waiter>) {
    let Settled { waiters, result, .. } = settled;
    if waiters.is_empty() {
        return;
    }
    let mut waiters = Some(waiters);
    COMING.fetch_add(1, Ordering::Relaxed);
    let attached = Python::try_attach(|py| {
        COMING.fetch_sub(1, Ordering::Relaxed);
        // A program that ends waits for it.
        let _inside = Inside::enter(py);
        let mut told = Vec::new();
        for (sequence, waiter) in waiters.take().into_iter().flatten() {
            panics::apart(|| waiter.settle(py, sequence, &result, &mut told));
            if told.len() >= AT_ONCE {
                rouse_all(py, mem::take(&mut told));
            }
        }
        rouse_all(py, told);
    });
    if attached.is_none() {
        COMING.fetch_sub(1, Ordering::Relaxed);
    }
    // The interpreter ends, and nobody may touch its objects any more.
    waiters.into_iter().flatten().for_each(mem::forget);
}

/// Lets a thread deliver that waits for the interpreter. Whoever emits many in a row calls this from time to time: the
/// thread goes on with the disk then, while the next ones are emitted.
pub fn give_way(py: Python<'_>) {
    let comes = || COMING.load(Ordering::Relaxed) > 0;
    if comes() {
        py.detach(|| (0..LOOKS).take_while(|_| comes()).for_each(|_| thread::yield_now()));
    }
}

impl Waiter {
    /// Adds to `wakers` who is told by it.
    fn settle(
        self,
        py: Python<'_>,
        sequence: u64,
        result: &Result<(), Refusal>,
        wakers: &mut Vec<Waker>,
    ) {
        match self {
            Self::Emission(admitted) => match result {
                Ok(()) => wakers.extend(admitted.deliver(py, sequence)),
                Err(_) if admitted.undurably => wakers.extend(admitted.deliver(py, 0)),
                Err(refusal) => {
                    let fate = Arc::clone(&admitted.fate);
                    admitted.give_up(py);
                    wakers.extend(fate.tell(Told::Refused(refusal.clone())));
                }
            },
            Self::Told(fate) => {
                let told = result.clone().map_or_else(Told::Refused, |()| Told::Settled);
                wakers.extend(fate.tell(told));
            }
            Self::Noted(noted) => noted.settle(py, result.as_ref().err()),
        }
    }
}

/// An emission that is delivered just now. If that panics, whoever waits for it is told so, and it holds no room.
struct Untold<'a, 'py> {
    py: Python<'py>,
    shared: &'a Shared,
    fate: &'a Fate,
    /// Not in the core's hands yet.
    reserved: Option<Reserved>,
}

impl Drop for Untold<'_, '_> {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved.take() {
            let mut after = Aftermath::default();
            self.shared.medium.unreserve(reserved, &mut after);
            self.shared.settle(self.py, after);
        }
        rouse_all(self.py, self.fate.tell(Told::Panicked));
    }
}

impl Admitted {
    /// Delivers it; `sequence` is its place in the journal, or 0 if it is in none. Returns who is to be told.
    #[must_use]
    pub fn deliver(self, py: Python<'_>, sequence: u64) -> Vec<Waker> {
        let Self { shared, origin, wave, reserved, begun, fate, .. } = self;
        let mut untold = Untold { py, shared: &shared, fate: &fate, reserved: Some(reserved) };
        let mut after = Aftermath::default();
        // A wave has been emitted, so its channel is one.
        let channel = text(wave.0.get().channel.bind(py)).unwrap_or_default();
        let emission = emission_of(&shared, &origin, &wave, channel);
        let Some(reserved) = untold.reserved.take() else { unreachable!("it was put there above") };
        let sent =
            shared.medium.deliver(reserved, &emission, sequence, &wave, &Hands(py), &mut after);
        shared.time_admission(sent.sequence, begun);
        mem::forget(untold);
        // It is delivered, whatever those come to who look on.
        panics::apart(|| shared.tap(py, &wave, sent.sequence));
        shared.settle(py, after);
        fate.tell(Told::Delivered(sent))
    }

    /// Gives its room back: nobody gets it.
    pub fn give_up(self, py: Python<'_>) {
        let Self { shared, reserved, .. } = self;
        let mut after = Aftermath::default();
        shared.medium.unreserve(reserved, &mut after);
        shared.settle(py, after);
    }
}
