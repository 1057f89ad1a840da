//! When a snapshot is written: beside the rule of `docs/journal-format.md`, commit by commit.

use aether_journal::disk::Disk;
use aether_journal::disk::simulated::{Deed, SimulatedDisk};
use aether_journal::journal::{Durability, Options};

use crate::{OPTIONS, open, wave};

/// As many bytes cost as much as a sync.
const SYNC: u64 = 256 * 1024;

/// The size of the newest snapshot, and how many were written.
fn snapshots(disk: &SimulatedDisk) -> (u64, usize) {
    let mut names = disk.names().expect("it can be read");
    names.retain(|name| name.ends_with(".snapshot"));
    names.sort();
    let size = names.last().and_then(|name| disk.bytes(name)).map_or(0, |bytes| bytes.len());
    // Nothing else is given another name.
    let written = disk.deeds().iter().filter(|deed| **deed == Deed::Rename).count();
    (size as u64, written)
}

/// Commits so many batches of waves, and says after which of them a snapshot was written; and by the rule.
fn written(options: Options, batches: usize, waves: u64) -> (Vec<usize>, Vec<usize>) {
    let disk = SimulatedDisk::new(1);
    let journal =
        open(&disk, Options { segment_bytes: 1 << 20, ..options }).expect("an empty disk");
    let (mut real, mut ruled, mut count) = (Vec::new(), Vec::new(), 0);
    let (mut since, mut work, mut price) = (0, 0, 3 * SYNC);
    for batch in 0..batches {
        let mut all: Vec<_> = (0..waves).map(wave).collect();
        let bytes: usize = all.iter().map(aether_journal::record::Encoded::size).sum();
        journal.commit(&mut all).expect("there is room");
        since += waves;
        work += bytes as u64;
        work += if options.durability == Durability::Sync { SYNC } else { 0 };
        let (size, now) = snapshots(&disk);
        if now > count {
            real.push(batch);
            count = now;
        }
        if since >= options.snapshot_interval && work >= 32 * price {
            ruled.push(batch);
            (since, work, price) = (0, 0, size + 3 * SYNC);
        }
    }
    (real, ruled)
}

#[test]
fn a_snapshot_is_written_when_it_is_worth_it_and_so_many_waves_have_come() {
    for (interval, durability, batches, waves) in [
        (1, Durability::Sync, 220, 1),
        (150, Durability::Sync, 400, 1),
        (400, Durability::Sync, 250, 2),
        (100, Durability::Sync, 250, 30),
        // Without syncs, 24 MiB have to be written.
        (1, Durability::Written, 600, 4),
    ] {
        let options = Options { snapshot_interval: interval, durability, ..OPTIONS };
        let (real, ruled) = written(options, batches, waves);
        assert_eq!(real, ruled, "each {interval}, {waves} at once, {durability:?}");
        assert_eq!(ruled.is_empty(), durability == Durability::Written);
    }
}

#[test]
fn what_is_usual_is_what_is_said() {
    let Options { segment_bytes, durability, pending_bytes, snapshot_interval } =
        Options::default();
    assert_eq!((segment_bytes, pending_bytes), (64 * 1024 * 1024, 64 * 1024 * 1024));
    assert_eq!((durability, snapshot_interval), (Durability::Sync, 1_000));
}
