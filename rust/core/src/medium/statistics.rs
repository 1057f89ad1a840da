//! What is counted, and shown.

use super::{Aftermath, Key, Medium, State};
use crate::reason::Tally;
use crate::router::{Domains, Hint, Router, RouterStatistics};
use crate::sync::RawLock;

/// Counters of a medium since it was made.
#[derive(Clone, Debug, Default)]
pub struct MediumStatistics {
    /// Waves admitted, and delivered where they are delivered later.
    pub emitted: u64,
    /// Deliveries into mailboxes.
    pub delivered: u64,
    /// Waves admitted that matched no mailbox.
    pub unheard: u64,
    /// Waves taken by readers and handlers.
    pub received: u64,
    /// Waves let go after they had matched.
    pub dropped: Tally,
    /// Waves that wait in mailboxes now.
    pub waiting: u64,
    /// Mailboxes now.
    pub mailboxes: usize,
    /// Emissions that wait for room now.
    pub waiting_send: usize,
    /// Channels whose last wave is retained now.
    pub retained: usize,
    /// Channels whose last wave was forgotten, as there was no room for it.
    pub forgotten: u64,
    /// The router's own.
    pub router: RouterStatistics,
}

/// Counters of one mailbox.
#[derive(Clone, Debug, Default)]
pub struct MailboxStatistics {
    /// Waves that wait.
    pub used: usize,
    /// Whether it is behind, and reads from the journal.
    pub behind: bool,
    /// How many it holds.
    pub capacity: usize,
    /// Readers that wait.
    pub waiting_receive: usize,
    /// Emissions for which it is full, and the one to which room in it is promised.
    pub waiting_send: usize,
    /// Waves taken from it.
    pub received: u64,
    /// Waves it let go.
    pub dropped: Tally,
}

/// What emissions have done.
pub(super) struct Counted {
    /// The sequence of the last wave delivered.
    pub(super) sequence: u64,
    /// Sequences that no wave has had.
    skipped: u64,
    /// Waves that were delivered without a place in the journal that they were meant for.
    pub(super) unplaced: u64,
    pub(super) delivered: u64,
    pub(super) unheard: u64,
    /// An emission is looked at before it is admitted; see [`super::pressure`].
    pub(super) marked: bool,
    /// Where waves are counted by domain, if that is asked for.
    pub(super) domains: Option<Box<Domains>>,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            sequence: 0,
            skipped: 0,
            unplaced: 0,
            delivered: 0,
            unheard: 0,
            marked: false,
            domains: None,
        }
    }
}

impl Counted {
    /// The same as [`Self::count_domain`] by a hint that the router has found good.
    #[inline]
    pub(super) fn count_recalled(&mut self, hint: Hint, router: &Router) {
        if let Some(domains) = &mut self.domains {
            domains.count_recalled(hint, router);
        }
    }

    /// Counts a wave that is admitted by its domain.
    #[inline]
    pub(super) fn count_domain(&mut self, channel: &str, hint: Hint) {
        if let Some(domains) = &mut self.domains {
            domains.count(channel, hint);
        }
    }

    /// Counts a wave that nobody resonates with, and returns its sequence.
    #[inline]
    pub(super) fn count_unheard(&mut self) -> u64 {
        self.sequence += 1;
        self.unheard += 1;
        self.sequence
    }

    /// How many waves were delivered.
    pub(super) fn emitted(&self) -> u64 {
        self.sequence - self.skipped + self.unplaced
    }

    /// The next wave is beyond this one.
    pub(super) fn skip_to(&mut self, sequence: u64) {
        self.skipped += sequence.saturating_sub(self.sequence);
        self.sequence = self.sequence.max(sequence);
    }

    /// Counts a wave of this sequence, or of none.
    pub(super) fn count(&mut self, sequence: u64) {
        if sequence == 0 {
            self.unplaced += 1;
            return;
        }
        debug_assert!(sequence > self.sequence, "{sequence} comes after {}", self.sequence);
        self.skip_to(sequence.saturating_sub(1));
        self.sequence += 1;
    }
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// A number that grows with everything that is emitted or taken.
    pub fn progress(&self) -> u64 {
        let state = self.lock();
        let received: u64 = state.boxes.iter().map(|(_, mailbox)| mailbox.received).sum();
        state.counted.emitted() + state.retired_received + received
    }

    /// Counters of the medium.
    pub fn statistics(&self) -> MediumStatistics {
        self.lock().statistics()
    }

    /// Counters of a mailbox, without what is expired or faded by now; empty ones for a stale key.
    pub fn mailbox_statistics(&self, key: Key, after: &mut Aftermath<T, W>) -> MailboxStatistics {
        let mut state = self.lock();
        state.purge(key, after);
        let waiting_send = state.count_waiting(key);
        let Some(mailbox) = state.boxes.get(key) else { return MailboxStatistics::default() };
        MailboxStatistics {
            used: mailbox.len(),
            behind: mailbox.is_behind(),
            capacity: mailbox.capacity(),
            waiting_receive: mailbox.waiters.len(),
            waiting_send,
            received: mailbox.received,
            dropped: *mailbox.lost(),
        }
    }
}

impl<T, W> State<T, W> {
    pub(super) fn statistics(&self) -> MediumStatistics {
        let mut statistics = MediumStatistics {
            emitted: self.counted.emitted(),
            delivered: self.counted.delivered,
            unheard: self.counted.unheard,
            received: self.retired_received,
            dropped: self.retired,
            waiting_send: self.senders.len(),
            retained: self.retained.as_ref().map_or(0, |retained| retained.len()),
            forgotten: self.retained.as_ref().map_or(0, |retained| retained.forgotten),
            router: self.router.statistics(),
            ..MediumStatistics::default()
        };
        for (_, mailbox) in self.boxes.iter() {
            statistics.mailboxes += 1;
            statistics.waiting += mailbox.len() as u64;
            statistics.received += mailbox.received;
            statistics.dropped.merge(mailbox.lost());
        }
        statistics
    }
}
