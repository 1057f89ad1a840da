//! What becomes of batches, told by the state alone: no thread, and a disk that only gives random numbers.

use super::*;
use crate::disk::simulated::SimulatedDisk;
use crate::record::{Encoded, Wave};

type Who = &'static str;

struct World {
    disk: SimulatedDisk,
    state: State<Who, ()>,
}

fn world() -> World {
    let queue = Queue::new(7, 1 << 20, 0);
    World { disk: SimulatedDisk::new(1), state: State::new(queue, ()) }
}

fn full() -> Result<(), Fault> {
    Err(Fault::Refused(io::Error::from_raw_os_error(28)))
}

fn broken() -> Result<(), Fault> {
    Err(Fault::Broken(io::Error::from_raw_os_error(5)))
}

impl World {
    fn append(&mut self, waiter: Option<Who>) -> u64 {
        let mut wave = Encoded::wave(&Wave::plain("orders.created", b"7")).expect("it fits");
        let sequence = self.state.queue.wave(&mut wave, &self.disk);
        if let Some(waiter) = waiter {
            self.state.wait_for_last(waiter);
        }
        sequence
    }

    fn note(&mut self) {
        let mut note = Encoded::acknowledged(0.0, "billing", b"7");
        self.state.queue.note(&mut note, &self.disk);
    }

    /// Commits what waits, and tells of it.
    fn settle(&mut self, done: Result<(), Fault>) -> Option<Settled<Who>> {
        assert!(!self.state.take().is_empty());
        let settled = self.state.settle(done);
        self.state.is_told();
        settled
    }

    /// For each wave: `.` is committed, `f` refused by a full disk, `b` by a broken one, `?` not known yet.
    fn outcomes(&self) -> String {
        let outcome = |sequence| match self.state.outcome(sequence) {
            None => '?',
            Some(Ok(())) => '.',
            Some(Err(Refusal::Full(_))) => 'f',
            Some(Err(Refusal::Failed { .. })) => 'b',
            Some(Err(other)) => panic!("{other}"),
        };
        (1..=self.state.queue.last()).map(outcome).collect()
    }
}

#[test]
fn a_record_is_admitted_up_to_the_limit_and_alone_beyond_it() {
    let mut world = world();
    let options = |pending_bytes| Options { pending_bytes, ..Options::DEFAULT };
    assert!(world.state.admit(1_000, &options(10)).is_ok(), "nothing else waits");
    world.append(None);
    let one = world.state.pending();
    assert_eq!(one, world.state.queue.bytes());
    assert!(world.state.admit(100, &options(one + 100)).is_ok());
    for over in [99, 0] {
        let refused = world.state.admit(100, &options(one + over));
        assert!(matches!(refused, Err(Refusal::Busy(pending)) if pending == one), "{refused:?}");
    }
    // What is under way counts until it is settled.
    world.state.take();
    assert_eq!(world.state.pending(), one);
    world.append(None);
    assert_eq!(world.state.pending(), 2 * one);
    world.state.settle(Ok(()));
    assert_eq!(world.state.pending(), one);
    world.state.closing = true;
    assert!(matches!(world.state.admit(1, &options(1 << 20)), Err(Refusal::Closed)));
}

#[test]
fn each_wave_has_the_outcome_of_its_batch() {
    let mut world = world();
    assert!(matches!(
        world.state.outcome(1),
        Some(Err(Refusal::NotGiven { sequence: 1, last: 0 }))
    ));
    world.append(None);
    assert_eq!(world.outcomes(), "?");
    world.settle(Ok(()));
    for _ in 0..2 {
        world.append(None);
    }
    world.settle(full());
    world.append(None);
    assert_eq!(world.outcomes(), ".ff?");
    world.settle(Ok(()));
    world.append(None);
    world.settle(full());
    world.append(None);
    world.settle(Ok(()));
    assert_eq!((world.outcomes(), world.state.safe()), (".ff.f.".to_owned(), 6));
    assert!(world.state.trouble().is_none());
    world.append(None);
    world.settle(full());
    assert!(matches!(world.state.trouble(), Some(Refusal::Full(_))));
    world.append(None);
    let settled = world.settle(broken()).expect("they were told nothing yet");
    assert_eq!((world.outcomes(), settled.up_to), (".ff.f.fb".to_owned(), 8));
    assert!(matches!(world.state.failed(), Some(Refusal::Failed { safe: 6, .. })));
}

#[test]
fn as_long_as_a_disk_is_full_there_is_one_entry() {
    let mut world = world();
    world.append(None);
    world.settle(Ok(()));
    for _ in 0..100 {
        world.append(None);
        world.settle(full());
    }
    assert_eq!(world.state.refused.len(), 1);
    // A note is no wave.
    world.note();
    world.settle(full());
    assert_eq!((world.state.refused.len(), world.state.outcome(101).is_some()), (1, true));
    assert_eq!(world.outcomes(), format!(".{}", "f".repeat(100)));
}

#[test]
fn a_note_that_is_refused_leaves_nothing_to_be_told_of() {
    let mut world = world();
    world.append(None);
    world.settle(Ok(()));
    world.note();
    world.settle(full());
    assert!(world.state.refused.is_empty());
    // No sequence was given in vain: the next wave has no note before it.
    let before = world.state.queue.bytes();
    world.append(None);
    let size = Encoded::wave(&Wave::plain("orders.created", b"7")).expect("it fits").size();
    assert_eq!((before, world.state.queue.bytes()), (0, size));
}

#[test]
fn a_flush_is_answered_when_its_batches_are_told() {
    let mut world = world();
    let batches = world.state.batches();
    assert!(batches.is_empty());
    assert!(matches!(world.state.outcome_of(&batches), Some(Ok(()))));
    world.append(None);
    let first = world.state.batches();
    assert_eq!(first, 1..=1);
    assert!(world.state.outcome_of(&first).is_none());
    world.state.take();
    assert_eq!(world.state.batches(), 1..=1);
    world.append(None);
    let both = world.state.batches();
    assert_eq!(both, 1..=2);
    world.state.settle(Ok(()));
    assert!(world.state.outcome_of(&first).is_none(), "nobody was told yet");
    world.state.is_told();
    assert!(matches!(world.state.outcome_of(&first), Some(Ok(()))));
    assert!(world.state.outcome_of(&both).is_none());
    // What comes while a batch is refused is refused too, as one more.
    world.state.take();
    world.append(None);
    let refused = world.state.batches();
    assert_eq!(refused, 2..=3);
    world.state.settle(full());
    world.state.is_told();
    assert!(matches!(world.state.outcome_of(&refused), Some(Err(Refusal::Full(_)))));
    assert!(matches!(world.state.outcome_of(&(3..=3)), Some(Err(Refusal::Full(_)))));
    world.append(None);
    let next = world.state.batches();
    assert_eq!(next, 4..=4);
    world.settle(Ok(()));
    assert!(
        matches!(world.state.outcome_of(&next), Some(Ok(()))),
        "it has nothing of the last one"
    );
    // After a failure, all of them are answered at once.
    world.append(None);
    let last = world.state.batches();
    world.state.fail(io::Error::from_raw_os_error(5));
    assert!(matches!(world.state.outcome_of(&last), Some(Err(Refusal::Failed { safe: 4, .. }))));
}

#[test]
fn who_waits_is_told_with_the_batch_of_the_wave() {
    let mut world = world();
    world.append(Some("one"));
    world.state.take();
    world.append(Some("two"));
    world.state.wait_for(1, "also one");
    world.state.wait_for(2, "also two");
    let first = world.state.settle(Ok(())).expect("nobody was told yet");
    assert_eq!(first.waiters, [(1, "one"), (1, "also one")]);
    let second = world.settle(Ok(())).expect("nobody was told yet");
    assert_eq!((second.waiters, second.up_to), (vec![(2, "two"), (2, "also two")], 2));
}

#[test]
fn what_was_told_too_early_and_is_refused_is_lost() {
    let mut world = world();
    world.append(Some("first"));
    world.settle(Ok(()));
    let mut lost = |count: u64| {
        (0..count).for_each(|_| _ = world.append(Some("early")));
        world.state.take();
        let early = world.state.settle_early().expect("it is under way");
        assert_eq!((early.waiters.len() as u64, early.result.is_ok()), (count, true));
        assert!(world.state.settle_early().is_none(), "they are told once");
        assert!(world.outcomes().ends_with('.'));
        let settled = world.state.settle(full()).expect("others may wait by now");
        assert!(settled.waiters.is_empty() && settled.result.is_err());
        world.state.is_told();
        world.state.lost()
    };
    assert_eq!((lost(2), lost(3)), (2, 5));
    assert_eq!((world.outcomes(), world.state.safe()), (".fffff".to_owned(), 1));
    assert!(world.state.is_full());
    world.append(None);
    world.settle(Ok(()));
    assert_eq!((world.state.lost(), world.state.is_full()), (5, false));
}
