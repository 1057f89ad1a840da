//! A field: the last `size` waves of a pattern, as columns of numbers.
//!
//! Contract:
//! - [`Field::record`] and [`Field::record_at`] add a row; both are the one writer's, who holds the field
//!   exclusively. They allocate when a buffer is full, once in `size` rows or more, and never otherwise.
//! - [`Field::window`] is what the field held at one moment: one contiguous run of rows in each column, and
//!   the names of the channels. It costs the same however large the field is. It may be read in any thread
//!   while the writer goes on, and never changes.
//! - Rows are in the order in which they were recorded.
//! - The names of channels are bounded as the rows are: those that no row refers to any more are forgotten
//!   when the buffer moves on, and then the others get new numbers, see [`Place`].
//!
//! The rows stand in a buffer that is larger than the field. Nothing that was written is written again: when
//! the buffer is full, the last `size` rows move on to a new one, or to the front of the same one if no
//! window is left on it.
//!
//! ```text
//! size 4, room for 8       0   1   2   3   4   5   6   7
//! before: full            [a] [b] [c] [d] [e  f   g   h]    windows on it keep this buffer
//! after: moved on         [e   f   g   h] [ ] [ ] [ ] [ ]   the next row is 4, the window 1..5 then
//! ```
//!
//! Why a reader needs no lock: the window's rows were written before it was made, by whoever handed it over
//! (under a lock, or in the same thread), and a row is written only once while somebody else holds its
//! buffer. Cells are atomics, so that a write beside them is none of the reader's business.

mod buffer;
mod channels;
mod window;

pub use buffer::{Cells, Column};
pub use window::Window;

use crate::sync::Arc;
use buffer::Buffer;
use channels::Channels;

/// The largest field.
pub const MAX_SIZE: usize = 1 << 24;

/// How many rows a buffer has room for at first.
const FIRST_ROOM: usize = 1024;

/// The least number of rows between two moves of a small field; as few as can be in models.
const LEAST_SLACK: usize = if cfg!(all(test, loom)) { 1 } else { 256 };

/// What is recorded of a wave, beside its channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// When the wave was made, in Unix seconds.
    pub timestamp: f64,
    /// 0..1.
    pub amplitude: f64,
    /// In radians.
    pub phase: f64,
    /// In hertz.
    pub frequency: f64,
    /// The number of the wave in its medium.
    pub sequence: u64,
}

/// The number of a channel in a field, until the field gives new numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    number: u32,
    /// How often the field had given new numbers.
    renumbered: u32,
}

/// The last waves of a pattern.
#[derive(Debug)]
pub struct Field {
    size: usize,
    buffer: Arc<Buffer>,
    /// How many rows of the buffer are written.
    end: usize,
    channels: Channels,
    /// How many rows stood before the first of the buffer.
    before: u64,
}

impl Field {
    /// An empty field of `size` rows, 1..=[`MAX_SIZE`].
    pub fn new(size: usize) -> Self {
        let room = FIRST_ROOM.min(full_room(size));
        Self {
            size,
            buffer: Arc::new(Buffer::new(room)),
            end: 0,
            channels: Channels::default(),
            before: 0,
        }
    }

    /// How many rows it keeps at most.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many rows it holds.
    pub fn len(&self) -> usize {
        self.end.min(self.size)
    }

    /// Whether nothing was recorded yet.
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// How many waves were recorded since the field was made.
    pub fn recorded(&self) -> u64 {
        self.before + self.end as u64
    }

    /// Adds a row; `channel` may be new to the field.
    pub fn record(&mut self, channel: &str, reading: &Reading) -> Place {
        self.make_room();
        let place = self.channels.place(channel);
        self.record_at(place, reading);
        place
    }

    /// Makes room for a row. False: the place is good no more, so the row has to be recorded by its name.
    #[inline]
    pub fn is_ready(&mut self, place: Place) -> bool {
        self.make_room();
        self.channels.knows(place)
    }

    /// Adds a row of a channel whose place is known, after [`Self::is_ready`].
    #[inline]
    pub fn record_at(&mut self, place: Place, reading: &Reading) {
        self.buffer.write(self.end, place.number, reading);
        self.end += 1;
    }

    /// What the field holds now.
    pub fn window(&mut self) -> Window {
        Window::new(
            Arc::clone(&self.buffer),
            self.end - self.len()..self.end,
            self.channels.names(),
            self.recorded(),
        )
    }

    #[inline]
    fn make_room(&mut self) {
        if self.end == self.buffer.room() {
            self.move_on();
        }
    }

    /// Moves the rows that are kept to the front of a buffer with room.
    #[cold]
    fn move_on(&mut self) {
        let kept = self.end - self.len()..self.end;
        let numbers = self.channels.forget_unused(|| self.buffer.numbers(kept.clone()));
        let room = full_room(self.size).min(2 * self.end);
        self.before += kept.start as u64;
        self.end = kept.len();
        match Arc::get_mut(&mut self.buffer) {
            Some(unshared) if unshared.room() == room => unshared.shift(kept, numbers.as_deref()),
            _ => self.buffer = Arc::new(self.buffer.copy(kept, room, numbers.as_deref())),
        }
    }
}

/// The room of a buffer that has grown: its move costs each row that it adds at most one copy.
fn full_room(size: usize) -> usize {
    size + size.max(LEAST_SLACK)
}
