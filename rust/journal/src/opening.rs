//! Finding out what a journal knows: from its newest snapshot, and of what that does not tell, from the segments.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::disk::{Disk, File};
use crate::header::{HeaderFault, RECORDS};
use crate::known::{Known, Open, Part};
use crate::options::OpenError;
use crate::queue::Queue;
use crate::scan::{Found, Scan};
use crate::segment::{self, Place, Segment, places};
use crate::sync::{Mutex, locked};
use crate::{index, snapshot};

/// What is known of a folder, and the identity of its journal, if it has one.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) journal: Option<u64>,
    pub(crate) known: Known,
    /// Segments whose records are known from the first one on.
    pub(crate) read: Vec<Open>,
    /// There was something that the snapshot did not tell.
    pub(crate) has_read: bool,
    /// The base of the last segment, and the beginning of its identity.
    begun: (u64, u32),
}

/// Looks at a folder.
pub(crate) fn opened<D: Disk>(disk: &D) -> Result<Opened, OpenError> {
    let (journal, known) = snapshot::newest(disk)?.unzip();
    let known = known.unwrap_or_default();
    let last = known.last;
    let mut opened = Opened::new(journal, known);
    if !opened.catch_up(disk)? {
        // Retention was cut off, and what it takes the place of is there too; or the last wave of a channel was taken
        // out, and not the one before. Then nobody knows but the segments; no sequence is given twice all the same.
        opened = Opened::new(journal, Known { last, ..Known::default() });
        opened.catch_up(disk)?;
    }
    Ok(opened)
}

/// Looks at the segments that are not known by their names and do not begin after a sequence: those that were
/// written anew. They are added to what is known, and what is not there any more is forgotten; after an error, nothing
/// is, and it can be asked for again.
pub(crate) fn refreshed<D: Disk>(disk: &D, known: &Mutex<Known>) -> Result<(), OpenError> {
    let (names, last) = {
        let known = locked(known);
        let names: HashSet<String> = known.parts.values().map(Part::name).collect();
        (names, known.last)
    };
    // What begins later was begun meanwhile, and is told by who writes it.
    let mut places = places(disk)?;
    places.retain(|place| place.base <= last);
    let mut fresh = looked_at(disk, &places, |place| !names.contains(&place.name))?;
    let there: HashSet<&str> = places.iter().map(|place| place.name.as_str()).collect();
    let is_there = |part: &Part| part.base > last || there.contains(part.name().as_str());
    let (unsure, open) = {
        let known = locked(known);
        let gone = known.gone(is_there);
        let trusted = known.parts.iter().filter(|(number, _)| !gone.contains_key(number));
        let trusted: Vec<Part> = trusted.map(|(_, part)| part.clone()).collect();
        let open = known.open.as_ref().and_then(|open| known.parts.get(&open.part));
        (fresh.known.may_be_earlier(&known.dropped(&gone), &trusted), open.map(Part::name))
    };
    let mut all = None;
    if unsure {
        // The last wave of a channel was taken out, and not the one before: it is looked for.
        let complete = |place: &Place| Some(&place.name) != open.as_ref();
        all = Some(looked_at(disk, &places, complete)?.known);
    }
    let mut known = locked(known);
    known.retain(is_there);
    known.merge(std::mem::take(&mut fresh.known));
    if let Some(all) = all {
        let again: HashSet<String> = all.parts.values().map(Part::name).collect();
        known.retain(|part| !again.contains(&part.name()));
        known.merge(all);
    }
    drop(known);
    for Open { base, outline, .. } in fresh.read.iter().filter(|open| open.outline.is_whole()) {
        // They can be done without.
        drop(index::write(disk, &segment::name_of(*base, outline.identity), outline));
    }
    drop(index::clean(disk));
    Ok(())
}

/// What is in some segments. Those that are gone meanwhile are left out.
fn looked_at<D: Disk>(
    disk: &D,
    places: &[Place],
    mut which: impl FnMut(&Place) -> bool,
) -> Result<Opened, OpenError> {
    let mut looked = Opened::new(None, Known::default());
    for place in places.iter().filter(|place| which(place)) {
        match place.clone().open(disk) {
            Ok(segment) => looked.read(segment, 0)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(looked)
}

impl Opened {
    fn new(journal: Option<u64>, known: Known) -> Self {
        Self { journal, known, read: Vec::new(), has_read: false, begun: (0, 0) }
    }

    /// Reads what is not known yet, and forgets what is not there any more. False: what is known is not to be
    /// trusted.
    fn catch_up<D: Disk>(&mut self, disk: &D) -> Result<bool, OpenError> {
        let mut places = places(disk)?;
        let names: HashSet<&str> = places.iter().map(|place| place.name.as_str()).collect();
        let mut dropped = self.known.retain(|part| names.contains(part.name().as_str()));
        dropped.append(&mut self.go_on(disk)?);
        let trusted: Vec<Part> = self.known.parts.values().cloned().collect();
        let known = self.known.parts.values().map(|part| (part.name(), part.last));
        let known: HashMap<String, u64> = known.collect();
        let mut reached = 0;
        places.reverse();
        while let Some(place) = places.pop() {
            let (base, begun) = (place.base, place.begins());
            if let Some(last) = known.get(&place.name) {
                reached = reached.max(*last);
            } else {
                let segment = place.open(disk)?;
                // The power went when it was made. If it cannot be removed, it stays.
                let void = segment.file.size()? <= RECORDS;
                if void && disk.remove(&segment.name).is_ok() {
                    continue;
                }
                // Of two segments that tell of the same waves, the first counts.
                self.read(segment, reached)?;
                let read = self.known.parts.last_key_value().filter(|(_, part)| part.base == base);
                reached = reached.max(read.map_or(0, |(_, part)| part.last));
                let after =
                    |place: &Place| place.base <= reached && known.contains_key(&place.name);
                if places.iter().any(after) {
                    return Ok(false);
                }
            }
            self.begun = begun;
        }
        Ok(!self.known.may_be_earlier(&dropped, &trusted))
    }

    /// To go on behind all that is there. Of two segments with one base, the later has the greater name.
    pub(crate) fn queue(&self, journal: u64, segment_bytes: u64) -> Queue {
        let mut queue = Queue::new(journal, segment_bytes, self.known.last);
        queue.goes_on_after(self.begun);
        queue
    }

    /// The segment that was written when the snapshot was made: it may have more, or less.
    fn go_on<D: Disk>(&mut self, disk: &D) -> Result<Vec<(Box<str>, u64)>, OpenError> {
        // The one that was begun last: there is none behind it that could have been written.
        let begun = |part: &Part| (part.base, segment::begin(part.identity));
        let newest = self.known.parts.iter().max_by_key(|(_, part)| begun(part));
        let Some((&number, part)) = newest else { return Ok(Vec::new()) };
        let mut dropped = Vec::new();
        let part = part.clone();
        let segment = Place { base: part.base, name: part.name() }.open(disk)?;
        let size = segment.file.size()?;
        let known = segment.header.is_ok_and(|header| header.identity == part.identity);
        let open = self.known.open.as_ref().is_some_and(|open| open.part == number);
        if !known || size < part.size || (size > part.size && !open) {
            // It is looked at from its front, as one that is not known.
            dropped = self.known.retain(|other| other.identity != part.identity);
        } else if size > part.size {
            self.scan(&segment, part.end, size)?;
        }
        // What comes next begins a segment.
        self.close();
        Ok(dropped)
    }

    /// Reads a segment from its front. Its waves up to a sequence are told by others.
    fn read<F: File>(&mut self, segment: Segment<F>, reached: u64) -> Result<(), OpenError> {
        let size = segment.file.size()?;
        match segment.header {
            Ok(header) => {
                self.journal = self.journal.or(Some(header.journal));
                self.known.begin(&header);
                self.known.told = reached;
                self.scan(&segment, RECORDS, size)?;
                self.close();
            }
            Err(fault @ HeaderFault::Version(_)) => {
                return Err(OpenError::Newer { segment: segment.name, fault });
            }
            Err(HeaderFault::Damaged) => {
                self.known.last = self.known.last.max(segment.last_that_fits()?);
            }
        }
        Ok(())
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
        self.known.told = 0;
        self.read.extend(self.known.open.take());
    }
}
