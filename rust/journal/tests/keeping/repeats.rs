//! Waves that stand a second time, or behind a later one: nobody writes them so, and nobody is given them twice.

use aether_journal::append::End;
use aether_journal::disk::Disk;
use aether_journal::disk::simulated::SimulatedDisk;
use aether_journal::header::Header;
use aether_journal::keeping::repair::repair;
use aether_journal::keeping::retain::Rule;
use aether_journal::keeping::unwatched;
use aether_journal::record::Encoded;
use proptest::prelude::*;

use crate::retention::{pattern, planned};
use crate::verifying::agree;
use crate::{encoded, names, read, verified};

/// Writes a segment of waves with these sequences, in this order, and with a seal behind them or without.
fn segment(disk: &SimulatedDisk, base: u64, sequences: &[u64], seal: Option<u64>) -> String {
    let number = disk.names().expect("it can be read").len() as u8;
    let header = Header {
        identity: [number; 16],
        journal: 7,
        base,
        rewritten: 0,
        created: f64::from(number),
    };
    let mut bytes = header.encoded().to_vec();
    let mut end = End::new(&header);
    for sequence in sequences {
        bytes.extend(end.again(&mut encoded("orders.paid", *sequence as f64, &[]), *sequence));
    }
    if let Some(sequence) = seal {
        let mut end = End::at(&header, end.offset(), sequence + 1);
        bytes.extend(end.note(&mut Encoded::seal()));
    }
    let name = format!("{base:020}-{}.segment", format!("{number:02x}").repeat(4));
    disk.create(&name).expect("it is new");
    disk.change(&name, |content| *content = bytes);
    name
}

/// Those that are given: each that is later than all before it. And how many are not.
fn plainly(segments: &[(u64, Vec<u64>)]) -> (Vec<u64>, u64) {
    let (mut given, mut repeated) = (Vec::new(), 0);
    for sequence in segments.iter().flat_map(|(_, sequences)| sequences) {
        if given.last().is_none_or(|last| sequence > last) {
            given.push(*sequence);
        } else {
            repeated += 1;
        }
    }
    (given, repeated)
}

fn sequences(disk: &SimulatedDisk) -> Vec<u64> {
    read(disk.clone()).waves.iter().map(|wave| wave.sequence).collect()
}

prop_compose! {
    /// Segments, each with its base: a wave stands at its base or later, or again.
    fn any_segments()(
        segments in prop::collection::vec(
            (0..12_u64, prop::collection::vec(1..40_u64, 0..12)),
            1..6,
        ),
    ) -> Vec<(u64, Vec<u64>)> {
        let (mut base, mut last) = (1, 0);
        let segment = |(step, mut sequences): (u64, Vec<u64>)| {
            base += step;
            sequences.retain(|sequence| {
                let may = *sequence >= base || *sequence <= last;
                if may {
                    last = last.max(*sequence);
                }
                may
            });
            (base, sequences)
        };
        segments.into_iter().map(segment).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn they_are_counted_and_left_out(segments in any_segments()) {
        let disk = SimulatedDisk::new(1);
        for (base, sequences) in &segments {
            segment(&disk, *base, sequences, None);
        }
        let (given, repeated) = plainly(&segments);
        let (told, report) = (read(disk.clone()), verified(&disk));
        prop_assert_eq!(sequences(&disk), given.clone());
        agree(&told, &report, "waves again");
        prop_assert_eq!(report.repeated, repeated);
        prop_assert!(repeated == 0 || !report.is_sound());
        let copy = SimulatedDisk::new(2);
        let repaired = repair(&disk, &copy, &mut unwatched).expect("a disk without faults");
        prop_assert_eq!((repaired.waves, repaired.notes), (given.len() as u64, 0));
        prop_assert_eq!(sequences(&copy), given);
        let of_copy = verified(&copy);
        prop_assert_eq!((of_copy.repeated, of_copy.waves), (0, report.waves));
        prop_assert_eq!(of_copy.gaps, report.gaps);
    }
}

#[test]
fn in_a_segment_they_are_none_of_its_waves() {
    let disk = SimulatedDisk::new(1);
    let name = segment(&disk, 1, &[1, 2, 3, 3, 2, 4, 4], None);
    segment(&disk, 5, &[5], None);
    let report = verified(&disk);
    assert_eq!((report.waves, report.repeated), (5, 3));
    assert_eq!((report.segments[0].waves, report.gaps.len()), (4, 0));
    assert!(!report.is_sound());
    // It is not written anew: what is in it is not what should be.
    let rules = [Rule { pattern: pattern("orders.*"), keep_last: Some(2), ..Rule::default() }];
    assert_eq!(planned(&disk, &rules, None).damaged, [name]);
    let whole = [Rule { max_count: Some(1), ..Rule::default() }];
    assert_eq!(planned(&disk, &whole, None).dropped().count(), 1);
}

#[test]
fn what_stands_behind_a_seal_that_says_more_is_not_given() {
    let disk = SimulatedDisk::new(1);
    segment(&disk, 1, &[1, 2, 3], Some(5));
    segment(&disk, 4, &[4, 5], None);
    segment(&disk, 6, &[6], None);
    let report = verified(&disk);
    agree(&read(disk.clone()), &report, "behind a seal");
    assert_eq!((sequences(&disk), report.repeated), (vec![1, 2, 3, 6], 2));
    assert_eq!((report.waves, report.gaps), (4, vec![4..=5]));
    assert_eq!(report.span.map(|(first, last)| (first.sequence, last.sequence)), Some((1, 6)));
    assert_eq!(names(&disk).len(), report.segments.len());
}

#[test]
fn where_two_segments_of_one_base_have_waves_none_is_written_anew() {
    let disk = SimulatedDisk::new(1);
    let both = [segment(&disk, 1, &[1, 2], None), segment(&disk, 1, &[3, 4], None)];
    segment(&disk, 5, &[5], None);
    assert!(verified(&disk).is_sound());
    let rules = [Rule { pattern: pattern("orders.*"), max_count: Some(1), ..Rule::default() }];
    let plan = planned(&disk, &rules, None);
    assert_eq!((&plan.damaged[..], plan.rewritten().count()), (&both[..], 0));
}
