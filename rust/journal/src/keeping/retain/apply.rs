//! A plan is carried out, or tried without writing anything.
//!
//! ```text
//! write the new file -> sync it -> rename it to its name -> sync the folder     both are there: the new one counts
//!   -> remove an old file -> sync the folder -> remove the next one -> ...
//! ```

use super::plan::{Cut, Plan, Step, Target, Way};
use crate::disk::Disk;
use crate::header::{Header, RECORDS};
use crate::keeping::draft::{self, clear};
use crate::keeping::ranges::Ranges;
use crate::keeping::{Failure, Meter, Progress, fault};
use crate::record::{Encoded, Record, Removed};
use crate::scan::{Found, Scan};
use crate::segment::{self, SUFFIX};

/// What goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Waves.
    pub waves: u64,
    /// Bytes of the files that go; the disk has them back when no reader has those open any more.
    pub freed: u64,
    /// Bytes of the files that come in their place.
    pub written: u64,
    /// Segments that go as a whole.
    pub dropped: u64,
    /// Segments that are written anew.
    pub rewritten: u64,
    /// Segments that are not as they were when the plan was made; they are left alone.
    pub changed: u64,
    /// Waves stay that the rules would take, as a cursor has still to come to them.
    pub held_back: bool,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What went.
    pub outcome: Outcome,
    /// The names of the segments that are no more.
    pub removed: Vec<String>,
    /// The names of those that came in their place.
    pub written: Vec<String>,
}

/// Says exactly what a plan would do. Nothing is written.
pub fn preview<D: Disk>(disk: &D, plan: &Plan, watch: Progress<'_>) -> Result<Outcome, Failure> {
    carry_out(disk, plan, watch, false).map(|applied| applied.outcome)
}

/// Carries a plan out. After an error, the steps before it are done, and those after it not; the one that has failed
/// is done as a whole or not at all. Then a new plan is to be made.
pub fn apply<D: Disk>(disk: &D, plan: &Plan, watch: Progress<'_>) -> Result<Applied, Failure> {
    clear(disk)?;
    remove(disk, &plan.left_over)?;
    let mut applied = carry_out(disk, plan, watch, true)?;
    applied.removed.extend(plan.left_over.iter().cloned());
    Ok(applied)
}

fn carry_out<D: Disk>(
    disk: &D,
    plan: &Plan,
    watch: Progress<'_>,
    write: bool,
) -> Result<Applied, Failure> {
    let targets = plan.steps.iter().flat_map(|step| &step.segments);
    let mut meter = Meter::new(targets.map(|target| target.bytes).sum(), watch);
    let mut applied = Applied::default();
    applied.outcome.held_back = plan.held_back;
    for step in &plan.steps {
        // One after the other, here and below: there may be more than a process may have open.
        let mut there = 0;
        for target in &step.segments {
            there += usize::from(open(disk, target)?.is_some());
        }
        if there < step.segments.len() {
            applied.outcome.changed += step.segments.len() as u64;
            continue;
        }
        let mut anew = Anew::new(disk, step, write)?;
        let waves = match &step.way {
            Way::Drop { removed, end } => {
                drop_all(disk, step, removed, *end, &mut anew, &mut meter)?
            }
            Way::Rewrite(cuts) => {
                let mut rewriting = Rewriting::new(step, cuts, plan.keep_after);
                rewriting.all(disk, step, &mut anew, &mut meter)?;
                applied.outcome.held_back |= rewriting.held_back;
                rewriting.waves
            }
        };
        let merged = matches!(step.way, Way::Drop { .. });
        if waves == 0 && !merged {
            // None of those that the plan has thought of may go.
            continue;
        }
        let outcome = &mut applied.outcome;
        outcome.waves += waves;
        outcome.freed += step.segments.iter().map(|target| target.bytes).sum::<u64>();
        outcome.written += anew.size;
        let changed = step.segments.iter().filter(|target| target.waves > 0).count() as u64;
        *(if merged { &mut outcome.dropped } else { &mut outcome.rewritten }) += changed;
        if let Some(name) = anew.place()? {
            applied.written.push(name);
            let names = step.segments.iter().map(|target| target.name.clone());
            let names: Vec<String> = names.collect();
            remove(disk, &names)?;
            applied.removed.extend(names);
        }
    }
    meter.end()?;
    Ok(applied)
}

/// Opens a segment, if it is still the one that the plan was made for.
fn open<D: Disk>(disk: &D, target: &Target) -> Result<Option<D::File>, Failure> {
    let file = match disk.open(&target.name) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(fault("open", &target.name))?,
    };
    let header = segment::head(&file).map_err(fault("read", &target.name))?;
    Ok((header.ok() == Some(target.header)).then_some(file))
}

/// The same, where it was there just now.
fn still_there<D: Disk>(disk: &D, target: &Target) -> Result<D::File, Failure> {
    let gone = || fault("open", &target.name)(std::io::ErrorKind::NotFound.into());
    open(disk, target)?.ok_or_else(gone)
}

/// Removes segments, with what stands beside them under the same name.
///
/// One after the other, for certain: if it ends in between, the last ones are left. Before them stands the note of what
/// is removed; a reader that begins in one of them comes from there to what stays.
fn remove<D: Disk>(disk: &D, segments: &[String]) -> Result<(), Failure> {
    if segments.is_empty() {
        return Ok(());
    }
    let names = disk.names().map_err(fault("list", "the folder"))?;
    for segment in segments {
        let stem = segment.strip_suffix(SUFFIX).unwrap_or(segment);
        let beside = |name: &&String| {
            name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.')) && *name != segment
        };
        for name in std::iter::once(segment).chain(names.iter().filter(beside)) {
            match disk.remove(name) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(fault("remove", name))?,
            }
        }
        disk.sync().map_err(fault("sync", "the folder"))?;
    }
    Ok(())
}

/// What takes the place of segments, or would.
struct Anew<'d, D: Disk> {
    disk: &'d D,
    /// `None`: it is only measured.
    file: Option<draft::Anew<'d, D>>,
    size: u64,
}

impl<'d, D: Disk> Anew<'d, D> {
    fn new(disk: &'d D, step: &Step, write: bool) -> Result<Self, Failure> {
        let first = step.segments[0].header;
        let same = step.segments.iter().filter(|target| target.header.base == first.base);
        let rewritten = same.clone().map(|target| target.header.rewritten).max().unwrap_or(0);
        let rewritten = rewritten.saturating_add(1);
        let mut identity = draft::identity(disk);
        // Its name comes before theirs: as long as all are there, whoever reads comes to it first, and has nothing
        // to take from the others.
        let begins = |target: &Target| segment::begin(target.header.identity);
        let least = same.map(begins).min().unwrap_or(u32::MAX);
        identity[..4].copy_from_slice(&least.saturating_sub(1).to_be_bytes());
        let header = Header { identity, rewritten, created: disk.now(), ..first };
        let file = if write { Some(draft::Anew::new(disk, &header)?) } else { None };
        Ok(Self { disk, file, size: RECORDS })
    }

    fn put(&mut self, record: &mut Encoded, sequence: u64) -> Result<(), Failure> {
        self.size += record.size() as u64;
        self.file.as_mut().map_or(Ok(()), |file| file.put(record, sequence))
    }

    /// A record as it was found.
    fn copy(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.put(&mut Encoded::found(bytes), Record::place(bytes))
    }

    /// Notes what is removed.
    fn removed(&mut self, removed: &Ranges) -> Result<(), Failure> {
        for range in removed.iter() {
            let (first, last) = range.into_inner();
            self.put(&mut Encoded::removed(Removed { first, last }), first.saturating_sub(1))?;
        }
        Ok(())
    }

    /// Makes it a segment, for certain; gives its name.
    fn place(self) -> Result<Option<String>, Failure> {
        let Some(file) = self.file else { return Ok(None) };
        let name = file.draft.sync()?.place()?;
        self.disk.sync().map_err(fault("sync", "the folder"))?;
        Ok(Some(name))
    }
}

/// All waves go, and of the notes those stay that are the last ones of their cursors.
fn drop_all<D: Disk>(
    disk: &D,
    step: &Step,
    removed: &Ranges,
    end: u64,
    anew: &mut Anew<'_, D>,
    meter: &mut Meter<'_>,
) -> Result<u64, Failure> {
    anew.removed(removed)?;
    let mut waves = 0;
    for target in &step.segments {
        for &offset in &target.notes {
            let mut scan = Scan::from(still_there(disk, target)?, &target.header, offset);
            let found = scan.next().map_err(fault("read", &target.name))?;
            if let Some(Found::Record { bytes, .. }) = found {
                anew.copy(bytes)?;
            }
        }
        waves += target.waves;
        meter.add(target.bytes)?;
    }
    anew.put(&mut Encoded::seal(), end)?;
    Ok(waves)
}

/// Some waves go.
struct Rewriting {
    cuts: Vec<Cut>,
    keep_after: Option<u64>,
    /// What is to be noted as removed before what comes next.
    removed: Ranges,
    /// The last wave that was kept or taken.
    last: u64,
    /// How many were taken.
    waves: u64,
    /// Some were cut, and stay all the same.
    held_back: bool,
}

impl Rewriting {
    fn new(step: &Step, cuts: &[Cut], keep_after: Option<u64>) -> Self {
        let last = step.segments[0].header.base.saturating_sub(1);
        let (cuts, removed) = (cuts.to_vec(), Ranges::default());
        Self { cuts, keep_after, removed, last, waves: 0, held_back: false }
    }

    fn all<D: Disk>(
        &mut self,
        disk: &D,
        step: &Step,
        anew: &mut Anew<'_, D>,
        meter: &mut Meter<'_>,
    ) -> Result<(), Failure> {
        for target in &step.segments {
            let mut scan = Scan::new(still_there(disk, target)?, &target.header);
            let mut before = 0;
            while let Some(found) = scan.next().map_err(fault("read", &target.name))? {
                if let Found::Record { offset, bytes, record } = found {
                    if self.stays(target, offset, bytes, &record) {
                        anew.removed(&std::mem::take(&mut self.removed))?;
                        anew.copy(bytes)?;
                    }
                }
                meter.add(scan.offset() - before)?;
                before = scan.offset();
            }
        }
        anew.removed(&self.removed)?;
        // What was refused behind its last wave may be noted in the next one: it does not say that there is more.
        anew.put(&mut Encoded::seal(), self.last)?;
        Ok(())
    }

    fn stays(&mut self, target: &Target, offset: u64, bytes: &[u8], record: &Record<'_>) -> bool {
        match record {
            Record::Wave(wave) => {
                self.last = self.last.max(wave.sequence);
                let size = bytes.len() as u64;
                // Each of them counts it, whichever takes it.
                let cuts = self.cuts.iter_mut();
                let cut = cuts.fold(false, |cut, next| next.takes(wave, size) | cut);
                let protected =
                    self.keep_after.is_some_and(|keep_after| wave.sequence > keep_after);
                self.held_back |= cut && protected;
                if !cut || protected {
                    return true;
                }
                self.removed.add(wave.sequence..=wave.sequence);
                self.waves += 1;
                false
            }
            Record::Removed(removed) => {
                self.removed.add(removed.range());
                false
            }
            Record::Acknowledged { .. } => target.notes.contains(&offset),
            Record::Seal { sequence } => {
                // There is one at the end.
                self.last = self.last.max(*sequence);
                false
            }
            Record::Unknown { .. } => true,
        }
    }
}
