//! Random programs.

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::Phase;
use proptest::prelude::*;
use proptest::sample::select;

use super::program::{AMPLITUDES, CHANNELS, Opening, PATTERNS, Place, Shot, Step, Turn, Way};

pub fn opening() -> impl Strategy<Value = Opening> {
    let order = select(vec![Order::Amplitude, Order::Fifo, Order::Fresh]);
    let overflow = prop_oneof![
        3 => Just(Overflow::Block),
        3 => select(vec![
            Overflow::DropOldest,
            Overflow::DropNewest,
            Overflow::DropFaintest,
            Overflow::Conflate,
            Overflow::Error,
        ]),
    ];
    let floor = prop_oneof![3 => Just(0.0), 1 => Just(0.3)];
    (order, overflow, 1..=4usize, floor, 0..=2u64).prop_map(
        |(order, overflow, capacity, floor, ignored)| Opening {
            order,
            overflow,
            capacity,
            floor,
            ignored,
        },
    )
}

pub fn shot() -> impl Strategy<Value = Shot> {
    let lifetime = prop_oneof![3 => Just(f64::INFINITY), 1 => select(vec![0.0, 0.25, 1.0])];
    let require = prop_oneof![8 => Just(0usize), 1 => 1..=2usize];
    let (channel, loud) = (select(&CHANNELS[..]), || select(&AMPLITUDES[..]));
    (channel, loud(), loud(), lifetime, 0..=3u64, any::<bool>(), require).prop_map(
        |(channel, amplitude, priority, lifetime, emitter, inside, require)| Shot {
            channel,
            amplitude,
            priority,
            lifetime,
            emitter,
            inside,
            require,
        },
    )
}

pub fn step() -> impl Strategy<Value = Step> {
    let index = || any::<u16>().prop_map(Place);
    let pattern = || select(&PATTERNS[..]);
    let way = prop_oneof![
        4 => Just(Way::Take),
        2 => (1..4usize, 1..4usize).prop_map(|(least, most)| Way::Many(least, most.max(least))),
        2 => Just(Way::Abandon),
    ];
    let turn = select(vec![Turn::Emit, Turn::Emit, Turn::Reserve, Turn::Leave]);
    prop_oneof![
        4 => (opening(), prop::collection::vec(pattern(), 1..3)).prop_map(|(o, p)| Step::Open(o, p)),
        2 => (index(), pattern()).prop_map(|(i, p)| Step::Resonate(i, p)),
        2 => (index(), pattern()).prop_map(|(i, p)| Step::Detune(i, p)),
        1 => pattern().prop_map(Step::DetuneAll),
        30 => (shot(), any::<bool>()).prop_map(|(shot, wait)| Step::Emit(shot, wait)),
        15 => (shot(), any::<bool>()).prop_map(|(shot, wait)| Step::Reserve(shot, wait)),
        10 => (index(), 0..3u64).prop_map(|(i, gap)| Step::Deliver(i, gap)),
        3 => index().prop_map(Step::Unreserve),
        6 => (1..8u32).prop_map(Step::Advance),
        10 => index().prop_map(Step::Take),
        3 => index().prop_map(Step::Hold),
        3 => index().prop_map(Step::TakeBack),
        4 => (index(), 1..4usize, 1..5usize).prop_map(|(i, l, m)| Step::Many(i, l, m.max(l))),
        6 => shot().prop_map(Step::Swift),
        2 => select(&CHANNELS[..]).prop_map(Step::Unheard),
        4 => index().prop_map(Step::Quick),
        3 => (index(), 1..5usize).prop_map(|(i, most)| Step::QuickMany(i, most)),
        10 => (index(), 1..4usize).prop_map(|(i, want)| Step::Enlist(i, want)),
        10 => (index(), way).prop_map(|(i, way)| Step::Resume(i, way)),
        10 => (index(), turn).prop_map(|(i, turn)| Step::Sender(i, turn)),
        2 => index().prop_map(Step::Rouse),
        3 => index().prop_map(Step::Look),
        2 => (0..4u32).prop_map(Step::Stalls),
        1 => Just(Step::Clear),
        1 => index().prop_map(Step::Finish),
        1 => index().prop_map(Step::Close),
        1 => index().prop_map(Step::Discard),
    ]
}

pub fn program() -> impl Strategy<Value = Vec<Step>> {
    let start = prop::collection::vec(
        (opening(), prop::collection::vec(select(&PATTERNS[..]), 1..3))
            .prop_map(|(o, p)| Step::Open(o, p)),
        1..4,
    );
    let end = (any::<bool>(), prop::collection::vec(step(), 0..12), any::<bool>());
    (start, prop::collection::vec(step(), 1..80), end).prop_map(
        |(mut steps, middle, (drain, late, at_once))| {
            steps.extend(middle);
            if drain {
                steps.push(Step::Shut(Phase::Draining, false));
                steps.extend(late.iter().cloned());
            }
            steps.push(Step::Shut(Phase::Closed, at_once));
            steps.extend(late);
            steps
        },
    )
}
