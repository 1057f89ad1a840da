//! `JournalReader`: what a journal holds, piece by piece.
//!
//! Contract:
//! - Waves that fit the filter come in the order of their sequences, or from the last one to the first, each once. A
//!   piece is a bounded look at the disk, without the interpreter: it may have found nothing, which is no end.
//! - Where, by the indexes of the segments, nothing is that fits the pattern, the times or the positions, nothing is
//!   read, and so no damage told. Without any of them, all is read, and what cursors say is told.
//! - An error is told in the place of the wave that caused it, after the waves before it; the next call goes on
//!   behind. What interrupts a call (Ctrl-C while a payload is decoded) loses no wave.
//! - Waves that are missing, bytes that are no record and heads that cannot be used are noted as they are met,
//!   and can be read at any time, also while another thread reads.
//! - One thread reads at a time; another one gets `RuntimeError`.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::path::Path;

use aether_journal::disk::Folder;
use aether_journal::filter::Filter;
use aether_journal::header::HeaderFault;
use aether_journal::reader::{Event, Reader};
use aether_journal::record::{HEAD, Wave};
use aether_journal::reverse::Backwards;
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

use super::columns::{Arrays, Columns};
use super::kept::KeptWave;
use super::restore::Restorer;
use crate::channel::pattern;
use crate::errors::JournalError;
use crate::fork::{self, Inside};
use crate::guarded::Guarded;
use crate::ids::Own;
use crate::wave::PyWave;

/// How many waves a piece looks at, and how many bytes of them: some milliseconds.
const PIECE: (usize, u64) = (32_768, 16 << 20);

/// How many bytes of payloads are held at once, unless a single one is larger.
const HELD: usize = 1 << 20;

/// Reads the waves of a journal that fit a filter.
#[pyclass(frozen, name = "JournalReader", module = "aether._native")]
pub struct PyJournalReader {
    path: String,
    /// `decode(tag, data)` gives a payload.
    decode: Py<PyAny>,
    /// Taken out while a thread reads.
    reading: Guarded<Option<Box<Reading>>>,
    told: Guarded<Told>,
}

/// Where the reading is.
struct Reading {
    source: Source,
    filter: Filter,
    /// How many waves may still come.
    left: u64,
    ended: bool,
    /// Read, and not yet made.
    kept: VecDeque<KeptWave>,
    restorer: Restorer,
    /// Made before an interruption.
    made: Vec<Py<PyWave>>,
    /// To be told next.
    failed: Option<PyErr>,
}

/// What is read, and which way.
enum Source {
    Forwards(Box<Reader<Folder>>),
    Backwards(Box<Backwards<Folder>>),
}

impl Source {
    fn open(path: &str, filter: &Filter, reverse: bool) -> io::Result<Self> {
        let mut filter = filter.clone();
        // It takes all channels: to look for it would be in vain, and pass over what cursors say.
        filter.pattern = filter.pattern.filter(|pattern| pattern.canonical() != ">");
        let folder = Folder::new(path)?;
        Ok(if reverse {
            Self::Backwards(Box::new(Backwards::within(folder, filter)?))
        } else {
            Self::Forwards(Box::new(Reader::within(folder, filter)?))
        })
    }

    fn read(&mut self, each: impl FnMut(Event<'_>) -> ControlFlow<()>) -> io::Result<()> {
        match self {
            Self::Forwards(reader) => reader.read(each),
            Self::Backwards(reader) => reader.read(each),
        }
    }
}

/// What was met so far.
#[derive(Clone, Default)]
struct Told {
    gaps: Vec<(u64, u64)>,
    damage: Vec<(String, u64, u64)>,
    unreadable: Vec<(String, String)>,
    torn: Option<(String, u64, u64)>,
    /// Each cursor, and the last wave before it moved last.
    cursors: BTreeMap<String, u64>,
    /// A segment of a format that is newer than this library: an error, since nothing is wrong with it.
    newer: Option<String>,
    /// Waves that fit the filter, and the bytes of all that were looked at.
    waves: u64,
    bytes: u64,
    /// Sequence and timestamp of the first and the last wave that fit.
    ends: Option<[(u64, f64); 2]>,
}

impl Told {
    fn count(&mut self, wave: &Wave<'_>) {
        let here = (wave.sequence, wave.time);
        self.waves += 1;
        self.ends = Some([self.ends.map_or(here, |[first, _]| first), here]);
    }

    /// Notes what is no wave, as far as it stands before this sequence.
    fn event(&mut self, event: Event<'_>, before: u64) {
        match event {
            Event::Gap(gap) if *gap.start() < before => {
                self.gaps.push((*gap.start(), (*gap.end()).min(before - 1)));
            }
            Event::Damage { segment, bytes } => {
                self.damage.push((segment, bytes.start, bytes.end));
            }
            Event::TornTail { segment, bytes } => {
                self.torn = Some((segment, bytes.start, bytes.end));
            }
            Event::Unreadable { segment, fault } => {
                if let HeaderFault::Version(_) = fault {
                    self.newer = Some(format!("{segment}: {fault}"));
                }
                self.unreadable.push((segment, fault.to_string()));
            }
            Event::Acknowledged { sequence, cursor, .. } => {
                self.cursors.insert(cursor.to_owned(), sequence);
            }
            Event::Gap(_) | Event::Wave(_) => {}
        }
    }

    /// Adds what was met after this.
    fn take_up(&mut self, later: Self) {
        self.gaps.extend(later.gaps);
        self.damage.extend(later.damage);
        self.unreadable.extend(later.unreadable);
        self.torn = later.torn.or(self.torn.take());
        self.cursors.extend(later.cursors);
        self.waves += later.waves;
        self.bytes += later.bytes;
        self.ends = match (self.ends, later.ends) {
            (Some([first, _]), Some([_, last])) => Some([first, last]),
            (ends, None) | (None, ends) => ends,
        };
    }
}

/// About how many bytes a wave takes on the disk.
fn size(wave: &Wave<'_>) -> u64 {
    let texts = wave.channel.len() + wave.source.unwrap_or_default().len() + wave.id.len();
    (HEAD + texts + wave.payload.len()) as u64
}

/// What a look has met, and whether the disk could be read.
type Look = (Told, io::Result<()>);

impl Reading {
    /// Looks at one piece, without the interpreter; `take` gets the waves that fit, and says when it has enough.
    fn look(&mut self, mut take: impl FnMut(&Wave<'_>) -> bool) -> Look {
        let Self { source, filter, left, ended, .. } = self;
        let mut told = Told::default();
        let mut looks = 0;
        let mut stopped = false;
        // A limit of no waves.
        *ended |= *left == 0;
        if *ended {
            return (told, Ok(()));
        }
        let before = filter.before.unwrap_or(u64::MAX);
        let forwards = matches!(source, Source::Forwards(_));
        let read = source.read(|event| {
            match event {
                Event::Wave(wave) if forwards && wave.sequence >= before => *ended = true,
                Event::Wave(wave) => {
                    looks += 1;
                    told.bytes += size(&wave);
                    if filter.takes(&wave) {
                        told.count(&wave);
                        *left -= 1;
                        *ended = *left == 0;
                        stopped |= take(&wave);
                    }
                    stopped |= looks == PIECE.0 || told.bytes >= PIECE.1;
                }
                other => told.event(other, before),
            }
            if stopped || *ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        *ended |= read.is_ok() && !stopped;
        (told, read)
    }

    /// Looks at one piece, and keeps what fits to be made.
    fn fetch(&mut self, most: usize) -> Look {
        let mut kept = mem::take(&mut self.kept);
        let mut held = 0;
        let looked = self.look(|wave| {
            held += wave.payload.len();
            kept.push_back(KeptWave::of(wave));
            kept.len() >= most || held >= HELD
        });
        self.kept = kept;
        looked
    }

    /// Makes the waves that were read. An error is put off until those before it are handed out.
    fn make(&mut self, decode: &Bound<'_, PyAny>, most: usize) -> PyResult<Vec<Py<PyWave>>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let own = Own::now();
        while let Some(kept) = self.kept.front() {
            if self.made.len() >= most {
                break;
            }
            match self.restorer.wave(decode, &own, kept) {
                Ok(wave) => self.made.push(wave),
                // It is about this wave, which is passed over.
                Err(error) if error.is_instance_of::<PyException>(decode.py()) => {
                    self.kept.pop_front();
                    if self.made.is_empty() {
                        return Err(error);
                    }
                    self.failed = Some(error);
                    break;
                }
                // An interruption: the next call makes it again.
                Err(error) => return Err(error),
            }
            self.kept.pop_front();
        }
        Ok(mem::take(&mut self.made))
    }
}

/// To read makes nothing: the folder has to be there.
pub fn must_be_there(path: &Path) -> PyResult<()> {
    if path.is_dir() {
        return Ok(());
    }
    Err(JournalError::new_err(format!(
        "{}: there is no journal, since that is no folder; a journal is the folder it was written to",
        path.display()
    )))
}

impl PyJournalReader {
    /// Takes the reading out while `act` reads, so that no lock is held meanwhile.
    fn read<R>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut Reading) -> PyResult<R>,
    ) -> PyResult<R> {
        fork::goes_on()?;
        // A program that ends waits for the piece: its end must not meet this frame.
        let _inside = Inside::enter(py);
        let Some(mut reading) = self.reading.with(py, Option::take) else {
            return Err(PyRuntimeError::new_err(
                "another thread reads with this reader; give each thread a replay of its own",
            ));
        };
        let done = act(&mut reading);
        self.reading.with(py, |place| *place = Some(reading));
        done
    }

    /// Notes what a look has met.
    fn note(&self, py: Python<'_>, (mut told, read): Look) -> PyResult<()> {
        let newer = told.newer.take();
        self.told.with(py, |all| all.take_up(told));
        read.map_err(|error| self.unreadable(&error))?;
        newer.map_or(Ok(()), |why| Err(JournalError::new_err(format!("{}: {why}", self.path))))
    }

    #[cold]
    fn unreadable(&self, error: &io::Error) -> PyErr {
        JournalError::new_err(format!("{}: the journal cannot be read: {error}", self.path))
    }

    fn told<R>(&self, py: Python<'_>, ask: impl FnOnce(&Told) -> R) -> R {
        self.told.with(py, |told| ask(told))
    }
}

#[pymethods]
impl PyJournalReader {
    #[new]
    #[pyo3(signature = (path, decode, *, pattern=None, after=None, before=None, since=None, until=None,
                        amplitude=None, source=None, headers=Vec::new(), limit=None, reverse=false))]
    #[allow(clippy::too_many_arguments)] // the parts of a filter
    fn new(
        py: Python<'_>,
        path: String,
        decode: Py<PyAny>,
        pattern: Option<&Bound<'_, PyAny>>,
        after: Option<u64>,
        before: Option<u64>,
        since: Option<f64>,
        until: Option<f64>,
        amplitude: Option<f64>,
        source: Option<String>,
        headers: Vec<(String, String)>,
        limit: Option<u64>,
        reverse: bool,
    ) -> PyResult<Self> {
        let pattern = pattern.map(self::pattern).transpose()?;
        let filter = Filter { pattern, after, before, since, until, amplitude, source, headers };
        must_be_there(Path::new(&path))?;
        fork::goes_on()?;
        let _inside = Inside::enter(py);
        let opened = py.detach(|| Source::open(&path, &filter, reverse));
        let told = Guarded::new(Told::default());
        let this = Self { path, decode, reading: Guarded::new(None), told };
        let reading = Reading {
            source: opened.map_err(|error| this.unreadable(&error))?,
            filter,
            left: limit.unwrap_or(u64::MAX),
            ended: false,
            kept: VecDeque::new(),
            restorer: Restorer::default(),
            made: Vec::new(),
            failed: None,
        };
        this.reading.with(py, |place| *place = Some(Box::new(reading)));
        Ok(this)
    }

    /// The next waves, at most so many; an empty list: none in this piece; `None`: at the end.
    #[pyo3(signature = (most, /))]
    fn next_batch(&self, py: Python<'_>, most: usize) -> PyResult<Option<Vec<Py<PyWave>>>> {
        self.read(py, |reading| {
            let idle = reading.kept.is_empty() && reading.made.is_empty();
            if idle && reading.failed.is_none() {
                if reading.ended {
                    return Ok(None);
                }
                let looked = py.detach(|| reading.fetch(most));
                self.note(py, looked)?;
            }
            reading.make(self.decode.bind(py), most).map(Some)
        })
    }

    /// Looks at one piece without making waves: how many fit; `None`: at the end.
    fn skim(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        self.read(py, |reading| {
            if reading.ended {
                return Ok(None);
            }
            let mut waves = 0;
            let looked = py.detach(|| {
                reading.look(|_| {
                    waves += 1;
                    false
                })
            });
            self.note(py, looked)?;
            Ok(Some(waves))
        })
    }

    /// The numbers of all waves that are left, as arrays, and the channels by number.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Arrays<'py>> {
        self.read(py, |reading| {
            let mut columns = Columns::default();
            while !reading.ended {
                let looked = py.detach(|| {
                    reading.look(|wave| {
                        columns.push(wave);
                        false
                    })
                });
                self.note(py, looked)?;
                py.check_signals()?;
            }
            // Imports numpy, perhaps: still inside.
            columns.into_arrays(py)
        })
    }

    /// First and last sequence of the waves that should be there and cannot be read, in their order.
    #[getter]
    fn gaps(&self, py: Python<'_>) -> Vec<(u64, u64)> {
        let mut gaps = self.told(py, |told| told.gaps.clone());
        gaps.sort_unstable();
        gaps
    }

    /// Segment, first byte and the one after the last, of what is no record.
    #[getter]
    fn damage(&self, py: Python<'_>) -> Vec<(String, u64, u64)> {
        self.told(py, |told| told.damage.clone())
    }

    /// The segments whose head cannot be used, and why.
    #[getter]
    fn unreadable_segments(&self, py: Python<'_>) -> Vec<(String, String)> {
        self.told(py, |told| told.unreadable.clone())
    }

    /// Segment, first byte and the one after the last, of a write that was cut off at the end or is under way.
    #[getter]
    fn torn_tail(&self, py: Python<'_>) -> Option<(String, u64, u64)> {
        self.told(py, |told| told.torn.clone())
    }

    /// The cursors that moved, each with the last wave before that.
    #[getter]
    fn cursors(&self, py: Python<'_>) -> BTreeMap<String, u64> {
        self.told(py, |told| told.cursors.clone())
    }

    /// How many waves fitted, and about how many bytes of waves were looked at.
    #[getter]
    fn counted(&self, py: Python<'_>) -> (u64, u64) {
        self.told(py, |told| (told.waves, told.bytes))
    }

    /// Sequence and timestamp of the first and of the last wave that fitted.
    #[getter]
    fn ends(&self, py: Python<'_>) -> Option<((u64, f64), (u64, f64))> {
        self.told(py, |told| told.ends.map(|[first, last]| (first, last)))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.decode)
    }
}
