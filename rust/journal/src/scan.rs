//! Reading a segment from its front to its end, whatever happened to it.
//!
//! Contract:
//! - Every sound record is found, in order, also behind damage; nothing else is ever taken for one.
//! - What is between sound records is reported as [`Found::Damage`], each stretch once, with its first byte and
//!   the one after its last.
//! - It never panics, and allocates no more than the largest sound record, whatever the bytes are.
//!
//! After damage, the next record is looked for at each multiple of 8: a head that is sound there costs one look
//! at a byte, and a check of 44 bytes where that byte is not 0. A record counts there if its body is sound too.

use std::io;
use std::ops::Range;

use crate::check::Seed;
use crate::header::{Header, RECORDS};
use crate::record::{ALIGNMENT, HEAD, Head, Record};

/// Where bytes come from.
pub trait Source {
    /// Reads into the buffer from `offset` on; returns how many bytes: perhaps fewer than there are, but 0 only where
    /// there are none.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Fills the buffer from `offset` on, as far as there are bytes; returns how many.
pub(crate) fn fill(source: &impl Source, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(left) = buffer.get_mut(filled..).filter(|left| !left.is_empty()) {
        match source.read_at(offset + filled as u64, left)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

impl Source for [u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let there = &self[from..];
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buffer)
    }
}

/// How many bytes are read at once: at first, and at most.
const BLOCK: (usize, usize) = (4 * 1024, 256 * 1024);

/// What stands next in a segment.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<'a> {
    /// A sound record, and where it begins.
    Record {
        /// Its first byte.
        offset: u64,
        /// All of it.
        bytes: &'a [u8],
        /// What it says.
        record: Record<'a>,
    },
    /// Bytes that are no record. With nothing behind them, they may be a write that was cut off.
    Damage(Range<u64>),
}

/// Reads the records of a segment.
#[derive(Debug)]
pub struct Scan<S> {
    source: S,
    seed: Seed,
    /// What was read of the source, from `start` on, in its first `filled` bytes.
    buffer: Vec<u8>,
    filled: usize,
    start: u64,
    /// How many bytes are read next.
    block: usize,
    /// The source has no more.
    ended: bool,
    /// The next byte to be looked at.
    next: u64,
}

impl<S: Source> Scan<S> {
    /// From the first record on.
    pub fn new(source: S, header: &Header) -> Self {
        Self::from(source, header, RECORDS)
    }

    /// From a place where a record begins.
    pub fn from(source: S, header: &Header, offset: u64) -> Self {
        let seed = header.seed();
        Self {
            source,
            seed,
            buffer: Vec::new(),
            filled: 0,
            start: offset,
            block: BLOCK.0,
            ended: false,
            next: offset,
        }
    }

    /// The place up to which it has read.
    pub fn offset(&self) -> u64 {
        self.next
    }

    /// How much memory it holds: of what it has read, and a block.
    pub fn held(&self) -> usize {
        self.buffer.capacity()
    }

    /// Whether it has read everything that the source had when it looked last.
    pub(crate) fn is_at_end(&self) -> bool {
        self.ended && self.next == self.end()
    }

    /// Reads again from a place where a record may begin.
    pub(crate) fn go_back(&mut self, offset: u64) {
        (self.next, self.start, self.filled, self.ended) = (offset, offset, 0, false);
    }

    /// What stands next; `None`: the segment ends here.
    #[expect(clippy::should_implement_trait, reason = "what it gives borrows its buffer")]
    pub fn next(&mut self) -> io::Result<Option<Found<'_>>> {
        let begin = self.next;
        loop {
            if !self.has(self.next, 1)? {
                return Ok((self.next > begin).then_some(Found::Damage(begin..self.next)));
            }
            match self.look()? {
                Look::Sound(_) if self.next > begin => {
                    // The record comes with the next call.
                    return Ok(Some(Found::Damage(begin..self.next)));
                }
                Look::Sound(size) => {
                    self.next += size as u64;
                    let from = (begin - self.start) as usize;
                    let bytes = &self.buffer[from..from + size];
                    let record = Record::of(bytes);
                    return Ok(Some(Found::Record { offset: begin, bytes, record }));
                }
                // Its length can be trusted: it is in the head.
                Look::Body(size) => self.next += size as u64,
                Look::Nothing => self.skip()?,
            }
        }
    }

    /// Goes on to the next place where a record may begin.
    fn skip(&mut self) -> io::Result<()> {
        self.next += ALIGNMENT as u64;
        if !self.has(self.next, 1)? {
            // The last bytes are damage up to the very end.
            self.next = self.end();
        }
        Ok(())
    }

    /// What stands at the next byte.
    fn look(&mut self) -> io::Result<Look> {
        let offset = self.next;
        if !self.has(offset, HEAD)? {
            return Ok(Look::Nothing);
        }
        let seed = self.seed;
        let bytes = &self.buffer[(offset - self.start) as usize..self.filled];
        let Some(head) = Head::read(bytes, || seed.at(offset)) else { return Ok(Look::Nothing) };
        let size = head.size();
        if !self.has(offset, size)? {
            return Ok(Look::Nothing);
        }
        let from = (offset - self.start) as usize;
        let sound = Record::is_sound(&self.buffer[from..from + size]);
        Ok(if sound { Look::Sound(size) } else { Look::Body(size) })
    }

    /// Whether so many bytes are there from a place on, in the buffer then.
    fn has(&mut self, offset: u64, count: usize) -> io::Result<bool> {
        loop {
            let end = self.end();
            if offset + count as u64 <= end {
                return Ok(true);
            }
            if self.ended {
                return Ok(false);
            }
            self.read_on(offset.min(end))?;
        }
    }

    /// The first byte that was not read yet.
    fn end(&self) -> u64 {
        self.start + self.filled as u64
    }

    /// Reads one block more, and forgets what stands before `from`.
    fn read_on(&mut self, from: u64) -> io::Result<()> {
        // What the call in progress has still to give back begins no earlier than this.
        let gone = (from.min(self.next) - self.start) as usize;
        self.buffer.copy_within(gone..self.filled, 0);
        self.start += gone as u64;
        self.filled -= gone;
        let room = self.filled + self.block;
        self.buffer.resize(room.max(self.buffer.len()), 0);
        self.block = (2 * self.block).min(BLOCK.1);
        let count = self.source.read_at(self.end(), &mut self.buffer[self.filled..room])?;
        self.filled += count;
        self.ended = count == 0;
        Ok(())
    }
}

/// What stands at a place.
enum Look {
    /// A record of so many bytes.
    Sound(usize),
    /// A head of a record of so many bytes, whose body is damaged.
    Body(usize),
    /// No record.
    Nothing,
}
