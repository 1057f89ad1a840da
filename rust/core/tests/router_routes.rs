//! The router against a plain list and the pairwise truth, at every size of its cache.

mod plain_routes;

use aether_core::router::{CACHE_CAPACITY, Hint, Member, Router, RouterStatistics};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use plain_routes::{Pair, assert_pruned, pattern, sorted};

#[derive(Clone, Debug)]
enum Step {
    Insert(String, Member),
    Remove(Index),
    Route(String, bool),
    FreeTombstones,
}

fn joined(
    depth: usize,
    tokens: &'static [&'static str],
    last: &'static [&'static str],
) -> impl Strategy<Value = String> {
    (proptest::collection::vec(select(tokens), 0..depth), select(last)).prop_map(
        |(mut tokens, last)| {
            tokens.push(last);
            tokens.join(".")
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let patterns = joined(5, &["a", "b", "c", "+", "*"], &["a", "b", "c", "+", "*", ">"]);
    let channels = || joined(5, &["a", "b", "c"], &["a", "b", "c"]);
    let step = prop_oneof![
        4 => (patterns, 0..6_u32).prop_map(|(name, member)| Step::Insert(name, member)),
        2 => (channels(), 0..6_u32).prop_map(|(name, member)| Step::Insert(name, member)),
        5 => any::<Index>().prop_map(Step::Remove),
        12 => (channels(), any::<bool>()).prop_map(|(name, hint)| Step::Route(name, hint)),
        1 => Just(Step::FreeTombstones),
    ];
    proptest::collection::vec(step, 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn routes_are_those_of_a_plain_list(steps in steps()) {
        for capacity in [0, 1, 4, CACHE_CAPACITY] {
            for tombstones in [0, 3, 1024] {
                let mut pair = Pair::new(Router::with_tombstones(capacity, tombstones));
                for step in &steps {
                    match step {
                        Step::Insert(name, member) => pair.insert(&pattern(name), *member),
                        Step::Remove(which) => pair.remove(|count| which.index(count)),
                        Step::Route(channel, with_hint) => pair.check(channel, *with_hint),
                        Step::FreeTombstones => pair.router.free_tombstones(),
                    }
                    pair.check_counts();
                    let statistics = pair.router.statistics();
                    prop_assert!(statistics.cached <= capacity);
                    prop_assert!(statistics.tombstones <= tombstones.max(statistics.patterns / 8) + 1);
                }
                pair.remove_everything();
                assert_pruned(&pair.router);
                for channel in ["a", "a.b", "a.b.c"] {
                    pair.check(channel, true);
                }
            }
        }
    }
}

/// Small, seeded and good enough to shuffle with.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) as usize) % sides
    }

    fn name(&mut self, depth: usize, wild: bool) -> String {
        let depth = 1 + self.roll(depth);
        let token = |position: usize| match self.roll(if wild { 40 } else { 36 }) {
            36 | 37 => "+".to_owned(),
            38 => "*".to_owned(),
            39 if position + 1 == depth => ">".to_owned(),
            face => format!("{position}{}", face % 12),
        };
        (0..depth).map(token).collect::<Vec<_>>().join(".")
    }
}

#[test]
fn many_patterns_many_members_and_churn() {
    let mut dice = Dice(7);
    let mut pair = Pair::new(Router::with_tombstones(64, 20));
    for round in 0..6_000 {
        let name = dice.name(4, true);
        let member = dice.roll(50) as Member;
        // The plain list is slow: unique by the number of the round instead.
        let seat = pair.router.insert(&pattern(&name), round * 50 + member);
        pair.list.push((pattern(&name), round * 50 + member, seat));
        if round % 3 == 2 {
            let (_, _, seat) = pair.list.swap_remove(dice.roll(pair.list.len()));
            pair.router.remove(seat);
        }
        if round % 20 == 0 {
            pair.check(&dice.name(4, false), round % 40 == 0);
        }
    }
    pair.remove_everything();
    assert_pruned(&pair.router);
}

#[test]
fn two_spellings_are_one_pattern() {
    let mut router = Router::default();
    let first = router.insert(&pattern("a.*.*"), 1);
    router.insert(&pattern("a.+.>"), 2);
    assert_eq!(router.statistics().patterns, 1);
    let mut hint = Hint::default();
    assert_eq!(router.route("a.b.c", &mut hint).patterns(), 1);
    router.remove(first);
    assert_eq!(sorted(router.route("a.b.c", &mut hint).iter()), [2]);
}

#[test]
fn a_member_of_two_patterns_comes_twice() {
    let mut router = Router::default();
    router.insert(&pattern("a.b"), 1);
    router.insert(&pattern("a.*"), 1);
    let mut hint = Hint::default();
    let route = router.route("a.b", &mut hint);
    assert_eq!((sorted(route.iter()), route.patterns()), (vec![1, 1], 2));
}

#[test]
fn a_known_pattern_invalidates_nothing() {
    let mut router = Router::default();
    let mut hint = Hint::default();
    let seat = router.insert(&pattern("a.*"), 1);
    assert!(!router.route("a.b", &mut hint).is_empty());
    let walks = router.statistics().walks;
    router.insert(&pattern("a.*"), 2);
    router.insert(&pattern("a.b"), 3);
    assert_eq!(sorted(router.route("a.b", &mut hint).iter()), [1, 2, 3]);
    router.remove(seat);
    let back = router.insert(&pattern("a.>"), 4);
    assert_eq!(sorted(router.route("a.b", &mut hint).iter()), [2, 3, 4]);
    router.remove(back);
    // Another branch of the trie is of no concern either.
    router.insert(&pattern("x.y.*"), 5);
    assert_eq!(sorted(router.route("a.b", &mut hint).iter()), [2, 3]);
    assert_eq!(router.statistics().walks, walks);
}

#[test]
fn a_hint_alone_recalls_the_route_until_another_pattern_takes_the_channel() {
    let mut router = Router::default();
    let mut hint = Hint::default();
    assert!(router.recall(hint).is_none());
    let seat = router.insert(&pattern("a.*"), 1);
    router.route("a.b", &mut hint);
    assert_eq!(router.recall(hint).map(|route| sorted(route.iter())), Some(vec![1]));
    // Who joins or leaves a pattern of the route is seen.
    router.insert(&pattern("a.*"), 2);
    router.remove(seat);
    assert_eq!(router.recall(hint).map(|route| sorted(route.iter())), Some(vec![2]));
    router.insert(&pattern("*.b"), 3);
    assert!(router.recall(hint).is_none());
    router.route("a.b", &mut hint);
    assert_eq!(router.recall(hint).map(|route| sorted(route.iter())), Some(vec![2, 3]));
    // It counts nothing by itself: whoever uses it does.
    let RouterStatistics { hits, walks, .. } = router.statistics();
    assert_eq!((hits, walks), (0, 2));
    router.count_hit();
    assert_eq!(router.statistics().hits, 1);
}

#[test]
fn routes_to_nobody_are_cached() {
    let mut router = Router::default();
    let mut hint = Hint::default();
    for _ in 0..10 {
        assert!(router.route("a.b", &mut hint).is_empty());
        assert!(router.route("a.c", &mut Hint::default()).is_empty());
    }
    let statistics = router.statistics();
    assert_eq!((statistics.walks, statistics.hits, statistics.cached), (2, 18, 2));
}

#[test]
fn a_hint_whose_place_went_to_another_channel_is_harmless() {
    let mut router = Router::new(1);
    router.insert(&pattern("a"), 1);
    router.insert(&pattern("b"), 2);
    let (mut a, mut b) = (Hint::default(), Hint::default());
    // Of each three rounds, one is a hit, one is turned away, and one gets in.
    for _ in 0..6 {
        assert_eq!(sorted(router.route("a", &mut a).iter()), [1]);
        assert_eq!(sorted(router.route("b", &mut b).iter()), [2]);
    }
    assert_eq!(router.statistics().evictions, 3);
    let mut other = Router::new(1);
    other.insert(&pattern("a"), 9);
    assert_eq!(sorted(other.route("a", &mut a).iter()), [9]);
    assert_eq!(sorted(other.route("b", &mut b).iter()), [0; 0]);
}

#[test]
fn who_comes_once_pushes_nobody_out_of_a_full_cache() {
    let mut router = Router::new(8);
    let known: Vec<String> = (0..8).map(|number| format!("known.{number}")).collect();
    let ask =
        |router: &mut Router, channel: &str| router.route(channel, &mut Hint::default()).is_empty();
    assert!(known.iter().all(|channel| ask(&mut router, channel)));
    for number in 0..1_000 {
        assert!(ask(&mut router, &format!("once.{number}")));
    }
    // Those that were turned away are known by a part of their hash, which is another's for one in
    // 16,000; the hashes are others in each run.
    let mistaken = router.statistics().evictions;
    assert!(mistaken <= 4, "{mistaken} of 1,000 pushed somebody out");
    assert!(known.iter().all(|channel| ask(&mut router, channel)));
    assert!(router.statistics().hits >= 8 - mistaken);
    // The second time it gets in, so at the third it is there.
    for _ in 0..2 {
        ask(&mut router, "newcomer");
    }
    let hits = router.statistics().hits;
    ask(&mut router, "newcomer");
    assert_eq!(router.statistics().hits, hits + 1);
}

#[test]
fn what_is_asked_for_again_stays_in_the_cache() {
    let mut router = Router::new(8);
    let mut hot = Hint::default();
    for number in 0..1_000 {
        router.route("hot", &mut hot);
        router.route(&format!("cold.{number}"), &mut Hint::default());
    }
    let statistics = router.statistics();
    assert_eq!((statistics.cached, statistics.hits), (8, 999));
}

/// One place, so that the lists of long routes have room for 64 patterns: just as many as
/// take the channel, with the concrete one.
#[test]
fn routes_over_very_many_patterns_are_kept_as_far_as_there_is_room() {
    let mut router = Router::new(1);
    for mask in 0..64_u32 {
        let token = |bit: u32| if mask >> bit & 1 == 0 { "a" } else { "+" };
        let name: Vec<&str> = (0..6).map(token).collect();
        router.insert(&pattern(&name.join(".")), mask);
    }
    let channel = ["a"; 6].join(".");
    let all: Vec<Member> = (0..64).collect();
    let mut hint = Hint::default();
    let mut route_again = |router: &mut Router| {
        // The first time it may be turned away.
        router.route(&channel, &mut hint);
        let members = sorted(router.route(&channel, &mut hint).iter());
        let hits = router.statistics().hits;
        assert_eq!(sorted(router.route(&channel, &mut hint).iter()), members);
        (members, router.statistics().hits > hits)
    };
    let mut bytes = 0;
    for round in 0..100 {
        assert_eq!(route_again(&mut router), (all.clone(), true));
        let seat = router.insert(&pattern("*"), 64);
        assert_eq!(route_again(&mut router), ((0..65).collect(), false));
        router.remove(seat);
        router.free_tombstones();
        if round < 2 {
            bytes = router.heap_bytes();
        }
        assert_eq!(router.heap_bytes(), bytes);
        // Other channels take the place, with a list of their own or without.
        for _ in 0..2 {
            router.route("a", &mut Hint::default());
        }
        for _ in 0..2 {
            let other = router.route("b.a.a.a.a.a", &mut Hint::default()).patterns();
            assert_eq!(other, 32);
        }
    }
    let seat = router.insert(&pattern("x.*"), 99);
    router.remove(seat);
    assert_eq!(route_again(&mut router), (all, true));
}

/// Two places, so that there is room for 128 patterns; each of the two channels has 65.
#[test]
fn a_long_route_that_made_room_for_another_is_walked_again() {
    let mut router = Router::new(2);
    for mask in 0..64_u32 {
        for letter in ["a", "b"] {
            let token = |bit: u32| if mask >> bit & 1 == 0 { letter } else { "+" };
            let name: Vec<&str> = (0..6).map(token).collect();
            let member = mask + if letter == "a" { 0 } else { 64 };
            router.insert(&pattern(&name.join(".")), member);
        }
    }
    router.insert(&pattern("*"), 200);
    let channels = [["a"; 6].join("."), ["b"; 6].join(".")];
    let mut hints = [Hint::default(); 2];
    for _ in 0..4 {
        for (channel, hint) in channels.iter().zip(&mut hints) {
            for _ in 0..3 {
                assert_eq!(router.route(channel, hint).patterns(), 65);
            }
        }
    }
    // The first question gives the other list its second chance, the next one takes its
    // room, the third finds the route: each of the 8 turns has a hit.
    assert!(router.statistics().hits >= 8);
}

#[test]
fn the_deepest_names_work() {
    let mut router = Router::default();
    let deep = ["a"; 34].join(".");
    router.insert(&pattern(&deep), 1);
    router.insert(&pattern(&format!("{}+", "a.".repeat(33))), 2);
    router.insert(&pattern(&format!("{}*", "+.".repeat(33))), 3);
    let mut pair = Pair::new(router);
    let mut hint = Hint::default();
    assert_eq!(sorted(pair.router.route(&deep, &mut hint).iter()), [1, 2, 3]);
    // No channel is so deep, but even then nothing breaks.
    let deeper = ["a"; 60].join(".");
    let mut hint = Hint::default();
    assert_eq!(sorted(pair.router.route(&deeper, &mut hint).iter()), [3]);
    pair.list.clear();
}
