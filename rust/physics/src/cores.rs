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

/// `0..length` in one piece if it is shorter than two `grain`s, and otherwise in pieces of at least a
/// grain, one for each core, whose bounds are multiples of `step`.
pub fn pieces(length: usize, grain: usize, step: usize) -> Vec<Range<usize>> {
    let grain = grain.max(step);
    let count = if length < 2 * grain { 1 } else { cores().min(length / grain) };
    let bound = |piece: usize| match piece {
        _ if piece == count => length,
        _ => length * piece / count / step * step,
    };
    (0..count).map(|piece| bound(piece)..bound(piece + 1)).collect()
}

/// Does the work for all [`pieces`] at once; what they give comes back in their order.
pub fn shared<T: Send>(
    length: usize,
    grain: usize,
    step: usize,
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    side_by_side(pieces(length, grain, step), work)
}

/// Does the jobs, the first one in this thread and each other in one of its own; what they give comes
/// back in their order.
pub fn side_by_side<J: Send, T: Send>(jobs: Vec<J>, work: impl Fn(J) -> T + Sync) -> Vec<T> {
    let mut slots: Vec<(Option<J>, Option<T>)> =
        jobs.into_iter().map(|job| (Some(job), None)).collect();
    let work = |slot: &mut (Option<J>, Option<T>)| slot.1 = slot.0.take().map(&work);
    if let Some((first, others)) = slots.split_first_mut().filter(|(_, others)| !others.is_empty())
    {
        let work = &work;
        thread::scope(|scope| {
            for slot in others {
                // Where the system gives no further thread, the job stays where it is.
                let _ = thread::Builder::new().spawn_scoped(scope, move || work(slot));
            }
            work(first);
        });
    }
    for slot in slots.iter_mut().filter(|slot| slot.0.is_some()) {
        work(slot);
    }
    slots.into_iter().filter_map(|slot| slot.1).collect()
}
