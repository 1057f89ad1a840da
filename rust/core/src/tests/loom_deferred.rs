//! Room that is held for a later delivery comes back to whoever waits for it, and the end waits for what is on the
//! way.

use loom::thread;

use super::{After, Take, deliver, emit, medium, open, receive, reserve, settle, take, unreserve};
use crate::medium::Phase;

#[test]
fn room_that_is_given_back_goes_to_the_emission_that_waits() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        let reserved = reserve(&medium).expect("room");
        let sender = thread::spawn({
            let medium = medium.clone();
            move || emit(&medium, 1).expect("open").matched
        });
        unreserve(&medium, reserved);
        assert_eq!(receive(&medium, key), Some(1));
        assert_eq!(sender.join().unwrap(), 1);
        assert_eq!(medium.statistics().waiting_send, 0);
    });
}

#[test]
fn a_delivery_leaves_the_room_to_its_reader() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        let journal = thread::spawn({
            let medium = medium.clone();
            let first = reserve(&medium).expect("room");
            move || {
                deliver(&medium, first, 1);
                let second = reserve(&medium).expect("open");
                deliver(&medium, second, 2);
            }
        });
        assert_eq!([receive(&medium, key), receive(&medium, key)], [Some(1), Some(2)]);
        journal.join().unwrap();
        assert!(matches!(take(&medium, key, None), Take::Empty));
        assert!(medium.is_quiet());
    });
}

#[test]
fn the_end_comes_after_what_is_on_the_way() {
    for kept in [true, false] {
        loom::model(move || {
            let medium = medium();
            let key = open(&medium, 2);
            let reserved = reserve(&medium).expect("room");
            let reader = thread::spawn({
                let medium = medium.clone();
                move || (receive(&medium, key), receive(&medium, key))
            });
            let mut after = After::default();
            medium.shut(Phase::Closed, false, &mut after);
            settle(after);
            if kept {
                deliver(&medium, reserved, 1);
            } else {
                unreserve(&medium, reserved);
            }
            assert_eq!(reader.join().unwrap(), (kept.then_some(1), None));
        });
    }
}

#[test]
fn a_mailbox_that_closes_has_dropped_what_was_on_the_way() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        let reserved = reserve(&medium).expect("room");
        let journal = thread::spawn({
            let medium = medium.clone();
            move || deliver(&medium, reserved, 1)
        });
        let mut after = After::default();
        medium.discard(key, &mut after);
        settle(after);
        let sent = journal.join().unwrap();
        let said = medium.statistics();
        assert_eq!((sent.matched, said.dropped.total(), said.waiting), (1, 1, 0));
        assert_eq!(said.delivered + sent.dropped as u64, 1);
    });
}
