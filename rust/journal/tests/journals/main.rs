//! Journals: what was appended is read, and what cannot be read is told.
#![cfg(unix)]

mod backwards;
mod damage;
mod disks;
mod history;
mod indexes;
mod intervals;
mod killed;
mod large;
mod panics;
mod places;
mod reading;
mod snapshots;
mod waiting;
mod writing;

use std::ops::ControlFlow;

use aether_journal::disk::Disk;
use aether_journal::disk::simulated::SimulatedDisk;
use aether_journal::journal::{Journal, OpenError, Options};
use aether_journal::reader::{Event, Reader};
use aether_journal::record::{Encoded, Wave};

/// Small segments, so that there are some.
const OPTIONS: Options = Options { segment_bytes: 700, pending_bytes: 1 << 20, ..Options::DEFAULT };

/// A wave that says only its number.
fn wave(number: u64) -> Encoded {
    Encoded::wave(&Wave::plain("orders.created", &number.to_le_bytes())).expect("it fits")
}

/// Opens a journal whose waiters are told nothing.
fn open<D: Disk + Clone>(disk: &D, options: Options) -> Result<Journal<D, ()>, OpenError> {
    Journal::open(disk.clone(), options, |_| {})
}

/// A journal of so many waves.
fn journal(count: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk, OPTIONS).expect("an empty disk");
    for number in 1..=count {
        let sequence = journal.append(&mut wave(number), None).expect("there is room");
        assert_eq!(sequence, number);
    }
    journal.close().expect("a disk without faults");
    disk
}

/// What a reader tells.
#[derive(Debug, Default, PartialEq)]
struct Told {
    /// Their sequences, which are their numbers too.
    waves: Vec<u64>,
    /// The sequences that are missing.
    gaps: Vec<u64>,
    damaged: usize,
    torn: usize,
    unreadable: usize,
}

impl Told {
    fn read<D: Disk>(reader: &mut Reader<D>) -> Self {
        let mut told = Self::default();
        let read = reader.read(|event| {
            told.take(event);
            ControlFlow::Continue(())
        });
        read.expect("a disk without faults");
        told
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Wave(wave) => {
                assert_eq!(wave.payload, wave.sequence.to_le_bytes(), "the wave that was appended");
                self.waves.push(wave.sequence);
            }
            Event::Gap(range) => self.gaps.extend(range),
            Event::Damage { .. } => self.damaged += 1,
            Event::TornTail { .. } => self.torn += 1,
            Event::Unreadable { .. } => self.unreadable += 1,
            Event::Acknowledged { .. } => {}
        }
    }
}

fn all<D: Disk + Clone>(disk: &D) -> Told {
    Told::read(&mut Reader::after(disk.clone(), 0).expect("it can be read"))
}

/// The names of the segments, in order.
fn names(disk: &SimulatedDisk) -> Vec<String> {
    let mut names = disk.names().expect("it can be read");
    names.retain(|name| name.ends_with(".segment"));
    names.sort();
    names
}
