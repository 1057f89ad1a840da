//! Rings of emissions that wait for each other: what is a proof, and what is not.

mod support;

use aether_core::mailbox::{Role, Spec};
use aether_core::medium::{Emission, Key, Link, Patience, Ticket};
use proptest::prelude::*;
use support::{Rig, blocking, mortal, wave};

const ENDLESS: Patience = Patience::Endless;

/// Full mailboxes of one place each, on the channels "0", "1", ...; each is read by the actors given.
fn full(readers: &[&[u64]]) -> (Rig, Vec<Key>) {
    let mut rig = Rig::new();
    let mut keys = Vec::new();
    for (number, readers) in readers.iter().enumerate() {
        let name = number.to_string();
        let key = rig.open(blocking(&name, 1), &[&name]);
        rig.emit(&wave(&name)).unwrap();
        readers.iter().for_each(|&reader| rig.medium.read_by(key, Some(reader)));
        keys.push(key);
    }
    (rig, keys)
}

/// `actor` waits to emit on a channel.
fn waits(rig: &mut Rig, actor: u64, channel: &str) -> Ticket {
    rig.wait_as(&wave(channel), (actor, ENDLESS), 100 + actor as u32)
}

fn link(actor: u64, full: &str, reader: u64) -> Link {
    Link { actor, channel: full.into(), full: full.into(), reader }
}

#[test]
fn who_waits_for_its_own_mailbox_is_a_ring_of_one() {
    let (mut rig, _) = full(&[&[1]]);
    let ticket = waits(&mut rig, 1, "0");
    assert_eq!(rig.medium.suspects(ticket), [1]);
    assert_eq!(rig.medium.ring(ticket), Some(vec![link(1, "0", 1)]));
}

#[test]
fn two_that_wait_for_each_other() {
    let (mut rig, _) = full(&[&[1], &[2]]);
    let first = waits(&mut rig, 1, "1");
    assert_eq!(rig.medium.ring(first), None, "the second still reads");
    let second = waits(&mut rig, 2, "0");
    assert_eq!(rig.medium.ring(second), Some(vec![link(2, "0", 1), link(1, "1", 2)]));
    assert_eq!(rig.medium.ring(first), Some(vec![link(1, "1", 2), link(2, "0", 1)]));
    rig.abandon_sender(first);
    assert_eq!(rig.medium.ring(second), None, "the ring is broken");
}

#[test]
fn three_in_a_ring_and_one_that_leads_into_it() {
    let (mut rig, _) = full(&[&[1], &[2], &[3]]);
    waits(&mut rig, 1, "1");
    waits(&mut rig, 2, "2");
    let third = waits(&mut rig, 3, "0");
    let expected = vec![link(3, "0", 1), link(1, "1", 2), link(2, "2", 3)];
    assert_eq!(rig.medium.ring(third), Some(expected));
    let outside = waits(&mut rig, 4, "0");
    let links = rig.medium.ring(outside).unwrap();
    assert_eq!((links[0].clone(), links.len()), (link(4, "0", 1), 4));
}

#[test]
fn a_reader_that_is_free_is_a_way_on() {
    let (mut rig, keys) = full(&[&[1, 9]]);
    let ticket = waits(&mut rig, 1, "0");
    assert_eq!(rig.medium.ring(ticket), None);
    assert_eq!(rig.medium.suspects(ticket), [1, 9]);
    // It has ended: only those that wait are left.
    rig.medium.forget_actors(&[9]);
    assert!(rig.medium.ring(ticket).is_some());
    rig.medium.read_by(keys[0], Some(9));
    assert_eq!(rig.medium.ring(ticket), None);
}

#[test]
fn a_mailbox_that_nobody_has_read_proves_nothing() {
    let (mut rig, _) = full(&[&[]]);
    let ticket = waits(&mut rig, 1, "0");
    assert_eq!(rig.medium.ring(ticket), None);
}

#[test]
fn a_reader_that_nobody_can_name_is_a_way_on() {
    let (mut rig, keys) = full(&[&[1]]);
    rig.medium.read_by(keys[0], None);
    let ticket = waits(&mut rig, 1, "0");
    assert_eq!(rig.medium.ring(ticket), None);
}

#[test]
fn readers_that_are_expected_and_have_not_begun_are_a_way_on() {
    let mut rig = Rig::new();
    let key = rig.open(Spec { readers: 2, role: Role::Lane, ..blocking("lane", 1) }, &["0"]);
    rig.emit(&wave("0")).unwrap();
    rig.medium.read_by(key, Some(1));
    let ticket = waits(&mut rig, 1, "0");
    assert_eq!(rig.medium.ring(ticket), None);
    rig.medium.read_by(key, Some(2));
    assert_eq!(rig.medium.ring(ticket), None);
    waits(&mut rig, 2, "0");
    assert!(rig.medium.ring(ticket).is_some());
}

#[test]
fn readers_that_have_ended_leave_the_proof_to_the_others() {
    let mut rig = Rig::new();
    let key = rig.open(Spec { readers: 2, role: Role::Lane, ..blocking("lane", 1) }, &["0"]);
    rig.emit(&wave("0")).unwrap();
    rig.medium.read_by(key, Some(1));
    rig.medium.read_by(key, Some(2));
    let first = waits(&mut rig, 1, "0");
    assert_eq!(rig.medium.ring(first), None);
    rig.medium.forget_actors(&[2]);
    assert!(rig.medium.ring(first).is_some());
    // Others take over from them: no proof until they have begun, and one from then on.
    rig.medium.expect_readers(key, 1);
    assert_eq!(rig.medium.ring(first), None);
    rig.medium.read_by(key, Some(3));
    assert_eq!(rig.medium.ring(first), None);
    waits(&mut rig, 3, "0");
    assert!(rig.medium.ring(first).is_some());
}

#[test]
fn an_emission_that_gives_up_by_itself_is_a_way_on() {
    let (mut rig, _) = full(&[&[1], &[2]]);
    let first = rig.wait_as(&wave("1"), (1, Patience::Timed), 1);
    let second = waits(&mut rig, 2, "0");
    assert_eq!((rig.medium.ring(first), rig.medium.ring(second)), (None, None));
}

#[test]
fn one_that_was_promised_room_is_a_way_on() {
    let (mut rig, keys) = full(&[&[1], &[2]]);
    waits(&mut rig, 1, "1");
    let second = waits(&mut rig, 2, "0");
    rig.take(keys[1]);
    assert_eq!(rig.medium.ring(second), None);
}

#[test]
fn waves_that_are_expired_are_a_way_on() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("0", 1), &["0"]);
    rig.emit(&mortal("0", 1.0)).unwrap();
    rig.medium.read_by(key, Some(1));
    let ticket = waits(&mut rig, 1, "0");
    assert!(rig.medium.ring(ticket).is_some());
    rig.clock.advance(2.0);
    assert_eq!(rig.medium.ring(ticket), None);
}

#[test]
fn one_stuck_mailbox_of_several_is_enough() {
    let mut rig = Rig::new();
    let (stuck, free) = (rig.open(blocking("s", 1), &["x"]), rig.open(blocking("f", 1), &["x"]));
    rig.emit(&wave("x")).unwrap();
    rig.medium.read_by(stuck, Some(1));
    rig.medium.read_by(free, Some(9));
    let ticket = waits(&mut rig, 1, "x");
    let links = rig.medium.ring(ticket).expect("whatever the other reader does");
    assert_eq!((links.len(), &*links[0].full), (1, "s"));
}

/// Which actor waits for which mailbox, and who reads which, at random.
fn knot() -> impl Strategy<Value = (Vec<Vec<u64>>, Vec<(usize, bool)>)> {
    let readers = prop::collection::vec(prop::collection::vec(1..=6u64, 0..3), 5);
    let waiting = prop::collection::vec((0..5usize, prop::bool::weighted(0.9)), 0..6);
    (readers, waiting)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Simulates: whoever is free reads everything it ever read, which frees those that wait for it.
    /// Who never gets free is stuck, and nobody else is.
    #[test]
    fn a_ring_is_proven_exactly_for_those_that_never_get_free((readers, waiting) in knot()) {
        let borrowed: Vec<&[u64]> = readers.iter().map(Vec::as_slice).collect();
        let (mut rig, _) = full(&borrowed);
        let mut tickets = Vec::new();
        for (place, &(at, endless)) in waiting.iter().enumerate() {
            let actor = place as u64 + 1;
            let patience = if endless { ENDLESS } else { Patience::Timed };
            let emission = Emission { ..wave(["0", "1", "2", "3", "4"][at]) };
            tickets.push((actor, rig.wait_as(&emission, (actor, patience), actor as u32)));
        }
        let mut free: Vec<u64> = (1..=6).filter(|&actor| {
            waiting.get(actor as usize - 1).is_none_or(|&(_, endless)| !endless)
        }).collect();
        loop {
            let freed: Vec<u64> = tickets.iter().map(|&(actor, _)| actor).filter(|actor| {
                let readers = &readers[waiting[*actor as usize - 1].0];
                let moves = readers.is_empty() || readers.iter().any(|reader| free.contains(reader));
                !free.contains(actor) && moves
            }).collect();
            if freed.is_empty() {
                break;
            }
            free.extend(freed);
        }
        for (actor, ticket) in tickets {
            let ring = rig.medium.ring(ticket);
            prop_assert_eq!(ring.is_none(), free.contains(&actor), "{:?}", ring);
            for pair in ring.iter().flat_map(|links| links.windows(2)) {
                prop_assert_eq!(pair[0].reader, pair[1].actor);
            }
            if let Some(last) = ring.as_ref().and_then(|links| links.last()) {
                prop_assert!(ring.iter().flatten().any(|link| link.actor == last.reader));
            }
        }
    }
}
