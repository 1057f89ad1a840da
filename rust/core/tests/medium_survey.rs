//! A look at all mailboxes at one moment.
#![allow(missing_docs)]

mod support;

use std::sync::atomic::Ordering::Relaxed;

use aether_core::mailbox::{Order, Overflow, Role, Spec};
use aether_core::medium::Emission;
use support::{Rig, blocking, spec, wave};

#[test]
fn it_says_of_each_mailbox_what_its_statistics_say() {
    let mut rig = Rig::new();
    let desk = rig.open(blocking("desk", 9), &["a"]);
    let lossy = rig.open(spec("lossy", Order::Fifo, Overflow::DropOldest, 2), &["a", "b"]);
    let lane = rig.open(Spec { role: Role::Lane, ..blocking("lane", 5) }, &["b"]);
    rig.open(Spec { role: Role::Aside, ..blocking("aside", 5) }, &["b"]);
    for channel in ["a", "a", "b", "a", "b"] {
        rig.sent(&wave(channel));
    }
    rig.take(desk);
    rig.enlist(lane, 3, 1).unwrap();
    let (used, routes) = rig.medium.survey(0, 0, &mut |_, _| panic!("nothing is to be shown"));
    assert!(routes > 0);
    let told: Vec<_> = used
        .iter()
        .map(|one| (&*one.name, one.lane, one.waiting, one.capacity, one.received, one.lost))
        .collect();
    assert_eq!(
        told,
        [("desk", false, 2, 9, 1, 0), ("lossy", false, 2, 2, 0, 3), ("lane", true, 2, 5, 0, 0)]
    );
    let keys = [desk, lossy, lane];
    assert!(used.iter().zip(keys).all(|(one, key)| one.key == key));
    let mut after = support::After::default();
    for one in &used {
        let counted = rig.medium.mailbox_statistics(one.key, &mut after);
        assert_eq!((one.waiting, one.received), (counted.used, counted.received));
        assert_eq!((one.lost, one.readers), (counted.dropped.total(), counted.waiting_receive));
    }
}

#[test]
fn it_shows_no_more_waves_than_it_is_asked_for() {
    for order in [Order::Amplitude, Order::Fifo, Order::Fresh] {
        for overflow in [Overflow::Block, Overflow::DropFaintest, Overflow::Conflate] {
            let mut rig = Rig::new();
            for name in ["first", "second", "third"] {
                rig.open(spec(name, order, overflow, 9), &["*"]);
            }
            for channel in ["a", "b", "c", "d"] {
                rig.sent(&wave(channel));
            }
            let mut shown = Vec::new();
            rig.medium.survey(3, 7, &mut |place, _| shown.push(place));
            assert_eq!(shown, [0, 0, 0, 1, 1, 2, 2], "{order:?} {overflow:?}");
        }
    }
}

#[test]
fn a_number_is_never_that_of_a_mailbox_that_is_gone() {
    let mut rig = Rig::new();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let key = rig.open(blocking("desk", 9), &["a"]);
        assert!(seen.insert(key.number()));
        rig.medium.discard(key, &mut rig.after);
    }
}

#[test]
fn what_it_shows_of_a_mailbox_is_from_all_over_it() {
    const WAVES: usize = 1_000;
    const EACH: usize = 16;
    for amplitude in [|_| 1.0, |number| f64::from(number % 7 + 1) / 8.0] {
        let mut rig = Rig::new();
        rig.open(spec("desk", Order::Amplitude, Overflow::Block, WAVES), &["*"]);
        for number in 0..WAVES as u32 {
            let loud: f64 = amplitude(number);
            rig.sent(&Emission { amplitude: loud, priority: loud, ..wave("a") });
        }
        let mut shown = Vec::new();
        rig.medium.survey(EACH, EACH, &mut |_, item| shown.push(item.sequence.load(Relaxed)));
        shown.sort_unstable();
        shown.dedup();
        assert_eq!(shown.len(), EACH, "no wave twice");
        let early = shown.iter().filter(|&&sequence| sequence <= WAVES as u64 / 2).count();
        assert!((EACH / 4..=EACH * 3 / 4).contains(&early), "{shown:?}");
    }
    let mut rig = Rig::new();
    let waits = |lifetime| Emission { lifetime, ..wave("a") };
    rig.open(spec("desk", Order::Fifo, Overflow::Block, WAVES), &["*"]);
    for number in 0..WAVES {
        rig.sent(&waits(10.0 + number as f64));
    }
    let mut shown = Vec::new();
    rig.medium.survey(4, 4, &mut |_, item| shown.push(item.sequence.load(Relaxed)));
    shown.sort_unstable();
    assert_eq!(shown, [1, 2, 999, 1_000], "of those with a ttl, both ends");
}

#[test]
fn traffic_that_comes_in_turns_is_shown_evenly() {
    for turns in 2..=8 {
        let mut rig = Rig::new();
        rig.open(blocking("desk", 1_024), &["*"]);
        (0..1_024).for_each(|_| _ = rig.sent(&wave("a")));
        let mut counts = vec![0; turns];
        rig.medium.survey(64, 64, &mut |_, item| {
            counts[item.sequence.load(Relaxed) as usize % turns] += 1;
        });
        let even = 64 / turns;
        assert!(counts.iter().all(|&count| count >= even / 3), "{turns}: {counts:?}");
    }
}

#[test]
fn every_mailbox_has_its_share() {
    let mut rig = Rig::new();
    for number in 0..10 {
        rig.open(blocking(&format!("{number}"), 99), &["*"]);
    }
    rig.open(blocking("empty", 99), &["b"]);
    (0..20).for_each(|_| _ = rig.sent(&wave("a")));
    let mut counts = [0; 11];
    rig.medium.survey(16, 35, &mut |place, _| counts[place] += 1);
    assert_eq!((counts[10], counts.iter().sum::<usize>()), (0, 35));
    assert!(counts[..10].iter().all(|count| (3..=4).contains(count)), "{counts:?}");
}
