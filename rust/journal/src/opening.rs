//! Finding out what a journal knows: from its newest snapshot, and of what that does not tell, from the segments.

use std::collections::HashSet;
use std::io;

use crate::disk::{Disk, File};
use crate::header::{HeaderFault, RECORDS};
use crate::known::{Known, Open, Part};
use crate::options::OpenError;
use crate::queue::Queue;
use crate::record::HEAD;
use crate::scan::{Found, Scan};
use crate::segment::{Place, Segment, places};
use crate::snapshot;

/// What is known of a folder, and the identity of its journal, if it has one.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) journal: Option<u64>,
    pub(crate) known: Known,
    /// Segments whose records are known from the first one on.
    pub(crate) read: Vec<Open>,
    /// There was something that the snapshot did not tell.
    pub(crate) has_read: bool,
    /// The bases of all segments.
    bases: HashSet<u64>,
}

/// Looks at a folder.
pub(crate) fn opened<D: Disk>(disk: &D) -> Result<Opened, OpenError> {
    let (journal, known) = snapshot::newest(disk)?.unzip();
    let known = known.unwrap_or_default();
    let mut opened =
        Opened { journal, known, read: Vec::new(), has_read: false, bases: HashSet::new() };
    opened.catch_up(disk)?;
    Ok(opened)
}

impl Opened {
    /// Reads what is not known yet, and forgets what is not there any more.
    fn catch_up<D: Disk>(&mut self, disk: &D) -> Result<(), OpenError> {
        let places = places(disk)?;
        let names: HashSet<&str> = places.iter().map(|place| place.name.as_str()).collect();
        self.known.retain(|part| names.contains(part.name().as_str()));
        self.go_on(disk)?;
        let parts = &self.known.parts;
        let mut known: HashSet<String> = parts.values().map(Part::name).collect();
        for place in places {
            let base = place.base;
            if known.remove(&place.name) || self.read(place.open(disk)?, disk)? {
                self.bases.insert(base);
            }
        }
        Ok(())
    }

    /// To go on behind all that is there. No two segments have the same base, so that it is known which one comes
    /// first: where one has that of the next wave and no wave, a sequence is left out.
    pub(crate) fn queue(&self, journal: u64, segment_bytes: u64) -> Queue {
        let mut queue = Queue::new(journal, segment_bytes, self.known.last);
        while self.bases.contains(&(queue.last() + 1)) {
            queue.leave_one_out();
        }
        queue
    }

    /// The segment that was written when the snapshot was made: it may have more, or less.
    fn go_on<D: Disk>(&mut self, disk: &D) -> Result<(), OpenError> {
        // The one that was begun last: there is none behind it that could have been written.
        let newest = self.known.parts.iter().max_by_key(|(number, part)| (part.base, **number));
        let Some((&number, part)) = newest else { return Ok(()) };
        let part = part.clone();
        let segment = Place { base: part.base, name: part.name() }.open(disk)?;
        let size = segment.file.size()?;
        let known = segment.header.is_ok_and(|header| header.identity == part.identity);
        let open = self.known.open.as_ref().is_some_and(|open| open.part == number);
        if !known || size < part.size || (size > part.size && !open) {
            // It is looked at from its front, as one that is not known.
            self.known.retain(|other| other.identity != part.identity);
        } else if size > part.size {
            self.scan(&segment, part.end, size)?;
        }
        // What comes next begins a segment.
        self.close();
        Ok(())
    }

    /// Reads a segment from its front. False: there is nothing in it, and it is removed.
    fn read<D: Disk>(&mut self, segment: Segment<D::File>, disk: &D) -> Result<bool, OpenError> {
        let size = segment.file.size()?;
        // The power went when it was made. If it cannot be removed, it stays.
        if size <= RECORDS && disk.remove(&segment.name).is_ok() {
            return Ok(false);
        }
        match segment.header {
            Ok(header) => {
                self.journal = self.journal.or(Some(header.journal));
                self.known.begin(&header);
                self.scan(&segment, RECORDS, size)?;
                self.close();
            }
            Err(fault @ HeaderFault::Version(_)) => {
                return Err(OpenError::Newer { segment: segment.name, fault });
            }
            Err(HeaderFault::Damaged) => {
                // Nothing in it can be read. No more waves than this fit in, and none is to be given twice.
                let most = size.saturating_sub(RECORDS) / HEAD as u64;
                let last = segment.base.saturating_sub(1).saturating_add(most);
                self.known.last = self.known.last.max(last);
            }
        }
        Ok(true)
    }

    fn scan<F: File>(&mut self, segment: &Segment<F>, from: u64, size: u64) -> io::Result<()> {
        self.has_read = true;
        let Ok(header) = &segment.header else { return Ok(()) };
        let mut scan = Scan::from(&segment.file, header, from);
        let mut last = 0;
        while let Some(found) = scan.next()? {
            match found {
                Found::Record { offset, record, .. } => {
                    last = last.max(record.sequence());
                    self.known.record(offset, &record);
                    self.known.reach(scan.offset());
                }
                Found::Damage(_) => self.known.damage(),
            }
        }
        self.known.last = self.known.last.max(last);
        self.known.note_open(Some(size.max(scan.offset())));
        Ok(())
    }

    /// The open segment is complete.
    fn close(&mut self) {
        self.read.extend(self.known.open.take());
    }
}
