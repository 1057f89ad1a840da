//! What the keeper of a reader's count is told of its mailbox, and how a wave comes again.
#![allow(missing_docs)]

mod support;

use std::sync::atomic::Ordering::Relaxed;

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::{Horizon, Key};

use crate::support::{Rig, blocking, faint, pattern, spec, wave};

impl Rig {
    fn horizon(&self, key: Key, until: u64) -> Option<(Vec<u64>, u64)> {
        let number = |item: &std::sync::Arc<support::Item>| item.sequence.load(Relaxed);
        self.medium.horizon(key, until, number).map(|Horizon { mut waiting, sure }| {
            waiting.sort_unstable();
            (waiting, sure)
        })
    }

    fn bring(&mut self, key: Key) -> bool {
        self.after = support::After::default();
        let item = self.item();
        item.sequence.store(1, Relaxed);
        self.medium.bring(key, &wave("a"), item, &mut self.after)
    }
}

#[test]
fn it_is_sure_of_what_was_delivered_up_to_what_waits() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 9), &["a"]);
    assert_eq!(rig.horizon(key, 0), Some((vec![], 0)));
    for channel in ["a", "b", "a", "b"] {
        rig.sent(&wave(channel));
    }
    assert_eq!(rig.horizon(key, 0), Some((vec![], 0)));
    rig.take(key);
    assert_eq!(rig.horizon(key, 1), Some((vec![], 2)), "the third waits");
    rig.take(key);
    assert_eq!(rig.horizon(key, 3), Some((vec![], 4)));
}

#[test]
fn louder_waves_do_not_hide_what_waits_before_them() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 9), &["a"]);
    for amplitude in [0.2, 0.1, 0.9, 0.5] {
        rig.sent(&faint("a", amplitude));
    }
    assert_eq!(rig.take(key), Some((3, 0)));
    assert_eq!(rig.horizon(key, 3), Some((vec![1, 2], 3)));
}

#[test]
fn what_is_admitted_and_not_delivered_is_to_come() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 9), &["a"]);
    rig.sent(&wave("b"));
    let reserved = rig.reserve(&wave("a"));
    assert_eq!(rig.horizon(key, 9), Some((vec![], 1)));
    rig.deliver(reserved, &wave("a"), 2);
    assert_eq!(rig.horizon(key, 1), Some((vec![], 1)));
    assert_eq!(rig.horizon(key, 2), Some((vec![2], 2)));
}

#[test]
fn one_that_is_behind_is_sure_of_what_it_has_read() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 9), &[]);
    for _ in 0..3 {
        rig.sent(&wave("a"));
    }
    let behind = rig.medium.resonate_behind(key, pattern("a"), 1, &mut rig.after);
    assert_eq!((behind, rig.horizon(key, 9)), (Some(true), Some((vec![], 1))));
}

#[test]
fn without_patterns_it_stands_still() {
    let mut rig = Rig::new();
    let detuned = rig.open(blocking("a", 9), &["a"]);
    let finished = rig.open(blocking("b", 9), &["a"]);
    let removed = rig.open(blocking("c", 9), &["a"]);
    rig.sent(&wave("a"));
    assert!(rig.medium.detune(detuned, &pattern("a"), &mut rig.after));
    rig.medium.finish(finished, &mut rig.after);
    assert_eq!(rig.medium.detune_all(|_| true, &mut rig.after), 1);
    rig.sent(&wave("a"));
    for key in [detuned, finished, removed] {
        rig.take(key);
        assert_eq!(rig.horizon(key, 1), Some((vec![], 1)));
    }
    assert!(rig.medium.has_ended(finished) && !rig.medium.has_ended(detuned));
    rig.medium.close(detuned, &mut rig.after);
    assert_eq!(rig.horizon(detuned, 1), None);
    assert!(rig.medium.has_ended(detuned));
}

#[test]
fn what_comes_again_needs_room_and_an_open_mailbox() {
    for overflow in [Overflow::Block, Overflow::Replay] {
        let mut rig = Rig::new();
        let key = rig.open(spec("a", Order::Fifo, overflow, 1), &["a"]);
        rig.sent(&wave("a"));
        assert!(!rig.bring(key), "it is full");
        assert_eq!(rig.dropped().len(), 1);
        rig.take(key);
        assert!(rig.bring(key));
        assert_eq!(rig.horizon(key, 1), Some((vec![1], 1)));
        rig.take(key);
        let _waiter = rig.enlist(key, 1, 7).expect("nothing waits");
        assert!(rig.bring(key));
        assert_eq!(rig.wakes(), [7]);
        rig.take(key);
        rig.medium.finish(key, &mut rig.after);
        assert!(!rig.bring(key));
    }
}

#[test]
fn it_comes_again_to_one_that_is_behind() {
    let mut rig = Rig::new();
    let key = rig.open(spec("a", Order::Fifo, Overflow::Replay, 1), &["a"]);
    rig.sent(&wave("a"));
    rig.sent(&wave("a"));
    assert!(rig.medium.is_behind(key) && !rig.bring(key));
    rig.take(key);
    assert!(rig.bring(key) && rig.medium.is_behind(key));
}
