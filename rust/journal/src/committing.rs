//! Who commits: the thread of the journal, or somebody who waits for waves of its own; one at a time.
//!
//! Contract:
//! - Whoever has taken the [`Committer`] out of the state commits one batch, tells of it, and puts it back. So batches
//!   are committed, and told of, in their order.
//! - The thread takes it when something waits and it is there. Who waits in [`Shared::commit`] takes it too: then no other
//!   thread has to wake up for the batch, nor this one after it.
//! - What was appended meanwhile is the thread's, which is woken when the committer is put back.
//! - A panic is a mistake of ours, or of who is told. The journal has failed then, as if the disk had: nobody waits for
//!   ever, and what is in the files stays what it is.
//! - While the disk is waited for, only the lock of the files is held; while somebody is told, none.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Instant;

use crate::disk::Disk;
use crate::keeper::Keeper;
use crate::known::Known;
use crate::log::{Log, Run};
use crate::measured::Measured;
use crate::opening::Opened;
use crate::options::{Durability, Options, Refusal};
use crate::record::Encoded;
use crate::state::{Settled, State};
use crate::sync::{Condvar, Mutex, MutexGuard, locked};

/// What the threads of a journal share.
pub(crate) struct Shared<D: Disk, T> {
    pub(crate) disk: D,
    pub(crate) options: Options,
    state: Mutex<State<T, Committer<D, T>>>,
    /// What is known of what is committed.
    pub(crate) known: Mutex<Known>,
    /// The files that are written: held by whoever commits while it writes, so that they can be closed without it.
    pub(crate) log: Mutex<Log<D>>,
    /// The right to write, which goes when the thread has written all it will.
    pub(crate) right: Mutex<Option<D::Lock>>,
    /// Called when segments have become complete.
    pub(crate) on_complete: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// What is measured of commits, if anything is.
    pub(crate) measured: OnceLock<Box<Measured>>,
    /// Something waits, or it closes.
    appended: Condvar,
    /// A commit is over, and it was told.
    committed: Condvar,
}

/// What whoever commits has to have.
pub(crate) struct Committer<D, T> {
    keeper: Keeper<D>,
    told: Box<dyn Fn(Settled<T>) + Send>,
}

type Guard<'a, D, T> = MutexGuard<'a, State<T, Committer<D, T>>>;

impl<D: Disk + Clone, T> Shared<D, T> {
    /// Of a folder that was opened, and may be written.
    pub(crate) fn new(
        disk: D,
        options: Options,
        right: D::Lock,
        mut opened: Opened,
        told: impl Fn(Settled<T>) + Send + 'static,
    ) -> Self {
        let journal = opened.journal.unwrap_or_else(|| disk.random());
        let keeper = Keeper::new(disk.clone(), journal, options.snapshot_interval, &mut opened);
        let queue = opened.queue(journal, options.segment_bytes);
        let committer = Committer { keeper, told: Box::new(told) };
        Self {
            disk: disk.clone(),
            options,
            state: Mutex::new(State::new(queue, committer)),
            known: Mutex::new(opened.known),
            log: Mutex::new(Log::new(disk)),
            right: Mutex::new(Some(right)),
            on_complete: OnceLock::new(),
            measured: OnceLock::new(),
            appended: Condvar::new(),
            committed: Condvar::new(),
        }
    }
}

impl<D: Disk, T> Shared<D, T> {
    pub(crate) fn lock(&self) -> Guard<'_, D, T> {
        locked(&self.state)
    }

    /// Wakes the thread, as something waits or the journal closes.
    pub(crate) fn rouse(&self) {
        self.appended.notify_one();
    }

    /// Waits for an answer, which only a commit can change.
    pub(crate) fn wait_until<R>(
        &self,
        over: impl Fn(&State<T, Committer<D, T>>) -> Option<R>,
    ) -> R {
        let mut state = self.lock();
        loop {
            if let Some(result) = over(&state) {
                return result;
            }
            state = self.committed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Appends waves side by side, and waits until they are committed: it commits them itself, unless somebody else does.
    pub(crate) fn commit(&self, waves: &mut [Encoded]) -> Result<u64, Refusal> {
        let mut state = self.lock();
        state.admit(waves.iter().map(Encoded::size).sum(), &self.options)?;
        for wave in waves {
            state.queue.wave(wave, &self.disk);
        }
        let last = state.queue.last();
        loop {
            if let Some(result) = state.outcome(last) {
                return result.map(|()| last);
            }
            state = match state.committer.take() {
                Some(committer) => self.commit_next(state, committer),
                None => self.committed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// What the thread does: commits what others leave, until the journal closes.
    pub(crate) fn commit_all(&self) {
        let mut state = self.lock();
        loop {
            let idle = |state: &mut State<T, _>| {
                state.committer.is_none() || (state.queue.is_empty() && !state.closing)
            };
            state = self.appended.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
            let Some(committer) = state.committer.take() else { continue };
            if state.queue.is_empty() {
                drop(state);
                return self.end(committer.keeper);
            }
            state = self.commit_next(state, committer);
        }
    }

    /// Commits what waits, tells of it, and puts the committer back.
    fn commit_next<'a>(
        &'a self,
        mut state: Guard<'a, D, T>,
        mut committer: Committer<D, T>,
    ) -> Guard<'a, D, T> {
        let runs = state.take();
        let early = self.options.durability == Durability::None && !state.is_full();
        let early = if early { state.settle_early() } else { None };
        drop(state);
        let commit = AssertUnwindSafe(|| self.commit_batch(&mut committer, runs, early));
        if let Err(panic) = catch_unwind(commit) {
            self.fall(&committer, &*panic);
        }
        let mut state = self.lock();
        state.committer = Some(committer);
        if !state.queue.is_empty() || state.closing {
            self.rouse();
        }
        state
    }

    fn commit_batch(
        &self,
        committer: &mut Committer<D, T>,
        runs: Vec<Run>,
        early: Option<Settled<T>>,
    ) {
        let Committer { keeper, told } = committer;
        let sync = self.options.durability == Durability::Sync;
        early.map(&*told);
        let measured = self.measured.get().map(|measured| (measured, Instant::now()));
        let done = locked(&self.log).commit(&runs, sync);
        if let Some((measured, begun)) = measured {
            measured.committed(begun.elapsed(), done.is_ok());
        }
        let complete = done.is_ok() && keeper.committed(&mut locked(&self.known), &runs, sync);
        drop(runs);
        let settled = self.lock().settle(done);
        settled.map(&*told);
        // Under the lock, so that nobody who looks and then waits misses it.
        self.lock().is_told();
        self.committed.notify_all();
        keeper.write_indexes();
        if let Some(call) = self.on_complete.get().filter(|_| complete) {
            call();
        }
        if keeper.is_due() && self.lock().failed().is_none() {
            self.snapshot(keeper);
        }
    }

    /// Something has panicked in the midst of a commit: nothing is written any more, and whoever waits is told so.
    #[cold]
    fn fall(&self, committer: &Committer<D, T>, panic: &(dyn Any + Send)) {
        let settled = self.lock().fall(fallen(panic));
        // Who panics a second time is not asked again.
        drop(catch_unwind(AssertUnwindSafe(|| settled.map(&*committer.told))));
        self.lock().is_told();
        self.committed.notify_all();
    }

    /// What its thread does has panicked apart from any commit.
    #[cold]
    pub(crate) fn end_fallen(&self, panic: &(dyn Any + Send)) {
        self.lock().fail(fallen(panic));
        self.committed.notify_all();
    }

    /// Nothing is written any more. After an error there is nothing to say, either.
    fn end(&self, mut keeper: Keeper<D>) {
        if self.lock().failed().is_none() {
            keeper.end(&mut locked(&self.known));
            keeper.write_indexes();
            if keeper.has_changed() {
                self.snapshot(&mut keeper);
            }
        }
    }

    /// Writes a snapshot, after a sync of what was only written.
    fn snapshot(&self, keeper: &mut Keeper<D>) {
        if self.options.durability != Durability::Sync {
            let synced = locked(&self.log).sync();
            if let Err(error) = synced {
                self.lock().fail(error);
                return;
            }
        }
        let bytes = keeper.encode(&locked(&self.known));
        let written = keeper.write(bytes);
        self.lock().snapshot = written.map_err(Arc::new);
    }
}

/// What a panic has said, as the error that the journal has failed by.
fn fallen(panic: &(dyn Any + Send)) -> io::Error {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    io::Error::other(format!("a panic: {}", said.unwrap_or("of no text")))
}
