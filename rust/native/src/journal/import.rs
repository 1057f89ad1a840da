//! `JournalImport`: waves that were written down elsewhere, put into a new journal as they were.
//!
//! Contract:
//! - A wave keeps all of its fields but the sequence, which is given anew, from 1, in the order of the calls.
//! - What breaks a rule of waves is refused by a `ValueError`, and leaves no trace.
//! - A call waits for the disk only while much waits for it already; `close` until all is safe. What the disk has refused
//!   is an error of the next call, whatever it has taken since. An error of either is final: the folder is to be removed.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use aether_core::channel::check_channel;
use aether_journal::disk::Folder;
use aether_journal::journal::{Journal, Options, Refusal, Settled};
use aether_journal::record::{Codec, Encoded, HeaderBytes, Undone, Wave};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::kept::odd_number;
use crate::channel::WIDEST;
use crate::errors::{JournalError, JournalFailed, JournalFull, channel_error};
use crate::fork::{self, Inside};
use crate::pickled::UndoneFields;

/// How many bytes may wait for the disk.
const PENDING: usize = 16 << 20;

/// Timestamp, amplitude, priority, phase, frequency, ttl and hops.
type Numbers = (f64, f64, f64, f64, f64, Option<f64>, u16);

/// Writes waves into a new journal.
#[pyclass(frozen, name = "JournalImport", module = "aether._native")]
pub struct PyJournalImport {
    /// Nobody waits for a single wave.
    journal: Journal<Folder, ()>,
    /// What the disk has refused first.
    lost: Arc<OnceLock<Refusal>>,
    path: PathBuf,
    /// The process that opened it, counted by forks.
    generation: u32,
}

#[pymethods]
impl PyJournalImport {
    /// A journal in a folder that is made, or has none yet.
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let options = Options { pending_bytes: PENDING, ..Options::DEFAULT };
        fork::goes_on()?;
        let _inside = Inside::enter(py);
        let lost = Arc::new(OnceLock::new());
        let refused = Arc::clone(&lost);
        let told = move |settled: Settled<()>| {
            if let Err(refusal) = settled.result {
                refused.get_or_init(|| refusal);
            }
        };
        let opened = py.detach(|| Journal::open(Folder::new(&path)?, options, told));
        let failed = |error: &dyn std::error::Error| {
            JournalError::new_err(format!(
                "{}: the journal cannot be made: {error}",
                path.display()
            ))
        };
        let journal = opened.map_err(|error| failed(&error))?;
        let there = journal.segments().map_err(|error| failed(&error))?;
        if !there.is_empty() {
            return Err(JournalError::new_err(format!(
                "{}: there is a journal already; name a new folder",
                path.display()
            )));
        }
        Ok(Self { journal, lost, path, generation: fork::generation() })
    }

    /// Appends a wave: its channel, source and id, its numbers, headers, what it undoes, and payload as it is
    /// written.
    #[expect(clippy::too_many_arguments)] // as many as a record has kinds of parts
    fn append(
        &self,
        py: Python<'_>,
        named: (String, Option<String>, String),
        numbers: Numbers,
        headers: Vec<(String, String)>,
        undoes: Option<UndoneFields>,
        codec: u8,
        payload: &[u8],
    ) -> PyResult<u64> {
        let (channel, source, id) = named;
        let (time, amplitude, priority, phase, frequency, ttl, hops) = numbers;
        check_channel(&channel, WIDEST).map_err(|fault| channel_error(&channel, &fault))?;
        let headers =
            HeaderBytes::new(headers.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        let undoes = undoes.as_ref().map(|&(ref id, time, amplitude, phase)| Undone {
            id,
            time,
            amplitude,
            phase,
        });
        let wave = Wave {
            sequence: 0,
            time,
            channel: &channel,
            source: source.as_deref(),
            id: &id,
            amplitude,
            priority,
            phase,
            frequency,
            ttl: ttl.unwrap_or(f64::INFINITY),
            hops,
            headers: headers.view(),
            undoes,
            codec: Codec(codec),
            payload,
        };
        if let Some((name, number)) = odd_number(&wave) {
            return Err(PyValueError::new_err(format!("{name} must not be {number}")));
        }
        let mut encoded =
            Encoded::wave(&wave).map_err(|unfit| PyValueError::new_err(unfit.to_string()))?;
        fork::goes_on()?;
        let _inside = Inside::enter(py);
        self.is_whole()?;
        loop {
            match self.journal.append(&mut encoded, None) {
                Ok(sequence) => return Ok(sequence),
                Err((Refusal::Busy(_), _)) => {
                    py.detach(|| self.journal.flush()).map_err(|refusal| self.refused(&refusal))?;
                    py.check_signals()?;
                }
                Err((refusal, _)) => return Err(self.refused(&refusal)),
            }
        }
    }

    /// Waits until all is safe, and closes the files.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        fork::goes_on()?;
        let _inside = Inside::enter(py);
        let closed = py.detach(|| self.journal.flush().and_then(|()| self.journal.close()));
        closed.map_err(|refusal| self.refused(&refusal))?;
        self.is_whole()
    }
}

impl PyJournalImport {
    /// Nothing was refused so far. A disk that has room again takes what comes, and says no more of what it did not.
    fn is_whole(&self) -> PyResult<()> {
        self.lost.get().map_or(Ok(()), |refusal| Err(self.refused(refusal)))
    }

    #[cold]
    fn refused(&self, refusal: &Refusal) -> PyErr {
        let said = format!("{}: {refusal}", self.path.display());
        match refusal {
            Refusal::Full(_) => JournalFull::new_err(said),
            Refusal::Failed { .. } => JournalFailed::new_err(said),
            _ => JournalError::new_err(said),
        }
    }
}

impl Drop for PyJournalImport {
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            self.journal.forget();
        }
    }
}
