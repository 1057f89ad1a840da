//! Segments that were damaged: everything sound is found, nothing else, and what is not is told.

use std::cell::RefCell;
use std::io;
use std::ops::Range;

use crate::support::{HEADER, Plain, Segment, plain, segment_of, waves};
use aether_journal::header::{Header, RECORDS};
use aether_journal::scan::{Found, Scan, Source};
use proptest::prelude::*;

fn segment(count: usize) -> Segment {
    segment_of(&HEADER, &waves(count))
}

/// What a scan finds: the waves by sequence with their payloads, and the damage.
fn found(bytes: &[u8]) -> (Vec<(u64, Plain)>, Vec<Range<u64>>) {
    let (mut waves, mut damage) = (Vec::new(), Vec::new());
    let header = Header::read(bytes).expect("one of two copies is sound");
    let mut scan = Scan::new(bytes, &header);
    while let Some(found) = scan.next().expect("memory has no faults") {
        match found {
            Found::Record { record, .. } => waves.extend(plain(&record)),
            Found::Damage(range) => damage.push(range),
        }
    }
    (waves, damage)
}

#[test]
fn each_bit_that_flips_costs_the_record_it_is_in_and_no_other() {
    let (bytes, waves, ends) = segment(12);
    assert_eq!(found(&bytes), (waves.clone(), vec![]));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (left, damage) = found(&flipped);
        let byte = (bit / 8) as u64;
        if byte < RECORDS {
            assert_eq!((left, damage), (waves.clone(), vec![]), "the head is there twice");
            continue;
        }
        let hit = ends.iter().position(|&end| byte < end).expect("within the records");
        let begin = if hit == 0 { RECORDS } else { ends[hit - 1] };
        let mut others = waves.clone();
        others.remove(hit);
        assert_eq!((left, damage), (others, Vec::from_iter(Some(begin..ends[hit]))), "bit {bit}");
    }
}

#[test]
fn a_file_that_was_cut_keeps_what_is_whole() {
    let (bytes, waves, ends) = segment(12);
    for length in RECORDS as usize..bytes.len() {
        let (left, damage) = found(&bytes[..length]);
        let whole = ends.iter().filter(|&&end| end <= length as u64).count();
        assert_eq!(left, waves[..whole]);
        let begin = if whole == 0 { RECORDS } else { ends[whole - 1] };
        let torn = (begin < length as u64).then_some(begin..length as u64);
        assert_eq!(damage, Vec::from_iter(torn), "cut at {length}");
    }
}

#[test]
fn stale_bytes_and_zeros_behind_the_end_are_no_records() {
    let (bytes, written, ends) = segment(4);
    // Records at the same places, of another segment.
    let other = Header { identity: [9; 16], ..HEADER };
    let (stale, ..) = segment_of(&other, &waves(40));
    let end = *ends.last().expect("there are some");
    for behind in [vec![0; 4_096], stale[end as usize..].to_vec()] {
        let whole = end + behind.len() as u64;
        let (left, damage) = found(&[&bytes[..], &behind[..]].concat());
        assert_eq!(left, written);
        if behind[0] == 0 {
            assert_eq!((damage.len(), damage[0].clone()), (1, end..whole));
        }
    }
}

#[test]
fn a_scan_holds_little_however_much_is_damaged() {
    let noise = vec![7; 4 << 20];
    let mut scan = Scan::new(&noise[..], &HEADER);
    let found = scan.next().expect("memory has no faults");
    assert_eq!(found, Some(Found::Damage(RECORDS..noise.len() as u64)));
    // Two blocks at most, and what its vector has in reserve.
    assert!((1..=1 << 20).contains(&scan.held()), "{}", scan.held());
}

#[test]
fn a_segment_within_a_payload_is_a_payload() {
    let (inner, ..) = segment(5);
    let carried = crate::support::wave(&inner);
    let (mut bytes, waves, _) = segment_of(&HEADER, &[carried.clone(), carried.clone(), carried]);
    assert_eq!(found(&bytes).0.len(), 3);
    // Also where the record around it is damaged.
    bytes[RECORDS as usize] ^= 1;
    assert_eq!(found(&bytes).0, waves[1..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_done_to_it_nothing_is_invented(
        changes in prop::collection::vec((RECORDS as usize..3_000, any::<u8>()), 1..20),
        cut in 0..3_000_usize,
    ) {
        let (mut bytes, waves, _) = segment(20);
        for (place, byte) in changes {
            if let Some(there) = bytes.get_mut(place) {
                *there = byte;
            }
        }
        bytes.truncate(bytes.len() - cut.min(bytes.len() - RECORDS as usize));
        let (left, damage) = found(&bytes);
        // A subsequence of what was written.
        let mut written = waves.iter();
        prop_assert!(left.iter().all(|wave| written.any(|known| known == wave)));
        prop_assert!(damage.windows(2).all(|pair| pair[0].end < pair[1].start));
        prop_assert!(damage.iter().all(|range| range.start < range.end && range.end <= bytes.len() as u64));
    }

    #[test]
    fn noise_is_no_record(noise in prop::collection::vec(any::<u8>(), 0..4_096)) {
        let bytes = [&HEADER.encoded()[..], &noise[..]].concat();
        prop_assert_eq!(found(&bytes).0, vec![]);
    }
}

/// Notes where it was read, and how much was asked for.
struct Watched<'a> {
    bytes: &'a [u8],
    reads: RefCell<Vec<(u64, usize)>>,
}

impl Source for &Watched<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads.borrow_mut().push((offset, buffer.len()));
        self.bytes.read_at(offset, buffer)
    }
}

#[test]
fn blocks_are_read_one_after_the_other_each_twice_as_large_up_to_256_kib() {
    let (bytes, ..) = segment(14_000);
    let watched = Watched { bytes: &bytes, reads: RefCell::default() };
    let mut scan = Scan::new(&watched, &HEADER);
    while scan.next().expect("memory has no faults").is_some() {}
    let reads = watched.reads.into_inner();
    let mut expected = 4 * 1024;
    let mut next = RECORDS;
    for (offset, length) in reads {
        assert_eq!((offset, length), (next, expected));
        next = (offset + length as u64).min(bytes.len() as u64);
        expected = (2 * expected).min(256 * 1024);
    }
    assert!(expected == 256 * 1024 && next == bytes.len() as u64);
}
