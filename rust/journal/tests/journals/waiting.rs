//! Who waits for what, and when it is told: on a disk whose syncs take as long as the test wants.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, channel};

use aether_journal::disk::simulated::{Deed, Fault, SimulatedDisk};
use aether_journal::journal::{Durability, Journal, Options, Refusal, Settled};

use crate::{OPTIONS, all, wave};

type Told = Receiver<Settled<&'static str>>;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A journal of one segment, which has the wave 1 already.
fn begun(disk: &SimulatedDisk, options: Options) -> (Journal<SimulatedDisk, &'static str>, Told) {
    let (tell, told) = channel();
    let options = Options { segment_bytes: 1 << 20, ..options };
    let tell = move |settled| tell.send(settled).expect("it is listened to");
    let journal = Journal::open(disk.clone(), options, tell).expect("an empty disk");
    journal.append(&mut wave(1), Some("first")).expect("there is room");
    journal.flush().expect("a disk without faults");
    assert_eq!(names(&told.try_recv().expect("it is told by then")), [(1, "first")]);
    (journal, told)
}

fn names(settled: &Settled<&'static str>) -> Vec<(u64, &'static str)> {
    settled.waiters.clone()
}

/// From the next deed on, which is a write.
fn failing(disk: &SimulatedDisk, errno: i32, after: usize) -> Fault {
    Fault { at: disk.deeds().len() + after, lasting: true, errno, short: false }
}

#[test]
fn who_comes_while_a_batch_is_written_is_told_with_the_next() {
    let disk = SimulatedDisk::new(1);
    let (journal, told) = begun(&disk, OPTIONS);
    disk.hold_syncs(true);
    journal.append(&mut wave(2), Some("wave")).expect("there is room");
    disk.wait_for_sync();
    // The note has the sequence of the wave that is under way.
    journal.acknowledge("billing", b"2", Some("note")).expect("there is room");
    assert!(journal.when(2, "asks for the wave").is_none());
    journal.append(&mut wave(3), Some("later wave")).expect("there is room");
    assert!(journal.when(3, "asks for the later one").is_none());
    assert!(told.try_recv().is_err());
    let syncs = || disk.deeds().iter().filter(|deed| **deed == Deed::Sync).count();
    let before = syncs();
    disk.hold_syncs(false);
    let first = told.recv().expect("the journal is there");
    assert_eq!(names(&first), [(2, "wave"), (2, "asks for the wave")]);
    assert_eq!((first.result.is_ok(), first.up_to), (true, 2));
    let second = told.recv().expect("the journal is there");
    assert_eq!(names(&second), [(2, "note"), (3, "later wave"), (3, "asks for the later one")]);
    assert_eq!((second.result.is_ok(), second.up_to), (true, 3));
    // A sync that waits is none yet.
    assert_eq!(syncs(), before + 2, "the note has a sync of its own");
    assert!(matches!(journal.when(3, "too late"), Some((Ok(()), "too late"))));
}

#[test]
fn a_failure_is_told_to_those_behind_it_too_in_order() {
    for errno in [EIO, ENOSPC] {
        let disk = SimulatedDisk::new(1);
        let (journal, told) = begun(&disk, OPTIONS);
        disk.hold_syncs(true);
        // A full disk is told by the write, and taken back with a sync; another fault is told by the sync.
        disk.fail(Some(failing(&disk, errno, usize::from(errno == EIO))));
        journal.append(&mut wave(2), Some("wave")).expect("there is room");
        disk.wait_for_sync();
        journal.acknowledge("billing", b"2", Some("note")).expect("there is room");
        journal.append(&mut wave(3), Some("later wave")).expect("there is room");
        disk.hold_syncs(false);
        let settled = told.recv().expect("the journal is there");
        assert_eq!(names(&settled), [(2, "wave"), (2, "note"), (3, "later wave")]);
        assert_eq!(settled.up_to, 3);
        for refused in [settled.result, journal.wait(2), journal.wait(3)] {
            let refused = refused.expect_err("the disk has refused it");
            assert_eq!(matches!(refused, Refusal::Full(_)), errno == ENOSPC, "{refused:?}");
            assert_eq!(matches!(refused, Refusal::Failed { safe: 1, .. }), errno == EIO);
        }
        assert_eq!((journal.safe(), journal.failed().is_some()), (1, errno == EIO));
        assert!(journal.wait(1).is_ok());
    }
}

#[test]
fn a_refused_note_refuses_no_wave() {
    let disk = SimulatedDisk::new(1);
    let (journal, told) = begun(&disk, OPTIONS);
    disk.fail(Some(failing(&disk, ENOSPC, 0)));
    journal.acknowledge("billing", b"1", Some("note")).expect("it is tried");
    let settled = told.recv().expect("the journal is there");
    assert!(matches!(settled.result, Err(Refusal::Full(_))));
    assert!(journal.wait(1).is_ok());
    disk.fail(None);
    journal.acknowledge("billing", b"1", Some("note")).expect("it is tried");
    assert!(told.recv().expect("the journal is there").result.is_ok());
    assert!(journal.wait(1).is_ok() && journal.flush().is_ok());
}

#[test]
fn a_flush_waits_for_notes_and_says_what_was_refused() {
    let disk = SimulatedDisk::new(1);
    let (journal, told) = begun(&disk, OPTIONS);
    disk.hold_syncs(true);
    disk.fail(Some(failing(&disk, ENOSPC, 0)));
    journal.acknowledge("billing", b"1", Some("note")).expect("it is tried");
    disk.wait_for_sync();
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| journal.flush());
        disk.hold_syncs(false);
        let flushed = flush.join().expect("it does not panic");
        // Unless it came after it all.
        let told = told.recv().expect("the journal is there").result;
        assert!(matches!(told, Err(Refusal::Full(_))));
        assert!(matches!(flushed, Ok(()) | Err(Refusal::Full(_))), "{flushed:?}");
    });
    assert!(journal.flush().is_ok(), "nothing waits any more");
}

#[test]
fn who_is_refused_at_once_has_everything_back() {
    let disk = SimulatedDisk::new(1);
    let (journal, _told) = begun(&disk, Options { pending_bytes: 200, ..OPTIONS });
    disk.hold_syncs(true);
    journal.append(&mut wave(2), Some("wave")).expect("there is room");
    disk.wait_for_sync();
    let pending = journal.pending_bytes();
    assert!(pending > 0, "what is under way is pending too");
    journal.append(&mut wave(3), None).expect("there is room");
    let refused = journal.append(&mut wave(4), Some("busy"));
    assert!(matches!(refused, Err((Refusal::Busy(bytes), Some("busy"))) if bytes == 2 * pending));
    let early = journal.when(4, "early").expect("it is no wave's");
    assert!(matches!(early, (Err(Refusal::NotGiven { sequence: 4, last: 3 }), "early")));
    assert!(matches!(journal.wait(4), Err(Refusal::NotGiven { .. })));
    disk.hold_syncs(false);
    journal.flush().expect("a disk without faults");
    assert_eq!(journal.pending_bytes(), 0);
    assert_eq!(journal.append(&mut wave(4), None).expect("there is room"), 4);
}

#[test]
fn without_durability_a_wave_is_told_before_it_is_written() {
    let disk = SimulatedDisk::new(1);
    let (journal, told) = begun(&disk, Options { durability: Durability::None, ..OPTIONS });
    disk.fail(Some(failing(&disk, ENOSPC, 0)));
    journal.append(&mut wave(2), Some("lost")).expect("it is not tried yet");
    let first = told.recv().expect("the journal is there");
    assert!(first.result.is_ok());
    assert!(matches!(told.recv(), Ok(Settled { result: Err(Refusal::Full(_)), .. })));
    assert_eq!((journal.lost(), journal.safe()), (1, 1));
    // From then on it is told when it is known.
    journal.append(&mut wave(3), Some("refused")).expect("it is tried");
    let refused = told.recv().expect("the journal is there");
    assert!(matches!(refused.result, Err(Refusal::Full(_))), "{refused:?}");
    // It may be over by now.
    assert!(matches!(journal.flush(), Ok(()) | Err(Refusal::Full(_))));
    assert_eq!(journal.lost(), 1);
    disk.fail(None);
    journal.append(&mut wave(4), Some("kept")).expect("it is tried");
    journal.flush().expect("there is room again");
    assert_eq!((journal.safe(), journal.failed().is_none()), (4, true));
    journal.close().expect("there is room again");
    let read = all(&disk);
    assert_eq!((read.waves, read.gaps), (vec![1, 4], vec![]), "none is missing unseen");
}

#[test]
fn what_is_written_is_told_without_a_sync() {
    let disk = SimulatedDisk::new(1);
    let (journal, told) = begun(&disk, Options { durability: Durability::Written, ..OPTIONS });
    disk.hold_syncs(true);
    journal.append(&mut wave(2), Some("wave")).expect("there is room");
    assert!(told.recv().expect("the journal is there").result.is_ok());
    assert_eq!(all(&disk).waves, [1, 2]);
    disk.hold_syncs(false);
    let before = disk.deeds().len();
    journal.close().expect("a disk without faults");
    let deeds = &disk.deeds()[before..];
    let synced = deeds.iter().position(|deed| *deed == Deed::Sync);
    let renamed = deeds.iter().position(|deed| *deed == Deed::Rename);
    assert!(synced < renamed, "it is made sure of before a snapshot says that it is there");
}

#[test]
fn who_comes_after_the_end_is_refused_and_who_came_before_is_waited_for() {
    let disk = SimulatedDisk::new(1);
    let (journal, told) = begun(&disk, OPTIONS);
    disk.hold_syncs(true);
    journal.append(&mut wave(2), Some("before")).expect("there is room");
    let thread = journal.let_go().expect("it is not closed yet");
    let late = journal.append(&mut wave(3), Some("late"));
    assert!(matches!(late, Err((Refusal::Closed, Some("late")))), "{late:?}");
    let late = journal.acknowledge("billing", b"2", Some("late"));
    assert!(matches!(late, Err((Refusal::Closed, Some("late")))), "{late:?}");
    disk.hold_syncs(false);
    thread.join().expect("it does not panic");
    assert_eq!(names(&told.try_recv().expect("it is told by then")), [(2, "before")]);
    assert!(journal.close().is_ok() && journal.let_go().is_none());
    assert_eq!(all(&disk).waves, [1, 2]);
}

#[test]
fn what_comes_while_somebody_commits_is_left_to_the_thread() {
    let disk = SimulatedDisk::new(1);
    let (journal, told) = begun(&disk, OPTIONS);
    let while_committing = |number: u64, meanwhile: &dyn Fn()| {
        disk.hold_syncs(true);
        std::thread::scope(|scope| {
            let commit = scope.spawn(|| journal.commit(&mut [wave(number)]));
            disk.wait_for_sync();
            meanwhile();
            disk.hold_syncs(false);
            let committed = commit.join().expect("it does not panic");
            assert_eq!(committed.expect("a disk without faults"), number);
        });
    };
    while_committing(2, &|| {
        journal.append(&mut wave(3), Some("later")).expect("there is room");
    });
    let told: Vec<_> = told.iter().take(2).map(|settled| names(&settled)).collect();
    assert_eq!(told, [vec![], vec![(3, "later")]]);
    // It ends, too, if nothing is left to be written.
    let thread = RefCell::new(None);
    while_committing(4, &|| *thread.borrow_mut() = journal.let_go());
    thread.into_inner().expect("it was not closed before").join().expect("it does not panic");
    assert_eq!(all(&disk).waves, [1, 2, 3, 4]);
}

#[test]
fn a_sync_that_fails_at_the_end_is_told_and_nothing_is_said_of_it() {
    let disk = SimulatedDisk::new(1);
    let (journal, _told) = begun(&disk, Options { durability: Durability::Written, ..OPTIONS });
    disk.fail_all(Some((Deed::Sync, EIO)));
    for _ in 0..2 {
        assert!(matches!(journal.close(), Err(Refusal::Failed { safe: 1, .. })));
    }
    assert!(!disk.deeds().contains(&Deed::Rename), "a snapshot would say that it is safe");
}

#[cfg(target_os = "linux")]
#[test]
fn a_journal_that_is_forgotten_closes_its_files() {
    let path = std::env::temp_dir().join(format!("aether-forgotten-{}", std::process::id()));
    let folder = aether_journal::disk::Folder::new(&path).expect("it can be made");
    let journal = crate::open(&folder, OPTIONS).expect("nobody writes there");
    journal.append(&mut wave(1), None).expect("there is room");
    journal.flush().expect("a disk without faults");
    let held = || {
        let files = std::fs::read_dir("/proc/self/fd").expect("it is there");
        let files = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        files.filter(|file| file.starts_with(&path)).count()
    };
    assert_eq!(held(), 2, "the lock and a segment");
    journal.forget();
    assert_eq!(held(), 0);
    crate::open(&folder, OPTIONS).expect("nobody writes there any more");
    std::fs::remove_dir_all(&path).expect("it is there");
}

#[test]
fn a_journal_that_is_forgotten_writes_nothing_and_drops_nobody() {
    let disk = SimulatedDisk::new(1);
    let told_of = std::sync::Arc::new(());
    let options = Options { segment_bytes: 1 << 20, ..OPTIONS };
    let journal = Journal::open(disk.clone(), options, drop).expect("an empty disk");
    disk.hold_syncs(true);
    journal.append(&mut wave(1), Some(told_of.clone())).expect("there is room");
    disk.wait_for_sync();
    journal.append(&mut wave(2), Some(told_of.clone())).expect("there is room");
    let deeds = disk.deeds();
    // Here the thread is there, and stands still as it does in a forked child.
    journal.forget();
    assert_eq!((disk.deeds(), std::sync::Arc::strong_count(&told_of)), (deeds, 3));
    disk.hold_syncs(false);
}
