//! What an outline says of a segment, beside what was put into it.

use aether_core::channel::{Limits, Pattern};

use super::*;
use crate::record::{Removed, Wave};

const HEADER: Header =
    Header { identity: [3; 16], journal: 1, base: 1, rewritten: 0, created: 0.0 };

/// The offset of the first record, and what is added to it for each block.
const STEP: u64 = BLOCK;

fn wave(sequence: u64, time: f64) -> Record<'static> {
    Record::Wave(Wave { sequence, time, ..Wave::plain("a", &[]) })
}

/// Four blocks: of the waves 1 to 3, 4 to 6, 7 to 9, and 10 to 12, each made at the second of its number.
fn outline() -> Outline {
    let mut outline = Outline::new(&HEADER);
    outline.channels.add("a");
    for number in 0..12 {
        let offset = RECORDS + number / 3 * STEP + number % 3 * 64;
        outline.take(offset, &wave(number + 1, (number + 1) as f64));
    }
    outline.end = RECORDS + 4 * STEP;
    outline
}

fn again(outline: &Outline) -> Option<Outline> {
    let mut bytes = Vec::new();
    outline.encode(&mut bytes);
    let mut left = &bytes[..];
    Outline::cut(&mut left).filter(|_| left.is_empty())
}

#[test]
fn a_block_ends_with_the_record_in_which_it_reaches_64_kib() {
    let mut outline = Outline::new(&HEADER);
    let offsets = [128, 128 + 65_528, 128 + 65_536, 128 + 65_536 + 65_528, 400_000, 400_064];
    for (number, offset) in (1..).zip(offsets) {
        outline.take(offset, &wave(number, 0.0));
    }
    let blocks: Vec<(u64, u64)> =
        outline.blocks.iter().map(|block| (block.offset, block.sequence)).collect();
    assert_eq!(blocks, [(128, 1), (128 + 65_536, 3), (400_000, 5)]);
}

#[test]
fn blocks_of_notes_alone_have_the_sequence_of_the_next_wave_and_no_time() {
    let mut outline = Outline::new(&HEADER);
    let note = Record::Acknowledged { sequence: 0, cursor: "billing", state: &[] };
    for number in 0..2 {
        outline.take(RECORDS + number * STEP, &note);
    }
    assert_eq!((outline.sequence(0), outline.times), (1, NO_TIMES));
    outline.take(RECORDS + 2 * STEP, &wave(1, 7.0));
    outline.take(RECORDS + 3 * STEP, &note);
    let sequences: Vec<u64> = outline.blocks.iter().map(|block| block.sequence).collect();
    assert_eq!(sequences, [1, 1, 1, u64::MAX]);
    assert_eq!((outline.sequence(3), outline.sequence(4)), (2, 2), "the one after the last");
    let times: Vec<(f64, f64)> = outline.blocks.iter().map(|one| (one.from, one.to)).collect();
    assert_eq!(times, [NO_TIMES, NO_TIMES, (7.0, 7.0), NO_TIMES]);
    assert_eq!((outline.times, outline.waves, outline.last()), ((7.0, 7.0), 1, 1));
}

#[test]
fn only_blocks_are_wanted_in_which_something_may_be() {
    let outline = outline();
    let none = Filter::default;
    let pattern = |text| Pattern::parse(text, Limits::DEFAULT).ok();
    for (filter, next, blocks) in [
        (none(), 1, Some(0..4)),
        (none(), 3, Some(0..4)),
        (none(), 4, Some(1..4)),
        (none(), 12, Some(3..4)),
        (none(), 13, None),
        (Filter { since: Some(6.0), ..none() }, 1, Some(1..4)),
        (Filter { since: Some(6.5), ..none() }, 1, Some(2..4)),
        (Filter { since: Some(8.0), ..none() }, 4, Some(2..4)),
        (Filter { since: Some(12.5), ..none() }, 1, None),
        (Filter { until: Some(4.0), ..none() }, 1, Some(0..1)),
        (Filter { until: Some(4.5), ..none() }, 1, Some(0..2)),
        (Filter { until: Some(1.0), ..none() }, 1, None),
        (Filter { since: Some(4.0), until: Some(10.0), ..none() }, 1, Some(1..3)),
        (Filter { before: Some(4), ..none() }, 1, Some(0..1)),
        (Filter { before: Some(5), ..none() }, 1, Some(0..2)),
        (Filter { before: Some(8), ..none() }, 5, Some(1..3)),
        (Filter { pattern: pattern("a"), ..none() }, 1, Some(0..4)),
        (Filter { pattern: pattern("b"), ..none() }, 1, None),
    ] {
        assert_eq!(outline.wanted(&filter, next), blocks, "{filter:?} from {next}");
    }
    assert_eq!(outline.bytes(1..3), RECORDS + STEP..RECORDS + 3 * STEP);
    assert_eq!(outline.bytes(3..4), RECORDS + 3 * STEP..outline.end);
    assert_eq!(outline.times, (1.0, 12.0));
}

#[test]
fn it_is_whole_if_what_is_left_out_was_removed_and_nothing_comes_again() {
    let whole = |records: &[Record<'_>]| {
        let mut outline = Outline::new(&HEADER);
        for (number, record) in (0..).zip(records) {
            outline.take(RECORDS + number * 64, record);
        }
        outline.is_whole()
    };
    let removed = |first, last| Record::Removed(Removed { first, last });
    let seal = |sequence| Record::Seal { sequence };
    assert!(whole(&[]));
    assert!(whole(&[wave(1, 0.0), wave(2, 0.0), seal(2)]));
    assert!(!whole(&[wave(2, 0.0)]));
    assert!(!whole(&[wave(1, 0.0), wave(3, 0.0)]));
    assert!(!whole(&[wave(1, 0.0), seal(2)]));
    assert!(whole(&[removed(1, 1), wave(2, 0.0), wave(5, 0.0), removed(3, 4)]));
    assert!(!whole(&[wave(1, 0.0), removed(2, 3), wave(5, 0.0)]));
    assert!(!whole(&[wave(1, 0.0), wave(1, 0.0)]));
    assert!(!whole(&[wave(1, 0.0), wave(2, 0.0), wave(1, 0.0), wave(3, 0.0)]));
    let mut damaged = outline();
    assert!(damaged.is_whole());
    damaged.take_damage();
    assert!(!damaged.is_whole());
    assert_eq!(outline().last(), 12);
    let mut behind = outline();
    behind.take(RECORDS + 4 * STEP, &removed(13, 20));
    assert_eq!((behind.last(), behind.is_whole()), (20, true));
}

#[test]
fn one_that_can_be_that_of_no_segment_is_none() {
    let sound = Outline { removed: vec![3..=3, 5..=9], ..outline() };
    let read = again(&sound).expect("it is sound");
    assert_eq!((&read.blocks, read.times, read.last()), (&sound.blocks, (1.0, 12.0), 12));
    let change = |change: fn(&mut Outline)| {
        let mut changed = sound.clone();
        change(&mut changed);
        again(&changed).is_some()
    };
    assert!(change(|one| one.blocks[1].sequence = one.blocks[0].sequence));
    assert!(change(|one| one.end = one.blocks[3].offset + 1));
    assert!(change(|one| (one.blocks, one.end) = (vec![], RECORDS)));
    assert!(!change(|one| one.blocks[0].offset = RECORDS - 8));
    assert!(!change(|one| (one.blocks, one.end) = (vec![], RECORDS - 1)));
    assert!(!change(|one| one.end = one.blocks[3].offset));
    assert!(!change(|one| one.blocks[2].offset = one.blocks[1].offset));
    assert!(!change(|one| one.blocks[2].offset = one.blocks[1].offset - 8));
    assert!(!change(|one| one.blocks[2].sequence = one.blocks[1].sequence - 1));
    #[expect(clippy::reversed_empty_ranges, reason = "as it could be damaged")]
    let backwards = 9..=5;
    let turned = Outline { removed: vec![3..=3, backwards], ..sound.clone() };
    assert!(again(&turned).is_none());
}
