//! Journals that were damaged.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use aether_journal::filter::Filter;
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
