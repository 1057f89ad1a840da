//! Durable cursors: what a mailbox's readers have finished, kept in the journal.
//!
//! Contract:
//! - A wave is *out* from the moment it is taken until it is acknowledged, its time is over, or it is given up. An
//!   acknowledgement acts at the call; its [`Fate`] is told when a note that has it is as durable as the journal.
//! - What was handed out is noted as well as what was acknowledged: who dies with a wave in hand has had it, and it is
//!   counted. One note is on its way at a time, behind all waves that were emitted before; what happens meanwhile is in
//!   the next, and when the journal is closed in order, in the last.
//! - A note is refused as a wave is: what was acknowledged stays so here, and goes out with the next note.
//! - A cursor outlives its mailbox: the next one that asks for it goes on, in this program or a later one.
//! - Where a panic comes in between, who waits for the note is told that it failed, the next note is a whole one again,
//!   and a wave that was on the way is still out.
//!
//! The lock is a leaf; as a wave leaves the core and becomes known here in two steps, a *move* is announced before and
//! ended after, and no survey of the mailbox counts that was made meanwhile.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::{mem, thread};

use aether_core::mailbox::WaiterId;
use aether_core::medium::{Key, Take};
use aether_journal::cursor::{Acknowledged, Cursor as Marks, Due};
use aether_journal::journal::Refusal;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::fate::{Fate, Told};
use super::writer::Writer;
use crate::errors::JournalError;
use crate::guarded::Guarded;
use crate::mailbox::PyMailbox;
use crate::shared::Shared;
use crate::waker::{Aftermath, Gate, rouse_all};
use crate::wave::{Held, PyWave};

/// How many waves are brought again at once.
const AT_ONCE: usize = 256;

/// After how many seconds a mailbox without room is tried again, if nobody takes from it.
const PAUSE: f64 = 1.0;

/// What the reader of a cursor has asked for.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// All that a reader has is acknowledged when it asks for more.
    pub by_next: bool,
    /// How long a reader has for a wave, in seconds.
    pub timeout: f64,
    /// How often a wave is handed out.
    pub most: u32,
}

/// A cursor.
pub struct Cursor {
    pub name: Box<str>,
    shared: Weak<Shared>,
    writer: Arc<Writer>,
    /// Where the thread waits that brings waves again.
    gate: Arc<Gate>,
    state: Guarded<State>,
}

struct State {
    marks: Marks,
    rules: Rules,
    /// Whose it is; none while it resonates on nothing.
    key: Option<Key>,
    claimed: Option<Key>,
    /// Waves that are on the way from one place to another, and how often one was.
    moving: usize,
    moves: u64,
    /// Something has changed that no note has.
    changed: bool,
    /// Nor has one what was refused.
    refused: bool,
    /// Who waits for the next note.
    waiting: Vec<Arc<Fate>>,
    /// Somebody makes a note just now.
    writing: bool,
    /// Notes that are not told of yet.
    notes: usize,
    /// When the thread looks again without being called.
    alarm: f64,
    /// There was no room in the mailbox; it is looked for again then.
    full_until: f64,
    /// Waves that were given up, and what has become of their last emission.
    buried: Vec<(u64, Arc<Fate>)>,
}

/// A note on its way, and who waits for it. What drops it in a panic tells them so.
pub struct Noted {
    cursor: Arc<Cursor>,
    fates: Vec<Arc<Fate>>,
    /// It could not be appended, as too much waits for the disk: this is told when that is written.
    held_back: bool,
    /// The cursor counts it among its notes.
    counted: bool,
}

/// A note is made just now.
struct Writing<'a, 'py>(Python<'py>, &'a Cursor);

impl Drop for Writing<'_, '_> {
    fn drop(&mut self) {
        self.1.state.with(self.0, |state| state.writing = false);
    }
}

/// Waves are on the way from one place to another.
pub struct Moving<'a, 'py>(Python<'py>, &'a Cursor);

impl Drop for Moving<'_, '_> {
    fn drop(&mut self) {
        self.1.state.with(self.0, |state| state.moving -= 1);
    }
}

/// A wave whose time is over is on the way into the mailbox again.
struct Bringing<'a, 'py> {
    moving: Moving<'a, 'py>,
    sequence: u64,
    now: f64,
    there: bool,
}

impl Drop for Bringing<'_, '_> {
    fn drop(&mut self) {
        if self.there {
            return;
        }
        let Moving(py, cursor) = self.moving;
        cursor.state.with(py, |state| {
            state.marks.postpone(self.sequence, self.now);
            state.full_until = self.now + PAUSE;
        });
    }
}

/// What the thread is to do.
pub enum Work {
    /// Bring these again that were out so many times, or give them up.
    Again(Vec<(u64, u32)>),
    /// Nothing before this moment.
    Wait(f64),
}

impl Cursor {
    /// What a reader takes: see [`aether_core::medium::Medium::take`]. What was finished meanwhile is passed over.
    pub fn take(
        self: &Arc<Self>,
        py: Python<'_>,
        mailbox: &PyMailbox,
        reader: u64,
        mut waiter: Option<WaiterId>,
        after: &mut Aftermath,
    ) -> Take<Held> {
        let mut missed = 0;
        loop {
            self.begin_move(py);
            let taken = mailbox.shared.medium.take(mailbox.key, waiter.take(), after);
            let waves = match &taken {
                Take::Wave(wave) => std::slice::from_ref(&wave.item),
                Take::Empty | Take::Ended => &[],
            };
            let needed = self.hand_out(py, &mailbox.shared, reader, waves);
            match taken {
                Take::Wave(wave) if needed != [true] => {
                    missed += wave.missed;
                    after.garbage.push(wave.item);
                }
                Take::Wave(mut wave) => {
                    wave.missed += missed;
                    return Take::Wave(wave);
                }
                none => return none,
            }
        }
    }

    /// The same for several: see [`aether_core::medium::Medium::take_many`].
    pub fn take_many(
        self: &Arc<Self>,
        py: Python<'_>,
        mailbox: &PyMailbox,
        reader: u64,
        waiter: Option<WaiterId>,
        (least, most): (usize, usize),
        after: &mut Aftermath,
    ) -> (Vec<Held>, Option<u64>) {
        let mut taken = Vec::new();
        self.begin_move(py);
        let medium = &mailbox.shared.medium;
        let missed = medium.take_many(mailbox.key, waiter, (least, most), &mut taken, after);
        let needed = self.hand_out(py, &mailbox.shared, reader, &taken);
        let mut kept = Vec::with_capacity(taken.len());
        for (wave, needed) in taken.into_iter().zip(needed) {
            if needed { kept.push(wave) } else { after.garbage.push(wave) }
        }
        (kept, missed)
    }

    /// A move ends with waves in the hands of a reader. For each whether anybody needs it: it may be finished.
    fn hand_out(
        self: &Arc<Self>,
        py: Python<'_>,
        shared: &Shared,
        reader: u64,
        waves: &[Held],
    ) -> Vec<bool> {
        let now = shared.medium.clock().monotonic();
        let (needed, call) = self.state.with(py, |state| {
            state.moving -= 1;
            let until = now + state.rules.timeout;
            let mut needed = Vec::with_capacity(waves.len());
            for wave in waves {
                let wave = wave.0.get();
                let sequence = wave.sequence.load(Relaxed);
                let deliveries = wave.deliveries();
                // One that was delivered undurably stands in no journal, and nobody keeps count of it.
                needed.push(sequence == 0 || state.marks.take(sequence, deliveries, reader, until));
            }
            let early = !waves.is_empty() && until < state.alarm;
            let room = !waves.is_empty() && mem::take(&mut state.full_until) > 0.0;
            (needed, early || room)
        });
        if call {
            self.gate.open();
        }
        if !waves.is_empty() {
            self.note(py, None);
        }
        needed
    }

    /// A wave that was taken goes back, as if it had not been; false: it need not.
    pub fn take_back(&self, py: Python<'_>, wave: &PyWave, put: impl FnOnce()) {
        let sequence = wave.sequence.load(Relaxed);
        let _moving = self.moves(py);
        if sequence == 0 || self.state.with(py, |state| state.marks.untake(sequence)) {
            put();
        }
    }

    /// A reader asks for more.
    pub fn ask(self: &Arc<Self>, py: Python<'_>, reader: u64) {
        let acknowledged =
            self.state.with(py, |state| state.rules.by_next && state.marks.acknowledge_all(reader));
        if acknowledged {
            self.note(py, None);
        }
    }

    /// A reader has finished a wave. What is given is told when that is as durable as the journal.
    pub fn acknowledge(self: &Arc<Self>, py: Python<'_>, wave: &PyWave) -> PyResult<Arc<Fate>> {
        let sequence = wave.sequence.load(Relaxed);
        let done = self.state.with(py, |state| state.marks.acknowledge(sequence));
        if sequence == 0 || done == Acknowledged::NotOut {
            return Err(PyValueError::new_err(format!(
                "wave {} is not out at cursor {:?}: only what a reader of it has received can be acknowledged",
                if sequence == 0 { wave.id_text() } else { sequence.to_string() },
                self.name
            )));
        }
        let fate = Arc::new(Fate::default());
        fate.place(sequence);
        self.note(py, Some(&fate));
        Ok(fate)
    }

    /// The writer of its journal.
    pub fn writer(&self) -> &Arc<Writer> {
        &self.writer
    }

    // Notes

    /// Something has changed, and somebody may wait until that is noted.
    fn note(self: &Arc<Self>, py: Python<'_>, fate: Option<&Arc<Fate>>) {
        let due = self.state.with(py, |state| {
            state.changed = true;
            state.waiting.extend(fate.map(Arc::clone));
            state.notes == 0
        });
        if due {
            self.write(py);
        }
    }

    /// Notes what no note has yet, before the journal is closed.
    pub fn catch_up(self: &Arc<Self>, py: Python<'_>) {
        if self.state.with(py, |state| state.changed || state.refused) {
            self.write(py);
        }
    }

    fn write(self: &Arc<Self>, py: Python<'_>) {
        // One at a time, so that the last note is the latest.
        if self.state.with(py, |state| mem::replace(&mut state.writing, true)) {
            return;
        }
        let writing = Writing(py, self);
        self.survey(py);
        let (said, fates) = self.state.with(py, |state| {
            (state.changed, state.refused) = (false, false);
            state.notes += 1;
            (state.marks.encode(), mem::take(&mut state.waiting))
        });
        let noted = Noted { cursor: Arc::clone(self), fates, held_back: false, counted: true };
        let refused = self.writer.acknowledge(&self.name, &said, noted);
        drop(writing);
        if let Some((refusal, noted)) = refused {
            noted.settle(py, Some(&refusal));
        }
    }

    /// Looks at what waits in the mailbox, so that the cursor can move on.
    fn survey(&self, py: Python<'_>) {
        let asked = self.state.with(py, |state| {
            let key = state.key.filter(|_| state.moving == 0)?;
            Some((key, state.marks.highest(), state.moves))
        });
        let (Some((key, highest, moves)), Some(shared)) = (asked, self.shared.upgrade()) else {
            return;
        };
        let number = |wave: &Held| wave.0.get().sequence.load(Relaxed);
        let Some(horizon) = shared.medium.horizon(key, highest, number) else { return };
        self.state.with(py, |state| {
            if (state.moving, state.moves) == (0, moves) {
                state.marks.survey(&horizon.waiting, horizon.sure);
            }
        });
    }

    // What the thread does that brings waves again

    fn begin_move(&self, py: Python<'_>) {
        self.state.with(py, |state| {
            state.moving += 1;
            state.moves += 1;
        });
    }

    /// Begins a move, which lasts as long as what this gives.
    pub fn moves<'py>(&self, py: Python<'py>) -> Moving<'_, 'py> {
        self.begin_move(py);
        Moving(py, self)
    }

    /// What to do with a wave that the journal has; what was out as often as it may be is to be given up.
    pub fn due(&self, py: Python<'_>, sequence: u64) -> Due {
        self.state.with(py, |state| state.marks.due(sequence))
    }

    /// Whether a wave that was out so many times is to be given up.
    pub fn gives_up(&self, py: Python<'_>, deliveries: u32) -> bool {
        self.state.with(py, |state| deliveries >= state.rules.most)
    }

    /// What is to be brought again now, or when to look again.
    pub fn next(self: &Arc<Self>, py: Python<'_>, shared: &Shared, now: f64) -> Work {
        self.settle_burials(py, now);
        let key = self.state.with(py, |state| state.key);
        let open = key.is_some_and(|key| shared.medium.is_open(key));
        self.state.with(py, |state| {
            state.alarm = f64::INFINITY;
            if !open {
                return Work::Wait(state.alarm);
            }
            if state.full_until > now {
                state.alarm = state.full_until.min(now + PAUSE);
                return Work::Wait(state.alarm);
            }
            let over = state.marks.overdue(now, AT_ONCE);
            if over.is_empty() {
                state.alarm = state.marks.next_until();
                return Work::Wait(state.alarm);
            }
            Work::Again(over)
        })
    }

    /// Whose it is.
    pub fn key(&self, py: Python<'_>) -> Option<Key> {
        self.state.with(py, |state| state.key)
    }

    /// A wave whose time is over comes again, if it is still out: `put` says whether the mailbox has room. False: it has
    /// not.
    pub fn bring(
        &self,
        py: Python<'_>,
        (sequence, deliveries): (u64, u32),
        now: f64,
        put: impl FnOnce() -> bool,
    ) -> bool {
        let mut bringing = Bringing { moving: self.moves(py), sequence, now, there: false };
        let out = self.state.with(py, |state| state.marks.brought(sequence, deliveries));
        bringing.there = !out || put();
        bringing.there
    }

    /// A wave was emitted for the last time, where such waves go; it is finished when that is in the journal. Without
    /// a fate it could not be, and is tried again later.
    pub fn bury(&self, py: Python<'_>, sequence: u64, fate: Option<Arc<Fate>>, now: f64) {
        self.state.with(py, |state| match fate {
            Some(fate) => {
                state.marks.postpone(sequence, f64::INFINITY);
                state.buried.push((sequence, fate));
            }
            None => state.marks.postpone(sequence, now + PAUSE),
        });
    }

    fn settle_burials(self: &Arc<Self>, py: Python<'_>, now: f64) {
        let finished = self.state.with(py, |state| {
            let (told, buried): (Vec<_>, Vec<_>) = mem::take(&mut state.buried)
                .into_iter()
                .map(|(sequence, fate)| (sequence, fate.told(), fate))
                .partition(|(_, told, _)| told.is_some());
            state.buried = buried.into_iter().map(|(one, _, fate)| (one, fate)).collect();
            let mut finished = false;
            for (sequence, told, _fate) in &told {
                if matches!(told, Some(Told::Refused(_))) {
                    state.marks.postpone(*sequence, now + PAUSE);
                } else {
                    state.marks.acknowledge(*sequence);
                    finished = true;
                }
            }
            finished
        });
        if finished {
            self.note(py, None);
        }
    }

    /// A wave cannot come again: nobody has it any more.
    pub fn give_up(self: &Arc<Self>, py: Python<'_>, sequence: u64) {
        self.state.with(py, |state| state.marks.acknowledge(sequence));
        self.note(py, None);
    }
}

impl Noted {
    /// Tells those who wait what has become of it, and goes on with what has changed since.
    pub fn settle(mut self, py: Python<'_>, refusal: Option<&Refusal>) {
        let cursor = Arc::clone(&self.cursor);
        if !self.held_back && matches!(refusal, Some(Refusal::Busy(_))) {
            self.held_back = true;
            let Some(noted) = cursor.writer.when_written(self) else { return };
            return noted.settle(py, None);
        }
        let (held_back, mut fates) = (self.held_back, mem::take(&mut self.fates));
        let more = cursor.state.with(py, |state| {
            self.counted = false;
            state.notes -= 1;
            state.waiting.splice(..0, if held_back { mem::take(&mut fates) } else { Vec::new() });
            state.changed |= held_back;
            state.refused |= refusal.is_some();
            state.changed && state.notes == 0
        });
        for fate in fates {
            let told = refusal.map_or(Told::Settled, |refusal| Told::Refused(refusal.clone()));
            rouse_all(py, fate.tell(told));
        }
        if more {
            cursor.write(py);
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if !self.counted || !thread::panicking() {
            return;
        }
        Python::try_attach(|py| {
            self.cursor.state.with(py, |state| {
                state.notes -= 1;
                state.changed = true;
            });
            for fate in mem::take(&mut self.fates) {
                rouse_all(py, fate.tell(Told::Panicked));
            }
        });
    }
}

/// The cursors of a medium, also those that nobody reads by just now.
#[derive(Default)]
pub struct Cursors(Guarded<Vec<Arc<Cursor>>>);

impl Cursors {
    pub fn all(&self, py: Python<'_>) -> Vec<Arc<Cursor>> {
        self.0.with(py, |cursors| cursors.clone())
    }

    /// That of a mailbox.
    pub fn of(&self, py: Python<'_>, key: Key) -> Option<Arc<Cursor>> {
        let his = |cursor: &Arc<Cursor>| cursor.state.with(py, |state| state.claimed == Some(key));
        self.all(py).into_iter().find(his)
    }

    /// A cursor for the readers of a mailbox, which goes on where it stopped; or begins after a sequence, by default
    /// that of the last wave. Nothing moves before it [`Cursor::begins`].
    pub fn claim(
        &self,
        py: Python<'_>,
        shared: &Arc<Shared>,
        writer: &Arc<Writer>,
        mailbox: Key,
        (name, after, rules): (&str, Option<u64>, Rules),
    ) -> PyResult<Arc<Cursor>> {
        let known = self.all(py).into_iter().find(|cursor| &*cursor.name == name);
        let cursor = match known {
            Some(cursor) => cursor,
            None => self.open(py, shared, writer, (name, after, rules))?,
        };
        let claimed = cursor.state.with(py, |state| state.claimed);
        if claimed.is_some_and(|key| !shared.medium.has_ended(key)) {
            return Err(taken(name));
        }
        let free = cursor.state.with(py, |state| {
            let free = state.claimed == claimed;
            if free {
                (state.claimed, state.key, state.rules) = (Some(mailbox), None, rules);
                state.full_until = 0.0;
                state.marks.restart();
            }
            free
        });
        if free { Ok(cursor) } else { Err(taken(name)) }
    }

    /// A cursor as the journal has it, or a new one.
    fn open(
        &self,
        py: Python<'_>,
        shared: &Arc<Shared>,
        writer: &Arc<Writer>,
        (name, after, rules): (&str, Option<u64>, Rules),
    ) -> PyResult<Arc<Cursor>> {
        let marks = match writer.cursor(name) {
            None => Marks::after(after.unwrap_or_else(|| writer.last())),
            Some(said) => Marks::decode(&said).ok_or_else(|| unreadable(writer, name))?,
        };
        let made = Arc::new(Cursor::new(name, shared, writer, marks, rules));
        writer.keep(py, &made);
        Ok(self.0.with(py, |cursors| {
            // Another thread may have made it meanwhile.
            let first = cursors.iter().find(|cursor| &*cursor.name == name).cloned();
            first.unwrap_or_else(|| {
                cursors.push(Arc::clone(&made));
                Arc::clone(&made)
            })
        }))
    }
}

impl Cursor {
    fn new(
        name: &str,
        shared: &Arc<Shared>,
        writer: &Arc<Writer>,
        marks: Marks,
        rules: Rules,
    ) -> Self {
        Self {
            name: name.into(),
            shared: Arc::downgrade(shared),
            writer: Arc::clone(writer),
            gate: shared.gate(),
            state: Guarded::new(State {
                marks,
                rules,
                key: None,
                claimed: None,
                moving: 0,
                moves: 0,
                changed: false,
                refused: false,
                waiting: Vec::new(),
                writing: false,
                notes: 0,
                alarm: f64::INFINITY,
                full_until: 0.0,
                buried: Vec::new(),
            }),
        }
    }

    /// All waves up to this one are finished.
    pub fn low(&self, py: Python<'_>) -> u64 {
        self.state.with(py, |state| state.marks.low())
    }

    /// Its mailbox resonates, on all its patterns: from here on it moves, and is known to the next start.
    pub fn begins(self: &Arc<Self>, py: Python<'_>) {
        self.state.with(py, |state| {
            state.key = state.claimed;
            state.moves += 1;
        });
        self.note(py, None);
        self.gate.open();
    }
}

#[cold]
fn taken(name: &str) -> PyErr {
    PyValueError::new_err(format!(
        "cursor {name:?} has a reader in this medium already, and a cursor has one at a time: close that one first, give \
         this one another name, or share the waves with group="
    ))
}

#[cold]
fn unreadable(writer: &Writer, name: &str) -> PyErr {
    JournalError::new_err(format!(
        "what cursor {name:?} says in the journal {} is of a later version of the library: read with that, or begin \
         under another name",
        writer.path().display()
    ))
}
