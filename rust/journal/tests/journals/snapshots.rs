//! Snapshots and indexes that were damaged, are gone, or cannot be written: nothing depends on them.

use std::ops::ControlFlow;

use aether_core::channel::{Limits, Pattern};
use aether_journal::disk::Disk;
use aether_journal::disk::simulated::{Deed, Fault, SimulatedDisk};
use aether_journal::filter::Filter;
use aether_journal::journal::{Journal, Options};
use aether_journal::reader::{Event, Reader};

use crate::{OPTIONS, all, open, wave};

fn files(disk: &SimulatedDisk, suffix: &str) -> Vec<String> {
    let mut names = disk.names().expect("it can be read");
    names.retain(|name| name.ends_with(suffix));
    names.sort();
    names
}

/// A journal of some segments, a cursor, and two snapshots.
fn journal() -> SimulatedDisk {
    let disk = SimulatedDisk::new(3);
    for turn in 0..2 {
        let journal = open(&disk, OPTIONS).expect("it can be read");
        for number in turn * 6 + 1..=turn * 6 + 6 {
            journal.append(&mut wave(number), None).expect("there is room");
            journal.acknowledge("billing", &[number as u8], None).expect("there is room");
        }
    }
    assert_eq!(files(&disk, ".snapshot").len(), 2);
    assert!(files(&disk, ".index").len() > 2);
    disk
}

/// What a journal is found to be.
fn known(disk: &SimulatedDisk) -> String {
    let journal = open(disk, OPTIONS).expect("it can be read");
    let pattern = Pattern::parse("*", Limits::DEFAULT).expect("a pattern");
    let (last, cursors) = (journal.last_of(&pattern), journal.cursors());
    format!("{} {} {last:?} {cursors:?}", journal.last(), journal.waves())
}

#[test]
fn the_newest_two_are_kept_and_half_written_ones_removed() {
    let disk = journal();
    let snapshots = files(&disk, ".snapshot");
    disk.create(&format!("{:020}.snapshot.new", 3)).expect("it is not there");
    disk.create(&format!("{:020}-00000000.index", 3)).expect("it is not there");
    let journal = open(&disk, OPTIONS).expect("it can be read");
    assert_eq!(files(&disk, ".new"), [""; 0]);
    assert_eq!(files(&disk, "-00000000.index"), [""; 0], "its segment is not there");
    journal.append(&mut wave(13), None).expect("there is room");
    journal.close().expect("a disk without faults");
    let now = files(&disk, ".snapshot");
    assert_eq!((now.len(), &now[0]), (2, &snapshots[1]));
    // Where nothing has changed, none is written.
    drop(open(&disk, OPTIONS).expect("it can be read"));
    assert_eq!(files(&disk, ".snapshot"), now);
}

#[test]
fn each_byte_of_a_snapshot_that_changes_costs_nothing_but_time() {
    let disk = journal();
    let expected = known(&disk);
    let snapshots = files(&disk, ".snapshot");
    for name in &snapshots {
        let bytes = disk.bytes(name).expect("it is there");
        for at in 0..bytes.len() {
            let damaged = disk.after_kill();
            damaged.change(name, |bytes| bytes[at] ^= 1 << (at % 8));
            assert_eq!(known(&damaged), expected, "byte {at} of {name}");
        }
        for length in 0..bytes.len() {
            let damaged = disk.after_kill();
            damaged.change(name, |bytes| bytes.truncate(length));
            assert_eq!(known(&damaged), expected, "{name} cut at {length}");
        }
    }
    // Both, and none.
    let damaged = disk.after_kill();
    for name in &snapshots {
        damaged.change(name, |bytes| bytes[20] ^= 1);
    }
    assert_eq!(known(&damaged), expected);
    for name in &snapshots {
        disk.remove(name).expect("it is there");
    }
    assert_eq!(known(&disk), expected);
}

#[test]
fn each_byte_of_an_index_that_changes_costs_nothing_but_time() {
    let disk = journal();
    let filter = || Filter {
        pattern: Some(Pattern::parse("orders.*", Limits::DEFAULT).expect("a pattern")),
        after: Some(2),
        ..Filter::default()
    };
    for name in files(&disk, ".index") {
        let bytes = disk.bytes(&name).expect("it is there");
        for at in 0..2 * bytes.len() {
            disk.change(&name, |now| {
                now.clone_from(&bytes);
                if at < bytes.len() {
                    now[at] ^= 1 << (at % 8);
                } else {
                    now.truncate(at - bytes.len());
                }
            });
            let mut come = Vec::new();
            let mut reader = Reader::filtered(disk.clone(), filter()).expect("it can be read");
            let read = reader.read(|event| {
                match event {
                    Event::Wave(wave) => come.push(wave.sequence),
                    Event::Acknowledged { .. } => {}
                    other => panic!("byte {at} of {name}: {other:?}"),
                }
                ControlFlow::Continue(())
            });
            read.expect("it can be read");
            assert!(come.into_iter().eq(3..=12), "byte {at} of {name}");
        }
        disk.change(&name, |now| now.clone_from(&bytes));
    }
}

#[test]
fn a_segment_that_has_grown_since_its_snapshot_is_read_from_there() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 1 << 20, snapshot_interval: 1, ..OPTIONS };
    let journal = open(&disk, options).expect("an empty disk");
    // Each with a sync of its own, until a snapshot is worth it; and some more.
    let mut written = 0;
    while files(&disk, ".snapshot").is_empty() {
        written += 1;
        journal.append(&mut wave(written), None).expect("there is room");
        journal.flush().expect("a disk without faults");
        assert!(written < 1_000);
    }
    for number in written + 1..=written + 5 {
        journal.append(&mut wave(number), None).expect("there is room");
        journal.acknowledge("billing", &number.to_le_bytes(), None).expect("there is room");
    }
    journal.flush().expect("a disk without faults");
    let killed = disk.after_kill();
    let journal = open(&killed, options).expect("it can be read");
    assert_eq!((journal.last(), journal.waves()), (written + 5, written + 5));
    assert_eq!(journal.cursor("billing"), Some((written + 5).to_le_bytes().to_vec()));
    assert_eq!(files(&killed, ".index").len(), 1, "it is complete now");
}

#[test]
fn a_segment_that_is_shorter_than_its_snapshot_says_is_read_anew() {
    let disk = journal();
    let name = files(&disk, ".segment").pop().expect("there are some");
    let size = disk.bytes(&name).expect("it is there").len();
    for length in 0..size {
        let shorter = disk.after_kill();
        shorter.change(&name, |bytes| bytes.truncate(length));
        let bare = shorter.after_kill();
        for name in files(&bare, ".snapshot") {
            bare.remove(&name).expect("it is there");
        }
        let waves = |disk: &SimulatedDisk| {
            let journal = open(disk, OPTIONS).expect("it can be read");
            let pattern = Pattern::parse("*", Limits::DEFAULT).expect("a pattern");
            (journal.last(), (journal.waves(), journal.last_of(&pattern)))
        };
        let ((last, known), (_, read)) = (waves(&shorter), waves(&bare));
        assert_eq!((last, known), (12, read), "cut at {length}: none is given twice");
    }
}

#[test]
fn an_index_that_is_damaged_is_written_anew_when_its_segment_is_read() {
    let disk = journal();
    let all = files(&disk, ".index");
    let before: Vec<_> = all.iter().map(|name| disk.bytes(name)).collect();
    for name in &all {
        disk.change(name, |bytes| bytes[20] ^= 1);
    }
    for name in files(&disk, ".snapshot") {
        disk.remove(&name).expect("it is there");
    }
    drop(open(&disk, OPTIONS).expect("it can be read"));
    let now: Vec<_> = all.iter().map(|name| disk.bytes(name)).collect();
    assert!(now == before);
}

#[test]
fn a_segment_that_is_damaged_has_no_index() {
    let disk = journal();
    for name in files(&disk, ".snapshot").iter().chain(&files(&disk, ".index")) {
        disk.remove(name).expect("it is there");
    }
    let segments = files(&disk, ".segment");
    disk.change(&segments[0], |bytes| bytes[200] ^= 1);
    drop(open(&disk, OPTIONS).expect("it can be read"));
    let indexed = files(&disk, ".index");
    let stems = indexed.iter().map(|name| name.trim_end_matches(".index"));
    assert!(stems.eq(segments[1..].iter().map(|name| name.trim_end_matches(".segment"))));
}

#[test]
fn what_cannot_be_written_is_done_without() {
    let writes_of_a_close = |disk: &SimulatedDisk| {
        let before = disk.deeds().len();
        drop(open(disk, OPTIONS).expect("it can be read"));
        disk.deeds().len() - before
    };
    let disk = journal();
    for name in files(&disk, ".snapshot").iter().chain(&files(&disk, ".index")) {
        disk.remove(name).expect("it is there");
    }
    let expected = known(&disk.after_kill());
    for at in 0..writes_of_a_close(&disk.after_kill()) {
        for errno in [5, 28] {
            for lasting in [false, true] {
                let failing = disk.after_kill();
                failing.fail(Some(Fault { at, lasting, errno, short: at % 2 == 0 }));
                assert_eq!(known(&failing), expected, "error {errno} at {at}");
                failing.fail(None);
                assert_eq!(known(&failing), expected, "error {errno} at {at}");
                let read = all(&failing);
                assert_eq!((read.waves, read.gaps), ((1..=12).collect(), vec![]));
            }
        }
    }
}

#[test]
fn the_last_fault_of_a_snapshot_is_told() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 1 << 20, snapshot_interval: 1, ..OPTIONS };
    let journal: Journal<_, ()> = open(&disk, options).expect("an empty disk");
    let mut number = 0;
    let mut append = || {
        number += 1;
        journal.append(&mut wave(number), None).expect("there is room");
        journal.flush().expect("the waves can be written");
    };
    append();
    // From now on no file can be made: the next snapshot fails, and its journal goes on.
    disk.fail_all(Some((Deed::Create, 28)));
    for _ in 0..500 {
        append();
    }
    let fault = journal.snapshot_fault().expect("no file can be made");
    assert_eq!(fault.raw_os_error(), Some(28));
    disk.fail_all(None);
    for _ in 0..500 {
        append();
    }
    assert!(journal.snapshot_fault().is_none());
    assert_eq!(files(&disk, ".snapshot").len(), 2);
}
