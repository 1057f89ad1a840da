//! What waits in a mailbox: its order, what goes when it is full, and what the reader is told.

mod support;

use aether_core::decay::Fading;
use aether_core::mailbox::{Order, Overflow, Spec};
use aether_core::medium::{Emission, Key, Refusal, Row, Take, Verdict};
use aether_core::reason::Reason;
use proptest::prelude::*;
use proptest::sample::select;
use support::{After, FACTOR, INTERVAL, Rig, blocking, faint, mortal, pattern, spec, wave};

const ORDERS: [Order; 3] = [Order::Amplitude, Order::Fifo, Order::Fresh];
const POLICIES: [Overflow; 6] = [
    Overflow::Block,
    Overflow::DropOldest,
    Overflow::DropNewest,
    Overflow::DropFaintest,
    Overflow::Conflate,
    Overflow::Error,
];

fn opened(order: Order, overflow: Overflow, capacity: usize) -> (Rig, Key) {
    let rig = Rig::new();
    let key = rig.open(spec("box", order, overflow, capacity), &["*"]);
    (rig, key)
}

/// How often a mailbox let a wave go, by reason.
fn lost(rig: &mut Rig, key: Key) -> Vec<(Reason, u64)> {
    rig.medium.mailbox_statistics(key, &mut rig.after).dropped.iter().collect()
}

#[test]
fn equal_waves_leave_in_the_order_of_arrival_whatever_the_order_and_policy() {
    for order in ORDERS {
        for overflow in POLICIES {
            let (mut rig, key) = opened(order, overflow, 4);
            let sent: Vec<u64> =
                ["a", "b", "c", "d"].map(|channel| rig.emit(&wave(channel)).unwrap()).into();
            assert_eq!(rig.drain(key), sent, "{order:?} {overflow:?}");
            // And again, when it has been empty.
            let next = rig.emit(&wave("a")).unwrap();
            assert_eq!(rig.take(key), Some((next, 0)));
        }
    }
}

#[test]
fn amplitude_lets_the_highest_priority_go_first_not_the_loudest() {
    let (mut rig, key) = opened(Order::Amplitude, Overflow::Block, 4);
    let worn = rig.emit(&Emission { amplitude: 0.3, priority: 1.0, ..wave("a") }).unwrap();
    let loud = rig.emit(&Emission { amplitude: 0.9, priority: 0.9, ..wave("a") }).unwrap();
    let same = rig.emit(&Emission { amplitude: 0.2, priority: 0.9, ..wave("a") }).unwrap();
    let top = rig.emit(&faint("a", 1.0)).unwrap();
    assert_eq!(rig.drain(key), [worn, top, loud, same]);
}

#[test]
fn fifo_does_not_look_at_priority() {
    let (mut rig, key) = opened(Order::Fifo, Overflow::Block, 3);
    let sent: Vec<u64> =
        [0.1, 1.0, 0.5].map(|amplitude| rig.emit(&faint("a", amplitude)).unwrap()).into();
    assert_eq!(rig.drain(key), sent);
}

#[test]
fn fresh_lets_the_loudest_now_go_first() {
    let (mut rig, key) = opened(Order::Fresh, Overflow::Block, 3);
    let old = rig.emit(&faint("a", 0.9)).unwrap();
    let silent = rig.emit(&faint("a", 0.0)).unwrap();
    rig.clock.advance(2.0 * INTERVAL);
    // 0.9 x 0.9^2 = 0.729 by now.
    let new = rig.emit(&faint("a", 0.8)).unwrap();
    assert_eq!(rig.drain(key), [new, old, silent]);
    let old = rig.emit(&faint("a", 0.9)).unwrap();
    rig.clock.advance(INTERVAL);
    let new = rig.emit(&faint("a", 0.8)).unwrap();
    assert_eq!(rig.drain(key), [old, new]);
}

#[test]
fn fresh_waves_fade_below_the_noise_floor_where_they_wait() {
    let mut rig = Rig::new();
    let fresh = spec("fresh", Order::Fresh, Overflow::Block, 1);
    let key = rig.open(Spec { noise_floor: 0.5, ..fresh }, &["a"]);
    rig.emit(&faint("a", 0.5)).unwrap();
    assert!(matches!(rig.emit(&wave("a")), Err(Refusal::Full(_))), "not below it yet");
    rig.clock.advance(0.1);
    // Faded, and so no reason to block.
    let next = rig.emit(&wave("a")).unwrap();
    assert_eq!(lost(&mut rig, key), [(Reason::Faded, 1)]);
    assert_eq!(rig.take(key), Some((next, 1)));
    rig.emit(&wave("a")).unwrap();
    // 0.9^6 = 0.53, 0.9^7 = 0.48.
    rig.clock.advance(7.0 * INTERVAL);
    assert_eq!(rig.take(key), None);
    assert_eq!(lost(&mut rig, key), [(Reason::Faded, 2)]);
}

#[test]
fn each_mailbox_fades_by_its_own_rule() {
    let mut rig = Rig::new();
    let fresh = || Spec { noise_floor: 0.5, ..spec("f", Order::Fresh, Overflow::Block, 2) };
    let slow = rig.medium.open(fresh(), Fading::new(1.0, 1.0)).unwrap();
    let fast = rig.medium.open(fresh(), Fading::new(0.1, 1.0)).unwrap();
    for key in [slow, fast] {
        rig.medium.resonate(key, pattern("a")).unwrap();
    }
    let id = rig.emit(&wave("a")).unwrap();
    rig.clock.advance(1.0);
    assert_eq!((rig.take(slow), rig.take(fast)), (Some((id, 0)), None));
}

#[test]
fn a_wave_expires_after_its_ttl_and_not_at_it() {
    for order in ORDERS {
        for overflow in POLICIES {
            let (mut rig, key) = opened(order, overflow, 4);
            let stays = rig.emit(&wave("a")).unwrap();
            let goes = rig.emit(&mortal("b", 1.0)).unwrap();
            rig.clock.advance(1.0);
            assert_eq!(rig.medium.mailbox_statistics(key, &mut rig.after).used, 2);
            rig.clock.advance(0.5);
            rig.after = After::default();
            assert_eq!(rig.medium.mailbox_statistics(key, &mut rig.after).used, 1);
            assert_eq!(rig.dropped(), [goes], "{order:?} {overflow:?}");
            assert_eq!(rig.drain(key), [stays]);
            assert_eq!(lost(&mut rig, key), [(Reason::Expired, 1)]);
        }
    }
}

#[test]
fn block_and_error_keep_what_they_have() {
    for order in ORDERS {
        let (mut rig, key) = opened(order, Overflow::Block, 1);
        let kept = rig.emit(&faint("a", 0.1)).unwrap();
        assert_eq!(rig.emit(&wave("a")).unwrap_err(), Refusal::Full(vec!["box".into()]));
        assert_eq!(rig.take(key), Some((kept, 0)));

        let (mut rig, key) = opened(order, Overflow::Error, 1);
        let other = rig.open(blocking("other", 4), &["a"]);
        let kept = rig.emit(&faint("a", 0.1)).unwrap();
        assert_eq!(rig.emit(&wave("a")).unwrap_err(), Refusal::Refused("box".into()));
        assert_eq!(rig.take(key), Some((kept, 0)));
        assert_eq!(rig.medium.waiting(other), 1, "and nothing was delivered anywhere");
    }
}

#[test]
fn drop_oldest_goes_by_arrival_not_by_order() {
    for order in ORDERS {
        let (mut rig, key) = opened(order, Overflow::DropOldest, 2);
        let loud = rig.emit(&faint("a", 0.9)).unwrap();
        let quiet = rig.emit(&faint("a", 0.1)).unwrap();
        let middle = rig.emit(&faint("a", 0.5)).unwrap();
        assert_eq!(rig.dropped(), [loud], "{order:?}");
        let expected = if order == Order::Fifo { [quiet, middle] } else { [middle, quiet] };
        assert_eq!(rig.drain(key), expected);
        assert_eq!(lost(&mut rig, key), [(Reason::Oldest, 1)]);
    }
}

#[test]
fn drop_newest_refuses_the_wave_itself_and_the_receipt_says_so() {
    for order in ORDERS {
        let (mut rig, key) = opened(order, Overflow::DropNewest, 1);
        let kept = rig.emit(&faint("a", 0.1)).unwrap();
        let sent = rig.sent(&wave("a"));
        assert_eq!((sent.matched, sent.dropped, sent.reason()), (1, 1, Some(Reason::Full)));
        assert_eq!(rig.drain(key), [kept]);
        assert_eq!(lost(&mut rig, key), [(Reason::Full, 1)]);
    }
}

#[test]
fn drop_faintest_lets_the_faintest_go_which_may_be_the_new_one() {
    for order in ORDERS {
        let (mut rig, key) = opened(order, Overflow::DropFaintest, 3);
        let loud = rig.emit(&faint("a", 0.9)).unwrap();
        let first = rig.emit(&faint("a", 0.3)).unwrap();
        let second = rig.emit(&faint("a", 0.3)).unwrap();
        let sent = rig.sent(&faint("a", 0.3));
        assert_eq!(sent.reason(), Some(Reason::Faintest), "ties lose the newest");
        let sent = rig.sent(&faint("a", 0.2));
        assert_eq!(sent.dropped, 1);
        let new = rig.emit(&faint("a", 0.5)).unwrap();
        assert_eq!(rig.dropped(), [second], "{order:?}");
        let expected = if order == Order::Fifo { [loud, first, new] } else { [loud, new, first] };
        assert_eq!(rig.drain(key), expected);
        assert_eq!(lost(&mut rig, key), [(Reason::Faintest, 3)]);
    }
}

#[test]
fn drop_faintest_compares_amplitudes_under_every_order_and_faded_ones_under_fresh() {
    let (mut rig, _) = opened(Order::Amplitude, Overflow::DropFaintest, 1);
    let worn = rig.emit(&Emission { amplitude: 0.2, priority: 1.0, ..wave("a") }).unwrap();
    rig.emit(&faint("a", 0.3)).unwrap();
    assert_eq!(rig.dropped(), [worn]);

    let (mut rig, _) = opened(Order::Fresh, Overflow::DropFaintest, 1);
    let old = rig.emit(&faint("a", 0.9)).unwrap();
    rig.clock.advance(INTERVAL);
    assert_eq!(rig.sent(&faint("a", 0.9 * FACTOR - 0.01)).dropped, 1);
    rig.emit(&faint("a", 0.9 * FACTOR + 0.01)).unwrap();
    assert_eq!(rig.dropped(), [old]);
}

#[test]
fn conflate_puts_the_new_wave_in_the_place_of_the_old_one() {
    for order in ORDERS {
        let (mut rig, key) = opened(order, Overflow::Conflate, 2);
        let old = rig.emit(&wave("a")).unwrap();
        let other = rig.emit(&wave("b")).unwrap();
        let new = rig.emit(&wave("a")).unwrap();
        assert_eq!(rig.dropped(), [old], "{order:?}");
        assert_eq!(rig.take(key), Some((new, 1)));
        assert_eq!(rig.take(key), Some((other, 0)));
        assert_eq!(lost(&mut rig, key), [(Reason::Conflated, 1)]);
    }
}

#[test]
fn conflate_lets_the_oldest_channel_go_when_there_are_too_many() {
    for order in ORDERS {
        let (mut rig, key) = opened(order, Overflow::Conflate, 2);
        rig.emit(&wave("a")).unwrap();
        let second = rig.emit(&faint("b", 0.1)).unwrap();
        // Its content is the newest, its place is still the oldest.
        let newest = rig.emit(&wave("a")).unwrap();
        let third = rig.emit(&wave("c")).unwrap();
        assert_eq!(rig.dropped(), [newest], "{order:?}");
        let expected = if order == Order::Fifo { [second, third] } else { [third, second] };
        assert_eq!(rig.drain(key), expected);
        assert_eq!(lost(&mut rig, key), [(Reason::Oldest, 1), (Reason::Conflated, 1)]);
    }
}

#[test]
fn time_makes_room_before_a_policy_drops() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest, Overflow::DropFaintest] {
        let (mut rig, key) = opened(Order::Amplitude, overflow, 2);
        let kept = rig.emit(&faint("a", 0.1)).unwrap();
        let expired = rig.emit(&mortal("a", 1.0)).unwrap();
        rig.clock.advance(2.0);
        let new = rig.emit(&wave("a")).unwrap();
        assert_eq!(rig.dropped(), [expired], "{overflow:?}");
        assert_eq!(rig.drain(key), [new, kept]);
    }
}

#[test]
fn a_queue_turns_from_a_line_into_ranks_and_back() {
    let (mut rig, key) = opened(Order::Amplitude, Overflow::DropOldest, 4);
    for _ in 0..3 {
        let line: Vec<u64> = (0..3).map(|_| rig.emit(&faint("a", 0.5)).unwrap()).collect();
        assert_eq!(rig.take(key), Some((line[0], 0)));
        // Mixed from here on: the line's arrivals must be known.
        let loud = rig.emit(&faint("a", 0.9)).unwrap();
        let quiet = rig.emit(&mortal("a", 9.0)).unwrap();
        let last = rig.emit(&faint("a", 0.5)).unwrap();
        assert_eq!(rig.dropped(), [line[1]]);
        assert_eq!(rig.take(key), Some((quiet, 1)));
        assert_eq!(rig.drain(key), [loud, line[2], last]);
    }
}

#[test]
fn the_reader_is_told_of_a_gap_where_it_comes_to_it() {
    let (mut rig, key) = opened(Order::Fifo, Overflow::DropOldest, 2);
    for _ in 0..4 {
        rig.emit(&wave("a")).unwrap();
    }
    assert_eq!(rig.take(key), Some((3, 2)));
    assert_eq!(rig.take(key), Some((4, 0)));

    let (mut rig, key) = opened(Order::Fifo, Overflow::DropNewest, 2);
    for _ in 0..4 {
        rig.emit(&wave("a")).unwrap();
    }
    assert_eq!((rig.take(key), rig.take(key)), (Some((1, 0)), Some((2, 0))));
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.take(key), Some((5, 2)));
}

#[test]
fn a_gap_behind_the_wave_is_not_told_with_it() {
    let (mut rig, key) = opened(Order::Fifo, Overflow::DropFaintest, 1);
    for amplitude in [0.75, 0.5, 1.0, 0.5] {
        rig.emit(&faint("a", amplitude)).unwrap();
    }
    assert_eq!(rig.take(key), Some((3, 2)));
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.take(key), Some((5, 1)));

    let (mut rig, key) = opened(Order::Fifo, Overflow::DropNewest, 1);
    rig.emit(&mortal("a", 1.0)).unwrap();
    rig.emit(&wave("a")).unwrap();
    rig.clock.advance(3.0);
    rig.emit(&wave("a")).unwrap();
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.take(key), Some((3, 2)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// In a line, whatever was emitted between two waves and did not come is missed with the second.
    #[test]
    fn a_line_misses_exactly_what_lies_between_two_waves(
        overflow in select(vec![Overflow::DropOldest, Overflow::DropNewest, Overflow::DropFaintest]),
        capacity in 1..5usize,
        steps in prop::collection::vec((0..20u32, 0..3u32), 1..300),
    ) {
        let (mut rig, key) = opened(Order::Fifo, overflow, capacity);
        let mut last = 0;
        for (step, detail) in steps {
            match step {
                0 => {
                    rig.medium.clear(&mut rig.after);
                }
                1 => {
                    rig.clock.advance(1.0);
                }
                2..=3 => {
                    let Some((id, missed)) = rig.take(key) else { continue };
                    prop_assert_eq!(missed, id - last - 1);
                    last = id;
                }
                4..=6 => {
                    rig.emit(&mortal("a", f64::from(detail))).unwrap();
                }
                _ => {
                    rig.emit(&faint("a", f64::from(detail) / 3.0)).unwrap();
                }
            }
        }
    }
}

#[test]
fn every_gap_is_told_though_more_are_lost_than_places_are_kept() {
    let (mut rig, key) = opened(Order::Amplitude, Overflow::DropFaintest, 2);
    let mut emitted = 0;
    for round in 0..50u32 {
        rig.emit(&faint("a", f64::from(round % 7) / 10.0)).unwrap();
        emitted += 1;
        if round % 5 == 0 {
            rig.medium.clear(&mut rig.after);
        }
    }
    rig.medium.clear(&mut rig.after);
    let last = rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.take(key), Some((last, emitted)));
}

#[test]
fn a_wave_that_comes_back_tells_of_its_own_gap_though_more_were_lost_than_places_are_kept() {
    let (mut rig, key) = opened(Order::Fifo, Overflow::DropOldest, 1);
    rig.emit(&wave("a")).unwrap();
    let held = rig.emit(&wave("a")).unwrap();
    let Take::Wave(taken) = rig.medium.take(key, None, &mut rig.after) else { panic!("one waits") };
    assert_eq!((taken.item.id, taken.missed), (held, 1));
    let sent: Vec<u64> = (0..5).map(|_| rig.emit(&wave("a")).unwrap()).collect();
    rig.medium.take_back(key, taken, &wave("a"), &mut rig.after);
    assert_eq!(rig.take(key), Some((held, 1)));
    assert_eq!(rig.take(key), Some((sent[4], 4)));
}

#[test]
fn an_episode_of_loss_is_told_once_until_it_is_empty_again() {
    let (mut rig, key) = opened(Order::Fifo, Overflow::DropOldest, 1);
    rig.emit(&wave("a")).unwrap();
    rig.emit(&wave("a")).unwrap();
    let told: Vec<_> = rig.after.episodes.iter().map(|it| (&*it.name, it.reason)).collect();
    assert_eq!(told, [("box", Reason::Oldest)]);
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.after.episodes, []);
    rig.take(key);
    rig.emit(&wave("a")).unwrap();
    rig.emit(&wave("a")).unwrap();
    assert_eq!(rig.after.episodes.len(), 1);
}

#[test]
fn a_wave_comes_once_by_however_many_patterns() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a.b", "a.*", "*", "+.b"]);
    assert_eq!(rig.sent(&wave("a.b")).matched, 1);
    assert_eq!(rig.medium.waiting(key), 1);
}

#[test]
fn the_noise_floor_and_the_own_do_not_match() {
    let mut rig = Rig::new();
    rig.open(Spec { noise_floor: 0.5, ..blocking("deaf", 4) }, &["a"]);
    rig.open(Spec { ignored: 7, ..blocking("proud", 4) }, &["a"]);
    assert_eq!(rig.sent(&Emission { emitter: 7, ..faint("a", 0.4) }).matched, 0);
    assert_eq!(rig.sent(&faint("a", 0.4)).matched, 1);
    assert_eq!(rig.sent(&Emission { emitter: 7, ..faint("a", 0.5) }).matched, 1);
    let few = rig.emit(&Emission { require: 2, ..faint("a", 0.4) });
    assert_eq!(few.unwrap_err(), Refusal::TooFew { matched: 1 });
    assert_eq!(rig.medium.statistics().unheard, 1);
}

#[test]
fn an_item_handed_in_goes_past_the_routes() {
    let mut rig = Rig::new();
    let key = rig.open(spec("slot", Order::Fifo, Overflow::DropNewest, 1), &[]);
    rig.enlist(key, 1, 1).unwrap();
    rig.enlist(key, 1, 2).unwrap();
    let (first, second) = (rig.item(), rig.item());
    rig.after = After::default();
    assert!(rig.medium.hand(key, &wave("a"), first, &mut rig.after));
    assert!(!rig.medium.hand(key, &wave("a"), second, &mut rig.after), "the first one wins");
    assert_eq!((rig.wakes(), rig.dropped()), (vec![1], vec![2]));
    rig.medium.finish(key, &mut rig.after);
    let late = rig.item();
    assert!(!rig.medium.hand(key, &wave("a"), late, &mut rig.after));
    assert_eq!(rig.drain(key), [1]);
}

#[test]
fn patterns_are_taken_back_under_another_spelling_and_joined_once() {
    let mut rig = Rig::new();
    let key = rig.open(blocking("box", 4), &["a.*"]);
    assert_eq!(rig.medium.resonate(key, pattern("a.>")), Some(false));
    assert_eq!(rig.medium.patterns(key)[0].as_str(), "a.*");
    assert!(rig.medium.detune(key, &pattern("a.>"), &mut rig.after));
    assert!(!rig.medium.detune(key, &pattern("a.>"), &mut rig.after));
    assert_eq!(rig.sent(&wave("a.b")).matched, 0);
    assert!(rig.medium.active_patterns().is_empty());
}

fn verdict(rig: &Rig, channel: &str, amplitude: f64) -> Verdict {
    rig.medium.explain(channel, amplitude, 0)[0].verdict
}

#[test]
fn explain_says_which_wave_would_go() {
    for order in ORDERS {
        let (mut rig, _) = opened(order, Overflow::DropNewest, 1);
        rig.emit(&faint("a", 0.5)).unwrap();
        assert_eq!(verdict(&rig, "a", 1.0), Verdict::Drops(Reason::Full), "{order:?}");

        let (mut rig, _) = opened(order, Overflow::DropFaintest, 1);
        rig.emit(&faint("a", 0.5)).unwrap();
        assert_eq!(verdict(&rig, "a", 0.5), Verdict::Drops(Reason::Faintest));
        assert_eq!(verdict(&rig, "a", 0.6), Verdict::Overflows(Overflow::DropFaintest));

        let (mut rig, _) = opened(order, Overflow::Conflate, 1);
        rig.emit(&faint("a", 0.5)).unwrap();
        assert_eq!(verdict(&rig, "a", 0.5), Verdict::Reached);
        assert_eq!(verdict(&rig, "b", 0.5), Verdict::Overflows(Overflow::Conflate));
    }
}

#[test]
fn explain_does_not_count_what_is_expired_and_leaves_it() {
    for order in ORDERS {
        for overflow in POLICIES {
            let (mut rig, key) = opened(order, overflow, 1);
            rig.emit(&mortal("a", 1.0)).unwrap();
            assert_ne!(verdict(&rig, "b", 1.0), Verdict::Reached);
            rig.clock.advance(2.0);
            assert_eq!(verdict(&rig, "b", 1.0), Verdict::Reached, "{order:?} {overflow:?}");
            assert_eq!(rig.medium.waiting(key), 1);
        }
    }
}

#[test]
fn explain_counts_those_that_wait_already() {
    let (mut rig, _) = opened(Order::Fifo, Overflow::Block, 1);
    rig.emit(&mortal("a", 1.0)).unwrap();
    let ticket = rig.wait(&wave("a"), 1);
    rig.clock.advance(2.0);
    assert_eq!(verdict(&rig, "a", 1.0), Verdict::Full, "the room will not be the newcomer's");
    rig.abandon_sender(ticket);
    assert_eq!(verdict(&rig, "a", 1.0), Verdict::Reached);
}

#[test]
fn explain_says_what_would_happen_at_each_mailbox() {
    let mut rig = Rig::new();
    let open = |rig: &Rig, name: &str, overflow, floor, ignored| {
        let made = spec(name, Order::Amplitude, overflow, 1);
        rig.open(Spec { noise_floor: floor, ignored, ..made }, &["a"])
    };
    open(&rig, "full", Overflow::Block, 0.0, 0);
    open(&rig, "errs", Overflow::Error, 0.0, 0);
    open(&rig, "drops", Overflow::DropOldest, 0.0, 0);
    rig.emit(&wave("a")).unwrap();
    open(&rig, "free", Overflow::Block, 0.0, 0);
    open(&rig, "deaf", Overflow::Block, 0.6, 0);
    open(&rig, "own", Overflow::Block, 0.0, 3);
    let closed = open(&rig, "closed", Overflow::Block, 0.0, 0);
    rig.medium.close(closed, &mut rig.after);
    rig.open(blocking("other", 1), &["b", "b.*"]);
    let rows: Vec<Row> = rig.medium.explain("a", 0.5, 3);
    let said: Vec<(&str, Verdict)> = rows.iter().map(|row| (&*row.name, row.verdict)).collect();
    let expected = [
        ("full", Verdict::Full),
        ("errs", Verdict::Refused),
        ("drops", Verdict::Overflows(Overflow::DropOldest)),
        ("free", Verdict::Reached),
        ("deaf", Verdict::NoiseFloor(0.6)),
        ("own", Verdict::Own),
        ("closed", Verdict::Closed),
        ("other", Verdict::Pattern),
    ];
    assert_eq!(said, expected);
    let patterns: Vec<&str> = rows[7].patterns.iter().map(AsRef::as_ref).collect();
    assert_eq!(patterns, ["b", "b.*"]);
}
