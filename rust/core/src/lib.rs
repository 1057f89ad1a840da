//! Channels, routes, mailboxes and the medium of Aether, without an interpreter.
#![forbid(unsafe_code)]

pub mod channel;
pub mod router;
