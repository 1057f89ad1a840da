//! Sound copies of journals that were damaged.

use aether_journal::disk::Disk;
use aether_journal::disk::simulated::{Dice, SimulatedDisk};
use aether_journal::journal::{Journal, Options};
use aether_journal::keeping::repair::{Repaired, repair};
use aether_journal::keeping::{Failure, unwatched};
use aether_journal::segment::segments;

use crate::verifying::lived;
use crate::{names, read, said, verified};

/// A copy; the original is as it was.
fn repaired(disk: &SimulatedDisk) -> (SimulatedDisk, Repaired) {
    let copy = SimulatedDisk::new(99);
    let before: Vec<_> = names(disk).iter().map(|name| disk.bytes(name)).collect();
    let deeds = disk.deeds().len();
    let repaired = repair(disk, &copy, &mut unwatched).expect("a disk without faults");
    let after: Vec<_> = names(disk).iter().map(|name| disk.bytes(name)).collect();
    assert!(before == after && disk.deeds().len() == deeds, "the original is not touched");
    (copy, repaired)
}

/// The copy has all that can be read, and tells of the same gaps.
fn check(disk: &SimulatedDisk, what: &str) {
    let (copy, repaired) = repaired(disk);
    let (original, told) = (read(disk.clone()), read(copy.clone()));
    assert_eq!(told.waves, original.waves, "{what}");
    assert_eq!((told.damage, told.torn, told.unreadable), (0, 0, 0), "{what}");
    let of_copy = verified(&copy);
    assert_eq!(of_copy.waves, repaired.waves, "{what}");
    assert_eq!((of_copy.notes, of_copy.bytes), (repaired.notes, repaired.bytes), "{what}");
    assert!(of_copy.damage.is_empty() && of_copy.repeated == 0, "{what}");
    let expected = &repaired.found.gaps;
    if repaired.found.segments.last().is_some_and(|last| last.fault.is_some()) {
        // How many waves it had, nobody knows: the copy says how many it can have had.
        assert!(of_copy.gaps.starts_with(&expected[..expected.len().saturating_sub(1)]), "{what}");
    } else {
        assert_eq!(&of_copy.gaps, expected, "{what}");
    }
    assert_eq!(said(&copy), said(disk), "{what}");
    // On the disk for certain, and it goes on where the original would.
    let left = copy.after_power_loss(&mut Dice::new(7));
    assert_eq!(read(left.clone()), told, "{what}");
    // As far as its segments tell: a snapshot of the original may know more.
    let last = |disk: SimulatedDisk| {
        for name in disk.names().expect("it can be read") {
            if name.contains(".snapshot") {
                disk.remove(&name).expect("it is there");
            }
        }
        let journal =
            Journal::<_, ()>::open(disk, Options::default(), drop).expect("nobody writes there");
        journal.last()
    };
    assert_eq!(last(left), last(disk.after_kill()), "{what}");
}

#[test]
fn a_copy_has_what_can_be_read_whichever_byte_is_damaged() {
    let disk = lived(700);
    check(&disk, "sound");
    for name in names(&disk) {
        let bytes = disk.bytes(&name).expect("it is there");
        for byte in 0..bytes.len() {
            disk.change(&name, |bytes| bytes[byte] ^= 1 << (byte % 8));
            check(&disk, &format!("byte {byte} of {name}"));
            disk.change(&name, |now| now.clone_from(&bytes));
        }
    }
}

#[test]
fn a_copy_has_what_can_be_read_wherever_a_segment_is_cut() {
    let disk = lived(700);
    for name in names(&disk) {
        let bytes = disk.bytes(&name).expect("it is there");
        for length in 0..bytes.len() {
            disk.change(&name, |bytes| bytes.truncate(length));
            check(&disk, &format!("{name} cut at {length}"));
            disk.change(&name, |now| now.clone_from(&bytes));
        }
    }
}

#[test]
fn it_is_another_journal_that_says_the_same() {
    let disk = lived(700);
    let (copy, repaired) = repaired(&disk);
    let heads = |disk: &SimulatedDisk| {
        let segments = segments(disk).expect("it can be read");
        segments.iter().map(|segment| segment.header.expect("it is sound")).collect::<Vec<_>>()
    };
    let (old, new) = (heads(&disk), heads(&copy));
    assert_eq!(old.len(), new.len());
    let (before, after) = (verified(&disk).journal, verified(&copy).journal);
    assert_ne!(before, after);
    for (old, new) in old.iter().zip(&new) {
        assert_ne!(old.identity, new.identity);
        assert_eq!((Some(old.journal), Some(new.journal)), (before, after));
        assert_eq!((old.base, old.rewritten), (new.base, new.rewritten));
    }
    assert_eq!((repaired.recovered.len(), repaired.found), (0, verified(&disk)));
}

#[test]
fn what_is_left_of_a_head_is_enough() {
    let disk = lived(700);
    let whole = read(disk.clone());
    let name = names(&disk)[2].clone();
    // Both copies are damaged, the identity of the segment is whole in the second, that of the journal in none.
    disk.change(&name, |bytes| {
        bytes[20] ^= 1;
        bytes[32] ^= 1;
        bytes[64 + 32] ^= 1;
    });
    assert_eq!(read(disk.clone()).unreadable, 1);
    let (copy, repaired) = repaired(&disk);
    assert_eq!(repaired.recovered, [name]);
    assert!(repaired.found.is_sound(), "it belongs to this journal: {:?}", repaired.found);
    assert_eq!(read(copy), whole);
}

#[test]
fn a_head_of_which_nothing_is_left_leaves_a_gap() {
    for at in [0, 2, usize::MAX] {
        let disk = lived(700);
        let names = names(&disk);
        let name = &names[at.min(names.len() - 1)];
        disk.change(name, |bytes| bytes[..128].fill(7));
        check(&disk, name);
        let (copy, _) = repaired(&disk);
        assert_eq!(crate::names(&copy).len(), names.len());
    }
}

#[test]
fn it_writes_into_an_empty_folder_only() {
    let disk = lived(700);
    let copy = SimulatedDisk::new(1);
    copy.create("notes.txt").expect("it is new");
    let refused = repair(&disk, &copy, &mut unwatched);
    assert!(matches!(refused, Err(Failure::Occupied { file }) if file == "notes.txt"));
    let other = SimulatedDisk::new(1);
    let writer = Journal::<_, ()>::open(other.clone(), Options::default(), drop)
        .expect("nobody writes there");
    assert!(matches!(repair(&disk, &other, &mut unwatched), Err(Failure::Locked(_))));
    drop(writer);
    repair(&disk, &other, &mut unwatched).expect("nobody writes there any more");
    // Also into itself.
    assert!(matches!(repair(&disk, &disk, &mut unwatched), Err(Failure::Occupied { .. })));
}

#[test]
fn a_later_version_is_not_copied_in_part() {
    let disk = lived(700);
    disk.change(&names(&disk)[3], |bytes| {
        for copy in bytes[..128].chunks_exact_mut(64) {
            copy[8] = 2;
            let sum = crc32c::crc32c(&copy[..60]);
            copy[60..].copy_from_slice(&sum.to_le_bytes());
        }
    });
    let copy = SimulatedDisk::new(1);
    let refused = repair(&disk, &copy, &mut unwatched);
    assert!(matches!(refused, Err(Failure::Newer { .. })), "{refused:?}");
    assert!(names(&copy).is_empty());
}
