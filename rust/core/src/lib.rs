//! The core of Aether: channels, routes, mailboxes and the medium, without an interpreter.
//!
//! The core never sees a payload: a wave is an opaque `T`, its numbers come beside it. It owns no thread,
//! does no I/O and runs no foreign code under its lock: wakers and waves that are let go are handed out in
//! an [`medium::Aftermath`], for the caller to run and drop once the lock is gone.
//!
//! - [`channel`]: names and patterns, and how they relate.
//! - [`router`]: which mailboxes a channel reaches.
//! - [`mailbox`]: what waits for one reader, in which order, and what goes when it is full.
//! - [`medium`]: emitting, taking, waiting and closing; the one lock.
//! - [`limits`]: so many in a second; nothing for a while, once too much has failed.
//! - [`times`]: how long waves wait and are handled.
//! - [`trace`]: which waves are followed, and what was seen of them.
#![forbid(unsafe_code)]

pub mod channel;
pub mod clock;
pub mod decay;
pub mod histogram;
pub mod limits;
pub mod mailbox;
pub mod medium;
pub mod reason;
pub mod router;
mod seeds;
pub mod sync;
#[cfg(all(test, loom))]
mod tests;
pub mod times;
pub mod trace;
pub mod wave;
