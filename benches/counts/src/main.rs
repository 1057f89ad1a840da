//! The core's paths one by one, for callgrind to count their instructions: see `benches/instructions.py`.
//!
//! ```text
//! aether-counts            the names of the groups, one a line
//! aether-counts GROUP      runs the jobs of one group, each announced on a line of its own
//! ```
//!
//! Each run does the same: no clock but one that stands still, no random numbers but those of a fixed
//! [`dice::Dice`], hash tables seeded by `--cfg fixed_seed`, no thread.

mod dice;
mod fan_out;
mod job;
mod names;
mod overflow;
mod queues;
mod rig;
mod routes;
mod wakes;

use std::process::ExitCode;

/// What is set up once for several jobs. The dearest stand first, so that they are begun first.
const GROUPS: [(&str, fn()); 8] = [
    ("1,000,000 patterns", || routes::jobs(1_000_000)),
    ("1,000,000 waves", || queues::jobs(1_000_000)),
    ("10,000 patterns", || routes::jobs(10_000)),
    ("few waves", || [1, 1_000].into_iter().for_each(queues::jobs)),
    ("overflow", overflow::jobs),
    ("fan-out", fan_out::jobs),
    ("100 patterns", || routes::jobs(100)),
    ("names and wake-ups", || {
        names::jobs();
        wakes::jobs();
    }),
];

fn main() -> ExitCode {
    let Some(wanted) = std::env::args().nth(1) else {
        for (name, _) in GROUPS {
            job::announce(name);
        }
        return ExitCode::SUCCESS;
    };
    match GROUPS.iter().find(|(name, _)| *name == wanted) {
        Some((_, run)) => {
            run();
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}
