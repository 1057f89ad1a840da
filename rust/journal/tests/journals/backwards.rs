//! What is told of the ends of a journal, and of what is wrong in it, when it is read backwards: the same as forwards.

use std::ops::ControlFlow;

use aether_journal::append::End;
use aether_journal::disk::Disk;
use aether_journal::disk::simulated::SimulatedDisk;
use aether_journal::filter::Filter;
use aether_journal::reader::{Event, Reader};
use aether_journal::record::{Encoded, Wave};
use aether_journal::reverse::Backwards;
use aether_journal::segment::segments;

use crate::{Told, journal, names};

fn forwards(disk: &SimulatedDisk, filter: &Filter) -> Told {
    Told::read(&mut Reader::filtered(disk.clone(), filter.clone()).expect("it can be read"))
}

/// In the order of a reader that goes forwards.
fn backwards(disk: &SimulatedDisk, filter: &Filter) -> Told {
    let mut told = Told::default();
    let mut reader = Backwards::new(disk.clone(), filter.clone()).expect("it can be read");
    let read = reader.read(|event| {
        match event {
            Event::Gap(gap) => told.gaps.extend(gap.rev()),
            other => told.take(other),
        }
        ControlFlow::Continue(())
    });
    read.expect("it can be read");
    told.waves.reverse();
    told.gaps.reverse();
    told
}

fn both(disk: &SimulatedDisk, filter: &Filter) -> Told {
    let told = forwards(disk, filter);
    assert_eq!(backwards(disk, filter), told, "{filter:?}");
    told
}

/// The base of a segment, by its name.
fn base(name: &str) -> u64 {
    name[..20].parse().expect("it begins with its base")
}

fn without_indexes(disk: &SimulatedDisk) {
    for name in disk.names().expect("it can be read") {
        if name.contains(".index") {
            disk.remove(&name).expect("it is there");
        }
    }
}

#[test]
fn nothing_is_missing_before_the_first_segment_unless_it_is_asked_for() {
    let disk = journal(24);
    let names = names(&disk);
    disk.remove(&names[0]).expect("it is there");
    let first = base(&names[1]);
    assert!(first > 5);
    let whole = both(&disk, &Filter::default());
    assert_eq!((whole.waves, whole.gaps), ((first..=24).collect(), vec![]));
    for after in [3, first - 1, first] {
        let told = both(&disk, &Filter { after: Some(after), ..Filter::default() });
        let next = (after + 1).max(first);
        assert_eq!((told.waves, told.gaps), ((next..=24).collect(), (after + 1..first).collect()));
    }
    assert_eq!(both(&disk, &Filter { after: Some(0), ..Filter::default() }).gaps, vec![]);
}

#[test]
fn what_is_missing_just_before_the_end_that_was_asked_for_is_told() {
    let disk = journal(24);
    let names = names(&disk);
    without_indexes(&disk);
    // The seal and the last wave are gone, and only the next segment shows it.
    disk.change(&names[1], |bytes| bytes.truncate(bytes.len() - 100));
    let end = base(&names[2]);
    let told = both(&disk, &Filter { before: Some(end), ..Filter::default() });
    assert_eq!((told.gaps, told.waves), (vec![end - 1], (1..end - 1).collect()));
    // The torn record is told by whoever comes to it.
    let filter = Filter { before: Some(end - 1), ..Filter::default() };
    for told in [forwards(&disk, &filter), backwards(&disk, &filter)] {
        assert_eq!((told.gaps, told.waves), (vec![], (1..end - 1).collect()));
    }
}

#[test]
fn what_is_behind_the_end_that_was_asked_for_is_not_looked_at() {
    let disk = journal(24);
    let names = names(&disk);
    disk.change(&names[3], |bytes| bytes[..128].fill(7));
    let end = base(&names[2]);
    let told = both(&disk, &Filter { before: Some(end), ..Filter::default() });
    assert_eq!(told, Told { waves: (1..end).collect(), ..Told::default() });
    // Within a segment too.
    let told = both(&disk, &Filter { before: Some(end - 2), ..Filter::default() });
    assert_eq!(told, Told { waves: (1..end - 2).collect(), ..Told::default() });
}

#[test]
fn only_the_very_end_of_a_journal_is_a_torn_tail() {
    for indexed in [true, false] {
        let disk = journal(24);
        if !indexed {
            without_indexes(&disk);
        }
        let names = names(&disk);
        let last = names.last().expect("there are some");
        let bytes = |name: &str| disk.bytes(name).expect("it is there");
        let (inner, outer) = (bytes(&names[1]), bytes(last));
        // At the end of a segment that is not the last one.
        disk.change(&names[1], |bytes| bytes.extend([7; 20]));
        let told = both(&disk, &Filter::default());
        assert_eq!((told.damaged, told.torn, told.waves.len()), (1, 0, 24));
        disk.change(&names[1], |bytes| bytes.clone_from(&inner));
        // In the midst of the last one.
        disk.change(last, |bytes| bytes[150] ^= 1);
        let told = both(&disk, &Filter::default());
        assert_eq!((told.damaged, told.torn, told.gaps.len()), (1, 0, 1));
        disk.change(last, |bytes| {
            bytes.clone_from(&outer);
            bytes.extend([7; 20]);
        });
        let told = both(&disk, &Filter::default());
        assert_eq!((told.damaged, told.torn, told.waves.len()), (0, 1, 24));
    }
}

#[test]
fn a_segment_whose_notes_alone_are_damaged_costs_no_wave() {
    let disk = SimulatedDisk::new(1);
    let journal = crate::open(&disk, crate::OPTIONS).expect("an empty disk");
    for number in 1..=24 {
        journal.append(&mut crate::wave(number), None).expect("there is room");
        journal.acknowledge("billing", b"seen", None).expect("there is room");
    }
    journal.close().expect("a disk without faults");
    without_indexes(&disk);
    let wave = crate::wave(1).size();
    disk.change(&names(&disk)[1], |bytes| bytes[128 + wave + 50] ^= 1);
    for filter in [
        Filter::default(),
        Filter { after: Some(base(&names(&disk)[1]) - 1), ..Filter::default() },
        Filter { before: Some(20), ..Filter::default() },
    ] {
        let told = both(&disk, &filter);
        assert_eq!((told.damaged, told.gaps.len()), (1, 0), "{filter:?}");
    }
}

#[test]
fn a_segment_in_which_nothing_was_yet_is_passed_over() {
    let disk = journal(24);
    let whole = both(&disk, &Filter::default());
    // The power went before its head was there.
    for (number, length) in (25_u64..).zip([0, 60, 128]) {
        let name = format!("{number:020}-00000001.segment");
        disk.create(&name).expect("it is new");
        disk.change(&name, |bytes| bytes.resize(length, 0));
        assert_eq!(both(&disk, &Filter::default()), whole, "{length} bytes");
    }
    let name = format!("{:020}-00000001.segment", 30);
    disk.create(&name).expect("it is new");
    disk.change(&name, |bytes| bytes.resize(129, 0));
    assert_eq!(both(&disk, &Filter::default()).unreadable, 1);
}

#[test]
fn a_record_that_was_cut_off_is_no_tail_if_others_are_behind_it() {
    let disk = journal(24);
    let last = segments(&disk).expect("it can be read").pop().expect("there are some");
    let header = last.header.expect("it is sound");
    let large = Encoded::wave(&Wave::plain("orders.created", &[7; 9_000]));
    disk.change(&last.name, |bytes| {
        // Its head says that it is longer than the file.
        let mut end = End::at(&header, bytes.len() as u64, 25);
        bytes.extend(&end.wave(&mut large.expect("it fits"))[..56]);
        let mut end = End::at(&header, bytes.len() as u64, 26);
        bytes.extend(end.wave(&mut crate::wave(26)));
    });
    let told = both(&disk, &Filter::default());
    assert_eq!((told.damaged, told.torn, told.gaps, told.waves.len()), (1, 0, vec![25], 25));
}
