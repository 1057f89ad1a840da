//! What was appended and is not committed yet: each record has its place already.

use crate::append::End;
use crate::disk::Disk;
use crate::header::Header;
use crate::log::Run;
use crate::record::{Encoded, Removed};
use crate::segment;

/// Runs that wait for their commit.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Of all segments.
    journal: u64,
    /// The size at which a segment is complete.
    limit: u64,
    /// The end of the segment that is written; `None`: the next record begins one.
    end: Option<End>,
    /// The sequence that was given last.
    last: u64,
    /// The base of the segment that was begun last, and the beginning of its identity.
    begun: (u64, u32),
    /// The first of the sequences that were given in vain, up to the last one; the next record tells so.
    in_vain: Option<u64>,
    runs: Vec<Run>,
    bytes: usize,
}

impl Queue {
    pub(crate) fn new(journal: u64, limit: u64, last: u64) -> Self {
        let begun = (0, 0);
        Self { journal, limit, end: None, last, begun, in_vain: None, runs: Vec::new(), bytes: 0 }
    }

    /// The last segment of the folder has this base, and an identity that begins so.
    pub(crate) fn goes_on_after(&mut self, begun: (u64, u32)) {
        self.begun = begun;
    }

    /// The sequence that was given last.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Gives a wave its sequence and its place.
    pub(crate) fn wave(&mut self, wave: &mut Encoded, disk: &impl Disk) -> u64 {
        self.tell_in_vain(disk);
        self.make_room(wave.size(), disk);
        self.last += 1;
        self.put(|end| end.wave(wave));
        self.last
    }

    /// Gives a note its place.
    pub(crate) fn note(&mut self, note: &mut Encoded, disk: &impl Disk) {
        self.tell_in_vain(disk);
        self.make_room(note.size(), disk);
        self.put(|end| end.note(note));
    }

    /// All that waits, and where it ends.
    pub(crate) fn take(&mut self) -> (Vec<Run>, Option<End>) {
        self.bytes = 0;
        (std::mem::take(&mut self.runs), self.end)
    }

    /// Nothing that waits will be committed, nor what was taken last: the sequences after `kept` were given in
    /// vain, and are not given again. The next record goes to `end`, or begins a segment.
    pub(crate) fn give_up(&mut self, kept: u64, end: Option<End>) {
        self.take();
        self.end = end;
        self.in_vain = (self.last > kept).then_some(kept + 1);
    }

    fn tell_in_vain(&mut self, disk: &impl Disk) {
        if let Some(first) = self.in_vain.take() {
            let mut note = Encoded::removed(Removed { first, last: self.last });
            self.make_room(note.size(), disk);
            self.put(|end| end.note(&mut note));
            self.end = self.end.map(|end| end.skip_to(self.last + 1));
        }
    }

    /// Sees to a segment with room for a record: a new one, if the other is full.
    fn make_room(&mut self, size: usize, disk: &impl Disk) {
        let full = |end: End| !end.is_new() && end.offset() + size as u64 > self.limit;
        if self.end.is_some_and(full) {
            let mut seal = Encoded::seal();
            self.put(|end| end.note(&mut seal));
            self.end = None;
        }
        if self.end.is_none() {
            let header = self.header(disk);
            let end = End::new(&header);
            self.runs.push(Run { begin: Some(header), offset: end.offset(), bytes: Vec::new() });
            self.end = Some(end);
        }
    }

    /// Puts a record at the end of the segment that has room for it.
    fn put<'a>(&mut self, place: impl FnOnce(&mut End) -> &'a [u8]) {
        let Some(end) = &mut self.end else { return };
        if self.runs.is_empty() {
            self.runs.push(Run { begin: None, offset: end.offset(), bytes: Vec::new() });
        }
        let bytes = place(end);
        self.bytes += bytes.len();
        if let Some(run) = self.runs.last_mut() {
            run.bytes.extend(bytes);
        }
    }

    fn header(&mut self, disk: &impl Disk) -> Header {
        let mut identity = [0; 16];
        identity[..8].copy_from_slice(&disk.random().to_le_bytes());
        identity[8..].copy_from_slice(&disk.random().to_le_bytes());
        let (base, created) = (self.last + 1, disk.now());
        let mut header = Header { identity, journal: self.journal, base, rewritten: 0, created };
        segment::after(&mut self.begun, &mut header);
        header
    }
}
