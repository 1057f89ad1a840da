//! A disk that fails at each single operation: an error that says so, the original as it was, and nothing half
//! done.

use aether_journal::disk::simulated::{Fault, SimulatedDisk};
use aether_journal::keeping::backup::{self, backup};
use aether_journal::keeping::repair::repair;
use aether_journal::keeping::retain::{Holdings, Rule, Terms, apply, plan, preview};
use aether_journal::keeping::verify::verify;
use aether_journal::keeping::{Failure, unwatched};

use crate::retention::{applied, kept, pattern, planned};
use crate::verifying::lived;
use crate::{names, read, said, some_steps, verified, write};

/// EIO, ENOSPC, EINTR, EMFILE and EDQUOT.
const ERRORS: [i32; 5] = [5, 28, 4, 24, 122];

/// Every file with its bytes.
fn content(disk: &SimulatedDisk) -> Vec<(String, Option<Vec<u8>>)> {
    names(disk).into_iter().map(|name| (name.clone(), disk.bytes(&name))).collect()
}

fn at(at: usize, errno: i32) -> Fault {
    Fault { at, lasting: false, errno, short: at % 2 == 0 }
}

/// Fails each look, one after the other, until one run goes through.
fn each_look<T>(disk: &SimulatedDisk, mut done: impl FnMut() -> Result<T, Failure>) -> usize {
    for errno in ERRORS {
        for number in 0.. {
            disk.fail_looks(Some(at(disk.looks() + number, errno)));
            match done() {
                Ok(_) => {
                    assert!(number > 5, "it has looked");
                    break;
                }
                Err(Failure::Fault { error, .. }) => {
                    assert_eq!(error.raw_os_error(), Some(errno));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    disk.fail_looks(None);
    disk.looks()
}

#[test]
fn a_disk_that_cannot_be_read_is_told() {
    let disk = lived(700);
    let before = (content(&disk), disk.deeds().len());
    each_look(&disk, || verify(&disk, &mut unwatched));
    each_look(&disk, || repair(&disk, &SimulatedDisk::new(1), &mut unwatched));
    each_look(&disk, || {
        backup(&disk, &SimulatedDisk::new(1), backup::Options::default(), &mut unwatched)
    });
    let rules = [Rule { keep_last: Some(1), ..Rule::default() }];
    let terms = Terms { rules: &rules, now: 100.0, keep_after: None, least_gain: 0.0 };
    each_look(&disk, || Holdings::new().look(&disk, u64::MAX, &mut unwatched));
    let mut holdings = Holdings::new();
    each_look(&disk, || holdings.look(&disk, u64::MAX, &mut unwatched));
    let plan = plan(&holdings, &terms);
    assert_eq!(plan, planned(&disk, &rules, None), "what failed is not remembered");
    each_look(&disk, || preview(&disk, &plan, &mut unwatched));
    assert!((content(&disk), disk.deeds().len()) == before);
}

#[test]
fn a_copy_that_cannot_be_written_is_told_and_taken_away() {
    let disk = lived(700);
    let before = content(&disk);
    let copy = |into: &SimulatedDisk, repaired: bool| {
        if repaired {
            repair(&disk, into, &mut unwatched).map(drop)
        } else {
            backup(&disk, into, backup::Options::default(), &mut unwatched).map(drop)
        }
    };
    for repaired in [false, true] {
        let whole = SimulatedDisk::new(1);
        copy(&whole, repaired).expect("a disk without faults");
        for errno in ERRORS {
            for number in 0..whole.deeds().len() {
                let into = SimulatedDisk::new(1);
                into.fail(Some(at(number, errno)));
                match copy(&into, repaired) {
                    Err(Failure::Fault { error, .. }) => {
                        assert_eq!(error.raw_os_error(), Some(errno));
                        assert_eq!(
                            aether_journal::disk::Disk::names(&into).expect("it can"),
                            [""; 0]
                        );
                    }
                    // A full disk does not mind what needs no room.
                    Ok(()) => assert!(errno == 28),
                    Err(other) => panic!("{other}"),
                }
                into.fail(None);
            }
        }
        // Looks at the folder of the copy.
        for number in 0..whole.looks() {
            let into = SimulatedDisk::new(1);
            into.fail_looks(Some(at(number, 5)));
            assert!(matches!(copy(&into, repaired), Err(Failure::Fault { .. })), "look {number}");
        }
    }
    assert!(content(&disk) == before);
}

#[test]
fn a_retention_that_fails_has_done_whole_steps() {
    let whole = SimulatedDisk::new(1);
    let (all, cursors) = write(&whole, 700, &some_steps(60));
    let rules = [
        Rule { max_count: Some(35), ..Rule::default() },
        Rule { pattern: pattern("orders.paid"), keep_last: Some(1), ..Rule::default() },
    ];
    let left = kept(&whole, &all, &rules, None);
    let plan = planned(&whole, &rules, None);
    assert!(plan.dropped().count() > 1 && plan.rewritten().count() > 1);
    let done = whole.after_kill();
    apply(&done, &plan, &mut unwatched).expect("a disk without faults");
    let (deeds, looks) = (done.deeds().len(), done.looks() - whole.looks());
    let mut failed = 0;
    for errno in ERRORS {
        for number in 0..deeds + looks {
            let disk = whole.after_kill();
            if number < deeds {
                disk.fail(Some(at(number, errno)));
            } else {
                disk.fail_looks(Some(at(disk.looks() + number - deeds, errno)));
            }
            let (done, told) =
                (apply(&disk, &plan, &mut unwatched), format!("{errno} at {number}"));
            disk.fail(None);
            disk.fail_looks(None);
            match done {
                Err(Failure::Fault { error, .. }) => {
                    assert_eq!(error.raw_os_error(), Some(errno), "{told}");
                    failed += 1;
                }
                Ok(_) => assert!(errno == 28, "{told}"),
                Err(other) => panic!("{told}: {other}"),
            }
            let found = read(disk.clone());
            assert!(left.iter().all(|wave| found.waves.contains(wave)), "{told}");
            assert!(found.waves.iter().all(|wave| all.contains(wave)), "{told}");
            assert_eq!((&found.gaps[..], found.damage), (&[][..], 0), "{told}");
            assert!(verified(&disk).is_sound(), "{told}");
            // The next one goes on, and leaves nothing behind.
            applied(&disk, &rules, None);
            let report = verified(&disk);
            assert!(report.is_sound() && report.left_over.is_empty(), "{told}");
            assert_eq!(said(&disk), cursors, "{told}");
            let mut files = aether_journal::disk::Disk::names(&disk).expect("it can be read");
            files.retain(|name| !name.contains(".index") && !name.contains(".snapshot"));
            assert_eq!(files.len(), names(&disk).len(), "{told}: {files:?}");
        }
    }
    assert!(failed > 4 * (deeds + looks), "{failed} of {}", deeds + looks);
}
