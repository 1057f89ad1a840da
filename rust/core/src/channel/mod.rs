//! Names of channels and patterns: what may be written, and what it means.
//!
//! A channel is 1..32 tokens joined by `.`, at most 1024 bytes of UTF-8. A token
//! is one or more characters other than `.`, white space and control characters.
//! Case matters; nothing is trimmed or normalised. A pattern is the same with
//! wildcards, which are always whole tokens:
//!
//! | written | where | takes |
//! |---|---|---|
//! | `*` or `>` | last | one or more tokens |
//! | `*` | before the end | exactly one token |
//! | `+` | anywhere | exactly one token |
//!
//! [`check_channel`] admits concrete channels only and is on the path of every
//! emission: one pass over the bytes, no allocation. [`Pattern::parse`] admits
//! both and keeps the spelling beside the canonical form. Both refuse with a
//! [`Fault`], which is small and knows the token; its text is made only when
//! somebody reads it.
//!
//! [`relate`] says how two patterns stand to each other. It is the plain truth
//! against which the router is tested.

mod check;
mod fault;
mod pattern;
pub mod relate;

pub use check::{check_channel, check_token};
pub use fault::{Fault, FaultKind};
pub use pattern::Pattern;
pub use relate::{covers, matches, overlaps};

/// The most tokens that any name can have, whatever its [`Limits`]: the size of
/// the arrays on the stack of whoever walks a name.
pub const MAX_TOKENS: usize = 34;

/// How long a name may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tokens; more than [`MAX_TOKENS`] counts as [`MAX_TOKENS`].
    pub max_tokens: usize,
    /// Bytes of UTF-8, dots included.
    pub max_bytes: usize,
}

impl Limits {
    /// What people write: 32 tokens, 1024 bytes.
    pub const DEFAULT: Self = Self { max_tokens: 32, max_bytes: 1024 };

    /// The limits for a channel that the library derives from one within these:
    /// room for two tokens and 64 bytes more.
    #[must_use]
    pub const fn derived(self) -> Self {
        Self { max_tokens: self.max_tokens + 2, max_bytes: self.max_bytes + 64 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
