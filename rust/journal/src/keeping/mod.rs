//! Keeping a journal, and mending one: [`verify`] says what is in it and what is not, [`repair`] writes a sound
//! copy of one that was damaged, [`backup`] a copy of one that is written, and [`retain`] takes out what nobody
//! needs any more.
//!
//! Contract of all of them:
//! - They may be called from any thread while the journal is written and read. `retain` only by the process that
//!   writes it, or that holds its lock; the others by any.
//! - Memory does not grow with the number of waves, but with that of gaps, and for `retain` with that of channels
//!   in each segment.
//! - A copy goes into an empty folder, and counts when the call has returned: before that, its files have other
//!   names. After an error they are removed as far as the disk lets them be, and the original is as it was.
//! - Whoever watches the [`Progress`] can stop them between two blocks; that leaves what an error leaves.

pub mod backup;
mod draft;
mod ranges;
pub mod repair;
pub mod retain;
mod summary;
pub mod verify;

use std::io;
use std::ops::ControlFlow;

use crate::disk::Locked;
use crate::header::HeaderFault;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The disk has failed. What a copy had is removed, as far as the disk lets it be.
    #[error("cannot {deed} {file}: {error}")]
    Fault {
        /// What was tried.
        deed: &'static str,
        /// With which file.
        file: String,
        /// What the disk said.
        error: io::Error,
    },
    /// A copy would mix with what is there; nothing was written.
    #[error("the folder of the copy has a file {file} already: take an empty one")]
    Occupied {
        /// One of the files.
        file: String,
    },
    /// A later version of the library has written it; nothing was written.
    #[error("the segment {segment} cannot be copied: {fault}")]
    Newer {
        /// The name of the file.
        segment: String,
        /// What its head says.
        fault: HeaderFault,
    },
    /// Somebody else writes in the folder of the copy; nothing was written.
    #[error("the folder of the copy cannot be written in: {0}")]
    Locked(#[from] Locked),
    /// Who watched the progress has stopped it.
    #[error("it was stopped")]
    Stopped,
}

/// Gives an error of a disk its place.
fn fault(deed: &'static str, file: &str) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::Fault { deed, file: file.to_owned(), error }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The bytes that were read.
    pub bytes: u64,
    /// All bytes that are to be read.
    pub of: u64,
}

/// Is told how far it has come, about once a MiB and at the end, and can stop it.
pub type Progress<'a> = &'a mut dyn FnMut(Done) -> ControlFlow<()>;

/// For whoever does not watch.
pub fn unwatched(_: Done) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Counts what was read, and tells of it.
struct Meter<'a> {
    done: Done,
    told: u64,
    watch: Progress<'a>,
}

impl<'a> Meter<'a> {
    /// How many bytes are read before it is told again.
    const STEP: u64 = 1 << 20;

    fn new(of: u64, watch: Progress<'a>) -> Self {
        Self { done: Done { bytes: 0, of }, told: 0, watch }
    }

    fn add(&mut self, bytes: u64) -> Result<(), Failure> {
        // A journal that is written may have become longer.
        self.done.bytes += bytes;
        self.done.of = self.done.of.max(self.done.bytes);
        if self.done.bytes - self.told < Self::STEP { Ok(()) } else { self.tell() }
    }

    fn tell(&mut self) -> Result<(), Failure> {
        self.told = self.done.bytes;
        if (self.watch)(self.done).is_break() { Err(Failure::Stopped) } else { Ok(()) }
    }

    /// All is read, whatever was thought.
    fn end(mut self) -> Result<(), Failure> {
        self.done.bytes = self.done.of;
        self.tell()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_a_mebibyte_and_at_the_end() {
        let mut told = Vec::new();
        let mut watch = |Done { bytes, of }| {
            told.push((bytes, of));
            ControlFlow::Continue(())
        };
        let mut meter = Meter::new(3 << 20, &mut watch);
        for bytes in [(1 << 20) - 1, 1, (1 << 20) - 1, 2, 1 << 21] {
            meter.add(bytes).expect("nobody stops it");
        }
        meter.end().expect("nobody stops it");
        // There was more than was thought.
        let all = (4 << 20) + 1;
        assert_eq!(told, [(1 << 20, 3 << 20), ((2 << 20) + 1, 3 << 20), (all, all), (all, all)]);
    }
}
