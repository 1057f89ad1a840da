//! Hand-overs: a reader that waits for a wave, and an emitter that waits for room.

use aether_core::mailbox::Overflow;
use aether_core::medium::{Enlisted, Patience, Take};
use aether_core::router::Hint;

use crate::job::{counted, job};
use crate::rig::{After, Hands, Rig, emission};

const CHANNEL: &str = "orders.created";
const ROUNDS: usize = 1_000;

pub fn jobs() {
    reader();
    emitter();
}

/// Listed, woken, resumed with the wave.
fn reader() {
    let rig = Rig::new();
    let key = rig.open(Overflow::Block, 16, &["orders.*"]);
    let mut hint = Hint::default();
    let mut hand_over = || {
        let waiter = rig.medium.enlist_receiver(key, 7, 1, |_, _| true).expect("it is empty");
        let mut wake = None;
        if rig.medium.emit_to_one(1.0, hint, rig.wave(), &Hands, &mut wake).is_none() {
            let (emission, mut after) = (emission(1.0, CHANNEL), After::default());
            let sent = rig.medium.emit(&emission, &mut hint, None, rig.wave(), &Hands, &mut after);
            assert!(sent.is_ok());
            wake = after.wakes.pop();
        }
        assert_eq!(wake, Some(7));
        let taken = rig.medium.take(key, Some(waiter), &mut After::default());
        assert!(matches!(taken, Take::Wave(_)));
    };
    hand_over();
    counted(|| (0..ROUNDS).for_each(|_| hand_over()));
    job("wake/reader", ROUNDS);
}

/// Listed at a full mailbox, promised the room of the wave that is taken, resumed.
fn emitter() {
    let rig = Rig::new();
    let key = rig.open(Overflow::Block, 16, &["orders.*"]);
    let mut hint = Hint::default();
    for _ in 0..16 {
        rig.emit(CHANNEL, &mut hint);
    }
    let emission = emission(1.0, CHANNEL);
    let mut hand_over = || {
        let mut after = After::default();
        let full = rig.medium.emit(&emission, &mut hint, None, rig.wave(), &Hands, &mut after);
        assert!(full.is_err());
        let ticket = rig.medium.new_ticket();
        let enlisted = rig.medium.enlist_sender(&emission, ticket, (0, Patience::Endless), 9);
        assert!(matches!(enlisted, Enlisted::Waiting(_)));
        let taken = rig.medium.take(key, None, &mut after);
        assert!(matches!(taken, Take::Wave(_)));
        assert_eq!(after.wakes[..], [9]);
        let ticket = Some(ticket);
        let sent = rig.medium.emit(&emission, &mut hint, ticket, rig.wave(), &Hands, &mut after);
        assert!(sent.is_ok());
    };
    hand_over();
    counted(|| (0..ROUNDS).for_each(|_| hand_over()));
    job("wake/emitter", ROUNDS);
}
