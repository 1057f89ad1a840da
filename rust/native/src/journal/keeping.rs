//! What keeps a journal and mends one, bound: see `aether_journal::keeping`.
//!
//! Contract:
//! - `watch(done, of)` is called about once a MiB, attached; whatever it raises, Ctrl-C too, stops the work, and is
//!   raised. In between, other threads run. Without it, signals are looked for as often.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use aether_journal::disk::Folder;
use aether_journal::keeping::backup::{Options, backup};
use aether_journal::keeping::repair::{Repaired, repair};
use aether_journal::keeping::verify::{Damage, Moment, Part, Report, verify};
use aether_journal::keeping::{Done, Failure};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::replay::must_be_there;
use crate::errors::{JournalError, JournalFull};
use crate::fork::{self, Inside};

/// Says what is in a journal, and what should be and is not.
#[pyfunction]
#[pyo3(signature = (path, watch, /))]
pub fn verify_journal(
    py: Python<'_>,
    path: PathBuf,
    watch: Py<PyAny>,
) -> PyResult<Bound<'_, PyDict>> {
    must_be_there(&path)?;
    let report = watched(py, &path, Some(watch), |watch| {
        let folder = Folder::new(&path).map_err(|error| opened(&path, error))?;
        verify(&folder, watch)
    })?;
    described(py, &report)
}

/// Writes a sound copy of a journal into an empty folder; says what was found, and what the copy has.
#[pyfunction]
#[pyo3(signature = (path, copy, watch, /))]
pub fn repair_journal(
    py: Python<'_>,
    path: PathBuf,
    copy: PathBuf,
    watch: Py<PyAny>,
) -> PyResult<(Bound<'_, PyDict>, u64, Vec<String>)> {
    must_be_there(&path)?;
    let repaired = watched(py, &path, Some(watch), |watch| {
        let from = Folder::new(&path).map_err(|error| opened(&path, error))?;
        let into = Folder::new(&copy).map_err(|error| opened(&copy, error))?;
        repair(&from, &into, watch)
    })?;
    let Repaired { found, recovered, waves, .. } = repaired;
    Ok((described(py, &found)?, waves, recovered))
}

/// Copies a journal into an empty folder: how many segments, and how many bytes. `safe`: all waves up to it are
/// committed, as the writer knows; without that, the copy may end with waves that are refused later.
pub fn backed_up(
    py: Python<'_>,
    path: &Path,
    copy: &Path,
    safe: Option<u64>,
    watch: Option<Py<PyAny>>,
) -> PyResult<(u64, u64)> {
    let copied = watched(py, path, watch, |watch| {
        let from = Folder::new(path).map_err(|error| opened(path, error))?;
        let into = Folder::new(copy).map_err(|error| opened(copy, error))?;
        backup(&from, &into, Options { safe, link: false }, watch)
    })?;
    Ok((copied.segments, copied.bytes))
}

/// Copies a journal that is not open in this process.
#[pyfunction]
#[pyo3(signature = (path, copy, watch, /))]
pub fn backup_journal(
    py: Python<'_>,
    path: PathBuf,
    copy: PathBuf,
    watch: Option<Py<PyAny>>,
) -> PyResult<(u64, u64)> {
    must_be_there(&path)?;
    backed_up(py, &path, &copy, None, watch)
}

/// Does something without the interpreter, that is watched and can be stopped.
pub fn watched<R: Send>(
    py: Python<'_>,
    path: &Path,
    watch: Option<Py<PyAny>>,
    act: impl FnOnce(&mut dyn FnMut(Done) -> ControlFlow<()>) -> Result<R, Failure> + Send,
) -> PyResult<R> {
    fork::goes_on()?;
    let _inside = Inside::enter(py);
    let mut stopped = None;
    let done = py.detach(|| {
        act(&mut |done: Done| {
            let told = Python::attach(|py| {
                fork::goes_on()?;
                match &watch {
                    Some(watch) => watch.call1(py, (done.bytes, done.of)).map(drop),
                    None => py.check_signals(),
                }
            });
            match told {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    stopped = Some(error);
                    ControlFlow::Break(())
                }
            }
        })
    });
    done.map_err(|failure| stopped.unwrap_or_else(|| failed(path, &failure)))
}

pub fn opened(path: &Path, error: std::io::Error) -> Failure {
    Failure::Fault { deed: "open", file: path.display().to_string(), error }
}

#[cold]
fn failed(path: &Path, failure: &Failure) -> PyErr {
    let said = format!("{}: {failure}", path.display());
    match failure {
        Failure::Fault { error, .. } if error.kind() == ErrorKind::StorageFull => {
            JournalFull::new_err(said)
        }
        _ => JournalError::new_err(said),
    }
}

/// A report as Python reads it.
fn described<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyDict>> {
    let segment = |part: &Part| {
        let fault = part.fault.map(|fault| fault.to_string());
        (part.name.clone(), part.base, part.waves, part.bytes, part.sealed, part.foreign, fault)
    };
    let damage = |damage: &Damage| {
        let Damage { segment, bytes, torn } = damage;
        (segment.clone(), bytes.start, bytes.end, *torn)
    };
    let ends = |ranges: &[std::ops::RangeInclusive<u64>]| -> Vec<(u64, u64)> {
        ranges.iter().map(|range| (*range.start(), *range.end())).collect()
    };
    let moment = |moment: Moment| (moment.sequence, moment.time);
    let described = PyDict::new(py);
    described.set_item("segments", report.segments.iter().map(segment).collect::<Vec<_>>())?;
    described.set_item("waves", report.waves)?;
    described.set_item("bytes", report.bytes)?;
    described.set_item("span", report.span.map(|(first, last)| (moment(first), moment(last))))?;
    described.set_item("damage", report.damage.iter().map(damage).collect::<Vec<_>>())?;
    described.set_item("gaps", ends(&report.gaps))?;
    described.set_item("removed", ends(&report.removed))?;
    described.set_item("repeated", report.repeated)?;
    described.set_item("sound", report.is_sound())?;
    Ok(described)
}
