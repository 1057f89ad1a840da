//! A look at all mailboxes at one moment.
#![allow(missing_docs)]

mod support;

use aether_core::mailbox::{Order, Overflow, Role, Spec};
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
