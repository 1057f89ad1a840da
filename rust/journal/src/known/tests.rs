//! What is known, record by record.

use super::*;
use crate::record::Wave;

fn header(number: u8, base: u64) -> Header {
    Header { identity: [number; 16], journal: 1, base, rewritten: 0, created: 0.0 }
}

fn wave(channel: &str, sequence: u64) -> Record<'_> {
    Record::Wave(Wave { sequence, ..Wave::plain(channel, &[]) })
}

fn says(sequence: u64, state: &[u8]) -> Record<'_> {
    Record::Acknowledged { sequence, cursor: "billing", state }
}

/// Of a segment with these waves, side by side.
fn known(number: u8, base: u64, told: u64, waves: &[(&str, u64)]) -> Known {
    let mut known = Known { told, ..Known::default() };
    known.begin(&header(number, base));
    for (at, (channel, sequence)) in (0..).zip(waves) {
        known.record(128 + at * 64, &wave(channel, *sequence));
    }
    known.note_open(None);
    known
}

/// The last waves: channel, sequence, and base of the segment.
fn last(known: &Known) -> Vec<(String, u64, u64)> {
    let base = |last: &Last| known.parts[&last.part].base;
    let all = known.channels.iter();
    let mut all: Vec<_> =
        all.map(|(name, last)| (name.to_string(), last.sequence, base(last))).collect();
    all.sort();
    all
}

fn owned(last: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    last.iter().map(|(name, sequence, base)| ((*name).to_owned(), *sequence, *base)).collect()
}

#[test]
fn the_last_wave_of_a_channel_is_known_wherever_it_comes_again() {
    let mut known = known(1, 1, 0, &[("a", 1), ("b", 2)]);
    assert_eq!(last(&known), owned(&[("a", 1, 1), ("b", 2, 1)]));
    known.begin(&header(2, 2));
    known.record(128, &wave("b", 2));
    known.record(192, &wave("a", 3));
    known.record(256, &wave("b", 1));
    assert_eq!(last(&known), owned(&[("a", 3, 2), ("b", 2, 2)]));
    assert_eq!(known.parts.keys().copied().collect::<Vec<_>>(), [0, 1]);
    known.begin(&header(3, 4));
    assert_eq!(known.parts.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_channel_is_added_to_each_segment_in_which_it_occurs() {
    let pattern = Pattern::parse("a", aether_core::channel::Limits::DEFAULT).expect("a pattern");
    let mut known = known(1, 1, 0, &[("a", 1), ("a", 2)]);
    for (number, base) in [(2, 3), (3, 4)] {
        known.begin(&header(number, base));
        let has = |known: &Known| {
            let open = known.open.as_ref().expect("it was begun");
            open.outline.channels.may_have(&pattern)
        };
        assert!(!has(&known));
        known.record(128, &wave("a", base));
        assert!(has(&known), "in the segment {number}");
    }
}

#[test]
fn what_others_tell_is_not_counted_again() {
    let told = known(1, 4, 5, &[("a", 4), ("b", 5)]);
    assert_eq!((last(&told), told.waves(), told.last), (vec![], 0, 5));
    let more = known(1, 4, 5, &[("a", 4), ("b", 5), ("c", 6)]);
    assert_eq!((last(&more), more.waves()), (owned(&[("c", 6, 4)]), 3));
}

#[test]
fn the_last_note_of_a_cursor_counts_by_its_sequence_and_then_by_its_segment() {
    let mut known = known(1, 1, 0, &[]);
    let say = |known: &mut Known, sequence: u64, state: &[u8]| {
        known.record(128, &says(sequence, state));
        known.cursors["billing"].state.clone()
    };
    assert_eq!(say(&mut known, 5, b"one"), b"one");
    assert_eq!(say(&mut known, 5, b"two"), b"two", "it was said later");
    assert_eq!(say(&mut known, 4, b"three"), b"two");
    assert_eq!(say(&mut known, 6, b"four"), b"four");
    known.begin(&header(2, 7));
    assert_eq!(say(&mut known, 6, b"five"), b"five");
    known.begin(&header(3, 3));
    assert_eq!(say(&mut known, 6, b"six"), b"five", "a segment before");
}

#[test]
fn an_earlier_wave_is_looked_for_where_one_may_be() {
    let known = known(1, 20, 0, &[("a", 20)]);
    let part = |base, last, waves| {
        let outline = Outline::new(&header(2, base));
        Part { last, waves, ..Part::of(base, &outline, 0) }
    };
    let may = |channel: &str, part: Part| {
        known.may_be_earlier(&[(channel.into(), 30)], std::slice::from_ref(&part))
    };
    assert!(may("a", part(29, 29, 1)) && may("b", part(1, 1, 3)));
    assert!(!may("a", part(30, 35, 1)) && !may("a", part(31, 35, 1)), "it begins later");
    assert!(!may("a", part(1, 20, 1)) && !may("a", part(1, 19, 1)), "a later one is known");
    assert!(may("a", part(1, 21, 1)));
    assert!(!may("a", part(1, 25, 0)), "it has none");
    assert!(!known.may_be_earlier(&[], &[part(1, 25, 1)]));
}

#[test]
fn what_is_known_of_others_is_taken_in_with_numbers_of_its_own() {
    let mut one = known(1, 1, 0, &[("a", 1), ("b", 5), ("c", 3)]);
    one.merge(known(2, 2, 0, &[("a", 4), ("b", 4), ("c", 3), ("d", 6)]));
    assert_eq!(last(&one), owned(&[("a", 4, 2), ("b", 5, 1), ("c", 3, 2), ("d", 6, 2)]));
    assert_eq!((one.parts.len(), one.waves(), one.last), (2, 7, 6));
    let gone = one.retain(|part| part.base == 1);
    let mut gone: Vec<String> = gone.into_iter().map(|(channel, _)| channel.into()).collect();
    gone.sort();
    assert_eq!((gone.concat(), last(&one)), ("acd".to_owned(), owned(&[("b", 5, 1)])));
}
