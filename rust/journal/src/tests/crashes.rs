//! A loss of power, or an error of the disk, at each single deed of a random workload: what was acknowledged
//! is there, in order, once; nothing is there that was not appended, or that was refused.

use std::collections::BTreeMap;

use crate::append::End;
use crate::disk::simulated::{Dice, Fault as DiskFault, SimulatedDisk};
use crate::log::{Fault, Log};
use crate::queue::Queue;
use crate::record::{Encoded, Record, Wave};
use crate::scan::{Found, Scan};
use crate::segment::segments;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Waves by sequence.
type Waves = BTreeMap<u64, Vec<u8>>;

/// What is known of the waves that were appended.
#[derive(Clone, Debug, Default)]
struct Known {
    acknowledged: Waves,
    refused: Waves,
    /// Neither: the power went before it was known.
    open: Waves,
}

fn encoded(payload: &[u8]) -> Encoded {
    Encoded::wave(&Wave::plain("orders.created", payload)).expect("it fits")
}

/// Appends and commits at random, until the workload is over or the disk broken. True: it is broken.
fn work(disk: &SimulatedDisk, seed: u64, known: &mut Known) -> bool {
    let mut dice = Dice::new(seed);
    let last = last(disk);
    let mut queue = Queue::new(7, 2_048, last);
    let mut log = Log::new(disk.clone());
    let mut kept: Option<End> = None;
    let mut safe = last;
    for _ in 0..12 {
        let mut batch = Waves::new();
        for _ in 0..=dice.below(4) {
            let payload = vec![dice.any() as u8; dice.below(900)];
            let sequence = queue.wave(&mut encoded(&payload), disk);
            batch.insert(sequence, payload);
        }
        let (runs, end) = queue.take();
        match log.commit(&runs, true) {
            Ok(()) => {
                (kept, safe) = (end, queue.last());
                known.acknowledged.append(&mut batch);
            }
            Err(Fault::Refused(_)) => {
                queue.give_up(safe, kept);
                known.refused.append(&mut batch);
            }
            Err(Fault::Broken(_)) => {
                known.open.append(&mut batch);
                return true;
            }
        }
    }
    false
}

/// The sequence that was given last, as it is found.
fn last(disk: &SimulatedDisk) -> u64 {
    let segments = segments(disk).expect("it can be read");
    segments.iter().map(|segment| segment.last().expect("it can be read")).max().unwrap_or(0)
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
                    waves.insert(wave.sequence, wave.payload.to_vec());
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
}

/// How many deeds a workload is.
fn deeds(seed: u64) -> usize {
    let disk = SimulatedDisk::new(seed);
    work(&disk, seed, &mut Known::default());
    disk.deeds().len()
}

#[test]
fn the_power_goes_at_each_deed() {
    for seed in 0..40 {
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
    for seed in 0..60 {
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
                check(&disk.after_kill(), &known, &told);
            }
        }
    }
}
