//! Room always finds an emission that waits for it, whoever else comes and goes.

use loom::thread;

use super::{Take, emit, emit_once, emit_or_leave, enlist_sender, medium, open, receive, take};

#[test]
fn a_take_makes_room_for_the_emission_that_waits() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        emit(&medium, 1).expect("room");
        let sender = thread::spawn({
            let medium = medium.clone();
            move || emit(&medium, 2).expect("open").matched
        });
        assert_eq!(receive(&medium, key), Some(1));
        assert_eq!(receive(&medium, key), Some(2));
        assert_eq!(sender.join().unwrap(), 1);
        assert_eq!(medium.statistics().waiting_send, 0);
    });
}

#[test]
fn an_emission_that_gives_up_hands_its_room_on() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        emit(&medium, 1).expect("room");
        let fickle = thread::spawn({
            let medium = medium.clone();
            move || emit_or_leave(&medium, 2)
        });
        let patient = thread::spawn({
            let medium = medium.clone();
            move || emit(&medium, 3).expect("open").matched
        });
        let mut got = vec![receive(&medium, key), receive(&medium, key)];
        // The fickle one may have found room: then there is a third.
        if fickle.join().unwrap() {
            got.push(receive(&medium, key));
        }
        assert_eq!(patient.join().unwrap(), 1);
        assert!(got.contains(&Some(3)));
        assert!(matches!(take(&medium, key, None), Take::Empty));
        assert_eq!(medium.statistics().waiting_send, 0);
        emit_once(&medium, None, 4).expect("no promise is left behind");
    });
}

#[test]
fn those_that_wait_go_through_in_the_order_in_which_they_came() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 2);
        emit(&medium, 1).expect("room");
        emit(&medium, 2).expect("room");
        let senders = [3, 4].map(|number| {
            let ticket = medium.new_ticket();
            let bell = enlist_sender(&medium, ticket).expect("no room");
            let medium = medium.clone();
            thread::spawn(move || {
                bell.wait();
                emit_once(&medium, Some(ticket), number).expect("promised").sequence
            })
        });
        // Two places are free at once: whichever thread runs first, the second one is behind the first.
        let got = [(); 4].map(|()| receive(&medium, key));
        assert_eq!(got, [Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!(senders.map(|sender| sender.join().unwrap()), [3, 4]);
    });
}

#[test]
fn a_newcomer_stays_behind_those_that_wait() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 2);
        emit(&medium, 1).expect("room");
        emit(&medium, 2).expect("room");
        let ticket = medium.new_ticket();
        let bell = enlist_sender(&medium, ticket).expect("no room");
        let waiting = thread::spawn({
            let medium = medium.clone();
            move || {
                bell.wait();
                emit_once(&medium, Some(ticket), 3).expect("promised").sequence
            }
        });
        assert_eq!([receive(&medium, key), receive(&medium, key)], [Some(1), Some(2)]);
        let newcomer = emit_once(&medium, None, 4);
        let behind = waiting.join().unwrap();
        assert!(newcomer.is_err() || newcomer.is_ok_and(|sent| sent.sequence > behind));
    });
}

#[test]
fn two_emissions_get_through_one_place() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        let senders = [2, 3].map(|number| {
            let medium = medium.clone();
            thread::spawn(move || emit(&medium, number).expect("open").sequence)
        });
        let mut got = [receive(&medium, key), receive(&medium, key)];
        got.sort_unstable();
        assert_eq!(got, [Some(2), Some(3)]);
        let mut sequences = senders.map(|sender| sender.join().unwrap());
        sequences.sort_unstable();
        assert_eq!(sequences, [1, 2]);
    });
}
