//! What callgrind is told about by the names of these functions: it collects in [`counted`], and writes
//! what it has collected at each [`ends`].

use std::hint::black_box;

/// Says something to whoever counts.
#[expect(clippy::print_stdout, reason = "the script reads it")]
pub fn announce(line: &str) {
    println!("{line}");
}

/// The instructions in here, and in all that it calls, are those of the job.
#[inline(never)]
pub fn counted<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

/// A job has done so many operations.
pub fn job(name: &str, operations: usize) {
    announce(&format!("{operations}\t{name}"));
    ends(operations);
}

#[inline(never)]
fn ends(operations: usize) {
    black_box(operations);
}
