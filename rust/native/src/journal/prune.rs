//! Taking waves out of a journal by rules: of one that is open, by its writer, and of one that nobody writes.
//!
//! Contract:
//! - What a durable cursor has still to come to stays, unless that is asked for. Its position is that of its last note,
//!   which is what counts at the next start, or what it says itself if that is less, as one that begins just now has
//!   none yet. So does what a vibrator that is behind has still to read. Both are asked when the rules are applied; who
//!   begins after that, in the past, finds what they left.
//! - One at a time: see [`Turns`](super::turn::Turns). A journal that nobody has open is locked meanwhile, so that
//!   nobody begins to write; a trial locks nothing, and changes nothing.
//! - After it, the journal that is open looks at its folder again, also if it has failed or panicked in the midst.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aether_journal::cursor::low;
use aether_journal::disk::{Disk, Folder, Locked};
use aether_journal::keeping::retain::{
    Applied, Holdings, Outcome, Rule, Terms, apply, plan, preview,
};
use aether_journal::keeping::{Failure, Progress};
use pyo3::prelude::*;

use super::keeping::{opened, watched};
use super::replay::must_be_there;
use super::turn::{Denied, Owner, Turn};
use super::writer::Writer;
use crate::channel::pattern;
use crate::errors::{Closed, JournalError};
use crate::fork::{self, Inside};
use crate::waker::thread_ident;

/// A rule as Python says it: pattern, age in seconds, bytes, waves, waves of each channel.
pub type Said<'py> =
    (Option<Bound<'py, PyAny>>, Option<f64>, Option<u64>, Option<u64>, Option<u64>);

/// What was done as Python reads it: waves, bytes that go and that come, segments dropped and rewritten; the names of
/// the segments that are gone, that came, and that are damaged; and the reader that has held it back, with its
/// position.
pub type Done =
    ((u64, u64, u64, u64, u64), (Vec<String>, Vec<String>, Vec<String>), Option<(String, u64)>);

/// The rules that Python says.
pub fn rules(said: &[Said<'_>]) -> PyResult<Vec<Rule>> {
    let rule = |(of, max_age, max_bytes, max_count, keep_last): &Said<'_>| {
        Ok(Rule {
            pattern: of.as_ref().map(pattern).transpose()?,
            max_age: *max_age,
            max_bytes: *max_bytes,
            max_count: *max_count,
            keep_last: *keep_last,
        })
    };
    said.iter().map(rule).collect()
}

/// How it is done.
pub struct Way<'a> {
    pub rules: &'a [Rule],
    /// Also what readers have still to come to.
    pub past_cursors: bool,
    /// A segment is written anew when at least this part of it would go.
    pub least_gain: f64,
    /// Nothing is written.
    pub dry_run: bool,
}

/// A durable cursor, and up to where it has finished; or a vibrator that is behind, and up to where it has read.
type Hold = (Box<str>, u64);

/// What was done.
#[derive(Default)]
pub struct Pruned {
    applied: Applied,
    damaged: Vec<String>,
    /// The reader that has held it back.
    hold: Option<Hold>,
}

impl Way<'_> {
    /// Applies the rules to what was looked at.
    fn apply<D: Disk>(
        &self,
        disk: &D,
        holdings: &Holdings,
        hold: Option<Hold>,
        watch: Progress<'_>,
    ) -> Result<Pruned, Failure> {
        let hold = hold.filter(|_| !self.past_cursors);
        let terms = Terms {
            rules: self.rules,
            now: disk.now(),
            keep_after: hold.as_ref().map(|(_, position)| *position),
            least_gain: self.least_gain,
        };
        let plan = plan(holdings, &terms);
        // Without a step, there is nothing to be written either.
        let applied = if self.dry_run || plan.is_empty() {
            Applied { outcome: preview(disk, &plan, watch)?, ..Applied::default() }
        } else {
            apply(disk, &plan, watch)?
        };
        let hold = hold.filter(|_| applied.outcome.held_back);
        Ok(Pruned { applied, damaged: plan.damaged, hold })
    }
}

/// The cursor that has finished least. One that cannot be read may have finished nothing.
fn lowest(cursors: BTreeMap<Box<str>, Vec<u8>>) -> Option<Hold> {
    let holds = cursors.into_iter().map(|(name, said)| (name, low(&said).unwrap_or(0)));
    holds.min_by_key(|(_, position)| *position)
}

impl Writer {
    /// Applies rules, unattached, in somebody's turn.
    pub fn prune(
        &self,
        way: &Way<'_>,
        holdings: &mut Holdings,
        watch: Progress<'_>,
    ) -> Result<Pruned, Failure> {
        let disk = self.journal.disk();
        let safe = self.journal.safe();
        // `None`: the interpreter ends, and nothing is begun any more.
        let unread = || Python::try_attach(|py| self.unread(py)).ok_or(Failure::Stopped);
        // Before the look: what is not delivered then is in no segment that counts as complete.
        let delivered = unread()?.delivered;
        holdings.look(disk, safe.min(delivered), watch)?;
        // After the look, which takes its time.
        let live = unread()?.furthest;
        let noted = lowest(self.journal.cursors());
        let hold = [live, noted].into_iter().flatten().min_by_key(|(_, position)| *position);
        let pruned = catch_unwind(AssertUnwindSafe(|| way.apply(disk, holdings, hold, watch)));
        let unchanged = way.dry_run || matches!(&pruned, Ok(Ok(done)) if !done.has_changed());
        let refreshed = if unchanged { Ok(()) } else { self.journal.refresh() };
        let pruned = pruned.unwrap_or_else(|panic| resume_unwind(panic))?;
        refreshed.map_err(|error| Failure::Fault {
            deed: "look again at",
            file: "the folder".to_owned(),
            error: io::Error::other(error),
        })?;
        Ok(pruned)
    }

    /// Takes the turn for a call; waits for that of the retention.
    fn turn(&self, py: Python<'_>) -> PyResult<Turn<'_>> {
        let turns = self.pruning.turns();
        loop {
            match turns.take(Owner::Call(thread_ident())) {
                Ok(turn) => return Ok(turn),
                Err(Denied::Taken(Owner::Retention)) => {
                    py.detach(|| turns.wait_for(Duration::from_millis(100)));
                    py.check_signals()?;
                }
                Err(Denied::Taken(Owner::Call(_))) => {
                    return Err(JournalError::new_err(format!(
                        "the journal {} is being pruned by another call: wait for that one",
                        self.path().display()
                    )));
                }
                Err(Denied::Ended) => return Err(self.ended()),
            }
        }
    }

    #[cold]
    fn ended(&self) -> PyErr {
        Closed::new_err(format!(
            "the journal {} was closed before it was pruned; what is done by now stays done: prune it again, open or \
             not",
            self.path().display()
        ))
    }

    /// Prunes it for a call.
    pub fn prune_for(
        &self,
        py: Python<'_>,
        way: &Way<'_>,
        watch: Option<Py<PyAny>>,
    ) -> PyResult<Pruned> {
        fork::goes_on()?;
        let _inside = Inside::enter(py);
        let _turn = self.turn(py)?;
        let turns = self.pruning.turns();
        let done = watched(py, self.path(), watch, |watch| {
            let mut stoppable = |done| {
                if turns.has_ended() { std::ops::ControlFlow::Break(()) } else { watch(done) }
            };
            match self.prune(way, &mut Holdings::new(), &mut stoppable) {
                Err(Failure::Stopped) if turns.has_ended() => Ok(None),
                done => done.map(Some),
            }
        })?;
        done.ok_or_else(|| self.ended())
    }
}

impl Pruned {
    /// Whether there are other files now.
    pub fn has_changed(&self) -> bool {
        !self.applied.removed.is_empty() || !self.applied.written.is_empty()
    }

    pub fn described(self) -> Done {
        let Self { applied: Applied { outcome, removed, written }, damaged, hold } = self;
        let Outcome { waves, freed, written: anew, dropped, rewritten, .. } = outcome;
        let counts = (waves, freed, anew, dropped, rewritten);
        let hold = hold.map(|(name, position)| (name.into(), position));
        (counts, (removed, written, damaged), hold)
    }
}

/// Prunes a journal that nobody has open; a trial also one that somebody writes.
#[pyfunction]
#[pyo3(signature = (path, rules, past_cursors, dry_run, watch, /))]
pub fn prune_journal(
    py: Python<'_>,
    path: PathBuf,
    rules: Vec<Said<'_>>,
    past_cursors: bool,
    dry_run: bool,
    watch: Option<Py<PyAny>>,
) -> PyResult<Done> {
    must_be_there(&path)?;
    let rules = self::rules(&rules)?;
    let way = Way { rules: &rules, past_cursors, least_gain: 0.0, dry_run };
    let mut locked_by = None;
    let done = watched(py, &path, watch, |watch| {
        let folder = Folder::new(&path).map_err(|error| opened(&path, error))?;
        let _lock = match (!dry_run).then(|| folder.lock()) {
            None => None,
            Some(Ok(lock)) => Some(lock),
            Some(Err(Locked::Held { owner })) => {
                locked_by = Some(owner);
                return Err(Failure::Stopped);
            }
            Some(Err(error)) => return Err(error.into()),
        };
        let mut holdings = Holdings::new();
        holdings.look(&folder, u64::MAX, watch)?;
        let hold = lowest(holdings.cursors(&folder)?);
        way.apply(&folder, &holdings, hold, watch)
    });
    match locked_by {
        Some(owner) => Err(written_by(&path, owner)),
        None => done.map(Pruned::described),
    }
}

#[cold]
fn written_by(path: &Path, owner: u32) -> PyErr {
    JournalError::new_err(format!(
        "the journal {} is written by the process {owner}, and only that one can prune it: give its Journal \
         retention=, call prune() of it there, or close it first; dry_run=True can be asked for any time",
        path.display()
    ))
}
