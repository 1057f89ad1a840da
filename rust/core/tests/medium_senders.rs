//! Emissions that wait for room: who goes first, what is promised, and what comes back.

mod support;

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::{Enlisted, Patience, Phase, Refusal};
use support::{Rig, blocking, mortal, pattern, spec, wave};

fn full_names(refusal: Refusal) -> Vec<String> {
    match refusal {
        Refusal::Full(names) => names.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_or_none_and_the_full_ones_are_named() {
    let mut rig = Rig::new();
    let roomy = rig.open(blocking("roomy", 2), &["a"]);
    let _full = rig.open(blocking("full", 1), &["*"]);
    rig.emit(&wave("b")).unwrap();
    let refusal = rig.emit(&wave("a")).unwrap_err();
    assert_eq!(full_names(refusal), ["full"]);
    assert_eq!(rig.medium.waiting(roomy), 0);
    assert_eq!(rig.medium.statistics().emitted, 1);
}

#[test]
fn one_that_refuses_wins_over_one_that_blocks() {
    let mut rig = Rig::new();
    rig.open(blocking("blocks", 1), &["a"]);
    rig.open(spec("errs", Order::Fifo, Overflow::Error, 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.emit(&wave("a")).unwrap_err(), Refusal::Refused("errs".into()));
}

#[test]
fn mailboxes_that_drop_do_not_change_while_another_blocks() {
    let mut rig = Rig::new();
    let latest = rig.open(spec("latest", Order::Fifo, Overflow::DropOldest, 1), &["a"]);
    let slow = rig.open(blocking("slow", 1), &["a"]);
    let first = rig.emit(&wave("a")).unwrap();
    let ticket = rig.wait(&wave("a"), 1);
    assert_eq!(rig.take(latest), Some((first, 0)));
    rig.take(slow);
    assert_eq!(rig.wakes(), [1]);
    let second = rig.resume(ticket, &wave("a")).unwrap();
    assert_eq!(rig.take(latest), Some((second, 0)));
}

#[test]
fn room_goes_to_the_one_that_waited_longest_and_is_kept_for_it() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("slow", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    let (first, second) = (rig.wait(&wave("a"), 1), rig.wait(&wave("a"), 2));
    rig.take(key);
    assert_eq!(rig.wakes(), [1]);
    // Nobody else gets in before it resumes, though the mailbox is empty.
    assert_eq!(full_names(rig.emit(&wave("a")).unwrap_err()), ["slow"]);
    rig.resume(first, &wave("a")).unwrap();
    assert_eq!(rig.wakes(), []);
    rig.take(key);
    assert_eq!(rig.wakes(), [2]);
    rig.resume(second, &wave("a")).unwrap();
}

#[test]
fn one_promise_at_a_time_however_much_room_there_is() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("slow", 3), &["a"]);
    for _ in 0..3 {
        rig.emit(&wave("a")).unwrap();
    }
    let tickets = [1, 2, 3].map(|waker| rig.wait(&wave("a"), waker));
    assert_eq!(rig.drain(key).len(), 3);
    rig.take(key);
    assert_eq!(rig.medium.waiting(key), 0);
    let mut sent = Vec::new();
    for (ticket, next) in tickets.into_iter().zip([vec![2], vec![3], vec![]]) {
        // Two places are free all the time, and nobody passes the one that is on its way.
        assert_eq!(full_names(rig.emit(&wave("a")).unwrap_err()), ["slow"]);
        sent.push(rig.resume(ticket, &wave("a")).unwrap());
        assert_eq!(rig.wakes(), next);
    }
    assert_eq!(rig.drain(key), sent);
}

#[test]
fn a_newcomer_does_not_pass_one_that_was_woken_for_two_mailboxes() {
    let mut rig = Rig::new();
    let y = rig.open(blocking("y", 2), &["b"]);
    let z = rig.open(blocking("z", 3), &["a", "b"]);
    for channel in ["a", "b", "b"] {
        rig.emit(&wave(channel)).unwrap();
    }
    let first = rig.wait(&wave("b"), 1);
    rig.take(y);
    rig.take(z);
    assert_eq!(rig.wakes(), [1]);
    rig.take(z);
    rig.take(y);
    // There is room for both of them in both.
    let mut refused = full_names(rig.emit(&wave("b")).unwrap_err());
    refused.sort_unstable();
    assert_eq!(refused, ["y", "z"]);
    assert_eq!(full_names(rig.emit(&wave("a")).unwrap_err()), ["z"]);
    let second = rig.wait(&wave("b"), 2);
    rig.resume(first, &wave("b")).unwrap();
    assert_eq!(rig.wakes(), [2]);
    rig.resume(second, &wave("b")).unwrap();
}

#[test]
fn a_senior_waits_for_the_promise_of_a_junior() {
    let mut rig = Rig::new();
    let (a, b) = (rig.open(blocking("a", 1), &["a", "x"]), rig.open(blocking("b", 2), &["b", "x"]));
    for channel in ["a", "b", "b"] {
        rig.emit(&wave(channel)).unwrap();
    }
    let (senior, junior) = (rig.wait(&wave("x"), 1), rig.wait(&wave("b"), 2));
    rig.take(b);
    rig.take(b);
    rig.take(a);
    assert_eq!(rig.wakes(), [], "the junior shared no full mailbox with it and is on its way");
    assert_eq!(rig.medium.full_for(senior), ["b".into()]);
    rig.resume(junior, &wave("b")).unwrap();
    assert_eq!(rig.wakes(), [1]);
    rig.resume(senior, &wave("x")).unwrap();
}

#[test]
fn one_that_is_roused_keeps_its_place() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("slow", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    let (first, second) = (rig.wait(&wave("a"), 1), rig.wait(&wave("a"), 2));
    rig.after = support::After::default();
    rig.medium.rouse(first, &mut rig.after);
    rig.medium.rouse(first, &mut rig.after);
    assert_eq!(rig.wakes(), [1]);
    rig.take(key);
    assert_eq!(rig.wakes(), [], "it is on its way, and the room is its own");
    rig.resume(first, &wave("a")).unwrap();
    rig.abandon_sender(second);
}

#[test]
fn one_that_nobody_woke_gets_what_time_has_freed_before_its_juniors() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("slow", 1), &["a"]);
    rig.emit(&mortal("a", 1.0)).unwrap();
    let (first, second) = (rig.wait(&wave("a"), 1), rig.wait(&wave("a"), 2));
    rig.clock.advance(2.0);
    let sent = rig.resume(first, &wave("a")).unwrap();
    assert_eq!((rig.wakes(), rig.after.spent.clone()), (vec![], vec![1]));
    assert_eq!(rig.take(key), Some((sent, 1)));
    assert_eq!(rig.wakes(), [2]);
    rig.abandon_sender(second);
}

#[test]
fn everybody_that_waits_for_a_mailbox_is_counted_in_whichever_line() {
    let mut rig = Rig::new();
    let (a, b) = (rig.open(blocking("a", 1), &["x"]), rig.open(blocking("b", 1), &["b", "x"]));
    rig.emit(&wave("x")).unwrap();
    rig.wait(&wave("x"), 1);
    rig.wait(&wave("x"), 2);
    rig.wait(&wave("b"), 3);
    let waiting = |rig: &mut Rig| {
        [a, b].map(|key| rig.medium.mailbox_statistics(key, &mut rig.after).waiting_send)
    };
    assert_eq!(waiting(&mut rig), [2, 3]);
    rig.take(a);
    assert_eq!(waiting(&mut rig), [0, 3]);
    rig.take(b);
    assert_eq!((rig.wakes(), waiting(&mut rig)), (vec![1], [2, 3]));
}

#[test]
fn a_promise_that_is_given_up_goes_to_the_next() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("slow", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    let (first, second) = (rig.wait(&wave("a"), 1), rig.wait(&wave("a"), 2));
    rig.take(key);
    rig.abandon_sender(first);
    assert_eq!(rig.wakes(), [2]);
    rig.abandon_sender(second);
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.medium.statistics().waiting_send, 0);
}

#[test]
fn one_that_leaves_the_line_leaves_no_trace() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("slow", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    let ticket = rig.wait(&wave("a"), 1);
    rig.abandon_sender(ticket);
    assert_eq!((rig.wakes(), rig.after.spent.clone()), (vec![], vec![1]));
    rig.take(key);
    assert_eq!(rig.wakes(), []);
    rig.emit(&wave("a")).unwrap();
}

#[test]
fn overtaken_only_by_those_that_share_no_full_mailbox() {
    let mut rig = Rig::new();
    let (a, b) = (rig.open(blocking("a", 1), &["*"]), rig.open(blocking("b", 2), &["b"]));
    rig.emit(&wave("a")).unwrap();
    // It waits for `a` and holds no room in `b`, which others fill meanwhile.
    let both = rig.wait(&wave("b"), 1);
    let later = rig.wait(&wave("a"), 2);
    rig.take(a);
    assert_eq!(rig.wakes(), [1], "the junior shares the full mailbox");
    rig.resume(both, &wave("b")).unwrap();
    rig.take(a);
    assert_eq!(rig.wakes(), [2]);
    rig.resume(later, &wave("a")).unwrap();
    assert_eq!(rig.medium.waiting(b), 1);
}

#[test]
fn an_emission_moves_on_to_the_next_full_mailbox_with_its_seniority() {
    let mut rig = Rig::new();
    let (a, b) = (rig.open(blocking("a", 1), &["a", "x"]), rig.open(blocking("b", 1), &["b", "x"]));
    rig.emit(&wave("x")).unwrap();
    let both = rig.wait(&wave("x"), 1);
    let only_b = rig.wait(&wave("b"), 2);
    rig.take(a);
    assert_eq!(rig.wakes(), []);
    assert_eq!(rig.medium.full_for(both), ["b".into()]);
    rig.take(b);
    assert_eq!(rig.wakes(), [1], "the senior goes first, wherever it stood before");
    rig.resume(both, &wave("x")).unwrap();
    rig.abandon_sender(only_b);
}

#[test]
fn room_in_several_mailboxes_at_once_goes_by_seniority() {
    let mut rig = Rig::new();
    rig.open(blocking("a", 1), &["a", "x"]);
    let b = rig.open(blocking("b", 1), &["b", "x"]);
    rig.emit(&wave("a")).unwrap();
    rig.emit(&wave("b")).unwrap();
    let both = rig.wait(&wave("x"), 1);
    let (only_a, only_b) = (rig.wait(&wave("a"), 2), rig.wait(&wave("b"), 3));
    rig.after = support::After::default();
    assert_eq!(rig.medium.clear(&mut rig.after), 2);
    assert_eq!(rig.wakes(), [1], "both rooms are the senior's");
    // It gives them up: now the two juniors have one each.
    rig.abandon_sender(both);
    assert_eq!(rig.wakes(), [2, 3]);
    rig.resume(only_a, &wave("a")).unwrap();
    rig.resume(only_b, &wave("b")).unwrap();
    assert_eq!(rig.medium.waiting(b), 1);
}

#[test]
fn room_made_by_time_is_not_given_away_twice() {
    let mut rig = Rig::new();
    let a = rig.open(blocking("a", 1), &["x"]);
    let b = rig.open(blocking("b", 2), &["b", "x"]);
    rig.emit(&mortal("b", 1.0)).unwrap();
    rig.emit(&mortal("b", 1.0)).unwrap();
    let senior = rig.wait(&wave("x"), 1);
    rig.clock.advance(2.0);
    // The newcomer finds `b` full of expired waves. Their room is the senior's, and so is the one in
    // `a`, which was free all the time.
    let mut refused = full_names(rig.emit(&wave("x")).unwrap_err());
    refused.sort_unstable();
    assert_eq!(refused, ["a", "b"]);
    assert_eq!(rig.wakes(), [1]);
    rig.resume(senior, &wave("x")).unwrap();
    assert_eq!((rig.medium.waiting(a), rig.medium.waiting(b)), (1, 1));
}

#[test]
fn a_promise_survives_the_search_for_room_elsewhere() {
    let mut rig = Rig::new();
    let a = rig.open(blocking("a", 1), &["a", "x"]);
    rig.emit(&wave("a")).unwrap();
    let promised = rig.wait(&wave("x"), 1);
    let junior = rig.wait(&wave("a"), 2);
    rig.take(a);
    assert_eq!(rig.wakes(), [1]);
    let late = rig.open(blocking("late", 1), &["b", "x"]);
    rig.emit(&mortal("b", 1.0)).unwrap();
    let third = rig.wait(&wave("x"), 3);
    rig.clock.advance(2.0);
    // It resumes, and time has to make room in the new mailbox: nobody gets its place in `a` meanwhile.
    rig.resume(promised, &wave("x")).unwrap();
    assert_eq!((rig.medium.waiting(a), rig.medium.waiting(late)), (1, 1));
    rig.abandon_sender(junior);
    rig.abandon_sender(third);
}

#[test]
fn a_ticket_keeps_its_seniority() {
    let mut rig = Rig::new();
    let a = rig.open(blocking("a", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    let first = rig.wait(&wave("a"), 1);
    let second = rig.wait(&wave("a"), 2);
    rig.medium.rouse(first, &mut rig.after);
    assert!(rig.resume(first, &wave("a")).is_err());
    let again = rig.medium.enlist_sender(&wave("a"), first, (0, Patience::Endless), 1);
    assert!(matches!(again, Enlisted::Waiting(_)));
    rig.take(a);
    assert_eq!(rig.wakes(), [1]);
    rig.abandon_sender(second);
}

#[test]
fn one_that_finds_room_when_it_wants_to_wait_tries_again() {
    let mut rig = Rig::new();
    let a = rig.open(blocking("a", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    rig.emit(&wave("a")).unwrap_err();
    rig.take(a);
    let ticket = rig.medium.new_ticket();
    let enlisted = rig.medium.enlist_sender(&wave("a"), ticket, (0, Patience::Endless), 9);
    assert!(matches!(enlisted, Enlisted::Retry(9)));
    assert_eq!(rig.medium.statistics().waiting_send, 0);
}

#[test]
fn a_mailbox_that_goes_frees_those_that_wait_for_it() {
    type Going = fn(&mut Rig, aether_core::medium::Key);
    let ways: [Going; 4] = [
        |rig, key| rig.medium.finish(key, &mut rig.after),
        |rig, key| rig.medium.close(key, &mut rig.after),
        |rig, key| rig.medium.discard(key, &mut rig.after),
        |rig, key| assert!(rig.medium.detune(key, &pattern("x"), &mut rig.after)),
    ];
    for goes in ways {
        let mut rig = Rig::new();
        let a = rig.open(blocking("a", 1), &["x"]);
        let b = rig.open(blocking("b", 1), &["x"]);
        rig.emit(&wave("x")).unwrap();
        let ticket = rig.wait(&wave("x"), 1);
        rig.take(b);
        goes(&mut rig, a);
        assert_eq!(rig.wakes(), [1]);
        rig.resume(ticket, &wave("x")).unwrap();
        assert_eq!(rig.medium.waiting(b), 1);
    }
}

#[test]
fn detuning_several_at_once_frees_by_seniority() {
    let mut rig = Rig::new();
    rig.open(blocking("a", 1), &["f.a", "a", "x"]);
    rig.open(blocking("b", 1), &["f.b", "x"]);
    let common = rig.open(blocking("common", 1), &["+"]);
    rig.emit(&wave("f.a")).unwrap();
    rig.emit(&wave("f.b")).unwrap();
    let (senior, junior) = (rig.wait(&wave("x"), 1), rig.wait(&wave("a"), 2));
    rig.after = support::After::default();
    let removed = rig.medium.detune_all(|pattern| pattern.as_str() != "+", &mut rig.after);
    assert_eq!((removed, rig.wakes()), (5, vec![1]));
    rig.resume(senior, &wave("x")).unwrap();
    rig.take(common);
    assert_eq!(rig.wakes(), [2]);
    rig.resume(junior, &wave("a")).unwrap();
}

#[test]
fn a_stall_is_told_once_with_the_names() {
    let mut rig = Rig::new();
    rig.open(blocking("slow", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    let ticket = rig.wait(&wave("a"), 1);
    assert_eq!(rig.medium.stalls(1.0, &mut rig.after), []);
    rig.clock.advance(1.5);
    let stalls = rig.medium.stalls(1.0, &mut rig.after);
    assert_eq!(stalls.len(), 1);
    let stall = &stalls[0];
    assert_eq!((stall.ticket, stall.waited, stall.first), (ticket, 1.5, true));
    assert_eq!((&*stall.channel, &stall.full[..]), ("a", &["slow".into()][..]));
    assert!(!rig.medium.stalls(1.0, &mut rig.after)[0].first);
    let (count, first) = rig.medium.waits(1.0, 9);
    assert_eq!((count, &*first[0].full), (1, &["slow".into()][..]));
    assert_eq!(rig.medium.waits(1.0, 0), (1, vec![]));
    assert_eq!(rig.medium.waits(2.0, 9), (0, vec![]));
}

#[test]
fn looking_for_stalls_lets_time_make_room_everywhere() {
    let mut rig = Rig::new();
    rig.open(blocking("a", 1), &["a", "x"]);
    rig.open(blocking("b", 1), &["b", "x"]);
    rig.emit(&mortal("a", 1.0)).unwrap();
    rig.emit(&mortal("b", 1.0)).unwrap();
    let ticket = rig.wait(&wave("x"), 1);
    rig.clock.advance(2.0);
    rig.after = support::After::default();
    assert_eq!(rig.medium.stalls(1.0, &mut rig.after), []);
    assert_eq!(rig.wakes(), [1]);
    rig.resume(ticket, &wave("x")).unwrap();
}

#[test]
fn draining_refuses_those_outside_and_keeps_the_line_of_those_inside() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("slow", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    let inside = aether_core::medium::Emission { inside: true, ..wave("a") };
    let (handler, stranger) = (rig.wait(&inside, 1), rig.wait(&wave("a"), 2));
    rig.after = support::After::default();
    rig.medium.shut(Phase::Draining, false, &mut rig.after);
    assert_eq!(rig.wakes(), [2]);
    assert_eq!(rig.resume(stranger, &wave("a")).unwrap_err(), Refusal::Closed);
    assert_eq!(full_names(rig.emit(&inside).unwrap_err()), ["slow"]);
    rig.take(key);
    assert_eq!(rig.wakes(), [1]);
    rig.resume(handler, &inside).unwrap();
}

#[test]
fn closing_wakes_everybody_that_waits() {
    let mut rig = Rig::new();
    rig.open(blocking("slow", 1), &["a"]);
    rig.emit(&wave("a")).unwrap();
    let inside = aether_core::medium::Emission { inside: true, ..wave("a") };
    let tickets = [rig.wait(&inside, 1), rig.wait(&wave("a"), 2)];
    rig.after = support::After::default();
    rig.medium.shut(Phase::Closed, true, &mut rig.after);
    assert_eq!(rig.wakes(), [1, 2]);
    for ticket in tickets {
        assert_eq!(rig.resume(ticket, &inside).unwrap_err(), Refusal::Closed);
        let enlisted = rig.medium.enlist_sender(&inside, ticket, (0, Patience::Endless), 1);
        assert!(matches!(enlisted, Enlisted::Retry(1)));
    }
    assert_eq!(rig.medium.statistics().waiting_send, 0);
}
