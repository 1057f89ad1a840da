//! Random programs on a medium, beside a model of plain vectors that was written from the contract.
//!
//! The model knows no router, no ranks, no lines: it looks at everything each time. After each step the two
//! must agree on what was delivered, dropped, taken and missed, and on who was woken; and the invariants of
//! the contract must hold. Apart from `random.rs`, all of it is the oracle of the fuzz target `medium` too
//! (`rust/fuzz`), which includes these files.

#[path = "../support/mod.rs"]
mod support;

mod compare;
mod later;
mod plain;
mod program;
mod quick;
mod random;
mod steps;
mod world;

use proptest::prelude::*;

use crate::random::program;
use crate::world::World;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_medium_does_what_the_model_does(steps in program()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
    }

    /// What waits is counted as it comes and goes, by all ways, and nothing else changes by that.
    #[test]
    fn so_does_one_that_counts_what_waits(steps in program(), every in 1_usize..40) {
        let mut world = World::new();
        for (number, step) in steps.iter().enumerate() {
            if number % every == 0 {
                world.limit(number / every % 4 != 3);
            }
            world.step(step);
        }
    }
}
