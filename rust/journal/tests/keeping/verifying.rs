//! What a report says of journals that are sound, damaged, cut, and written.

use std::ops::ControlFlow;

use aether_journal::disk::simulated::{Deed, SimulatedDisk};
use aether_journal::header::{HeaderFault, RECORDS};
use aether_journal::keeping::retain::{Rule, apply};
use aether_journal::keeping::verify::{Moment, Report, verify};
use aether_journal::keeping::{Done, Failure, unwatched};

use crate::retention::{applied, pattern, planned};
use crate::{Step, Told, names, read, some_steps, verified, write};

/// A journal with everything in it: refused waves, cursors, segments that were dropped and written anew.
pub fn lived(segment_bytes: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(3);
    write(&disk, segment_bytes, &some_steps(40));
    let rules = [
        Rule { max_count: Some(22), ..Rule::default() },
        Rule { pattern: pattern("orders.paid"), keep_last: Some(1), ..Rule::default() },
    ];
    applied(&disk, &rules, None);
    let refused = |number: usize| if number % 9 == 4 { Step::Refused } else { Step::Cursor(1) };
    let more = some_steps(30).into_iter().enumerate();
    let more = more.map(|(number, step)| if number % 9 > 6 { refused(number) } else { step });
    write(
        &disk,
        segment_bytes,
        &more.chain([(0, Step::Refused)].map(|(_, step)| step)).collect::<Vec<_>>(),
    );
    // Some with notes alone.
    for cursor in [0, 1, 0] {
        write(&disk, segment_bytes, &[Step::Cursor(cursor)]);
    }
    write(&disk, segment_bytes, &some_steps(12));
    disk
}

/// A reader and a report tell the same, as far as a reader comes.
pub fn agree(told: &Told, report: &Report, what: &str) {
    assert_eq!(told.waves.len() as u64, report.waves, "{what}");
    let span = told.waves.first().zip(told.waves.last());
    let moment = |wave: &crate::Plain| Moment { sequence: wave.sequence, time: wave.time };
    assert_eq!(span.map(|(first, last)| (moment(first), moment(last))), report.span, "{what}");
    let known: Vec<u64> = told.gaps.iter().cloned().flatten().collect();
    let gaps: Vec<u64> = report.gaps.iter().cloned().flatten().collect();
    assert!(gaps.starts_with(&known), "{what}: {known:?} {gaps:?}");
    // What comes after the last wave, the reader is not told yet.
    let last = told.waves.last().map_or(0, |wave| wave.sequence);
    assert!(
        gaps[known.len()..].iter().all(|sequence| *sequence > last),
        "{what}: {known:?} {gaps:?}"
    );
    assert_eq!(told.damage + told.torn, report.damage.len(), "{what}");
    assert_eq!(told.torn, usize::from(report.torn_tail().is_some()), "{what}: {report:?}");
    let unreadable = report.segments.iter().filter(|part| part.fault.is_some()).count();
    assert_eq!(told.unreadable, unreadable, "{what}");
    assert!(report.waves == 0 || report.removed.iter().all(|range| !range.is_empty()), "{what}");
}

#[test]
fn a_sound_journal_is_told_in_full() {
    let disk = lived(700);
    let report = verified(&disk);
    let told = read(disk.clone());
    agree(&told, &report, "sound");
    assert!(report.is_sound() && report.damage.is_empty() && report.repeated == 0, "{report:?}");
    assert_eq!(report.segments.len(), names(&disk).len());
    assert!(report.segments.iter().any(|part| part.rewritten > 0 && part.waves > 0));
    assert!(report.segments[0].waves == 0 && report.segments[0].sealed);
    let sum = |of: fn(&aether_journal::keeping::verify::Part) -> u64| {
        report.segments.iter().map(of).sum::<u64>()
    };
    assert_eq!((sum(|part| part.waves), sum(|part| part.bytes)), (report.waves, report.bytes));
    let removed: u64 = report.removed.iter().map(|range| range.end() - range.start() + 1).sum();
    let (first, last) = (1, report.span.expect("there are some").1.sequence);
    assert_eq!(first + removed + report.waves, last + 1, "each is there or removed");
}

#[test]
fn each_bit_that_flips_is_told_as_a_reader_tells_it() {
    let disk = lived(700);
    let whole = verified(&disk);
    for name in names(&disk) {
        let bytes = disk.bytes(&name).expect("it is there");
        for bit in 0..bytes.len() * 8 {
            disk.change(&name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let (report, what) = (verified(&disk), format!("bit {bit} of {name}"));
            agree(&read(disk.clone()), &report, &what);
            let byte = (bit / 8) as u64;
            if byte < RECORDS {
                assert_eq!(report, whole, "{what}: a head is there twice");
            } else {
                let hit = |damage: &aether_journal::keeping::verify::Damage| {
                    damage.segment == name && damage.bytes.contains(&byte)
                };
                assert_eq!(report.damage.iter().filter(|damage| hit(damage)).count(), 1, "{what}");
                assert_eq!(report.damage.len(), 1, "{what}");
                let lost = whole.waves - report.waves;
                let gaps: u64 = report.gaps.iter().map(|gap| gap.end() - gap.start() + 1).sum();
                // A note of what was removed that is lost leaves a gap.
                assert!(gaps >= lost || report.torn_tail().is_some(), "{what}: {report:?}");
            }
            disk.change(&name, |now| now.clone_from(&bytes));
        }
    }
    assert_eq!(verified(&disk), whole);
}

#[test]
fn a_segment_cut_anywhere_is_told_as_a_reader_tells_it() {
    let disk = lived(700);
    for name in names(&disk) {
        let bytes = disk.bytes(&name).expect("it is there");
        for length in 0..bytes.len() {
            disk.change(&name, |bytes| bytes.truncate(length));
            agree(&read(disk.clone()), &verified(&disk), &format!("{name} cut at {length}"));
            disk.change(&name, |now| now.clone_from(&bytes));
        }
    }
}

#[test]
fn a_torn_tail_is_no_damage() {
    let disk = lived(700);
    let last = names(&disk).pop().expect("there are some");
    disk.change(&last, |bytes| bytes.truncate(bytes.len() - 3));
    let report = verified(&disk);
    agree(&read(disk.clone()), &report, "torn");
    assert_eq!(report.torn_tail().map(|tail| &tail.segment), Some(&last));
    assert!(report.is_sound() && report.damage.len() == 1, "{report:?}");
    // Behind damage, it is both.
    disk.change(&last, |bytes| bytes[150] ^= 1);
    let report = verified(&disk);
    agree(&read(disk), &report, "damaged and torn");
    assert!(report.torn_tail().is_some() && !report.is_sound(), "{report:?}");
    assert_eq!(report.damage.iter().map(|damage| damage.torn).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_segment_without_a_head_is_named_and_its_waves_are_a_gap() {
    let disk = lived(700);
    let name = names(&disk)[2].clone();
    disk.change(&name, |bytes| bytes[..128].fill(0));
    let report = verified(&disk);
    agree(&read(disk), &report, "no head");
    assert_eq!(report.segments[2].fault, Some(HeaderFault::Damaged));
    assert_eq!((report.segments[2].name.clone(), report.gaps.is_empty()), (name, false));
    assert!(!report.is_sound());
}

#[test]
fn files_that_a_retention_could_not_remove_are_named_and_say_nothing() {
    let disk = SimulatedDisk::new(1);
    write(&disk, 600, &some_steps(60));
    let by_pattern = Rule { pattern: pattern("orders.*"), max_count: Some(0), ..Rule::default() };
    for rule in [by_pattern, Rule { max_count: Some(10), ..Rule::default() }] {
        let plan = planned(&disk, &[rule], None);
        let first = plan.rewritten().next().or(plan.dropped().next()).expect("something goes");
        let (before, part) = (verified(&disk), first.to_owned());
        disk.fail_all(Some((Deed::Remove, 5)));
        assert!(apply(&disk, &plan, &mut unwatched).is_err());
        disk.fail_all(None);
        let report = verified(&disk);
        assert!(report.left_over.contains(&part) && report.is_sound(), "{report:?}");
        assert!(report.segments.iter().all(|segment| !report.left_over.contains(&segment.name)));
        assert_eq!(report.segments.len() + report.left_over.len(), before.segments.len() + 1);
        assert_eq!(report.waves, read(disk.clone()).waves.len() as u64);
        // The next one removes them.
        applied(&disk, &[], None);
        let after = verified(&disk);
        assert_eq!((after.waves, &after.removed), (report.waves, &report.removed));
        assert!(after.left_over.is_empty() && after.is_sound(), "{after:?}");
    }
}

#[test]
fn the_progress_is_told_and_can_stop_it() {
    let disk = SimulatedDisk::new(1);
    let steps = vec![Step::Wave { channel: 0, time: 0, size: 60_000 }; 100];
    write(&disk, 1 << 20, &steps);
    let mut told: Vec<Done> = Vec::new();
    let mut watch = |done| {
        told.push(done);
        ControlFlow::Continue(())
    };
    let report = verify(&disk, &mut watch).expect("it can be read");
    assert!((5..12).contains(&told.len()), "{told:?}");
    assert!(told.windows(2).all(|pair| pair[0].bytes <= pair[1].bytes));
    let last = told.last().expect("it was told");
    assert_eq!((last.bytes, last.of), (report.bytes, report.bytes));
    let mut times = 0;
    let mut stop = |_| {
        times += 1;
        if times < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    assert!(matches!(verify(&disk, &mut stop), Err(Failure::Stopped)));
    assert_eq!(times, 3);
    assert_eq!(
        verify(&SimulatedDisk::new(1), &mut unwatched).expect("it is empty"),
        Report::default()
    );
}
