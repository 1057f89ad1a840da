//! Writers: many at once, and disks that fail.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use aether_journal::disk::simulated::{Deed, Fault, SimulatedDisk};
use aether_journal::disk::{Disk, Folder, Locked};
use aether_journal::journal::{Journal, OpenError, Options, Refusal, Settled};

use crate::{OPTIONS, all, open, wave};

const ENOSPC: i32 = 28;

#[test]
fn many_writers_share_a_sync() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 1 << 20, ..OPTIONS };
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let journal = Journal::open(disk.clone(), options, move |settled: Settled<()>| {
        settled.result.expect("a disk without faults");
        let sequences = settled.waiters.into_iter().map(|(sequence, ())| sequence);
        telling.lock().expect("nobody panics").extend(sequences);
    });
    let journal = journal.expect("an empty disk");
    let (threads, each) = (8, 200);
    let begin = Barrier::new(threads);
    // The sequences are not the numbers here.
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                begin.wait();
                for _ in 0..each {
                    let sequence = journal.append(&mut wave(0), Some(())).expect("there is room");
                    journal.wait(sequence).expect("a disk without faults");
                    assert!(journal.safe() >= sequence);
                }
            });
        }
    });
    let count = threads * each;
    assert_eq!(journal.last(), count as u64);
    journal.flush().expect("a disk without faults");
    assert!(told.lock().expect("nobody panics").iter().copied().eq(1..=count as u64));
    let syncs = disk.deeds().iter().filter(|deed| **deed == Deed::Sync).count();
    assert!(syncs < count, "{syncs} syncs for {count} waves");
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk, OPTIONS).expect("an empty disk");
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
        assert_eq!(matches!(journal.trouble(), Some(Refusal::Full(_))), full);
        assert!(full || journal.trouble().is_none());
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
    let journal = open(&disk, options).expect("an empty disk");
    for number in 1..=3 {
        let sequence = journal.append(&mut wave(number), None).expect("there is room");
        journal.wait(sequence).expect("a disk without faults");
    }
    // A write, then its sync.
    disk.fail(Some(Fault { at: disk.deeds().len() + 1, lasting: false, errno: 5, short: false }));
    let sequence = journal.append(&mut wave(4), Some(())).expect("there is room");
    assert!(matches!(journal.wait(sequence), Err(Refusal::Failed { safe: 3, .. })));
    let syncs = |disk: &SimulatedDisk| disk.deeds().iter().filter(|d| **d == Deed::Sync).count();
    let before = syncs(&disk);
    for _ in 0..3 {
        let refused = journal.append(&mut wave(5), None);
        assert!(matches!(refused, Err((Refusal::Failed { safe: 3, .. }, None))));
    }
    for told in [journal.trouble(), journal.failed(), journal.flush().err(), journal.close().err()]
    {
        assert!(matches!(told, Some(Refusal::Failed { safe: 3, .. })), "{told:?}");
    }
    assert_eq!(syncs(&disk), before);
}

#[test]
fn one_journal_writes_in_a_folder() {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk, OPTIONS).expect("an empty disk");
    let second = open(&disk, OPTIONS);
    assert!(
        matches!(second, Err(OpenError::Locked(Locked::Held { owner })) if owner == std::process::id())
    );
    drop(journal);
    open(&disk, OPTIONS).expect("nobody writes there any more");
}

#[test]
fn a_real_folder_does_the_same() {
    let path = std::env::temp_dir().join(format!("aether-journal-{}", std::process::id()));
    let disk = Folder::new(&path).expect("it can be made");
    assert_eq!(disk.path(), path);
    for turn in 0..3_u64 {
        let journal = open(&disk, OPTIONS).expect("nobody writes there");
        let second = open(&disk, OPTIONS);
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
    // As that version does not write the snapshots of this one.
    for name in disk.names().expect("it can be read") {
        if name.ends_with(".snapshot") {
            disk.remove(&name).expect("it is there");
        }
    }
    let opened = open(&disk, OPTIONS);
    assert!(matches!(opened, Err(OpenError::Newer { .. })), "{opened:?}");
    let told = all(&disk);
    assert_eq!((told.unreadable, told.gaps.is_empty()), (1, false));
}

#[test]
fn who_commits_does_so_in_its_own_thread() {
    let disk = SimulatedDisk::new(1);
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let journal = Journal::open(disk.clone(), OPTIONS, move |settled: Settled<()>| {
        telling.lock().expect("nobody panics").push((settled.up_to, thread::current().id()));
    });
    let journal = journal.expect("an empty disk");
    for turn in 0..20 {
        let mut waves = [1, 2, 3].map(|number| wave(turn * 3 + number));
        assert_eq!(journal.commit(&mut waves).expect("there is room"), turn * 3 + 3);
        assert_eq!(journal.safe(), turn * 3 + 3);
    }
    let here = thread::current().id();
    let expected: Vec<_> = (1..=20).map(|turn| (turn * 3, here)).collect();
    assert_eq!(*told.lock().expect("nobody panics"), expected);
    assert_eq!(journal.commit(&mut []).expect("nothing to do"), 60);
    journal.close().expect("a disk without faults");
    assert_eq!(all(&disk).waves, (1..=60).collect::<Vec<_>>());
}

#[test]
fn a_commit_is_refused_as_a_whole_and_the_next_one_goes_on() {
    let disk = SimulatedDisk::new(1);
    let options = Options { pending_bytes: 1_000, ..OPTIONS };
    let journal = open(&disk, options).expect("an empty disk");
    journal.commit(&mut [wave(1)]).expect("there is room");
    disk.fail(Some(Fault { at: disk.deeds().len(), lasting: true, errno: ENOSPC, short: false }));
    let refused = journal.commit(&mut [wave(2), wave(3)]);
    assert!(matches!(refused, Err(Refusal::Full(_))), "{refused:?}");
    disk.fail(None);
    assert_eq!(journal.commit(&mut [wave(4), wave(5)]).expect("there is room"), 5);
    // What waits already leaves no room for as much again.
    disk.hold_syncs(true);
    journal.append(&mut wave(6), None).expect("there is room");
    let mut many: Vec<_> = (7..30).map(wave).collect();
    let refused = journal.commit(&mut many);
    assert!(matches!(refused, Err(Refusal::Busy(_))), "{refused:?}");
    disk.hold_syncs(false);
    journal.flush().expect("a disk without faults");
    assert_eq!(journal.commit(&mut many).expect("nothing waits"), 29);
    journal.close().expect("a disk without faults");
    assert!(matches!(journal.commit(&mut [wave(30)]), Err(Refusal::Closed)));
    let told = all(&disk);
    assert_eq!((told.waves.len(), told.gaps), (27, Vec::new()));
}
