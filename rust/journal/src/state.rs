//! What the threads of a journal share under its lock: what waits for its commit, who waits for that, and what
//! became of what was committed before.
//!
//! Whoever waits belongs to a *batch*: what is taken from the queue at once, and committed or refused as a whole.
//! A sequence does not say which, as a note has that of the wave before it.

use std::io;
use std::mem;
use std::sync::Arc;

use crate::append::End;
use crate::log::{Fault, Run};
use crate::options::{Options, Refusal};
use crate::queue::Queue;

type Waiters<T> = Vec<(u64, T)>;

/// What became of the waves and notes of one commit.
#[derive(Debug)]
pub struct Settled<T> {
    /// Those who waited, in the order in which they came; each with the sequence of its wave, or of the last wave
    /// before its note.
    pub waiters: Vec<(u64, T)>,
    /// Whether it is committed; otherwise none of it is in the files.
    pub result: Result<(), Refusal>,
    /// All waves up to this one are settled.
    pub up_to: u64,
}

pub(crate) struct State<T, C> {
    pub(crate) queue: Queue,
    /// What whoever commits has; `None`: somebody has taken it, and puts it back.
    pub(crate) committer: Option<C>,
    /// For what is in the queue, in the order in which it was appended.
    waiting: Waiters<T>,
    /// The batch that is committed just now.
    under_way: Option<UnderWay<T>>,
    /// How many batches were taken, and of how many it was told what became of them.
    taken: u64,
    told: u64,
    /// All waves up to this one are committed, or refused.
    settled: u64,
    /// All waves up to this one that are not refused are in the files, as durable as asked.
    safe: u64,
    /// Where the segment that is written ends, as far as it is committed.
    kept: Option<End>,
    /// Those that were refused, in order; each with the last of them.
    refused: Vec<(u64, u64, Refusal)>,
    /// The last batch that was refused, by its number.
    refused_batch: Option<(u64, Refusal)>,
    /// How many waves were refused after it was told that they are committed.
    lost: u64,
    /// The disk has refused the last batch.
    full: bool,
    failed: Option<Arc<io::Error>>,
    /// How the last snapshot went.
    pub(crate) snapshot: Result<(), Arc<io::Error>>,
    pub(crate) closing: bool,
}

struct UnderWay<T> {
    /// The last sequence before it, and its last.
    after: u64,
    last: u64,
    bytes: usize,
    end: Option<End>,
    /// `None`: they were told that it is committed.
    waiters: Option<Waiters<T>>,
}

impl<T, C> State<T, C> {
    pub(crate) fn new(queue: Queue, committer: C) -> Self {
        let last = queue.last();
        Self {
            queue,
            committer: Some(committer),
            waiting: Vec::new(),
            under_way: None,
            taken: 0,
            told: 0,
            settled: last,
            safe: last,
            kept: None,
            refused: Vec::new(),
            refused_batch: None,
            lost: 0,
            full: false,
            failed: None,
            snapshot: Ok(()),
            closing: false,
        }
    }

    pub(crate) fn safe(&self) -> u64 {
        self.safe
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether the disk has refused the last batch.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Why nothing is written any more.
    pub(crate) fn failed(&self) -> Option<Refusal> {
        let error = Arc::clone(self.failed.as_ref()?);
        Some(Refusal::Failed { safe: self.safe, error })
    }

    /// Why nothing is written now: it has failed, or the disk has refused the last batch.
    pub(crate) fn trouble(&self) -> Option<Refusal> {
        let full = || self.refused_batch.as_ref().filter(|_| self.full);
        self.failed().or_else(|| full().map(|(_, refusal)| refusal.clone()))
    }

    /// How many bytes are not in the files yet.
    pub(crate) fn pending(&self) -> usize {
        self.queue.bytes() + self.under_way.as_ref().map_or(0, |batch| batch.bytes)
    }

    /// Whether a record of this size may be appended.
    pub(crate) fn admit(&self, size: usize, options: &Options) -> Result<(), Refusal> {
        if let Some(failed) = self.failed() {
            return Err(failed);
        }
        if self.closing {
            return Err(Refusal::Closed);
        }
        let pending = self.pending();
        // A single record is admitted, however large it is.
        if pending > 0 && pending.saturating_add(size) > options.pending_bytes {
            return Err(Refusal::Busy(pending));
        }
        Ok(())
    }

    /// Somebody waits for what was put into the queue last.
    pub(crate) fn wait_for_last(&mut self, waiter: T) {
        self.waiting.push((self.queue.last(), waiter));
    }

    /// Somebody waits for a wave that is not settled yet.
    pub(crate) fn wait_for(&mut self, sequence: u64, waiter: T) {
        let waiters = match &mut self.under_way {
            Some(UnderWay { last, waiters: Some(waiters), .. }) if sequence <= *last => waiters,
            _ => &mut self.waiting,
        };
        waiters.push((sequence, waiter));
    }

    /// What became of a wave that was appended; `None`: nothing yet.
    pub(crate) fn outcome(&self, sequence: u64) -> Option<Result<(), Refusal>> {
        let last = self.queue.last();
        if sequence > last {
            return Some(Err(Refusal::NotGiven { sequence, last }));
        }
        if self.settled < sequence {
            return None;
        }
        let at = self.refused.partition_point(|&(_, last, _)| last < sequence);
        let refused = self.refused.get(at).filter(|&&(first, ..)| first <= sequence);
        Some(refused.map_or(Ok(()), |(.., refusal)| Err(refusal.clone())))
    }

    /// The numbers of the batches that what was appended is in, as far as it is not settled.
    pub(crate) fn batches(&self) -> std::ops::RangeInclusive<u64> {
        self.told + 1..=self.taken + u64::from(!self.queue.is_empty())
    }

    /// What became of batches; `None`: nothing yet of some.
    pub(crate) fn outcome_of(
        &self,
        batches: &std::ops::RangeInclusive<u64>,
    ) -> Option<Result<(), Refusal>> {
        let refused = self.refused_batch.as_ref().filter(|(batch, _)| batch >= batches.start());
        match (self.failed(), refused) {
            (Some(failed), _) => Some(Err(failed)),
            _ if self.told < *batches.end() => None,
            (None, Some((_, refusal))) => Some(Err(refusal.clone())),
            (None, None) => Some(Ok(())),
        }
    }

    /// Takes the batch that is to be committed.
    pub(crate) fn take(&mut self) -> Vec<Run> {
        let bytes = self.queue.bytes();
        let (runs, end) = self.queue.take();
        let waiters = Some(mem::take(&mut self.waiting));
        let (after, last) = (self.settled, self.queue.last());
        self.under_way = Some(UnderWay { after, last, bytes, end, waiters });
        self.taken += 1;
        runs
    }

    /// The batch counts as committed before it is.
    pub(crate) fn settle_early(&mut self) -> Option<Settled<T>> {
        let batch = self.under_way.as_mut()?;
        self.settled = batch.last;
        Some(Settled { waiters: batch.waiters.take()?, result: Ok(()), up_to: batch.last })
    }

    /// The batch is committed, or refused. `None`: those who wait for it know already.
    pub(crate) fn settle(&mut self, done: Result<(), Fault>) -> Option<Settled<T>> {
        let batch = self.under_way.take()?;
        let early = batch.waiters.is_none();
        let mut waiters = batch.waiters.unwrap_or_default();
        match done {
            Ok(()) => {
                (self.kept, self.safe, self.full) = (batch.end, batch.last, false);
                self.settled = batch.last;
                (!early).then_some(Settled { waiters, result: Ok(()), up_to: batch.last })
            }
            Err(fault) => {
                if early {
                    self.lost += batch.last - batch.after;
                }
                // Also what was appended meanwhile: its place is gone. It counts as one batch more.
                self.taken += u64::from(!self.queue.is_empty());
                self.queue.give_up(self.safe, self.kept);
                waiters.append(&mut self.waiting);
                let refusal = match fault {
                    Fault::Refused(error) => Refusal::Full(Arc::new(error)),
                    Fault::Broken(error) => self.fail(error),
                };
                self.full = true;
                let last = self.queue.last();
                self.refuse(batch.after + 1, last, &refusal);
                self.settled = last;
                Some(Settled { waiters, result: Err(refusal), up_to: last })
            }
        }
    }

    /// Nothing is written any more, as something has panicked: what is not committed is refused.
    pub(crate) fn fall(&mut self, error: io::Error) -> Option<Settled<T>> {
        if self.under_way.is_none() {
            drop(self.take());
        }
        self.settle(Err(Fault::Broken(error)))
    }

    /// It was told what became of all that was taken.
    pub(crate) fn is_told(&mut self) {
        self.told = self.taken;
    }

    /// Nothing is written any more.
    pub(crate) fn fail(&mut self, error: io::Error) -> Refusal {
        let error = Arc::new(error);
        self.failed = Some(Arc::clone(&error));
        Refusal::Failed { safe: self.safe, error }
    }

    /// Remembers that a batch was refused, with the waves of these sequences, if there are any.
    fn refuse(&mut self, first: u64, last: u64, refusal: &Refusal) {
        self.refused_batch = Some((self.taken, refusal.clone()));
        if first > last {
            return;
        }
        match self.refused.last_mut() {
            // As long as a disk is full, there is one entry.
            Some((_, before, Refusal::Full(_)))
                if *before + 1 == first && matches!(refusal, Refusal::Full(_)) =>
            {
                *before = last;
            }
            _ => self.refused.push((first, last, refusal.clone())),
        }
    }
}

impl<T, C> std::fmt::Debug for State<T, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { queue, settled, safe, failed, closing, .. } = self;
        write!(
            f,
            "State {{ {queue:?}, settled {settled}, safe {safe}, {failed:?}, closing {closing} }}"
        )
    }
}

#[cfg(test)]
mod tests;
