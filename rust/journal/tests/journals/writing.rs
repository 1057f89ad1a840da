//! Writers: many at once, and disks that fail.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use aether_journal::disk::simulated::{Deed, Fault, SimulatedDisk};
use aether_journal::disk::{Folder, Locked};
use aether_journal::journal::{Journal, OpenError, Options, Refusal};

use crate::{OPTIONS, all, wave};

const ENOSPC: i32 = 28;

#[test]
fn many_writers_share_a_sync() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 1 << 20, ..OPTIONS };
    let journal = Journal::open(disk.clone(), options).expect("an empty disk");
    let told = Arc::new(Mutex::new(Vec::new()));
    let (threads, each) = (8, 200);
    let begin = Barrier::new(threads);
    // The sequences are not the numbers here.
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                begin.wait();
                for _ in 0..each {
                    let told = Arc::clone(&told);
                    let then = Box::new(move |result: Result<(), Refusal>| {
                        told.lock().expect("nobody panics").push(result.is_ok());
                    });
                    let sequence = journal.append(&mut wave(0), Some(then)).expect("there is room");
                    journal.wait(sequence).expect("a disk without faults");
                    assert!(journal.safe() >= sequence);
                }
            });
        }
    });
    let count = threads * each;
    assert_eq!(journal.last(), count as u64);
    assert_eq!(*told.lock().expect("nobody panics"), vec![true; count]);
    let syncs = disk.deeds().iter().filter(|deed| **deed == Deed::Sync).count();
    assert!(syncs < count, "{syncs} syncs for {count} waves");
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let disk = SimulatedDisk::new(1);
    let journal = Journal::open(disk.clone(), OPTIONS).expect("an empty disk");
    let mut kept = Vec::new();
    for turn in 1..=60 {
        let full = turn % 4 > 1;
        disk.fail(full.then_some(Fault {
            at: 0,
            lasting: true,
            errno: ENOSPC,
            short: turn % 2 == 0,
        }));
        // What is refused has its sequence all the same.
        let sequence = journal.append(&mut wave(turn), None).expect("it is tried");
        assert_eq!(sequence, turn);
        let result = journal.wait(sequence);
        assert_eq!(matches!(result, Err(Refusal::Full(_))), full, "{result:?}");
        kept.extend((!full).then_some(sequence));
        assert_eq!(all(&disk).waves, kept);
    }
    let told = all(&disk);
    assert_eq!((told.waves, told.gaps), (kept, vec![]));
}

#[test]
fn a_failed_sync_is_the_end_of_writing() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 1 << 20, ..OPTIONS };
    let journal = Journal::open(disk.clone(), options).expect("an empty disk");
    for number in 1..=3 {
        let sequence = journal.append(&mut wave(number), None).expect("there is room");
        journal.wait(sequence).expect("a disk without faults");
    }
    // A write, then its sync.
    disk.fail(Some(Fault { at: disk.deeds().len() + 1, lasting: false, errno: 5, short: false }));
    let called = Arc::new(AtomicU64::new(0));
    let calling = Arc::clone(&called);
    let then = Box::new(move |result: Result<(), Refusal>| {
        let safe = if let Err(Refusal::Failed { safe, .. }) = result { safe } else { 0 };
        calling.store(safe, Ordering::SeqCst);
    });
    let sequence = journal.append(&mut wave(4), Some(then)).expect("there is room");
    assert!(matches!(journal.wait(sequence), Err(Refusal::Failed { safe: 3, .. })));
    let syncs = |disk: &SimulatedDisk| disk.deeds().iter().filter(|d| **d == Deed::Sync).count();
    let before = syncs(&disk);
    for _ in 0..3 {
        let refused = journal.append(&mut wave(5), None);
        assert!(matches!(refused, Err(Refusal::Failed { safe: 3, .. })));
    }
    assert!(matches!(journal.close(), Err(Refusal::Failed { safe: 3, .. })));
    assert_eq!((called.load(Ordering::SeqCst), syncs(&disk)), (3, before));
}

#[test]
fn one_journal_writes_in_a_folder() {
    let disk = SimulatedDisk::new(1);
    let journal = Journal::open(disk.clone(), OPTIONS).expect("an empty disk");
    let second = Journal::open(disk.clone(), OPTIONS);
    assert!(
        matches!(second, Err(OpenError::Locked(Locked::Held { owner })) if owner == std::process::id())
    );
    drop(journal);
    Journal::open(disk, OPTIONS).expect("nobody writes there any more");
}

#[test]
fn a_real_folder_does_the_same() {
    let path = std::env::temp_dir().join(format!("aether-journal-{}", std::process::id()));
    let disk = Folder::new(&path).expect("it can be made");
    for turn in 0..3_u64 {
        let journal = Journal::open(disk.clone(), OPTIONS).expect("nobody writes there");
        let second = Journal::open(disk.clone(), OPTIONS);
        assert!(
            matches!(second, Err(OpenError::Locked(Locked::Held { owner })) if owner == std::process::id())
        );
        for number in turn * 20 + 1..=turn * 20 + 20 {
            assert_eq!(journal.append(&mut wave(number), None).expect("there is room"), number);
        }
        journal.wait(turn * 20 + 20).expect("a disk without faults");
        let waves: Vec<u64> = (1..=turn * 20 + 20).collect();
        assert_eq!(all(&disk).waves, waves);
    }
    std::fs::remove_dir_all(path).expect("it is there");
}

#[test]
fn a_journal_of_a_later_version_is_not_gone_on_with() {
    let disk = crate::journal(10);
    disk.change(&crate::names(&disk)[0], |bytes| {
        for copy in bytes[..128].chunks_exact_mut(64) {
            copy[8] = 2;
            let sum = crc32c::crc32c(&copy[..60]);
            copy[60..].copy_from_slice(&sum.to_le_bytes());
        }
    });
    let opened = Journal::open(disk.clone(), OPTIONS);
    assert!(matches!(opened, Err(OpenError::Newer { .. })), "{opened:?}");
    let told = all(&disk);
    assert_eq!((told.unreadable, told.gaps.is_empty()), (1, false));
}
