//! A wave in and a wave out, where so many wait already.

use aether_core::mailbox::Overflow;
use aether_core::router::Hint;

use crate::dice::Dice;
use crate::job::{counted, job};
use crate::rig::Rig;

const CHANNEL: &str = "orders.created";
const ROUNDS: usize = 10_000;

pub fn jobs(waiting: usize) {
    in_and_out("equal", waiting, || 1.0);
    let mut dice = Dice::new(1);
    in_and_out("mixed", waiting, || dice.amplitude());
}

fn in_and_out(amplitudes: &str, waiting: usize, next: impl FnMut() -> f64) {
    let rig = Rig::new();
    let key = rig.open(Overflow::Block, waiting + 1, &["orders.*"]);
    let mut hint = Hint::default();
    let given: Vec<f64> = std::iter::repeat_with(next).take(waiting + ROUNDS).collect();
    for &amplitude in &given[..waiting] {
        rig.emit_at(amplitude, CHANNEL, &mut hint);
    }
    counted(|| {
        for &amplitude in &given[waiting..] {
            rig.emit_at(amplitude, CHANNEL, &mut hint);
            rig.take(key);
        }
    });
    job(&format!("queue/{waiting}/{amplitudes}"), ROUNDS);
}
