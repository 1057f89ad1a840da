//! A remembered route tells the truth of its moment: whoever resonated before the emission hears it, whoever
//! detuned or ended before does not, and nobody inherits the wave of another.
//!
//! Each model fills the cache and the hint first, so that the emission goes by what is remembered.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::{
    After, Carrier, Item, Shared, emission, emit, medium, open, receive, settle, sleeping,
};
use crate::channel::{Limits, Pattern};
use crate::medium::Key;
use crate::router::Hint;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text, Limits::DEFAULT).expect("well written")
}

/// Emits by what the hint remembers; how many mailboxes it reached.
fn emit_by(medium: &Shared, hint: &mut Hint) -> usize {
    let (item, mut after): (Item, _) = (Arc::new(1), After::default());
    let sent = medium.emit(&emission(), hint, None, &item, &Carrier, &mut after).expect("room");
    settle(after);
    sent.matched
}

fn detune(medium: &Shared, key: Key) {
    let mut after = After::default();
    assert!(medium.detune(key, &pattern("a"), &mut after));
    settle(after);
}

/// A flag that a thread raises when it is done.
fn flag() -> (Arc<AtomicBool>, Arc<AtomicBool>) {
    let flag = Arc::new(AtomicBool::new(false));
    (Arc::clone(&flag), flag)
}

fn newcomer_is_heard(text: &'static str) {
    loom::model(move || {
        let medium = medium();
        let key = sleeping(&medium, 2);
        let mut hint = Hint::default();
        assert_eq!(emit_by(&medium, &mut hint), 0, "remembered: nobody");
        let (done, seen) = flag();
        let listener = thread::spawn({
            let medium = medium.clone();
            move || {
                assert_eq!(medium.resonate(key, pattern(text)), Some(true));
                done.store(true, Ordering::Release);
            }
        });
        let before = seen.load(Ordering::Acquire);
        let matched = emit_by(&medium, &mut hint);
        assert!(matched == 1 || !before, "it resonated before");
        listener.join().unwrap();
        assert_eq!(medium.waiting(key), matched);
        assert_eq!(emit_by(&medium, &mut hint), 1);
    });
}

#[test]
fn a_remembered_route_to_nobody_learns_of_a_name() {
    newcomer_is_heard("a");
}

#[test]
fn a_remembered_route_to_nobody_learns_of_a_pattern() {
    newcomer_is_heard("*");
}

#[test]
fn who_has_detuned_gets_nothing_more() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 2);
        let mut hint = Hint::default();
        assert_eq!(emit_by(&medium, &mut hint), 1);
        let (done, seen) = flag();
        let listener = thread::spawn({
            let medium = medium.clone();
            move || {
                detune(&medium, key);
                done.store(true, Ordering::Release);
            }
        });
        let before = seen.load(Ordering::Acquire);
        let matched = emit_by(&medium, &mut hint);
        assert!(matched == 0 || !before, "it had detuned before");
        listener.join().unwrap();
        assert_eq!(medium.waiting(key), 1 + matched);
        assert_eq!(emit_by(&medium, &mut hint), 0);
    });
}

/// Two change the same route, one through a pattern and one through a name, while a third emits by it.
#[test]
fn one_comes_and_one_goes() {
    loom::model(|| {
        let medium = medium();
        let (old, new) = (open(&medium, 2), sleeping(&medium, 2));
        let mut hint = Hint::default();
        assert_eq!(emit_by(&medium, &mut hint), 1);
        let (gone, seen_gone) = flag();
        let (there, seen_there) = flag();
        let leaver = thread::spawn({
            let medium = medium.clone();
            move || {
                detune(&medium, old);
                gone.store(true, Ordering::Release);
            }
        });
        let comer = thread::spawn({
            let medium = medium.clone();
            move || {
                assert_eq!(medium.resonate(new, pattern("+")), Some(true));
                there.store(true, Ordering::Release);
            }
        });
        let before = (seen_gone.load(Ordering::Acquire), seen_there.load(Ordering::Acquire));
        let matched = emit_by(&medium, &mut hint);
        leaver.join().unwrap();
        comer.join().unwrap();
        let got = (medium.waiting(old) - 1, medium.waiting(new));
        assert_eq!(got.0 + got.1, matched);
        assert!(got.0 == 0 || !before.0, "the old one had detuned before");
        assert!(got.1 == 1 || !before.1, "the new one resonated before");
        assert_eq!(emit_by(&medium, &mut hint), 1);
    });
}

/// The mailbox ends, and another one gets its place in the table, which the remembered route names.
#[test]
fn nobody_inherits_the_place_in_a_remembered_route() {
    loom::model(|| {
        let medium = medium();
        let key = open(&medium, 2);
        let mut hint = Hint::default();
        assert_eq!(emit_by(&medium, &mut hint), 1);
        let heir = thread::spawn({
            let medium = medium.clone();
            move || {
                let mut after = After::default();
                medium.discard(key, &mut after);
                settle(after);
                let heir = sleeping(&medium, 2);
                assert_eq!(medium.resonate(heir, pattern("b")), Some(true));
                heir
            }
        });
        let matched = emit_by(&medium, &mut hint);
        let heir = heir.join().unwrap();
        assert_eq!(medium.waiting(heir), 0);
        // What the old one had was counted as it ended.
        assert_eq!(medium.statistics().dropped.total(), 1 + matched as u64);
    });
}

/// The short ways go by the hint alone.
#[test]
fn the_short_ways_learn_of_it_too() {
    loom::model(|| {
        let medium = medium();
        let key = sleeping(&medium, 2);
        let mut hint = Hint::default();
        assert_eq!(medium.emit_unheard("a", &mut hint), Some(1));
        let (done, seen) = flag();
        let listener = thread::spawn({
            let medium = medium.clone();
            move || {
                assert_eq!(medium.resonate(key, pattern("a")), Some(true));
                done.store(true, Ordering::Release);
                receive(&medium, key)
            }
        });
        let before = seen.load(Ordering::Acquire);
        let unheard = medium.emit_unheard_again(hint);
        assert!(unheard.is_none() || !before, "it resonated before");
        let (item, mut wake): (Item, _) = (Arc::new(7), None);
        let sent = medium.emit_to_one(1.0, hint, &item, &Carrier, &mut wake);
        assert!(sent.is_some() || !before, "it resonated before, and has room");
        wake.into_iter().for_each(|bell| bell.notify());
        if sent.is_none() {
            emit(&medium, 7).expect("room");
            // It came too late for that one, or for none.
            emit_after(&medium, &seen);
        }
        assert_eq!(listener.join().unwrap(), Some(7));
    });
}

/// Emits once more, when the listener is there.
fn emit_after(medium: &Shared, seen: &AtomicBool) {
    while !seen.load(Ordering::Acquire) {
        thread::yield_now();
    }
    emit(medium, 7).expect("room");
}
