//! Where the next record of a segment goes.

use crate::check::Seed;
use crate::header::{Header, RECORDS};
use crate::record::Encoded;

/// The end of a segment that is written: offsets and sequences are given here, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct End {
    seed: Seed,
    offset: u64,
    /// The sequence of the next wave.
    next: u64,
}

impl End {
    /// Of a segment without records.
    pub fn new(header: &Header) -> Self {
        Self::at(header, RECORDS, header.base)
    }

    /// Of one that has some: after `offset`, and before the wave `next`.
    pub fn at(header: &Header, offset: u64, next: u64) -> Self {
        Self { seed: header.seed(), offset, next }
    }

    /// The same, where the sequences up to `next` were given in vain.
    pub(crate) fn skip_to(self, next: u64) -> Self {
        Self { next, ..self }
    }

    /// Whether it has no record yet.
    pub(crate) fn is_new(&self) -> bool {
        self.offset == RECORDS
    }

    /// The first byte after the last record.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The sequence of the next wave.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Gives a wave its sequence and its place; returns the bytes that stand there.
    pub fn wave<'a>(&mut self, wave: &'a mut Encoded) -> &'a [u8] {
        let sequence = self.next;
        self.next += 1;
        self.put(wave, sequence)
    }

    /// Gives a note its place.
    pub fn note<'a>(&mut self, note: &'a mut Encoded) -> &'a [u8] {
        self.put(note, self.next - 1)
    }

    /// Gives a wave that has its sequence already a place, in a segment that is written anew.
    pub fn again<'a>(&mut self, wave: &'a mut Encoded, sequence: u64) -> &'a [u8] {
        self.next = sequence.saturating_add(1);
        self.put(wave, sequence)
    }

    fn put<'a>(&mut self, record: &'a mut Encoded, sequence: u64) -> &'a [u8] {
        let seeded = self.seed.at(self.offset);
        self.offset += record.size() as u64;
        record.place(seeded, sequence)
    }
}
