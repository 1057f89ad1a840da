//! What a field held at one moment, and its sums.

use std::ops::Range;
use std::sync::Arc as Name;
use std::sync::atomic::Ordering::Relaxed;

use super::buffer::{Buffer, Cells, Column};
use super::channels::Names;
use crate::sync::Arc;

/// The rows that a field held at one moment. They never change, and live as long as this does.
#[derive(Clone, Debug)]
pub struct Window {
    buffer: Arc<Buffer>,
    rows: Range<usize>,
    names: Names,
    recorded: u64,
}

impl Window {
    pub(super) fn new(
        buffer: Arc<Buffer>,
        rows: Range<usize>,
        names: Names,
        recorded: u64,
    ) -> Self {
        Self { buffer, rows, names, recorded }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many waves the field had recorded by then.
    pub fn recorded(&self) -> u64 {
        self.recorded
    }

    /// The names of the channels by number; some may have no row.
    pub fn channels(&self) -> &[Name<str>] {
        &self.names.by_number
    }

    /// Windows of one field that give the same here have the same [`Self::channels`].
    pub fn naming(&self) -> (u32, usize) {
        (self.names.renumbered, self.names.by_number.len())
    }

    /// A column.
    pub fn cells(&self, column: Column) -> Cells<'_> {
        self.buffer.cells(column, self.rows.clone())
    }

    fn numbers(&self, column: Column) -> impl Iterator<Item = f64> {
        let cells = match self.cells(column) {
            Cells::Wide(cells) => cells,
            Cells::Narrow(_) => &[],
        };
        cells.iter().map(|cell| f64::from_bits(cell.load(Relaxed)))
    }

    /// The sum of the squares of the amplitudes.
    pub fn energy(&self) -> f64 {
        self.numbers(Column::Amplitude).map(|amplitude| amplitude * amplitude).sum()
    }

    /// The same for each channel by its number; `None`: it has no row.
    pub fn energies(&self) -> Vec<Option<f64>> {
        let mut energies = vec![None; self.channels().len()];
        let channels = self.buffer.numbers(self.rows.clone());
        for (channel, amplitude) in channels.zip(self.numbers(Column::Amplitude)) {
            *energies[channel as usize].get_or_insert(0.0) += amplitude * amplitude;
        }
        energies
    }

    /// Waves per second from `now - seconds` (left out) to `now`, by their timestamps. Where the field has
    /// lost older waves of that time, the time that it can see counts.
    pub fn rate(&self, now: f64, seconds: f64) -> f64 {
        let (mut waves, mut first) = (0_u64, f64::INFINITY);
        for timestamp in self.numbers(Column::Timestamp) {
            let age = now - timestamp;
            waves += u64::from(age >= 0.0 && age < seconds);
            first = first.min(timestamp);
        }
        let forgetful = self.recorded > self.len() as u64;
        let seen = if forgetful && now > first { seconds.min(now - first) } else { seconds };
        waves as f64 / seen
    }
}
