//! All that the journal asks of a disk. [`Folder`] is the real one; [`simulated`] forgets, tears and fails as a
//! real one may.
//!
//! Contract of a disk:
//! - What was written is there after [`File::sync`] has returned, come what may; before that, any part of it may
//!   be, in units of 512 bytes, in any order.
//! - Names that were made, changed or removed are there, or gone, after [`Disk::sync`]; before that they may not.
//! - After an error of a `sync`, nothing is known of what was written before it, and asking again tells nothing:
//!   pages that could not be written count as clean (A. Rebello and others, "Can applications recover from fsync
//!   failures?", USENIX ATC 2020).

#[cfg(unix)]
mod folder;
#[cfg(not(unix))]
#[path = "unsupported.rs"]
mod folder;
#[doc(hidden)]
pub mod simulated;

use std::io;

pub use folder::Folder;

use crate::scan::Source;

/// Why the right to write in a folder was not given.
#[derive(Debug, thiserror::Error)]
pub enum Locked {
    /// Another journal writes there.
    #[error("the process {owner} writes in it")]
    Held {
        /// The number of its process; 0: it is not known.
        owner: u32,
    },
    /// It could not be asked for.
    #[error(transparent)]
    Fault(#[from] io::Error),
}

/// A folder of files.
pub trait Disk: Send + Sync + 'static {
    /// One of its files.
    type File: File;
    /// The right to write in it, until this is dropped.
    type Lock: Send + Sync + 'static;

    /// Takes the right to write, which one process has at a time, and one journal in it.
    fn lock(&self) -> Result<Self::Lock, Locked>;

    /// The names of all files.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Opens a file that is there, to be read.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Makes a file that must not be there.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Gives a file another name, in the place of what has that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Gives a file a name in another folder too, where it must not be there; false: the folders cannot share
    /// files.
    fn link(&self, name: &str, into: &Self) -> io::Result<bool>;
    /// Removes a file. Who has it open goes on reading it.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the names as durable as they can be.
    fn sync(&self) -> io::Result<()>;
    /// A number that nobody can guess.
    fn random(&self) -> u64;
    /// Unix seconds.
    fn now(&self) -> f64;
}

/// A file.
pub trait File: Source + Send + Sync + 'static {
    /// Writes all of these bytes.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes sure that there is room for so many bytes from a place on, so that a full disk says so here.
    fn reserve(&self, offset: u64, length: u64) -> io::Result<()>;
    /// Forgets what stands from a place on.
    fn cut(&self, length: u64) -> io::Result<()>;
    /// Makes what was written as durable as it can be.
    fn sync(&self) -> io::Result<()>;
    /// How many bytes it has.
    fn size(&self) -> io::Result<u64>;
}
