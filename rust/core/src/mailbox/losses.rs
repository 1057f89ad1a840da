//! What a mailbox has lost: counted by reason, and told to its reader at the place where the waves are missing.
//!
//! Contract:
//! - Each lost wave is counted once, and reported with the next wave that is taken behind its place.
//! - There is at most one gap more than waves that wait, however long a reader stops.
//! - The first loss begins an episode, which is told once; it ends when nothing waits any more.

use super::Mailbox;
use crate::reason::Reason;

impl<T, W> Mailbox<T, W> {
    /// How many were lost before the wave that was taken just now; ends the episode with the last wave.
    #[cold]
    pub(super) fn report_losses(&mut self, arrival: u64) -> u64 {
        let mut missed = 0;
        while let Some(gap) = self.rest.gaps.first_entry().filter(|gap| *gap.key() <= arrival) {
            missed += gap.remove();
        }
        self.rest.losing &= self.queue.len() > 0;
        self.losses = self.rest.losing || !self.rest.gaps.is_empty();
        missed
    }

    /// Counts a lost wave at its place in the order of arrival, and remembers it.
    pub(super) fn lose_wave(&mut self, item: &T, reason: Reason, arrival: u64) {
        self.note_gone(item, reason);
        self.lose(reason, arrival);
    }

    /// Counts a lost wave at its place in the order of arrival.
    pub(super) fn lose(&mut self, reason: Reason, arrival: u64) {
        self.rest.lost.add(reason, 1);
        if !self.rest.losing {
            self.rest.losing = true;
            self.rest.begun = Some(reason);
        }
        self.mark_gap(arrival, 1);
    }

    pub(super) fn mark_gap(&mut self, arrival: u64, lost: u64) {
        self.losses = true;
        *self.rest.gaps.entry(arrival).or_default() += lost;
        // A reader that stopped must not make this grow.
        if self.rest.gaps.len() > self.rest.capacity.saturating_mul(2).saturating_add(2) {
            self.fold_gaps();
        }
    }

    /// Moves each gap to the place of the wave with which it will be reported: the next that waits, or the
    /// next to arrive. So there is at most one gap more than waves, and readers see no difference.
    fn fold_gaps(&mut self) {
        let mut waiting = self.queue.waiting_arrivals().into_iter().peekable();
        let next = self.queue.arrivals();
        for (place, count) in std::mem::take(&mut self.rest.gaps) {
            while waiting.next_if(|&arrival| arrival < place).is_some() {}
            let reported = waiting.peek().copied().unwrap_or(next);
            *self.rest.gaps.entry(reported).or_default() += count;
        }
    }

    /// The reason with which an episode of loss has begun, once.
    pub(crate) fn begun_losing(&mut self) -> Option<Reason> {
        self.rest.begun.take().filter(|_| !self.is_aside())
    }
}
