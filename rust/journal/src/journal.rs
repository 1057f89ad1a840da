//! A journal that is written: any number of threads append, one at a time commits.
//!
//! Contract:
//! - [`Journal::append`] gives a wave its sequence and its place in line, and returns at once. Whoever waits for it
//!   comes back in a [`Settled`] when it is committed, or refused: once for each commit, all who wait for it in the
//!   order in which they came, in the thread that commits, outside of its lock.
//! - Who has nothing else to do calls [`Journal::commit`], and commits in its own thread.
//! - All that has been appended while a commit was under way is in the next one: whoever waits shares its sync.
//! - A wave that is refused is in no file. Its sequence is given to nobody else.
//! - A full disk refuses what was appended, and the next append is tried anew. Where it is not known what the
//!   files hold, after an error of a sync, nothing is written any more: all waves from then on are refused as
//!   [`Refusal::Failed`], which says up to which sequence all is safe.
//! - What panics in the thread that commits, a disk or whoever is told, fails the journal in the same way.
//! - What is refused by `append` itself comes back with it: it has no sequence, and nothing will be told of it.
//! - Dropping a journal commits what was appended; [`Journal::forget`] does not.
//!
//! ```text
//! append --lock--> queue: [run, run]   placed, not written
//! thread: take the runs --unlock--> write, sync --lock--> settled = ... --unlock--> tell those who wait
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use aether_core::channel::Pattern;

use crate::committing::Shared;
use crate::disk::Disk;
pub use crate::known::Location;
pub use crate::measured::Figures;
pub use crate::options::{Durability, OpenError, Options, Refusal};
use crate::queue::Queue;
use crate::record::Encoded;
use crate::segment::{Segment, segments};
pub use crate::state::Settled;
use crate::sync::{Builder, JoinHandle, Mutex, locked};
use crate::{index, opening, snapshot};

/// A journal that is written. `T` is who waits for a commit.
pub struct Journal<D: Disk, T> {
    shared: Arc<Shared<D, T>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<D: Disk + Clone, T: Send + 'static> Journal<D, T> {
    /// Opens the journal of a folder, to go on where it ends. What was appended there is not changed.
    ///
    /// `told` is called for each commit by whichever thread commits: it must not drop the journal; what is appended
    /// while it runs waits for it. If it panics, the journal has failed.
    pub fn open(
        disk: D,
        options: Options,
        told: impl Fn(Settled<T>) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let lock = disk.lock()?;
        let opened = opening::opened(&disk)?;
        // What a process that was killed has left is in nobody's way.
        drop(snapshot::clean(&disk).and_then(|()| index::clean(&disk)));
        let shared = Arc::new(Shared::new(disk, options, lock, opened, told));
        let committing = Arc::clone(&shared);
        let thread = Builder::new().name("aether-journal".to_owned()).spawn(move || {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| committing.commit_all())) {
                committing.end_fallen(&*panic);
            }
            drop(locked(&committing.right).take());
        })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }
}

impl<D: Disk, T> Journal<D, T> {
    /// The folder.
    pub fn disk(&self) -> &D {
        &self.shared.disk
    }

    /// All segments, to be read.
    pub fn segments(&self) -> io::Result<Vec<Segment<D::File>>> {
        segments(&self.shared.disk)
    }

    /// Has this called by the thread that commits whenever segments have become complete, which is when retention may
    /// find something to take; only the first that is given. It must not drop the journal.
    pub fn on_complete(&self, call: impl Fn() + Send + Sync + 'static) {
        drop(self.shared.on_complete.set(Box::new(call)));
    }

    /// Gives a wave its sequence. The waiter comes back when it is committed, or refused; or at once, with a wave
    /// that is not appended.
    pub fn append(
        &self,
        wave: &mut Encoded,
        waiter: Option<T>,
    ) -> Result<u64, (Refusal, Option<T>)> {
        self.put(wave.size(), waiter, |queue| queue.wave(wave, &self.shared.disk))
    }

    /// Notes what a cursor says, after all waves that were appended; the waiter as for a wave.
    ///
    /// # Panics
    /// If the name of the cursor has more than 65,535 bytes.
    pub fn acknowledge(
        &self,
        cursor: &str,
        state: &[u8],
        waiter: Option<T>,
    ) -> Result<(), (Refusal, Option<T>)> {
        let mut note = Encoded::acknowledged(self.shared.disk.now(), cursor, state);
        let put = |queue: &mut Queue, note: &mut Encoded| {
            queue.note(note, &self.shared.disk);
            queue.last()
        };
        self.put(note.size(), waiter, |queue| put(queue, &mut note)).map(drop)
    }

    fn put(
        &self,
        size: usize,
        waiter: Option<T>,
        put: impl FnOnce(&mut Queue) -> u64,
    ) -> Result<u64, (Refusal, Option<T>)> {
        let mut state = self.shared.lock();
        if let Err(refusal) = state.admit(size, &self.shared.options) {
            drop(state);
            return Err((refusal, waiter));
        }
        let first = state.queue.is_empty();
        let sequence = put(&mut state.queue);
        if let Some(waiter) = waiter {
            state.wait_for_last(waiter);
        }
        drop(state);
        if first {
            // With the others, the thread has them in view already.
            self.shared.rouse();
        }
        Ok(sequence)
    }

    /// Appends waves side by side, and returns the sequence of the last one when they are committed, as durable as asked.
    /// If nobody else commits just then, this thread does, which is the fastest way to have a wave on the disk: no other
    /// thread has to wake up. Then `told` runs in this thread, for whoever else waits.
    ///
    /// It takes all of them or none; a process that is killed meanwhile may leave the first ones. Without any wave it
    /// waits for the last one that was appended.
    ///
    /// # Errors
    /// Those of [`Self::append`], where all together count as one record; and [`Refusal::Full`] or [`Refusal::Failed`] if
    /// the disk does not take them.
    ///
    /// # Examples
    /// ```
    /// use aether_journal::disk::simulated::SimulatedDisk;
    /// use aether_journal::journal::{Journal, Options};
    /// use aether_journal::record::{Encoded, Wave};
    ///
    /// let journal = Journal::<_, ()>::open(SimulatedDisk::new(1), Options::DEFAULT, drop)?;
    /// let mut wave = Encoded::wave(&Wave::plain("orders.created", b"7")).expect("it fits");
    /// assert_eq!(journal.commit(&mut [wave])?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit(&self, waves: &mut [Encoded]) -> Result<u64, Refusal> {
        self.shared.commit(waves)
    }

    /// Waits until a wave that was appended is committed, or refused.
    pub fn wait(&self, sequence: u64) -> Result<(), Refusal> {
        self.shared.wait_until(|state| state.outcome(sequence))
    }

    /// Has a waiter told when a wave that was appended is committed or refused. If it is already, the waiter comes
    /// back, with the result.
    pub fn when(&self, sequence: u64, waiter: T) -> Option<(Result<(), Refusal>, T)> {
        let mut state = self.shared.lock();
        if let Some(result) = state.outcome(sequence) {
            drop(state);
            return Some((result, waiter));
        }
        state.wait_for(sequence, waiter);
        None
    }

    /// Waits until all that was appended is in the files, as durable as asked, and those who wait for it were told;
    /// or until some of it is refused.
    pub fn flush(&self) -> Result<(), Refusal> {
        let batches = self.shared.lock().batches();
        self.shared.wait_until(|state| state.outcome_of(&batches))
    }

    /// The sequence that was given last.
    pub fn last(&self) -> u64 {
        self.shared.lock().queue.last()
    }

    /// All waves up to this one are in the files, as durable as asked, but for those that were refused.
    pub fn safe(&self) -> u64 {
        self.shared.lock().safe()
    }

    /// How many waves were lost that counted as committed: with [`Durability::None`], if the disk refused them.
    pub fn lost(&self) -> u64 {
        self.shared.lock().lost()
    }

    /// Why nothing is written any more, if so.
    pub fn failed(&self) -> Option<Refusal> {
        self.shared.lock().failed()
    }

    /// Why nothing is written now: it has failed, or the disk has refused what came last.
    pub fn trouble(&self) -> Option<Refusal> {
        self.shared.lock().trouble()
    }

    /// Why the last snapshot could not be written, if so. Then the next opening takes longer, and nothing else.
    pub fn snapshot_fault(&self) -> Option<Arc<io::Error>> {
        self.shared.lock().snapshot.clone().err()
    }

    /// Where the last wave of each channel stands that a pattern takes, in the order of their sequences, as far as
    /// it is in the files; see [`crate::reader::read_wave`].
    pub fn last_of(&self, pattern: &Pattern) -> Vec<(Box<str>, Location)> {
        locked(&self.shared.known).last_of(pattern)
    }

    /// The same for all channels that some of these patterns take, at one moment, and which wave was the last of all
    /// then: no wave up to that one is missing among them.
    pub fn last_of_any(&self, patterns: &[Pattern]) -> (u64, Vec<(Box<str>, Location)>) {
        let known = locked(&self.shared.known);
        (known.last, known.last_of_any(patterns))
    }

    /// What each cursor says, as far as it is in the files.
    pub fn cursors(&self) -> BTreeMap<Box<str>, Vec<u8>> {
        let known = locked(&self.shared.known);
        known.cursors.iter().map(|(name, cursor)| (name.clone(), cursor.state.clone())).collect()
    }

    /// What a cursor says, as far as it is in the files.
    pub fn cursor(&self, name: &str) -> Option<Vec<u8>> {
        locked(&self.shared.known).cursors.get(name).map(|cursor| cursor.state.clone())
    }

    /// Looks at the folder again, after retention has taken out segments or written some anew. Until then,
    /// [`Self::last_of`] may name places where nothing is any more.
    pub fn refresh(&self) -> Result<(), OpenError> {
        opening::refreshed(&self.shared.disk, &self.shared.known)
    }

    /// How many waves there are in the segments.
    pub fn waves(&self) -> u64 {
        locked(&self.shared.known).waves()
    }

    /// How many bytes are not in the files yet.
    pub fn pending_bytes(&self) -> usize {
        self.shared.lock().pending()
    }

    /// Has the time of each commit taken from now on, for [`Self::figures`].
    pub fn measure(&self) {
        self.shared.measured.get_or_init(Box::default);
    }

    /// What it has counted, and measured.
    pub fn figures(&self) -> Figures {
        let (segments, bytes, waves) = {
            let known = locked(&self.shared.known);
            let bytes = known.parts.values().map(|part| part.end).sum();
            (known.parts.len(), bytes, known.waves())
        };
        let commits = self.shared.measured.get().map(|one| one.read());
        let state = self.shared.lock();
        Figures {
            last: state.queue.last(),
            safe: state.safe(),
            lost: state.lost(),
            pending_bytes: state.pending(),
            segments,
            bytes,
            waves,
            has_failed: state.failed().is_some(),
            commits,
        }
    }

    /// Commits what was appended, and takes no more; returns when the files are closed, and somebody else may
    /// write. A second time it says the same.
    pub fn close(&self) -> Result<(), Refusal> {
        if let Some(thread) = self.let_go() {
            // Where it has panicked, the journal has failed.
            drop(thread.join());
        }
        self.shared.lock().failed().map_or(Ok(()), Err)
    }

    /// The same without waiting for it: the thread commits what was appended, and ends.
    pub fn let_go(&self) -> Option<JoinHandle<()>> {
        self.shared.lock().closing = true;
        self.shared.rouse();
        locked(&self.thread).take()
    }

    /// Gives the journal up in a process that was forked from the one that writes it, and has its thread no more:
    /// nothing is written, nobody is told or dropped, and no lock is waited for. The parent goes on, and keeps the
    /// right to write.
    ///
    /// Its files are closed here, but for the one that the thread was writing just when the process was forked:
    /// that one stays open until the process ends or becomes another program.
    pub fn forget(&self) {
        // None of them may be asked for anything: it would be asked of a thread that is not there.
        if let Ok(mut thread) = self.thread.try_lock() {
            mem::forget(thread.take());
        }
        if let Ok(mut log) = self.shared.log.try_lock() {
            log.forget();
        }
        if let Ok(mut right) = self.shared.right.try_lock() {
            drop(right.take());
        }
        // Those who wait, and the state with them, stay as they were when the process was forked.
        mem::forget(Arc::clone(&self.shared));
    }
}

impl<D: Disk, T> Drop for Journal<D, T> {
    fn drop(&mut self) {
        // One that was forgotten or let go has no thread any more, and nothing of it is touched.
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            self.shared.lock().closing = true;
            self.shared.rouse();
            drop(thread.join());
        }
    }
}

impl<D: Disk, T> fmt::Debug for Journal<D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.lock().fmt(f)
    }
}
