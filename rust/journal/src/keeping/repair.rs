//! A sound copy of a journal that was damaged.
//!
//! Contract:
//! - The original is read, and never changed.
//! - The copy has every sound wave and note of the original with its sequence, each once, in order. It has an
//!   identity of its own, as a journal and in each segment: it is another journal.
//! - Nothing is glossed over: what was missing in the original is missing in the copy, and whoever reads it is told of
//!   the same gaps. Only bytes that are no record are left out. A segment of which nothing can be read is there in
//!   the copy, empty, so that its waves are a gap there too, and their sequences are given to no others.
//! - Where both copies of a head are damaged, the identity of the segment may still be whole in one of them: if sound
//!   records are found by it, they are taken.

use std::iter;

use super::draft::{Anew, Copy, identity};
use super::ranges::Ranges;
use super::summary::{Depth, Summary, ends, left_over, opened};
use super::verify::{Report, report};
use super::{Failure, Meter, Progress, fault};
use crate::disk::{Disk, File};
use crate::header::{Header, HeaderFault};
use crate::record::{Encoded, Record};
use crate::scan::{Found, Scan, fill};
use crate::segment::{self, Segment};

/// What a copy has, and of what.
#[derive(Clone, Debug, PartialEq)]
pub struct Repaired {
    /// What was found in the original, with the segments that were read by what is left of their heads.
    pub found: Report,
    /// The names of those segments.
    pub recovered: Vec<String>,
    /// How many waves the copy has.
    pub waves: u64,
    /// How many notes.
    pub notes: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// Writes a sound copy of a journal into an empty folder.
pub fn repair<D: Disk, E: Disk>(
    from: &D,
    into: &E,
    watch: Progress<'_>,
) -> Result<Repaired, Failure> {
    let mut copy = Copy::new(into)?;
    let (mut segments, bytes) = opened(from)?;
    // Each is read twice: to know what is there, and to copy it.
    let mut meter = Meter::new(2 * bytes, watch);
    let (mut recovered, mut summaries) = (Vec::new(), Vec::new());
    let known = segments.iter().find_map(|segment| Some(segment.header.ok()?.journal));
    for segment in &mut segments {
        if let Err(fault @ HeaderFault::Version(_)) = segment.header {
            return Err(Failure::Newer { segment: segment.name.clone(), fault });
        }
        if segment.header.is_err() {
            if let Some(header) = recover(segment)? {
                segment.header = Ok(Header { journal: known.unwrap_or(header.journal), ..header });
                recovered.push(segment.name.clone());
            }
        }
        summaries.push(Summary::of(segment, Depth::PLAIN, &mut meter)?);
    }
    let found = report(&summaries);
    let mut repaired = Repaired { found, recovered, waves: 0, notes: 0, bytes: 0 };
    let mut end = summaries.iter().map(Summary::end).max().unwrap_or(0);
    if let Some(last) = segments.last().filter(|last| last.header.is_err()) {
        // As many as may have been given in it: a journal that is gone on with sees it so too.
        end = end.max(last.last_that_fits().map_err(fault("measure", &last.name))?);
    }
    let ends = ends(&summaries.iter().collect::<Vec<_>>(), end);
    let mut removed = Ranges::default();
    for summary in &summaries {
        removed.add_all(&summary.removed);
    }
    let journal = into.random();
    let (mut last, mut begun) = (0, (0, 0));
    let left_over = left_over(&summaries);
    let all = segments.iter().zip(&summaries).zip(left_over).zip(ends);
    for (at, (((segment, summary), left_over), end)) in all.enumerate() {
        // What was refused may be noted in the next one: it is not missing.
        let missing = Ranges::from(segment.base.max(1)..=end).without(&removed);
        let nothing = summary.void && missing.is_empty();
        if nothing || left_over {
            continue;
        }
        let mut header = Header {
            identity: identity(into),
            journal,
            base: segment.base,
            rewritten: segment.header.map_or(0, |header| header.rewritten),
            created: segment.header.map_or(into.now(), |header| header.created),
        };
        segment::after(&mut begun, &mut header);
        let mut anew = Anew::new(into, &header)?;
        copy_records(segment, &mut anew, &mut last, &mut repaired, &mut meter)?;
        if segment.header.is_err() {
            let empty = segment.base.saturating_sub(1);
            // Nobody is given what stands behind a seal that says more: what comes out of its place is not behind it.
            let to_come =
                summaries[at + 1..].iter().filter_map(|next| next.there.after(last)).min();
            let reached =
                missing.last().unwrap_or(empty).min(to_come.map_or(u64::MAX, |next| next - 1));
            if reached >= empty {
                anew.put(&mut Encoded::seal(), reached)?;
                repaired.notes += 1;
            }
        }
        repaired.bytes += anew.draft.size();
        copy.add(anew.draft)?;
    }
    meter.end()?;
    copy.finish()?;
    Ok(repaired)
}

fn copy_records<F: File, E: Disk>(
    segment: &Segment<F>,
    anew: &mut Anew<'_, E>,
    last: &mut u64,
    repaired: &mut Repaired,
    meter: &mut Meter<'_>,
) -> Result<(), Failure> {
    let Ok(header) = &segment.header else { return Ok(()) };
    let mut scan = Scan::new(&segment.file, header);
    let mut before = 0;
    while let Some(found) = scan.next().map_err(fault("read", &segment.name))? {
        if let Found::Record { bytes, record, .. } = found {
            let wave = matches!(record, Record::Wave(_));
            let sequence = Record::place(bytes);
            // None is there twice, nor behind a later one.
            if !wave || sequence > *last {
                anew.put(&mut Encoded::found(bytes), sequence)?;
                if wave {
                    (*last, repaired.waves) = (sequence, repaired.waves + 1);
                } else {
                    repaired.notes += 1;
                }
            }
        }
        meter.add(scan.offset() - before)?;
        before = scan.offset();
    }
    Ok(())
}

/// The head of a segment both of whose copies are damaged, if the identity in one of them shows sound records.
fn recover<F: File>(segment: &Segment<F>) -> Result<Option<Header>, Failure> {
    let mut bytes = [0; 128];
    let there = fill(&segment.file, 0, &mut bytes).map_err(fault("read", &segment.name))?;
    for header in Header::guesses(&bytes[..there], segment.base) {
        let mut scan = Scan::new(&segment.file, &header);
        let founds = iter::from_fn(|| match scan.next() {
            Ok(Some(Found::Record { .. })) => Some(Ok(true)),
            Ok(Some(Found::Damage(_))) => Some(Ok(false)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        });
        // A record may be found by chance in one of 2^64 places: one is enough.
        for found in founds {
            if found.map_err(fault("read", &segment.name))? {
                return Ok(Some(header));
            }
        }
    }
    Ok(None)
}
