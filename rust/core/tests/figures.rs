//! What is counted by domain and by name, against plain sums.

mod support;

use std::collections::BTreeMap;

use aether_core::mailbox::Overflow;
use aether_core::medium::{Figures, Medium};
use aether_core::router::{Domains, Hint, OTHER, Router};
use proptest::prelude::*;
use support::{Carrier, Rig, blocking, mortal, pattern, spec, wave};

/// The sums by name, of those that are not 0.
fn sums<N: ToString>(counts: impl IntoIterator<Item = (N, u64)>) -> BTreeMap<String, u64> {
    let named = counts.into_iter().map(|(name, count)| (name.to_string(), count));
    named.filter(|&(_, count)| count > 0).collect()
}

fn domain(channel: &str) -> &str {
    channel.split('.').next().unwrap_or_default()
}

/// What the first `most` domains are counted as, by hand.
fn plain(channels: &[String], most: usize) -> BTreeMap<String, u64> {
    let (mut known, mut counts) = (Vec::new(), BTreeMap::new());
    for channel in channels {
        let name = domain(channel);
        if name != OTHER && !known.contains(&name) && known.len() < most {
            known.push(name);
        }
        let counted = if known.contains(&name) { name } else { OTHER };
        *counts.entry(counted.to_owned()).or_insert(0) += 1;
    }
    counts
}

fn channels() -> impl Strategy<Value = Vec<String>> {
    let first = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(String::from),
        1 => Just(OTHER.to_owned()),
        1 => (0..40u8).prop_map(|number| format!("s{number}")),
    ];
    let channel = (first, 0..6u8, any::<bool>())
        .prop_map(|(first, rest, long)| if long { format!("{first}.{rest}.x") } else { first });
    prop::collection::vec(channel, 0..300)
}

#[derive(Clone, Debug)]
enum Turn {
    /// A pattern comes, so that routes are walked again.
    Resonate,
    /// The route is asked for in vain: nothing is admitted.
    Ask,
    Emit,
}

proptest! {
    /// Hints are remembered for ever, as the binding does, and are stale where the cache is small.
    #[test]
    fn domains_add_up_however_small_the_cache_is(
        channels in channels(),
        turns in prop::collection::vec(
            prop_oneof![1 => Just(Turn::Resonate), 2 => Just(Turn::Ask), 7 => Just(Turn::Emit)], 300),
        capacity in prop_oneof![Just(0usize), 1..4usize, Just(64)],
        most in prop_oneof![Just(0usize), 1..6usize, Just(100)],
    ) {
        let mut router = Router::new(capacity);
        let mut domains = Domains::new(most);
        let mut hints = BTreeMap::<&str, Hint>::new();
        let mut emitted = Vec::new();
        for (channel, turn) in channels.iter().zip(&turns) {
            let hint = hints.entry(channel).or_default();
            match turn {
                Turn::Resonate => {
                    router.insert(&pattern(&format!("{}.*", domain(channel))), 1);
                }
                Turn::Ask => {
                    router.route(channel, hint);
                }
                Turn::Emit => {
                    if router.recall(*hint).is_none() {
                        router.route(channel, hint);
                    }
                    domains.count(channel, *hint);
                    emitted.push(channel.clone());
                }
            }
        }
        let counted = domains.counts();
        prop_assert_eq!(sums(counted.clone()), plain(&emitted, most));
        prop_assert!(counted.len() <= most + 1);
    }

    /// Mailboxes come and go, are full and refuse, and waves expire in them.
    #[test]
    fn names_add_up_to_the_medium(
        steps in prop::collection::vec((0..5u8, 0..4usize, 0..3usize), 0..120),
        most in 0..4usize,
    ) {
        let mut rig = Rig::new();
        rig.medium.count_by_name(2, most);
        let names = ["a", "b", "c", OTHER];
        let mut open = Vec::new();
        let mut received = BTreeMap::<&str, u64>::new();
        for (step, name, which) in steps {
            let emitted = [wave("a.x"), mortal("b.y", 0.5), wave("c")][which];
            match step {
                0 => {
                    let overflow = [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest][which];
                    let spec = aether_core::mailbox::Spec { overflow, ..blocking(names[name], 2) };
                    // A few hear nothing.
                    let patterns: &[&str] = if name == 3 { &[] } else { &["*"] };
                    open.push((names[name], rig.open(spec, patterns)));
                }
                1 if !open.is_empty() => {
                    let (_, key) = open.remove(name % open.len());
                    rig.medium.discard(key, &mut rig.after);
                }
                2 if !open.is_empty() => {
                    let (name, key) = open[name % open.len()];
                    let taken = rig.medium.take_quickly(key, |_| {});
                    *received.entry(name).or_default() += u64::from(taken.is_some());
                }
                3 => {
                    rig.clock.advance(0.25);
                }
                _ => {
                    let _ = rig.emit(&emitted);
                }
            }
            let Figures { medium, domains, names: counted } = rig.medium.figures();
            prop_assert_eq!(domains.iter().map(|(_, count)| count).sum::<u64>(), medium.emitted);
            prop_assert!(counted.len() <= most + 1 && domains.len() <= 3);
            prop_assert_eq!(counted.iter().map(|one| one.received).sum::<u64>(), medium.received);
            prop_assert_eq!(counted.iter().map(|one| one.waiting).sum::<u64>(), medium.waiting);
            prop_assert_eq!(counted.iter().map(|one| one.mailboxes).sum::<u64>(), open.len() as u64);
            let hearing = open.iter().filter(|(name, _)| *name != OTHER).count() as u64;
            prop_assert_eq!(counted.iter().map(|one| one.size).sum::<u64>(), 2 * hearing);
            let dropped: u64 = counted.iter().map(|one| one.dropped.total()).sum();
            prop_assert_eq!(dropped, medium.dropped.total());
            for one in &counted[1..] {
                prop_assert_eq!(one.received, received.get(&*one.name).copied().unwrap_or(0));
            }
        }
    }
}

#[test]
fn nothing_is_counted_by_name_unless_it_is_asked_for() {
    let mut rig = Rig::new();
    rig.open(blocking("a", 1), &["x"]);
    rig.emit(&wave("x")).expect("room");
    let Figures { medium, domains, names } = rig.medium.figures();
    assert_eq!((medium.emitted, domains.len(), names.len()), (1, 0, 0));
}

#[test]
fn every_way_to_emit_is_counted_once() {
    let mut rig = Rig::new();
    rig.medium.count_by_name(10, 10);
    let key = rig.open(blocking("desk", 1), &["heard.*"]);
    // Nobody hears it: by name, by hint, and on the way of all.
    let mut hint = Hint::default();
    rig.medium.emit_unheard("silent.x", &mut hint).expect("nobody");
    rig.medium.emit_unheard_again(hint).expect("nobody");
    rig.emit(&wave("silent.x")).expect("nobody");
    // By its hint it reaches one mailbox on the shortest way.
    let (item, mut waker) = (rig.item(), None);
    rig.medium.resonate(key, pattern("short"));
    let mut short = Hint::default();
    assert!(rig.medium.emit_to_one_counted(1.0, short, &item, &Carrier, &mut waker).is_none());
    rig.medium.emit_unheard("short", &mut short).ok_or(()).expect_err("heard");
    rig.medium.emit_to_one_counted(1.0, short, &item, &Carrier, &mut waker).expect("room");
    assert!(
        rig.medium.emit_to_one_counted(1.0, short, &item, &Carrier, &mut waker).is_none(),
        "full"
    );
    assert!(rig.medium.take_quickly(key, |_| {}).is_some());
    // It is admitted once, and then refused as often as one likes.
    rig.emit(&wave("heard.x")).expect("room");
    rig.emit(&wave("heard.x")).expect_err("full");
    rig.emit(&wave("heard.x")).expect_err("full");
    assert!(rig.medium.take_quickly(key, |_| {}).is_some());
    // One that is delivered later counts when it is.
    let reserved = rig.reserve(&wave("heard.y"));
    let counted = |medium: &Medium<_, _>| sums(medium.figures().domains);
    assert_eq!(counted(&rig.medium), sums([("silent", 3), ("short", 1), ("heard", 1)]));
    rig.deliver(reserved, &wave("heard.y"), 0);
    assert_eq!(counted(&rig.medium), sums([("silent", 3), ("short", 1), ("heard", 2)]));
}

#[test]
fn emissions_that_wait_are_counted_where_they_stand() {
    let mut rig = Rig::new();
    rig.medium.count_by_name(10, 10);
    rig.open(spec("desk", aether_core::mailbox::Order::Fifo, Overflow::Block, 1), &["x"]);
    rig.emit(&wave("x")).expect("room");
    rig.wait(&wave("x"), 1);
    rig.wait(&wave("x"), 2);
    let names = rig.medium.figures().names;
    let desk = names.iter().find(|one| &*one.name == "desk").expect("counted");
    assert_eq!((desk.waiting, desk.size, desk.emissions, desk.readers), (1, 1, 2, 0));
}
