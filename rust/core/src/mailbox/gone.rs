//! The last waves that a mailbox has let go, for whoever asks what became of one.
//!
//! Contract:
//! - As many are remembered as the mailbox holds, and at least [`LEAST`]: so all that leave it at once.
//! - Of what is forgotten, the highest sequence is known: a wave beyond it that is not here was not let go.

use super::{Mailbox, Order};
use crate::clock::Clock;
use crate::reason::Reason;

/// So many are remembered in any case.
const LEAST: usize = 256;

/// Waves that are gone, by their sequences: a ring.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    waves: Vec<(u64, Reason)>,
    /// Where the one stands that went first, once it is full.
    first: usize,
    /// None beyond this one was forgotten.
    forgotten: u64,
}

impl Gone {
    #[inline]
    fn note(&mut self, sequence: u64, reason: Reason, most: usize) {
        if self.waves.len() < most.max(LEAST) {
            self.waves.push((sequence, reason));
            return;
        }
        if let Some(oldest) = self.waves.get_mut(self.first) {
            self.forgotten = self.forgotten.max(oldest.0);
            *oldest = (sequence, reason);
        }
        self.first += 1;
        if self.first == self.waves.len() {
            self.first = 0;
        }
    }

    /// Why a wave was let go; the last time, if it had come again.
    pub(crate) fn of(&self, sequence: u64) -> Option<Reason> {
        let found = self.iter().rev().find(|&(known, _)| known == sequence);
        found.map(|(_, reason)| reason)
    }

    /// Whether a wave may have been let go and forgotten.
    pub(crate) fn may_have_forgotten(&self, sequence: u64) -> bool {
        sequence <= self.forgotten
    }

    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// In the order in which they went.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, Reason)> + '_ {
        let (last, first) = self.waves.split_at(self.first);
        first.iter().chain(last).copied()
    }
}

impl<T, W> Mailbox<T, W> {
    /// Notes that a wave was let go.
    #[inline]
    pub(super) fn note_gone(&mut self, item: &T, reason: Reason) {
        self.note_gone_by((self.rest.number)(item), reason);
    }

    /// The same of one that never was here. 0: it has no sequence to be asked for by.
    #[inline]
    pub(crate) fn note_gone_by(&mut self, sequence: u64, reason: Reason) {
        if sequence != 0 {
            let most = self.rest.capacity;
            self.rest.gone.note(sequence, reason, most);
        }
    }

    /// What it has let go.
    pub(crate) fn gone(&self) -> &Gone {
        &self.rest.gone
    }

    /// If a wave waits here: in how many seconds time removes it; infinite: never.
    pub(crate) fn finds(&self, sequence: u64, clock: &Clock) -> Option<f64> {
        let is_it = |item: &T| (self.rest.number)(item) == sequence;
        let early = || self.rest.ahead.find(is_it);
        let (expires, loudness) = self.queue.find(is_it).or_else(early)?;
        let fades = self.rest.order == Order::Fresh && self.noise_floor > 0.0;
        let sinks = loudness
            .filter(|_| fades)
            .map(|loudness| self.rest.fading.sinks(loudness, self.noise_floor));
        Some(sinks.unwrap_or(f64::INFINITY).min(expires) - clock.monotonic())
    }

    /// Whether a wave may still come to it from the journal.
    pub(crate) fn may_read(&self, sequence: u64) -> bool {
        self.unread().is_some_and(|unread| {
            unread.position < sequence
                && sequence <= unread.target
                && unread.spans.iter().any(|span| span.start < sequence)
        })
    }
}
