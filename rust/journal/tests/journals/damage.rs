//! Journals that were damaged.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use aether_core::channel::{Limits, Pattern};
use aether_journal::disk::Disk;
use aether_journal::filter::Filter;
use aether_journal::reader::{Event, Reader};
use aether_journal::reverse::Backwards;

use crate::{Told, all, journal, names};

const COUNT: u64 = 24;

/// Each wave is read or told to be missing, but for those at the very end, where nobody can know.
fn check(told: &Told, what: &str) {
    let read: BTreeSet<u64> = told.waves.iter().copied().collect();
    let gaps: BTreeSet<u64> = told.gaps.iter().copied().collect();
    assert_eq!(read.len(), told.waves.len(), "{what}: none twice");
    assert!(told.waves.is_sorted(), "{what}: in order");
    assert!(read.is_disjoint(&gaps), "{what}: {told:?}");
    let known = read.last().max(gaps.last()).copied().unwrap_or(0);
    assert_eq!(read.len() + gaps.len(), known as usize, "{what}: {told:?}");
    assert!(known == COUNT || told.torn + told.unreadable > 0, "{what}: {told:?}");
}

#[test]
fn each_bit_that_flips_costs_one_wave_at_most_and_that_is_told() {
    let disk = journal(COUNT);
    let whole = Told { waves: (1..=COUNT).collect(), ..Told::default() };
    assert_eq!(all(&disk), whole);
    for name in names(&disk) {
        let bytes = disk.bytes(&name).expect("it is there");
        for bit in 0..bytes.len() * 8 {
            disk.change(&name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let (told, what) = (all(&disk), format!("bit {bit} of {name}"));
            check(&told, &what);
            assert!(told.waves.len() as u64 >= COUNT - 1, "{what}");
            let seen = told.damaged + told.torn;
            assert_eq!(seen, usize::from(bit >= 128 * 8), "{what}: a head is there twice");
            disk.change(&name, |now| now.clone_from(&bytes));
        }
    }
    assert_eq!(all(&disk), whole);
}

#[test]
fn a_segment_without_a_head_is_told_whichever_way_it_is_read() {
    let disk = journal(COUNT);
    for name in names(&disk) {
        let bytes = disk.bytes(&name).expect("it is there");
        disk.change(&name, |bytes| bytes[..128].fill(7));
        let mut told = Told::default();
        let mut reader = Backwards::new(disk.clone(), Filter::default()).expect("it can be read");
        let read = reader.read(|event| {
            told.take(event);
            ControlFlow::Continue(())
        });
        read.expect("it can be read");
        told.waves.reverse();
        assert_eq!((told.unreadable, &told), (1, &all(&disk)), "{name}");
        check(&told, &name);
        disk.change(&name, |now| now.clone_from(&bytes));
    }
}

#[test]
fn damage_is_told_with_its_segment_and_its_bytes_whichever_way_it_is_read() {
    let disk = journal(COUNT);
    let names = names(&disk);
    let last = names.last().expect("there are some");
    let size = disk.bytes(last).expect("it is there").len() as u64;
    disk.change(&names[0], |bytes| bytes[..128].fill(7));
    disk.change(&names[1], |bytes| bytes[200] ^= 1);
    disk.change(last, |bytes| bytes.truncate(bytes.len() - 3));
    let take = |event: Event<'_>, told: &mut Vec<(String, Range<u64>)>| {
        match event {
            Event::Damage { segment, bytes } | Event::TornTail { segment, bytes } => {
                told.push((segment, bytes));
            }
            Event::Unreadable { segment, .. } => told.push((segment, 0..128)),
            Event::Wave(_) | Event::Gap(_) | Event::Acknowledged { .. } => {}
        }
        ControlFlow::Continue(())
    };
    let (mut forwards, mut backwards) = (Vec::new(), Vec::new());
    let mut reader = Reader::after(disk.clone(), 0).expect("it can be read");
    reader.read(|event| take(event, &mut forwards)).expect("it can be read");
    let mut reader = Backwards::new(disk.clone(), Filter::default()).expect("it can be read");
    reader.read(|event| take(event, &mut backwards)).expect("it can be read");
    backwards.reverse();
    assert_eq!(backwards, forwards);
    let (told, bytes): (Vec<_>, Vec<_>) = forwards.into_iter().unzip();
    assert_eq!(told, [&*names[0], &*names[1], &**last]);
    assert!(bytes[1].contains(&200) && bytes[2].end == size - 3, "{bytes:?}");
}

#[test]
fn a_reader_that_stops_at_each_event_comes_to_all_of_them() {
    let disk = journal(COUNT);
    let names = names(&disk);
    disk.change(&names[0], |bytes| bytes[400] ^= 1);
    disk.change(&names[1], |bytes| bytes[200] ^= 1);
    disk.remove(&names[2]).expect("it is there");
    let pattern = Pattern::parse("orders.*", Limits::DEFAULT).ok();
    let within = Filter { pattern, after: Some(2), before: Some(COUNT), ..Filter::default() };
    for (filter, backwards) in [
        (Filter::default(), false),
        (within.clone(), false),
        (Filter::default(), true),
        (within, true),
    ] {
        let told = |flow: ControlFlow<()>| {
            let (mut told, mut before) = (Vec::new(), usize::MAX);
            let take = |told: &mut Vec<String>, event: Event<'_>| {
                told.push(format!("{event:?}"));
                flow
            };
            let mut forwards = Reader::filtered(disk.clone(), filter.clone()).expect("it can");
            let mut back = Backwards::new(disk.clone(), filter.clone()).expect("it can");
            while before != told.len() {
                before = told.len();
                let read = if backwards {
                    back.read(|event| take(&mut told, event))
                } else {
                    forwards.read(|event| take(&mut told, event))
                };
                read.expect("it can be read");
            }
            told
        };
        let all = told(ControlFlow::Continue(()));
        assert_eq!(told(ControlFlow::Break(())), all, "{backwards}");
        assert!(
            ["Wave", "Gap", "Damage"]
                .iter()
                .all(|kind| all.iter().any(|one| one.starts_with(kind)))
        );
    }
}

#[test]
fn a_segment_that_was_cut_or_is_gone_is_told() {
    let disk = journal(COUNT);
    let names = names(&disk);
    assert!(names.len() > 3);
    for name in &names {
        let bytes = disk.bytes(name).expect("it is there");
        for length in 0..bytes.len() {
            disk.change(name, |now| now.truncate(length));
            let told = all(&disk);
            let (what, last) = (format!("{name} cut at {length}"), Some(name) == names.last());
            if last {
                // A journal that was shorter looks just so.
                assert_eq!(told.gaps, [0; 0], "{what}");
                assert!(told.waves.iter().copied().eq(1..=told.waves.len() as u64), "{what}");
            } else {
                check(&told, &what);
            }
            disk.change(name, |now| now.clone_from(&bytes));
        }
    }
}
