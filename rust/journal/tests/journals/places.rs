//! Where waves stand: the last ones of one moment, and what is read at a place that was told.

use aether_core::channel::{Limits, Pattern};
use aether_journal::disk::Disk;
use aether_journal::disk::simulated::{Fault, SimulatedDisk};
use aether_journal::journal::Location;
use aether_journal::reader::{read_wave, read_waves};
use aether_journal::record::{Encoded, Record, Wave};
use aether_journal::scan::{Found, Scan};

use crate::{OPTIONS, journal, names, open};

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text, Limits::DEFAULT).expect("a pattern")
}

/// The place of each wave.
fn places(disk: &SimulatedDisk) -> Vec<Location> {
    let journal = open(disk, OPTIONS).expect("it can be read");
    let mut places = Vec::new();
    for segment in journal.segments().expect("it can be read") {
        let mut scan = Scan::new(&segment.file, &segment.header.expect("it is sound"));
        while let Some(found) = scan.next().expect("it can be read") {
            if let Found::Record { offset, record: Record::Wave(Wave { sequence, .. }), .. } = found
            {
                places.push(Location { sequence, segment: segment.name.clone(), offset });
            }
        }
    }
    places
}

/// The waves that are read at places, and how many are not there.
fn read(disk: &SimulatedDisk, places: &[Location]) -> (Vec<u64>, usize) {
    let mut come = Vec::new();
    let missing = read_waves(disk, places, |wave| come.push(wave.sequence));
    (come, missing.expect("it can be read"))
}

#[test]
fn the_last_waves_of_several_patterns_come_once_each_in_order() {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk, OPTIONS).expect("an empty disk");
    for channel in ["a.x", "b.x", "a.y", "c.x", "b.x"] {
        let mut wave = Encoded::wave(&Wave::plain(channel, &[])).expect("it fits");
        journal.append(&mut wave, None).expect("there is room");
    }
    journal.flush().expect("a disk without faults");
    let last = |texts: &[&str]| {
        let patterns: Vec<Pattern> = texts.iter().map(|text| pattern(text)).collect();
        let (up_to, last) = journal.last_of_any(&patterns);
        assert_eq!(up_to, 5);
        last.into_iter().map(|(channel, at)| format!("{channel} {}", at.sequence)).collect()
    };
    let all: Vec<String> = last(&["a.*", "*.x", "b.x"]);
    assert_eq!(all, ["a.x 1", "a.y 3", "c.x 4", "b.x 5"]);
    let all: Vec<String> = last(&["b.x", "a.y"]);
    assert_eq!(all, ["a.y 3", "b.x 5"]);
    assert_eq!(last(&["b.x"]), Vec::from(["b.x 5".to_owned()]));
    assert_eq!(last(&[]), Vec::<String>::new());
}

#[test]
fn what_is_not_at_its_place_any_more_is_counted() {
    let disk = journal(24);
    let places = places(&disk);
    assert_eq!(read(&disk, &places), ((1..=24).collect(), 0));
    let others = |gone: &[u64]| (1..=24).filter(|one| !gone.contains(one)).collect::<Vec<u64>>();
    // A record that is damaged.
    let third = &places[2];
    disk.change(&third.segment, |bytes| bytes[third.offset as usize + 50] ^= 1);
    assert_eq!(read(&disk, &places), (others(&[3]), 1));
    assert!(!read_wave(&disk, third, |_| panic!("it is damaged")).expect("it can be read"));
    // Another wave stands there.
    let moved = Location { sequence: 5, ..places[5].clone() };
    assert_eq!(read(&disk, &[moved]), (vec![], 1));
    // A segment without a head, one that is gone, and a name that is none.
    let of = |name: &str| -> Vec<u64> {
        places.iter().filter(|at| at.segment == name).map(|at| at.sequence).collect()
    };
    let names = names(&disk);
    disk.change(&names[0], |bytes| bytes[..128].fill(0));
    disk.remove(&names[2]).expect("it is there");
    let gone = [of(&names[0]), of(&names[2])].concat();
    assert!(gone.contains(&3));
    assert_eq!(read(&disk, &places), (others(&gone), gone.len()));
    let nameless = Location { segment: "lock".to_owned(), ..places[0].clone() };
    assert_eq!(read(&disk, &[nameless]), (vec![], 1));
    // What cannot be read is not taken for gone.
    for number in 0..3 {
        let at = disk.looks() + number;
        disk.fail_looks(Some(Fault { at, lasting: false, errno: 5, short: false }));
        let read = read_wave(&disk, &places[23], |_| panic!("it cannot be read"));
        assert_eq!(read.expect_err("it cannot be read").raw_os_error(), Some(5));
    }
}

#[test]
fn a_segment_that_is_gone_is_forgotten_and_the_wave_before_is_found() {
    let disk = SimulatedDisk::new(1);
    for numbers in [1..=3, 4..=4, 5..=6] {
        let journal = open(&disk, OPTIONS).expect("it can be read");
        numbers.for_each(|number| _ = journal.append(&mut crate::wave(number), None));
    }
    let journal = open(&disk, OPTIONS).expect("it can be read");
    let known = || {
        let last = journal.last_of(&pattern("*"));
        (journal.waves(), last.iter().map(|(_, at)| at.sequence).collect::<Vec<u64>>())
    };
    assert_eq!(known(), (6, vec![6]));
    // The last one of all begins with a wave that is not the last; the one before, with one that is, when it is gone.
    for (name, expected) in names(&disk).iter().rev().zip([(4, vec![4]), (3, vec![3])]) {
        disk.remove(name).expect("it is there");
        journal.refresh().expect("it can be read");
        assert_eq!(known(), expected);
    }
    let disk = SimulatedDisk::new(1);
    for numbers in [1..=3, 4..=4] {
        let journal = open(&disk, OPTIONS).expect("it can be read");
        numbers.for_each(|number| _ = journal.append(&mut crate::wave(number), None));
    }
    let journal = open(&disk, OPTIONS).expect("it can be read");
    disk.remove(&names(&disk)[1]).expect("it is there");
    journal.refresh().expect("it can be read");
    let last = journal.last_of(&pattern("*"));
    assert_eq!((journal.waves(), last.len(), journal.last()), (3, 1, 4), "none is given twice");
}
