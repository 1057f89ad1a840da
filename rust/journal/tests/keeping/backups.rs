//! Copies of journals that are written.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use aether_journal::disk::simulated::{Dice, SimulatedDisk};
use aether_journal::disk::{Disk, Folder};
use aether_journal::journal::{Journal, Options};
use aether_journal::keeping::backup::{self, Copied, backup};
use aether_journal::keeping::retain::{Holdings, Rule, Terms, apply, plan};
use aether_journal::keeping::{Failure, unwatched};

use crate::verifying::lived;
use crate::{encoded, names, read, said, verified};

fn copied(from: &SimulatedDisk, options: backup::Options) -> (SimulatedDisk, Copied) {
    let copy = SimulatedDisk::new(99);
    let copied = backup(from, &copy, options, &mut unwatched).expect("a disk without faults");
    (copy, copied)
}

#[test]
fn a_copy_is_the_same_journal() {
    let disk = lived(700);
    for safe in [None, Some(u64::MAX)] {
        let (copy, told) = copied(&disk, backup::Options { safe, link: true });
        assert_eq!(names(&copy), names(&disk));
        assert!(names(&copy).iter().all(|name| copy.bytes(name) == disk.bytes(name)));
        let all = names(&disk);
        let size = |name: &String| disk.bytes(name).expect("it is there").len() as u64;
        let (segments, bytes) = (all.len() as u64, all.iter().map(size).sum());
        assert_eq!(told, Copied { segments, linked: 0, bytes });
        let left = copy.after_power_loss(&mut Dice::new(1));
        assert_eq!((read(left.clone()), said(&left)), (read(disk.clone()), said(&disk)));
        assert_eq!(verified(&copy), verified(&disk));
    }
}

#[test]
fn a_copy_ends_with_the_last_sound_record() {
    let disk = lived(700);
    let last = names(&disk).pop().expect("there are some");
    let whole = disk.bytes(&last).expect("it is there").len();
    let waves = read(disk.clone()).waves;
    for torn in 1..60 {
        let torn_disk = disk.after_kill();
        torn_disk.change(&last, |bytes| bytes.truncate(whole - torn));
        let (copy, _) = copied(&torn_disk, backup::Options::default());
        let told = read(copy.clone());
        assert_eq!((told.torn, told.damage, told.gaps), (0, 0, vec![]), "{torn} bytes are torn");
        assert_eq!(told.waves, read(torn_disk).waves);
        assert!(told.waves.len() < waves.len() || torn <= 48);
    }
}

#[test]
fn a_copy_has_nothing_that_is_not_committed_yet() {
    let disk = lived(700);
    let waves = read(disk.clone()).waves;
    for safe in 1..=waves.last().expect("there are some").sequence {
        let (copy, _) = copied(&disk, backup::Options { safe: Some(safe), link: false });
        let told = read(copy);
        assert!(told.waves.iter().eq(waves.iter().filter(|wave| wave.sequence <= safe)), "{safe}");
        assert_eq!((told.gaps, told.torn), (vec![], 0), "{safe}");
    }
}

#[test]
fn a_segment_that_is_just_being_made_is_copied_as_far_as_its_head() {
    let disk = lived(700);
    let waves = read(disk.clone()).waves;
    let safe = waves.last().expect("there are some").sequence;
    let name = format!("{:020}-ffffffff.segment", safe + 1);
    disk.create(&name).expect("it is new");
    for (size, safe, copies) in [(60, None, 60), (60, Some(safe), 60), (300, Some(safe), 128)] {
        disk.change(&name, |bytes| bytes.resize(size, 7));
        let (copy, _) = copied(&disk, backup::Options { safe, link: false });
        assert_eq!(copy.bytes(&name).map(|bytes| bytes.len()), Some(copies));
        assert_eq!(read(copy).waves, waves);
    }
    // It is not new for whoever does not know which waves are safe: what is damaged is copied as it is.
    let (copy, _) = copied(&disk, backup::Options::default());
    assert_eq!(copy.bytes(&name), disk.bytes(&name));
}

#[test]
fn damage_is_copied_as_it_is() {
    let disk = lived(700);
    let names = names(&disk);
    let name = &names[2];
    disk.change(name, |bytes| bytes[150] ^= 1);
    // Also where that ends a segment, behind which others come.
    disk.change(&names[1], |bytes| *bytes.last_mut().expect("it has records") ^= 1);
    let (copy, _) = copied(&disk, backup::Options::default());
    assert!(names.iter().all(|name| copy.bytes(name) == disk.bytes(name)));
    assert_eq!(verified(&copy), verified(&disk));
    assert!(!verified(&copy).is_sound());
}

#[test]
fn a_folder_that_is_not_empty_is_not_written_in() {
    let disk = lived(700);
    let refused = backup(&disk, &lived(700), backup::Options::default(), &mut unwatched);
    assert!(matches!(refused, Err(Failure::Occupied { .. })), "{refused:?}");
}

fn folder(name: &str) -> (PathBuf, Folder) {
    let path = std::env::temp_dir().join(format!("aether-{name}-{}", std::process::id()));
    let folder = Folder::new(&path).expect("it can be made");
    (path, folder)
}

#[test]
fn complete_segments_are_linked_and_stay_when_they_are_taken_out() {
    let ((path, disk), (copy_path, copy)) = (folder("linked"), folder("links"));
    let options = Options { segment_bytes: 2_000, ..Options::default() };
    let journal = Journal::<_, ()>::open(disk.clone(), options, drop).expect("nobody writes there");
    for number in 1..=200_u64 {
        let mut wave = encoded("orders.created", 0.0, &number.to_le_bytes());
        journal.append(&mut wave, None).expect("there is room");
    }
    journal.wait(200).expect("a disk without faults");
    let safe = Some(journal.safe());
    let told = backup(&disk, &copy, backup::Options { safe, link: true }, &mut unwatched);
    let told = told.expect("a disk without faults");
    assert!(told.linked > 5 && told.linked == told.segments - 1, "{told:?}");
    let links = fs::read_dir(&copy_path).expect("it is there");
    let linked = links.filter(|entry| {
        entry.as_ref().expect("it can be read").metadata().expect("it is there").nlink() > 1
    });
    assert_eq!(linked.count() as u64, told.linked);
    // One that is stopped takes its links away too.
    let (stopped_path, stopped) = folder("stopped");
    let mut stop = |_| ControlFlow::Break(());
    let refused = backup(&disk, &stopped, backup::Options { safe, link: true }, &mut stop);
    assert!(matches!(refused, Err(Failure::Stopped)), "{refused:?}");
    assert_eq!(stopped.names().expect("it can be read"), ["lock"]);
    let rules = [Rule { max_count: Some(0), ..Rule::default() }];
    let mut holdings = Holdings::new();
    holdings.look(&disk, journal.safe(), &mut unwatched).expect("it can be read");
    let terms = Terms { rules: &rules, now: 0.0, keep_after: None, least_gain: 0.0 };
    apply(&disk, &plan(&holdings, &terms), &mut unwatched).expect("a disk without faults");
    for number in 201..=300_u64 {
        let mut wave = encoded("orders.created", 0.0, &number.to_le_bytes());
        journal.append(&mut wave, None).expect("there is room");
    }
    journal.close().expect("a disk without faults");
    assert!(read(disk).waves.len() < 150);
    let sequences = |waves: Vec<crate::Plain>| waves.into_iter().map(|wave| wave.sequence);
    assert!(sequences(read(copy.clone()).waves).eq(1..=200));
    // It is a journal that can be written.
    let journal = Journal::<_, ()>::open(copy, options, drop).expect("nobody writes there");
    assert_eq!(journal.last(), 200);
    drop(journal);
    for path in [path, copy_path, stopped_path] {
        fs::remove_dir_all(path).expect("it is there");
    }
}

#[test]
fn it_is_done_while_the_journal_is_written_and_taken_from() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 700, ..Options::DEFAULT };
    let journal = Journal::<_, ()>::open(disk.clone(), options, drop).expect("an empty disk");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=3_000_u64 {
                let mut wave = encoded("orders.created", 0.0, &number.to_le_bytes());
                let sequence = journal.append(&mut wave, None).expect("there is room");
                if number % 5 == 0 {
                    journal.wait(sequence).expect("a disk without faults");
                }
            }
            journal.wait(3_000).expect("a disk without faults");
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            let rules = [Rule { max_count: Some(200), ..Rule::default() }];
            let terms = Terms { rules: &rules, now: 0.0, keep_after: None, least_gain: 0.0 };
            let mut holdings = Holdings::new();
            while !done.load(Ordering::Acquire) {
                holdings.look(&disk, journal.safe(), &mut unwatched).expect("it can be read");
                let plan = plan(&holdings, &terms);
                apply(&disk, &plan, &mut unwatched).expect("a disk without faults");
            }
        });
        let mut last = false;
        while !last {
            last = done.load(Ordering::Acquire);
            let safe = journal.safe();
            let (copy, _) = copied(&disk, backup::Options { safe: Some(safe), link: false });
            let told = read(copy.clone());
            // All of it up to there, unless that was taken from the journal before it was copied.
            let ends = told.waves.last().map_or(safe, |wave| wave.sequence);
            assert_eq!((ends, told.gaps, told.damage, told.torn), (safe, vec![], 0, 0));
            assert!(told.waves.iter().all(|wave| wave.payload == wave.sequence.to_le_bytes()));
            let report = verified(&copy);
            assert!(report.is_sound(), "{report:?}");
        }
    });
}
