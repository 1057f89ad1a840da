//! Reading a journal from one sequence on, through all of its segments, while it is written or afterwards.
//!
//! Contract:
//! - Every sound wave comes, in the order of the sequences, none twice.
//! - Waves that should be there and cannot be read are told as [`Event::Gap`], with the first and the last of them,
//!   before the wave that comes after them. What compaction took, and what was refused, is no gap.
//! - Bytes that are no record are told as [`Event::Damage`]. At the very end of a journal they are
//!   [`Event::TornTail`]: a write that was cut off, or one that is under way. Waves that were acknowledged are
//!   never in it, unless it was damaged later.
//! - [`Reader::read`] goes on where it has stopped, and at the end of the journal with what has come meanwhile.

use std::io;
use std::ops::{ControlFlow, Range, RangeInclusive};

use crate::disk::Disk;
use crate::header::HeaderFault;
use crate::record::{Record, Wave};
use crate::scan::{Found, Scan};
use crate::segment::{Segment, segments};

/// What a reader comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// A wave.
    Wave(Wave<'a>),
    /// A cursor has moved.
    Acknowledged {
        /// The last wave before that.
        sequence: u64,
        /// The name of the cursor.
        cursor: &'a str,
        /// What it says.
        state: &'a [u8],
    },
    /// These waves should be there, and cannot be read.
    Gap(RangeInclusive<u64>),
    /// These bytes of a segment are no record.
    Damage {
        /// The name of the file.
        segment: String,
        /// Which bytes.
        bytes: Range<u64>,
    },
    /// The head of a segment cannot be used, so that nothing in it can be read.
    Unreadable {
        /// The name of the file.
        segment: String,
        /// Why.
        fault: HeaderFault,
    },
    /// The journal ends with bytes that are no record.
    TornTail {
        /// The name of the file.
        segment: String,
        /// Which bytes.
        bytes: Range<u64>,
    },
}

/// Reads a journal.
#[derive(Debug)]
pub struct Reader<D: Disk> {
    disk: D,
    /// Those that are to be read, the next one last.
    ahead: Vec<Segment<D::File>>,
    reading: Option<Reading<D::File>>,
    missing: Missing,
}

/// A segment that is read.
#[derive(Debug)]
struct Reading<F> {
    name: String,
    base: u64,
    scan: Scan<F>,
    /// There is a later one, so that nothing more comes after what there is now.
    complete: bool,
    /// Its torn tail was told of.
    torn: Option<Range<u64>>,
}

/// Which waves are to come, and which of them will not.
#[derive(Clone, Debug)]
struct Missing {
    /// The next wave that is to come.
    next: u64,
    /// Taken away on purpose, from there on.
    removed: Vec<RangeInclusive<u64>>,
}

impl Missing {
    /// Tells of a record, and before that of the waves that are missing before it.
    fn tell(
        &mut self,
        record: Record<'_>,
        each: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match record {
            Record::Wave(wave) if wave.sequence >= self.next => {
                let stop = self.reach(wave.sequence, each);
                self.next = wave.sequence.saturating_add(1);
                let told = each(Event::Wave(wave));
                if stop.is_break() { stop } else { told }
            }
            Record::Removed(removed) => {
                self.removed.push(removed.range());
                ControlFlow::Continue(())
            }
            Record::Seal { sequence } => self.reach(sequence.saturating_add(1), each),
            Record::Acknowledged { sequence, cursor, state } => {
                each(Event::Acknowledged { sequence, cursor, state })
            }
            Record::Wave(_) | Record::Unknown { .. } => ControlFlow::Continue(()),
        }
    }

    /// All waves before this sequence have come, or will not.
    fn reach(
        &mut self,
        sequence: u64,
        each: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut stop = ControlFlow::Continue(());
        let mut tell = |first: u64, end: u64| {
            if first < end && each(Event::Gap(first..=end - 1)).is_break() {
                stop = ControlFlow::Break(());
            }
        };
        self.removed.sort_by_key(|removed| *removed.start());
        let mut first = self.next;
        for removed in self.removed.drain(..) {
            tell(first, sequence.min(*removed.start()));
            first = first.max(removed.end().saturating_add(1));
        }
        tell(first, sequence);
        self.next = first.max(sequence);
        stop
    }
}

impl<D: Disk> Reader<D> {
    /// Reads what comes after a sequence; 0: from the beginning of what there is.
    pub fn after(disk: D, sequence: u64) -> io::Result<Self> {
        let mut ahead = segments(&disk)?;
        let wanted = sequence.saturating_add(1);
        // The last one that begins at or before the next wave, and what follows.
        let from = ahead.iter().rposition(|segment| segment.base <= wanted).unwrap_or(0);
        ahead.drain(..from);
        let first = ahead.first().map_or(wanted, |segment| segment.base.max(wanted));
        ahead.reverse();
        let next = if sequence == 0 { first } else { wanted };
        let missing = Missing { next, removed: Vec::new() };
        Ok(Self { disk, ahead, reading: None, missing })
    }

    /// The next wave that is to come.
    pub fn next_sequence(&self) -> u64 {
        self.missing.next
    }

    /// Calls `each` with what comes next, until it breaks or nothing is left for now. If it breaks at a gap, the
    /// wave behind it comes all the same.
    pub fn read(&mut self, mut each: impl FnMut(Event<'_>) -> ControlFlow<()>) -> io::Result<()> {
        loop {
            if self.reading.is_none() && !self.begin(&mut each)? {
                return Ok(());
            }
            let Some(reading) = &mut self.reading else { continue };
            match reading.scan.next()? {
                Some(Found::Record { record, .. }) => {
                    if self.missing.tell(record, &mut each).is_break() {
                        return Ok(());
                    }
                }
                Some(Found::Damage(bytes)) => {
                    let segment = reading.name.clone();
                    let last = reading.scan.is_at_end() && self.ahead.is_empty();
                    if !last {
                        if each(Event::Damage { segment, bytes }).is_break() {
                            return Ok(());
                        }
                    } else if !self.go_on(Some(bytes.clone()))? {
                        self.tell_torn(segment, bytes, &mut each);
                        return Ok(());
                    }
                }
                None => {
                    if !self.go_on(None)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Begins the next segment; false: there is none.
    fn begin(&mut self, each: &mut impl FnMut(Event<'_>) -> ControlFlow<()>) -> io::Result<bool> {
        if self.ahead.is_empty() {
            self.ahead = newer(&self.disk, None)?;
        }
        while let Some(segment) = self.ahead.pop() {
            let void = segment.is_void()?;
            let Segment { name, base, header, file } = segment;
            match header {
                Err(_) if void => {}
                Ok(header) => {
                    let scan = Scan::new(file, &header);
                    self.reading = Some(Reading { name, base, scan, complete: false, torn: None });
                    return Ok(true);
                }
                // As before a gap: the wave behind it comes all the same.
                Err(fault) => {
                    let _ = each(Event::Unreadable { segment: name, fault });
                }
            }
        }
        Ok(false)
    }

    /// At the end of a segment: goes on to the next one, if there is one and nothing more has come in this one.
    /// False: it is the last. `torn`: it ends with these bytes.
    fn go_on(&mut self, torn: Option<Range<u64>>) -> io::Result<bool> {
        let Some(reading) = &mut self.reading else { return Ok(true) };
        if self.ahead.is_empty() {
            self.ahead = newer(&self.disk, Some((reading.base, &reading.name)))?;
        }
        let end = torn.map_or(reading.scan.offset(), |torn| torn.start);
        if self.ahead.is_empty() {
            // It may be under way: it is looked at again when the next call comes.
            reading.scan.go_back(end);
            return Ok(false);
        }
        if reading.complete {
            self.reading = None;
        } else {
            // What came between the last look and the next segment.
            reading.complete = true;
            reading.scan.go_back(end);
        }
        Ok(true)
    }

    /// Tells of the torn tail, once.
    fn tell_torn(
        &mut self,
        segment: String,
        bytes: Range<u64>,
        each: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) {
        let told = self.reading.as_mut().map(|reading| &mut reading.torn);
        if let Some(told) = told.filter(|told| told.as_ref() != Some(&bytes)) {
            *told = Some(bytes.clone());
            // Nothing comes after it: to break here is to end.
            let _ = each(Event::TornTail { segment, bytes });
        }
    }
}

/// The segments after one, the next one last.
fn newer<D: Disk>(disk: &D, than: Option<(u64, &str)>) -> io::Result<Vec<Segment<D::File>>> {
    let mut newer = segments(disk)?;
    if let Some(than) = than {
        newer.retain(|segment| (segment.base, segment.name.as_str()) > than);
    }
    newer.reverse();
    Ok(newer)
}
