//! What rules take, and what they leave.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use aether_core::channel::{Limits, Pattern};
use aether_journal::disk::simulated::{Fault, SimulatedDisk};
use aether_journal::disk::{Disk, Folder};
use aether_journal::filter::Filter;
use aether_journal::journal::{Journal, OpenError, Options};
use aether_journal::keeping::retain::{Holdings, Outcome, Plan, Rule, Terms, apply, plan, preview};
use aether_journal::keeping::unwatched;
use aether_journal::reader::{Event, Reader};
use aether_journal::record::Record;
use aether_journal::reverse::Backwards;
use aether_journal::scan::{Found, Scan};
use aether_journal::segment::segments;
use proptest::prelude::*;

use crate::plain::{Part, gone};
use crate::{
    Plain, Step, Told, by_segment, encoded, names, read, read_after, some_steps, verified, write,
};
use crate::{check_known, check_last};

pub fn pattern(text: &str) -> Option<Pattern> {
    Pattern::parse(text, Limits::default()).ok()
}

pub fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..4_usize, 0..100_u32, 0..120_usize)
            .prop_map(|(channel, time, size)| Step::Wave { channel, time, size }),
        3 => (0..3_usize).prop_map(Step::Cursor),
        1 => Just(Step::Refused),
        1 => Just(Step::Reopened),
    ];
    prop::collection::vec(step, 1..70)
}

pub fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
    let text = prop::sample::select(vec!["orders.*", "a", "users.registered", "*", "none"]);
    let rule = (
        prop::option::of(text),
        prop::option::weighted(0.4, 0..100_u32),
        prop::option::weighted(0.3, 0..4_000_u64),
        prop::option::weighted(0.3, 0..40_u64),
        prop::option::weighted(0.3, 0..4_u64),
    );
    let rule = rule.prop_map(|(text, max_age, max_bytes, max_count, keep_last)| Rule {
        pattern: text.and_then(pattern),
        max_age: max_age.map(f64::from),
        max_bytes,
        max_count,
        keep_last,
    });
    prop::collection::vec(rule, 0..4)
}

/// The plan of these rules, nobody writing.
pub fn planned(disk: &SimulatedDisk, rules: &[Rule], keep_after: Option<u64>) -> Plan {
    let mut holdings = Holdings::new();
    holdings.look(disk, u64::MAX, &mut unwatched).expect("it can be read");
    plan(&holdings, &Terms { rules, now: 100.0, keep_after, least_gain: 0.0 })
}

/// What is to be left of these waves.
pub fn kept(
    disk: &SimulatedDisk,
    waves: &[Plain],
    rules: &[Rule],
    keep_after: Option<u64>,
) -> Vec<Plain> {
    let segments = by_segment(disk);
    let newest = segments.iter().map(|(base, _)| *base).max().unwrap_or(0);
    let part = |(base, sequences): &(u64, Vec<u64>)| Part {
        waves: waves.iter().filter(|wave| sequences.contains(&wave.sequence)).cloned().collect(),
        complete: *base < newest,
    };
    let parts: Vec<Part> = segments.iter().map(part).collect();
    let gone = gone(&parts, rules, 100.0, keep_after);
    waves.iter().filter(|wave| !gone.contains(&wave.sequence)).cloned().collect()
}

pub fn applied(disk: &SimulatedDisk, rules: &[Rule], keep_after: Option<u64>) -> Outcome {
    let applied = apply(disk, &planned(disk, rules, keep_after), &mut unwatched);
    applied.expect("a disk without faults").outcome
}

fn size(disk: &SimulatedDisk) -> u64 {
    names(disk).iter().map(|name| disk.bytes(name).map_or(0, |bytes| bytes.len() as u64)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_is_what_the_rules_say(
        steps in any_steps(),
        more in any_steps(),
        rules in any_rules(),
        keep_after in prop::option::weighted(0.3, 0..60_u64),
        segment_bytes in 300..1_500_u64,
        after in 0..60_u64,
    ) {
        let disk = SimulatedDisk::new(1);
        let (waves, mut said) = write(&disk, segment_bytes, &steps);
        let left = kept(&disk, &waves, &rules, keep_after);
        let unheld = kept(&disk, &waves, &rules, None);
        let plan = planned(&disk, &rules, keep_after);
        let before = (disk.deeds().len(), size(&disk));
        let promised = preview(&disk, &plan, &mut unwatched).expect("it can be read");
        prop_assert_eq!(before.0, disk.deeds().len(), "a preview changes nothing");
        let done = apply(&disk, &plan, &mut unwatched).expect("a disk without faults");
        let outcome = done.outcome;
        prop_assert_eq!(promised, outcome);
        prop_assert_eq!(outcome.waves as usize, waves.len() - left.len());
        prop_assert_eq!(outcome.held_back, unheld.len() < left.len());
        prop_assert_eq!(before.1 - outcome.freed + outcome.written, size(&disk));
        let told = Told { waves: left.clone(), ..Told::default() };
        prop_assert_eq!(read(disk.clone()), told);
        prop_assert_eq!(&super::said(&disk), &said);
        // From anywhere.
        let behind = read_after(disk.clone(), after);
        prop_assert!(behind.waves.iter().eq(left.iter().filter(|wave| wave.sequence > after)));
        prop_assert_eq!(behind.gaps, vec![]);
        // Opened with a snapshot of before.
        check_known(&disk, "opened again");
        let report = verified(&disk);
        prop_assert!(report.is_sound(), "{:?}", report);
        prop_assert_eq!(report.waves as usize, left.len());
        // Once more takes nothing that these rules would not take now.
        let again = kept(&disk, &left, &rules, keep_after);
        applied(&disk, &rules, keep_after);
        prop_assert_eq!(&read(disk.clone()).waves, &again);
        // And it goes on.
        let (new, new_said) = write(&disk, segment_bytes, &more);
        said.extend(new_said);
        let all = [again, new].concat();
        let left = kept(&disk, &all, &rules, keep_after);
        applied(&disk, &rules, keep_after);
        prop_assert_eq!(read(disk.clone()), Told { waves: left, ..Told::default() });
        let mut holdings = Holdings::new();
        holdings.look(&disk, u64::MAX, &mut unwatched).expect("it can be read");
        let noted = holdings.cursors(&disk).expect("it can be read");
        let noted: BTreeMap<String, Vec<u8>> =
            noted.into_iter().map(|(name, state)| (name.into(), state)).collect();
        prop_assert_eq!(&noted, &said);
        prop_assert_eq!(super::said(&disk), said);
        prop_assert!(verified(&disk).is_sound());
    }
}

#[test]
fn the_front_leaves_one_empty_segment_however_often_it_goes() {
    let disk = SimulatedDisk::new(1);
    let rules = [Rule { max_count: Some(10), ..Rule::default() }];
    let mut all = Vec::new();
    for _ in 0..12 {
        all.extend(write(&disk, 600, &some_steps(60)).0);
        applied(&disk, &rules, None);
        let empty = by_segment(&disk).iter().filter(|(_, waves)| waves.is_empty()).count();
        assert_eq!(empty, 1);
        assert!(names(&disk)[0].starts_with("00000000000000000001-"));
    }
    let told = read(disk.clone());
    assert!((10..=20).contains(&told.waves.len()), "{}", told.waves.len());
    assert!(all.ends_with(&told.waves));
    assert_eq!((told.gaps, super::said(&disk).len()), (vec![], 2));
    let last = read_after(disk, 3);
    assert_eq!((last.waves, last.gaps), (told.waves, vec![]));
}

#[test]
fn what_is_lost_later_of_a_segment_written_anew_is_a_gap() {
    let disk = SimulatedDisk::new(1);
    let (waves, _) = write(&disk, 600, &some_steps(60));
    let rules = [Rule { pattern: pattern("orders.*"), max_count: Some(0), ..Rule::default() }];
    applied(&disk, &rules, None);
    let left = read(disk.clone()).waves;
    assert!(left.len() < waves.len());
    // A wave that was kept, between notes of what was removed.
    let name = &names(&disk)[1];
    let bytes = disk.bytes(name).expect("it is there");
    let (mut gaps, mut lost) = (0, 0);
    for byte in 128..bytes.len() {
        disk.change(name, |bytes| bytes[byte] ^= 4);
        let told = read(disk.clone());
        let missing = left.len() - told.waves.len();
        assert!(told.gaps.is_empty() == (told.waves.len() == left.len()) || missing == 0);
        gaps += usize::from(!told.gaps.is_empty());
        lost += missing;
        disk.change(name, |now| now.clone_from(&bytes));
    }
    assert!(gaps > 0 && lost > 0);
}

#[test]
fn a_damaged_segment_is_not_written_anew_but_goes_as_a_whole() {
    let disk = SimulatedDisk::new(1);
    write(&disk, 600, &some_steps(60));
    let name = names(&disk)[1].clone();
    disk.change(&name, |bytes| bytes[200] ^= 1);
    let by_pattern = [Rule { pattern: pattern("orders.*"), keep_last: Some(1), ..Rule::default() }];
    let plan = planned(&disk, &by_pattern, None);
    assert_eq!(plan.damaged, [name.as_str()]);
    assert!(plan.rewritten().all(|rewritten| rewritten != name) && plan.rewritten().count() > 2);
    let gaps = read(disk.clone()).gaps;
    assert_eq!(gaps.len(), 1);
    applied(&disk, &by_pattern, None);
    assert_eq!(read(disk.clone()).gaps, gaps, "a gap is not taken for what was removed");
    let by_count = [Rule { max_count: Some(1), ..Rule::default() }];
    let plan = planned(&disk, &by_count, None);
    assert!(plan.dropped().any(|dropped| dropped == name));
    applied(&disk, &by_count, None);
    assert_eq!(read(disk).gaps, []);
}

#[test]
fn a_segment_without_a_head_stays_and_those_around_it_go() {
    let disk = SimulatedDisk::new(1);
    let (waves, _) = write(&disk, 600, &some_steps(100));
    let before = by_segment(&disk);
    let name = names(&disk)[2].clone();
    disk.change(&name, |bytes| bytes[..128].fill(7));
    let rules = [Rule { max_count: Some(0), ..Rule::default() }];
    let plan = planned(&disk, &rules, None);
    assert_eq!(plan.dropped().count(), before.len() - 2);
    applied(&disk, &rules, None);
    let told = read(disk.clone());
    assert_eq!((told.unreadable, names(&disk).len()), (1, 4));
    let newest = waves.len() - before.last().expect("there are some").1.len();
    assert_eq!(told.waves, waves[newest..]);
    assert!(told.gaps.into_iter().flatten().eq(before[2].1.iter().copied()));
}

#[test]
fn what_a_later_version_has_noted_stays() {
    let disk = SimulatedDisk::new(1);
    write(&disk, 600, &some_steps(60));
    let kinds = |disk: &SimulatedDisk| {
        let mut unknown = Vec::new();
        for segment in segments(disk).expect("it can be read") {
            let mut scan = Scan::new(&segment.file, &segment.header.expect("it is sound"));
            while let Some(found) = scan.next().expect("it can be read") {
                if let Found::Record { bytes, record: Record::Unknown { sequence }, .. } = found {
                    unknown.push((sequence, bytes[48..].to_vec()));
                }
            }
        }
        unknown
    };
    // The first note of a cursor becomes one of another kind.
    let first = segments(&disk).expect("it can be read").remove(0);
    let identity = first.header.expect("it is sound").identity;
    let mut scan = Scan::new(&first.file, &first.header.expect("it is sound"));
    let at = std::iter::from_fn(|| match scan.next().expect("it can be read")? {
        Found::Record { offset, record: Record::Acknowledged { .. }, .. } => Some(Some(offset)),
        _ => Some(None),
    });
    let at = at.flatten().next().expect("there is one");
    disk.change(&first.name, |bytes| {
        let head = &mut bytes[at as usize..at as usize + 48];
        head[12] = 9;
        let seed = crc32c::crc32c_append(crc32c::crc32c(&identity), &at.to_le_bytes());
        let sum = crc32c::crc32c_append(seed, &head[4..]);
        head[..4].copy_from_slice(&sum.to_le_bytes());
    });
    let before = kinds(&disk);
    assert_eq!(before.len(), 1);
    let rules = [Rule { pattern: pattern("orders.*"), max_count: Some(0), ..Rule::default() }];
    assert!(planned(&disk, &rules, None).rewritten().any(|name| *name == first.name));
    applied(&disk, &rules, None);
    assert_eq!(kinds(&disk), before);
    assert!(verified(&disk).is_sound());
}

#[test]
fn a_reader_that_goes_backwards_comes_to_what_stays() {
    let disk = SimulatedDisk::new(1);
    write(&disk, 600, &some_steps(200));
    let mut reader = Backwards::new(disk.clone(), Filter::default()).expect("it can be read");
    let mut seen: Vec<u64> = Vec::new();
    let mut see = |most: usize| {
        let read = reader.read(|event| {
            let Event::Wave(wave) = event else { panic!("{event:?}") };
            seen.push(wave.sequence);
            if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        read.expect("it can be read");
    };
    see(20);
    let rules = [
        Rule { max_count: Some(90), ..Rule::default() },
        Rule { pattern: pattern("orders.*"), max_count: Some(30), ..Rule::default() },
    ];
    let plan = planned(&disk, &rules, None);
    assert!(plan.dropped().count() > 3 && plan.rewritten().count() > 3);
    apply(&disk, &plan, &mut unwatched).expect("a disk without faults");
    see(usize::MAX);
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    // Also what the segment that it has open had then.
    let left = read(disk).waves;
    assert!(left.iter().all(|wave| seen.contains(&wave.sequence)));
    assert!(seen.len() < 90, "{}", seen.len());
}

#[test]
fn segments_that_changed_since_the_plan_are_left_alone() {
    let disk = SimulatedDisk::new(1);
    write(&disk, 600, &some_steps(60));
    let rules = [Rule { pattern: pattern("orders.*"), max_count: Some(0), ..Rule::default() }];
    let plan = planned(&disk, &rules, None);
    let first = apply(&disk, &plan, &mut unwatched).expect("a disk without faults").outcome;
    let before = read(disk.clone());
    let again = apply(&disk, &plan, &mut unwatched).expect("a disk without faults").outcome;
    assert_eq!((again.waves, again.changed), (0, first.rewritten));
    assert_eq!(read(disk), before);
}

#[test]
fn what_is_known_is_not_read_again() {
    let disk = SimulatedDisk::new(1);
    write(&disk, 600, &some_steps(200));
    let mut holdings = Holdings::new();
    let mut looks = Vec::new();
    for _ in 0..2 {
        let before = disk.looks();
        holdings.look(&disk, u64::MAX, &mut unwatched).expect("it can be read");
        looks.push(disk.looks() - before);
    }
    assert!(looks[1] < looks[0] * 3 / 4, "{looks:?}");
    let rules = [Rule { keep_last: Some(1), ..Rule::default() }];
    let terms = Terms { rules: &rules, now: 100.0, keep_after: None, least_gain: 0.0 };
    assert_eq!(plan(&holdings, &terms), planned(&disk, &rules, None));
}

#[test]
fn little_is_not_worth_a_segment_written_anew() {
    let disk = SimulatedDisk::new(1);
    write(&disk, 2_000, &some_steps(200));
    let rules = [Rule { pattern: pattern("a"), max_count: Some(0), ..Rule::default() }];
    let mut holdings = Holdings::new();
    holdings.look(&disk, u64::MAX, &mut unwatched).expect("it can be read");
    let terms = Terms { rules: &rules, now: 100.0, keep_after: None, least_gain: 0.5 };
    assert!(plan(&holdings, &terms).is_empty());
    assert!(!plan(&holdings, &Terms { least_gain: 0.05, ..terms }).is_empty());
}

#[test]
fn a_reader_goes_on_with_the_file_that_it_has_open_and_with_what_stays() {
    let path = std::env::temp_dir().join(format!("aether-retained-{}", std::process::id()));
    let folder = Folder::new(&path).expect("it can be made");
    let options = Options { segment_bytes: 2_000, ..Options::default() };
    let journal =
        Journal::<_, ()>::open(folder.clone(), options, drop).expect("nobody writes there");
    for number in 1..=300_u64 {
        let mut wave = encoded("orders.created", 0.0, &number.to_le_bytes());
        journal.append(&mut wave, None).expect("there is room");
    }
    journal.wait(300).expect("a disk without faults");
    let mut reader = Reader::after(folder.clone(), 0).expect("it can be read");
    let mut seen = Vec::new();
    let see = |reader: &mut Reader<Folder>, seen: &mut Vec<u64>, most: usize| {
        let read = reader.read(|event| {
            let Event::Wave(wave) = event else { panic!("{event:?}") };
            seen.push(wave.sequence);
            if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        read.expect("it can be read");
    };
    see(&mut reader, &mut seen, 50);
    let mut holdings = Holdings::new();
    holdings.look(&folder, journal.safe(), &mut unwatched).expect("it can be read");
    let rules = [
        Rule { max_count: Some(100), ..Rule::default() },
        Rule { pattern: pattern("orders.*"), max_count: Some(30), ..Rule::default() },
    ];
    let terms = Terms { rules: &rules, now: 0.0, keep_after: None, least_gain: 0.0 };
    let plan = plan(&holdings, &terms);
    assert!(plan.dropped().count() > 3 && plan.rewritten().count() > 1);
    apply(&folder, &plan, &mut unwatched).expect("a disk without faults");
    see(&mut reader, &mut seen, usize::MAX);
    // Nothing that was taken out is a gap.
    assert!(seen.is_sorted_by(|a, b| a < b) && seen.starts_with(&(1..=50).collect::<Vec<_>>()));
    assert!((271..=300).all(|stays| seen.contains(&stays)));
    let fresh = read(folder.clone());
    assert!(fresh.waves.iter().map(|wave| wave.sequence).eq(271..=300));
    let mut left = folder.names().expect("it can be read");
    left.retain(|name| !name.contains(".index") && !name.contains(".snapshot"));
    assert_eq!(left.len(), names_of(&folder) + 1, "no drafts, only the lock");
    drop(journal);
    std::fs::remove_dir_all(path).expect("it is there");
}

#[test]
fn a_journal_that_is_told_of_a_retention_knows_what_is_left() {
    let disk = SimulatedDisk::new(1);
    write(&disk, 700, &some_steps(60));
    let options = Options { segment_bytes: 700, ..Options::DEFAULT };
    let journal = Journal::<_, ()>::open(disk.clone(), options, drop).expect("nobody writes there");
    for number in 0..20 {
        journal.append(&mut encoded("orders.paid", 0.0, &[number]), None).expect("there is room");
        journal.acknowledge("cursor-1", &[number], None).expect("there is room");
    }
    journal.flush().expect("a disk without faults");
    check_last(&journal, &disk, "before");
    let rules = [
        Rule { max_count: Some(30), ..Rule::default() },
        Rule { pattern: pattern("orders.*"), keep_last: Some(1), ..Rule::default() },
    ];
    let plan = planned(&disk, &rules, None);
    assert!(plan.dropped().count() > 1 && plan.rewritten().count() > 1);
    apply(&disk, &plan, &mut unwatched).expect("a disk without faults");
    journal.refresh().expect("it can be read");
    check_last(&journal, &disk, "told of it");
    // The last wave of a channel goes, as it is old, and one before it stays.
    let rules = [Rule { pattern: pattern("orders.paid"), max_age: Some(5.0), ..Rule::default() }];
    apply(&disk, &planned(&disk, &rules, None), &mut unwatched).expect("a disk without faults");
    journal.refresh().expect("it can be read");
    check_last(&journal, &disk, "told of it again");
    let wave = journal.append(&mut encoded("orders.paid", 0.0, &[]), None);
    journal.wait(wave.expect("there is room")).expect("a disk without faults");
    check_last(&journal, &disk, "and goes on");
    drop(journal);
    check_known(&disk, "opened again");
}

#[test]
fn the_last_wave_of_a_channel_goes_and_one_before_it_stays() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 700, ..Options::DEFAULT };
    let journal = Journal::<_, ()>::open(disk.clone(), options, drop).expect("nobody writes there");
    // Each of them is older than the one before.
    for number in 0..40_u8 {
        let mut wave = encoded("orders.paid", 100.0 - f64::from(number), &[number]);
        journal.append(&mut wave, None).expect("there is room");
    }
    for number in 0..20_u8 {
        let mut wave = encoded("users.registered", 100.0, &[number]);
        journal.append(&mut wave, None).expect("there is room");
    }
    journal.flush().expect("a disk without faults");
    let rules = [Rule { pattern: pattern("orders.*"), max_age: Some(20.0), ..Rule::default() }];
    let outcome = applied(&disk, &rules, None);
    assert_eq!(outcome.waves, 19);
    // Where the folder cannot be read, it can be asked for again.
    let mut failed = 0;
    loop {
        let at = disk.looks() + failed;
        disk.fail_looks(Some(Fault { at, lasting: false, errno: 5, short: false }));
        let Err(error) = journal.refresh() else { break };
        assert!(matches!(error, OpenError::Fault(error) if error.raw_os_error() == Some(5)));
        failed += 1;
    }
    disk.fail_looks(None);
    assert!(failed > 5, "{failed} looks");
    check_last(&journal, &disk, "told of it");
    let last = journal.last_of(&pattern("orders.paid").expect("a pattern"));
    assert_eq!(last[0].1.sequence, 21);
}

fn names_of(folder: &Folder) -> usize {
    aether_journal::segment::segments(folder).expect("it can be read").len()
}

#[test]
fn it_is_done_while_the_journal_is_written_and_read() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 700, ..Options::DEFAULT };
    let journal = Journal::<_, ()>::open(disk.clone(), options, drop).expect("an empty disk");
    let done = AtomicBool::new(false);
    let complete = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&complete);
    journal.on_complete(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let rules = [
        Rule { max_count: Some(60), ..Rule::default() },
        Rule { pattern: pattern("orders.paid"), keep_last: Some(2), ..Rule::default() },
    ];
    let (mut taken, total) = (0, 3_000_u64);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=total {
                let channel = crate::CHANNELS[number as usize % 4];
                let mut wave = encoded(channel, 0.0, &number.to_le_bytes());
                let sequence = journal.append(&mut wave, None).expect("there is room");
                if number % 5 == 0 {
                    journal.wait(sequence).expect("a disk without faults");
                }
            }
            journal.wait(total).expect("a disk without faults");
            done.store(true, Ordering::Release);
        });
        let mut holdings = Holdings::new();
        let mut last = false;
        while !last {
            last = done.load(Ordering::Acquire);
            holdings.look(&disk, journal.safe(), &mut unwatched).expect("it can be read");
            let terms = Terms { rules: &rules, now: 0.0, keep_after: None, least_gain: 0.0 };
            let plan = plan(&holdings, &terms);
            let done = apply(&disk, &plan, &mut unwatched).expect("a disk without faults");
            taken += done.outcome.waves;
            // Whatever a new reader comes to is right, and in order.
            let mut before = 0;
            let mut reader = Reader::after(disk.clone(), 0).expect("it can be read");
            let read = reader.read(|event| {
                match event {
                    Event::Wave(wave) => {
                        assert_eq!(wave.payload, wave.sequence.to_le_bytes());
                        assert!(wave.sequence > before);
                        before = wave.sequence;
                    }
                    Event::TornTail { .. } => {}
                    other => panic!("{other:?}"),
                }
                ControlFlow::Continue(())
            });
            read.expect("it can be read");
        }
    });
    journal.close().expect("a disk without faults");
    assert!(complete.load(Ordering::Relaxed) > 10, "who waits for complete segments is called");
    let left = read(disk.clone()).waves;
    assert_eq!(left.len() as u64 + taken, total);
    assert!((30..100).contains(&left.len()), "{}", left.len());
    assert!(verified(&disk).is_sound());
}
