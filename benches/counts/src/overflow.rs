//! A wave into a full mailbox, under each policy that lets one go.

use aether_core::mailbox::Overflow;
use aether_core::router::Hint;

use crate::dice::Dice;
use crate::job::{counted, job};
use crate::rig::Rig;

const ROUNDS: usize = 2_000;

/// Each larger by the same factor.
const CAPACITIES: [usize; 3] = [10, 320, 10_240];

pub fn jobs() {
    for capacity in CAPACITIES {
        let name = |policy: &str| format!("overflow/{capacity}/{policy}");
        overflow(&name("drop_oldest"), Overflow::DropOldest, capacity, || 1.0);
        overflow(&name("drop_newest"), Overflow::DropNewest, capacity, || 1.0);
        overflow(&name("drop_oldest_mixed"), Overflow::DropOldest, capacity, rising(capacity));
        let rising = rising(capacity);
        overflow(&name("drop_faintest_mixed"), Overflow::DropFaintest, capacity, rising);
        conflate(&name("conflate"), capacity);
    }
}

/// Amplitudes that differ as much as a full mailbox of waves does, and rise slowly: so there is always one
/// to drop for a wave that is louder, however long that goes on.
fn rising(capacity: usize) -> impl FnMut() -> f64 {
    let mut dice = Dice::new(2);
    let mut floor = 0.0;
    let step = 1.0 / (2 * capacity + 2 * ROUNDS) as f64;
    move || {
        floor += step;
        floor + dice.amplitude() * capacity as f64 * step
    }
}

fn overflow(name: &str, policy: Overflow, capacity: usize, next: impl FnMut() -> f64) {
    let rig = Rig::new();
    let _key = rig.open(policy, capacity, &["orders.*"]);
    let mut hint = Hint::default();
    // A full mailbox, and then as many losses as there are places in it, for the heap of the program to settle.
    let before = capacity + ROUNDS;
    let given: Vec<f64> = std::iter::repeat_with(next).take(before + ROUNDS).collect();
    let mut emit = |given: &[f64]| {
        for &amplitude in given {
            rig.emit_at(amplitude, "orders.created", &mut hint);
        }
    };
    emit(&given[..before]);
    counted(|| emit(&given[before..]));
    job(name, ROUNDS);
}

/// Each channel has a wave waiting, which the new one replaces.
fn conflate(name: &str, capacity: usize) {
    let rig = Rig::new();
    let _key = rig.open(Overflow::Conflate, capacity, &["orders.*"]);
    let mut channels: Vec<(String, Hint)> =
        (0..capacity).map(|number| (format!("orders.n{number}"), Hint::default())).collect();
    for (channel, hint) in &mut channels {
        rig.emit(channel, hint);
    }
    let mut dice = Dice::new(3);
    let turns: Vec<usize> = (0..2 * ROUNDS).map(|_| dice.below(capacity)).collect();
    let mut emit = |turns: &[usize]| {
        for &turn in turns {
            let (channel, hint) = &mut channels[turn];
            rig.emit(channel, hint);
        }
    };
    emit(&turns[..ROUNDS]);
    counted(|| emit(&turns[ROUNDS..]));
    job(name, ROUNDS);
}
