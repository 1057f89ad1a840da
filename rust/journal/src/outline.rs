//! What is known of a segment without reading it: where its waves begin, block by block, of which times they are,
//! and which channels occur. It can always be made again from the segment.

use std::ops::{Range, RangeInclusive};

use crate::bytes::{cut, cut_f64, cut_u32, cut_u64};
use crate::channels::Channels;
use crate::filter::Filter;
use crate::header::{Header, RECORDS};
use crate::missing::Ranges;
use crate::record::Record;

/// A block ends with the record in which it reaches this size.
const BLOCK: u64 = 64 * 1024;

/// The least and the greatest of no times.
const NO_TIMES: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);

/// With one more time. A NaN is wanted by nobody, and counts as none.
fn wider((from, to): (f64, f64), time: f64) -> (f64, f64) {
    (from.min(time), to.max(time))
}

/// Records that stand side by side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Block {
    /// Where its first record begins.
    pub(crate) offset: u64,
    /// The first wave from there on, in this block or a later one; the greatest number: none.
    pub(crate) sequence: u64,
    /// The least and the greatest time of its waves; infinite and minus infinite: it has none.
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// What is known of a segment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outline {
    pub(crate) identity: [u8; 16],
    /// The first byte behind the last sound record.
    pub(crate) end: u64,
    /// How many waves there are.
    pub(crate) waves: u64,
    /// The least and the greatest time of its waves; infinite and minus infinite: it has none.
    pub(crate) times: (f64, f64),
    /// The wave that is to come next.
    next: u64,
    /// The greatest sequence that is told to be taken out.
    last_removed: u64,
    pub(crate) removed: Vec<RangeInclusive<u64>>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) channels: Channels,
    /// Bytes that are no record were found, or a wave out of order.
    damaged: bool,
    /// Sequences that were left out.
    jumps: Vec<RangeInclusive<u64>>,
}

impl Outline {
    /// Of a segment without records.
    pub(crate) fn new(header: &Header) -> Self {
        Self {
            identity: header.identity,
            end: RECORDS,
            waves: 0,
            times: NO_TIMES,
            next: header.base,
            last_removed: 0,
            removed: Vec::new(),
            blocks: Vec::new(),
            channels: Channels::default(),
            damaged: false,
            jumps: Vec::new(),
        }
    }

    /// The sequence that was given last in it, or is told to be taken out.
    pub(crate) fn last(&self) -> u64 {
        self.last_removed.max(self.next.saturating_sub(1))
    }

    /// The next record, and where it begins. Its channel is added by who knows whether it is new.
    #[inline]
    pub(crate) fn take(&mut self, offset: u64, record: &Record<'_>) {
        if self.blocks.last().is_none_or(|block| offset - block.offset >= BLOCK) {
            let (sequence, (from, to)) = (u64::MAX, NO_TIMES);
            self.blocks.push(Block { offset, sequence, from, to });
        }
        match *record {
            Record::Wave(wave) => {
                self.damaged |= wave.sequence < self.next;
                self.jump_to(wave.sequence);
                self.next = wave.sequence + 1;
                self.waves += 1;
                for block in self.blocks.iter_mut().rev().take_while(|b| b.sequence == u64::MAX) {
                    block.sequence = wave.sequence;
                }
                if let Some(block) = self.blocks.last_mut() {
                    (block.from, block.to) = wider((block.from, block.to), wave.time);
                }
                self.times = wider(self.times, wave.time);
            }
            Record::Removed(removed) => {
                self.last_removed = self.last_removed.max(removed.last);
                self.removed.push(removed.range());
            }
            Record::Seal { sequence } => self.jump_to(sequence.saturating_add(1)),
            Record::Acknowledged { .. } | Record::Unknown { .. } => {}
        }
    }

    fn jump_to(&mut self, sequence: u64) {
        if sequence <= self.next {
            return;
        }
        self.jumps.push(self.next..=sequence - 1);
        self.next = sequence;
    }

    /// There are bytes that are no record.
    pub(crate) fn take_damage(&mut self) {
        self.damaged = true;
    }

    /// Whether nothing is missing in it. Only then may a part of it be passed over: what is missing might be
    /// wanted.
    pub(crate) fn is_whole(&self) -> bool {
        let removed: Ranges = self.removed.iter().cloned().collect();
        let end = |jump: &RangeInclusive<u64>| jump.end().saturating_add(1);
        let covered =
            |jump: &RangeInclusive<u64>| removed.uncovered(*jump.start(), end(jump)).is_empty();
        !self.damaged && self.jumps.iter().all(covered)
    }

    /// The blocks in which waves may be that a filter takes, and come no earlier than `next`; `None`: there are
    /// none.
    pub(crate) fn wanted(&self, filter: &Filter, next: u64) -> Option<Range<usize>> {
        let pattern = filter.pattern.as_ref();
        if self.last() < next || pattern.is_some_and(|pattern| !self.channels.may_have(pattern)) {
            return None;
        }
        let from = self.blocks.partition_point(|block| block.sequence <= next).saturating_sub(1);
        let wanted = |block: &Block| {
            filter.since.is_none_or(|since| block.to >= since)
                && filter.until.is_none_or(|until| block.from < until)
                && filter.before.is_none_or(|before| block.sequence < before)
        };
        let first = from + self.blocks[from..].iter().position(wanted)?;
        let last = first + self.blocks[first..].iter().rposition(wanted)?;
        Some(first..last + 1)
    }

    /// The bytes of blocks.
    pub(crate) fn bytes(&self, blocks: Range<usize>) -> Range<u64> {
        let at = |number: usize| self.blocks.get(number).map_or(self.end, |block| block.offset);
        at(blocks.start)..at(blocks.end)
    }

    /// The first wave from a block on, or the one after the last.
    pub(crate) fn sequence(&self, block: usize) -> u64 {
        let sequence = self.blocks.get(block).map_or(u64::MAX, |block| block.sequence);
        sequence.min(self.last().saturating_add(1))
    }

    /// Only of one that is whole.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.identity);
        for number in [self.end, self.waves, self.next] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend((self.removed.len() as u32).to_le_bytes());
        bytes.extend((self.blocks.len() as u32).to_le_bytes());
        for removed in &self.removed {
            bytes.extend(removed.start().to_le_bytes());
            bytes.extend(removed.end().to_le_bytes());
        }
        for block in &self.blocks {
            bytes.extend(block.offset.to_le_bytes());
            bytes.extend(block.sequence.to_le_bytes());
            bytes.extend(block.from.to_le_bytes());
            bytes.extend(block.to.to_le_bytes());
        }
        self.channels.encode(bytes);
    }

    pub(crate) fn cut(left: &mut &[u8]) -> Option<Self> {
        let identity = cut(left, 16)?.try_into().ok()?;
        let (end, waves, next) = (cut_u64(left)?, cut_u64(left)?, cut_u64(left)?);
        let (removed, blocks) = (cut_u32(left)?, cut_u32(left)?);
        let removed = (0..removed).map(|_| Some(cut_u64(left)?..=cut_u64(left)?));
        let removed = removed.collect::<Option<Vec<RangeInclusive<u64>>>>()?;
        let blocks = (0..blocks).map(|_| {
            let (offset, sequence) = (cut_u64(left)?, cut_u64(left)?);
            Some(Block { offset, sequence, from: cut_f64(left)?, to: cut_f64(left)? })
        });
        let blocks = blocks.collect::<Option<Vec<Block>>>()?;
        let channels = Channels::cut(left)?;
        let last_removed = removed.iter().map(|removed| *removed.end()).max().unwrap_or(0);
        let wide = |(from, to): (f64, f64), block: &Block| (from.min(block.from), to.max(block.to));
        let times = blocks.iter().fold(NO_TIMES, wide);
        let (damaged, jumps) = (false, Vec::new());
        let cut = Self {
            identity,
            end,
            waves,
            times,
            next,
            last_removed,
            removed,
            blocks,
            channels,
            damaged,
            jumps,
        };
        cut.holds_together().then_some(cut)
    }

    /// Whether it can be that of a segment: whoever goes by it may subtract.
    fn holds_together(&self) -> bool {
        let first = self.blocks.first().map_or(self.end, |block| block.offset);
        let ordered = |pair: &[Block]| {
            pair[0].offset < pair[1].offset && pair[0].sequence <= pair[1].sequence
        };
        let last = self.blocks.last().map_or(0, |block| block.offset);
        RECORDS <= first
            && last < self.end
            && self.blocks.windows(2).all(ordered)
            && self.removed.iter().all(|removed| removed.start() <= removed.end())
    }
}

#[cfg(test)]
mod tests;
