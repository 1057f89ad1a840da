//! When what is known is written: the index of each segment that is complete, and from time to time a snapshot.
//!
//! A snapshot is written when so many waves have come as its interval says, and not before what was written since
//! the last one is [`WORTH`] times what a snapshot costs, where a sync counts as [`SYNC`] bytes. So snapshots take
//! at most some per cent of the disk's time, however many channels there are, and what has to be read at an opening
//! is at most so many times a snapshot. And one is written at the end.
//!
//! Neither is needed: what cannot be written is left out, and is tried again when the next one is due.

use std::io;

use crate::disk::Disk;
use crate::known::{Known, Open};
use crate::log::Run;
use crate::opening::Opened;
use crate::{index, snapshot};

/// How many times its cost has to be written between two snapshots.
const WORTH: u64 = 32;

/// As many bytes cost as much as a sync.
const SYNC: u64 = 256 * 1024;

/// Of its file, of the segment before it, and of the folder.
const SYNCS: u64 = 3;

/// Writes indexes and snapshots.
#[derive(Debug)]
pub(crate) struct Keeper<D> {
    disk: D,
    /// The identity of the journal.
    journal: u64,
    /// The least number of waves between two snapshots.
    interval: u64,
    /// How many have come since the last one, and what writing them has cost.
    waves: u64,
    work: u64,
    /// What the last snapshot has cost.
    price: u64,
    /// Something was committed, or read, since the last one.
    changed: bool,
    complete: Vec<Open>,
}

impl<D: Disk> Keeper<D> {
    /// After an opening, whose indexes are written, and whose snapshot at the next commit or at the end.
    pub(crate) fn new(disk: D, journal: u64, interval: u64, opened: &mut Opened) -> Self {
        let changed = opened.has_read;
        let due = if changed { u64::MAX } else { 0 };
        let complete = std::mem::take(&mut opened.read);
        let mut keeper = Self {
            disk,
            journal,
            interval,
            waves: due,
            work: due,
            price: SYNCS * SYNC,
            changed,
            complete,
        };
        keeper.write_indexes();
        keeper
    }

    /// These runs are committed. Whether segments are complete with them.
    pub(crate) fn committed(&mut self, known: &mut Known, runs: &[Run], synced: bool) -> bool {
        let before = known.last;
        self.complete.append(&mut known.take(runs));
        self.waves = self.waves.saturating_add(known.last - before);
        let bytes: usize = runs.iter().map(|run| run.bytes.len()).sum();
        self.work = self.work.saturating_add(bytes as u64 + if synced { SYNC } else { 0 });
        self.changed = true;
        !self.complete.is_empty()
    }

    /// Writes the indexes of segments that are complete.
    pub(crate) fn write_indexes(&mut self) {
        for Open { base, outline, .. } in self.complete.drain(..) {
            let segment = crate::segment::name_of(base, outline.identity);
            if outline.is_whole() && !index::is_there(&self.disk, &segment) {
                drop(index::write(&self.disk, &segment, &outline));
            }
        }
    }

    pub(crate) fn is_due(&self) -> bool {
        self.waves >= self.interval && self.work >= WORTH.saturating_mul(self.price)
    }

    pub(crate) fn has_changed(&self) -> bool {
        self.changed
    }

    /// A snapshot of what is known, all of which is durable; to be written without holding what is known.
    pub(crate) fn encode(&mut self, known: &Known) -> Vec<u8> {
        let bytes = snapshot::encode(self.journal, known, self.disk.now());
        self.price = bytes.len() as u64 + SYNCS * SYNC;
        (self.waves, self.work, self.changed) = (0, 0, false);
        bytes
    }

    /// Writes a snapshot.
    pub(crate) fn write(&self, snapshot: Vec<u8>) -> io::Result<()> {
        snapshot::write(&self.disk, snapshot)
    }

    /// Nothing more is written to the open segment.
    pub(crate) fn end(&mut self, known: &mut Known) {
        known.note_open(None);
        self.complete.extend(known.open.take());
    }
}
