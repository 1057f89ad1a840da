//! Keeping journals and mending them.
#![cfg(unix)]

mod backups;
mod faults;
mod looks;
mod plain;
mod plans;
mod power;
mod repairing;
mod repeats;
mod retention;
mod verifying;

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

use aether_core::channel::{Limits, Pattern};
use aether_journal::disk::Disk;
use aether_journal::disk::simulated::{Fault, SimulatedDisk};
use aether_journal::journal::{Journal, Options, Refusal};
use aether_journal::keeping::unwatched;
use aether_journal::keeping::verify::{Report, verify};
use aether_journal::reader::{Event, Reader, read_wave};
use aether_journal::record::{Codec, Encoded, Headers, Record, Wave};
use aether_journal::scan::{Found, Scan};
use aether_journal::segment::segments;

const CHANNELS: [&str; 4] = ["orders.created", "orders.paid", "users.registered", "a"];

/// What is done to a journal.
#[derive(Clone, Debug)]
enum Step {
    /// A wave on one of the channels, made so many seconds after the beginning.
    Wave { channel: usize, time: u32, size: usize },
    /// A cursor says its next number.
    Cursor(usize),
    /// The disk is full for a wave.
    Refused,
    /// It is closed and opened again.
    Reopened,
}

/// A wave as it is compared.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    sequence: u64,
    channel: String,
    time: f64,
    payload: Vec<u8>,
    /// Of its record.
    bytes: u64,
}

fn encoded(channel: &str, time: f64, payload: &[u8]) -> Encoded {
    let wave = Wave {
        sequence: 0,
        time,
        channel,
        source: Some("shop"),
        id: "a-1",
        amplitude: 1.0,
        priority: 1.0,
        phase: 0.0,
        frequency: 1.0,
        ttl: f64::INFINITY,
        hops: 1,
        headers: Headers::default(),
        undoes: None,
        codec: Codec(2),
        payload,
    };
    Encoded::wave(&wave).expect("it fits")
}

/// Writes a journal; returns what was committed, and what cursors said last.
fn write(
    disk: &SimulatedDisk,
    segment_bytes: u64,
    steps: &[Step],
) -> (Vec<Plain>, BTreeMap<String, Vec<u8>>) {
    let options = Options { segment_bytes, ..Options::DEFAULT };
    let open = || Journal::<_, ()>::open(disk.clone(), options, drop).expect("nobody writes there");
    let (mut journal, mut waves, mut said) = (open(), Vec::new(), BTreeMap::new());
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Wave { channel, time, size } => {
                let (channel, time) = (CHANNELS[channel % CHANNELS.len()], f64::from(time));
                let payload = vec![number as u8; size];
                let mut wave = encoded(channel, time, &payload);
                let bytes = wave.size() as u64;
                let sequence = journal.append(&mut wave, None).expect("there is room");
                journal.wait(sequence).expect("a disk without faults");
                waves.push(Plain { sequence, channel: channel.into(), time, payload, bytes });
            }
            Step::Cursor(cursor) => {
                let (name, state) = (format!("cursor-{cursor}"), number.to_le_bytes().to_vec());
                journal.acknowledge(&name, &state, None).expect("there is room");
                said.insert(name, state);
            }
            Step::Refused => {
                // What was said before is committed first.
                journal.close().expect("a disk without faults");
                journal = open();
                disk.fail(Some(Fault { at: 0, lasting: true, errno: 28, short: false }));
                let sequence =
                    journal.append(&mut encoded("a", 0.0, &[]), None).expect("it is tried");
                let refused = journal.wait(sequence);
                assert!(matches!(refused, Err(Refusal::Full(_))), "{refused:?}");
                disk.fail(None);
            }
            Step::Reopened => {
                journal.close().expect("a disk without faults");
                journal = open();
            }
        }
    }
    journal.close().expect("a disk without faults");
    (waves, said)
}

/// What a reader tells.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    waves: Vec<Plain>,
    gaps: Vec<RangeInclusive<u64>>,
    damage: usize,
    torn: usize,
    unreadable: usize,
}

fn read_after<D: Disk>(disk: D, sequence: u64) -> Told {
    let mut told = Told::default();
    let mut reader = Reader::after(disk, sequence).expect("it can be read");
    let read = reader.read(|event| {
        match event {
            Event::Wave(wave) => {
                assert_eq!((wave.source, wave.id), (Some("shop"), "a-1"));
                let again = encoded(wave.channel, wave.time, wave.payload);
                told.waves.push(Plain {
                    sequence: wave.sequence,
                    channel: wave.channel.to_owned(),
                    time: wave.time,
                    payload: wave.payload.to_vec(),
                    bytes: again.size() as u64,
                });
            }
            Event::Acknowledged { .. } => {}
            Event::Gap(range) => told.gaps.push(range),
            Event::Damage { .. } => told.damage += 1,
            Event::TornTail { .. } => told.torn += 1,
            Event::Unreadable { .. } => told.unreadable += 1,
        }
        ControlFlow::Continue(())
    });
    read.expect("it can be read");
    told
}

/// What each cursor says last.
fn said<D: Disk>(disk: &D) -> BTreeMap<String, Vec<u8>> {
    let mut said = BTreeMap::new();
    for segment in segments(disk).expect("it can be read") {
        let Ok(header) = segment.header else { continue };
        let mut scan = Scan::new(&segment.file, &header);
        while let Some(found) = scan.next().expect("it can be read") {
            if let Found::Record { record: Record::Acknowledged { cursor, state, .. }, .. } = found
            {
                said.insert(cursor.to_owned(), state.to_vec());
            }
        }
    }
    said
}

fn read<D: Disk>(disk: D) -> Told {
    read_after(disk, 0)
}

fn verified<D: Disk>(disk: &D) -> Report {
    verify(disk, &mut unwatched).expect("it can be read")
}

/// The waves of each segment, and its base.
fn by_segment(disk: &SimulatedDisk) -> Vec<(u64, Vec<u64>)> {
    let segments = segments(disk).expect("it can be read");
    let waves = |segment: &aether_journal::segment::Segment<_>| {
        let header = segment.header.expect("nobody has damaged it");
        let mut scan = Scan::new(&segment.file, &header);
        let mut waves = Vec::new();
        while let Some(found) = scan.next().expect("it can be read") {
            if let Found::Record { record: Record::Wave(wave), .. } = found {
                waves.push(wave.sequence);
            }
        }
        waves
    };
    segments.iter().map(|segment| (segment.base, waves(segment))).collect()
}

/// The names of the segments, in order.
fn names(disk: &SimulatedDisk) -> Vec<String> {
    segments(disk).expect("it can be read").into_iter().map(|segment| segment.name).collect()
}

/// So many waves, on all channels, with cursors between them.
fn some_steps(count: usize) -> Vec<Step> {
    let step = |number: usize| match number % 7 {
        3 => Step::Cursor(number % 2),
        _ => Step::Wave { channel: number % 5, time: number as u32, size: number * 11 % 40 },
    };
    (0..count).map(step).collect()
}

/// A journal that is opened knows of its channels and cursors what is read.
fn check_known(disk: &SimulatedDisk, told: &str) {
    let disk = disk.after_kill();
    let journal = Journal::<_, ()>::open(disk.clone(), Options::DEFAULT, drop);
    check_last(&journal.expect("nobody writes there"), &disk, told);
}

/// The same of one that is open.
fn check_last(journal: &Journal<SimulatedDisk, ()>, disk: &SimulatedDisk, told: &str) {
    let found = read(disk.clone());
    let mut last = BTreeMap::new();
    for wave in &found.waves {
        last.insert(wave.channel.clone(), wave.sequence);
    }
    let all = Pattern::parse("*", Limits::DEFAULT).expect("a pattern");
    let known = journal.last_of(&all);
    for (_, location) in &known {
        let there = read_wave(disk, location, |wave| assert_eq!(wave.sequence, location.sequence));
        assert!(there.expect("it can be read"), "{told}: {location:?}");
    }
    let known: BTreeMap<String, u64> =
        known.into_iter().map(|(channel, location)| (channel.into(), location.sequence)).collect();
    assert_eq!(known, last, "{told}");
    assert_eq!(journal.waves(), found.waves.len() as u64, "{told}");
    let cursors = journal.cursors().into_iter().map(|(name, state)| (name.into(), state));
    assert_eq!(cursors.collect::<BTreeMap<String, _>>(), said(disk), "{told}");
}
