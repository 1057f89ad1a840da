//! A copy of a journal while it is written.
//!
//! Contract:
//! - The copy has every wave that was committed when it was begun, and is the same journal: with the same identities,
//!   and the same bytes in its segments. What is damaged stays so.
//! - Of the segments that may still be written, it has everything up to the last sound record, or up to the wave
//!   `safe`, if it is given; and nothing of what comes later.
//! - The others are copied, or given a second name where that was asked for and the file systems can: then the copy
//!   takes no room, and nothing that is done to the journal later changes it, as no complete segment is ever written
//!   to; but bytes that the disk itself loses are lost to both.
//! - Without `safe`, which only the process that writes it knows, no segment is given a second name, and the copy may
//!   end with waves that are refused later.

use super::draft::{Copy, Draft};
use super::summary::{complete_below, opened};
use super::{Failure, Meter, Progress, fault};
use crate::disk::{Disk, File};
use crate::header::RECORDS;
use crate::record::Record;
use crate::scan::{Found, Scan};
use crate::segment::{Segment, head};

/// How a journal is copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// All waves up to this one are committed or refused, as the journal said before.
    pub safe: Option<u64>,
    /// Whether complete segments are given a second name, where that can be.
    pub link: bool,
}

/// What a copy has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// How many segments.
    pub segments: u64,
    /// How many of those are files of the journal itself.
    pub linked: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// Copies a journal into an empty folder.
pub fn backup<D: Disk>(
    from: &D,
    into: &D,
    options: Options,
    watch: Progress<'_>,
) -> Result<Copied, Failure> {
    let mut copy = Copy::new(into)?;
    let (segments, bytes) = opened(from)?;
    let mut meter = Meter::new(bytes, watch);
    let mut copied = Copied::default();
    let newest = segments.iter().map(|segment| segment.base).max();
    let bases = segments.iter().map(|segment| segment.base);
    let complete = options.safe.map_or(0, |safe| complete_below(bases, safe));
    // Those that were begun since are none of it.
    let last = options.safe.map_or(u64::MAX, |safe| safe.saturating_add(1));
    for segment in segments.iter().filter(|segment| segment.base <= last) {
        let complete = segment.base < complete;
        let size = segment.file.size().map_err(fault("measure", &segment.name))?;
        copied.segments += 1;
        if complete && options.link {
            let linked = from.link(&segment.name, into).map_err(fault("link", &segment.name))?;
            if linked {
                copy.has(&segment.name);
                copied.linked += 1;
                copied.bytes += size;
                meter.add(size)?;
                continue;
            }
        }
        let whole = complete || (options.safe.is_none() && Some(segment.base) < newest);
        let end = if whole { size } else { sound_end(segment, options.safe)? };
        let mut draft = Draft::new(into, &segment.name)?;
        copy_bytes(segment, end, &mut draft, &mut meter)?;
        copied.bytes += draft.size();
        copy.add(draft)?;
    }
    meter.end()?;
    copy.finish()?;
    Ok(copied)
}

/// Up to where a segment that may be written is copied.
fn sound_end<F: File>(segment: &Segment<F>, safe: Option<u64>) -> Result<u64, Failure> {
    // One that was just being made when it was opened may have its head by now.
    let header = segment.header.or(head(&segment.file).map_err(fault("read", &segment.name))?);
    let Ok(header) = header else {
        let size = segment.file.size().map_err(fault("measure", &segment.name))?;
        let fresh = safe.is_some_and(|safe| segment.base > safe);
        return Ok(if fresh { size.min(RECORDS) } else { size });
    };
    let mut scan = Scan::new(&segment.file, &header);
    let mut end = RECORDS;
    while let Some(found) = scan.next().map_err(fault("read", &segment.name))? {
        if let Found::Record { offset, bytes, record } = found {
            let wave = matches!(record, Record::Wave(_));
            if wave && safe.is_some_and(|safe| Record::place(bytes) > safe) {
                break;
            }
            end = offset + bytes.len() as u64;
        }
    }
    Ok(end)
}

fn copy_bytes<F: File, D: Disk>(
    segment: &Segment<F>,
    end: u64,
    draft: &mut Draft<'_, D>,
    meter: &mut Meter<'_>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 256 * 1024];
    let mut offset = 0;
    loop {
        let most = buffer.len().min((end - offset) as usize);
        let read = segment.file.read_at(offset, &mut buffer[..most]);
        let count = read.map_err(fault("read", &segment.name))?;
        if count == 0 {
            break;
        }
        draft.put(&buffer[..count])?;
        offset += count as u64;
        meter.add(count as u64)?;
    }
    Ok(())
}
