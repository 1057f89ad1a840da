//! Where a wave is that was delivered, and why it is there no more.
//!
//! Contract:
//! - A look is one moment of all mailboxes: a wave that leaves one is seen there before it is taken, or is among those
//!   that were let go, or was taken.
//! - What time has removed by then is let go first.
//! - It looks at all that waits: some nanoseconds for each wave that does.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Aftermath, Key, Medium, State};
use crate::mailbox::Mailbox;
use crate::reason::Reason;
use crate::sync::RawLock;

/// So many waves are remembered that were let go by mailboxes that are gone themselves.
const MOST: usize = 1_024;

/// What one mailbox has to do with a wave.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The number of its key.
    pub number: u64,
    /// The label of its vibrator.
    pub name: Arc<str>,
    /// Whether it feeds handlers.
    pub lane: bool,
    /// What it is.
    pub at: Whereabouts,
}

/// Where a wave is, as far as a mailbox knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whereabouts {
    /// It waits here; time removes it in so many seconds.
    Waits {
        /// If it does.
        left: Option<f64>,
    },
    /// It may come here from the journal.
    Behind,
    /// It was let go here.
    Gone(Reason),
    /// It may have been let go here: nobody remembers.
    Forgotten,
}

/// What mailboxes had let go that are there no more.
#[derive(Debug, Default)]
pub(super) struct Bygone {
    waves: VecDeque<(u64, Sighting)>,
    forgotten: u64,
}

impl Bygone {
    fn note(&mut self, sequence: u64, sighting: Sighting) {
        if self.waves.len() >= MOST {
            let first = self.waves.pop_front();
            self.forgotten = first.map_or(0, |(sequence, _)| sequence).max(self.forgotten);
        }
        self.waves.push_back((sequence, sighting));
    }

    fn of(&self, sequence: u64) -> impl Iterator<Item = Sighting> + '_ {
        let found = self.waves.iter().filter(move |&&(known, _)| known == sequence);
        found.map(|(_, sighting)| sighting.clone())
    }
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// Has what is let go remembered by its sequence, which `number` gives; 0: it has none. It is called under the lock,
    /// and must not run foreign code. Call it before the first mailbox is made.
    pub fn number_by(&self, number: fn(&T) -> u64) {
        self.lock().number = number;
    }

    /// Which mailboxes have let a wave go, as far as they remember.
    pub fn let_go(&self, sequence: u64) -> Vec<Sighting> {
        let state = self.lock();
        let gone = |(key, mailbox): (Key, &Mailbox<T, W>)| {
            let reason = mailbox.gone().of(sequence).filter(|_| !mailbox.is_aside())?;
            Some(sighting(key, mailbox, Whereabouts::Gone(reason)))
        };
        state.boxes.iter().filter_map(gone).chain(state.bygone.of(sequence)).collect()
    }

    /// What every mailbox has to do with the wave of a sequence. A name without a number: somebody who is gone.
    pub fn whereabouts(&self, sequence: u64, after: &mut Aftermath<T, W>) -> Vec<Sighting> {
        let mut state = self.lock();
        let mut seen = Vec::new();
        for key in state.boxes.keys() {
            state.purge(key, after);
            let State { boxes, clock, .. } = &*state;
            let Some(mailbox) = boxes.get(key).filter(|mailbox| !mailbox.is_aside()) else {
                continue;
            };
            let at = if let Some(left) = mailbox.finds(sequence, clock) {
                Some(Whereabouts::Waits { left: Some(left).filter(|left| left.is_finite()) })
            } else if mailbox.may_read(sequence) {
                Some(Whereabouts::Behind)
            } else if let Some(reason) = mailbox.gone().of(sequence) {
                Some(Whereabouts::Gone(reason))
            } else {
                let forgotten = mailbox.gone().may_have_forgotten(sequence);
                forgotten.then_some(Whereabouts::Forgotten)
            };
            seen.extend(at.map(|at| sighting(key, mailbox, at)));
        }
        seen.extend(state.bygone.of(sequence));
        if sequence <= state.bygone.forgotten {
            let (name, at) = (Arc::from(""), Whereabouts::Forgotten);
            seen.push(Sighting { number: u64::MAX, name, lane: false, at });
        }
        seen
    }
}

impl<T, W> State<T, W> {
    /// A mailbox is no more: what it has let go is still remembered.
    #[cold]
    pub(super) fn outlive(&mut self, key: Key, mailbox: &Mailbox<T, W>) {
        if mailbox.is_aside() {
            return;
        }
        for (sequence, reason) in mailbox.gone().iter() {
            self.bygone.note(sequence, sighting(key, mailbox, Whereabouts::Gone(reason)));
        }
        self.bygone.forgotten = self.bygone.forgotten.max(mailbox.gone().forgotten());
    }
}

fn sighting<T, W>(key: Key, mailbox: &Mailbox<T, W>, at: Whereabouts) -> Sighting {
    let name = Arc::clone(mailbox.name());
    Sighting { number: key.number(), name, lane: mailbox.is_lane(), at }
}
