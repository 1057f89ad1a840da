//! How a journal is written, and why it is not.

use std::io;
use std::sync::Arc;

use crate::disk::Locked;
use crate::header::HeaderFault;

/// When a wave counts as committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is synced: it survives a loss of power.
    #[default]
    Sync,
    /// When it is written: it survives the end of the process.
    Written,
    /// When its batch is about to be written. If the disk refuses the batch then, its waves are lost: they are
    /// counted ([`crate::journal::Journal::lost`]) and named in the journal as taken out, and those that come after them are
    /// committed only when they are written, until the disk takes them again.
    None,
}

/// How a journal is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The size at which a segment is complete, in bytes. A larger record has a segment for itself.
    pub segment_bytes: u64,
    /// When a wave counts as committed.
    pub durability: Durability,
    /// How many bytes may wait until they are in the files.
    pub pending_bytes: usize,
}

impl Options {
    /// What is usual.
    pub const DEFAULT: Self =
        Self { segment_bytes: 64 << 20, durability: Durability::Sync, pending_bytes: 64 << 20 };
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
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
    /// Who asks for this sequence asks too early: it was given to no wave.
    #[error("no wave has the sequence {sequence} yet, the last one is {last}")]
    NotGiven {
        /// The sequence that was asked for.
        sequence: u64,
        /// The last one that was given.
        last: u64,
    },
}
