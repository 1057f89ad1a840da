//! A loss of power, or an error of the disk, at each single deed of a random workload: what was acknowledged
//! is there, in order, once; nothing is there that was not appended, or that was refused.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

use aether_core::channel::{Limits, Pattern};

use crate::append::End;
use crate::disk::Disk;
use crate::disk::simulated::{Dice, Fault as DiskFault, SimulatedDisk};
use crate::filter::Filter;
use crate::keeper::Keeper;
use crate::log::{Fault, Log};
use crate::opening;
use crate::reader::{Event, Reader, read_wave};
use crate::record::{Encoded, Record, Wave};
use crate::reverse::Backwards;
use crate::scan::{Found, Scan};
use crate::segment::segments;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Waves by sequence.
type Waves = BTreeMap<u64, (String, Vec<u8>)>;

const CHANNELS: [&str; 3] = ["orders.created", "orders.paid", "stock"];

/// What is known of the waves that were appended.
#[derive(Clone, Debug, Default)]
struct Known {
    acknowledged: Waves,
    refused: Waves,
    /// Neither: the power went before it was known.
    open: Waves,
    /// What the cursor says for certain, and what it may say instead.
    said: Option<[u8; 8]>,
    perhaps_said: Vec<[u8; 8]>,
}

fn encoded(channel: &str, payload: &[u8]) -> Encoded {
    Encoded::wave(&Wave::plain(channel, payload)).expect("it fits")
}

/// Appends and commits at random, with snapshots between, until the workload is over or the disk broken. True: it
/// is broken.
fn work(disk: &SimulatedDisk, seed: u64, known: &mut Known) -> bool {
    let mut dice = Dice::new(seed);
    let mut opened = opening::opened(disk).expect("it can be read");
    let mut keeper = Keeper::new(disk.clone(), 7, 1, &mut opened);
    let mut queue = opened.queue(7, 2_048);
    let (mut kept, mut safe) = (None, queue.last());
    let mut log = Log::new(disk.clone());
    for _ in 0..12 {
        let (mut batch, mut said) = (Waves::new(), None);
        for _ in 0..=dice.below(4) {
            let payload = vec![dice.any() as u8; dice.below(900)];
            let channel = CHANNELS[dice.below(CHANNELS.len())];
            let sequence = queue.wave(&mut encoded(channel, &payload), disk);
            batch.insert(sequence, (channel.to_owned(), payload));
        }
        if dice.below(3) == 0 {
            let says = dice.any().to_le_bytes();
            queue.note(&mut Encoded::acknowledged(0.0, "billing", &says), disk);
            said = Some(says);
        }
        let (runs, end): (_, Option<End>) = queue.take();
        match log.commit(&runs, true) {
            Ok(()) => {
                (kept, safe) = (end, queue.last());
                known.acknowledged.append(&mut batch);
                if said.is_some() {
                    (known.said, known.perhaps_said) = (said, Vec::new());
                }
                keeper.committed(&mut opened.known, &runs, true);
                keeper.write_indexes();
                if dice.below(3) == 0 {
                    // Whether it can be written or not, nothing else depends on it.
                    let snapshot = keeper.encode(&opened.known);
                    drop(keeper.write(snapshot));
                }
            }
            Err(Fault::Refused(_)) => {
                queue.give_up(safe, kept);
                known.refused.append(&mut batch);
                known.perhaps_said.extend(said);
            }
            Err(Fault::Broken(_)) => {
                known.open.append(&mut batch);
                known.perhaps_said.extend(said);
                return true;
            }
        }
    }
    false
}

/// What an opening knows is what the segments say, read from their front; and what was said is known.
fn check_opening(disk: &SimulatedDisk, known: &Known, told: &str) {
    let opened = opening::opened(disk).expect("it can be read").known;
    let bare = disk.after_kill();
    for name in bare.names().expect("it can be read") {
        if !name.ends_with(".segment") {
            bare.remove(&name).expect("it is there");
        }
    }
    let read = opening::opened(&bare).expect("it can be read").known;
    let all = Pattern::parse("*", Limits::DEFAULT).expect("a pattern");
    assert_eq!(opened.last_of(&all), read.last_of(&all), "{told}");
    assert_eq!((opened.last, opened.waves()), (read.last, read.waves()), "{told}");
    assert_eq!(opened.cursors, read.cursors, "{told}");
    let (waves, _) = found(disk);
    for (channel, location) in read.last_of(&all) {
        let last = waves.iter().rfind(|(_, (of, _))| *of == *channel);
        assert_eq!(last.map(|(sequence, _)| *sequence), Some(location.sequence), "{told}");
        let there = read_wave(disk, &location, |wave| assert_eq!(wave.channel, &*channel));
        assert!(there.expect("it can be read"), "{told}");
    }
    let says = read.cursors.get("billing").map(|cursor| cursor.state.as_slice());
    let said = known.said.iter().chain(&known.perhaps_said).any(|said| Some(&said[..]) == says);
    assert!(said || (says.is_none() && known.said.is_none()), "{told}: a cursor goes back");
    for (filter, backwards) in
        [("orders.created", false), ("orders.*", true), ("*", true), ("stock", false)]
    {
        let pattern = Pattern::parse(filter, Limits::DEFAULT).expect("a pattern");
        let mut expected: Vec<u64> = Vec::new();
        expected.extend(waves.iter().filter(|(_, (c, _))| pattern.matches(c)).map(|(s, _)| s));
        let filter = Filter { pattern: Some(pattern), ..Filter::default() };
        let mut come = Vec::new();
        let take = |event: Event<'_>| {
            if let Event::Wave(wave) = event {
                come.push(wave.sequence);
            }
            ControlFlow::Continue(())
        };
        let read = if backwards {
            expected.reverse();
            Backwards::new(disk.clone(), filter).and_then(|mut reader| reader.read(take))
        } else {
            Reader::filtered(disk.clone(), filter).and_then(|mut reader| reader.read(take))
        };
        read.expect("it can be read");
        assert_eq!(come, expected, "{told}");
    }
}

/// All waves that are found, which come in order, and the sequences that are said to be given in vain.
fn found(disk: &SimulatedDisk) -> (Waves, Vec<u64>) {
    let (mut waves, mut in_vain) = (Waves::new(), Vec::new());
    for segment in segments(disk).expect("it can be read") {
        let Ok(header) = segment.header else {
            assert!(segment.is_void().expect("it can be read"), "nobody has damaged it");
            continue;
        };
        let mut scan = Scan::new(segment.file, &header);
        while let Some(found) = scan.next().expect("it can be read") {
            match found {
                Found::Record { record: Record::Wave(wave), .. } => {
                    let before = waves.last_key_value().map_or(0, |(&last, _)| last);
                    assert!(before < wave.sequence, "{} after {before}", wave.sequence);
                    waves.insert(wave.sequence, (wave.channel.to_owned(), wave.payload.to_vec()));
                }
                Found::Record { record: Record::Removed(removed), .. } => {
                    in_vain.extend(removed.range());
                }
                _ => {}
            }
        }
    }
    (waves, in_vain)
}

fn check(disk: &SimulatedDisk, known: &Known, told: &str) {
    let (waves, _) = found(disk);
    for (sequence, payload) in &known.acknowledged {
        assert_eq!(waves.get(sequence), Some(payload), "{told}: wave {sequence} was acknowledged");
    }
    for (sequence, payload) in waves {
        let wave = known.acknowledged.get(&sequence).or(known.open.get(&sequence));
        assert_eq!(wave, Some(&payload), "{told}: wave {sequence} was not appended, or refused");
    }
    check_opening(disk, known, told);
}

/// What is said to be missing.
fn gaps(disk: &SimulatedDisk) -> Vec<RangeInclusive<u64>> {
    let mut gaps = Vec::new();
    let mut reader = Reader::after(disk.clone(), 0).expect("it can be read");
    let read = reader.read(|event| {
        if let Event::Gap(gap) = event {
            gaps.push(gap);
        }
        ControlFlow::Continue(())
    });
    read.expect("it can be read");
    gaps
}

/// `AETHER_TORTURE` asks for fifty times as many workloads.
fn times() -> u64 {
    if std::env::var_os("AETHER_TORTURE").is_some() { 50 } else { 1 }
}

/// How many deeds a workload is.
fn deeds(seed: u64) -> usize {
    let disk = SimulatedDisk::new(seed);
    work(&disk, seed, &mut Known::default());
    disk.deeds().len()
}

#[test]
fn the_power_goes_at_each_deed() {
    for seed in 0..20 * times() {
        for at in 0..deeds(seed) {
            for short in [false, true] {
                let told = format!("seed {seed}, power gone at deed {at}, short {short}");
                let mut known = Known::default();
                let disk = SimulatedDisk::new(seed);
                disk.fail(Some(DiskFault { at, lasting: true, errno: EIO, short }));
                // What is refused by a disk that is gone may be there all the same.
                work(&disk, seed, &mut known);
                known.open.append(&mut known.refused);
                let mut dice = Dice::new(seed ^ at as u64);
                let mut left = disk.after_power_loss(&mut dice);
                check(&left, &known, &told);
                // It goes on, and the power goes again.
                work(&left, seed + 1_000, &mut known);
                check(&left, &known, &told);
                left = left.after_power_loss(&mut dice);
                check(&left, &known, &told);
            }
        }
    }
}

#[test]
fn each_deed_fails_once() {
    for seed in 0..12 * times() {
        for at in 0..deeds(seed) {
            for errno in [EIO, ENOSPC] {
                let told = format!("seed {seed}, error {errno} at deed {at}");
                let mut known = Known::default();
                let disk = SimulatedDisk::new(seed);
                disk.fail(Some(DiskFault { at, lasting: false, errno, short: at % 2 == 0 }));
                let broken = work(&disk, seed, &mut known);
                check(&disk, &known, &told);
                let (_, in_vain) = found(&disk);
                let told_of = known.refused.keys().all(|refused| in_vain.contains(refused));
                // Unless nothing came after them.
                let refused_last =
                    known.refused.last_key_value() > known.acknowledged.last_key_value();
                assert!(
                    broken || refused_last || told_of,
                    "{told}: {:?} {in_vain:?}",
                    known.refused.keys()
                );
                check(&disk.after_power_loss(&mut Dice::new(seed)), &known, &told);
                assert_eq!(gaps(&disk), [], "{told}");
                // It goes on, and nothing is said to be missing that was refused.
                let left = disk.after_kill();
                work(&left, seed + 1_000, &mut known);
                check(&left, &known, &told);
                assert!(broken || gaps(&left).is_empty(), "{told}: {:?}", gaps(&left));
            }
        }
    }
}
