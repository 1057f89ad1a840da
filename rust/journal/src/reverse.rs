//! Reading a journal backwards: from its last wave to its first.
//!
//! Contract:
//! - The waves that a [`Reader`](crate::reader::Reader) with the same filter would give, in the opposite order; gaps
//!   are told between the same waves. What comes to the journal after the first look at its last segment does not
//!   come.
//! - Damage is told when its block is come to, or its segment, before the waves in it. What cursors say is not told.
//! - It takes the memory of one block: 64 KiB, and the largest record.

use std::collections::VecDeque;
use std::io;
use std::ops::{ControlFlow, Range, RangeInclusive};

use crate::disk::Disk;
use crate::filter::{Filter, Selector};
use crate::header::Header;
use crate::index;
use crate::missing::Ranges;
use crate::outline::Outline;
use crate::reader::Event;
use crate::record::{Record, Wave};
use crate::scan::{Found, Scan, Source, fill};
use crate::segment::{self, Place, Segment, places};

/// Reads a journal from its end to its front.
#[derive(Debug)]
pub struct Backwards<D: Disk> {
    disk: D,
    wanted: Selector,
    /// Those that are to be read, the next one last.
    ahead: Vec<Place>,
    /// The last one of the journal, which may have a torn tail.
    newest: Option<Place>,
    reading: Option<Reading<D::File>>,
    /// All waves from this one on have come, or will not; `None`: it is not known where the journal ends.
    above: Option<u64>,
    /// The least wave that may come.
    lowest: u64,
    /// Taken away on purpose, as far as they are not there.
    removed: Ranges,
    /// Gaps and damage that are to be told next.
    pending: VecDeque<Pending>,
}

/// A segment that is read.
#[derive(Debug)]
struct Reading<F> {
    name: String,
    header: Header,
    file: F,
    outline: Outline,
    /// It was looked through just now, and its damage is told.
    seen: bool,
    /// The blocks that are still to be read.
    blocks: Range<usize>,
    /// The block that is told.
    bytes: Vec<u8>,
    /// Its waves that are still to be told, where they stand in it, the next one last.
    waves: Vec<(u64, Range<usize>)>,
}

#[derive(Debug)]
enum Pending {
    Gap(RangeInclusive<u64>),
    Damage { segment: String, bytes: Range<u64>, torn: bool },
    Unreadable { segment: String, fault: crate::header::HeaderFault },
}

impl Pending {
    fn event(self) -> Event<'static> {
        match self {
            Self::Gap(gap) => Event::Gap(gap),
            Self::Damage { segment, bytes, torn: false } => Event::Damage { segment, bytes },
            Self::Damage { segment, bytes, torn: true } => Event::TornTail { segment, bytes },
            Self::Unreadable { segment, fault } => Event::Unreadable { segment, fault },
        }
    }
}

impl<D: Disk> Backwards<D> {
    /// Reads the waves that a filter takes, from the last one on.
    pub fn new(disk: D, filter: Filter) -> io::Result<Self> {
        Self::of(disk, Selector::new(filter))
    }

    /// Reads only where waves may be that a filter takes, as [`Reader::within`](crate::reader::Reader::within).
    pub fn within(disk: D, filter: Filter) -> io::Result<Self> {
        Self::of(disk, Selector::all_within(filter))
    }

    fn of(disk: D, wanted: Selector) -> io::Result<Self> {
        let filter = wanted.filter();
        let mut ahead = places(&disk)?;
        let newest = ahead.last().cloned();
        let next = filter.after.unwrap_or(0).saturating_add(1);
        ahead.drain(..segment::holding(&ahead, next));
        let lowest = match ahead.first() {
            Some(first) if next == 1 => first.base,
            _ => next,
        };
        let before = filter.before.unwrap_or(u64::MAX);
        // What begins at the end or later, but for the one before it that tells what is missing there.
        let (removed, pending) = (Ranges::default(), VecDeque::new());
        let end = ahead.partition_point(|segment| segment.base < before);
        ahead.truncate(end + 1);
        Ok(Self {
            disk,
            wanted,
            ahead,
            newest,
            reading: None,
            above: None,
            lowest,
            removed,
            pending,
        })
    }

    /// Calls `each` with what comes next, until it breaks or nothing is left.
    pub fn read(&mut self, mut each: impl FnMut(Event<'_>) -> ControlFlow<()>) -> io::Result<()> {
        loop {
            while let Some(pending) = self.pending.pop_front() {
                if each(pending.event()).is_break() {
                    return Ok(());
                }
            }
            let Some(reading) = &mut self.reading else {
                if self.begin()? || !self.pending.is_empty() {
                    continue;
                }
                return Ok(());
            };
            let Some((sequence, _)) = reading.waves.last() else {
                if !reading.load(&mut self.pending)? {
                    self.leave();
                }
                continue;
            };
            let sequence = *sequence;
            if self.above.is_none_or(|above| sequence < above) && sequence >= self.lowest {
                self.descend(sequence.saturating_add(1));
                if !self.pending.is_empty() {
                    continue;
                }
                self.above = Some(sequence);
                if self.tell_wave(&mut each).is_break() {
                    return Ok(());
                }
            } else {
                self.reading.as_mut().and_then(|reading| reading.waves.pop());
            }
        }
    }

    /// Tells the next wave, if it is wanted.
    fn tell_wave(
        &mut self,
        each: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(reading) = &mut self.reading else { return ControlFlow::Continue(()) };
        let Some((_, place)) = reading.waves.pop() else { return ControlFlow::Continue(()) };
        match Record::of(&reading.bytes[place]) {
            Record::Wave(wave) if self.wanted.takes(&wave) => each(Event::Wave(wave)),
            _ => ControlFlow::Continue(()),
        }
    }

    /// All waves from a sequence on have come, or will not: those that should have are to be told, the last ones
    /// first.
    fn descend(&mut self, sequence: u64) {
        if let Some(above) = self.above {
            let (first, end) = (
                sequence.max(self.lowest),
                above.min(self.wanted.filter().before.unwrap_or(u64::MAX)),
            );
            let gaps = self.removed.uncovered(first, end);
            self.pending.extend(gaps.into_iter().rev().map(Pending::Gap));
        }
        self.skip_to(sequence);
    }

    /// The waves from a sequence on have come, or are not wanted.
    fn skip_to(&mut self, sequence: u64) {
        let above = self.above.map_or(sequence, |above| above.min(sequence));
        self.above = Some(above);
        self.removed.forget_from(above);
    }

    /// Begins the segment before; false: there is none.
    fn begin(&mut self) -> io::Result<bool> {
        let Some(place) = self.ahead.pop() else {
            // What is missing before the first wave.
            let lowest = self.lowest;
            if self.above.is_some() {
                self.descend(lowest);
            }
            return Ok(false);
        };
        let segment = match place.clone().open(&self.disk) {
            Ok(segment) => segment,
            Err(error) => return self.look_again(&place, error).map(|()| true),
        };
        let newest = self.newest.as_ref() == Some(&place);
        let void = segment.is_void()?;
        let Segment { name, header, file, .. } = segment;
        match header {
            Ok(header) => {
                let indexed = index::read(&self.disk, &name, &header, &file);
                let seen = indexed.is_none();
                let outline = match indexed {
                    Some(outline) => outline,
                    None => self.look_through(&name, &header, &file, newest)?,
                };
                self.enter(header, file, outline, name, seen);
            }
            Err(fault) if !void => {
                self.pending.push_back(Pending::Unreadable { segment: name, fault });
            }
            Err(_) => {}
        }
        Ok(true)
    }

    /// Reads a segment without an index, for its outline.
    fn look_through(
        &mut self,
        name: &str,
        header: &Header,
        file: &D::File,
        newest: bool,
    ) -> io::Result<Outline> {
        let mut outline = Outline::new(header);
        let mut scan = Scan::new(file, header);
        while let Some(found) = scan.next()? {
            match found {
                Found::Record { offset, record, .. } => {
                    outline.take(offset, &record);
                    if let Record::Wave(Wave { channel, .. }) = record {
                        outline.channels.add(channel);
                    }
                    outline.end = scan.offset();
                }
                Found::Damage(bytes) => {
                    // What it has cost is missing between the records around it.
                    let torn = newest && scan.is_at_end();
                    let segment = name.to_owned();
                    self.pending.push_back(Pending::Damage { segment, bytes, torn });
                }
            }
        }
        Ok(outline)
    }

    /// Begins to read a segment whose outline is known.
    fn enter(&mut self, header: Header, file: D::File, outline: Outline, name: String, seen: bool) {
        outline.removed.iter().for_each(|removed| self.removed.insert(removed.clone()));
        // As far as the segments behind it have not told.
        self.descend(outline.last().saturating_add(1));
        let all = 0..outline.blocks.len();
        // Where something is missing, everything is looked at.
        let blocks = if outline.is_whole() {
            outline.wanted(self.wanted.filter(), self.lowest).unwrap_or(all.end..all.end)
        } else {
            all.clone()
        };
        let first = if blocks.is_empty() { 0 } else { blocks.end };
        self.skip_to(outline.sequence(first));
        let (bytes, waves) = (Vec::new(), Vec::new());
        self.reading = Some(Reading { name, header, file, outline, seen, blocks, bytes, waves });
    }

    /// All that is wanted of a segment has come.
    fn leave(&mut self) {
        if let Some(Reading { outline, blocks, .. }) = self.reading.take() {
            if outline.is_whole() {
                // What should have come of the blocks that were read; the others are not wanted.
                self.descend(outline.sequence(blocks.start));
                self.skip_to(outline.sequence(0));
            }
        }
    }

    /// A segment cannot be opened: if it is gone, it was taken out, or written anew under another name.
    fn look_again(&mut self, gone: &Place, error: io::Error) -> io::Result<()> {
        let mut now = places(&self.disk)?;
        if now.contains(gone) {
            return Err(error);
        }
        // What is read twice comes once.
        now.drain(..segment::holding(&now, self.lowest));
        now.retain(|place| place.base <= gone.base);
        self.ahead = now;
        Ok(())
    }
}

impl<F: Source> Reading<F> {
    /// Reads the block before; false: there is none.
    fn load(&mut self, pending: &mut VecDeque<Pending>) -> io::Result<bool> {
        let Some(block) = self.blocks.next_back() else { return Ok(false) };
        let place = self.outline.bytes(block..block + 1);
        self.bytes.resize((place.end - place.start) as usize, 0);
        let there = fill(&self.file, place.start, &mut self.bytes)?;
        self.bytes.truncate(there);
        let window = Window { start: place.start, bytes: &self.bytes };
        let mut scan = Scan::from(window, &self.header, place.start);
        while let Some(found) = scan.next()? {
            match found {
                Found::Record { offset, record: Record::Wave(Wave { sequence, .. }), .. } => {
                    let at = |offset: u64| (offset - place.start) as usize;
                    self.waves.push((sequence, at(offset)..at(scan.offset())));
                }
                Found::Damage(bytes) if !self.seen => {
                    let segment = self.name.clone();
                    pending.push_back(Pending::Damage { segment, bytes, torn: false });
                }
                Found::Record { .. } | Found::Damage(_) => {}
            }
        }
        Ok(true)
    }
}

/// A part of a file.
struct Window<'a> {
    start: u64,
    bytes: &'a [u8],
}

impl Source for Window<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read_at(offset - self.start, buffer)
    }
}
