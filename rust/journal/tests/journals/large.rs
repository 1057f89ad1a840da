//! Segments of real sizes, damaged and cut at each place: what is lost is exactly what was hit, and is told.

use std::ops::{ControlFlow, RangeInclusive};

use aether_journal::disk::simulated::{Dice, SimulatedDisk};
use aether_journal::header::RECORDS;
use aether_journal::journal::Options;
use aether_journal::reader::{Event, Reader};
use aether_journal::scan::{Found, Scan};
use aether_journal::segment::segments;

use crate::{names, open, wave};

/// A journal whose first segment has this size, and where each of its waves ends.
fn large(segment_bytes: u64) -> (SimulatedDisk, Vec<(u64, u64)>) {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes, ..Options::DEFAULT };
    let journal = open(&disk, options).expect("an empty disk");
    let mut number = 0;
    while names(&disk).len() < 2 {
        number += 1;
        journal.append(&mut wave(number), None).expect("there is room");
        journal.wait(number).expect("a disk without faults");
    }
    journal.close().expect("a disk without faults");
    let first = segments(&disk).expect("it can be read").remove(0);
    let mut scan = Scan::new(first.file, &first.header.expect("it is sound"));
    let mut ends = Vec::new();
    while let Some(found) = scan.next().expect("it can be read") {
        let Found::Record { offset, bytes, record } = found else { panic!("{found:?}") };
        ends.push((record.sequence(), offset + bytes.len() as u64));
    }
    ends.pop().expect("it ends with a seal");
    (disk, ends)
}

/// The sequences that are read, and the gaps.
fn told(disk: &SimulatedDisk) -> (Vec<u64>, Vec<RangeInclusive<u64>>) {
    let (mut waves, mut gaps) = (Vec::new(), Vec::new());
    let mut reader = Reader::after(disk.clone(), 0).expect("it can be read");
    let read = reader.read(|event| {
        match event {
            Event::Wave(wave) => {
                assert_eq!(wave.payload, wave.sequence.to_le_bytes(), "the wave that was appended");
                waves.push(wave.sequence);
            }
            Event::Gap(gap) => gaps.push(gap),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    read.expect("it can be read");
    (waves, gaps)
}

#[test]
fn each_bit_of_16_kib_costs_its_wave() {
    let (disk, ends) = large(16 << 10);
    let name = &names(&disk)[0];
    let bytes = disk.bytes(name).expect("it is there");
    let (whole, none) = told(&disk);
    assert!(bytes.len() > 16_000 && none.is_empty() && whole.len() == ends.len() + 1);
    for bit in 0..bytes.len() * 8 {
        disk.change(name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let (waves, gaps) = told(&disk);
        let byte = (bit / 8) as u64;
        let hit = ends.iter().find(|(_, end)| byte < *end).filter(|_| byte >= RECORDS);
        let gap = hit.map(|&(sequence, _)| sequence..=sequence);
        let left = whole.iter().filter(|wave| gap.as_ref().is_none_or(|gap| !gap.contains(wave)));
        assert!(waves.iter().eq(left), "bit {bit}");
        assert_eq!(gaps, Vec::from_iter(gap), "bit {bit}");
        disk.change(name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
    }
}

#[test]
fn many_bits_of_16_kib_cost_what_they_hit() {
    let (disk, ends) = large(16 << 10);
    let name = &names(&disk)[0];
    let bytes = disk.bytes(name).expect("it is there");
    let (whole, _) = told(&disk);
    let mut dice = Dice::new(4);
    for round in 0..10_000 {
        let mut hit = Vec::new();
        disk.change(name, |bytes| {
            for _ in 0..2 + dice.below(30) {
                let byte = RECORDS as usize + dice.below(bytes.len() - RECORDS as usize);
                bytes[byte] ^= 1 << dice.below(8);
                hit.extend(
                    ends.iter().find(|(_, end)| (byte as u64) < *end).map(|(wave, _)| *wave),
                );
            }
        });
        let (waves, gaps) = told(&disk);
        let missing: Vec<u64> = gaps.into_iter().flatten().collect();
        // Two flips of the same bit leave it as it was.
        assert!(missing.iter().all(|wave| hit.contains(wave)), "round {round}");
        let left = whole.iter().filter(|wave| !missing.contains(wave));
        assert!(waves.iter().eq(left), "round {round}");
        disk.change(name, |now| now.clone_from(&bytes));
    }
}

#[test]
fn a_segment_of_64_kib_keeps_the_longest_sound_part_wherever_it_is_cut() {
    let (disk, ends) = large(64 << 10);
    let names = names(&disk);
    // It is the last one, so that its end is the journal's.
    let (last, bytes) = (SimulatedDisk::new(1), disk.bytes(&names[0]).expect("it is there"));
    aether_journal::disk::Disk::create(&last, &names[0]).expect("it is new");
    for length in 0..=bytes.len() {
        last.change(&names[0], |now| {
            now.clear();
            now.extend(&bytes[..length]);
        });
        let (waves, gaps) = told(&last);
        let whole = ends.iter().filter(|(_, end)| *end <= length as u64).count() as u64;
        let whole = if length < 64 { 0 } else { whole };
        assert!(waves.iter().copied().eq(1..=whole), "cut at {length}");
        assert_eq!(gaps, [], "cut at {length}");
    }
}
