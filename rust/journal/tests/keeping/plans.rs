//! What a plan does with each segment: whether so much of it would go that it is written anew, whether it is left as it is
//! as it is damaged, and what becomes of one that is empty.

use std::ops::ControlFlow;

use aether_journal::disk::Disk;
use aether_journal::disk::simulated::SimulatedDisk;
use aether_journal::keeping::retain::{Holdings, Plan, Rule, Terms, apply, plan, preview};
use aether_journal::keeping::{Done, unwatched};

use crate::retention::pattern;
use crate::{CHANNELS, Plain, Step, by_segment, names, write};

/// The channel and the time of each wave of the segment that is looked at, in order.
const WAVES: [(usize, u32); 8] =
    [(0, 10), (0, 20), (1, 5), (2, 1), (0, 30), (1, 5), (2, 9), (0, 40)];

fn planned(disk: &SimulatedDisk, rule: &Rule, now: f64, least_gain: f64) -> Plan {
    let mut holdings = Holdings::new();
    holdings.look(disk, u64::MAX, &mut unwatched).expect("it can be read");
    let rules = std::slice::from_ref(rule);
    plan(&holdings, &Terms { rules, now, keep_after: None, least_gain })
}

/// The greatest part for which it is written anew.
fn gain(disk: &SimulatedDisk, rule: &Rule, now: f64) -> f64 {
    let (mut least, mut most) = (0.0, 4.0);
    for _ in 0..40 {
        let middle = f64::midpoint(least, most);
        let rewritten = planned(disk, rule, now, middle).rewritten().count();
        *(if rewritten > 0 { &mut least } else { &mut most }) = middle;
    }
    least
}

/// Three segments: one with notes alone, one with the waves and the same base, and the newest.
fn journal() -> (SimulatedDisk, Vec<Plain>) {
    let disk = SimulatedDisk::new(1);
    let wave = |(number, &(channel, time)): (usize, &(usize, u32))| Step::Wave {
        channel,
        time,
        size: 100 * (number + 1),
    };
    let mut steps = vec![Step::Cursor(0), Step::Reopened];
    steps.extend(WAVES.iter().enumerate().map(wave));
    steps.insert(6, Step::Cursor(1));
    steps.extend([Step::Reopened, Step::Wave { channel: 3, time: 50, size: 10 }]);
    let (waves, _) = write(&disk, 1 << 20, &steps);
    let bases: Vec<u64> = by_segment(&disk).into_iter().map(|(base, _)| base).collect();
    assert_eq!(bases, [1, 1, 9]);
    (disk, waves)
}

#[test]
fn it_is_about_the_part_that_goes() {
    let (disk, waves) = journal();
    let size = |name: &String| disk.bytes(name).expect("it is there").len() as f64;
    let sizes: Vec<f64> = names(&disk).iter().map(size).collect();
    let (all, own) = (sizes[0] + sizes[1], sizes[1]);
    let bytes = |channel: usize| {
        let of = waves.iter().filter(|wave| wave.channel == CHANNELS[channel]);
        of.map(|wave| wave.bytes as f64).sum::<f64>()
    };
    let first = pattern(CHANNELS[0]);
    let of_first = |rule: Rule| Rule { pattern: first.clone(), ..rule };
    let older = |rule: Rule, than: f64| Rule { max_age: Some(100.0 - than), ..rule };
    let everything = || Rule { pattern: pattern("*"), ..Rule::default() };
    let total = bytes(0) as u64;
    for (rule, expected, what) in [
        // Waves are taken to be of one size.
        (of_first(Rule { max_count: Some(1), ..Rule::default() }), 3.0 / 8.0 * own, "count"),
        (of_first(Rule { max_bytes: Some(total - 500), ..Rule::default() }), 500.0, "bytes"),
        (of_first(older(Rule::default(), 25.0)), 0.5 * bytes(0), "age, within its times"),
        (of_first(older(Rule::default(), 90.0)), bytes(0), "age, behind its times"),
        (
            Rule { pattern: pattern(CHANNELS[1]), ..older(Rule::default(), 6.0) },
            bytes(1),
            "one moment",
        ),
        (older(everything(), 5.0), 0.5 * bytes(2), "one moment is not older than itself"),
        (older(everything(), 7.0), 0.75 * bytes(2) + bytes(1), "several channels"),
        (
            Rule { keep_last: Some(1), ..Rule::default() },
            0.75 * bytes(0) + 0.5 * (bytes(1) + bytes(2)),
            "the last of each",
        ),
    ] {
        let gain = gain(&disk, &rule, 100.0);
        assert!((gain - expected / all).abs() < 1e-6, "{what}: {gain}, not {}", expected / all);
    }
}

#[test]
fn a_torn_tail_is_written_anew_and_other_damage_is_not() {
    let (disk, waves) = journal();
    let names = names(&disk);
    let rule = Rule { pattern: pattern("*"), max_count: Some(5), ..Rule::default() };
    let told = |disk: &SimulatedDisk| {
        let plan = planned(disk, &rule, 100.0, 0.0);
        (plan.rewritten().count(), plan.damaged.len())
    };
    assert_eq!(told(&disk), (1, 0));
    let torn = disk.after_kill();
    torn.change(&names[1], |bytes| bytes.extend([7; 20]));
    assert_eq!(told(&torn), (1, 0));
    // A note between the waves, none of which is missing.
    let note = 128 + waves[..4].iter().map(|wave| wave.bytes as usize).sum::<usize>();
    disk.change(&names[1], |bytes| bytes[note + 50] ^= 1);
    assert_eq!(told(&disk), (0, 2));
}

#[test]
fn segments_that_are_empty_and_come_to_stand_side_by_side_become_one() {
    let disk = SimulatedDisk::new(1);
    let mut steps = Vec::new();
    for time in [0, 90, 0, 99] {
        steps.extend([Step::Wave { channel: 0, time, size: 10 }, Step::Reopened]);
    }
    steps.push(Step::Wave { channel: 0, time: 99, size: 10 });
    write(&disk, 1 << 20, &steps);
    let rule = Rule { max_age: Some(50.0), ..Rule::default() };
    let done = |now: f64| {
        let plan = planned(&disk, &rule, now, 0.0);
        let outcome = apply(&disk, &plan, &mut unwatched).expect("without faults").outcome;
        // No file is left of those that are gone.
        let (there, all) = (names(&disk), disk.names().expect("it can be read"));
        let segment = |name: &String| Some(format!("{}.segment", name.strip_suffix(".index")?));
        assert!(all.iter().filter_map(segment).all(|segment| there.contains(&segment)));
        // Those without waves do not count.
        assert_eq!((outcome.dropped, outcome.rewritten), (outcome.waves, 0));
        by_segment(&disk)
    };
    let one = |base: u64| (base, vec![base]);
    assert_eq!(done(100.0), [(1, vec![]), one(2), (3, vec![]), one(4), one(5)]);
    assert_eq!(done(145.0), [(1, vec![]), one(4), one(5)]);
    assert!(planned(&disk, &rule, 145.0, 0.0).is_empty(), "one alone is left as it is");
}

#[test]
fn where_all_that_would_go_is_still_to_come_to_nothing_is_written_anew() {
    let (disk, _) = journal();
    let rule = Rule { pattern: pattern("*"), max_count: Some(5), ..Rule::default() };
    let held = |keep_after: u64| {
        let mut holdings = Holdings::new();
        holdings.look(&disk, u64::MAX, &mut unwatched).expect("it can be read");
        let rules = std::slice::from_ref(&rule);
        let keep_after = Some(keep_after);
        let plan = plan(&holdings, &Terms { rules, now: 100.0, keep_after, least_gain: 0.0 });
        let outcome = preview(&disk, &plan, &mut unwatched).expect("it can be read");
        (plan.rewritten().count(), outcome.waves, outcome.held_back)
    };
    assert_eq!(held(0), (0, 0, true));
    assert_eq!(held(1), (1, 1, true));
    assert_eq!(held(4), (1, 4, false));
}

#[test]
fn the_progress_is_that_of_the_segments_that_are_changed() {
    for rule in [
        Rule { pattern: pattern("*"), max_count: Some(5), ..Rule::default() },
        Rule { max_count: Some(1), ..Rule::default() },
    ] {
        let (disk, _) = journal();
        let size = |name: &String| disk.bytes(name).expect("it is there").len() as u64;
        let all: u64 = names(&disk)[..2].iter().map(size).sum();
        let plan = planned(&disk, &rule, 100.0, 0.0);
        let mut told = Vec::new();
        let mut watch = |Done { bytes, of }| {
            told.push((bytes, of));
            ControlFlow::Continue(())
        };
        preview(&disk, &plan, &mut watch).expect("it can be read");
        apply(&disk, &plan, &mut watch).expect("a disk without faults");
        assert_eq!(told, [(all, all), (all, all)]);
    }
}

#[test]
fn what_is_just_as_old_as_it_may_be_stays() {
    let disk = SimulatedDisk::new(1);
    let mut steps = Vec::new();
    for time in [10, 20, 30] {
        steps.extend([Step::Wave { channel: 0, time, size: 10 }, Step::Reopened]);
    }
    write(&disk, 1 << 20, &steps);
    for pattern in [None, pattern("*")] {
        let gone = |than: f64| {
            let rule =
                Rule { pattern: pattern.clone(), max_age: Some(100.0 - than), ..Rule::default() };
            let plan = planned(&disk, &rule, 100.0, 0.0);
            plan.dropped().count() + plan.rewritten().count()
        };
        assert_eq!([10.0, 10.5, 20.0, 20.5].map(gone), [0, 1, 1, 2], "{pattern:?}");
    }
}
