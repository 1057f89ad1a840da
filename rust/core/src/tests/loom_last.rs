//! Whoever begins with the last wave while waves are emitted gets a run of them without a gap, none twice, up to the
//! newest, and a reader that waits meanwhile is woken.

use loom::thread;

use super::{After, Carrier, Key, Shared, emit_once, medium, receive, settle, sleeping};
use crate::channel::{Limits, Pattern};

fn pattern() -> Pattern {
    Pattern::parse("a", Limits::DEFAULT).expect("well written")
}

fn begin(medium: &Shared, key: Key) {
    let mut after = After::default();
    medium.resonate_last(key, &[pattern()], &Carrier, &mut after).expect("open");
    settle(after);
}

/// Reads up to the wave 2.
fn read(medium: &Shared, key: Key) -> Vec<u64> {
    let mut got = Vec::new();
    while got.last() != Some(&2) {
        got.extend(receive(medium, key));
    }
    got
}

#[test]
fn a_reader_begins_while_others_emit() {
    loom::model(|| {
        let medium = medium();
        medium.retain(vec![pattern()], 1);
        let key = sleeping(&medium, 2);
        let emitter = thread::spawn({
            let medium = medium.clone();
            move || (1..=2).for_each(|number| drop(emit_once(&medium, None, number)))
        });
        begin(&medium, key);
        let got = read(&medium, key);
        assert!(got == [2] || got == [1, 2], "{got:?}");
        emitter.join().unwrap();
    });
}

#[test]
fn a_reader_that_waits_already_is_woken() {
    loom::model(|| {
        let medium = medium();
        medium.retain(vec![pattern()], 1);
        let key = sleeping(&medium, 2);
        emit_once(&medium, None, 1).expect("room");
        let beginner = thread::spawn({
            let medium = medium.clone();
            move || begin(&medium, key)
        });
        let emitter = thread::spawn({
            let medium = medium.clone();
            move || drop(emit_once(&medium, None, 2))
        });
        let got = read(&medium, key);
        assert!(got == [2] || got == [1, 2], "{got:?}");
        beginner.join().unwrap();
        emitter.join().unwrap();
    });
}
