//! What a mailbox that is behind has missed comes to it, whenever it falls behind, is read and is refilled: no wave is
//! missing where the journal ends and deliveries begin, and no wake-up of the refill is lost.

use loom::thread;

use super::{
    After, Arc, Bell, Carrier, Key, Overflow, Shared, deliver, emission, medium, open_as, receive,
    reserve, settle, sleeping,
};
use crate::channel::{Limits, Pattern};
use crate::medium::Read;

/// Refills until it has put so many waves, or more: the journal holds one for each sequence. It waits as often as nobody is
/// hungry.
fn refill(medium: &Shared, mut left: usize) {
    while left > 0 {
        let (bell, mut after) = (Arc::new(Bell::new()), After::default());
        let asked = medium.next_hungry(bell.clone(), &mut after);
        settle(after);
        let Some((hungry, _)) = asked else {
            bell.wait();
            continue;
        };
        let wanted = (hungry.position + 1..=hungry.delivered).take(hungry.room);
        let read = |sequence| Read { emission: emission(), sequence, item: Arc::new(sequence) };
        let read: Vec<_> = wanted.map(read).collect();
        let position = read.last().map_or(hungry.delivered, |last| last.sequence);
        let mut after = After::default();
        let done = medium.refill(&hungry, position, read, &Carrier, &mut after);
        left = left.saturating_sub(done.put);
        settle(after);
    }
}

fn publish(medium: &Shared, sequence: u64) {
    let reserved = reserve(medium).expect("open");
    deliver(medium, reserved, sequence);
}

fn listen_from(medium: &Shared, key: Key, after_sequence: u64) {
    let (pattern, mut after) = (Pattern::parse("a", Limits::DEFAULT), After::default());
    let pattern = pattern.expect("well written");
    medium.resonate_behind(key, pattern, after_sequence, &mut after).expect("open");
    settle(after);
}

#[test]
fn a_reader_that_was_too_slow_gets_all_in_order() {
    loom::model(|| {
        let medium = medium();
        let key = open_as(&medium, 1, Overflow::Replay);
        publish(&medium, 1);
        publish(&medium, 2);
        let refiller = thread::spawn({
            let medium = medium.clone();
            move || refill(&medium, 1)
        });
        assert_eq!([receive(&medium, key), receive(&medium, key)], [Some(1), Some(2)]);
        refiller.join().unwrap();
        assert!(medium.is_quiet() && medium.is_drained(key));
    });
}

#[test]
fn a_delivery_comes_before_or_after_the_refill_that_makes_live() {
    loom::model(|| {
        let medium = medium();
        let key = sleeping(&medium, 4);
        publish(&medium, 1);
        listen_from(&medium, key, 0);
        let journal = thread::spawn({
            let medium = medium.clone();
            move || publish(&medium, 2)
        });
        refill(&medium, 1);
        journal.join().unwrap();
        // If it was late for the refill, it has come by itself.
        if medium.waiting(key) == 1 {
            refill(&medium, 1);
        }
        assert_eq!([receive(&medium, key), receive(&medium, key)], [Some(1), Some(2)]);
        assert!(medium.is_drained(key));
        publish(&medium, 3);
        assert_eq!(medium.waiting(key), 1, "it is live");
    });
}

#[test]
fn an_emission_that_does_not_know_of_it_is_read_from_the_journal() {
    loom::model(|| {
        let medium = medium();
        let key = sleeping(&medium, 4);
        let journal = thread::spawn({
            let medium = medium.clone();
            move || publish(&medium, 1)
        });
        listen_from(&medium, key, 0);
        journal.join().unwrap();
        // One that knew of it has delivered to it.
        if medium.waiting(key) == 0 {
            refill(&medium, 1);
        }
        assert_eq!(receive(&medium, key), Some(1));
        assert!(medium.is_drained(key));
    });
}

#[test]
fn a_closing_mailbox_ends_when_it_has_read_all() {
    loom::model(|| {
        let medium = medium();
        let key = sleeping(&medium, 1);
        publish(&medium, 1);
        listen_from(&medium, key, 0);
        let refiller = thread::spawn({
            let medium = medium.clone();
            move || refill(&medium, 1)
        });
        let mut after = After::default();
        medium.finish(key, &mut after);
        settle(after);
        assert_eq!((receive(&medium, key), receive(&medium, key)), (Some(1), None));
        refiller.join().unwrap();
    });
}
