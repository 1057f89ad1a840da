//! Emissions that are delivered later than they are admitted.

mod support;

use aether_core::mailbox::{Order, Overflow, Role, Spec};
use aether_core::medium::{Enlisted, Patience, Phase, Refusal, Verdict};
use aether_core::reason::Reason;

use crate::support::{Rig, blocking, faint, mortal, spec, wave};

#[test]
fn it_is_delivered_under_its_place_in_the_journal() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 4), &["a", "*"]);
    rig.medium.begin_at(1_000_000);
    assert_eq!(rig.medium.delivered_to(), 1_000_000);
    let reserved = rig.reserve(&wave("a"));
    assert_eq!((reserved.matched(), rig.medium.waiting(key)), (1, 0));
    let (id, sent) = rig.deliver(reserved, &wave("a"), 1_000_003);
    assert_eq!((sent.sequence, sent.matched, sent.dropped), (1_000_003, 1, 0));
    assert_eq!(rig.take(key), Some((id, 0)));
    let said = rig.medium.statistics();
    assert_eq!((said.emitted, said.delivered, said.unheard), (1, 1, 0));
    assert_eq!(rig.medium.delivered_to(), 1_000_003);
    assert_eq!(
        rig.sent(&wave("a")).sequence,
        1_000_004,
        "what is emitted at once goes on from there"
    );
}

#[test]
fn nobody_hears_it_and_it_is_counted() {
    let mut rig = Rig::new();
    let reserved = rig.reserve(&wave("a"));
    assert_eq!(rig.medium.statistics().unheard, 0);
    assert_eq!(rig.deliver(reserved, &wave("a"), 1).1.matched, 0);
    assert_eq!(rig.medium.statistics().unheard, 1);
}

#[test]
fn room_is_held_in_what_blocks_or_refuses_and_nowhere_else() {
    for overflow in [Overflow::Block, Overflow::Error, Overflow::DropOldest] {
        let mut rig = Rig::new();
        let key = rig.open(spec("a", Order::Fifo, overflow, 1), &["a"]);
        let reserved = rig.reserve(&wave("a"));
        let second = rig.reserve_as(None, &wave("a"));
        let verdict = rig.medium.explain("a", 1.0, 0)[0].verdict;
        match overflow {
            Overflow::Block => {
                assert!(matches!(second, Err(Refusal::Full(_))));
                assert_eq!(verdict, Verdict::Full);
            }
            Overflow::Error => {
                assert!(matches!(second, Err(Refusal::Refused(_))));
                assert_eq!(verdict, Verdict::Refused);
            }
            _ => {
                assert_eq!(verdict, Verdict::Reached);
                let second = second.expect("it drops");
                rig.deliver(second, &wave("a"), 1);
            }
        }
        let (id, _) = rig.deliver(reserved, &wave("a"), 2);
        assert_eq!(rig.medium.mailbox_statistics(key, &mut rig.after).capacity, 1);
        assert_eq!(rig.drain(key), [id]);
    }
}

#[test]
fn waves_arrive_in_the_order_of_their_deliveries() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 3), &["a"]);
    let reserved = [(); 3].map(|()| rig.reserve(&wave("a")));
    let mut ids = Vec::new();
    for (sequence, one) in (1..).zip(reserved.into_iter().rev()) {
        ids.push(rig.deliver(one, &wave("a"), sequence).0);
    }
    assert_eq!(rig.drain(key), ids);
}

#[test]
fn room_that_is_given_back_wakes_the_emission_that_waits() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 1), &["a"]);
    let reserved = rig.reserve(&wave("a"));
    let ticket = rig.wait(&wave("a"), 7);
    rig.unreserve(reserved);
    assert_eq!(rig.wakes(), [7]);
    let resumed = rig.reserve_as(Some(ticket), &wave("a")).expect("promised");
    assert!(rig.emit(&wave("a")).is_err(), "the promise became room that is held");
    let (id, _) = rig.deliver(resumed, &wave("a"), 1);
    assert_eq!(rig.take(key), Some((id, 0)));
    assert_eq!(rig.medium.statistics().emitted, 1);
}

#[test]
fn one_that_has_expired_on_its_way_leaves_its_room_to_others() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 1), &["a"]);
    let reserved = rig.reserve(&mortal("a", 1.0));
    rig.wait(&wave("a"), 7);
    rig.clock.advance(2.0);
    let (id, sent) = rig.deliver(reserved, &mortal("a", -1.0), 1);
    assert_eq!((sent.dropped, sent.reason()), (1, Some(Reason::Expired)));
    assert_eq!((rig.wakes(), rig.dropped()), (vec![7], vec![id]));
    assert_eq!(rig.medium.waiting(key), 0);
}

#[test]
fn a_mailbox_that_was_closed_has_dropped_it() {
    let mut rig = Rig::new();
    let keys = ["closed", "discarded"].map(|name| rig.open(blocking(name, 1), &["a"]));
    let reserved = rig.reserve(&wave("a"));
    rig.medium.close(keys[0], &mut rig.after);
    rig.medium.discard(keys[1], &mut rig.after);
    let (_, sent) = rig.deliver(reserved, &wave("a"), 1);
    assert_eq!((sent.matched, sent.dropped, sent.lanes), (2, 2, 0));
    assert_eq!(sent.reason(), Some(Reason::Abandoned));
    assert!(rig.after.garbage.is_empty(), "no handle was made");
    let said = rig.medium.statistics();
    assert_eq!((said.delivered, said.unheard, said.dropped.total()), (0, 0, 2));
}

#[test]
fn the_end_waits_for_what_was_admitted() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 2), &["a"]);
    let (kept, given_back) = (rig.reserve(&wave("a")), rig.reserve(&wave("a")));
    rig.medium.shut(Phase::Closed, false, &mut rig.after);
    assert!(!rig.ended(key), "two are on the way");
    assert!(!rig.medium.is_drained(key));
    rig.enlist(key, 2, 7).expect("it waits for both");
    let (id, sent) = rig.deliver(kept, &wave("a"), 1);
    assert_eq!((sent.dropped, rig.wakes()), (0, vec![]));
    rig.unreserve(given_back);
    assert_eq!(rig.wakes(), [7], "there are no two to come");
    assert_eq!(rig.take(key), Some((id, 0)));
    assert!(rig.ended(key) && rig.medium.is_drained(key));
}

#[test]
fn what_was_cleared_does_not_take_what_is_on_the_way() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 2), &["a"]);
    rig.emit(&wave("a")).expect("room");
    let reserved = rig.reserve(&wave("a"));
    assert_eq!(rig.medium.clear(&mut rig.after), 1);
    rig.emit(&wave("a")).expect("one place is held, one is free");
    assert!(rig.emit(&wave("a")).is_err());
    let (id, _) = rig.deliver(reserved, &wave("a"), 5);
    assert_eq!(rig.drain(key)[1], id);
}

#[test]
fn patterns_and_loudness_count_when_it_is_admitted() {
    let mut rig = Rig::new();
    let spec = Spec { noise_floor: 0.5, ..blocking("a", 2) };
    let key = rig.open(spec, &["a"]);
    let late = rig.open(blocking("late", 1), &[]);
    assert_eq!(rig.reserve(&faint("a", 0.2)).matched(), 0);
    let reserved = rig.reserve(&wave("a"));
    rig.medium.detune(key, &support::pattern("a"), &mut rig.after);
    rig.medium.resonate(late, support::pattern("a"));
    let (id, _) = rig.deliver(reserved, &wave("a"), 1);
    assert_eq!((rig.drain(key), rig.drain(late)), (vec![id], vec![]));
}

#[test]
fn the_rules_of_an_emission_hold_at_its_admission() {
    let mut rig = Rig::new();
    let demanding = aether_core::medium::Emission { require: 1, ..wave("a") };
    let refused = rig.reserve_as(None, &demanding).expect_err("nobody is there");
    assert_eq!(refused, Refusal::TooFew { matched: 0 });
    rig.medium.shut(Phase::Draining, false, &mut rig.after);
    assert_eq!(rig.reserve_as(None, &wave("a")).expect_err("from outside"), Refusal::Closed);
    let inside = aether_core::medium::Emission { inside: true, ..wave("a") };
    let reserved = rig.reserve_as(None, &inside).expect("from inside");
    rig.medium.shut(Phase::Closed, false, &mut rig.after);
    rig.deliver(reserved, &inside, 1);
    assert_eq!(rig.medium.statistics().emitted, 1);
}

#[test]
fn it_is_not_quiet_while_something_is_on_the_way() {
    let mut rig = Rig::new();
    rig.open(Spec { role: Role::Lane, ..blocking("a", 1) }, &["b"]);
    for deliver in [true, false] {
        let reserved = rig.reserve(&wave("a"));
        assert!(!rig.medium.is_quiet());
        rig.medium.watch(9);
        if deliver {
            rig.deliver(reserved, &wave("a"), 1);
        } else {
            rig.unreserve(reserved);
        }
        assert_eq!(rig.wakes(), [9], "who waits for quiet looks again");
        assert!(rig.medium.is_quiet());
    }
}

#[test]
fn a_handler_that_keeps_it_is_counted() {
    let mut rig = Rig::new();
    rig.open(Spec { role: Role::Lane, ..blocking("a", 1) }, &["a"]);
    let reserved = rig.reserve(&wave("a"));
    assert_eq!(rig.deliver(reserved, &wave("a"), 1).1.lanes, 1);
}

#[test]
fn there_is_no_ring_while_room_is_held() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("a", 1), &["a"]);
    rig.medium.read_by(key, Some(1));
    let reserved = rig.reserve(&wave("a"));
    let ticket = rig.medium.new_ticket();
    let who = (1, Patience::Endless);
    let enlisted = rig.medium.enlist_sender(&wave("a"), ticket, who, 7);
    assert!(matches!(enlisted, Enlisted::Waiting(_)));
    assert_eq!(rig.medium.ring(ticket), None, "the journal may refuse it");
    rig.deliver(reserved, &wave("a"), 1);
    assert!(rig.medium.ring(ticket).is_some(), "its only reader waits for itself");
}
