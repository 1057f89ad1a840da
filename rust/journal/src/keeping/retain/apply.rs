//! A plan is carried out, or tried without writing anything.

use super::plan::{Cut, Plan, Step, Target};
use crate::disk::Disk;
use crate::header::{Header, RECORDS};
use crate::keeping::draft::{self, clear};
use crate::keeping::ranges::Ranges;
use crate::keeping::{Failure, Meter, Progress, fault};
use crate::record::{Encoded, Record, Removed};
use crate::scan::{Found, Scan};

/// What went, or would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Waves.
    pub waves: u64,
    /// Bytes of the disk that are free again when no reader has the old files open any more.
    pub bytes: u64,
    /// Segments that went as a whole.
    pub dropped: u64,
    /// Segments that were written anew.
    pub rewritten: u64,
    /// Segments that were not as they were when the plan was made; they were left alone.
    pub changed: u64,
}

/// Says exactly what a plan would do. Nothing is written.
pub fn preview<D: Disk>(disk: &D, plan: &Plan, watch: Progress<'_>) -> Result<Outcome, Failure> {
    carry_out(disk, plan, watch, false)
}

/// Carries a plan out. After an error, the steps before it are done, and those after it not; the one that has failed
/// is done as a whole or not at all. Then a new plan is to be made.
pub fn apply<D: Disk>(disk: &D, plan: &Plan, watch: Progress<'_>) -> Result<Outcome, Failure> {
    clear(disk)?;
    carry_out(disk, plan, watch, true)
}

fn carry_out<D: Disk>(
    disk: &D,
    plan: &Plan,
    watch: Progress<'_>,
    write: bool,
) -> Result<Outcome, Failure> {
    let sizes = plan.steps.iter().map(|step| match step {
        Step::Drop { segments, .. } => segments.iter().map(|segment| segment.bytes).sum(),
        Step::Rewrite { segment, .. } => segment.bytes,
    });
    let mut meter = Meter::new(sizes.sum(), watch);
    let mut outcome = Outcome::default();
    for step in &plan.steps {
        match step {
            Step::Drop { segments, removed, end } => {
                let gone = Gone { segments, removed, end: *end };
                gone.carry_out(disk, write, &mut outcome, &mut meter)?;
            }
            Step::Rewrite { segment, cuts } => {
                let anew = Rewriting::new(segment, cuts, plan.keep_after);
                anew.carry_out(disk, write, &mut outcome, &mut meter)?;
            }
        }
    }
    meter.end()?;
    Ok(outcome)
}

/// Opens a segment, if it is still the one that the plan was made for.
fn open<D: Disk>(disk: &D, target: &Target) -> Result<Option<D::File>, Failure> {
    let file = match disk.open(&target.name) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(fault("open", &target.name))?,
    };
    let header = crate::segment::head(&file).map_err(fault("read", &target.name))?;
    Ok((header.ok() == Some(target.header)).then_some(file))
}

/// What takes the place of a segment, or would.
struct Anew<'d, D: Disk> {
    disk: &'d D,
    /// `None`: it is only measured.
    file: Option<draft::Anew<'d, D>>,
    size: u64,
}

impl<'d, D: Disk> Anew<'d, D> {
    fn new(disk: &'d D, target: &Target, write: bool) -> Result<Self, Failure> {
        let rewritten = target.header.rewritten.saturating_add(1);
        let identity = draft::identity(disk);
        let header = Header { identity, rewritten, created: disk.now(), ..target.header };
        let file =
            if write { Some(draft::Anew::new(disk, Some(&target.name), &header)?) } else { None };
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

    /// Puts it in its place, for certain.
    fn replace(self) -> Result<(), Failure> {
        let Some(file) = self.file else { return Ok(()) };
        file.draft.sync()?.place()?;
        self.disk.sync().map_err(fault("sync", "the folder"))
    }
}

/// Segments that go as a whole.
struct Gone<'a> {
    segments: &'a [Target],
    removed: &'a Ranges,
    end: u64,
}

impl Gone<'_> {
    fn carry_out<D: Disk>(
        &self,
        disk: &D,
        write: bool,
        outcome: &mut Outcome,
        meter: &mut Meter<'_>,
    ) -> Result<(), Failure> {
        let Some((first, others)) = self.segments.split_first() else { return Ok(()) };
        let mut anew = Anew::new(disk, first, write)?;
        anew.removed(self.removed)?;
        for segment in self.segments {
            let Some(file) = open(disk, segment)? else {
                outcome.changed += self.segments.len() as u64;
                return Ok(());
            };
            // What stays of it: the notes that are the last ones of their cursors.
            for &offset in &segment.notes {
                let mut scan = Scan::from(&file, &segment.header, offset);
                let found = scan.next().map_err(fault("read", &segment.name))?;
                if let Some(Found::Record { bytes, .. }) = found {
                    anew.copy(bytes)?;
                }
            }
        }
        anew.put(&mut Encoded::seal(), self.end)?;
        let left = anew.size;
        anew.replace()?;
        if write && !others.is_empty() {
            for segment in others {
                disk.remove(&segment.name).map_err(fault("remove", &segment.name))?;
            }
            disk.sync().map_err(fault("sync", "the folder"))?;
        }
        let mut bytes = 0;
        for segment in self.segments {
            outcome.waves += segment.waves;
            outcome.dropped += u64::from(segment.waves > 0);
            bytes += segment.bytes;
            meter.add(segment.bytes)?;
        }
        outcome.bytes += bytes.saturating_sub(left);
        Ok(())
    }
}

/// A segment that is written anew.
struct Rewriting<'a> {
    segment: &'a Target,
    cuts: Vec<Cut>,
    keep_after: Option<u64>,
    /// What is to be noted as removed before what comes next.
    removed: Ranges,
    /// The last wave that was kept or taken.
    last: u64,
    /// How many were taken.
    waves: u64,
    sealed: bool,
}

impl<'a> Rewriting<'a> {
    fn new(segment: &'a Target, cuts: &[Cut], keep_after: Option<u64>) -> Self {
        let last = segment.header.base.saturating_sub(1);
        let (cuts, removed) = (cuts.to_vec(), Ranges::default());
        Self { segment, cuts, keep_after, removed, last, waves: 0, sealed: false }
    }

    fn carry_out<D: Disk>(
        mut self,
        disk: &D,
        write: bool,
        outcome: &mut Outcome,
        meter: &mut Meter<'_>,
    ) -> Result<(), Failure> {
        let Some(file) = open(disk, self.segment)? else {
            outcome.changed += 1;
            return Ok(());
        };
        let mut anew = Anew::new(disk, self.segment, write)?;
        let mut scan = Scan::new(&file, &self.segment.header);
        let mut before = 0;
        while let Some(found) = scan.next().map_err(fault("read", &self.segment.name))? {
            if let Found::Record { offset, bytes, record } = found {
                if self.stays(offset, bytes, &record) {
                    anew.removed(&std::mem::take(&mut self.removed))?;
                    anew.copy(bytes)?;
                }
            }
            meter.add(scan.offset() - before)?;
            before = scan.offset();
        }
        if self.waves == 0 {
            // None of those that the plan has thought of may go.
            return Ok(());
        }
        anew.removed(&self.removed)?;
        if !self.sealed {
            // What was refused behind it may be noted in the next one: it does not say that there is more.
            anew.put(&mut Encoded::seal(), self.last)?;
        }
        outcome.waves += self.waves;
        outcome.rewritten += 1;
        outcome.bytes += self.segment.bytes.saturating_sub(anew.size);
        anew.replace()
    }

    fn stays(&mut self, offset: u64, bytes: &[u8], record: &Record<'_>) -> bool {
        match record {
            Record::Wave(wave) if wave.sequence > self.last => {
                self.last = wave.sequence;
                let size = bytes.len() as u64;
                // Each of them counts it, whichever takes it.
                let cuts = self.cuts.iter_mut();
                let cut = cuts.fold(false, |cut, next| next.takes(wave, size) | cut);
                if !cut || self.keep_after.is_some_and(|keep_after| wave.sequence > keep_after) {
                    return true;
                }
                self.removed.add(wave.sequence..=wave.sequence);
                self.waves += 1;
                false
            }
            // A second time.
            Record::Wave(_) => false,
            Record::Removed(removed) => {
                self.removed.add(removed.range());
                false
            }
            Record::Acknowledged { .. } => self.segment.notes.contains(&offset),
            Record::Seal { .. } => {
                self.sealed = true;
                true
            }
            Record::Unknown { .. } => true,
        }
    }
}
