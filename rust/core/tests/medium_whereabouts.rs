//! Where a wave is that was delivered, and why it is there no more.

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::Whereabouts;
use aether_core::reason::Reason;

use crate::support::{Item, Rig, blocking, faint, mortal, spec, wave};

fn rig() -> Rig {
    let rig = Rig::new();
    rig.medium.number_by(|item: &Arc<Item>| item.sequence.load(Ordering::Relaxed));
    rig
}

/// What the mailboxes say of a wave, by their names.
fn said(rig: &mut Rig, sequence: u64) -> Vec<(String, Whereabouts)> {
    let seen = rig.medium.whereabouts(sequence, &mut rig.after);
    seen.into_iter().map(|sighting| (sighting.name.to_string(), sighting.at)).collect()
}

fn waits(name: &str, left: Option<f64>) -> (String, Whereabouts) {
    (name.to_owned(), Whereabouts::Waits { left })
}

fn gone(name: &str, reason: Reason) -> (String, Whereabouts) {
    (name.to_owned(), Whereabouts::Gone(reason))
}

#[test]
fn a_wave_is_found_in_every_form_of_queue_until_it_is_taken() {
    for (order, overflow) in [
        (Order::Fifo, Overflow::Block),
        (Order::Amplitude, Overflow::Block),
        (Order::Amplitude, Overflow::DropFaintest),
        (Order::Fresh, Overflow::DropOldest),
        (Order::Fifo, Overflow::Conflate),
    ] {
        let mut rig = rig();
        let key = rig.open(spec("a", order, overflow, 100), &["*"]);
        let sequences: Vec<u64> = (0..30)
            .map(|number| {
                let channel = format!("c{number}");
                let amplitude = f64::from(number % 7 + 1) / 7.0;
                rig.sent(&faint(&channel, amplitude)).sequence
            })
            .collect();
        for &sequence in &sequences {
            assert_eq!(said(&mut rig, sequence), [waits("a", None)], "{order:?} {overflow:?}");
        }
        for left in (0..30).rev() {
            rig.take(key).expect("a wave");
            let waiting = sequences.iter().filter(|&&one| !said(&mut rig, one).is_empty()).count();
            assert_eq!(waiting, left);
        }
    }
}

#[test]
fn time_is_told_and_what_it_has_removed_is_gone() {
    let mut rig = rig();
    rig.open(blocking("mortal", 10), &["x"]);
    let mut fresh = spec("fading", Order::Fresh, Overflow::Block, 10);
    fresh.noise_floor = 0.5;
    rig.open(fresh, &["y"]);
    let mortal = rig.sent(&mortal("x", 2.0)).sequence;
    let fading = rig.sent(&faint("y", 0.6)).sequence;
    assert_eq!(said(&mut rig, mortal), [waits("mortal", Some(2.0))]);
    let [(_, Whereabouts::Waits { left: Some(left) })] = &said(&mut rig, fading)[..] else {
        panic!("it fades")
    };
    // 0.6 x 0.9 ^ t = 0.5
    assert!((left - (0.5_f64 / 0.6).ln() / 0.9_f64.ln()).abs() < 1e-9, "{left}");
    rig.clock.advance(1.5);
    assert_eq!(said(&mut rig, mortal), [waits("mortal", Some(0.5))]);
    rig.clock.advance(0.6);
    assert_eq!(said(&mut rig, mortal), [gone("mortal", Reason::Expired)]);
    assert_eq!(said(&mut rig, fading), [gone("fading", Reason::Faded)]);
}

#[test]
fn as_many_are_remembered_as_the_mailbox_holds_and_at_least_256() {
    for (capacity, kept) in [(1, 256), (400, 400)] {
        let mut rig = rig();
        rig.open(spec("a", Order::Fifo, Overflow::DropOldest, capacity), &["x"]);
        let first = rig.sent(&wave("x")).sequence;
        let more = (capacity + kept) as u64;
        (1..more).for_each(|_| drop(rig.sent(&wave("x"))));
        assert_eq!(said(&mut rig, first), [gone("a", Reason::Oldest)]);
        rig.sent(&wave("x"));
        assert_eq!(said(&mut rig, first), [("a".to_owned(), Whereabouts::Forgotten)]);
        assert_eq!(said(&mut rig, first + 1), [gone("a", Reason::Oldest)]);
        assert_eq!(said(&mut rig, more + 2), [], "not emitted yet");
    }
}

#[test]
fn a_mailbox_that_is_gone_is_remembered() {
    let mut rig = rig();
    let key = rig.open(blocking("a", 10), &["x"]);
    let taken = rig.sent(&wave("x")).sequence;
    let waiting = rig.sent(&wave("x")).sequence;
    rig.take(key).expect("a wave");
    rig.medium.discard(key, &mut rig.after);
    assert_eq!(said(&mut rig, waiting), [gone("a", Reason::Abandoned)]);
    assert_eq!(rig.medium.let_go(waiting).len(), 1);
    assert_eq!(said(&mut rig, taken), []);
}

#[test]
fn without_numbers_nothing_is_remembered() {
    let mut rig = Rig::new();
    rig.open(spec("a", Order::Fifo, Overflow::DropOldest, 1), &["x"]);
    let first = rig.sent(&wave("x")).sequence;
    rig.sent(&wave("x"));
    assert_eq!(said(&mut rig, first), []);
}
