//! The routes of a plain list, beside a router: the oracle of `router_routes.rs` and of the fuzz target `routes`
//! (`rust/fuzz`), which includes this file.

use std::collections::{BTreeSet, HashMap};

use aether_core::channel::{Limits, Pattern, matches};
use aether_core::router::{Hint, Member, Router, Seat};

pub fn pattern(name: &str) -> Pattern {
    Pattern::parse(name, Limits::DEFAULT.derived()).expect(name)
}

pub fn sorted(members: impl Iterator<Item = Member>) -> Vec<Member> {
    let mut members: Vec<Member> = members.collect();
    members.sort_unstable();
    members
}

/// A router and the list of what it should hold.
pub struct Pair {
    pub router: Router,
    pub list: Vec<(Pattern, Member, Seat)>,
    hints: HashMap<String, Hint>,
}

impl Pair {
    pub fn new(router: Router) -> Self {
        Self { router, list: Vec::new(), hints: HashMap::new() }
    }

    pub fn insert(&mut self, pattern: &Pattern, member: Member) {
        let known = |(other, of, _): &(Pattern, Member, Seat)| {
            *of == member && other.canonical() == pattern.canonical()
        };
        if !self.list.iter().any(known) {
            let seat = self.router.insert(pattern, member);
            self.list.push((pattern.clone(), member, seat));
        }
    }

    pub fn remove(&mut self, which: impl FnOnce(usize) -> usize) {
        if !self.list.is_empty() {
            let (_, _, seat) = self.list.swap_remove(which(self.list.len()));
            self.router.remove(seat);
        }
    }

    pub fn check(&mut self, channel: &str, with_hint: bool) {
        let taking: Vec<_> =
            self.list.iter().filter(|(pattern, ..)| matches(pattern, channel)).collect();
        let expected = sorted(taking.iter().map(|(_, member, _)| *member));
        let patterns: BTreeSet<&str> =
            taking.iter().map(|(pattern, ..)| pattern.canonical()).collect();

        let mut fresh = Hint::default();
        let hint =
            if with_hint { self.hints.entry(channel.to_owned()).or_default() } else { &mut fresh };
        let route = self.router.route(channel, hint);
        assert_eq!(sorted(route.iter()), expected, "{channel}");
        assert_eq!(route.patterns(), patterns.len(), "{channel}");
        assert_eq!(route.is_empty(), expected.is_empty(), "{channel}");
        let mut seen = Vec::new();
        route.for_each(|member| seen.push(member));
        assert_eq!(sorted(seen.into_iter()), expected, "{channel}");
        let only = (expected.len() == 1).then(|| expected[0]);
        assert_eq!(route.single(), only, "{channel}");
        let hint = *hint;
        if let Some(recalled) = self.router.recall(hint) {
            assert_eq!(sorted(recalled.iter()), expected, "{channel}");
        }
        let mut seen = Vec::new();
        self.router.walk(channel, &mut |member| seen.push(member));
        assert_eq!(sorted(seen.into_iter()), expected, "{channel}");
    }

    pub fn check_counts(&self) {
        let statistics = self.router.statistics();
        let patterns: BTreeSet<&str> =
            self.list.iter().map(|(pattern, ..)| pattern.canonical()).collect();
        assert_eq!(statistics.patterns, patterns.len());
        assert_eq!(statistics.members, self.list.len());
    }

    pub fn remove_everything(&mut self) {
        for (_, _, seat) in self.list.drain(..) {
            self.router.remove(seat);
        }
        self.router.free_tombstones();
    }
}

#[track_caller]
pub fn assert_pruned(router: &Router) {
    let statistics = router.statistics();
    assert_eq!(
        (
            statistics.patterns,
            statistics.members,
            statistics.tombstones,
            statistics.tokens,
            statistics.nodes,
            statistics.edges
        ),
        (0, 0, 0, 0, 0, 0)
    );
}
