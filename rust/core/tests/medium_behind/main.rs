//! Mailboxes that are behind a journal, in random programs beside an oracle.
//!
//! The journal is a vector of all waves that were delivered. For each mailbox and wave, the oracle says from the
//! contract alone how often the wave must at least be received, and how often it may be at most: it knows no positions,
//! no targets and no rounds. In between, it does not say when a wave comes, but that no mailbox is over its capacity, that
//! no wake-up of the refill is lost, and that waves of a mailbox come in the order of the journal, but for what it has
//! asked for again.

#[path = "../support/mod.rs"]
mod support;

mod program;
mod world;

use proptest::prelude::*;

use crate::program::program;
use crate::world::World;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_mailbox_gets_what_its_patterns_say((steps, finish) in program()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.end(finish);
    }

    #[test]
    fn so_does_one_of_a_medium_that_counts_what_waits((steps, finish) in program()) {
        let mut world = World::new();
        world.limit();
        for step in &steps {
            world.step(step);
            world.what_is_counted_is_there();
        }
        world.end(finish);
    }
}
