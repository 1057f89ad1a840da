//! An index counts for its segment as that is now, and for what was asked for.

use std::ops::ControlFlow;

use aether_journal::disk::simulated::{Deed, SimulatedDisk};
use aether_journal::disk::{Disk, File};
use aether_journal::filter::Filter;
use aether_journal::journal::Options;
use aether_journal::reader::{Event, Reader};
use aether_journal::record::{Encoded, Wave};

use crate::{OPTIONS, Told, journal, names, open};

fn index(segment: &str) -> String {
    segment.replace(".segment", ".index")
}

fn positioned(disk: &SimulatedDisk, after: u64) -> Told {
    let filter = Filter { after: Some(after), ..Filter::default() };
    Told::read(&mut Reader::filtered(disk.clone(), filter).expect("it can be read"))
}

#[test]
fn an_index_of_a_segment_that_has_become_shorter_or_longer_is_none() {
    let disk = journal(24);
    let name = names(&disk)[0].clone();
    assert_eq!(positioned(&disk, 2).waves, (3..=24).collect::<Vec<u64>>());
    let whole = disk.bytes(&name).expect("it is there");
    disk.change(&name, |bytes| bytes.truncate(bytes.len() - 100));
    let told = positioned(&disk, 2);
    assert_eq!((told.waves.len() + told.gaps.len(), told.gaps.len()), (22, 1));
    assert_eq!(told.damaged, 1, "what is left of a record is come to");
    disk.change(&name, |bytes| {
        bytes.clone_from(&whole);
        bytes.extend([7; 24]);
    });
    assert_eq!(positioned(&disk, 2).damaged, 1);
}

#[test]
fn an_index_of_another_segment_is_none() {
    let disk = journal(24);
    let names = names(&disk);
    let [first, second] = [&names[1], &names[2]].map(|name| disk.bytes(name).expect("it is there"));
    assert_eq!(first.len(), second.len());
    let other = disk.bytes(&index(&names[2])).expect("it is there");
    disk.change(&index(&names[1]), |bytes| bytes.clone_from(&other));
    let told = positioned(&disk, 2);
    assert_eq!(told, Told { waves: (3..=24).collect(), ..Told::default() });
}

#[test]
fn whoever_reads_everything_is_told_of_all_notes_before_the_first_wave() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 1 << 20, ..OPTIONS };
    let journal = open(&disk, options).expect("an empty disk");
    // Each is a block of its own.
    for number in 0..3 {
        journal.acknowledge("billing", &vec![number; 70_000], None).expect("there is room");
    }
    journal.append(&mut crate::wave(1), None).expect("there is room");
    journal.close().expect("a disk without faults");
    assert!(disk.bytes(&index(&names(&disk)[0])).is_some());
    let mut told = Vec::new();
    let mut reader = Reader::after(disk, 0).expect("it can be read");
    let read = reader.read(|event| {
        told.push(match event {
            Event::Acknowledged { state, .. } => i32::from(state[0]),
            Event::Wave(_) => -1,
            other => panic!("{other:?}"),
        });
        ControlFlow::Continue(())
    });
    read.expect("it can be read");
    assert_eq!(told, [0, 1, 2, -1]);
}

#[test]
fn an_index_that_is_not_to_be_read_is_done_without() {
    let disk = journal(24);
    let name = index(&names(&disk)[0]);
    // Some bytes that are none, and none at all.
    for bytes in [&b"aetherI1"[..], b"aether", b""] {
        disk.remove(&name).expect("it is there");
        disk.create(&name).and_then(|file| file.write_at(0, bytes)).expect("it is new");
        assert_eq!(positioned(&disk, 2).waves.len(), 22);
    }
}

#[test]
fn a_segment_ends_just_at_its_limit() {
    let size = crate::wave(1).size() as u64;
    let (head, seal) = (128, 48);
    for (limit, waves) in [(head + 5 * size, 5), (head + 5 * size - 1, 4), (head + 5 * size + 1, 5)]
    {
        let disk = SimulatedDisk::new(1);
        let options = Options { segment_bytes: limit, ..OPTIONS };
        let journal = open(&disk, options).expect("an empty disk");
        for number in 1..=6 {
            journal.append(&mut crate::wave(number), None).expect("there is room");
        }
        journal.close().expect("a disk without faults");
        let first = disk.bytes(&names(&disk)[0]).expect("it is there").len() as u64;
        assert_eq!(first, head + waves * size + seal, "limit {limit}");
    }
    // One that is larger has a segment for itself, which is not left empty before it.
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk, OPTIONS).expect("an empty disk");
    for _ in 0..2 {
        let large = Wave::plain("orders.created", &[7; 5_000]);
        journal.append(&mut Encoded::wave(&large).expect("it fits"), None).expect("there is room");
    }
    journal.close().expect("a disk without faults");
    assert_eq!(names(&disk).len(), 2);
}

#[test]
fn an_index_that_is_sound_is_not_written_again() {
    let disk = journal(24);
    for name in disk.names().expect("it can be read") {
        if name.ends_with(".snapshot") {
            disk.remove(&name).expect("it is there");
        }
    }
    let before = disk.deeds().len();
    open(&disk, OPTIONS).expect("it can be read").forget();
    let deeds = &disk.deeds()[before..];
    assert!(!deeds.contains(&Deed::Create) && !deeds.contains(&Deed::Remove), "{deeds:?}");
}
