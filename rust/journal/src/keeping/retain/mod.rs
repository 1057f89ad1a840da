//! Retention: what nobody needs any more is taken out of a journal, by rules.
//!
//! ```text
//! let safe = journal.safe();                    before the folder is looked at
//! holdings.look(disk, safe, watch)              what each segment holds; complete ones are read once
//! let plan = plan(&holdings, &terms);           what would go
//! preview(disk, &plan, watch)                   exactly how much that is
//! apply(disk, &plan, watch)                     done
//! ```
//!
//! Contract:
//! - A limit without a pattern takes whole segments, and each of them only if everything in it is beyond the limit: so
//!   the newest so many waves, or bytes, or seconds stay, and up to one segment more. With a pattern, and for
//!   `keep_last`, waves are taken one by one, and their segments written anew without them.
//! - Each limit is taken by itself; what is beyond any of them goes. The oldest go first, by sequence; only
//!   `max_age` goes by the time of a wave.
//! - No wave after `keep_after` is taken, as a durable cursor has still to come to it.
//! - Only complete segments are changed: ones before a later one in which a committed wave may stand. Those that are damaged
//!   are not written anew, so that they can still be looked into; they go as a whole with limits that have no
//!   pattern.
//! - What was taken is noted as *removed*, so that it is no gap. Of each cursor, the last note stays. What
//!   was missing before stays missing, unless the segment goes as a whole.
//! - At each moment, and after a loss of power at any, each wave that is to stay is there, once. Each step is
//!   done as a whole or not at all.
//! - A reader goes on with the segment that it has open, as that was; of later ones, what was taken out does not come to
//!   it, and is no gap.
//! - The journal that writes there is told by `Journal::refresh`, so that it does not name places of before.
//!
//! A segment that is written anew has the base of the old one and a number of rewritings that is greater by one, and so
//! counts in its place as long as both are there. Segments that go as a whole, side by side, leave one
//! behind that has no waves: with the base of the first of them, and the note of what was removed. It takes in
//! those that go later, so that there is one at the front, however much went.

mod apply;
mod plan;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use aether_core::channel::Pattern;

pub use apply::{Applied, Outcome, apply, preview};
pub use plan::{Plan, plan};

use super::summary::{Depth, Summary, complete_below};
use super::{Failure, Meter, Progress, fault};
use crate::disk::{Disk, File};
use crate::record::Record;
use crate::scan::{Found, Scan};
use crate::segment::{LISTINGS, Place, places};

/// What is kept. A limit that is `None` takes nothing.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Of which channels; `None`: of all.
    pub pattern: Option<Pattern>,
    /// Waves that are older go, in seconds. One without a time stays.
    pub max_age: Option<f64>,
    /// So many bytes of records are kept, the newest.
    pub max_bytes: Option<u64>,
    /// So many waves are kept, the newest.
    pub max_count: Option<u64>,
    /// So many waves of each channel are kept, the newest.
    pub keep_last: Option<u64>,
}

/// What a plan goes by.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The rules; what is beyond any of them goes.
    pub rules: &'a [Rule],
    /// The time now, in Unix seconds.
    pub now: f64,
    /// Waves after this one stay; `None`: any may go.
    pub keep_after: Option<u64>,
    /// A segment is written anew when at least this part of it would go, 0..1.
    pub least_gain: f64,
}

/// What the segments of a journal hold.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    segments: Vec<Arc<Summary>>,
    /// Those below this base are complete.
    complete: u64,
    /// What complete ones hold, which stays so, by the names of their files.
    known: HashMap<String, Arc<Summary>>,
}

impl Holdings {
    /// Of no journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at a journal: reads those segments that it does not know.
    ///
    /// All waves up to `safe` are committed, or refused: what the journal said *before* this is called; if nobody
    /// writes it, `u64::MAX`.
    pub fn look<D: Disk>(
        &mut self,
        disk: &D,
        safe: u64,
        watch: Progress<'_>,
    ) -> Result<(), Failure> {
        for _ in 1..LISTINGS {
            match self.look_once(disk, safe, watch) {
                // Somebody else takes waves out meanwhile.
                Err(Failure::Fault { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                done => return done,
            }
        }
        self.look_once(disk, safe, watch)
    }

    /// Opens one segment after the other, as there may be more than a process may have open.
    fn look_once<D: Disk>(
        &mut self,
        disk: &D,
        safe: u64,
        watch: Progress<'_>,
    ) -> Result<(), Failure> {
        let places = places(disk).map_err(fault("list", "the folder"))?;
        let mut bytes = 0;
        for Place { name, .. } in &places {
            bytes += if let Some(known) = self.known.get(name) {
                known.size
            } else {
                let file = disk.open(name).map_err(fault("open", name))?;
                file.size().map_err(fault("measure", name))?
            };
        }
        let mut meter = Meter::new(bytes, watch);
        let complete = complete_below(places.iter().map(|place| place.base), safe);
        let mut known = HashMap::new();
        let mut held = Vec::with_capacity(places.len());
        for place in places {
            let summary = if let Some(known) = self.known.get(&place.name) {
                meter.add(known.size)?;
                Arc::clone(known)
            } else {
                let name = place.name.clone();
                let segment = place.open(disk).map_err(fault("open", &name))?;
                Arc::new(Summary::of(&segment, Depth { safe, channels: true }, &mut meter)?)
            };
            if summary.base < complete && summary.header.is_ok() {
                known.insert(summary.name.clone(), Arc::clone(&summary));
            }
            held.push(summary);
        }
        meter.end()?;
        (self.segments, self.complete, self.known) = (held, complete, known);
        Ok(())
    }

    /// What each cursor says, by its last note in the files that were looked at.
    pub fn cursors<D: Disk>(&self, disk: &D) -> Result<BTreeMap<Box<str>, Vec<u8>>, Failure> {
        let mut last: BTreeMap<&str, (&Summary, u64)> = BTreeMap::new();
        for summary in &self.segments {
            let noted = summary.cursors.iter();
            last.extend(noted.map(|(name, offset)| (&**name, (&**summary, *offset))));
        }
        let mut cursors = BTreeMap::new();
        for (name, (summary, offset)) in last {
            let Ok(header) = &summary.header else { continue };
            let file = disk.open(&summary.name).map_err(fault("open", &summary.name))?;
            let mut scan = Scan::from(file, header, offset);
            let found = scan.next().map_err(fault("read", &summary.name))?;
            if let Some(Found::Record { record: Record::Acknowledged { state, .. }, .. }) = found {
                cursors.insert(name.into(), state.to_vec());
            }
        }
        Ok(cursors)
    }
}
