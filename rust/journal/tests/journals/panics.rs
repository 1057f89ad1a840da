//! What panics in the thread that commits fails the journal: nobody waits for ever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use aether_journal::disk::simulated::SimulatedDisk;
use aether_journal::journal::{Journal, Options, Refusal, Settled};

use crate::{OPTIONS, open, wave};

fn panicked(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Failed { error, .. } if error.to_string() == "a panic: told")
}

#[test]
fn whoever_waits_for_a_commit_that_panics_is_refused() {
    let disk = SimulatedDisk::new(1);
    // The first is told of while the second is appended; it panics then.
    let (entered, is_entered) = mpsc::channel();
    let (goes_on, may_go_on) = mpsc::channel::<()>();
    let (turn, may_go_on) = (AtomicUsize::new(0), Mutex::new(may_go_on));
    let refused = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&refused);
    let journal = Journal::open(disk.clone(), OPTIONS, move |settled: Settled<u64>| {
        if turn.fetch_add(1, Ordering::Relaxed) == 0 {
            entered.send(()).expect("the test waits");
            may_go_on.lock().expect("nobody else").recv().expect("the test lives");
            panic!("told");
        }
        let refusal = settled.result.expect_err("the journal has failed");
        assert!(panicked(&refusal), "{refusal}");
        heard.lock().expect("nobody panics").extend(settled.waiters);
    })
    .expect("an empty disk");
    journal.append(&mut wave(1), Some(10)).expect("there is room");
    is_entered.recv().expect("it is told of");
    journal.append(&mut wave(2), Some(20)).expect("there is room");
    goes_on.send(()).expect("it waits");
    assert!(panicked(&journal.wait(2).expect_err("it has failed")));
    assert!(panicked(&journal.flush().expect_err("it has failed")));
    let (refusal, waiter) = journal.append(&mut wave(3), Some(30)).expect_err("it has failed");
    assert!(panicked(&refusal) && waiter == Some(30));
    assert!(panicked(&journal.close().expect_err("it has failed")));
    assert_eq!(*refused.lock().expect("nobody panics"), [(2, 20)]);
    drop(journal);
    let journal = open(&disk, OPTIONS).expect("nobody else writes");
    assert_eq!(journal.last(), 1, "what was committed before is there");
}

#[test]
fn so_is_whoever_commits_in_its_own_thread() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 300, ..OPTIONS };
    let journal = open(&disk, options).expect("an empty disk");
    journal.on_complete(|| panic!("told"));
    let mut number = 0;
    let refusal = loop {
        number += 1;
        match journal.commit(&mut [wave(number)]) {
            Ok(_) if number < 100 => {}
            Ok(_) => panic!("no segment was complete"),
            Err(refusal) => break refusal,
        }
    };
    assert!(panicked(&refusal), "{refusal}");
    assert!(panicked(&journal.close().expect_err("it has failed")));
}
