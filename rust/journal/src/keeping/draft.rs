//! A file that is written beside the journal, and becomes a part of it when it is complete and synced.

use super::{Failure, fault};
use crate::append::End;
use crate::disk::{Disk, File};
use crate::header::Header;
use crate::record::Encoded;
use crate::segment::{self, SUFFIX};

/// What the name of a file that is no segment yet ends with.
const DRAFT: &str = ".new";

/// So many bytes are written at once.
const BLOCK: usize = 256 * 1024;

/// A file that is no segment yet.
#[derive(Debug)]
pub(super) struct Draft<'d, D: Disk> {
    ready: Ready<'d, D>,
    file: D::File,
    buffer: Vec<u8>,
    written: u64,
}

/// One that is complete and synced. Dropped before it has its name, it is removed.
#[derive(Debug)]
pub(super) struct Ready<'d, D: Disk> {
    disk: &'d D,
    /// The name that it is to have.
    name: String,
    placed: bool,
}

impl<'d, D: Disk> Draft<'d, D> {
    /// An empty one, for a name.
    pub(super) fn new(disk: &'d D, name: &str) -> Result<Self, Failure> {
        let file = disk.create(&draft(name)).map_err(fault("create", &draft(name)))?;
        let ready = Ready { disk, name: name.to_owned(), placed: false };
        Ok(Self { ready, file, buffer: Vec::new(), written: 0 })
    }

    /// Writes bytes at its end.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.buffer.extend(bytes);
        if self.buffer.len() < BLOCK { Ok(()) } else { self.flush() }
    }

    /// How many bytes it has.
    pub(super) fn size(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let written = self.file.write_at(self.written, &self.buffer);
        written.map_err(fault("write", &draft(&self.ready.name)))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes sure of all that was written.
    pub(super) fn sync(mut self) -> Result<Ready<'d, D>, Failure> {
        self.flush()?;
        self.file.sync().map_err(fault("sync", &draft(&self.ready.name)))?;
        Ok(self.ready)
    }
}

impl<D: Disk> Ready<'_, D> {
    /// Gives it its name, in the place of what has that name.
    pub(super) fn place(mut self) -> Result<String, Failure> {
        let renamed = self.disk.rename(&draft(&self.name), &self.name);
        renamed.map_err(fault("rename", &draft(&self.name)))?;
        self.placed = true;
        Ok(std::mem::take(&mut self.name))
    }
}

impl<D: Disk> Drop for Ready<'_, D> {
    fn drop(&mut self) {
        if !self.placed {
            // If it stays, it is none of the journal's, and `clear` takes it away.
            drop(self.disk.remove(&draft(&self.name)));
        }
    }
}

fn draft(name: &str) -> String {
    format!("{name}{DRAFT}")
}

/// Removes what was left behind by a process that has ended meanwhile.
pub(super) fn clear<D: Disk>(disk: &D) -> Result<(), Failure> {
    for name in disk.names().map_err(fault("list", "the folder"))? {
        if name.strip_suffix(DRAFT).is_some_and(|segment| segment.ends_with(SUFFIX)) {
            disk.remove(&name).map_err(fault("remove", &name))?;
        }
    }
    Ok(())
}

/// A segment that is written anew.
pub(super) struct Anew<'d, D: Disk> {
    pub(super) draft: Draft<'d, D>,
    end: End,
}

impl<'d, D: Disk> Anew<'d, D> {
    /// Begins one; without a name, it has that of its own head.
    pub(super) fn new(disk: &'d D, name: Option<&str>, header: &Header) -> Result<Self, Failure> {
        let own = segment::name(header);
        let mut draft = Draft::new(disk, name.unwrap_or(&own))?;
        draft.put(&header.encoded())?;
        Ok(Self { draft, end: End::new(header) })
    }

    /// Puts a record at its end, with the sequence that it has.
    pub(super) fn put(&mut self, record: &mut Encoded, sequence: u64) -> Result<(), Failure> {
        self.draft.put(self.end.again(record, sequence))
    }
}

/// An identity for a head.
pub(super) fn identity<D: Disk>(disk: &D) -> [u8; 16] {
    let mut identity = [0; 16];
    identity[..8].copy_from_slice(&disk.random().to_le_bytes());
    identity[8..].copy_from_slice(&disk.random().to_le_bytes());
    identity
}

/// A copy of a journal in an empty folder. Dropped before it is complete, it takes away what it has made.
pub(super) struct Copy<'d, D: Disk> {
    disk: &'d D,
    ready: Vec<Ready<'d, D>>,
    /// Those that have their names.
    placed: Vec<String>,
    complete: bool,
    _lock: D::Lock,
}

/// The file that a folder has while somebody writes in it.
const LOCK: &str = "lock";

impl<'d, D: Disk> Copy<'d, D> {
    /// Begins one.
    pub(super) fn new(disk: &'d D) -> Result<Self, Failure> {
        let lock = disk.lock()?;
        let names = disk.names().map_err(fault("list", "the folder of the copy"))?;
        if let Some(file) = names.into_iter().find(|name| name != LOCK) {
            return Err(Failure::Occupied { file });
        }
        Ok(Self { disk, ready: Vec::new(), placed: Vec::new(), complete: false, _lock: lock })
    }

    /// Adds a file that is complete.
    pub(super) fn add(&mut self, draft: Draft<'d, D>) -> Result<(), Failure> {
        self.ready.push(draft.sync()?);
        Ok(())
    }

    /// A file has its name there already.
    pub(super) fn has(&mut self, name: &str) {
        self.placed.push(name.to_owned());
    }

    /// Makes it a journal.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        for ready in std::mem::take(&mut self.ready) {
            let name = ready.place()?;
            self.placed.push(name);
        }
        self.disk.sync().map_err(fault("sync", "the folder of the copy"))?;
        self.complete = true;
        Ok(())
    }
}

impl<D: Disk> Drop for Copy<'_, D> {
    fn drop(&mut self) {
        if !self.complete {
            for name in &self.placed {
                drop(self.disk.remove(name));
            }
        }
    }
}
