//! Mailboxes that are behind a journal, one rule at a time; `medium_behind` has them at random.

mod support;

use aether_core::mailbox::{Order, Overflow, Role, Spec};
use aether_core::medium::{Hungry, Key, Read, Refilled, Verdict};
use aether_core::reason::Reason;

use crate::support::{After, Carrier, Rig, blocking, mortal, pattern, spec, wave};

/// A wave of the channel "a" is admitted and delivered.
fn publish(rig: &mut Rig, sequence: u64) {
    let reserved = rig.reserve(&wave("a"));
    rig.deliver(reserved, &wave("a"), sequence);
}

fn replaying(rig: &Rig, capacity: usize) -> Key {
    rig.open(spec("a", Order::Fifo, Overflow::Replay, capacity), &["a"])
}

fn ask(rig: &mut Rig) -> Option<Hungry> {
    rig.after = After::default();
    rig.medium.next_hungry(9, &mut rig.after).map(|(hungry, _)| hungry)
}

/// Brings the waves of these sequences, and all up to a place has been looked at.
fn bring(rig: &mut Rig, hungry: &Hungry, sequences: &[u64], position: u64) -> Refilled {
    rig.after = After::default();
    let mut read = Vec::new();
    for &sequence in sequences {
        read.push(Read { emission: wave("a"), sequence, item: rig.item() });
    }
    rig.medium.refill(hungry, position, read, &Carrier, &mut rig.after)
}

fn listen(rig: &mut Rig, key: Key, text: &str, after_sequence: u64) -> Option<bool> {
    rig.after = After::default();
    rig.medium.resonate_behind(key, pattern(text), after_sequence, &mut rig.after)
}

#[test]
fn who_is_furthest_behind_is_told() {
    let mut rig = Rig::new();
    let (first, second) = (replaying(&rig, 1), replaying(&rig, 2));
    let furthest = |rig: &Rig| {
        let read = rig.medium.read_by_all();
        (read.delivered, read.furthest.map(|(_, position)| position))
    };
    assert_eq!(furthest(&rig), (0, None));
    publish(&mut rig, 1);
    assert_eq!(furthest(&rig), (1, None), "both have room");
    publish(&mut rig, 2);
    assert_eq!(furthest(&rig), (2, Some(1)), "the first has none");
    publish(&mut rig, 3);
    assert_eq!(furthest(&rig), (3, Some(1)));
    rig.take(first);
    let hungry = ask(&mut rig).expect("room");
    bring(&mut rig, &hungry, &[2], 2);
    assert_eq!(furthest(&rig), (3, Some(2)));
    rig.medium.close(first, &mut rig.after);
    assert_eq!(furthest(&rig), (3, Some(2)), "the second is");
    rig.medium.close(second, &mut rig.after);
    assert_eq!(furthest(&rig), (3, None));
}

#[test]
fn a_full_one_falls_behind_and_keeps_nobody_waiting() {
    let mut rig = Rig::new();
    let key = replaying(&rig, 1);
    (1..=3).for_each(|sequence| publish(&mut rig, sequence));
    let said = rig.medium.mailbox_statistics(key, &mut rig.after);
    assert_eq!((said.used, said.capacity, said.behind, said.waiting_send), (1, 1, true, 0));
    let said = rig.medium.statistics();
    assert_eq!((said.emitted, said.delivered, said.dropped.total()), (3, 3, 0));
    assert_eq!(rig.medium.explain("a", 1.0, 0)[0].verdict, Verdict::Reached);
    assert!(ask(&mut rig).is_none(), "it is full");
    rig.take(key);
    assert_eq!(rig.wakes(), [9], "now it has room");
    let hungry = ask(&mut rig).expect("room");
    assert_eq!((hungry.position, hungry.delivered, hungry.room), (1, 3, 1));
    assert!(hungry.wants("a", 1.0, 0, 2) && !hungry.wants("b", 1.0, 0, 2));
    assert!(!hungry.wants("a", 1.0, 0, 1) && !hungry.wants("a", 1.0, 0, 4));
}

#[test]
fn what_finds_no_room_is_read_again() {
    let mut rig = Rig::new();
    let key = replaying(&rig, 1);
    (1..=3).for_each(|sequence| publish(&mut rig, sequence));
    rig.take(key);
    let hungry = ask(&mut rig).expect("room");
    let done = bring(&mut rig, &hungry, &[2, 3], 3);
    assert_eq!((done, rig.dropped().len()), (Refilled { put: 1, live: false }, 1));
    rig.take(key);
    let hungry = ask(&mut rig).expect("room");
    assert_eq!(hungry.position, 2);
    assert_eq!(bring(&mut rig, &hungry, &[3], 3), Refilled { put: 1, live: true });
    assert!(!rig.medium.is_drained(key));
}

#[test]
fn an_answer_is_good_once_and_only_as_long_as_it_is_true() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 4), &[]);
    (1..=4).for_each(|sequence| publish(&mut rig, sequence));
    assert_eq!(listen(&mut rig, key, "a", 2), Some(true));
    assert_eq!(listen(&mut rig, key, "a", 0), Some(false), "it resonates on it");
    let hungry = ask(&mut rig).expect("empty");
    listen(&mut rig, key, "*", 0);
    let nothing = Refilled { put: 0, live: false };
    assert_eq!(bring(&mut rig, &hungry, &[3, 4], 4), nothing, "more is to come before");
    let hungry = ask(&mut rig).expect("empty");
    assert_eq!(hungry.position, 0);
    bring(&mut rig, &hungry, &[1, 2], 2);
    assert_eq!(bring(&mut rig, &hungry, &[1, 2], 2), nothing, "they are there");
    let hungry = ask(&mut rig).expect("half full");
    rig.medium.detune(key, &pattern("*"), &mut rig.after);
    rig.medium.detune(key, &pattern("a"), &mut rig.after);
    assert_eq!(bring(&mut rig, &hungry, &[3, 4], 4), nothing, "it listens no more");
    assert_eq!(rig.drain(key).len(), 2);
}

#[test]
fn nothing_is_behind_where_nothing_is_to_be_read() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 1), &[]);
    publish(&mut rig, 1);
    assert_eq!(listen(&mut rig, key, "a", 1), Some(true));
    publish(&mut rig, 2);
    assert_eq!((rig.medium.waiting(key), ask(&mut rig).is_none()), (1, true));
    rig.medium.close(key, &mut rig.after);
    assert_eq!(listen(&mut rig, key, "b", 0), None);
}

#[test]
fn asking_for_earlier_waves_lets_those_go_on_that_wait_for_room() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 1), &["a"]);
    publish(&mut rig, 1);
    rig.wait(&wave("a"), 7);
    listen(&mut rig, key, "b", 0);
    assert_eq!(rig.wakes(), [7]);
}

#[test]
fn one_that_caught_up_meanwhile_has_no_room_for_what_was_admitted_before() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 1), &[]);
    publish(&mut rig, 1);
    listen(&mut rig, key, "a", 0);
    let reserved = rig.reserve(&wave("a"));
    let hungry = ask(&mut rig).expect("empty");
    assert_eq!(bring(&mut rig, &hungry, &[1], 1), Refilled { put: 1, live: true });
    rig.deliver(reserved, &wave("a"), 2);
    assert_eq!(rig.medium.waiting(key), 1, "it is behind again, and not too full");
    rig.take(key);
    let hungry = ask(&mut rig).expect("empty");
    assert_eq!((hungry.position, hungry.delivered), (1, 2));
}

#[test]
fn a_wave_that_expired_on_the_disk_is_counted() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 2), &[]);
    publish(&mut rig, 1);
    listen(&mut rig, key, "a", 0);
    rig.clock.advance(5.0);
    let hungry = ask(&mut rig).expect("empty");
    let item = rig.item();
    let read = vec![Read { emission: mortal("a", -1.0), sequence: 1, item }];
    let done = rig.medium.refill(&hungry, 1, read, &Carrier, &mut rig.after);
    assert!(done.live);
    let said = rig.medium.mailbox_statistics(key, &mut rig.after);
    assert_eq!(said.dropped.iter().collect::<Vec<_>>(), [(Reason::Expired, 1)]);
}

#[test]
fn it_is_not_quiet_while_a_handler_has_something_to_read() {
    let mut rig = Rig::new();
    let key = rig.open(Spec { role: Role::Lane, ..blocking("a", 2) }, &[]);
    publish(&mut rig, 1);
    assert!(rig.medium.is_quiet());
    listen(&mut rig, key, "a", 0);
    assert!(!rig.medium.is_quiet() && !rig.medium.is_drained(key));
    rig.medium.watch(5);
    let hungry = ask(&mut rig).expect("empty");
    bring(&mut rig, &hungry, &[], 1);
    assert_eq!(rig.wakes(), [5]);
    assert!(rig.medium.is_quiet() && rig.medium.is_drained(key));
}

#[test]
fn each_has_its_turn() {
    let mut rig = Rig::new();
    let keys = [(); 3].map(|()| rig.open(blocking("a", 4), &[]));
    publish(&mut rig, 1);
    for key in keys {
        listen(&mut rig, key, "a", 0);
    }
    let asked = [(); 6].map(|()| ask(&mut rig).expect("empty").key);
    assert_eq!(asked[..3], keys);
    assert_eq!(asked[3..], keys);
}

#[test]
fn who_refills_is_woken_to_see_the_end() {
    let mut rig = Rig::new();
    assert!(ask(&mut rig).is_none());
    rig.medium.rouse_refill(&mut rig.after);
    assert_eq!(rig.wakes(), [9]);
}

#[test]
fn what_is_handed_past_the_routes_goes_in_all_the_same() {
    let mut rig = Rig::new();
    let key = replaying(&rig, 1);
    (1..=2).for_each(|sequence| publish(&mut rig, sequence));
    let item = rig.item();
    assert!(rig.medium.hand(key, &wave("a"), item, &mut rig.after));
    assert_eq!(rig.drain(key).len(), 2);
}
