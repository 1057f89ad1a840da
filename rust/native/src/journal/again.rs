//! Waves that come again: those that were out too long are read from the journal once more, and those that were out
//! too often go to `dead.<channel>`.
//!
//! Contract:
//! - It is the thread of the refill that does so. What comes again is a wave of its own, of the same id and sequence; the
//!   one that its reader had stays as it is. It needs room in the mailbox, as any wave does, and waits for it.
//! - A dead letter has the payload, strength and headers of its wave, and says in headers of its own why it is there:
//!   `aether-reason` (`max_deliveries`), `aether-id`, `aether-deliveries` and `aether-cursor`. It is emitted like any
//!   wave; where it finds no room, or the journal does not take it, it is tried again. Only when the journal has it, its
//!   wave is finished.
//! - A wave on a channel that the library derives is no dead letter: that it is given up is logged. So is it of one
//!   that is in the journal no more, or cannot be read.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use aether_core::channel::check_channel;
use aether_core::medium::Emission;
use aether_core::router::Hint;
use aether_journal::disk::Folder;
use aether_journal::reader::{Event, Reader};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::commit::Admitted;
use super::cursor::Cursor;
use super::fate::Fate;
use super::kept::KeptWave;
use super::restore::Restorer;
use super::suspect::{Suspect, passed_over};
use super::writer::{Appended, Writer};
use crate::channel::{channel_object, text};
use crate::draft::emission_of;
use crate::errors::channel_error;
use crate::headers::REPLY_HEADER;
use crate::ids::Own;
use crate::log;
use crate::origin::Origin;
use crate::rare::Rare;
use crate::shared::Shared;
use crate::taps::is_derived;
use crate::waker::{Aftermath, Post, Sleeper, Waker};
use crate::wave::{Held, PyWave};

/// How many waves are read over rather than looked for anew.
const NEAR: u64 = 256;

/// Reads waves from the journal; those that are not there any more do not come. Not attached.
pub fn fetch(path: &Path, wanted: &[(u64, u32)]) -> io::Result<HashMap<u64, KeptWave>> {
    let mut found = HashMap::new();
    let mut wanted = wanted.iter().map(|&(sequence, _)| sequence).peekable();
    while let Some(&first) = wanted.peek() {
        let mut reader = Reader::after(Folder::new(path)?, first - 1)?;
        let mut beyond = false;
        reader.read(|event| {
            let Event::Wave(wave) = event else { return ControlFlow::Continue(()) };
            while wanted.next_if(|&one| one < wave.sequence).is_some() {}
            if wanted.next_if_eq(&wave.sequence).is_some() {
                found.insert(wave.sequence, KeptWave::of(&wave));
            }
            beyond = wanted.peek().is_none_or(|&next| next > wave.sequence + NEAR);
            if beyond { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if !beyond {
            // The end of what there is.
            break;
        }
    }
    Ok(found)
}

/// Brings waves again whose time is over.
pub fn bring(
    py: Python<'_>,
    shared: &Arc<Shared>,
    writer: &Arc<Writer>,
    cursor: &Arc<Cursor>,
    over: &[(u64, u32)],
    mut found: HashMap<u64, KeptWave>,
    suspect: &mut Suspect,
) {
    let (own, mut restorer) = (Own::now(), Restorer::default());
    let now = shared.medium.clock().monotonic();
    for &(sequence, deliveries) in over {
        let Some(mut kept) = found.remove(&sequence) else {
            log::given_up(py, &cursor.name, &format!("wave {sequence} is in the journal no more"));
            cursor.give_up(py, sequence);
            continue;
        };
        if !suspect.may_make(sequence) {
            log::given_up(py, &cursor.name, &passed_over(sequence));
            cursor.give_up(py, sequence);
            continue;
        }
        kept.deliveries = deliveries + 1;
        let wave = match restorer.wave(writer.decode(py), &own, &kept) {
            Ok(wave) => wave,
            Err(error) => {
                log::given_up(py, &cursor.name, &error.value(py).to_string());
                cursor.give_up(py, sequence);
                continue;
            }
        };
        if cursor.gives_up(py, deliveries) {
            bury(py, shared, writer, cursor, &wave, deliveries);
            continue;
        }
        let mut after = Aftermath::default();
        shared.weigh(py, wave.get());
        let lifetime = wave.get().lifetime(shared.medium.clock());
        let emission = kept.emission(lifetime);
        let there = cursor.bring(py, (sequence, deliveries), now, || {
            let key = cursor.key(py);
            key.is_some_and(|key| shared.medium.bring(key, &emission, Held(wave), &mut after))
        });
        shared.settle(py, after);
        if !there {
            break;
        }
    }
    suspect.is_made();
}

/// Emits a wave for the last time, on `dead.<channel>`, as its reader has had it so many times in vain.
pub fn bury(
    py: Python<'_>,
    shared: &Arc<Shared>,
    writer: &Arc<Writer>,
    cursor: &Arc<Cursor>,
    wave: &Py<PyWave>,
    deliveries: u32,
) {
    let wave = wave.get();
    let sequence = wave.sequence.load(std::sync::atomic::Ordering::Relaxed);
    match emitted(py, shared, writer, cursor, wave, deliveries) {
        Ok(fate) => {
            let now = shared.medium.clock().monotonic();
            cursor.bury(py, sequence, fate.clone(), now);
            // It is looked at when it is told, or at once if it is already.
            let sleeper = Sleeper::Native(shared.gate());
            let waker = Waker { post: Post::Watcher, sleeper };
            if fate.is_none_or(|fate| fate.enlist(waker).is_some()) {
                shared.gate().open();
            }
        }
        Err(error) => {
            log::given_up(py, &cursor.name, &error.value(py).to_string());
            cursor.give_up(py, sequence);
        }
    }
}

/// What becomes of the dead letter; `None`: it finds no room just now.
fn emitted(
    py: Python<'_>,
    shared: &Arc<Shared>,
    writer: &Arc<Writer>,
    cursor: &Cursor,
    wave: &PyWave,
    deliveries: u32,
) -> PyResult<Option<Arc<Fate>>> {
    let from = text(wave.channel.bind(py))?;
    if is_derived(from) {
        return Err(pyo3::exceptions::PyRuntimeError::new_err(format!(
            "wave {} on {from:?} was handed out {deliveries} times and never acknowledged; no dead letters are made of \
             those that the library emits itself",
            wave.id_text()
        )));
    }
    let name = format!("dead.{from}");
    check_channel(&name, shared.limits.derived()).map_err(|fault| channel_error(&name, &fault))?;
    let headers = match wave.headers(py)? {
        Some(headers) => headers.copy()?,
        None => PyDict::new(py),
    };
    if headers.contains(REPLY_HEADER)? {
        headers.del_item(REPLY_HEADER)?;
    }
    headers.set_item("aether-reason", "max_deliveries")?;
    headers.set_item("aether-id", wave.id_text())?;
    headers.set_item("aether-deliveries", deliveries.to_string())?;
    headers.set_item("aether-cursor", &*cursor.name)?;
    let rare = Rare {
        headers: headers.into(),
        phase: wave.phase(),
        frequency: Some(wave.frequency()),
        trail: Some(wave.trail(py)?),
        ..Rare::default()
    };
    let channel = channel_object(&PyString::new(py, &name))?;
    let (payload, timestamp) = (wave.payload.clone_ref(py), shared.medium.clock().unix());
    let source = wave.source.as_ref().map(|source| source.clone_ref(py));
    let dead =
        PyWave::new(py, channel, payload, source, wave.strength, timestamp, Some(Box::new(rare)));
    let dead = Held(dead.into_object(py)?);
    shared.weigh(py, dead.0.get());
    let mut encoded = writer.encoded(py, dead.0.get())?;
    let origin = Origin::new(0, None);
    let emission = Emission { inside: true, ..emission_of(shared, &origin, &dead, &name) };
    let mut after = Aftermath::default();
    let reserved = shared.medium.reserve(&emission, &mut Hint::default(), None, &mut after);
    shared.settle(py, after);
    let Ok(reserved) = reserved else { return Ok(None) };
    let fate = Arc::new(Fate::default());
    let admitted = Box::new(Admitted {
        shared: Arc::clone(shared),
        origin: Arc::new(origin),
        wave: dead,
        reserved,
        begun: shared.begun(),
        fate: Arc::clone(&fate),
        undurably: false,
    });
    match writer.append(&mut encoded, admitted) {
        Appended::Placed(sequence) => {
            fate.place(sequence);
            Ok(Some(fate))
        }
        Appended::Busy(admitted) | Appended::Refused(admitted, _) => {
            admitted.give_up(py);
            Ok(None)
        }
    }
}
