//! Tracing: which waves are followed, under which ids, and what was seen of them.
//!
//! - [`context`]: where a wave is in its trace, as the W3C writes it into a header.
//! - [`sampling`]: which waves without a parent begin a trace.
//! - [`spans`]: what was seen last, bounded.
//!
//! All of it is plain data: whoever owns it locks it.

pub mod context;
pub mod sampling;
pub mod spans;
