//! `JournalWriter`: a journal that a medium writes to.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use aether_core::channel::Pattern;
use aether_journal::disk::{Folder, Locked};
use aether_journal::journal::{Durability, Journal, OpenError, Options, Refusal};
use aether_journal::reader::Location;
use aether_journal::record::Encoded;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::commit::{Admitted, Waiter, settle};
use super::cursor::{Cursor, Noted};
use super::fate::{DurableOp, Fate, Told};
use super::keeping::backed_up;
use super::prune::{self, Done, Pruned, Said, Way};
use super::record;
use super::retention::{Pruning, Retention};
use crate::awaitable::awaitable;
use crate::errors::{JournalError, JournalFailed, JournalFull};
use crate::fork::{self, Inside};
use crate::guarded::Guarded;
use crate::panics;
use crate::receipt::PyFate;
use crate::shared::Shared;
use crate::wave::PyWave;

/// The longest time between two looks of the retention, in seconds: 31 days.
const LONGEST: f64 = 2_678_400.0;

/// A journal that a medium writes to.
pub struct Writer {
    pub journal: Journal<Folder, Waiter>,
    path: PathBuf,
    /// Gives the number of a codec and the bytes of a payload.
    encode: Py<PyAny>,
    /// Gives the payload again, of both.
    decode: Py<PyAny>,
    /// The largest payload, in bytes.
    most: usize,
    /// What the journal refuses is delivered all the same.
    pub undurably: bool,
    /// What writes notes here.
    cursors: Guarded<Vec<Weak<Cursor>>>,
    medium: Guarded<Weak<Shared>>,
    /// Who takes waves out of it, and why that has failed.
    pub pruning: Arc<Pruning>,
    /// The process that opened it, counted by forks.
    generation: u32,
}

/// What readers have still to come to.
pub struct Unread {
    /// All up to here was delivered: later ones may still be asked for by whoever falls behind now.
    pub delivered: u64,
    /// The durable cursor, or the vibrator that is behind, that has come least far, and how far.
    pub furthest: Option<(Box<str>, u64)>,
}

/// What an attempt to append came to.
pub enum Appended {
    /// It has its place, and will be delivered.
    Placed(u64),
    /// So much waits for the disk that there is no room; the emission is given back.
    Busy(Box<Admitted>),
    /// The journal takes nothing; the emission is given back.
    Refused(Box<Admitted>, Refusal),
}

impl Writer {
    /// The sequence that was given last; 0: none yet.
    pub fn last(&self) -> u64 {
        self.journal.last()
    }

    /// The record of a wave; `PayloadError` if its payload cannot be written.
    pub fn encoded(&self, py: Python<'_>, wave: &PyWave) -> PyResult<Box<Encoded>> {
        record::encoded(py, wave, self.encode.bind(py), self.most).map(Box::new)
    }

    /// Gives an emission its place, after all that have one.
    pub fn append(&self, encoded: &mut Encoded, admitted: Box<Admitted>) -> Appended {
        match self.journal.append(encoded, Some(Waiter::Emission(admitted))) {
            Ok(sequence) => Appended::Placed(sequence),
            Err((Refusal::Busy(_), Some(Waiter::Emission(admitted)))) => Appended::Busy(admitted),
            Err((refusal, Some(Waiter::Emission(admitted)))) => {
                Appended::Refused(admitted, refusal)
            }
            Err(_) => unreachable!("the journal gives back what it does not take"),
        }
    }

    /// What becomes of all that was appended so far.
    pub fn fate_of(&self, sequence: u64) -> Arc<Fate> {
        let fate = Arc::new(Fate::default());
        fate.place(sequence);
        match self.journal.when(sequence, Waiter::Told(Arc::clone(&fate))) {
            None => fate,
            Some((result, _)) => {
                let told = result.map_or_else(Told::Refused, |()| Told::Settled);
                Arc::new(Fate::settled(sequence, told))
            }
        }
    }

    /// Notes what a cursor says; what waits for it comes back if it is refused.
    pub fn acknowledge(&self, cursor: &str, said: &[u8], noted: Noted) -> Option<(Refusal, Noted)> {
        let noted = Waiter::Noted(Box::new(noted));
        match self.journal.acknowledge(cursor, said, Some(noted)) {
            Ok(()) => None,
            Err((refusal, Some(Waiter::Noted(noted)))) => Some((refusal, *noted)),
            Err(_) => unreachable!("the journal gives back what it does not take"),
        }
    }

    /// Has a cursor asked for its last note before the journal is closed.
    pub fn keep(&self, py: Python<'_>, cursor: &Arc<Cursor>) {
        self.cursors.with(py, |cursors| cursors.push(Arc::downgrade(cursor)));
    }

    /// That medium.
    pub fn medium(&self, py: Python<'_>) -> Weak<Shared> {
        self.medium.with(py, |known| Weak::clone(known))
    }

    /// The medium that writes to it, whose readers are heard before waves are taken out.
    pub fn serve(&self, py: Python<'_>, medium: &Arc<Shared>) {
        self.medium.with(py, |known| *known = Arc::downgrade(medium));
    }

    /// What the readers of this program have still to come to.
    pub fn unread(&self, py: Python<'_>) -> Unread {
        let cursors: Vec<Arc<Cursor>> =
            self.cursors.with(py, |cursors| cursors.iter().filter_map(Weak::upgrade).collect());
        let medium = self.medium.with(py, |known| known.upgrade());
        let read = medium.map(|shared| shared.medium.read_by_all());
        let (delivered, behind) =
            read.map_or((u64::MAX, None), |read| (read.delivered, read.furthest));
        let cursors = cursors.iter().map(|cursor| (cursor.name.clone(), cursor.low(py)));
        let behind = behind.map(|(name, position)| (Box::from(&*name), position));
        Unread { delivered, furthest: cursors.chain(behind).min_by_key(|(_, position)| *position) }
    }

    /// Has a cursor told when all that waits for the disk now is written; it comes back if nothing does.
    pub fn when_written(&self, noted: Noted) -> Option<Noted> {
        match self.journal.when(self.journal.last(), Waiter::Noted(Box::new(noted))) {
            None => None,
            Some((_, Waiter::Noted(noted))) => Some(*noted),
            Some(_) => unreachable!("the journal gives back what it does not take"),
        }
    }

    /// What a cursor says, as far as it is in the files.
    pub fn cursor(&self, name: &str) -> Option<Vec<u8>> {
        self.journal.cursor(name)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The payload of a record.
    pub fn decode<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.decode.bind(py)
    }

    /// Waits, unattached, until a wave is in the files, which it is when it is delivered, unless `durability` is
    /// `none`.
    pub fn until_written(&self, sequence: u64) {
        if self.journal.safe() < sequence {
            // What was refused is not there, and nobody waits for it.
            drop(self.journal.flush());
        }
    }

    /// Waits, unattached, until those who wait for what is in the files were told, and with them what else waits now.
    pub fn until_told(&self) {
        drop(self.journal.flush());
    }

    /// Where the last wave of each channel stands that some of these patterns take, by rising sequences; and up to which
    /// wave that says all.
    pub fn last_of(&self, patterns: &[Pattern]) -> (u64, Vec<Location>) {
        let (up_to, last) = self.journal.last_of_any(patterns);
        (up_to, last.into_iter().map(|(_, location)| location).collect())
    }

    /// Looks at the folder again, where waves are not in their places any more.
    pub fn look_again(&self) -> Result<(), OpenError> {
        self.journal.refresh()
    }

    /// What becomes of the wave that was appended last.
    pub fn latest(&self) -> Arc<Fate> {
        self.fate_of(self.journal.last())
    }

    /// What to raise for an acknowledgement that was refused.
    #[cold]
    pub fn not_noted(&self, sequence: u64, refusal: &Refusal) -> PyErr {
        let said = format!(
            "the acknowledgement of wave {sequence} is not in the journal {} ({refusal}): in this program it holds, after \
             the next start the wave comes again, unless a later acknowledgement gets there",
            self.path.display()
        );
        match refusal {
            Refusal::Full(_) => JournalFull::new_err(said),
            Refusal::Failed { .. } => JournalFailed::new_err(said),
            Refusal::Busy(_) | Refusal::NotGiven { .. } | Refusal::Closed => {
                JournalError::new_err(said)
            }
        }
    }

    /// What to raise for a refusal.
    #[cold]
    pub fn refused(&self, refusal: &Refusal) -> PyErr {
        let path = self.path.display();
        match refusal {
            Refusal::Full(error) => JournalFull::new_err(format!(
                "the journal {path} has no room for another wave ({error}); it was neither written nor \
                 delivered: make room, or let the journal keep less"
            )),
            Refusal::Failed { safe, error } => JournalFailed::new_err(format!(
                "the journal {path} has failed ({error}) and takes no more; all waves up to position {safe} are \
                 safe: mend what was wrong, and open it again"
            )),
            Refusal::Busy(bytes) => JournalError::new_err(format!(
                "{bytes} bytes wait for the journal {path} already; emit again when it has written them"
            )),
            Refusal::NotGiven { sequence, last } => JournalError::new_err(format!(
                "the journal {path} has given no position {sequence}: the last one is {last}"
            )),
            Refusal::Closed => JournalError::new_err(format!(
                "the journal {path} is closed; open it again with a new medium"
            )),
        }
    }
}

/// A journal that is open to be written.
#[pyclass(frozen, name = "JournalWriter", module = "aether._native")]
pub struct PyJournalWriter {
    pub writer: Arc<Writer>,
}

#[pymethods]
impl PyJournalWriter {
    #[new]
    #[pyo3(signature = (path, encode, decode, *, durability, undurably, segment_bytes, pending_bytes, snapshot_interval,
                        max_payload_bytes, retention=Vec::new(), retention_interval=60.0, past_cursors=false))]
    #[expect(clippy::too_many_arguments, reason = "the options of a journal")]
    fn py_new(
        py: Python<'_>,
        path: PathBuf,
        encode: Py<PyAny>,
        decode: Py<PyAny>,
        durability: &str,
        undurably: bool,
        segment_bytes: u64,
        pending_bytes: usize,
        snapshot_interval: u64,
        max_payload_bytes: usize,
        retention: Vec<Said<'_>>,
        retention_interval: f64,
        past_cursors: bool,
    ) -> PyResult<Self> {
        let durability = match durability {
            "fsync" => Durability::Sync,
            "os" => Durability::Written,
            "none" => Durability::None,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "durability must be 'fsync', 'os' or 'none', not {durability:?}"
                )));
            }
        };
        let retention = Retention {
            rules: prune::rules(&retention)?,
            past_cursors,
            interval: Duration::from_secs_f64(retention_interval.clamp(0.0, LONGEST)),
        };
        let options = Options { segment_bytes, durability, pending_bytes, snapshot_interval };
        fork::goes_on()?;
        let _inside = Inside::enter(py);
        let opened = py.detach(|| {
            let folder = Folder::new(&path)?;
            Journal::open(folder, options, settle)
        });
        let journal = opened.map_err(|error| not_opened(&path, error))?;
        let writer = Writer {
            journal,
            path,
            encode,
            decode,
            most: max_payload_bytes,
            undurably,
            cursors: Guarded::default(),
            medium: Guarded::default(),
            pruning: Arc::default(),
            generation: fork::generation(),
        };
        let writer = Arc::new(writer);
        if !retention.rules.is_empty() {
            retention.begin(&writer)?;
        }
        Ok(Self { writer })
    }

    /// The sequence that was given last; 0: none yet.
    #[getter]
    fn last(&self) -> u64 {
        self.writer.journal.last()
    }

    /// All waves up to this one are as durable as asked, but for those that were refused.
    #[getter]
    fn safe(&self) -> u64 {
        self.writer.journal.safe()
    }

    /// Why it takes nothing now; `None`: it does.
    #[getter]
    fn trouble(&self) -> Option<String> {
        self.writer.journal.trouble().map(|refusal| refusal.to_string())
    }

    /// Why its retention does not do what it is to; `None`: it does, or there is none.
    #[getter]
    fn retention_trouble(&self) -> Option<String> {
        self.writer.pruning.trouble()
    }

    /// Takes out what is beyond these rules.
    #[pyo3(signature = (rules, past_cursors, dry_run, watch, /))]
    fn prune(
        &self,
        py: Python<'_>,
        rules: Vec<Said<'_>>,
        past_cursors: bool,
        dry_run: bool,
        watch: Option<Py<PyAny>>,
    ) -> PyResult<Done> {
        let rules = prune::rules(&rules)?;
        let way = Way { rules: &rules, past_cursors, least_gain: 0.0, dry_run };
        self.writer.prune_for(py, &way, watch).map(Pruned::described)
    }

    /// Copies what is committed by now into an empty folder.
    #[pyo3(signature = (copy, watch, /))]
    fn backup(
        &self,
        py: Python<'_>,
        copy: PathBuf,
        watch: Option<Py<PyAny>>,
    ) -> PyResult<(u64, u64)> {
        backed_up(py, self.writer.path(), &copy, Some(self.writer.journal.safe()), watch)
    }

    /// How many bytes wait for the disk.
    #[getter]
    fn pending_bytes(&self) -> usize {
        self.writer.journal.pending_bytes()
    }

    /// Awaits what becomes of a position: its final receipt.
    fn durable<'py>(&self, position: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let fate = if let Some(fate) = PyFate::of(position)? {
            fate
        } else {
            let sequence: u64 = position.extract()?;
            let last = self.writer.journal.last();
            if sequence == 0 || sequence > last {
                return Err(PyValueError::new_err(format!(
                    "position must be in 1..{last}, the last one of this journal, not {sequence}"
                )));
            }
            self.writer.fate_of(sequence)
        };
        awaitable(position.py(), DurableOp { writer: Arc::clone(&self.writer), fate })
    }

    /// Awaits that all that was appended so far is as durable as asked.
    fn flushed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let fate = self.writer.latest();
        awaitable(py, DurableOp { writer: Arc::clone(&self.writer), fate })
    }

    /// Nobody prunes it any more; returns when whoever does has stopped.
    fn end_pruning(&self, py: Python<'_>) -> PyResult<()> {
        let _inside = Inside::enter(py);
        let pruning = &self.writer.pruning;
        if !pruning.end() {
            return Err(PyRuntimeError::new_err(format!(
                "the journal {} is being pruned by this thread: close it when prune() has returned",
                self.writer.path.display()
            )));
        }
        py.detach(|| pruning.until_free());
        Ok(())
    }

    /// Commits what was appended, and takes no more; returns when the files are closed.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let _inside = Inside::enter(py);
        self.end_pruning(py)?;
        let cursors = self.writer.cursors.with(py, mem::take);
        // Each apart: the files are closed, come what may.
        for cursor in cursors.iter().filter_map(Weak::upgrade) {
            panics::apart(|| cursor.catch_up(py));
        }
        let closed = py.detach(|| self.writer.journal.close());
        closed.map_err(|refusal| self.writer.refused(&refusal))
    }

    /// In the child of a fork: closes its files, and never writes to them.
    fn forget(&self) {
        self.writer.journal.forget();
    }
}

#[cold]
fn not_opened(path: &Path, error: OpenError) -> PyErr {
    let path = path.display();
    match error {
        OpenError::Locked(Locked::Held { owner }) => JournalError::new_err(format!(
            "the journal {path} is written by the process {owner}; a journal has one writer at a time, and any \
             number of readers: close the other one, or read with Journal({path:?}).replay()",
            path = path.to_string()
        )),
        error => JournalError::new_err(format!("the journal {path} cannot be opened: {error}")),
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.generation == fork::generation() {
            self.pruning.call();
            // Its thread may wait for the interpreter, which this one holds, or be this one.
            drop(self.journal.let_go());
        } else {
            self.journal.forget();
        }
    }
}
