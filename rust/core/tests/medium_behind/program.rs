//! The steps of a program, at random.

use aether_core::mailbox::Overflow;
use proptest::prelude::*;
use proptest::sample::select;

pub const CHANNELS: [&str; 3] = ["a", "b", "a.x"];
pub const PATTERNS: [&str; 5] = ["a", "b", "*", "a.*", "+"];

pub fn takes(pattern: &str, channel: &str) -> bool {
    match pattern {
        "*" => true,
        "a.*" => channel == "a.x",
        "+" => channel == "a" || channel == "b",
        literal => literal == channel,
    }
}

/// One of those that there are.
#[derive(Clone, Copy, Debug)]
pub struct Place(u16);

impl Place {
    pub fn of(self, count: usize) -> usize {
        usize::from(self.0) % count
    }
}

#[derive(Clone, Debug)]
pub enum Step {
    Open(Overflow, usize, f64),
    Resonate(Place, &'static str),
    /// From that place of the journal on; one in a thousand is beyond its end.
    Behind(Place, &'static str, Place),
    Detune(Place, &'static str),
    Reserve(&'static str, bool),
    Deliver(Place, u64),
    Unreserve(Place),
    /// An emission that is delivered at once.
    Both(&'static str),
    Take(Place),
    Quick(Place),
    Many(Place, usize),
    /// The refill asks for a mailbox.
    Ask,
    /// And brings what it has read, up to a place on the way, and more or less than there is room for.
    Refill(Place, Place, usize),
    Clear,
    Finish(Place),
    Close(Place),
}

pub fn program() -> impl Strategy<Value = (Vec<Step>, bool)> {
    let index = || any::<u16>().prop_map(Place);
    let (channel, pattern) = (|| select(&CHANNELS[..]), || select(&PATTERNS[..]));
    let overflow = || {
        select(vec![
            Overflow::Block,
            Overflow::Replay,
            Overflow::Replay,
            Overflow::Error,
            Overflow::DropOldest,
            Overflow::DropNewest,
            Overflow::Conflate,
        ])
    };
    let floor = || prop_oneof![4 => Just(0.0), 1 => Just(0.5)];
    let open = || (overflow(), 1..=4usize, floor()).prop_map(|(o, c, f)| Step::Open(o, c, f));
    let step = prop_oneof![
        2 => open(),
        4 => (index(), pattern()).prop_map(|(i, p)| Step::Resonate(i, p)),
        6 => (index(), pattern(), index()).prop_map(|(i, p, at)| Step::Behind(i, p, at)),
        2 => (index(), pattern()).prop_map(|(i, p)| Step::Detune(i, p)),
        14 => (channel(), any::<bool>()).prop_map(|(c, loud)| Step::Reserve(c, loud)),
        12 => (index(), 0..2u64).prop_map(|(i, gap)| Step::Deliver(i, gap)),
        2 => index().prop_map(Step::Unreserve),
        10 => channel().prop_map(Step::Both),
        10 => index().prop_map(Step::Take),
        4 => index().prop_map(Step::Quick),
        4 => (index(), 1..5usize).prop_map(|(i, most)| Step::Many(i, most)),
        8 => Just(Step::Ask),
        8 => (index(), index(), 0..6usize).prop_map(|(i, cut, most)| Step::Refill(i, cut, most)),
        1 => Just(Step::Clear),
        1 => index().prop_map(Step::Finish),
        1 => index().prop_map(Step::Close),
    ];
    let start = prop::collection::vec((open(), pattern()), 1..3);
    (start, prop::collection::vec(step, 1..90), any::<bool>()).prop_map(|(start, steps, finish)| {
        let mut all: Vec<Step> = Vec::new();
        for (at, (open, pattern)) in (0u16..).zip(start) {
            all.push(open);
            all.push(Step::Resonate(Place(at), pattern));
        }
        all.extend(steps);
        (all, finish)
    })
}
