//! The files that are written, without a thread: runs of records go in, in order, whole or not at all.

use std::io;

use crate::disk::{Disk, File};
use crate::header::{Header, RECORDS};
use crate::segment;

/// Room is reserved in steps of so many bytes, so that a full disk says so before it has half a record.
const STEP: u64 = 1024 * 1024;

/// Records that stand side by side in a segment.
#[derive(Debug)]
pub(crate) struct Run {
    /// The segment is new, and begins with this.
    pub(crate) begin: Option<Header>,
    /// Where the records begin.
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Why a commit has failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Nothing of it is in the files, and it may be tried again.
    Refused(io::Error),
    /// What is in the files is not known: nothing more is to be written.
    Broken(io::Error),
}

/// The segments that are written.
#[derive(Debug)]
pub(crate) struct Log<D: Disk> {
    disk: D,
    active: Option<Active<D::File>>,
}

#[derive(Debug)]
struct Active<F> {
    file: F,
    /// Up to here, it holds what was committed.
    end: u64,
    /// Up to here, there is room for certain.
    reserved: u64,
}

impl<D: Disk> Log<D> {
    pub(crate) fn new(disk: D) -> Self {
        Self { disk, active: None }
    }

    /// Writes runs, and makes sure of them if `sync`.
    pub(crate) fn commit(&mut self, runs: &[Run], sync: bool) -> Result<(), Fault> {
        let mut begun = Vec::new();
        match self.write(runs, &mut begun) {
            Ok(()) => {}
            Err(Fault::Refused(error)) => {
                return Err(match self.take_back(begun) {
                    Ok(()) => Fault::Refused(error),
                    Err(worse) => Fault::Broken(worse),
                });
            }
            Err(broken) => return Err(broken),
        }
        // Those that were full are complete and synced.
        if let Some((_, newest)) = begun.pop() {
            self.active = Some(newest);
        }
        if let (Some(active), Some(run)) = (&mut self.active, runs.last()) {
            active.end = run.offset + run.bytes.len() as u64;
        }
        if sync { self.sync().map_err(Fault::Broken) } else { Ok(()) }
    }

    /// Closes the files as they are.
    pub(crate) fn forget(&mut self) {
        self.active = None;
    }

    /// Makes sure of all that was written.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.active.as_ref().map_or(Ok(()), |active| active.file.sync())
    }

    fn write(
        &mut self,
        runs: &[Run],
        begun: &mut Vec<(String, Active<D::File>)>,
    ) -> Result<(), Fault> {
        for run in runs {
            if let Some(header) = &run.begin {
                // A segment is complete on the disk before the next one is begun.
                let before = begun.last().map(|(_, active)| active).or(self.active.as_ref());
                before.map_or(Ok(()), |active| active.file.sync()).map_err(Fault::Broken)?;
                begun.push(self.begin(header)?);
            }
            let newest = begun.last_mut().map(|(_, active)| active);
            let Some(active) = newest.or(self.active.as_mut()) else { continue };
            active.write(run).map_err(Fault::Refused)?;
        }
        Ok(())
    }

    fn begin(&self, header: &Header) -> Result<(String, Active<D::File>), Fault> {
        let name = segment::name(header);
        let file = self.disk.create(&name).map_err(Fault::Refused)?;
        let active = Active { file, end: RECORDS, reserved: 0 };
        let head = Run { begin: None, offset: 0, bytes: header.encoded().to_vec() };
        let mut begun = (name, active);
        if let Err(error) = begun.1.write(&head) {
            return Err(match self.disk.remove(&begun.0) {
                Ok(()) => Fault::Refused(error),
                Err(worse) => Fault::Broken(worse),
            });
        }
        // Head and name are there before anything in the file is: so a file without a sound head has nothing
        // that counts, unless it was damaged later.
        begun.1.file.sync().and_then(|()| self.disk.sync()).map_err(Fault::Broken)?;
        Ok(begun)
    }

    /// Removes what a commit has left in the files.
    fn take_back(&mut self, begun: Vec<(String, Active<D::File>)>) -> io::Result<()> {
        if !begun.is_empty() {
            for (name, _) in begun {
                self.disk.remove(&name)?;
            }
            self.disk.sync()?;
        }
        if let Some(active) = &mut self.active {
            active.file.cut(active.end)?;
            active.reserved = active.end;
            active.file.sync()?;
        }
        Ok(())
    }
}

impl<F: File> Active<F> {
    fn write(&mut self, run: &Run) -> io::Result<()> {
        let end = run.offset + run.bytes.len() as u64;
        if end > self.reserved {
            let reserved = end.next_multiple_of(STEP);
            self.file.reserve(self.reserved, reserved - self.reserved)?;
            self.reserved = reserved;
        }
        self.file.write_at(run.offset, &run.bytes)
    }
}
