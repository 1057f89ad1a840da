//! Emissions to 1 .. 1,000 mailboxes, and the waves taken out of them: a delivery is an operation.

use aether_core::mailbox::Overflow;
use aether_core::router::Hint;

use crate::job::{counted, job};
use crate::rig::Rig;

const CHANNEL: &str = "orders.payment.completed";

/// Emissions in a row.
const ROW: usize = 16;

pub fn jobs() {
    for receivers in [1, 10, 100, 1_000] {
        // As in bench_fanout.py.
        deliveries(&format!("fan_out/{receivers}"), receivers, &[CHANNEL]);
    }
    deliveries("fan_out/1_by_pattern", 1, &["orders.*"]);
    deliveries("fan_out/1000_by_pattern", 1_000, &["orders.*"]);
    // A mailbox to which two patterns lead gets the wave once.
    deliveries("fan_out/1000_by_two_patterns", 1_000, &["orders.*", "*.payment.+"]);
}

fn deliveries(name: &str, receivers: usize, patterns: &[&str]) {
    let rig = Rig::new();
    let keys: Vec<_> = (0..receivers).map(|_| rig.open(Overflow::Block, ROW, patterns)).collect();
    let mut hint = Hint::default();
    let mut emit = || (0..ROW).for_each(|_| rig.emit(CHANNEL, &mut hint));
    let take = || {
        for &key in &keys {
            (0..ROW).for_each(|_| rig.take(key));
        }
    };
    emit();
    take();
    let rows = (200 / receivers).max(2);
    for _ in 0..rows {
        counted(&mut emit);
        take();
    }
    job(&format!("{name}/emit"), rows * ROW * receivers);
    for _ in 0..rows {
        emit();
        counted(take);
    }
    job(&format!("{name}/take"), rows * ROW * receivers);
}
