//! Large work is shared among the processor's cores, by threads that live as long as the call.
//!
//! No pool: a forked child would inherit one whose threads are gone, and to start a thread takes some
//! 20 µs, which is little beside the work that is worth sharing.

use std::ops::Range;
use std::sync::OnceLock;
use std::thread;

/// The most threads that one call uses.
const MOST: usize = 16;

/// How many cores this process may use, as it was at the first question.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from).min(MOST))
}

/// Does the work for `0..length`, in one piece if it is shorter than two `grain`s, and otherwise in
/// pieces of at least a grain side by side, whose bounds are multiples of `step`.
pub fn shared(length: usize, grain: usize, step: usize, work: impl Fn(Range<usize>) + Sync) {
    let pieces = if length < 2 * grain { 1 } else { cores().min(length / grain) };
    if pieces == 1 {
        return work(0..length);
    }
    let bound = |piece: usize| match piece {
        _ if piece == pieces => length,
        _ => length * piece / pieces / step * step,
    };
    let work = &work;
    thread::scope(|scope| {
        for piece in 1..pieces {
            let range = bound(piece)..bound(piece + 1);
            let theirs = range.clone();
            if thread::Builder::new().spawn_scoped(scope, move || work(theirs)).is_err() {
                work(range); // the system gives no further thread
            }
        }
        work(0..bound(1));
    });
}
