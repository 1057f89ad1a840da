//! What is in a journal, and what should be and is not.
//!
//! Contract:
//! - All of every segment is read, and nothing is changed.
//! - Each sequence from the base of the first segment up to the last one that the journal knows of is either the
//!   sequence of a sound wave, or noted as removed or refused, or in a gap.
//! - Bytes that are no record are each in one [`Damage`]. Where they end a segment and no wave is missing behind
//!   them, they are *torn*: a write that was cut off before it was acknowledged, or one that is under way.
//! - Beside a writer, it tells of the segments that were there when it was called.

use std::ops::{Range, RangeInclusive};

use super::ranges::Ranges;
pub use super::summary::Moment;
use super::summary::{Depth, Summary, ends, left_over, opened};
use super::{Failure, Meter, Progress};
use crate::disk::Disk;
use crate::header::HeaderFault;

/// What is in a journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The identity of the journal; `None`: no segment has a sound head.
    pub journal: Option<u64>,
    /// Its segments, in order.
    pub segments: Vec<Part>,
    /// How many sound waves it has.
    pub waves: u64,
    /// How many sound notes of its own.
    pub notes: u64,
    /// How many bytes its segments have.
    pub bytes: u64,
    /// The first wave and the last one.
    pub span: Option<(Moment, Moment)>,
    /// Stretches that are no records.
    pub damage: Vec<Damage>,
    /// Waves that should be there, and cannot be read.
    pub gaps: Vec<RangeInclusive<u64>>,
    /// Waves that were taken out on purpose, or refused when the disk was full.
    pub removed: Vec<RangeInclusive<u64>>,
    /// Waves that stand behind a later one, or a second time: nobody is given them.
    pub repeated: u64,
    /// Files of segments that were written anew, or taken out: they say nothing any more, and the next retention
    /// removes them.
    pub left_over: Vec<String>,
}

/// A segment of a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The name of its file.
    pub name: String,
    /// The least sequence that may stand in it.
    pub base: u64,
    /// Why nothing in it can be read, if so.
    pub fault: Option<HeaderFault>,
    /// Its head says that it belongs to another journal.
    pub foreign: bool,
    /// Whether it says itself that it is complete.
    pub sealed: bool,
    /// How often it was written anew, to take waves out.
    pub rewritten: u32,
    /// How many waves it has.
    pub waves: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// Bytes of a segment that are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The name of the file.
    pub segment: String,
    /// Which bytes.
    pub bytes: Range<u64>,
    /// They end the segment, and no wave is missing.
    pub torn: bool,
}

impl Report {
    /// Whether everything that was acknowledged can be read, as far as the journal can know: what was cut off at
    /// its very end leaves no trace.
    pub fn is_sound(&self) -> bool {
        let heads = self.segments.iter().all(|part| part.fault.is_none() && !part.foreign);
        heads
            && self.gaps.is_empty()
            && self.repeated == 0
            && self.damage.iter().all(|damage| damage.torn)
    }

    /// The torn tail of the journal.
    pub fn torn_tail(&self) -> Option<&Damage> {
        let last = &self.segments.last()?.name;
        self.damage.last().filter(|damage| damage.torn && damage.segment == *last)
    }
}

/// Reads all of a journal, and says what is in it.
pub fn verify<D: Disk>(disk: &D, watch: Progress<'_>) -> Result<Report, Failure> {
    let (segments, bytes) = opened(disk)?;
    let mut meter = Meter::new(bytes, watch);
    let mut summaries = Vec::with_capacity(segments.len());
    for segment in &segments {
        summaries.push(Summary::of(segment, Depth::PLAIN, &mut meter)?);
    }
    meter.end()?;
    Ok(report(&summaries))
}

/// What segments say together.
pub(super) fn report(summaries: &[Summary]) -> Report {
    let (mut current, mut left) = (Vec::with_capacity(summaries.len()), Vec::new());
    for (summary, is_left) in summaries.iter().zip(left_over(summaries)) {
        if is_left {
            left.push(summary.name.clone());
        } else {
            current.push(summary);
        }
    }
    Report { left_over: left, ..told(&current) }
}

fn told(summaries: &[&Summary]) -> Report {
    let journal = summaries.iter().find_map(|summary| Some(summary.header.ok()?.journal));
    let mut report = Report { journal, ..Report::default() };
    let (mut there, mut removed) = (Ranges::default(), Ranges::default());
    // What stands behind a later wave, or behind a seal that says more, nobody is given.
    let (mut reached, mut repeated) = (0, Vec::with_capacity(summaries.len()));
    for summary in summaries {
        let behind = summary.there.within(0..=reached);
        there.add_all(&summary.there.without(&behind));
        removed.add_all(&summary.removed);
        repeated.push(behind.iter().map(|range| range.end() - range.start() + 1).sum::<u64>());
        reached =
            [summary.there.last(), summary.seal].into_iter().flatten().fold(reached, u64::max);
    }
    let end = summaries.iter().map(|summary| summary.end()).max().unwrap_or(0);
    let known =
        summaries.first().map_or(Ranges::default(), |first| (first.base.max(1)..=end).into());
    let gaps = known.without(&there).without(&removed);
    for ((summary, end), behind) in summaries.iter().zip(ends(summaries, end)).zip(repeated) {
        report.segments.extend((!summary.void).then(|| part(summary, journal)));
        report.waves += summary.waves;
        report.notes += summary.notes;
        report.bytes += summary.size;
        report.repeated += summary.repeated;
        report.waves -= behind;
        report.repeated += behind;
        // Not if all of it is repeated.
        if let (Some(first), Some(now)) =
            (summary.first, summary.last.filter(|_| summary.waves > behind))
        {
            report.span = Some((report.span.map_or(first, |(first, _)| first), now));
        }
        let after = summary.there.last().map_or(summary.base, |last| last.saturating_add(1));
        let whole = gaps.within(after..=end).is_empty();
        for bytes in &summary.damage {
            let torn = whole && summary.tail() == Some(bytes);
            let segment = summary.name.clone();
            report.damage.push(Damage { segment, bytes: bytes.clone(), torn });
        }
    }
    report.removed = removed.without(&there).into_vec();
    report.gaps = gaps.into_vec();
    report
}

fn part(summary: &Summary, journal: Option<u64>) -> Part {
    let header = summary.header.ok();
    Part {
        name: summary.name.clone(),
        base: summary.base,
        fault: summary.header.err(),
        foreign: header.is_some_and(|header| Some(header.journal) != journal),
        sealed: summary.seal.is_some(),
        rewritten: header.map_or(0, |header| header.rewritten),
        waves: summary.waves,
        bytes: summary.size,
    }
}
