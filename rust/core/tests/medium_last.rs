//! The last waves of channels, retained by a medium or found in a journal: what is asked for, and what a reader begins
//! with. Against a plain list of all that was delivered.

mod support;

use aether_core::channel::Pattern;
use aether_core::mailbox::{Order, Overflow, Spec};
use aether_core::medium::{Emission, Key, Last, Read, Take};
use aether_core::reason::Reason;
use proptest::prelude::*;

use crate::support::{After, Carrier, Rig, blocking, faint, mortal, pattern, spec, wave};

fn retaining(patterns: &[&str], most: usize) -> Rig {
    let rig = Rig::new();
    rig.medium.retain(patterns.iter().map(|text| pattern(text)).collect(), most);
    rig
}

fn last(rig: &Rig, text: &str) -> Vec<u64> {
    rig.medium.last(&[pattern(text)], &Carrier).iter().map(|last: &Last<_>| last.item.id).collect()
}

fn begin(rig: &mut Rig, key: Key, texts: &[&str]) -> Option<usize> {
    rig.after = After::default();
    let patterns: Vec<Pattern> = texts.iter().map(|text| pattern(text)).collect();
    rig.medium.resonate_last(key, &patterns, &Carrier, &mut rig.after)
}

/// The same as read from a journal: waves of these sequences, all up to `after_sequence`.
fn begin_behind(
    rig: &mut Rig,
    key: Key,
    text: &str,
    after_sequence: u64,
    sequences: &[(Emission<'static>, u64)],
) -> Option<usize> {
    rig.after = After::default();
    let read = |&(emission, sequence): &(Emission<'static>, u64)| Read {
        emission,
        sequence,
        item: rig.item(),
    };
    let lasts = sequences.iter().map(read).collect();
    let patterns = [pattern(text)];
    rig.medium.resonate_last_behind(key, &patterns, after_sequence, lasts, &mut rig.after)
}

fn statistics(rig: &mut Rig, key: Key) -> (usize, Vec<(Reason, u64)>) {
    let said = rig.medium.mailbox_statistics(key, &mut rig.after);
    (said.used, said.dropped.iter().collect())
}

#[test]
fn a_wave_goes_for_the_one_before_it_and_is_dropped_outside() {
    let mut rig = retaining(&["a.*"], 10);
    rig.emit(&wave("a.x")).unwrap();
    assert!(rig.dropped().is_empty());
    rig.emit(&wave("a.x")).unwrap();
    assert_eq!(rig.dropped(), [1]);
    rig.emit(&wave("b")).unwrap();
    assert_eq!((last(&rig, "*"), rig.medium.statistics().retained), (vec![2], 1));
    rig.medium.retain_no_more(&mut rig.after);
    assert_eq!((rig.dropped(), last(&rig, "*").len()), (vec![2], 0));
    rig.emit(&wave("a.x")).unwrap();
    assert_eq!((rig.dropped().len(), last(&rig, "a.x").len()), (0, 0));
}

#[test]
fn to_retain_is_no_mailbox() {
    let mut rig = retaining(&["a", "a", "*"], 10);
    let sent = rig.sent(&wave("a"));
    assert_eq!((sent.matched, rig.medium.statistics().unheard), (0, 1));
    assert!(rig.emit(&Emission { require: 1, ..wave("a") }).is_err(), "nobody hears it");
    assert!(rig.medium.explain("a", 1.0, 0).is_empty());
    let mut hint = rig.hint("a");
    assert_eq!(rig.medium.emit_unheard("a", &mut hint), None, "the wave has to be made");
    assert_eq!(rig.medium.emit_unheard_again(hint), None);
    let item = rig.item();
    assert!(rig.medium.emit_to_one(1.0, hint, &item, &Carrier, &mut None).is_none());
    assert_eq!(last(&rig, "a"), [1]);
    assert!(rig.medium.retains(&pattern("b.+")) && !Rig::new().medium.retains(&pattern("a")));
}

#[test]
fn what_was_refused_is_not_the_last() {
    let mut rig = retaining(&["*"], 10);
    let key = rig.open(blocking("full", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    let ticket = rig.wait(&wave("a"), 1);
    assert_eq!(last(&rig, "a"), [1]);
    rig.take(key);
    let id = rig.resume(ticket, &wave("a")).unwrap();
    assert_eq!(last(&rig, "a"), [id]);
}

#[test]
fn the_channel_that_was_silent_for_longest_is_forgotten() {
    let mut rig = retaining(&["*"], 2);
    for channel in ["a", "b", "a", "c"] {
        rig.emit(&wave(channel)).unwrap();
    }
    assert_eq!((rig.dropped(), last(&rig, "*")), (vec![2], vec![3, 4]));
    let said = rig.medium.statistics();
    assert_eq!((said.retained, said.forgotten), (2, 1));
}

#[test]
fn time_takes_a_last_wave_and_gives_no_other() {
    let mut rig = retaining(&["*"], 10);
    rig.emit(&wave("a")).unwrap();
    rig.emit(&mortal("a", 2.0)).unwrap();
    let key = rig.open(blocking("r", 4), &[]);
    rig.clock.advance(1.0);
    assert_eq!((last(&rig, "a"), begin(&mut rig, key, &["a"])), (vec![2], Some(1)));
    rig.clock.advance(1.5);
    assert!(last(&rig, "a").is_empty());
    let late = rig.open(blocking("late", 4), &[]);
    begin(&mut rig, late, &["a"]);
    assert_eq!(statistics(&mut rig, late), (0, vec![]), "it was nobody's");
    assert_eq!(rig.take(key), None);
    assert_eq!(statistics(&mut rig, key), (0, vec![(Reason::Expired, 1)]));
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.take(key), Some((3, 1)), "the one that was missed is told");
}

#[test]
fn fresh_ones_fade_from_the_moment_they_were_put() {
    let mut rig = retaining(&["*"], 10);
    rig.emit(&faint("a", 0.5)).unwrap();
    rig.emit(&faint("b", 0.2)).unwrap();
    rig.clock.advance(100.0);
    let floor = |name| Spec { noise_floor: 0.3, ..spec(name, Order::Fresh, Overflow::Block, 1) };
    let key = rig.open(floor("r"), &[]);
    begin(&mut rig, key, &["*"]);
    assert_eq!(statistics(&mut rig, key), (1, vec![]), "b is under the floor, and does not match");
    // 0.5 * 0.9 ** 5 < 0.3
    rig.clock.advance(5.0);
    assert_eq!(statistics(&mut rig, key), (0, vec![(Reason::Faded, 1)]));
    assert_eq!(rig.dropped().len(), 1);
}

#[test]
fn they_take_no_room_and_come_first() {
    for (overflow, order) in [
        (Overflow::Block, Order::Amplitude),
        (Overflow::DropOldest, Order::Fifo),
        (Overflow::DropNewest, Order::Amplitude),
        (Overflow::DropFaintest, Order::Fresh),
        (Overflow::Conflate, Order::Amplitude),
        (Overflow::Error, Order::Fresh),
    ] {
        let mut rig = retaining(&["s.*"], 10);
        let key = rig.open(spec("r", order, overflow, 1), &["live"]);
        for channel in ["s.a", "s.b", "s.c"] {
            rig.emit(&faint(channel, 0.1)).unwrap();
        }
        let waiting = rig.emit(&wave("live")).unwrap();
        assert_eq!(begin(&mut rig, key, &["s.*"]), Some(1));
        assert_eq!(statistics(&mut rig, key), (4, vec![]), "{overflow:?}");
        assert_eq!(rig.drain(key), [1, 2, 3, waiting], "{overflow:?}");
    }
}

#[test]
fn a_reader_that_waits_is_woken_and_one_that_gives_back_loses_nothing() {
    let mut rig = retaining(&["*"], 10);
    rig.emit(&wave("a")).unwrap();
    rig.emit(&wave("b")).unwrap();
    let key = rig.open(blocking("r", 1), &[]);
    rig.enlist(key, 1, 7).expect("empty");
    begin(&mut rig, key, &["*"]);
    assert_eq!(rig.wakes(), [7]);
    let mut taken = Vec::new();
    for _ in 0..2 {
        match rig.medium.take(key, None, &mut rig.after) {
            Take::Wave(wave) => taken.push(wave),
            other => panic!("{other:?}"),
        }
    }
    for (wave_taken, channel) in taken.into_iter().zip(["a", "b"]) {
        rig.medium.take_back(key, wave_taken, &wave(channel), &mut rig.after);
    }
    rig.emit(&wave("c")).unwrap();
    assert!(rig.medium.take_quickly(key, |_| {}).is_none(), "the long way knows what is ahead");
    assert!(rig.medium.take_many_quickly(key, 5).is_none());
    let (mut many, mut after) = (Vec::new(), After::default());
    assert_eq!(rig.medium.take_many(key, None, (1, 9), &mut many, &mut after), Some(0));
    assert_eq!(many.iter().map(|item| item.id).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn what_a_reader_has_by_another_pattern_does_not_come_again() {
    let mut rig = retaining(&["*"], 10);
    rig.emit(&wave("a")).unwrap();
    let key = rig.open(blocking("r", 9), &["b"]);
    rig.emit(&wave("b")).unwrap();
    assert_eq!(begin(&mut rig, key, &["b", "a", "*", ">"]), Some(2), "'b' it has, '>' is '*'");
    assert_eq!(rig.drain(key), [1, 2]);
    assert_eq!(begin(&mut rig, key, &["+"]), Some(1));
    assert_eq!(rig.drain(key), [0; 0]);
    rig.medium.detune_all(|_| true, &mut rig.after);
    assert_eq!(begin(&mut rig, key, &["+"]), Some(1), "it asks anew");
    assert_eq!(rig.drain(key), [1, 2]);
}

#[test]
fn who_is_closed_begins_with_nothing() {
    let mut rig = retaining(&["*"], 10);
    rig.emit(&wave("a")).unwrap();
    let key = rig.open(blocking("r", 1), &[]);
    begin(&mut rig, key, &["a"]);
    rig.medium.close(key, &mut rig.after);
    assert_eq!(statistics(&mut rig, key), (0, vec![(Reason::Abandoned, 1)]));
    assert_eq!(begin(&mut rig, key, &["b"]), None);
    assert_eq!(begin_behind(&mut rig, key, "a", 1, &[(wave("a"), 1)]), None);
    assert_eq!(rig.dropped().len(), 1);
}

#[test]
fn with_a_journal_they_come_first_and_the_rest_is_read() {
    let mut rig = retaining(&["kept"], 10);
    let publish = |rig: &mut Rig, channel, sequence| {
        let reserved = rig.reserve(&wave(channel));
        rig.deliver(reserved, &wave(channel), sequence).0
    };
    let id = publish(&mut rig, "kept", 5);
    let reserved = rig.reserve(&wave("kept"));
    rig.deliver(reserved, &wave("kept"), 0);
    assert_eq!(last(&rig, "kept"), [id], "what has no place in the journal is not the last");
    publish(&mut rig, "a", 6);
    // Looked at after 5, and 6 was delivered meanwhile.
    let key = rig.open(blocking("r", 4), &[]);
    let lasts = [(wave("a"), 2), (wave("b"), 3), (mortal("c", -1.0), 4)];
    assert_eq!(begin_behind(&mut rig, key, "*", 5, &lasts), Some(1));
    assert_eq!((rig.dropped().len(), rig.medium.waiting(key)), (1, 2));
    let (hungry, _) = rig.medium.next_hungry(9, &mut rig.after).expect("6 is to be read");
    assert!(hungry.wants("a", 1.0, 0, 6) && !hungry.wants("a", 1.0, 0, 5));
    assert_eq!(begin_behind(&mut rig, key, "a", 6, &[(wave("a"), 6)]), Some(1));
    assert_eq!(rig.medium.waiting(key), 2, "6 comes by the other pattern");
}

/// What was delivered, as a plain list.
#[derive(Default)]
struct Plain {
    /// Channel and item.
    delivered: Vec<(&'static str, u64)>,
}

impl Plain {
    fn last(&self, texts: &[&str]) -> Vec<u64> {
        let takes = |channel: &str| texts.iter().any(|text| pattern(text).matches(channel));
        let is_last = |place: usize, channel: &str| {
            self.delivered[place + 1..].iter().all(|&(later, _)| later != channel)
        };
        let all = self.delivered.iter().enumerate();
        let last = all.filter(|&(place, (channel, _))| takes(channel) && is_last(place, channel));
        last.map(|(_, &(_, item))| item).collect()
    }
}

const CHANNELS: [&str; 5] = ["a.x", "a.y", "a.x.z", "b.x", "b"];
const PATTERNS: [&str; 6] = ["*", "a.*", "+.x", "a.x", "b", "c.*"];

proptest! {
    /// Whoever begins with the last waves gets each last wave once, in order, then all that is emitted, once.
    #[test]
    fn readers_get_the_last_of_each_channel_and_then_all(
        steps in prop::collection::vec((0..6u8, 0..5usize, 0..6usize, 0..6usize), 1..60),
        overflow in prop::sample::select(vec![Overflow::DropOldest, Overflow::Block]),
    ) {
        let (mut rig, mut plain) = (retaining(&["*"], 100), Plain::default());
        // Each with what it is to get, and its patterns.
        let mut readers: Vec<(Key, Vec<u64>, Vec<&str>)> = Vec::new();
        for (what, channel, first, second) in steps {
            if what < 4 {
                let channel = CHANNELS[channel];
                let id = rig.emit(&wave(channel)).expect("room");
                plain.delivered.push((channel, id));
                for (_, expected, patterns) in &mut readers {
                    if patterns.iter().any(|text| pattern(text).matches(channel)) {
                        expected.push(id);
                    }
                }
            } else {
                let key = rig.open(spec("r", Order::Fifo, overflow, 100), &[]);
                let patterns = vec![PATTERNS[first], PATTERNS[second]];
                begin(&mut rig, key, &patterns);
                readers.push((key, plain.last(&patterns), patterns));
            }
            prop_assert_eq!(last(&rig, PATTERNS[first]), plain.last(&[PATTERNS[first]]));
        }
        for (key, expected, _) in readers {
            prop_assert_eq!(rig.drain(key), expected);
        }
    }
}
