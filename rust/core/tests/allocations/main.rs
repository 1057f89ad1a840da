//! What the core asks the allocator for: bytes a pattern, and nothing for each receiver.
//!
//! The allocator of this test binary counts, which takes the one `unsafe` of the core's tests.

mod counting;
#[path = "../support/mod.rs"]
mod support;

use aether_core::channel::{Limits, Pattern};
use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::{Emission, Key, Take};
use aether_core::router::{Hint, Router};

use counting::{Counting, allocations, held};
use support::{After, Carrier, Rig, faint, spec, wave};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RECEIVERS: usize = 1_000;

/// Receivers of all orders and of the policies that keep a line or a heap, by one pattern or by two.
fn crowd(rig: &Rig, patterns: &[&str]) -> Vec<Key> {
    let kinds = [
        (Order::Amplitude, Overflow::Block),
        (Order::Fifo, Overflow::Block),
        (Order::Amplitude, Overflow::DropOldest),
        (Order::Fifo, Overflow::DropNewest),
        (Order::Amplitude, Overflow::Error),
    ];
    let kinds = kinds.iter().cycle().take(RECEIVERS);
    kinds.map(|&(order, overflow)| rig.open(spec("v", order, overflow, 8), patterns)).collect()
}

/// Emits and takes as a binding does, which brings the item along; the numbers of allocations.
fn in_and_out(rig: &mut Rig, keys: &[Key], emissions: &[Emission<'_>]) -> (usize, usize) {
    let (item, mut hint, mut after) = (rig.item(), Hint::default(), After::default());
    let mut round = || {
        let emitted = allocations(|| {
            for emission in emissions {
                let sent = rig.medium.emit(emission, &mut hint, None, &item, &Carrier, &mut after);
                assert_eq!(sent.expect("there is room").matched, keys.len());
            }
        });
        let taken = allocations(|| {
            for &key in keys {
                for _ in emissions {
                    assert!(rig.medium.take_quickly(key, |_| ()).is_some());
                }
            }
        });
        (emitted, taken)
    };
    round();
    round()
}

#[test]
fn an_emission_to_receivers_that_have_room_allocates_nothing() {
    for patterns in [&["orders.created"][..], &["orders.*"], &["orders.*", "*.created"]] {
        let mut rig = Rig::new();
        let keys = crowd(&rig, patterns);
        let emissions = [wave("orders.created"); 4];
        assert_eq!(in_and_out(&mut rig, &keys, &emissions), (0, 0), "{patterns:?}");
    }
}

/// A heap is made with the first wave of another priority, and given back with the last one: one of each
/// four waves pays for it.
#[test]
fn mixed_priorities_allocate_no_more_than_the_heap_that_they_need() {
    let mut rig = Rig::new();
    let key = rig.open(spec("v", Order::Amplitude, Overflow::Block, 8), &["orders.*"]);
    rig.emit(&faint("orders.created", 0.1)).expect("there is room");
    rig.emit(&faint("orders.created", 0.9)).expect("there is room");
    let emissions = [faint("orders.created", 0.5), faint("orders.created", 0.2)];
    assert_eq!(in_and_out(&mut rig, &[key], &emissions), (0, 0));
}

/// The list of those to wake is one piece of memory, which doubles as it grows.
#[test]
fn waking_receivers_allocates_no_piece_for_each() {
    let mut rig = Rig::new();
    let keys = crowd(&rig, &["orders.*"]);
    let (item, mut hint) = (rig.item(), Hint::default());
    for round in 0..3 {
        let enlist = |&key| (key, rig.enlist(key, 1, 1).expect("it is empty"));
        let waiters: Vec<_> = keys.iter().map(enlist).collect();
        let mut after = After::default();
        let emission = wave("orders.created");
        let count = allocations(|| {
            let sent = rig.medium.emit(&emission, &mut hint, None, &item, &Carrier, &mut after);
            assert_eq!(sent.expect("there is room").matched, RECEIVERS);
        });
        assert_eq!(after.wakes.len(), RECEIVERS);
        assert!(round == 0 || count <= 10, "{count} allocations");
        for (key, waiter) in waiters {
            let taken = rig.medium.take(key, Some(waiter), &mut After::default());
            assert!(matches!(taken, Take::Wave(_)));
        }
    }
}

/// Of 97 tenants and 1,009 regions, four of five concrete, 36 bytes long on average.
#[test]
fn a_pattern_takes_little_memory() {
    const COUNT: u32 = 1_000_000;
    let fill = || {
        let mut router = Router::new(0);
        for number in 0..COUNT {
            let start = format!("tenant{}.orders.region{}", number % 97, number % 1_009);
            let name = match number % 20 {
                0..16 => format!("{start}.item{number}"),
                16..19 => format!("{start}.item{number}.*"),
                _ => format!("{start}.+.item{number}"),
            };
            let pattern = Pattern::parse(&name, Limits::DEFAULT).expect("a sound name");
            router.insert(&pattern, number);
        }
        router
    };
    let empty = Router::new(0).heap_bytes();
    let (bytes, router) = held(fill);
    assert_eq!(bytes, router.heap_bytes(), "the router knows what it takes");
    let each = (bytes - empty) / COUNT as usize;
    assert!(each <= 110, "{each} bytes a pattern");
}
