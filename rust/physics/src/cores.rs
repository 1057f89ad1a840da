//! Large work is shared among the processor's cores, by threads that live as long as the call.
//!
//! No pool: a forked child would inherit one whose threads are gone, and to start a thread takes some
//! 20 µs, which is little beside the work that is worth sharing.
//!
//! What panics in one of them panics in the caller, with the same payload, once all have ended.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::thread;

/// The most threads that one call uses.
const MOST: usize = 16;

/// The name of each of these threads.
pub const HELPERS: &str = "aether-physics";

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
    let mut slots: Vec<Slot<J, T>> =
        jobs.into_iter().map(|job| Slot { job: Some(job), done: None }).collect();
    let work = |slot: &mut Slot<J, T>| slot.done = slot.job.take().map(&work).map(Ok);
    if let Some((first, others)) = slots.split_first_mut().filter(|(_, others)| !others.is_empty())
    {
        let work = &work;
        let help = move |slot: &mut Slot<J, T>| {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(slot))) {
                slot.done = Some(Err(panic));
            }
        };
        thread::scope(|scope| {
            for slot in others {
                // Where the system gives no further thread, the job stays where it is.
                let helper = thread::Builder::new().name(HELPERS.to_owned());
                let _ = helper.spawn_scoped(scope, move || help(slot));
            }
            work(first);
        });
    }
    for slot in slots.iter_mut().filter(|slot| slot.job.is_some()) {
        work(slot);
    }
    let done = slots.into_iter().filter_map(|slot| slot.done);
    done.map(|done| done.unwrap_or_else(|panic| resume_unwind(panic))).collect()
}

/// A job, until it is begun, and what it has come to.
struct Slot<J, T> {
    job: Option<J>,
    done: Option<Result<T, Box<dyn Any + Send>>>,
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::side_by_side;

    #[test]
    fn what_panics_in_a_thread_panics_in_the_caller_after_all_have_ended() {
        for wrong in 0..3 {
            let done = [const { std::sync::atomic::AtomicBool::new(false) }; 3];
            let work = |job: usize| {
                assert!(job != wrong, "job {job} is wrong");
                done[job].store(true, std::sync::atomic::Ordering::Relaxed);
            };
            let panic = catch_unwind(AssertUnwindSafe(|| side_by_side(vec![0, 1, 2], work)));
            let panic = panic.expect_err("one is wrong");
            let said = panic.downcast_ref::<String>().map(String::as_str);
            assert_eq!(said, Some(&*format!("job {wrong} is wrong")));
            let ended = done.map(std::sync::atomic::AtomicBool::into_inner);
            assert!((0..3).all(|job| ended[job] == (job != wrong)), "{ended:?}");
        }
    }
}
