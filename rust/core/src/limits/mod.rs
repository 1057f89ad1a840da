//! Limits on what passes: how much, how fast, and whether at all.
//!
//! - [`budget`]: no more retries than a share of what is tried.
//! - [`bucket`]: so many in a second, with bursts.
//! - [`circuit`]: nothing for a while, once too much of it has failed.
//!
//! All of it is plain data that is told the time: whoever owns it locks it.

pub mod bucket;
pub mod budget;
pub mod circuit;
mod window;
