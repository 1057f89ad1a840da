//! The last wave of each channel of a journal, as Python objects.
//!
//! Contract:
//! - All of them are of one moment, during the call: the last waves up to the sequence that is returned, each delivered
//!   by now. What was delivered before the call is among them, or older than one of them.
//! - Whoever asks in the thread that commits, as a tap or the end of a payload may, gets what is in the files: that thread
//!   cannot wait for itself, so what it writes or delivers just now may be there already, or not yet.
//! - One that the medium retains is that very object; the others are read, one record for each, without the interpreter.
//! - A wave that cannot be made of what was read is logged and passed over. One that retention has taken out meanwhile
//!   is not there.

use std::collections::{HashMap, HashSet};
use std::io;

use aether_core::channel::Pattern;
use aether_core::medium::Last;
use aether_journal::disk::Folder;
use aether_journal::reader::{Location, read_waves};
use pyo3::prelude::*;

use super::commit::delivers_here;
use super::kept::KeptWave;
use super::restore::Restorer;
use super::writer::Writer;
use crate::errors::JournalError;
use crate::fork::{self, Inside};
use crate::ids::Own;
use crate::log;
use crate::shared::Shared;
use crate::wave::{Hands, Held};

/// How often it is looked again if waves are not where they were, since a segment was written anew.
const LOOKS: usize = 3;

/// The last waves of the channels that some of these patterns take, by rising sequences; and up to which wave.
pub fn find(
    py: Python<'_>,
    shared: &Shared,
    writer: &Writer,
    patterns: &[Pattern],
) -> PyResult<(u64, Vec<Last<Held>>)> {
    fork::goes_on()?;
    // A program that ends waits for it.
    let _inside = Inside::enter(py);
    let mut look = 1;
    let (up_to, mut found, read) = loop {
        let delivered = shared.medium.delivered_to();
        let (up_to, places) = py.detach(|| {
            if !delivers_here() {
                writer.until_written(delivered);
            }
            writer.last_of(patterns)
        });
        if shared.medium.delivered_to() < up_to && !delivers_here() {
            // It is in the files, and delivered any moment.
            py.detach(|| writer.until_told());
        }
        let mut retained = shared.medium.last(patterns, &Hands(py));
        retained.retain(|last| last.sequence <= up_to);
        let held: HashSet<u64> = retained.iter().map(|last| last.sequence).collect();
        let places = places.into_iter().filter(|place| !held.contains(&place.sequence)).collect();
        let read = py.detach(|| read(writer, places));
        let (read, missing) = read.map_err(|error| unreadable(writer, &error))?;
        if missing == 0 || look == LOOKS {
            break (up_to, retained, read);
        }
        look += 1;
        py.detach(|| writer.look_again()).map_err(|error| unreadable(writer, &error))?;
    };
    let (own, mut restorer) = (Own::now(), Restorer::default());
    for kept in read {
        match restorer.wave(writer.decode(py), &own, &kept) {
            Ok(wave) => found.push(Last { sequence: kept.sequence, emitter: 0, item: Held(wave) }),
            Err(error) => {
                let why = error.value(py).to_string();
                log::no_last(py, &writer.path().to_string_lossy(), &why);
            }
        }
    }
    Ok((up_to, one_of_each(py, found)))
}

/// A channel has one last wave: what is retained may be older than what was read, or newer.
fn one_of_each(py: Python<'_>, mut found: Vec<Last<Held>>) -> Vec<Last<Held>> {
    found.sort_by_key(|last| last.sequence);
    let channel = |last: &Last<Held>| last.item.0.get().channel.bind(py).to_string();
    let newest: HashMap<String, u64> =
        found.iter().map(|last| (channel(last), last.sequence)).collect();
    found.retain(|last| newest.get(&channel(last)) == Some(&last.sequence));
    found
}

fn read(writer: &Writer, places: Vec<Location>) -> io::Result<(Vec<KeptWave>, usize)> {
    let mut waves = Vec::with_capacity(places.len());
    let folder = Folder::new(writer.path())?;
    let missing = read_waves(&folder, &places, |wave| waves.push(KeptWave::of(&wave)))?;
    Ok((waves, missing))
}

#[cold]
fn unreadable(writer: &Writer, error: &impl std::fmt::Display) -> PyErr {
    let path = writer.path().display();
    JournalError::new_err(format!("{path}: the journal cannot be read: {error}"))
}
