//! A journal that is written: any number of threads append, one thread commits.
//!
//! Contract:
//! - [`Journal::append`] gives a wave its sequence and its place in line, and returns at once. What it is told
//!   to do then is done when the wave is committed, or refused: in the thread that commits, outside of its lock,
//!   in the order of the sequences.
//! - All that has been appended while a commit was under way is in the next one: whoever waits shares its sync.
//! - A wave that is refused is in no file. Its sequence is given to nobody else.
//! - A full disk refuses what was appended, and the next append is tried anew. Where it is not known what the
//!   files hold, after an error of a sync, nothing is written any more: all waves from then on are refused as
//!   [`Refusal::Failed`], which says up to which sequence all is safe.
//! - Dropping a journal commits what was appended.
//!
//! ```text
//! append --lock--> queue: [run, run]   placed, not written
//! thread: take the runs --unlock--> write, sync --lock--> committed = ... --unlock--> tell those who wait
//! ```

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::append::End;
use crate::disk::{Disk, Locked};
use crate::header::HeaderFault;
use crate::log::{Fault, Log};
use crate::queue::Queue;
use crate::record::Encoded;
use crate::segment::{Segment, segments};

/// How a journal is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The size at which a segment is complete, in bytes. A larger record has a segment for itself.
    pub segment_bytes: u64,
    /// Whether a wave is committed when it is synced, or already when it is written.
    pub sync: bool,
    /// How many bytes may wait for their commit.
    pub pending_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, sync: true, pending_bytes: 64 << 20 }
    }
}

/// Why a journal cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another one writes there, or it could not be found out.
    #[error(transparent)]
    Locked(#[from] Locked),
    /// A later version of the library has written there.
    #[error("the segment {segment} cannot be gone on from: {fault}")]
    Newer {
        /// The name of the file.
        segment: String,
        /// What its head says.
        fault: HeaderFault,
    },
    /// The folder cannot be read.
    #[error(transparent)]
    Fault(#[from] io::Error),
}

/// Why a wave is not in the journal.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The disk is full, or takes no more files. It can be tried again.
    #[error("the disk has refused it: {0}")]
    Full(Arc<io::Error>),
    /// The files are not to be trusted any more. All waves up to this sequence are safe.
    #[error("a write to the disk has failed, all waves up to {safe} are safe: {error}")]
    Failed {
        /// The last sequence that is safe.
        safe: u64,
        /// What the disk said.
        error: Arc<io::Error>,
    },
    /// So many bytes wait for their commit that there is no room; it was given no sequence.
    #[error("{0} bytes wait for the disk already")]
    Busy(usize),
    /// The journal is closed.
    #[error("the journal is closed")]
    Closed,
}

/// What is done when a wave is committed or refused, in the thread that commits: it must not panic, nor wait, nor
/// drop the journal.
pub type Then = Box<dyn FnOnce(Result<(), Refusal>) + Send>;

/// A journal that is written.
#[derive(Debug)]
pub struct Journal<D: Disk> {
    shared: Arc<Shared<D>>,
    thread: Option<JoinHandle<()>>,
    _lock: D::Lock,
}

#[derive(Debug)]
struct Shared<D> {
    disk: D,
    options: Options,
    state: Mutex<State>,
    /// Something was appended, or it closes.
    appended: Condvar,
    /// A commit is over.
    committed: Condvar,
}

struct State {
    queue: Queue,
    /// All waves up to this one are committed, or refused.
    settled: u64,
    /// All waves up to this one that are not refused are committed.
    safe: u64,
    /// Those that were refused, in order; each with the last of them.
    refused: Vec<(u64, u64, Refusal)>,
    waiting: BTreeMap<u64, Vec<Then>>,
    failed: Option<Arc<io::Error>>,
    closing: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { queue, settled, safe, failed, closing, .. } = self;
        write!(
            f,
            "State {{ {queue:?}, settled {settled}, safe {safe}, {failed:?}, closing {closing} }}"
        )
    }
}

impl<D: Disk + Clone> Journal<D> {
    /// Opens the journal of a folder, to go on where it ends. Nothing that is there is changed.
    pub fn open(disk: D, options: Options) -> Result<Self, OpenError> {
        let lock = disk.lock()?;
        let segments = segments(&disk)?;
        for Segment { name, header, .. } in &segments {
            if let Err(fault @ HeaderFault::Version(_)) = header {
                return Err(OpenError::Newer { segment: name.clone(), fault: *fault });
            }
        }
        let mut last = 0;
        // What is damaged at the end of one is told by the base of the next: only the last has to be read.
        for segment in segments.iter().rev() {
            last = last.max(segment.last()?);
            if last >= segment.base {
                break;
            }
        }
        let known = segments.iter().find_map(|segment| Some(segment.header.ok()?.journal));
        let journal = known.unwrap_or_else(|| disk.random());
        let mut queue = Queue::new(journal, options.segment_bytes, last);
        if let Some(begun) = segments.last().and_then(Segment::begins) {
            queue.goes_on_after(begun);
        }
        Ok(Self::start(disk, options, queue, lock)?)
    }

    fn start(disk: D, options: Options, queue: Queue, lock: D::Lock) -> io::Result<Self> {
        let last = queue.last();
        let state = State {
            queue,
            settled: last,
            safe: last,
            refused: Vec::new(),
            waiting: BTreeMap::new(),
            failed: None,
            closing: false,
        };
        let shared = Arc::new(Shared {
            disk: disk.clone(),
            options,
            state: Mutex::new(state),
            appended: Condvar::new(),
            committed: Condvar::new(),
        });
        let committing = Arc::clone(&shared);
        let thread = Builder::new()
            .name("aether-journal".to_owned())
            .spawn(move || committing.commit_all(Log::new(disk)))?;
        Ok(Self { shared, thread: Some(thread), _lock: lock })
    }
}

impl<D: Disk> Journal<D> {
    /// The folder.
    pub fn disk(&self) -> &D {
        &self.shared.disk
    }

    /// All segments, to be read.
    pub fn segments(&self) -> io::Result<Vec<Segment<D::File>>> {
        segments(&self.shared.disk)
    }

    /// Gives a wave its sequence; `then` is called when it is committed, or refused.
    pub fn append(&self, wave: &mut Encoded, then: Option<Then>) -> Result<u64, Refusal> {
        let size = wave.size();
        self.put(size, then, |queue| queue.wave(wave, &self.shared.disk))
    }

    /// Notes what a cursor says, after all waves that were appended; `then` as for a wave.
    ///
    /// # Panics
    /// If the name of the cursor has more than 65,535 bytes.
    pub fn acknowledge(
        &self,
        cursor: &str,
        state: &[u8],
        then: Option<Then>,
    ) -> Result<(), Refusal> {
        let mut note = Encoded::acknowledged(self.shared.disk.now(), cursor, state);
        let size = note.size();
        let put = |queue: &mut Queue| {
            queue.note(&mut note, &self.shared.disk);
            queue.last()
        };
        self.put(size, then, put).map(drop)
    }

    fn put(
        &self,
        size: usize,
        then: Option<Then>,
        put: impl FnOnce(&mut Queue) -> u64,
    ) -> Result<u64, Refusal> {
        let mut state = self.shared.lock();
        state.admit(size, &self.shared.options)?;
        let first = state.queue.is_empty();
        let sequence = put(&mut state.queue);
        if let Some(then) = then {
            state.waiting.entry(sequence).or_default().push(then);
        }
        drop(state);
        if first {
            // With the others, the thread has them in view already.
            self.shared.appended.notify_one();
        }
        Ok(sequence)
    }

    /// Waits until a wave that was appended is committed, or refused.
    pub fn wait(&self, sequence: u64) -> Result<(), Refusal> {
        let mut state = self.shared.lock();
        loop {
            if let Some(result) = state.outcome(sequence) {
                return result;
            }
            state = self.shared.committed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Has `then` called when a wave that was appended is committed or refused: at once, if it is already.
    pub fn when(&self, sequence: u64, then: Then) {
        let mut state = self.shared.lock();
        if let Some(result) = state.outcome(sequence) {
            drop(state);
            then(result);
        } else {
            state.waiting.entry(sequence).or_default().push(then);
        }
    }

    /// The sequence that was given last.
    pub fn last(&self) -> u64 {
        self.shared.lock().queue.last()
    }

    /// All waves up to this one are committed, but for those that were refused.
    pub fn safe(&self) -> u64 {
        self.shared.lock().safe
    }

    /// Commits what was appended, and takes no more.
    pub fn close(mut self) -> Result<(), Refusal> {
        self.end();
        let state = self.shared.lock();
        match &state.failed {
            Some(error) => Err(Refusal::Failed { safe: state.safe, error: Arc::clone(error) }),
            None => Ok(()),
        }
    }

    fn end(&mut self) {
        self.shared.lock().closing = true;
        self.shared.appended.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, what waits was told nothing, which is all that could be said.
            drop(thread.join());
        }
    }
}

impl<D: Disk> Drop for Journal<D> {
    // Then the lock goes too.
    fn drop(&mut self) {
        self.end();
    }
}

impl State {
    fn admit(&self, size: usize, options: &Options) -> Result<(), Refusal> {
        if let Some(error) = &self.failed {
            return Err(Refusal::Failed { safe: self.safe, error: Arc::clone(error) });
        }
        if self.closing {
            return Err(Refusal::Closed);
        }
        let pending = self.queue.bytes();
        // A single record is admitted, however large it is.
        if pending > 0 && pending + size > options.pending_bytes {
            return Err(Refusal::Busy(pending));
        }
        Ok(())
    }

    /// What became of a wave that was appended; `None`: nothing yet.
    fn outcome(&self, sequence: u64) -> Option<Result<(), Refusal>> {
        if self.settled < sequence {
            return None;
        }
        let at = self.refused.partition_point(|&(_, last, _)| last < sequence);
        let refused = self.refused.get(at).filter(|&&(first, ..)| first <= sequence);
        Some(refused.map_or(Ok(()), |(.., refusal)| Err(refusal.clone())))
    }

    /// Remembers that the waves of these sequences were refused.
    fn refuse(&mut self, first: u64, last: u64, refusal: &Refusal) {
        match self.refused.last_mut() {
            // As long as a disk is full, there is one entry.
            Some((_, before, same)) if *before + 1 == first && matches!(same, Refusal::Full(_)) => {
                *before = last;
            }
            _ => self.refused.push((first, last, refusal.clone())),
        }
    }

    /// Those who wait for waves up to this one.
    fn settle(&mut self, sequence: u64) -> Vec<Then> {
        self.settled = sequence;
        let later = self.waiting.split_off(&(sequence + 1));
        mem::replace(&mut self.waiting, later).into_values().flatten().collect()
    }
}

impl<D: Disk> Shared<D> {
    fn lock(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Commits what is appended, until it closes.
    fn commit_all(&self, mut log: Log<D>) {
        // Where the segment that is written ends, as far as it is committed.
        let mut kept: Option<End> = None;
        loop {
            let mut state = self.lock();
            while state.queue.is_empty() && !state.closing {
                state = self.appended.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.queue.is_empty() {
                break;
            }
            let ((runs, end), target) = (state.queue.take(), state.queue.last());
            drop(state);
            let done = log.commit(&runs, self.options.sync);
            drop(runs);
            let mut state = self.lock();
            let (told, result) = match done {
                Ok(()) => {
                    kept = end;
                    state.safe = target;
                    (state.settle(target), Ok(()))
                }
                Err(fault) => {
                    let safe = state.safe;
                    state.queue.give_up(safe, kept);
                    let refusal = match fault {
                        Fault::Refused(error) => Refusal::Full(Arc::new(error)),
                        Fault::Broken(error) => {
                            let error = Arc::new(error);
                            state.failed = Some(Arc::clone(&error));
                            Refusal::Failed { safe, error }
                        }
                    };
                    // Also what was appended meanwhile: its place is gone.
                    let (first, last) = (state.settled + 1, state.queue.last());
                    state.refuse(first, last, &refusal);
                    (state.settle(last), Err(refusal))
                }
            };
            drop(state);
            for then in told {
                then(result.clone());
            }
            // Under the lock, so that nobody who looks and then waits misses it.
            drop(self.lock());
            self.committed.notify_all();
        }
        // What was only written is made sure of at the end; not after an error, which would tell nothing.
        if !self.options.sync && self.lock().failed.is_none() {
            if let Err(error) = log.sync() {
                self.lock().failed = Some(Arc::new(error));
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while it was held leaves nothing half done: all changes are single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
