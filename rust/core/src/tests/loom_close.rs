//! The end reaches everybody that waits, and nothing is lost on the way.

use loom::thread;

use super::{After, emit, medium, open, receive, settle};
use crate::medium::{Phase, Refusal};

#[test]
fn a_reader_comes_to_the_end() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        let reader = thread::spawn({
            let medium = medium.clone();
            move || receive(&medium, key)
        });
        let mut after = After::default();
        medium.close(key, &mut after);
        settle(after);
        assert_eq!(reader.join().unwrap(), None);
    });
}

#[test]
fn what_was_there_at_the_end_is_read_or_counted() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        emit(&medium, 1).expect("room");
        let reader = thread::spawn({
            let medium = medium.clone();
            move || (receive(&medium, key), receive(&medium, key))
        });
        let mut after = After::default();
        medium.discard(key, &mut after);
        settle(after);
        let (first, second) = reader.join().unwrap();
        assert_eq!(second, None);
        let said = medium.statistics();
        assert_eq!(said.received, u64::from(first.is_some()));
        assert_eq!(said.received + said.dropped.total(), 1);
    });
}

#[test]
fn a_finishing_mailbox_gives_what_it_has() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        let reader = thread::spawn({
            let medium = medium.clone();
            move || (receive(&medium, key), receive(&medium, key))
        });
        emit(&medium, 1).expect("room");
        let mut after = After::default();
        medium.finish(key, &mut after);
        settle(after);
        assert_eq!(reader.join().unwrap(), (Some(1), None));
    });
}

#[test]
fn an_emission_that_waits_goes_on_or_is_refused() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        emit(&medium, 1).expect("room");
        let sender = thread::spawn({
            let medium = medium.clone();
            move || emit(&medium, 2)
        });
        let reader = thread::spawn({
            let medium = medium.clone();
            move || std::iter::from_fn(|| receive(&medium, key)).count()
        });
        let mut after = After::default();
        medium.shut(Phase::Closed, false, &mut after);
        settle(after);
        let got = reader.join().unwrap();
        match sender.join().unwrap() {
            Ok(sent) => assert_eq!(got, 1 + sent.matched),
            Err(refusal) => assert_eq!((refusal, got), (Refusal::Closed, 1)),
        }
        assert_eq!(medium.statistics().waiting_send, 0);
    });
}
