//! Waves that a mailbox has been promised: they were admitted, and are delivered later.
//!
//! A mailbox that blocks or refuses holds room for each of them, by being so much smaller until it comes: so
//! whoever asks whether it is full, or adds a wave to it, needs to know nothing of them. What is shown is its
//! whole capacity. The other policies hold nothing: what they let go is decided at the delivery.
//!
//! A closing mailbox is at its end only when none is on the way any more, and it has read what it has to.

use super::{Mailbox, Overflow, Phase};
use crate::reason::Reason;

/// Waves on the way to one mailbox.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// All of them.
    waves: usize,
    /// Those for which room is held.
    held: usize,
}

impl<T, W> Mailbox<T, W> {
    /// One more wave is on the way; returns whether room is held for it, if asked for. The caller has made sure that
    /// there is some, where it is needed.
    pub(crate) fn await_wave(&mut self, wanted: bool) -> bool {
        let held = wanted && matches!(self.overflow, Overflow::Block | Overflow::Error);
        self.rest.pending.waves += 1;
        self.rest.pending.held += usize::from(held);
        self.note_room();
        held
    }

    /// That wave is here, or comes no more: its room is free.
    pub(crate) fn end_wait(&mut self, held: bool) {
        self.rest.pending.waves -= 1;
        self.rest.pending.held -= usize::from(held);
        self.note_room();
    }

    /// For how many waves room is held.
    pub(super) fn held(&self) -> usize {
        self.rest.pending.held
    }

    /// Whether a wave is on the way to it.
    pub(crate) fn awaits_wave(&self) -> bool {
        self.rest.pending.waves > 0
    }

    /// Whether its readers are at the end once they have taken what is in it.
    #[inline]
    pub(crate) fn is_final(&self) -> bool {
        let more = || self.awaits_wave() || self.is_behind();
        self.phase != Phase::Open && !(self.phase == Phase::Closing && more())
    }

    /// Lets a wave go that has just matched.
    pub(crate) fn shed(&mut self) {
        self.lose(Reason::Shed, self.queue.arrivals());
    }

    /// Counts a wave that comes too late.
    pub(crate) fn turn_away(&mut self, reason: Reason) {
        self.rest.lost.add(reason, 1);
    }
}
