//! Readers that wait: whom a wave wakes, and what becomes of a wake-up that is not used.

mod support;

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::{Key, Take, Unlisted};
use support::{After, Rig, blocking, mortal, spec, wave};

fn take_many(
    rig: &mut Rig,
    key: Key,
    waiter: Option<aether_core::mailbox::WaiterId>,
    least: usize,
) -> usize {
    let mut taken = Vec::new();
    rig.after = After::default();
    rig.medium.take_many(key, waiter, (least, 8), &mut taken, &mut rig.after).expect("not ended");
    taken.len()
}

#[test]
fn each_wave_wakes_one_reader_in_the_order_in_which_they_came() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    for waker in 1..=3 {
        rig.enlist(key, 1, waker).unwrap();
    }
    for waker in 1..=3 {
        rig.emit(&wave("a")).unwrap();
        assert_eq!(rig.wakes(), [waker]);
    }
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.wakes(), []);
}

#[test]
fn a_woken_reader_that_goes_passes_its_wake_up_on() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    let first = rig.enlist(key, 1, 1).unwrap();
    let second = rig.enlist(key, 1, 2).unwrap();
    let id = rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.wakes(), [1]);
    rig.after = After::default();
    rig.medium.abandon_receiver(key, first, &mut rig.after);
    assert_eq!(rig.wakes(), [2]);
    let taken = rig.medium.take(key, Some(second), &mut rig.after);
    assert!(matches!(taken, Take::Wave(taken) if taken.item.id == id));
}

#[test]
fn a_reader_that_goes_unwoken_gets_its_waker_back_and_wakes_nobody() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    let first = rig.enlist(key, 1, 1).unwrap();
    rig.enlist(key, 1, 2).unwrap();
    rig.medium.abandon_receiver(key, first, &mut rig.after);
    assert_eq!((rig.wakes(), rig.after.spent.clone()), (vec![], vec![1]));
}

#[test]
fn a_wake_up_whose_wave_was_taken_by_another_is_not_passed_on() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    let first = rig.enlist(key, 1, 1).unwrap();
    rig.enlist(key, 1, 2).unwrap();
    rig.emit(&wave("a")).unwrap();
    rig.take(key);
    assert!(matches!(rig.medium.take(key, Some(first), &mut rig.after), Take::Empty));
    assert_eq!(rig.wakes(), []);
}

#[test]
fn nobody_is_listed_while_there_is_something_to_take() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    rig.emit(&wave("a")).unwrap();
    assert!(matches!(rig.enlist(key, 1, 1), Err(Unlisted::Retry(1))));
    assert!(rig.enlist(key, 2, 1).is_ok());
    // More than the mailbox can hold is never waited for.
    let small = rig.open(blocking("small", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    assert!(matches!(rig.enlist(small, 9, 1), Err(Unlisted::Retry(1))));
}

#[test]
fn readers_that_may_not_wait_together_are_told_apart() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    let first = rig.enlist(key, 1, 1).unwrap();
    let apart = rig.medium.enlist_receiver(key, 2, 1, |first, new| (*first, *new) != (1, 2));
    assert!(matches!(apart, Err(Unlisted::Apart(2))));
    rig.medium.abandon_receiver(key, first, &mut rig.after);
    assert!(rig.medium.enlist_receiver(key, 2, 1, |_, _| false).is_ok());
}

#[test]
fn who_wants_many_is_woken_when_there_are_many() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    let many = rig.enlist(key, 3, 1).unwrap();
    for _ in 0..2 {
        rig.emit(&wave("a")).unwrap();
        assert_eq!(rig.wakes(), []);
    }
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.wakes(), [1]);
    assert_eq!(take_many(&mut rig, key, Some(many), 3), 3);
}

#[test]
fn who_wants_many_does_not_swallow_the_wake_up_of_who_wants_one() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    rig.enlist(key, 3, 1).unwrap();
    rig.enlist(key, 1, 2).unwrap();
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.wakes(), [2]);
}

#[test]
fn who_finds_too_few_after_all_passes_the_wake_up_on() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    let one = rig.enlist(key, 1, 1).unwrap();
    let two = rig.enlist(key, 2, 2).unwrap();
    rig.enlist(key, 1, 3).unwrap();
    rig.emit(&wave("a")).unwrap();
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.wakes(), [2]);
    assert!(matches!(rig.medium.take(key, Some(one), &mut rig.after), Take::Wave(_)));
    assert_eq!(take_many(&mut rig, key, Some(two), 2), 0);
    assert_eq!(rig.wakes(), [3], "one wave lies there, and one is enough for the third");
}

#[test]
fn a_wave_that_takes_the_place_of_another_wakes_nobody() {
    let mut rig = Rig::new();
    let key = rig.open(spec("latest", Order::Fifo, Overflow::Conflate, 4), &["a"]);
    rig.enlist(key, 1, 1).unwrap();
    rig.enlist(key, 1, 2).unwrap();
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.wakes(), [1]);
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.wakes(), []);
}

#[test]
fn the_end_wakes_every_reader() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    let waiters: Vec<_> = (1..=2).map(|waker| rig.enlist(key, 1, waker).unwrap()).collect();
    rig.medium.finish(key, &mut rig.after);
    assert_eq!(rig.wakes(), [1, 2]);
    for waiter in waiters {
        assert!(matches!(rig.medium.take(key, Some(waiter), &mut rig.after), Take::Ended));
    }
    assert!(matches!(rig.enlist(key, 1, 3), Err(Unlisted::Retry(3))));
    let mut taken = Vec::new();
    assert_eq!(rig.medium.take_many(key, None, (1, 4), &mut taken, &mut rig.after), None);
}

#[test]
fn a_batch_is_given_whole_or_not_yet() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 3), &["a"]);
    rig.emit(&wave("a")).unwrap();
    assert_eq!(take_many(&mut rig, key, None, 2), 0);
    rig.emit(&wave("a")).unwrap();
    assert_eq!(take_many(&mut rig, key, None, 2), 2);
    for _ in 0..3 {
        rig.emit(&wave("a")).unwrap();
    }
    assert_eq!(take_many(&mut rig, key, None, 8), 3, "it holds no more");
    rig.emit(&wave("a")).unwrap();
    rig.medium.finish(key, &mut rig.after);
    assert_eq!(take_many(&mut rig, key, None, 8), 1, "no more will come");
}

#[test]
fn a_reader_woken_for_a_wave_that_expired_waits_again() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 3), &["a"]);
    let waiter = rig.enlist(key, 1, 1).unwrap();
    rig.emit(&mortal("a", 1.0)).unwrap();
    rig.clock.advance(2.0);
    assert!(matches!(rig.medium.take(key, Some(waiter), &mut rig.after), Take::Empty));
    assert!(rig.enlist(key, 1, 1).is_ok());
    assert_eq!(rig.medium.mailbox_statistics(key, &mut rig.after).waiting_receive, 1);
}

#[test]
fn a_waker_that_came_to_nothing_is_replaced_by_another() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 3), &["a"]);
    rig.enlist(key, 1, 1).unwrap();
    rig.enlist(key, 1, 2).unwrap();
    rig.after = After::default();
    rig.medium.pass_on(key, &mut rig.after);
    assert_eq!(rig.wakes(), []);
    rig.emit(&wave("a")).unwrap();
    rig.after = After::default();
    rig.medium.pass_on(key, &mut rig.after);
    assert_eq!(rig.wakes(), [2]);
}

#[test]
fn the_quiet_is_watched() {
    let mut rig = Rig::new();
    let lane = rig.open(
        aether_core::mailbox::Spec {
            role: aether_core::mailbox::Role::Lane,
            ..blocking("lane", 3)
        },
        &["a"],
    );
    assert!(rig.medium.is_quiet());
    rig.emit(&wave("a")).unwrap();
    assert!(!rig.medium.is_quiet());
    rig.medium.watch(7);
    rig.take(lane);
    assert_eq!(rig.wakes(), [7]);
    assert!(rig.medium.is_quiet());
}

#[test]
fn a_stale_key_finds_nothing_though_its_place_is_taken_again() {
    let mut rig = Rig::new();
    let old = rig.open(blocking("old", 3), &["a"]);
    rig.medium.discard(old, &mut rig.after);
    let new = rig.open(blocking("new", 3), &["a"]);
    rig.emit(&mortal("a", 1.0)).unwrap();
    rig.clock.advance(2.0);
    rig.after = After::default();
    let mut taken = Vec::new();
    assert_eq!(rig.medium.take_many(old, None, (1, 4), &mut taken, &mut rig.after), None);
    assert_eq!(rig.medium.mailbox_statistics(old, &mut rig.after).capacity, 0);
    assert!(rig.ended(old));
    assert_eq!(rig.dropped(), []);
    assert_eq!(rig.medium.waiting(new), 1);
    assert_eq!((rig.medium.waiting(old), rig.medium.is_open(old)), (0, false));
    assert_eq!(rig.medium.resonate(old, support::pattern("b")), None);
    assert!(!rig.medium.join(old));
}

#[test]
fn readers_that_are_called_come_back_and_miss_nothing() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 3), &["a"]);
    let first = rig.enlist(key, 1, 1).unwrap();
    let second = rig.enlist(key, 1, 2).unwrap();
    rig.medium.call_readers(key, &mut rig.after);
    assert_eq!(rig.wakes(), [1, 2]);
    // The first one belongs elsewhere now; the second one waits again.
    rig.after = After::default();
    rig.medium.abandon_receiver(key, first, &mut rig.after);
    assert!(matches!(rig.medium.take(key, Some(second), &mut rig.after), Take::Empty));
    assert_eq!(rig.wakes(), []);
    rig.enlist(key, 1, 2).unwrap();
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.wakes(), [2]);
}

#[test]
fn a_quick_take_is_one_that_concerns_nobody_else() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 1), &["a"]);
    let quick = |rig: &Rig| rig.medium.take_quickly(key, |_| ()).map(|taken| taken.item.id);
    assert_eq!(quick(&rig), None, "nothing is there");
    let id = rig.emit(&wave("a")).unwrap();
    assert_eq!(quick(&rig), Some(id));
    // Time may remove it.
    rig.emit(&mortal("a", 1.0)).unwrap();
    assert_eq!(quick(&rig), None);
    rig.take(key);
    // Somebody waits for room.
    rig.emit(&wave("a")).unwrap();
    let ticket = rig.wait(&wave("a"), 1);
    assert_eq!(quick(&rig), None);
    rig.abandon_sender(ticket);
    // Somebody waits for quiet.
    rig.medium.watch(2);
    assert_eq!((quick(&rig), rig.medium.waiting(key)), (None, 1));
}
