//! What one segment holds, found by reading all of it once.

use std::collections::BTreeMap;
use std::ops::Range;

use super::ranges::Ranges;
use super::{Failure, Meter, fault};
use crate::disk::{Disk, File};
use crate::header::{Header, HeaderFault, RECORDS};
use crate::record::Record;
use crate::scan::{Found, Scan};
use crate::segment::{Segment, segments};

/// A wave's place in the order, and in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Its sequence.
    pub sequence: u64,
    /// When it was made, in Unix seconds.
    pub time: f64,
}

/// What one segment holds.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) name: String,
    pub(crate) base: u64,
    pub(crate) header: Result<Header, HeaderFault>,
    /// It has neither head nor records, and never had.
    pub(crate) void: bool,
    /// The last byte that was read, and the last one of a sound record.
    pub(crate) size: u64,
    pub(crate) sound: u64,
    pub(crate) waves: u64,
    pub(crate) notes: u64,
    /// The sequences of its waves, and those that its notes say were taken out or refused.
    pub(crate) there: Ranges,
    pub(crate) removed: Ranges,
    /// Waves whose sequence does not come after that of the wave before; they are not counted as waves.
    pub(crate) repeated: u64,
    pub(crate) damage: Vec<Range<u64>>,
    pub(crate) seal: Option<u64>,
    pub(crate) first: Option<Moment>,
    pub(crate) last: Option<Moment>,
    /// By channel, where it was asked for.
    pub(crate) channels: BTreeMap<Box<str>, Held>,
    /// Where the last note of each cursor stands.
    pub(crate) cursors: BTreeMap<Box<str>, u64>,
}

/// What a segment holds of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) waves: u64,
    pub(crate) bytes: u64,
    pub(crate) oldest: f64,
    /// Infinite if a wave has no time.
    pub(crate) newest: f64,
}

/// How much of a segment is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depth {
    /// Waves after this one do not count yet.
    pub(crate) safe: u64,
    /// Whether channels are told apart.
    pub(crate) channels: bool,
}

impl Depth {
    /// All waves, whatever their channels are.
    pub(crate) const PLAIN: Self = Self { safe: u64::MAX, channels: false };
}

impl Summary {
    /// Reads all of a segment.
    pub(crate) fn of<F: File>(
        segment: &Segment<F>,
        depth: Depth,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Failure> {
        let mut summary = Self::empty(segment)?;
        let Ok(header) = &segment.header else {
            meter.add(summary.size)?;
            return Ok(summary);
        };
        let mut scan = Scan::new(&segment.file, header);
        let mut before = RECORDS;
        meter.add(RECORDS)?;
        loop {
            match scan.next().map_err(fault("read", &segment.name))? {
                Some(Found::Record { offset, bytes, record }) => {
                    summary.sound = offset + bytes.len() as u64;
                    summary.take(offset, bytes.len() as u64, &record, depth);
                }
                Some(Found::Damage(range)) => summary.damage.push(range),
                None => break,
            }
            meter.add(scan.offset() - before)?;
            before = scan.offset();
        }
        summary.size = before;
        Ok(summary)
    }

    fn empty<F: File>(segment: &Segment<F>) -> Result<Self, Failure> {
        let size = segment.file.size().map_err(fault("measure", &segment.name))?;
        Ok(Self {
            name: segment.name.clone(),
            base: segment.base,
            header: segment.header,
            void: segment.header.is_err() && size <= RECORDS,
            size,
            sound: RECORDS.min(size),
            waves: 0,
            notes: 0,
            there: Ranges::default(),
            removed: Ranges::default(),
            repeated: 0,
            damage: Vec::new(),
            seal: None,
            first: None,
            last: None,
            channels: BTreeMap::new(),
            cursors: BTreeMap::new(),
        })
    }

    fn take(&mut self, offset: u64, bytes: u64, record: &Record<'_>, depth: Depth) {
        let wave = match record {
            Record::Wave(wave) => wave,
            note => {
                self.notes += 1;
                match *note {
                    Record::Removed(removed) => self.removed.add(removed.range()),
                    Record::Seal { sequence } => self.seal = Some(sequence),
                    Record::Acknowledged { cursor, .. } => {
                        self.cursors.insert(cursor.into(), offset);
                    }
                    Record::Wave(_) | Record::Unknown { .. } => {}
                }
                return;
            }
        };
        if wave.sequence > depth.safe {
            return;
        }
        if self.last.is_some_and(|last| wave.sequence <= last.sequence) {
            self.repeated += 1;
            return;
        }
        let moment = Moment { sequence: wave.sequence, time: wave.time };
        self.waves += 1;
        self.there.add(wave.sequence..=wave.sequence);
        self.first.get_or_insert(moment);
        self.last = Some(moment);
        if !depth.channels {
            return;
        }
        if !self.channels.contains_key(wave.channel) {
            self.channels.insert(wave.channel.into(), Held::default());
        }
        if let Some(held) = self.channels.get_mut(wave.channel) {
            held.waves += 1;
            held.bytes += bytes;
            // What has no time is never old.
            let newest = if wave.time.is_nan() { f64::INFINITY } else { wave.time };
            held.oldest = held.oldest.min(wave.time);
            held.newest = held.newest.max(newest);
        }
    }

    /// Whether it ends with bytes that are no record.
    pub(crate) fn tail(&self) -> Option<&Range<u64>> {
        self.damage.last().filter(|range| range.start == self.sound)
    }

    /// The last sequence that was given in it, as far as it says so itself.
    pub(crate) fn end(&self) -> u64 {
        let before = self.base.saturating_sub(1);
        [self.there.last(), self.removed.last(), self.seal]
            .into_iter()
            .flatten()
            .fold(before, u64::max)
    }
}

impl Default for Held {
    fn default() -> Self {
        Self { waves: 0, bytes: 0, oldest: f64::INFINITY, newest: f64::NEG_INFINITY }
    }
}

/// Segments, and how many bytes they have together.
type Opened<F> = (Vec<Segment<F>>, u64);

/// The segments of a folder.
pub(crate) fn opened<D: Disk>(disk: &D) -> Result<Opened<D::File>, Failure> {
    let segments = segments(disk).map_err(fault("list", "the folder"))?;
    let mut bytes = 0;
    for segment in &segments {
        bytes += segment.file.size().map_err(fault("measure", &segment.name))?;
    }
    Ok((segments, bytes))
}

/// Of segments with these bases, those below this one are complete: nothing is written to them any more.
///
/// A later one is there, and a wave that may stand in it is committed. One that is there without that may be taken
/// back, when the disk is full, and the one before gone on with.
pub(crate) fn complete_below(bases: impl Iterator<Item = u64>, safe: u64) -> u64 {
    bases.filter(|base| *base <= safe).max().unwrap_or(0)
}

/// Those that were written anew, and whose old files are still there: the process ended in between.
///
/// Of several of the same base, what was written anew most often was written from the others.
pub(crate) fn is_left_over(one: &Summary, all: &[impl std::borrow::Borrow<Summary>]) -> bool {
    let Ok(header) = one.header else { return false };
    let anew = |other: &Summary| {
        let rewritten = other.header.is_ok_and(|other| other.rewritten > header.rewritten);
        rewritten && other.base == one.base && other.seal.is_some() && other.damage.is_empty()
    };
    all.iter().any(|other| anew(other.borrow()))
}

/// Which of them say nothing any more: those, and those of which all was noted as removed, but the files are still
/// there.
pub(crate) fn left_over(all: &[Summary]) -> Vec<bool> {
    let mut removed = Ranges::default();
    let left_over = |one: &Summary| {
        let gone = !one.there.is_empty() && one.there.without(&removed).is_empty();
        removed.add_all(&one.removed);
        gone || is_left_over(one, all)
    };
    all.iter().map(left_over).collect()
}

/// The last sequence that belongs to each segment: those up to where the next one begins; for the last, up to `last`.
///
/// Of several of the same base, one has the waves, and all of that goes with it.
pub(crate) fn ends(segments: &[&Summary], last: u64) -> Vec<u64> {
    let mut ends = Vec::with_capacity(segments.len());
    for same in segments.chunk_by(|one, other| one.base == other.base) {
        let next = segments.get(ends.len() + same.len()).map(|next| next.base.saturating_sub(1));
        let whole = next.unwrap_or(last);
        let own = (0..same.len()).max_by_key(|at| same[*at].end());
        let end = |(at, summary): (usize, &&Summary)| {
            if Some(at) == own { whole } else { summary.end().min(whole) }
        };
        ends.extend(same.iter().enumerate().map(end));
    }
    ends
}
