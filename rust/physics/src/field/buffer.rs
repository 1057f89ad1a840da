//! The buffer of a field: six columns of cells, each written once while somebody else can see it.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use super::Reading;
use crate::sync::{AtomicU32, AtomicU64};

/// A column of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Unix seconds, the bits of an `f64`.
    Timestamp,
    /// 0..1, the bits of an `f64`.
    Amplitude,
    /// Radians, the bits of an `f64`.
    Phase,
    /// Hertz, the bits of an `f64`.
    Frequency,
    /// The number of the channel, a `u32`.
    Channel,
    /// The number of the wave in its medium, a `u64`.
    Sequence,
}

/// The cells of some rows of a column.
#[derive(Debug)]
pub enum Cells<'a> {
    /// Of 64 bits.
    Wide(&'a [AtomicU64]),
    /// Of 32 bits.
    Narrow(&'a [AtomicU32]),
}

/// Room for rows.
#[derive(Debug)]
pub struct Buffer {
    timestamp: Box<[AtomicU64]>,
    amplitude: Box<[AtomicU64]>,
    phase: Box<[AtomicU64]>,
    frequency: Box<[AtomicU64]>,
    sequence: Box<[AtomicU64]>,
    channel: Box<[AtomicU32]>,
}

impl Buffer {
    pub fn new(room: usize) -> Self {
        let wide = || (0..room).map(|_| AtomicU64::new(0)).collect();
        Self {
            timestamp: wide(),
            amplitude: wide(),
            phase: wide(),
            frequency: wide(),
            sequence: wide(),
            channel: (0..room).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// How many rows there is room for.
    #[inline]
    pub fn room(&self) -> usize {
        self.channel.len()
    }

    /// Writes a row, which nobody has seen yet.
    #[inline]
    pub fn write(&self, row: usize, channel: u32, reading: &Reading) {
        self.timestamp[row].store(reading.timestamp.to_bits(), Relaxed);
        self.amplitude[row].store(reading.amplitude.to_bits(), Relaxed);
        self.phase[row].store(reading.phase.to_bits(), Relaxed);
        self.frequency[row].store(reading.frequency.to_bits(), Relaxed);
        self.sequence[row].store(reading.sequence, Relaxed);
        self.channel[row].store(channel, Relaxed);
    }

    /// Some rows of a column.
    pub fn cells(&self, column: Column, rows: Range<usize>) -> Cells<'_> {
        match column {
            Column::Timestamp => Cells::Wide(&self.timestamp[rows]),
            Column::Amplitude => Cells::Wide(&self.amplitude[rows]),
            Column::Phase => Cells::Wide(&self.phase[rows]),
            Column::Frequency => Cells::Wide(&self.frequency[rows]),
            Column::Sequence => Cells::Wide(&self.sequence[rows]),
            Column::Channel => Cells::Narrow(&self.channel[rows]),
        }
    }

    /// The numbers of the channels of some rows.
    pub fn numbers(&self, rows: Range<usize>) -> impl Iterator<Item = u32> {
        self.channel[rows].iter().map(|number| number.load(Relaxed))
    }

    /// A new buffer that begins with some rows of this one. `numbers`: the new numbers of its channels.
    pub fn copy(&self, rows: Range<usize>, room: usize, numbers: Option<&[u32]>) -> Self {
        let wide = |cells: &[AtomicU64]| {
            let old = cells[rows.clone()].iter().map(|cell| cell.load(Relaxed));
            old.chain(std::iter::repeat(0)).take(room).map(AtomicU64::new).collect()
        };
        let old = self.numbers(rows.clone()).map(|number| renumbered(number, numbers));
        Self {
            timestamp: wide(&self.timestamp),
            amplitude: wide(&self.amplitude),
            phase: wide(&self.phase),
            frequency: wide(&self.frequency),
            sequence: wide(&self.sequence),
            channel: old.chain(std::iter::repeat(0)).take(room).map(AtomicU32::new).collect(),
        }
    }

    /// Moves its last rows, at most half of all, to its front: nobody else sees the buffer.
    pub fn shift(&mut self, rows: Range<usize>, numbers: Option<&[u32]>) {
        for column in [
            &mut self.timestamp,
            &mut self.amplitude,
            &mut self.phase,
            &mut self.frequency,
            &mut self.sequence,
        ] {
            let (front, back) = column.split_at_mut(rows.start);
            front[..rows.len()].swap_with_slice(&mut back[..rows.len()]);
        }
        for (to, from) in rows.enumerate() {
            let number = self.channel[from].load(Relaxed);
            self.channel[to].store(renumbered(number, numbers), Relaxed);
        }
    }
}

fn renumbered(number: u32, numbers: Option<&[u32]>) -> u32 {
    numbers.map_or(number, |numbers| numbers[number as usize])
}
