//! A wave always finds a reader that waits, whoever else comes and goes.

use loom::thread;

use super::{After, Take, emit, enlist, medium, open, receive, settle, take, wait_and_leave};

#[test]
fn a_wave_wakes_the_reader_that_waits() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        let reader = thread::spawn({
            let medium = medium.clone();
            move || receive(&medium, key)
        });
        emit(&medium, 7).expect("room");
        assert_eq!(reader.join().unwrap(), Some(7));
    });
}

#[test]
fn a_reader_that_gives_up_passes_its_wake_up_on() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 1);
        // Both are listed before anything happens: the first one would be woken.
        let (first, _) = enlist(&medium, key, 1).expect("empty");
        let (second, bell) = enlist(&medium, key, 1).expect("empty");
        let fickle = thread::spawn({
            let medium = medium.clone();
            move || {
                let mut after = After::default();
                medium.abandon_receiver(key, first, &mut after);
                settle(after);
            }
        });
        let reader = thread::spawn({
            let medium = medium.clone();
            move || {
                bell.wait();
                matches!(take(&medium, key, Some(second)), Take::Wave(_))
            }
        });
        emit(&medium, 7).expect("room");
        fickle.join().unwrap();
        assert!(reader.join().unwrap());
    });
}

#[test]
fn two_waves_reach_two_readers() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 2);
        let readers = [(); 2].map(|()| {
            let medium = medium.clone();
            thread::spawn(move || receive(&medium, key))
        });
        emit(&medium, 1).expect("room");
        emit(&medium, 2).expect("room");
        let mut got = readers.map(|reader| reader.join().unwrap());
        got.sort_unstable();
        assert_eq!(got, [Some(1), Some(2)]);
    });
}

#[test]
fn who_wants_more_does_not_keep_a_wave_from_who_wants_one() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 2);
        let greedy = thread::spawn({
            let medium = medium.clone();
            move || wait_and_leave(&medium, key, 2)
        });
        let reader = thread::spawn({
            let medium = medium.clone();
            move || receive(&medium, key)
        });
        emit(&medium, 7).expect("room");
        assert_eq!(reader.join().unwrap(), Some(7));
        greedy.join().unwrap();
    });
}
