//! Hashes of the router: seeded ones for text from outside, cheap ones for the
//! numbers that the router itself gave out.
//!
//! Every table of texts keeps 32 bits of the hash beside the number it holds: a
//! look-up touches the text only to confirm, and growing a table touches none.

use std::hash::{BuildHasher, Hasher};

use crate::seeds::Seeds;

/// A seeded hasher of texts; its copies agree.
#[derive(Clone)]
pub(super) struct TextHasher(Seeds);

impl TextHasher {
    pub(super) fn new() -> Self {
        Self(Seeds::default())
    }

    #[inline]
    pub(super) fn hash(&self, text: &str) -> u32 {
        let mut hasher = self.0.build_hasher();
        hasher.write(text.as_bytes());
        let hash = hasher.finish();
        (hash ^ (hash >> 32)) as u32
    }

    /// A number that another hasher is most unlikely to give.
    pub(super) fn random(&self) -> u64 {
        self.0.hash_one(0_u64)
    }
}

/// What a table of texts holds: a number, found by the hash of its text.
#[derive(Clone, Copy)]
pub(super) struct Numbered {
    pub(super) hash: u32,
    pub(super) number: u32,
}

impl Numbered {
    /// The hash of a table, which reads both ends of it.
    #[inline]
    pub(super) fn spread(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }
}

/// The hash of a pair of numbers, such as an edge of the trie.
#[inline]
pub(super) fn pair(first: u32, second: u32) -> u64 {
    let mixed = (u64::from(first) << 32 | u64::from(second)) ^ 0x243f_6a88_85a3_08d3;
    let product = u128::from(mixed) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
    (product >> 64) as u64 ^ product as u64
}
