//! Journals: what was appended is read, and what cannot be read is told.
#![cfg(unix)]

mod damage;
mod killed;
mod large;
mod reading;
mod writing;

use std::ops::ControlFlow;

use aether_journal::disk::Disk;
use aether_journal::disk::simulated::SimulatedDisk;
use aether_journal::journal::{Journal, Options};
use aether_journal::reader::{Event, Reader};
use aether_journal::record::{Codec, Encoded, Headers, Wave};

/// Small segments, so that there are some.
const OPTIONS: Options = Options { segment_bytes: 700, sync: true, pending_bytes: 1 << 20 };

/// A wave that says only its number.
fn wave(number: u64) -> Encoded {
    let payload = number.to_le_bytes();
    let wave = Wave {
        sequence: 0,
        time: 1.7e9,
        channel: "orders.created",
        source: None,
        id: "a-1",
        amplitude: 1.0,
        priority: 1.0,
        phase: 0.0,
        frequency: 1.0,
        ttl: f64::INFINITY,
        hops: 1,
        headers: Headers::default(),
        codec: Codec(2),
        payload: &payload,
    };
    Encoded::wave(&wave).expect("it fits")
}

/// A journal of so many waves.
fn journal(count: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let journal = Journal::open(disk.clone(), OPTIONS).expect("an empty disk");
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
    names.sort();
    names
}
