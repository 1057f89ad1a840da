//! The journal as Python sees it: [`replay`] reads it, [`kept`] holds a wave that was read without the
//! interpreter, [`restore`] makes the Python object of it, [`columns`] takes its numbers alone.

mod columns;
mod kept;
mod replay;
mod restore;

pub use replay::PyJournalReader;
