//! Who appends, who commits and who waits, in random interleavings: nobody waits for ever, all are told once and in
//! order, and what counts as committed is in the files.

use std::ops::ControlFlow;
use std::sync::Arc;

use shuttle::sync::Mutex;
use shuttle::thread;

use crate::disk::simulated::{Deed, SimulatedDisk};
use crate::journal::{Journal, Options, Refusal, Settled};
use crate::reader::{Event, Reader};
use crate::record::{Encoded, Wave};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const SCHEDULES: usize = 10_000;

/// A segment has room for one wave, so that there are several.
const OPTIONS: Options = Options { segment_bytes: 400, snapshot_interval: 2, ..Options::DEFAULT };

/// The sequences that were told of, with whether they are committed.
type Told = Arc<Mutex<Vec<(u64, bool)>>>;

fn wave() -> Encoded {
    Encoded::wave(&Wave::plain("orders.created", &[7; 100])).expect("it fits")
}

/// Two who append and wait, two who commit, one who flushes, and the end. Gives what was told, and the last sequence of
/// each who has come to know that its waves are committed.
fn all_at_once(disk: &SimulatedDisk) -> (Vec<(u64, bool)>, Vec<u64>) {
    let told = Told::default();
    let telling = Arc::clone(&told);
    let journal = Journal::open(disk.clone(), OPTIONS, move |settled: Settled<()>| {
        let done = settled.result.is_ok();
        let sequences = settled.waiters.iter().map(|(sequence, ())| (*sequence, done));
        telling.lock().expect("nobody panics").extend(sequences);
    });
    let journal = Arc::new(journal.expect("an empty disk"));
    let run = |work: fn(&Journal<SimulatedDisk, ()>) -> Result<u64, Refusal>| {
        let journal = Arc::clone(&journal);
        thread::spawn(move || work(&journal).ok())
    };
    let append = |journal: &Journal<SimulatedDisk, ()>| {
        let sequence = journal.append(&mut wave(), Some(())).map_err(|(refusal, _)| refusal)?;
        journal.wait(sequence)?;
        assert!(journal.safe() >= sequence);
        Ok(sequence)
    };
    let commit = |journal: &Journal<SimulatedDisk, ()>| {
        let last = journal.commit(&mut [wave(), wave()])?;
        assert!(journal.safe() >= last);
        Ok(last)
    };
    let flush = |journal: &Journal<SimulatedDisk, ()>| journal.flush().map(|()| 0);
    let all = [run(append), run(commit), run(flush), run(append), run(commit)];
    let done = all.map(|thread| thread.join().expect("nobody panics"));
    drop(journal.close());
    let told = told.lock().expect("nobody panics").clone();
    (told, done.into_iter().flatten().filter(|&sequence| sequence > 0).collect())
}

/// The sequences in the files.
fn read(disk: &SimulatedDisk) -> Vec<u64> {
    let mut waves = Vec::new();
    let mut reader = Reader::after(disk.clone(), 0).expect("it can be read");
    let read = reader.read(|event| {
        if let Event::Wave(wave) = event {
            waves.push(wave.sequence);
        }
        ControlFlow::Continue(())
    });
    read.expect("it can be read");
    waves
}

fn check(fault: Option<(Deed, i32)>) {
    shuttle::check_random(
        move || {
            let disk = SimulatedDisk::new(1);
            disk.fail_all(fault);
            let (told, done) = all_at_once(&disk);
            assert!(told.is_sorted_by(|(before, _), (after, _)| before < after), "{told:?}");
            let files = read(&disk);
            let committed = told.iter().filter(|(_, done)| *done).map(|(sequence, _)| sequence);
            for sequence in committed.chain(&done) {
                assert!(files.contains(sequence), "{sequence} of {files:?}");
            }
            if fault.is_none() {
                assert_eq!((told.len(), done.len(), files), (2, 4, (1..=6).collect()));
            } else {
                assert!(done.is_empty());
            }
        },
        SCHEDULES,
    );
}

#[test]
fn all_is_committed_and_told() {
    check(None);
}

#[test]
fn a_disk_that_is_full_refuses_all() {
    check(Some((Deed::Reserve, ENOSPC)));
}

#[test]
fn a_disk_that_breaks_refuses_all() {
    check(Some((Deed::Sync, EIO)));
}
