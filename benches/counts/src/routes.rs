//! Routes among so many patterns: found again, walked, and found again while patterns come and go.
//!
//! Of the patterns, four fifths are concrete, and none takes a hot channel but two of its own. What is
//! walked takes the same way through the trie at every size. So routes are the same however many
//! patterns there are, and what differs is what the tables cost.

use std::collections::VecDeque;
use std::hint::black_box;

use aether_core::channel::Pattern;
use aether_core::router::{Hint, Router, Seat};

use crate::job::{counted, job};
use crate::rig::pattern;

/// Routes that are kept: fewer than are walked, so that each of those takes the place of another.
const CACHED: usize = 1_024;
const HOT: usize = 20;
const CHANGES: usize = 1_000;
/// Routes asked for after each change.
const CALM: usize = 10;
/// Patterns that are there for a while only.
const GUESTS: usize = 100;

struct World {
    router: Router,
    patterns: usize,
    hot: Vec<(String, Hint)>,
}

pub fn jobs(patterns: usize) {
    let mut world = World::new(patterns);
    world.found_again();
    world.come_and_go("literal", |number| format!("reply.r{number}"));
    world.come_and_go("wildcard", |number| format!("session.s{number}.*"));
    world.churn("literals", |number| format!("reply.q{number}"));
    world.churn("members", |number| format!("hot.h{}.*", number % HOT));
    world.churn("sessions", |number| format!("session.t{number}.*"));
    world.churn("leading_wildcards", |number| format!("*.n{number}.seen"));
    world.walked();
}

/// A pattern of the crowd.
fn crowded(number: usize) -> String {
    let (tenant, region) = (number % 97, number % 1_009);
    match number % 20 {
        0..16 => format!("tenant{tenant}.orders.region{region}.item{number}"),
        16..19 => format!("tenant{tenant}.orders.region{region}.item{number}.*"),
        _ => format!("+.orders.item{number}"),
    }
}

impl World {
    fn new(patterns: usize) -> Self {
        let mut world = Self { router: Router::new(CACHED), patterns, hot: Vec::new() };
        for number in 0..world.crowd() {
            world.router.insert(&pattern(&crowded(number)), 1);
        }
        for number in 0..HOT {
            let channel = format!("hot.h{number}.seen");
            world.router.insert(&pattern(&channel), 2);
            world.router.insert(&pattern(&format!("hot.h{number}.*")), 3);
            world.hot.push((channel, Hint::default()));
        }
        world.pass();
        world
    }

    /// How many patterns are not those of the hot channels.
    fn crowd(&self) -> usize {
        self.patterns - 2 * HOT
    }

    fn ends(&self, what: &str, operations: usize) {
        job(&format!("patterns/{}/{what}", self.patterns), operations);
    }

    /// Asks once for each hot channel.
    fn pass(&mut self) {
        for (channel, hint) in &mut self.hot {
            assert!(reached(&mut self.router, channel, hint) >= 2);
        }
    }

    fn found_again(&mut self) {
        const ROUNDS: usize = 50;
        let walks = self.router.statistics().walks;
        counted(|| (0..ROUNDS).for_each(|_| self.pass()));
        self.ends("route_by_hint", ROUNDS * HOT);
        counted(|| {
            for _ in 0..ROUNDS {
                for (channel, _) in &self.hot {
                    assert_eq!(reached(&mut self.router, channel, &mut Hint::default()), 2);
                }
            }
        });
        self.ends("route_by_name", ROUNDS * HOT);
        assert_eq!(self.router.statistics().walks, walks, "all of them were cached");
    }

    /// New channels, one after the other, each of which a pattern of the crowd takes.
    fn walked(&mut self) {
        let wild: Vec<usize> = (16..self.crowd()).filter(|number| number % 20 == 16).collect();
        let channels: Vec<String> = (0..2 * CHANGES)
            .map(|number| {
                let taker = crowded(wild[number % 1_000 * wild.len() / 1_000]);
                taker.replace('*', &format!("x{number}"))
            })
            .collect();
        let (warm, fresh) = channels.split_at(CHANGES);
        let ask = |router: &mut Router, channels: &[String]| {
            for channel in channels {
                assert_eq!(reached(router, channel, &mut Hint::default()), 1);
            }
        };
        ask(&mut self.router, warm);
        let walks = self.router.statistics().walks;
        counted(|| ask(&mut self.router, fresh));
        self.ends("route_walked", CHANGES);
        assert_eq!(self.router.statistics().walks, walks + CHANGES as u64, "none was cached");
    }

    /// New patterns come, a row at a time, and go again.
    fn come_and_go(&mut self, kind: &str, name: impl Fn(usize) -> String) {
        let names: Vec<_> = (0..3 * CHANGES).map(|number| pattern(&name(number))).collect();
        let (warm, rest) = names.split_at(CHANGES);
        let (coming, going) = rest.split_at(CHANGES);
        let join = |router: &mut Router, row: &[Pattern]| -> Vec<Seat> {
            row.iter().map(|name| router.insert(name, 4)).collect()
        };
        let leave = |router: &mut Router, seats: Vec<Seat>| {
            for seat in seats {
                router.remove(seat);
            }
        };
        for row in warm.chunks(GUESTS) {
            let seats = join(&mut self.router, row);
            leave(&mut self.router, seats);
        }
        for row in coming.chunks(GUESTS) {
            let seats = counted(|| join(&mut self.router, row));
            leave(&mut self.router, seats);
        }
        self.ends(&format!("{kind}_comes"), CHANGES);
        for row in going.chunks(GUESTS) {
            let seats = join(&mut self.router, row);
            counted(|| leave(&mut self.router, seats));
        }
        self.ends(&format!("{kind}_goes"), CHANGES);
    }

    /// Hot channels, with one change for so many questions. Only the questions are counted.
    fn churn(&mut self, what: &str, name: impl Fn(usize) -> String) {
        let mut guests = VecDeque::new();
        let mut turn = 0;
        for number in 0..2 * CHANGES {
            guests.push_back(self.router.insert(&pattern(&name(number)), 4));
            if guests.len() > GUESTS {
                self.router.remove(guests.pop_front().expect("there are some"));
            }
            let mut ask = || {
                for (channel, hint) in &mut self.hot[turn..turn + CALM] {
                    assert!(reached(&mut self.router, channel, hint) >= 2);
                }
            };
            if number < CHANGES {
                ask();
            } else {
                counted(ask);
            }
            turn = (turn + CALM) % HOT;
        }
        self.ends(&format!("route_under_churn_of_{what}"), CHANGES * CALM);
        for seat in guests {
            self.router.remove(seat);
        }
    }
}

/// How many members a channel reaches.
#[inline]
fn reached(router: &mut Router, channel: &str, hint: &mut Hint) -> usize {
    let mut members = 0;
    router
        .route(black_box(channel), hint)
        .for_each(|member| members += usize::from(black_box(member) > 0));
    members
}
