//! How mailboxes and the medium end, and who shares a mailbox until then.

mod support;

use aether_core::decay::Fading;
use aether_core::medium::{Emission, Phase, Refusal, Take};
use aether_core::reason::Reason;
use support::{After, Carrier, Rig, blocking, wave};

fn inside(channel: &str) -> Emission<'_> {
    Emission { inside: true, ..wave(channel) }
}

#[test]
fn a_finished_mailbox_gives_the_rest_and_then_the_end() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    let id = rig.emit(&wave("a")).unwrap();
    rig.medium.finish(key, &mut rig.after);
    assert!(!rig.medium.is_open(key));
    assert_eq!(rig.sent(&wave("a")).matched, 0);
    assert_eq!(rig.take(key), Some((id, 0)));
    assert!(rig.ended(key));
    assert_eq!(rig.medium.resonate(key, support::pattern("b")), None);
}

#[test]
fn a_closed_mailbox_counts_what_it_had_as_abandoned() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    let id = rig.emit(&wave("a")).unwrap();
    rig.after = After::default();
    rig.medium.close(key, &mut rig.after);
    assert_eq!(rig.dropped(), [id]);
    assert!(rig.ended(key));
    let dropped = rig.medium.mailbox_statistics(key, &mut rig.after).dropped;
    assert_eq!(dropped.iter().collect::<Vec<_>>(), [(Reason::Abandoned, 1)]);
}

#[test]
fn counters_outlive_a_mailbox() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    rig.emit(&wave("a")).unwrap();
    rig.emit(&wave("a")).unwrap();
    rig.take(key);
    let progress = rig.medium.progress();
    rig.medium.discard(key, &mut rig.after);
    let said = rig.medium.statistics();
    assert_eq!((said.emitted, said.delivered, said.received), (2, 2, 1));
    assert_eq!((said.dropped.total(), said.waiting, said.mailboxes), (1, 0, 0));
    assert_eq!(rig.medium.progress(), progress);
}

#[test]
fn members_share_a_mailbox_until_the_last_one_goes() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("group", 4), &["a"]);
    assert!(rig.medium.join(key));
    let first = rig.emit(&wave("a")).unwrap();
    let second = rig.emit(&wave("a")).unwrap();
    assert!(!rig.medium.leave(key, &mut rig.after));
    assert_eq!(rig.take(key), Some((first, 0)), "what a member leaves stays for the others");
    rig.after = After::default();
    assert!(rig.medium.leave(key, &mut rig.after));
    assert_eq!(rig.dropped(), [second]);
    assert!(!rig.medium.leave(key, &mut rig.after), "it is closed already");
    assert!(!rig.medium.join(key));
}

#[test]
fn the_last_member_of_a_closing_mailbox_closes_it() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    rig.emit(&wave("a")).unwrap();
    rig.medium.finish(key, &mut rig.after);
    rig.after = After::default();
    assert!(rig.medium.leave(key, &mut rig.after));
    assert_eq!(rig.dropped().len(), 1);
    assert!(!rig.medium.leave(key, &mut rig.after));
}

#[test]
fn a_draining_medium_takes_waves_from_handlers_only() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    rig.medium.shut(Phase::Draining, false, &mut rig.after);
    assert_eq!(rig.emit(&wave("a")).unwrap_err(), Refusal::Closed);
    let id = rig.emit(&inside("a")).unwrap();
    assert_eq!(rig.take(key), Some((id, 0)));
    assert!(rig.medium.open(blocking("late", 1), Fading::new(1.0, 1.0)).is_none());
    rig.medium.shut(Phase::Open, false, &mut rig.after);
    assert_eq!(rig.medium.phase(), Phase::Draining, "there is no way back");
}

#[test]
fn a_closed_medium_lets_readers_finish_or_not() {
    for at_once in [false, true] {
        let mut rig = Rig::new();
        let key = rig.open(blocking("box", 4), &["a"]);
        let other = rig.open(blocking("other", 4), &["b"]);
        rig.enlist(other, 1, 5).unwrap();
        let id = rig.emit(&wave("a")).unwrap();
        rig.after = After::default();
        rig.medium.watch(6);
        rig.medium.shut(Phase::Closed, at_once, &mut rig.after);
        let mut wakes = rig.wakes();
        wakes.sort_unstable();
        assert_eq!(wakes, [5, 6]);
        assert_eq!(rig.dropped(), if at_once { vec![id] } else { vec![] });
        assert_eq!(rig.emit(&inside("a")).unwrap_err(), Refusal::Closed);
        assert_eq!(rig.take(key), (!at_once).then_some((id, 0)));
        assert!(matches!(rig.medium.take(key, None, &mut rig.after), Take::Ended));
    }
}

#[test]
fn a_closing_mailbox_can_still_be_closed_at_once() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    rig.emit(&wave("a")).unwrap();
    rig.medium.finish(key, &mut rig.after);
    rig.after = After::default();
    rig.medium.close(key, &mut rig.after);
    assert_eq!(rig.dropped().len(), 1);
    rig.medium.close(key, &mut rig.after);
    assert_eq!(rig.dropped().len(), 1);
}

#[test]
fn a_collector_sees_what_waits() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 2), &["a"]);
    rig.enlist(key, 2, 5).unwrap();
    let id = rig.emit(&wave("a")).unwrap();
    let (mut items, mut wakers) = (Vec::new(), Vec::new());
    let seen = rig
        .medium
        .try_visit(key, &mut |item| items.push(item.id), &mut |waker| wakers.push(*waker));
    assert_eq!((seen, items, wakers), (Some(()), vec![id], vec![5]));
    rig.emit(&wave("a")).unwrap();
    let ticket = rig.wait(&wave("a"), 9);
    let mut wakers = Vec::new();
    rig.medium.try_visit_sender(ticket, &mut |waker| wakers.push(*waker)).unwrap();
    assert_eq!(wakers, [9]);
}

#[test]
fn the_last_member_does_not_resign() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("group", 4), &["a"]);
    rig.medium.join(key);
    assert!(!rig.medium.resign(key));
    assert!(rig.medium.resign(key));
    assert!(rig.medium.is_open(key));
    assert!(rig.medium.leave(key, &mut rig.after));
}

#[test]
fn the_short_ways_are_closed_from_draining_on() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a"]);
    rig.emit(&wave("a")).unwrap();
    rig.emit(&wave("nobody")).unwrap();
    for phase in [Phase::Draining, Phase::Closed] {
        rig.medium.shut(phase, false, &mut rig.after);
        let (item, mut hint, mut wake) = (rig.item(), rig.hint("nobody"), None);
        let sent = rig.medium.emit_to_one(1.0, rig.hint("a"), &item, &Carrier, &mut wake);
        assert!(sent.is_none() && wake.is_none());
        assert_eq!(rig.medium.emit_unheard_again(hint), None);
        assert_eq!(rig.medium.emit_unheard("nobody", &mut hint), None);
    }
    assert_eq!((rig.medium.statistics().emitted, rig.medium.waiting(key)), (2, 1));
}
