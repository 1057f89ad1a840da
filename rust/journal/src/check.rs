//! Checks: CRC32C (Castagnoli, RFC 3720 appendix B.4) that begin with where they belong.
//!
//! The check of a record takes in the identity of its segment and its offset there before its bytes. So neither
//! the bytes of an earlier use of the same disk blocks, nor a record that somebody carries as a payload, nor one
//! that was moved, is ever taken for a record.

/// What every check in one segment begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn of(identity: [u8; 16]) -> Self {
        Self(crc32c::crc32c(&identity))
    }

    /// What the checks of the record at this offset begin with.
    #[inline]
    pub(crate) fn at(self, offset: u64) -> Seeded {
        Seeded(crc32c::crc32c_append(self.0, &offset.to_le_bytes()))
    }
}

/// A check that has taken in where its record stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeded(u32);

impl Seeded {
    /// The check of these bytes.
    #[inline]
    pub(crate) fn check(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

/// The check of what stands at a fixed place and carries its own identity.
pub(crate) fn plain(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}
