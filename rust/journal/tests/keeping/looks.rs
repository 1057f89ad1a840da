//! What is looked at before a plan is made: again where it may have changed, and how far it has come.

use std::ops::ControlFlow;

use aether_journal::disk::Disk;
use aether_journal::disk::simulated::{Deed, Fault, SimulatedDisk};
use aether_journal::journal::{Journal, Options};
use aether_journal::keeping::repair::repair;
use aether_journal::keeping::retain::{Holdings, Rule, Terms, plan};
use aether_journal::keeping::verify::verify;
use aether_journal::keeping::{Failure, Progress, unwatched};

use crate::retention::planned;
use crate::{Step, encoded, names, some_steps, write};

#[test]
fn a_segment_that_is_still_written_is_looked_at_again() {
    let disk = SimulatedDisk::new(1);
    let open = || Journal::<_, ()>::open(disk.clone(), Options::DEFAULT, drop).expect("it can be");
    let (mut holdings, mut sequence) = (Holdings::new(), 0);
    let rules = [Rule { max_count: Some(1), ..Rule::default() }];
    for _ in 0..3 {
        // Each has a segment of its own, which is looked at when it has a part of its waves.
        let journal = open();
        for _ in 0..2 {
            for _ in 0..3 {
                sequence = journal.append(&mut encoded("a", 1.0, &[7; 9]), None).expect("room");
            }
            journal.wait(sequence).expect("a disk without faults");
            holdings.look(&disk, sequence, &mut unwatched).expect("it can be read");
            let terms = Terms { rules: &rules, now: 100.0, keep_after: None, least_gain: 0.0 };
            assert_eq!(plan(&holdings, &terms), planned(&disk, &rules, None), "after {sequence}");
        }
    }
}

#[test]
fn a_look_begins_anew_where_a_segment_is_gone_meanwhile() {
    let disk = SimulatedDisk::new(1);
    write(&disk, 600, &some_steps(60));
    let look = |errno: i32, lasting: bool| {
        let at = disk.looks() + 3;
        disk.fail_looks(Some(Fault { at, lasting, errno, short: false }));
        let looked = Holdings::new().look(&disk, u64::MAX, &mut unwatched);
        disk.fail_looks(None);
        looked.err().map(|failure| match failure {
            Failure::Fault { error, .. } => error.raw_os_error(),
            other => panic!("{other}"),
        })
    };
    let (gone, fault) = (2, 5);
    assert_eq!(look(gone, false), None);
    assert_eq!(look(gone, true), Some(Some(gone)));
    assert_eq!(look(fault, false), Some(Some(fault)));
}

#[test]
fn all_that_is_to_be_read_is_known_from_the_beginning() {
    let disk = SimulatedDisk::new(1);
    write(&disk, 1 << 20, &vec![Step::Wave { channel: 0, time: 0, size: 60_000 }; 60]);
    let size = |name: &String| disk.bytes(name).expect("it is there").len() as u64;
    let all: u64 = names(&disk).iter().map(size).sum();
    let told = |of: u64, done: &mut dyn FnMut(Progress<'_>)| {
        let mut told = Vec::new();
        done(&mut |one| {
            told.push(one);
            ControlFlow::Continue(())
        });
        assert!(told.len() > 2 && told.iter().all(|one| one.of == of), "of {of}: {told:?}");
        assert_eq!(told.last().map(|one| one.bytes), Some(of));
    };
    told(all, &mut |watch| drop(verify(&disk, watch).expect("it can be read")));
    let mut holdings = Holdings::new();
    // The second time, most of it is known.
    for _ in 0..2 {
        told(all, &mut |watch| holdings.look(&disk, u64::MAX, watch).expect("it can be read"));
    }
    told(2 * all, &mut |watch| {
        drop(repair(&disk, &SimulatedDisk::new(2), watch).expect("it can be read"));
    });
}

#[test]
fn copies_are_written_in_blocks_of_256_kib_and_more() {
    let block = 256 * 1024;
    let record = encoded("orders.created", 0.0, &[]).size();
    for (sizes, writes) in [
        (Vec::<usize>::new(), 1),
        (vec![block - 128], 2),
        (vec![block - 128, block], 3),
        (vec![block - 136, block], 2),
    ] {
        let disk = SimulatedDisk::new(1);
        let options = Options { segment_bytes: 1 << 30, ..Options::DEFAULT };
        let journal = Journal::<_, ()>::open(disk.clone(), options, drop).expect("it is empty");
        for size in &sizes {
            let payload = vec![7; size.saturating_sub(record)];
            let mut wave = encoded("orders.created", 0.0, &payload);
            journal.append(&mut wave, None).expect("there is room");
        }
        journal.acknowledge("a", b"b", None).expect("there is room");
        journal.close().expect("a disk without faults");
        let copy = SimulatedDisk::new(2);
        repair(&disk, &copy, &mut unwatched).expect("a disk without faults");
        let written = copy.deeds().iter().filter(|deed| **deed == Deed::Write).count();
        assert_eq!(written, writes, "{sizes:?}");
        assert_eq!(copy.names().expect("it can be read").len(), 1);
    }
}
