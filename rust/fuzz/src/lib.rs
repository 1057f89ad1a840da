//! What libFuzzer drives: each target reads any bytes as a small program, runs it on the core and beside a plain
//! oracle, and panics where they differ.
//!
//! | target | what it drives | its oracle |
//! |---|---|---|
//! | [`channel`] | names: checks, patterns, faults | the rules, token by token |
//! | [`routes`] | relations of patterns, the router and its cache | patterns written out to a depth; a plain list |
//! | [`medium`] | sequences of everything that a medium does | the model of plain vectors of the core's tests |
//! | [`heap`] | mailboxes of many waves of any priority | the standard library's heap |
//! | [`records`] | the bytes of one segment, at the highest rate | the records that were written, and what was changed |
//! | [`outlines`] | indexes and snapshots with any change, whose checks are right | none: nothing panics or runs on |
//! | [`segment`] | files of a journal: any bytes, any records, sound ones changed | the waves that were written |
//!
//! `make fuzz` runs them, one after the other. `rust/fuzz/corpus` keeps, for each, inputs that reach everything
//! that was ever reached, as `cargo fuzz cmin` leaves them; `tests/corpus.rs` runs those in a plain build.

pub mod channel;
pub mod heap;
pub mod medium;
pub mod outlines;
pub mod records;
pub mod routes;
pub mod segment;
#[path = "../../core/tests/support/mod.rs"]
mod support;

/// A target: any bytes are a sound input.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 7] = [
    ("channel", channel::run),
    ("heap", heap::run),
    ("medium", medium::run),
    ("outlines", outlines::run),
    ("records", records::run),
    ("routes", routes::run),
    ("segment", segment::run),
];

/// Runs the files that the program was given as arguments.
pub fn run_files(target: Target) {
    for path in std::env::args_os().skip(1) {
        target(&std::fs::read(path).expect("a file that can be read"));
    }
}
