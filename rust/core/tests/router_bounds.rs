//! What the router costs at worst: nodes visited, what churn leaves behind, and what it leaves alone.
//! (Memory: see `allocations`.)

use aether_core::channel::{Limits, Pattern};
use aether_core::router::{Hint, Router, Seat};

fn pattern(name: &str) -> Pattern {
    Pattern::parse(name, Limits::DEFAULT).expect(name)
}

fn choose(n: u64, k: u64) -> u64 {
    (0..k).fold(1, |product, i| product * (n - i) / (i + 1))
}

/// The bound of the module: a channel of `depth` tokens, at most `wild` single wildcards.
fn bound(depth: u64, wild: u64) -> u64 {
    (0..=wild.min(depth)).map(|j| choose(depth + 1, j + 1)).sum()
}

/// All patterns {a,+}^depth.zz with at most `wild` times `+`.
fn adversary(depth: u32, wild: u32) -> Router {
    let mut router = Router::new(0);
    for mask in (1..1_u32 << depth).filter(|mask| mask.count_ones() <= wild) {
        let tokens = (0..depth).map(|bit| if mask >> bit & 1 == 0 { "a." } else { "+." });
        let name = tokens.collect::<String>() + "zz";
        router.insert(&pattern(&name), mask);
    }
    router
}

#[test]
fn a_walk_visits_no_more_nodes_than_the_bound() {
    for (depth, wild) in [(4, 4), (8, 8), (10, 10), (12, 2), (12, 4), (14, 1)] {
        let mut router = adversary(depth, wild);
        let nodes = router.statistics().nodes as u64 + 1;
        for last in ["q", "zz"] {
            let channel = "a.".repeat(depth as usize) + last;
            let before = router.statistics().visited;
            let route = router.route(&channel, &mut Hint::default());
            assert_eq!(route.is_empty(), last == "q");
            let visited = router.statistics().visited - before;
            let most = nodes.min(bound(u64::from(depth) + 1, u64::from(wild)));
            assert!(visited <= most, "{depth}, {wild}: {visited} > {most}");
        }
    }
}

const MILLION: u32 = 1_000_000;

/// A router of a million patterns of 32 tokens, and what it visits for one channel, which takes so many.
fn visited_among_a_million(name: impl Fn(u32) -> String, channel: &str, takes: usize) -> u64 {
    let mut router = Router::new(0);
    for number in 0..MILLION {
        router.insert(&pattern(&name(number)), number);
    }
    assert_eq!(router.statistics().patterns, MILLION as usize);
    assert_eq!(router.route(channel, &mut Hint::default()).patterns(), takes);
    router.statistics().visited
}

#[test]
fn a_chain_of_wildcards_is_shared_by_a_million_patterns() {
    let chain = "+.".repeat(31);
    let channel = "a.".repeat(31) + "x7";
    let visited = visited_among_a_million(|number| format!("{chain}x{number}"), &channel, 1);
    assert_eq!(visited, 33);
}

#[test]
fn a_prefix_is_shared_by_a_million_patterns() {
    let prefix = "a.".repeat(30);
    let channel = "a.".repeat(30) + "x7.b";
    let visited = visited_among_a_million(|number| format!("{prefix}x{number}.*"), &channel, 1);
    assert_eq!(visited, 32);
}

/// One wildcard at each of 31 places, with so many ends each.
#[test]
fn a_million_patterns_of_one_wildcard_are_bound_by_the_depth_alone() {
    let name = |number: u32| {
        let token = |place| if place == number % 31 { "+." } else { "a." };
        (0..31).map(token).collect::<String>() + &format!("x{}", number / 31)
    };
    let channel = "a.".repeat(31) + "x7";
    assert!(visited_among_a_million(name, &channel, 31) <= bound(32, 1));
}

/// Every choice of at most ten of 20 tokens, with two ends each: one walk comes to nearly all nodes, and to none twice.
#[test]
fn a_million_patterns_of_many_wildcards_cost_no_more_than_the_bound() {
    const WILD: u32 = 10;
    let masks = (0..1_u32 << 20).filter(|mask| mask.count_ones() <= WILD);
    let mut router = Router::new(0);
    for mask in masks {
        let tokens = (0..20).map(|bit| if mask >> bit & 1 == 0 { "a." } else { "+." });
        let start = tokens.collect::<String>();
        for end in ["y.*", "z"] {
            router.insert(&pattern(&(start.clone() + end)), mask);
        }
    }
    let statistics = router.statistics();
    assert!(statistics.patterns >= MILLION as usize, "{} patterns", statistics.patterns);
    let most = bound(21, u64::from(WILD)).min(statistics.nodes as u64 + 1);
    for channel in ["a.".repeat(20) + "q", "b.".repeat(20) + "z"] {
        let before = router.statistics().visited;
        assert!(router.route(&channel, &mut Hint::default()).is_empty());
        let visited = router.statistics().visited - before;
        assert!(visited <= most, "{visited} > {most}");
    }
}

#[test]
fn a_long_name_leaves_the_cache_with_its_room() {
    let mut router = Router::new(1);
    let long = "a".repeat(100_000);
    let cached = |router: &mut Router, channel: &str| {
        // The first time it may be turned away.
        for _ in 0..2 {
            router.route(channel, &mut Hint::default());
        }
        router.heap_bytes()
    };
    // It remembers whom it has turned away from here on.
    cached(&mut router, "a.a");
    let before = cached(&mut router, "a.b");
    assert!(cached(&mut router, &long) > before + long.len() / 2);
    assert!(cached(&mut router, "c.d") <= before + 128);
}

/// Two prefixes may share a slot of the stamps, which costs a needless walk: seldom.
#[test]
fn churn_leaves_the_routes_of_others_alone() {
    const CHANNELS: u32 = 100;
    const CHANGES: u32 = 1_000;
    let mut router = Router::default();
    let mut channels: Vec<(String, Hint)> = (0..CHANNELS)
        .map(|number| (format!("orders.n{number}.created"), Hint::default()))
        .collect();
    for (name, member) in [("orders.*", 1), ("*.created", 2), ("orders.n7.*", 3)] {
        router.insert(&pattern(name), member);
    }
    let ask = |router: &mut Router, channels: &mut [(String, Hint)]| {
        for (channel, hint) in channels {
            assert!(router.route(channel, hint).patterns() >= 1);
        }
    };
    ask(&mut router, &mut channels);
    let before = router.statistics();
    for number in 0..CHANGES {
        // A literal, a known pattern, and a wildcard pattern that is new and freed again.
        let seats = [format!("reply.{number}"), "orders.*".to_owned(), format!("s.{number}.*")]
            .map(|name| router.insert(&pattern(&name), 4));
        ask(&mut router, &mut channels);
        for seat in seats {
            router.remove(seat);
        }
        ask(&mut router, &mut channels);
    }
    let after = router.statistics();
    let (hits, walks) = (after.hits - before.hits, after.walks - before.walks);
    assert_eq!(hits + walks, u64::from(2 * CHANGES * CHANNELS));
    assert!(walks <= hits / 50, "{walks} of {hits} routes were walked again");
    assert_eq!(after.cached, CHANNELS as usize);
}

#[test]
fn a_channel_that_no_pattern_starts_like_costs_one_node() {
    let mut router = Router::new(0);
    for number in 0..100 {
        router.insert(&pattern(&format!("a.b{number}.*")), number);
    }
    assert!(router.route("z.b1.c", &mut Hint::default()).is_empty());
    assert_eq!(router.statistics().visited, 1);
}

#[test]
fn sessions_that_come_and_go_leave_a_bounded_rest() {
    let mut router = Router::default();
    router.insert(&pattern("session.*"), 0);
    for number in 0..20_000 {
        let seat = router.insert(&pattern(&format!("session.{number}.*")), 1);
        let reply = router.insert(&pattern(&format!("reply.{number}")), 2);
        let channel = format!("session.{number}.done");
        assert_eq!(router.route(&channel, &mut Hint::default()).patterns(), 2);
        router.remove(seat);
        router.remove(reply);
        assert_eq!(router.route(&channel, &mut Hint::default()).patterns(), 1);
    }
    let statistics = router.statistics();
    assert_eq!((statistics.patterns, statistics.members), (1, 1));
    assert!(statistics.tombstones <= 1_024);
    assert!(statistics.tokens <= 1_025 && statistics.nodes <= 1_025 && statistics.edges <= 1_025);
    assert!(statistics.cached <= 16_384);
    router.free_tombstones();
    let statistics = router.statistics();
    assert_eq!((statistics.tokens, statistics.nodes, statistics.edges), (1, 1, 1));
}

#[test]
fn a_revived_tombstone_is_a_pattern_again() {
    let mut router = Router::with_tombstones(16, 2);
    let names: Vec<Pattern> = (0..4).map(|number| pattern(&format!("s.{number}.*"))).collect();
    let seats: Vec<Seat> = names.iter().map(|name| router.insert(name, 1)).collect();
    for seat in seats {
        router.remove(seat);
    }
    // The oldest went first, the two youngest are left.
    assert_eq!(router.statistics().tombstones, 2);
    let nodes = router.statistics().nodes;
    router.insert(&names[3], 5);
    assert_eq!((router.statistics().tombstones, router.statistics().nodes), (1, nodes));
    router.free_tombstones();
    let mut hint = Hint::default();
    assert_eq!(router.route("s.3.x", &mut hint).iter().collect::<Vec<_>>(), [5]);
    assert_eq!(router.statistics().patterns, 1);
}

#[test]
fn leaving_a_crowd_gives_its_memory_back() {
    let mut router = Router::new(0);
    let crowd = pattern("crowd");
    let seats: Vec<Seat> = (0..10_000).map(|member| router.insert(&crowd, member)).collect();
    let full = router.heap_bytes();
    // From both ends and the middle.
    for (number, seat) in seats.iter().enumerate() {
        if number % 1_000 != 500 {
            router.remove(*seat);
        }
    }
    let mut left: Vec<u32> = router.route("crowd", &mut Hint::default()).iter().collect();
    left.sort_unstable();
    assert_eq!(left, (0..10).map(|number| number * 1_000 + 500).collect::<Vec<_>>());
    assert!(router.heap_bytes() < full);
}
