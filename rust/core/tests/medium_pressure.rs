//! How many waves may wait in a medium, and which go first.

mod support;

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::{Bounds, Emission, Most, Phase, Refusal};
use aether_core::reason::Reason;
use proptest::prelude::*;

use crate::support::{Rig, blocking, faint, spec, wave, weigh};

const MOST: Most = Most { soft: 4, hard: 8 };

fn limit(rig: &Rig, waves: Most) {
    rig.medium.limit_queued(Some(Bounds { waves, weight: Most::NONE }), weigh);
}

/// An emission of a wave that weighs as much as the next item of the rig.
fn heavy<'a>(rig: &Rig, of: Emission<'a>) -> Emission<'a> {
    Emission { weight: weigh(&rig.next()), ..of }
}

#[test]
fn no_more_wait_than_may_and_reading_makes_room() {
    let mut rig = Rig::new();
    let keys = ["a", "b"].map(|name| rig.open(blocking(name, 100), &["x"]));
    limit(&rig, Most { soft: 7, hard: 7 });
    for _ in 0..3 {
        assert_eq!(rig.sent(&wave("x")).matched, 2);
    }
    assert_eq!(rig.emit(&wave("x")).err(), Some(Refusal::Queued { waiting: 6, most: 7 }));
    assert_eq!(rig.medium.statistics().emitted, 3, "it has reached nobody");
    rig.take(keys[0]).expect("a wave");
    assert_eq!(rig.sent(&wave("x")).matched, 2);
    assert!(rig.emit(&wave("x")).is_err());
    rig.sent(&wave("nobody"));
    rig.medium.limit_queued(None, weigh);
    assert_eq!(rig.sent(&wave("x")).matched, 2);
}

#[test]
fn faint_ones_go_first_and_the_more_the_louder() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 100), &["x"]);
    limit(&rig, MOST);
    for _ in 0..4 {
        assert_eq!(rig.sent(&faint("x", 0.02)).dropped, 0, "below the soft limit all go in");
    }
    let expected = [(0.0, 0.01), (0.25, 0.25), (0.5, 0.5), (0.75, 0.75)];
    for (floor, passes) in expected {
        assert!((rig.medium.pressure().floor - floor).abs() < 1e-12);
        if floor > 0.0 {
            let sent = rig.sent(&faint("x", passes - 0.01));
            assert_eq!((sent.matched, sent.dropped, sent.reason()), (1, 1, Some(Reason::Shed)));
        }
        assert_eq!(rig.sent(&faint("x", passes)).dropped, 0);
    }
    assert_eq!(rig.sent(&faint("x", 0.99)).reason(), Some(Reason::Shed));
    assert!(matches!(rig.emit(&wave("x")), Err(Refusal::Queued { waiting: 8, most: 8 })));
    assert_eq!(rig.medium.pressure().shed, 4);
    let said = rig.medium.mailbox_statistics(key, &mut rig.after);
    assert_eq!(said.dropped.iter().collect::<Vec<_>>(), [(Reason::Shed, 4)]);
    assert_eq!(rig.drain(key).len(), 8);
    assert_eq!(rig.sent(&faint("x", 0.02)).dropped, 0);
}

#[test]
fn a_faint_wave_is_shed_rather_than_waits_for_room() {
    let mut rig = Rig::new();
    rig.open(blocking("full", 6), &["x"]);
    limit(&rig, MOST);
    for _ in 0..6 {
        rig.sent(&wave("x"));
    }
    assert_eq!(rig.sent(&faint("x", 0.4)).reason(), Some(Reason::Shed));
    assert!(matches!(rig.emit(&wave("x")), Err(Refusal::Full(_))));
}

#[test]
fn what_is_on_its_way_from_a_journal_waits_already() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 100), &["x"]);
    limit(&rig, MOST);
    let mut reserved: Vec<_> = (0..6).map(|_| rig.reserve(&wave("x"))).collect();
    let shed = rig.reserve(&faint("x", 0.4));
    for _ in 0..2 {
        reserved.push(rig.reserve(&wave("x")));
    }
    assert_eq!(rig.medium.pressure().waiting, 8, "and not what was shed");
    assert!(matches!(rig.reserve_as(None, &wave("x")), Err(Refusal::Queued { .. })));
    let (_, sent) = rig.deliver(shed, &faint("x", 0.4), 1);
    assert_eq!((sent.matched, sent.reason()), (1, Some(Reason::Shed)));
    for (one, sequence) in reserved.into_iter().zip(2..) {
        rig.deliver(one, &wave("x"), sequence);
    }
    assert_eq!(rig.drain(key).len(), 8);
}

#[test]
fn a_medium_that_drains_is_limited_as_well() {
    let mut rig = Rig::new();
    rig.open(blocking("a", 100), &["x"]);
    limit(&rig, Most { soft: 1, hard: 1 });
    let inside = Emission { inside: true, ..wave("x") };
    rig.medium.shut(Phase::Draining, false, &mut rig.after);
    assert_eq!(rig.emit(&wave("x")).err(), Some(Refusal::Closed));
    assert!(rig.emit(&inside).is_ok());
    assert!(matches!(rig.emit(&inside), Err(Refusal::Queued { .. })));
}

#[test]
fn what_waits_may_weigh_so_much() {
    let mut rig = Rig::new();
    let keys = ["a", "b"].map(|name| rig.open(blocking(name, 100), &["x"]));
    let weight = Most { soft: 12, hard: 20 };
    rig.medium.limit_queued(Some(Bounds { waves: Most::NONE, weight }), weigh);
    // 3, 6, 2, 5 in each of two.
    for sum in [6, 18] {
        let next = heavy(&rig, wave("x"));
        rig.sent(&next);
        assert_eq!(rig.medium.pressure().weight, sum);
    }
    assert!((rig.medium.pressure().floor - 0.75).abs() < 1e-12);
    let third = heavy(&rig, faint("x", 0.74));
    assert_eq!(rig.sent(&third).reason(), Some(Reason::Shed));
    let fourth = heavy(&rig, wave("x"));
    let refused = Refusal::Heavy { waiting: 18, more: 10, most: 20 };
    assert_eq!(rig.emit(&fourth).err(), Some(refused));
    (rig.item(), rig.item());
    assert!(rig.emit(&Emission { weight: 0, ..wave("x") }).is_ok(), "it weighs nothing");
    rig.drain(keys[0]);
    rig.take(keys[1]);
    assert_eq!(rig.medium.pressure().weight, 6, "that of the second in the other");
}

#[test]
fn what_is_on_its_way_weighs_already() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 100), &["x"]);
    let weight = Most { soft: 9, hard: 9 };
    rig.medium.limit_queued(Some(Bounds { waves: Most::NONE, weight }), weigh);
    let first = heavy(&rig, wave("x"));
    let reserved = rig.reserve(&first);
    assert_eq!(rig.medium.pressure().weight, 3);
    let second = Emission { weight: 7, ..wave("x") };
    let refused = Refusal::Heavy { waiting: 3, more: 7, most: 9 };
    assert_eq!(rig.reserve_as(None, &second).err(), Some(refused));
    rig.deliver(reserved, &first, 1);
    assert_eq!((rig.medium.pressure().waiting, rig.medium.pressure().weight), (1, 3));
    let given_up = rig.reserve(&Emission { weight: 6, ..wave("x") });
    rig.unreserve(given_up);
    rig.take(key);
    assert_eq!((rig.medium.pressure().waiting, rig.medium.pressure().weight), (0, 0));
}

#[test]
fn a_limit_that_comes_later_knows_what_waits_already() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 100), &["x"]);
    for _ in 0..5 {
        rig.sent(&wave("x"));
    }
    assert_eq!(rig.medium.pressure().waiting, 0, "nobody counts");
    limit(&rig, MOST);
    assert_eq!((rig.medium.pressure().waiting, rig.medium.pressure().weight), (5, 3 + 6 + 2 + 5 + 1));
    limit(&rig, MOST);
    assert_eq!(rig.medium.pressure().waiting, 5, "once");
    rig.medium.limit_queued(None, weigh);
    rig.drain(key);
    limit(&rig, MOST);
    assert_eq!((rig.medium.pressure().waiting, rig.medium.pressure().weight), (0, 0));
}

proptest! {
    /// Against a count of everything, at each step, by all ways in and out.
    #[test]
    fn it_is_what_a_plain_count_says(
        (soft, more) in (0_u64..12, 0_u64..12),
        (light, heavier) in (0_u64..50, 0_u64..30),
        steps in prop::collection::vec((0_u8..12, 0_u8..3, 0.0_f64..1.0), 1..200),
    ) {
        let mut rig = Rig::new();
        let mut keys = vec![
            rig.open(blocking("a", 6), &["x", "*"]),
            rig.open(spec("b", Order::Amplitude, Overflow::DropOldest, 5), &["x"]),
        ];
        let waves = Most { soft, hard: soft + more };
        let weight = Most { soft: light, hard: light + heavier };
        rig.medium.limit_queued(Some(Bounds { waves, weight }), weigh);
        for (step, box_at, amplitude) in steps {
            let key = keys[usize::from(box_at) % keys.len()];
            match step {
                0 => { rig.take(key); }
                1 => { rig.drain(key); }
                2 if keys.len() < 5 => keys.push(rig.open(blocking("c", 3), &["x"])),
                3 => { rig.medium.clear(&mut rig.after); }
                4 => _ = rig.clock.advance(1.0),
                5 => _ = rig.medium.mailbox_statistics(key, &mut rig.after),
                _ => {
                    let (waiting, weighs) = there(&rig);
                    let channel = if step % 2 == 0 { "x" } else { "y" };
                    let reached = if channel == "x" { keys.len() as u64 } else { 1 };
                    let lifetime = if step < 8 { 3.0 } else { f64::INFINITY };
                    let next = Emission { lifetime, ..faint(channel, amplitude) };
                    let next = heavy(&rig, next);
                    let heavier = reached * next.weight;
                    let outcome = rig.emit_as(None, &next).map(|(_, sent)| sent);
                    if amplitude < waves.floor(waiting).max(weight.floor(weighs)) {
                        prop_assert_eq!(outcome.expect("shed").reason(), Some(Reason::Shed));
                    } else if waiting + reached > waves.hard {
                        let refused = Refusal::Queued { waiting, most: waves.hard };
                        prop_assert_eq!(outcome.err(), Some(refused));
                    } else if heavier > 0 && weighs + heavier > weight.hard {
                        let refused =
                            Refusal::Heavy { waiting: weighs, more: heavier, most: weight.hard };
                        prop_assert_eq!(outcome.err(), Some(refused));
                    } else {
                        let passed = match outcome {
                            Ok(sent) => sent.reason() != Some(Reason::Shed),
                            Err(refusal) => matches!(refusal, Refusal::Full(_)),
                        };
                        prop_assert!(passed);
                    }
                }
            }
            let (waiting, weighs) = there(&rig);
            prop_assert!(waiting <= waves.hard && weighs <= weight.hard);
            let said = rig.medium.pressure();
            prop_assert_eq!((said.waiting, said.weight), (waiting, weighs));
        }
    }

    /// The floor rises with what waits, from 0 at the soft limit to 1 at the hard one, by no leap where there is room
    /// for steps.
    #[test]
    fn the_floor_rises_smoothly(soft in 0_u64..1_000, span in 1_u64..1_000, waiting in 0_u64..3_000) {
        let most = Most { soft, hard: soft + span };
        let (floor, next) = (most.floor(waiting), most.floor(waiting + 1));
        prop_assert!((0.0..=1.0).contains(&floor) && floor <= next);
        prop_assert!(next - floor <= 1.0 / span as f64 + 1e-12);
        prop_assert_eq!(floor == 0.0, waiting <= soft);
        prop_assert_eq!(floor == 1.0, waiting >= soft + span);
    }
}

/// What lies there, looked at one by one.
fn there(rig: &Rig) -> (u64, u64) {
    let (mut waves, mut weight) = (0, 0);
    rig.medium.for_each_waiting(&mut |item| {
        waves += 1;
        weight += weigh(item);
    });
    (waves, weight)
}
