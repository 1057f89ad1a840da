//! Mailboxes that are behind are filled from the journal: history, and what a reader could not take in time.
//!
//! One thread for each medium, which begins when a mailbox falls behind for the first time. It asks the core which
//! mailbox is hungry, reads the disk without the interpreter, makes the waves attached, and hands them to the core,
//! which says when the mailbox has caught up (see `aether_core::medium`).
//!
//! Contract:
//! - No emitter waits for it, and no reader is disturbed: a reader that waits is woken when waves are there.
//! - A wave that cannot be made of what was read is logged with its sequence, and passed over. A disk that cannot be
//!   read is logged, and tried again every second.
//! - After a panic, which is logged, the thread begins anew with a pause of a second, then two, up to a minute: all that
//!   mailboxes have not got is read again. A wave whose making panics twice in a row is passed over, as one that cannot
//!   be made.
//! - Where the readers have a durable cursor, what they have finished is passed over, and what was out comes as the next
//!   delivery (see `again`); by the medium's clock, what is out too long is brought again.
//! - It ends with the medium. At the end of the program it stops where it waits.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use aether_core::clock::Clock;
use aether_core::medium::{Hungry, Key, Read};
use aether_journal::cursor::Due;
use aether_journal::disk::Folder;
use aether_journal::reader::{Event, Reader};
use pyo3::prelude::*;

use super::again;
use super::cursor::{Cursor, Work};
use super::kept::KeptWave;
use super::restore::Restorer;
use super::suspect::{Suspect, passed_over};
use super::writer::Writer;
use crate::fork::{self, Inside};
use crate::ids::Own;
use crate::log;
use crate::panics;
use crate::shared::Shared;
use crate::waker::{Aftermath, Gate, Post, Sleeper, Waker};
use crate::wave::{Hands, Held};

/// How many waves are read at once, and how many bytes of payloads.
const AT_ONCE: (usize, usize) = (512, 1 << 20);

/// How long to wait before a journal that could not be read is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long it sleeps at most, in seconds, if it knows when there is something to do.
const LONGEST: f64 = 3_600.0;

/// The thread of a medium, once there is one.
#[derive(Default)]
pub struct Refill {
    begun: AtomicBool,
    gate: Arc<Gate>,
}

impl Refill {
    /// Sees to it that the thread runs: a mailbox is behind, or may come to be.
    pub fn begin(&self, shared: &Arc<Shared>, writer: &Arc<Writer>) -> PyResult<()> {
        if self.begun.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let filling = Filling {
            shared: Arc::downgrade(shared),
            writer: Arc::downgrade(writer),
            gate: Arc::clone(&self.gate),
            sources: HashMap::new(),
            suspect: Suspect::default(),
        };
        let spawned =
            Builder::new().name("aether-refill".to_owned()).spawn(move || filling.run_on());
        if let Err(error) = spawned {
            self.begun.store(false, Ordering::Release);
            return Err(error.into());
        }
        Ok(())
    }

    /// Where the thread waits.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// The medium ends, and the thread with it.
    pub fn end(&self) {
        self.gate.open();
    }
}

/// What the thread holds.
struct Filling {
    shared: Weak<Shared>,
    writer: Weak<Writer>,
    gate: Arc<Gate>,
    sources: HashMap<Key, Source>,
    suspect: Suspect,
}

/// Where the reading for a mailbox is.
struct Source {
    reader: Reader<Folder>,
    /// All up to here was looked at.
    position: u64,
    /// Read beyond what was to be read.
    ahead: Option<KeptWave>,
    restorer: Restorer,
}

/// What to do next.
enum Next {
    End,
    /// Until it is called, or so long.
    Wait(Option<Duration>),
    Fill(Hungry, Arc<Writer>),
    /// These waves were out so many times, and their time is over.
    Again(Arc<Cursor>, Vec<(u64, u32)>, Arc<Writer>),
}

impl Filling {
    fn run_on(self) {
        let filling = RefCell::new(self);
        let rest = |_: &str, pause| filling.borrow_mut().rest(pause);
        panics::begin_anew(|| filling.borrow_mut().run(), rest);
    }

    /// Clears up after a panic, and waits so long. False: the medium has ended meanwhile.
    fn rest(&mut self, pause: Duration) -> bool {
        self.suspect.has_panicked();
        self.sources.clear();
        let begun = Instant::now();
        while self.shared.strong_count() > 0 {
            // It is called for what it will look for anyhow.
            let Some(left) = pause.checked_sub(begun.elapsed()) else { return true };
            self.gate.wait_for(left);
        }
        false
    }

    fn run(&mut self) {
        loop {
            // `None`: the interpreter ends.
            match Python::try_attach(|py| self.next(py)) {
                None | Some(Next::End) => return,
                Some(Next::Wait(None)) => self.gate.wait(),
                Some(Next::Wait(Some(most))) => _ = self.gate.wait_for(most),
                Some(Next::Fill(hungry, writer)) => self.fill(&hungry, &writer),
                Some(Next::Again(cursor, over, writer)) => self.again(&cursor, &over, &writer),
            }
        }
    }

    fn next(&mut self, py: Python<'_>) -> Next {
        let (Some(shared), Some(writer)) = (self.shared.upgrade(), self.writer.upgrade()) else {
            return Next::End;
        };
        if !shared.home.is_here() || fork::goes_on().is_err() {
            return Next::End;
        }
        let now = shared.medium.clock().monotonic();
        let mut alarm = f64::INFINITY;
        for cursor in shared.cursors.all(py) {
            match cursor.next(py, &shared, now) {
                Work::Again(over) => return Next::Again(cursor, over, writer),
                Work::Wait(until) => alarm = alarm.min(until),
            }
        }
        let sleeper = Sleeper::Native(Arc::clone(&self.gate));
        let waker = Waker { post: Post::Watcher, sleeper };
        let mut after = Aftermath::default();
        let hungry = shared.medium.next_hungry(waker, &mut after);
        shared.settle(py, after);
        // A clock that is moved by hand calls when it is.
        let ticks = matches!(shared.medium.clock(), Clock::System) && alarm < f64::INFINITY;
        let patience = ticks.then(|| Duration::from_secs_f64((alarm - now).clamp(0.0, LONGEST)));
        hungry.map_or(Next::Wait(patience), |(hungry, _unused)| Next::Fill(hungry, writer))
    }

    fn again(&mut self, cursor: &Arc<Cursor>, over: &[(u64, u32)], writer: &Arc<Writer>) {
        let found = again::fetch(writer.path(), over);
        let failed = found.is_err();
        // At the end of the interpreter nothing comes again.
        let _ = Python::try_attach(|py| {
            let shared = self.shared.upgrade()?;
            match found {
                Ok(found) => {
                    let suspect = &mut self.suspect;
                    again::bring(py, &shared, writer, cursor, over, found, suspect);
                }
                Err(error) => {
                    log::unreadable(py, &writer.path().to_string_lossy(), &error.to_string());
                }
            }
            Some(())
        });
        if failed {
            thread::sleep(PAUSE);
        }
    }

    fn fill(&mut self, hungry: &Hungry, writer: &Arc<Writer>) {
        let known = self.sources.remove(&hungry.key);
        let source = known.filter(|source| source.position == hungry.position);
        let source = match source {
            Some(source) => Ok(source),
            None => Source::open(writer.path(), hungry.position),
        };
        let read = source.and_then(|mut source| {
            // What was delivered is in the files, unless nobody has asked for that.
            writer.until_written(hungry.delivered);
            let waves = source.read(hungry)?;
            Ok((source, waves))
        });
        let failed = read.is_err();
        // At the end of the interpreter nothing is filled any more.
        let _ = Python::try_attach(|py| {
            let shared = self.shared.upgrade()?;
            match read {
                Ok((mut source, waves)) => {
                    let suspect = &mut self.suspect;
                    if hand(py, &shared, writer, hungry, &mut source, waves, suspect) {
                        self.sources.insert(hungry.key, source);
                    }
                }
                Err(error) => {
                    log::unreadable(py, &writer.path().to_string_lossy(), &error.to_string());
                }
            }
            Some(())
        });
        if failed {
            // It may be readable again: nothing is given up.
            thread::sleep(PAUSE);
        }
    }
}

impl Source {
    fn open(path: &Path, position: u64) -> io::Result<Self> {
        let reader = Reader::after(Folder::new(path)?, position)?;
        Ok(Self { reader, position, ahead: None, restorer: Restorer::default() })
    }

    /// Reads what a mailbox wants, as far as it was delivered and there is room, and notes how far that was.
    fn read(&mut self, hungry: &Hungry) -> io::Result<Vec<KeptWave>> {
        let Self { reader, position, ahead, .. } = self;
        let (mut waves, mut bytes) = (Vec::new(), 0);
        let room = hungry.room.min(AT_ONCE.0);
        if let Some(wave) = ahead.take_if(|wave| wave.sequence <= hungry.delivered) {
            *position = wave.sequence;
            if hungry.wants(wave.channel(), wave.strength.amplitude, 0, wave.sequence) {
                waves.push(wave);
            }
        }
        let mut full = ahead.is_some() || waves.len() >= room;
        while !full && *position < hungry.delivered {
            let before = *position;
            reader.read(|event| {
                let Event::Wave(wave) = event else { return ControlFlow::Continue(()) };
                if wave.sequence > hungry.delivered {
                    *ahead = Some(KeptWave::of(&wave));
                    full = true;
                } else {
                    *position = wave.sequence;
                    if hungry.wants(wave.channel, wave.amplitude, 0, wave.sequence) {
                        bytes += wave.payload.len();
                        waves.push(KeptWave::of(&wave));
                    }
                    full =
                        waves.len() >= room || bytes >= AT_ONCE.1 || *position == hungry.delivered;
                }
                if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if !full && *position == before {
                // The end of what can be read: what is missing up to there was refused, or is damaged.
                break;
            }
        }
        if waves.len() < room && bytes < AT_ONCE.1 {
            *position = hungry.delivered;
        }
        Ok(waves)
    }
}

/// Makes waves of what was read, and hands them to the mailbox. False: it needs no more of them.
fn hand(
    py: Python<'_>,
    shared: &Arc<Shared>,
    writer: &Arc<Writer>,
    hungry: &Hungry,
    source: &mut Source,
    mut waves: Vec<KeptWave>,
    suspect: &mut Suspect,
) -> bool {
    // A program that ends waits for it.
    let _inside = Inside::enter(py);
    let own = Own::now();
    let cursor = shared.cursors.of(py, hungry.key);
    let moving = cursor.as_ref().map(|cursor| cursor.moves(py));
    let mut read = Vec::with_capacity(waves.len());
    for kept in &mut waves {
        if !counts(py, cursor.as_ref(), kept) {
            continue;
        }
        if !suspect.may_make(kept.sequence) {
            let path = writer.path().to_string_lossy();
            log::unreadable(py, &path, &passed_over(kept.sequence));
            continue;
        }
        match source.restorer.wave(writer.decode(py), &own, kept) {
            Ok(wave) => {
                let before = kept.deliveries - 1;
                if let Some(cursor) = cursor.as_ref().filter(|one| one.gives_up(py, before)) {
                    again::bury(py, shared, writer, cursor, &wave, before);
                    continue;
                }
                shared.weigh(py, wave.get());
                let lifetime = wave.get().lifetime(shared.medium.clock());
                let emission = kept.emission(lifetime);
                read.push(Read { emission, sequence: kept.sequence, item: Held(wave) });
            }
            Err(error) => {
                let why = error.value(py).to_string();
                log::unreadable(py, &writer.path().to_string_lossy(), &why);
            }
        }
    }
    suspect.is_made();
    if let Some(cursor) = &cursor {
        // A reader that had some of them before may have finished one while Python ran.
        read.retain(|one| cursor.due(py, one.sequence) != Due::Nothing);
    }
    let mut after = Aftermath::default();
    let refilled = shared.medium.refill(hungry, source.position, read, &Hands(py), &mut after);
    drop(moving);
    shared.settle(py, after);
    !refilled.live
}

/// Whether a wave is to be brought, by what a cursor says; and notes in it the so many-th time.
fn counts(py: Python<'_>, cursor: Option<&Arc<Cursor>>, kept: &mut KeptWave) -> bool {
    match cursor.map_or(Due::First, |cursor| cursor.due(py, kept.sequence)) {
        Due::Nothing => return false,
        Due::First => {}
        Due::Again(deliveries) => kept.deliveries = deliveries + 1,
    }
    true
}
