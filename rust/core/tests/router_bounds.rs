//! What the router costs at worst: nodes visited, memory, and what churn leaves behind.

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

#[test]
fn a_long_chain_of_wildcards_is_shared() {
    let mut router = Router::new(0);
    for number in 0..10_000 {
        router.insert(&pattern(&format!("+.+.+.+.+.+.+.+.x{number}")), number);
    }
    assert_eq!(router.route("a.a.a.a.a.a.a.a.x7", &mut Hint::default()).patterns(), 1);
    assert_eq!(router.statistics().visited, 10);
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

#[test]
fn a_pattern_takes_little_memory() {
    const COUNT: u32 = 100_000;
    let mut router = Router::new(0);
    let before = router.heap_bytes();
    for number in 0..COUNT {
        let start = format!("tenant{}.orders.region{}", number % 97, number % 1_009);
        let name = match number % 20 {
            0..16 => format!("{start}.item{number}"),
            16..19 => format!("{start}.item{number}.*"),
            _ => format!("{start}.+.item{number}"),
        };
        router.insert(&pattern(&name), number);
    }
    let each = (router.heap_bytes() - before) / COUNT as usize;
    assert!(each <= 140, "{each} bytes a pattern");
}
