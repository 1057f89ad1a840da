//! The head of a segment: what it is, and where its records stand in the journal.
//!
//! ```text
//! offset  size
//!      0     8  "aetherJ1"
//!      8     4  version of the format: 1
//!     12     4  how often the segment was written anew (compaction)
//!     16    16  identity of the segment, at random: every check in it begins with this
//!     32     8  identity of the journal, at random: the same in all of its segments
//!     40     8  base: the least sequence that may stand in it
//!     48     8  when it was made, in Unix seconds (f64)
//!     56     4  0 in the first copy, 1 in the second
//!     60     4  CRC32C of the bytes before
//! ```
//! It stands there twice, one copy after the other; the first that is sound counts. Records begin at
//! [`RECORDS`]. Numbers are little endian, here as everywhere.

use crate::bytes::{f64_at, u32_at, u64_at};
use crate::check::{self, Seed};

const MAGIC: &[u8; 8] = b"aetherJ1";

/// The version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// The size of one copy.
const COPY: usize = 64;

/// The offset of the first record.
pub const RECORDS: u64 = 2 * COPY as u64;

/// The head of a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// At random, of this segment alone.
    pub identity: [u8; 16],
    /// At random, the same in all segments of a journal.
    pub journal: u64,
    /// The least sequence that may stand in it.
    pub base: u64,
    /// How often it was written anew.
    pub rewritten: u32,
    /// When it was made, in Unix seconds.
    pub created: f64,
}

/// Why a head cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// Neither copy is sound: the file is no segment, or its first 128 bytes are damaged.
    #[error("neither copy of its head is sound")]
    Damaged,
    /// A sound head of a version that this library does not know.
    #[error(
        "its format is of version {0}, and this library reads version 1; read it with a newer one"
    )]
    Version(u32),
}

impl Header {
    /// Both copies.
    pub fn encoded(&self) -> [u8; RECORDS as usize] {
        let mut bytes = [0; RECORDS as usize];
        for (number, copy) in (0_u32..).zip(bytes.chunks_exact_mut(COPY)) {
            copy[0..8].copy_from_slice(MAGIC);
            copy[8..12].copy_from_slice(&VERSION.to_le_bytes());
            copy[12..16].copy_from_slice(&self.rewritten.to_le_bytes());
            copy[16..32].copy_from_slice(&self.identity);
            copy[32..40].copy_from_slice(&self.journal.to_le_bytes());
            copy[40..48].copy_from_slice(&self.base.to_le_bytes());
            copy[48..56].copy_from_slice(&self.created.to_le_bytes());
            copy[56..60].copy_from_slice(&number.to_le_bytes());
            let sum = check::plain(&copy[..60]);
            copy[60..64].copy_from_slice(&sum.to_le_bytes());
        }
        bytes
    }

    /// Reads the head from the first bytes of a file, which may be too few.
    pub fn read(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let copies = (0..2).filter_map(|number| {
            let copy = bytes.get(COPY * number..COPY * (number + 1))?;
            let sound = copy[0..8] == *MAGIC
                && u32_at(copy, 56) as usize == number
                && u32_at(copy, 60) == check::plain(&copy[..60]);
            sound.then_some(copy)
        });
        let mut newer = None;
        for copy in copies {
            let version = u32_at(copy, 8);
            if version != VERSION {
                newer = Some(version);
                continue;
            }
            let mut identity = [0; 16];
            identity.copy_from_slice(&copy[16..32]);
            return Ok(Self {
                identity,
                journal: u64_at(copy, 32),
                base: u64_at(copy, 40),
                rewritten: u32_at(copy, 12),
                created: f64_at(copy, 48),
            });
        }
        Err(newer.map_or(HeaderFault::Damaged, HeaderFault::Version))
    }

    /// What it may have been, where neither copy is sound: with the identity of each.
    pub(crate) fn guesses(bytes: &[u8], base: u64) -> impl Iterator<Item = Self> + '_ {
        bytes.chunks_exact(COPY).take(2).map(move |copy| {
            let mut identity = [0; 16];
            identity.copy_from_slice(&copy[16..32]);
            let (journal, created) = (u64_at(copy, 32), f64_at(copy, 48));
            Self { identity, journal, base, rewritten: 0, created }
        })
    }

    /// What the checks in this segment begin with.
    pub(crate) fn seed(&self) -> Seed {
        Seed::of(self.identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        identity: *b"0123456789abcdef",
        journal: 7,
        base: 1_000,
        rewritten: 2,
        created: 1.5e9,
    };

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(Header::read(&HEADER.encoded()), Ok(HEADER));
    }

    #[test]
    fn either_copy_is_enough() {
        for damaged in 0..RECORDS as usize {
            let mut bytes = HEADER.encoded();
            for bit in 0..8 {
                bytes[damaged] ^= 1 << bit;
                assert_eq!(Header::read(&bytes), Ok(HEADER), "byte {damaged}");
                bytes[damaged] ^= 1 << bit;
            }
        }
        let mut bytes = HEADER.encoded();
        (bytes[9], bytes[100]) = (1, bytes[100] ^ 1);
        assert_eq!(Header::read(&bytes), Err(HeaderFault::Damaged));
        assert_eq!(Header::read(&HEADER.encoded()[..127]), Ok(HEADER));
        assert_eq!(Header::read(&HEADER.encoded()[..63]), Err(HeaderFault::Damaged));
        assert_eq!(Header::read(&[0; 128]), Err(HeaderFault::Damaged));
    }

    #[test]
    fn a_copy_in_the_place_of_the_other_is_none() {
        let bytes = HEADER.encoded();
        assert_eq!(Header::read(&bytes[COPY..]), Err(HeaderFault::Damaged));
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = HEADER.encoded();
        for copy in bytes.chunks_exact_mut(COPY) {
            copy[8] = 9;
            let sum = check::plain(&copy[..60]);
            copy[60..64].copy_from_slice(&sum.to_le_bytes());
        }
        assert_eq!(Header::read(&bytes), Err(HeaderFault::Version(9)));
    }
}
