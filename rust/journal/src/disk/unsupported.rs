//! In the place of a folder, where no journals are supported yet: it cannot be made.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};

use super::{Disk, File, Locked};
use crate::scan::Source;

/// A folder, of which there is none on this system.
#[derive(Clone, Debug)]
pub struct Folder(Infallible);

/// A file, of which there is none on this system.
#[derive(Debug)]
pub struct NoFile(Infallible);

impl Folder {
    /// Says that there are no journals here.
    pub fn new(_path: impl Into<PathBuf>) -> io::Result<Self> {
        let said = "journals are supported on Linux and macOS only, yet";
        Err(io::Error::new(io::ErrorKind::Unsupported, said))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self.0 {}
    }
}

impl Disk for Folder {
    type File = NoFile;
    type Lock = NoFile;

    fn lock(&self) -> Result<NoFile, Locked> {
        match self.0 {}
    }

    fn names(&self) -> io::Result<Vec<String>> {
        match self.0 {}
    }

    fn open(&self, _name: &str) -> io::Result<NoFile> {
        match self.0 {}
    }

    fn create(&self, _name: &str) -> io::Result<NoFile> {
        match self.0 {}
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        match self.0 {}
    }

    fn remove(&self, _name: &str) -> io::Result<()> {
        match self.0 {}
    }

    fn sync(&self) -> io::Result<()> {
        match self.0 {}
    }

    fn random(&self) -> u64 {
        match self.0 {}
    }

    fn now(&self) -> f64 {
        match self.0 {}
    }
}

impl Source for NoFile {
    fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl File for NoFile {
    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    fn reserve(&self, _offset: u64, _length: u64) -> io::Result<()> {
        match self.0 {}
    }

    fn cut(&self, _length: u64) -> io::Result<()> {
        match self.0 {}
    }

    fn sync(&self) -> io::Result<()> {
        match self.0 {}
    }

    fn size(&self) -> io::Result<u64> {
        match self.0 {}
    }
}
