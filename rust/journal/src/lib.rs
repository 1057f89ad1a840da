//! The durable, append-only history of Aether: waves on a disk, in the order of their sequence.
//!
//! A [`journal::Journal`] is written by one process; any number of [`reader::Reader`]s may read it.
//!
//! A journal is a folder of segments ([`header`]), each a run of records ([`record`]). [`scan`] reads one from
//! its front to its end, whatever happened to it. The format is written down for others in
//! `docs/journal-format.md`.
//!
//! Nothing here knows of Python, and nothing is unsafe. On systems other than Linux and macOS, a folder cannot be
//! opened: [`disk::Folder::new`] says so.
#![forbid(unsafe_code)]

pub mod append;
mod bytes;
mod channels;
mod check;
mod committing;
pub mod cursor;
pub mod disk;
pub mod filter;
pub mod header;
mod index;
pub mod journal;
mod keeper;
pub mod keeping;
mod known;
mod log;
mod measured;
mod missing;
mod opening;
mod options;
mod outline;
mod queue;
pub mod reader;
pub mod record;
pub mod reverse;
pub mod scan;
pub mod segment;
mod snapshot;
mod state;
mod sync;
#[cfg(test)]
mod tests;
