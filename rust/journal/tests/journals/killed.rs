//! A process that is killed while it writes: what it was told is committed is there, in order, once.
//!
//! The test starts itself as that process, which writes and says what was committed; it is killed at a random
//! moment, again and again, with the same journal.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use aether_journal::disk::Folder;
use aether_journal::disk::simulated::Dice;
use aether_journal::journal::{Journal, Options, Settled};
use aether_journal::keeping::unwatched;
use aether_journal::keeping::verify::verify;

use crate::{OPTIONS, all, wave};

/// Where the killed process finds the folder.
const FOLDER: &str = "AETHER_KILLED";

/// Rounds, unless `AETHER_TORTURE` asks for many.
const ROUNDS: usize = 30;

#[test]
fn what_was_committed_survives_a_kill() {
    let rounds = if env::var_os("AETHER_TORTURE").is_some() { 1_000 } else { ROUNDS };
    let path = env::temp_dir().join(format!("aether-killed-{}", std::process::id()));
    let mut dice = Dice::new(7);
    let mut committed = 0;
    for round in 0..rounds {
        let told = killed_after(&path, Duration::from_micros(dice.below(60_000) as u64));
        committed = committed.max(told);
        let folder = Folder::new(&path).expect("it is there");
        let read = all(&folder);
        // `all` checks each payload too.
        let last = read.waves.last().copied().unwrap_or(0);
        assert!(read.waves.iter().copied().eq(1..=last), "round {round}: {read:?}");
        assert!(last >= committed, "round {round}: {committed} were committed, {last} are there");
        // A write that was cut off leaves bytes that are no record, and no wave is missing there.
        let report = verify(&folder, &mut unwatched).expect("it can be read");
        assert!(report.is_sound(), "round {round}: {report:?}");
    }
    assert!(committed > 0, "it has come to write");
    fs::remove_dir_all(path).expect("it is there");
}

/// The greatest sequence that was told to be committed by a process that was killed after a while.
fn killed_after(path: &PathBuf, while_writing: Duration) -> u64 {
    let mut process = Command::new(env::current_exe().expect("this runs"))
        .args(["--exact", "killed::writes_until_it_is_killed", "--nocapture"])
        .env(FOLDER, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it can be started");
    let mut said = BufReader::new(process.stdout.take().expect("it is piped")).lines();
    // From its first word on, which is that it writes.
    let begun = said.by_ref().map_while(Result::ok).any(|line| line == "writing");
    assert!(begun, "it writes until it is killed");
    thread::sleep(while_writing);
    process.kill().expect("it runs");
    process.wait().expect("it was killed");
    let numbers = said.map_while(Result::ok).filter_map(|line| line.parse().ok());
    numbers.max().unwrap_or(0)
}

/// Not a test by itself: what is killed.
#[test]
fn writes_until_it_is_killed() {
    let Some(path) = env::var_os(FOLDER) else { return };
    let options = Options { segment_bytes: 20_000, ..OPTIONS };
    let folder = Folder::new(PathBuf::from(path)).expect("it can be made");
    let told = |settled: Settled<()>| {
        if settled.result.is_ok() {
            settled.waiters.iter().for_each(|(sequence, ())| say(&sequence.to_string()));
        }
    };
    let journal = Journal::open(folder, options, told).expect("who had it was killed");
    say("writing");
    for number in journal.last() + 1.. {
        // Some are committed by this thread, some by the journal's.
        if number % 11 == 0 {
            let sequence = journal.commit(&mut [wave(number)]).expect("a disk without faults");
            say(&sequence.to_string());
            continue;
        }
        journal.append(&mut wave(number), Some(())).expect("there is room");
        if number % 7 == 0 {
            journal.wait(number).expect("a disk without faults");
        }
    }
}

/// A line, at once.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap_or(());
}
