//! How many waves may wait in a medium, and which go first.

mod support;

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::{Most, Phase, Refusal};
use aether_core::reason::Reason;
use proptest::prelude::*;

use crate::support::{Rig, blocking, faint, spec, wave};

const MOST: Most = Most { soft: 4, hard: 8 };

#[test]
fn no_more_wait_than_may_and_reading_makes_room() {
    let mut rig = Rig::new();
    let keys = ["a", "b"].map(|name| rig.open(blocking(name, 100), &["x"]));
    rig.medium.limit_queued(Some(Most { soft: 7, hard: 7 }));
    for _ in 0..3 {
        assert_eq!(rig.sent(&wave("x")).matched, 2);
    }
    assert_eq!(rig.emit(&wave("x")).err(), Some(Refusal::Queued { waiting: 6, most: 7 }));
    assert_eq!(rig.medium.statistics().emitted, 3, "it has reached nobody");
    rig.take(keys[0]).expect("a wave");
    assert_eq!(rig.sent(&wave("x")).matched, 2);
    assert!(rig.emit(&wave("x")).is_err());
    rig.sent(&wave("nobody"));
    rig.medium.limit_queued(None);
    assert_eq!(rig.sent(&wave("x")).matched, 2);
}

#[test]
fn faint_ones_go_first_and_the_more_the_louder() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 100), &["x"]);
    rig.medium.limit_queued(Some(MOST));
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
    rig.medium.limit_queued(Some(MOST));
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
    rig.medium.limit_queued(Some(MOST));
    let mut reserved: Vec<_> = (0..6).map(|_| rig.reserve(&wave("x"))).collect();
    let shed = rig.reserve(&faint("x", 0.4));
    reserved.push(rig.reserve(&wave("x")));
    assert!(matches!(rig.reserve_as(None, &wave("x")), Err(Refusal::Queued { .. })));
    let (_, sent) = rig.deliver(shed, &faint("x", 0.4), 1);
    assert_eq!((sent.matched, sent.reason()), (1, Some(Reason::Shed)));
    for (one, sequence) in reserved.into_iter().zip(2..) {
        rig.deliver(one, &wave("x"), sequence);
    }
    assert_eq!(rig.drain(key).len(), 7);
}

#[test]
fn a_medium_that_drains_is_limited_as_well() {
    let mut rig = Rig::new();
    rig.open(blocking("a", 100), &["x"]);
    rig.medium.limit_queued(Some(Most { soft: 1, hard: 1 }));
    let inside = aether_core::medium::Emission { inside: true, ..wave("x") };
    rig.medium.shut(Phase::Draining, false, &mut rig.after);
    assert_eq!(rig.emit(&wave("x")).err(), Some(Refusal::Closed));
    assert!(rig.emit(&inside).is_ok());
    assert!(matches!(rig.emit(&inside), Err(Refusal::Queued { .. })));
}

proptest! {
    /// Against a count of everything, at each step, by all ways in and out.
    #[test]
    fn it_is_what_a_plain_count_says(
        soft in 0_u64..12,
        more in 0_u64..12,
        steps in prop::collection::vec((0_u8..10, 0_u8..3, 0.0_f64..1.0), 1..200),
    ) {
        let mut rig = Rig::new();
        let mut keys = vec![
            rig.open(blocking("a", 6), &["x", "*"]),
            rig.open(spec("b", Order::Amplitude, Overflow::DropOldest, 5), &["x"]),
        ];
        let most = Most { soft, hard: soft + more };
        rig.medium.limit_queued(Some(most));
        for (step, box_at, amplitude) in steps {
            let key = keys[usize::from(box_at) % keys.len()];
            match step {
                0 => { rig.take(key); }
                1 => { rig.drain(key); }
                2 if keys.len() < 5 => keys.push(rig.open(blocking("c", 3), &["x"])),
                3 => { rig.medium.clear(&mut rig.after); }
                _ => {
                    let waiting: u64 = keys.iter().map(|&key| rig.medium.waiting(key) as u64).sum();
                    let channel = if step % 2 == 0 { "x" } else { "y" };
                    let reached = if channel == "x" { keys.len() as u64 } else { 1 };
                    let outcome = rig.emit_as(None, &faint(channel, amplitude)).map(|(_, sent)| sent);
                    if amplitude < most.floor(waiting) {
                        prop_assert_eq!(outcome.expect("shed").reason(), Some(Reason::Shed));
                    } else if waiting + reached > most.hard {
                        let refused = Refusal::Queued { waiting, most: most.hard };
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
            let waiting: u64 = keys.iter().map(|&key| rig.medium.waiting(key) as u64).sum();
            prop_assert!(waiting <= most.hard);
        }
    }
}
