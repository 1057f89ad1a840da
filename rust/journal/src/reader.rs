//! Reading a journal from one sequence on, through all of its segments, while it is written or afterwards.
//!
//! Contract:
//! - Every sound wave comes, in the order of the sequences, none twice.
//! - Waves that should be there and cannot be read are told as [`Event::Gap`], with the first and the last of them,
//!   before the wave that comes after them. What compaction took, and what was refused, is no gap.
//! - Bytes that are no record are told as [`Event::Damage`]. At the very end of a journal they are
//!   [`Event::TornTail`]: a write that was cut off, or one that is under way. Waves that were acknowledged are
//!   never in it, unless it was damaged later.
//! - With a filter, waves that it does not take do not come. Parts of the journal in which there are none, by the
//!   indexes of the segments, are not read, and what else is in them is not told: damage in a place where nothing was
//!   that is wanted, and what cursors say.
//! - [`Reader::read`] goes on where it has stopped, and at the end of the journal with what has come meanwhile.

use std::io;
use std::ops::{ControlFlow, Range, RangeInclusive};

use crate::disk::Disk;
use crate::filter::{Filter, Selector};
use crate::header::HeaderFault;
use crate::index;
pub use crate::known::Location;
use crate::missing::Missing;
use crate::record::{Record, Wave};
use crate::scan::{Found, Scan};
use crate::segment::{self, Place, Segment, places};

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

/// Reads a journal from its front to its end.
#[derive(Debug)]
pub struct Reader<D: Disk> {
    disk: D,
    wanted: Selector,
    /// Those that are to be read, the next one last.
    ahead: Vec<Place>,
    /// The one that was begun last, behind others of the same base.
    begun: Vec<Place>,
    reading: Option<Reading<D::File>>,
    missing: Missing,
}

/// A segment that is read.
#[derive(Debug)]
struct Reading<F> {
    scan: Scan<F>,
    /// Where to stop before its end.
    stop: Option<Stop>,
    /// There is a later one, so that nothing more comes after what there is now.
    complete: bool,
    /// Its torn tail was told of.
    torn: Option<Range<u64>>,
}

/// The end of what is wanted of a segment.
#[derive(Clone, Copy, Debug)]
struct Stop {
    offset: u64,
    /// The first wave from there on. Those before it should have come.
    sequence: u64,
    /// The first wave after the segment. Those before it are not wanted.
    next: u64,
}

impl<D: Disk> Reader<D> {
    /// Reads what comes after a sequence; 0: from the beginning of what there is.
    pub fn after(disk: D, sequence: u64) -> io::Result<Self> {
        Self::filtered(disk, Filter { after: Some(sequence), ..Filter::default() })
    }

    /// Reads the waves that a filter takes, from the first one on.
    pub fn filtered(disk: D, filter: Filter) -> io::Result<Self> {
        Self::new(disk, Selector::new(filter))
    }

    /// Reads only where waves may be that a filter takes; there all of them come, for the caller to choose from. So he
    /// sees how far it is, and can stop where nothing fits.
    pub fn within(disk: D, filter: Filter) -> io::Result<Self> {
        Self::new(disk, Selector::all_within(filter))
    }

    fn new(disk: D, wanted: Selector) -> io::Result<Self> {
        let mut ahead = places(&disk)?;
        let after = wanted.filter().after.unwrap_or(0);
        let next = after.saturating_add(1);
        ahead.drain(..segment::holding(&ahead, next));
        let first = ahead.first().map_or(next, |segment| segment.base.max(next));
        ahead.reverse();
        let missing = Missing::before(if after == 0 { first } else { next });
        Ok(Self { disk, wanted, ahead, begun: Vec::new(), reading: None, missing })
    }

    /// The next wave that is to come.
    pub fn next_sequence(&self) -> u64 {
        self.missing.next()
    }

    /// Calls `each` with what comes next, until it breaks or nothing is left for now. If it breaks at a gap, the
    /// wave behind it comes all the same.
    pub fn read(&mut self, mut each: impl FnMut(Event<'_>) -> ControlFlow<()>) -> io::Result<()> {
        let before = self.wanted.filter().before.unwrap_or(u64::MAX);
        while self.missing.next() < before {
            let Some(reading) = &mut self.reading else {
                match self.begin(&mut each)? {
                    Some(ControlFlow::Continue(())) => continue,
                    Some(ControlFlow::Break(())) | None => return Ok(()),
                }
            };
            if let Some(stop) = reading.stop.filter(|stop| reading.scan.offset() >= stop.offset) {
                self.reading = None;
                let sequence = stop.sequence.min(before);
                let told = self.missing.reach(sequence, |gap| each(Event::Gap(gap)));
                self.missing.skip_to(stop.next);
                if told.is_break() {
                    return Ok(());
                }
                continue;
            }
            match reading.scan.next()? {
                Some(Found::Record { record, .. }) => {
                    if tell(&mut self.missing, &mut self.wanted, &record, &mut each).is_break() {
                        return Ok(());
                    }
                }
                Some(Found::Damage(bytes)) => {
                    let last = reading.scan.is_at_end() && self.ahead.is_empty();
                    if !last {
                        let segment = name(&self.begun);
                        if each(Event::Damage { segment, bytes }).is_break() {
                            return Ok(());
                        }
                    } else if !self.go_on(Some(bytes.clone()))? {
                        self.tell_torn(bytes, &mut each);
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
        Ok(())
    }

    /// Begins the next segment, or passes it over; `None`: there is none.
    fn begin(
        &mut self,
        each: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> io::Result<Option<ControlFlow<()>>> {
        if self.ahead.is_empty() {
            self.ahead = newer(&self.disk, &self.begun)?;
        }
        let Some(place) = self.ahead.pop() else { return Ok(None) };
        let segment = match place.clone().open(&self.disk) {
            Ok(segment) => segment,
            Err(error) => {
                self.look_again(&place, error)?;
                return Ok(Some(ControlFlow::Continue(())));
            }
        };
        self.begun.retain(|begun| begun.base == place.base);
        self.begun.push(place);
        let void = segment.is_void()?;
        let Segment { name, base, header, file } = segment;
        let header = match header {
            Ok(header) => header,
            Err(fault) => {
                if !void {
                    // As before a gap: the wave behind it comes all the same.
                    let _ = each(Event::Unreadable { segment: name, fault });
                }
                return Ok(Some(ControlFlow::Continue(())));
            }
        };
        let filter = self.wanted.filter();
        let Filter { pattern, before, since, until, .. } = filter;
        let positioned = self.missing.next() > base || before.is_some();
        let indexed = positioned || pattern.is_some() || since.is_some() || until.is_some();
        let outline = indexed.then(|| index::read(&self.disk, &name, &header, &file));
        let Some(outline) = outline.flatten() else {
            let scan = Scan::new(file, &header);
            self.reading = Some(Reading { scan, stop: None, complete: false, torn: None });
            return Ok(Some(ControlFlow::Continue(())));
        };
        outline.removed.iter().for_each(|removed| self.missing.remove(removed.clone()));
        let first = outline.sequence(0).min(before.unwrap_or(u64::MAX));
        let stop = self.missing.reach(first, |gap| each(Event::Gap(gap)));
        let next = outline.last().saturating_add(1);
        if let Some(blocks) = outline.wanted(filter, self.missing.next()) {
            self.missing.skip_to(outline.sequence(blocks.start));
            let sequence = outline.sequence(blocks.end);
            let bytes = outline.bytes(blocks);
            let scan = Scan::from(file, &header, bytes.start);
            let stop = Some(Stop { offset: bytes.end, sequence, next });
            self.reading = Some(Reading { scan, stop, complete: true, torn: None });
        } else {
            self.missing.skip_to(next);
        }
        Ok(Some(stop))
    }

    /// A segment cannot be opened: if it is gone, it was taken out, or written anew under another name.
    fn look_again(&mut self, gone: &Place, error: io::Error) -> io::Result<()> {
        let mut now = places(&self.disk)?;
        if now.contains(gone) {
            return Err(error);
        }
        // The note of what was taken out may stand in an earlier one. What is read twice comes once.
        now.drain(..segment::holding(&now, self.missing.next()));
        now.retain(|place| !self.begun.contains(place));
        now.reverse();
        self.ahead = now;
        Ok(())
    }

    /// At the end of a segment: goes on to the next one, if there is one and nothing more has come in this one.
    /// False: it is the last. `torn`: it ends with these bytes.
    fn go_on(&mut self, torn: Option<Range<u64>>) -> io::Result<bool> {
        let Some(reading) = &mut self.reading else { return Ok(true) };
        if self.ahead.is_empty() {
            self.ahead = newer(&self.disk, &self.begun)?;
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
        bytes: Range<u64>,
        each: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) {
        let told = self.reading.as_mut().map(|reading| &mut reading.torn);
        if let Some(told) = told.filter(|told| told.as_ref() != Some(&bytes)) {
            *told = Some(bytes.clone());
            // Nothing comes after it: to break here is to end.
            let _ = each(Event::TornTail { segment: name(&self.begun), bytes });
        }
    }
}

/// Tells of a record, and before that of the waves that are missing before it.
#[inline]
fn tell(
    missing: &mut Missing,
    wanted: &mut Selector,
    record: &Record<'_>,
    each: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let before = wanted.filter().before.unwrap_or(u64::MAX);
    match *record {
        Record::Wave(wave) if wave.sequence >= missing.next() => {
            let stop = missing.reach(wave.sequence.min(before), |gap| each(Event::Gap(gap)));
            missing.skip_to(wave.sequence.saturating_add(1));
            if !wanted.takes(&wave) {
                return stop;
            }
            let told = each(Event::Wave(wave));
            if stop.is_break() { stop } else { told }
        }
        Record::Removed(removed) => {
            missing.remove(removed.range());
            ControlFlow::Continue(())
        }
        Record::Seal { sequence } => {
            missing.reach(sequence.saturating_add(1).min(before), |gap| each(Event::Gap(gap)))
        }
        Record::Acknowledged { sequence, cursor, state } => {
            each(Event::Acknowledged { sequence, cursor, state })
        }
        Record::Wave(_) | Record::Unknown { .. } => ControlFlow::Continue(()),
    }
}

/// The name of the one that was begun last.
fn name(begun: &[Place]) -> String {
    begun.last().map_or_else(String::new, |place| place.name.clone())
}

/// The segments after those that were begun, the next one last.
fn newer<D: Disk>(disk: &D, begun: &[Place]) -> io::Result<Vec<Place>> {
    let mut newer = places(disk)?;
    let base = begun.last().map_or(0, |begun| begun.base);
    newer.retain(|place| place.base >= base && !begun.contains(place));
    newer.reverse();
    Ok(newer)
}

/// Reads the wave at a place that a journal has told. False: it is not there any more, or cannot be read.
pub fn read_wave<D: Disk>(
    disk: &D,
    location: &Location,
    wave: impl FnOnce(Wave<'_>),
) -> io::Result<bool> {
    let mut wave = Some(wave);
    let missing = read_waves(disk, [location], |found| {
        if let Some(wave) = wave.take() {
            wave(found);
        }
    })?;
    Ok(missing == 0)
}

/// Reads the waves at places that a journal has told, in their order; a file is opened once for places side by side in
/// it. Returns how many are not there any more, or cannot be read.
pub fn read_waves<'a, D: Disk>(
    disk: &D,
    locations: impl IntoIterator<Item = &'a Location>,
    mut wave: impl FnMut(Wave<'_>),
) -> io::Result<usize> {
    let mut opened: Option<(&str, Option<Segment<D::File>>)> = None;
    let mut missing = 0;
    for location in locations {
        if opened.as_ref().is_none_or(|(name, _)| *name != location.segment) {
            let segment = match segment::open(disk, &location.segment) {
                Ok(segment) => Some(segment),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            opened = Some((&location.segment, segment));
        }
        let segment = opened.as_ref().and_then(|(_, segment)| segment.as_ref());
        let Some((file, Ok(header))) = segment.map(|segment| (&segment.file, &segment.header))
        else {
            missing += 1;
            continue;
        };
        match Scan::from(file, header, location.offset).next()? {
            Some(Found::Record { record: Record::Wave(found), .. })
                if found.sequence == location.sequence =>
            {
                wave(found);
            }
            _ => missing += 1,
        }
    }
    Ok(missing)
}
