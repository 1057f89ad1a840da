//! A record: a wave, or a note of the journal's own.
//!
//! ```text
//! offset  size  the head
//!      0     4  check of the head: CRC32C of the segment's identity, the record's offset, and bytes 4..48
//!      4     4  check of the body: CRC32C of the body with its padding
//!      8     4  length of the body, without padding
//!     12     1  kind: 1 wave, 2 removed, 3 acknowledged, 4 seal
//!     13     1  codec of the payload
//!     14     2  which parts the body has, see `Parts`
//!     16     8  sequence: of the wave, or of the last wave before a note
//!     24     8  wall time, Unix seconds (f64)
//!     32     8  amplitude (f64)
//!     40     2  length of the channel; of a note, of its name
//!     42     2  length of the source
//!     44     2  length of the id
//!     46     2  hops
//!
//! offset        the body of a wave
//!     48        channel, source, id (UTF-8), then each part that it has: priority, phase, frequency, ttl (f64
//!               each); headers: their number (u32), then for each the lengths of name and text (u32 each) and
//!               both; what it undoes: time, amplitude, phase (f64 each), length of the id (u32), id; then the
//!               payload, up to the end
//! ```
//! Records begin at multiples of 8: zeros fill the last one up. The body of `removed` is the first and the last
//! sequence (u64 each) that compaction took; of `acknowledged` the name of a cursor and what it says, which is
//! no business of this file; `seal` has none: its segment is complete.
//!
//! The check of the head covers that of the body. So a record holds together, and only where it stands.

use std::ops::RangeInclusive;

use crate::bytes::{cut, cut_f64, cut_u32, f64_at, u16_at, u32_at, u64_at};
use crate::check::{self, Seeded};

/// The size of a head.
pub const HEAD: usize = 48;

/// Records begin at multiples of this.
pub const ALIGNMENT: usize = 8;

/// The largest body, in bytes.
pub const MAX_BODY: usize = 1 << 30;

/// How a payload is written. Numbers up to 15 are the library's, others the user's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Codec(pub u8);

/// A wave as it is written and read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wave<'a> {
    /// Its place among all waves of the journal: 1, 2, ...
    pub sequence: u64,
    /// When it was made, in Unix seconds.
    pub time: f64,
    /// A concrete channel.
    pub channel: &'a str,
    /// Who emitted it.
    pub source: Option<&'a str>,
    /// Its id as text.
    pub id: &'a str,
    /// 0..1.
    pub amplitude: f64,
    /// 0..1.
    pub priority: f64,
    /// In radians.
    pub phase: f64,
    /// In hertz.
    pub frequency: f64,
    /// In seconds; infinite: none.
    pub ttl: f64,
    /// How many hops it has made.
    pub hops: u16,
    /// Names and texts.
    pub headers: Headers<'a>,
    /// The wave that this one undoes.
    pub undoes: Option<Undone<'a>>,
    /// How the payload is written.
    pub codec: Codec,
    /// The payload, encoded.
    pub payload: &'a [u8],
}

impl<'a> Wave<'a> {
    /// A payload on a channel, and for the rest what is usual: of amplitude 1, without a source, an id, or headers.
    /// Sequence, time and hops are 0.
    pub fn plain(channel: &'a str, payload: &'a [u8]) -> Self {
        Self {
            sequence: 0,
            time: 0.0,
            channel,
            source: None,
            id: "",
            amplitude: 1.0,
            priority: 1.0,
            phase: 0.0,
            frequency: 1.0,
            ttl: f64::INFINITY,
            hops: 0,
            headers: Headers::default(),
            undoes: None,
            codec: Codec::default(),
            payload,
        }
    }
}

/// What a wave says of the one that it undoes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Undone<'a> {
    /// Its id as text.
    pub id: &'a str,
    /// When it was made, in Unix seconds.
    pub time: f64,
    /// 0..1.
    pub amplitude: f64,
    /// In radians.
    pub phase: f64,
}

impl<'a> Undone<'a> {
    /// The size without the id.
    const NUMBERS: usize = 3 * 8 + 4;

    /// Reads it off what is left of a body.
    fn cut(left: &mut &'a [u8]) -> Option<Self> {
        let (time, amplitude, phase) = (cut_f64(left)?, cut_f64(left)?, cut_f64(left)?);
        let length = cut_u32(left)?;
        let id = std::str::from_utf8(cut(left, length as usize)?).ok()?;
        Some(Self { id, time, amplitude, phase })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        for number in [self.time, self.amplitude, self.phase] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend((self.id.len() as u32).to_le_bytes());
        bytes.extend(self.id.as_bytes());
    }
}

/// What a sound record says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Record<'a> {
    /// A wave.
    Wave(Wave<'a>),
    /// Compaction took the waves of these sequences, as far as they are not there.
    Removed(Removed),
    /// A cursor has moved.
    Acknowledged {
        /// The last wave before this note.
        sequence: u64,
        /// The name of the cursor.
        cursor: &'a str,
        /// What it says.
        state: &'a [u8],
    },
    /// The segment is complete; this was its last wave.
    Seal {
        /// The last wave in it, or one less than its base.
        sequence: u64,
    },
    /// A sound record that says nothing to this library: one of a later version.
    Unknown {
        /// Of this wave, or of the last one before a note.
        sequence: u64,
    },
}

/// The first and the last sequence that compaction took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// Why a wave cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// One of its texts is longer than 65,535 bytes.
    #[error("its {what} has {length} bytes, and a record has room for 65,535")]
    Long {
        /// Which.
        what: &'static str,
        /// How long it is.
        length: usize,
    },
    /// All of it together is larger than [`MAX_BODY`].
    #[error("it has {0} bytes, and a record has room for {MAX_BODY}")]
    Large(usize),
}

/// Which parts a body has: one bit each, in the order in which they stand.
struct Parts;

impl Parts {
    const SOURCE: u16 = 1;
    /// Other than the amplitude.
    const PRIORITY: u16 = 2;
    /// Other than 0.
    const PHASE: u16 = 4;
    /// Other than 1.
    const FREQUENCY: u16 = 8;
    const TTL: u16 = 16;
    const HEADERS: u16 = 32;
    const UNDOES: u16 = 64;
    /// Another one would be read as payload: it is of a later version.
    const UNKNOWN: u16 = !(2 * Self::UNDOES - 1);
}

/// The kinds of records.
mod kind {
    pub(super) const WAVE: u8 = 1;
    pub(super) const REMOVED: u8 = 2;
    pub(super) const ACKNOWLEDGED: u8 = 3;
    pub(super) const SEAL: u8 = 4;
}

/// The headers of a wave: names and texts, as they stand in a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    /// Lengths, names and texts, sound.
    entries: &'a [u8],
}

impl<'a> Headers<'a> {
    /// Reads them off what is left of a body.
    fn cut(left: &mut &'a [u8]) -> Option<Self> {
        let count = cut_u32(left)?;
        let all = *left;
        for _ in 0..count {
            let (name, text) = (cut_u32(left)?, cut_u32(left)?);
            std::str::from_utf8(cut(left, name as usize)?).ok()?;
            std::str::from_utf8(cut(left, text as usize)?).ok()?;
        }
        Some(Self { entries: &all[..all.len() - left.len()] })
    }

    /// Each name with its text, in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut left = self.entries;
        std::iter::from_fn(move || {
            let (name, text) = (cut_u32(&mut left)?, cut_u32(&mut left)?);
            let name = std::str::from_utf8(cut(&mut left, name as usize)?).ok()?;
            let text = std::str::from_utf8(cut(&mut left, text as usize)?).ok()?;
            Some((name, text))
        })
    }

    /// The text of a name.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, text)| text)
    }
}

/// Headers as they are written.
#[derive(Clone, Debug, Default)]
pub struct HeaderBytes(Vec<u8>);

impl HeaderBytes {
    /// Of names and texts.
    pub fn new<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut bytes = Vec::new();
        for (name, text) in headers {
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend(text.as_bytes());
        }
        Self(bytes)
    }

    /// For a [`Wave`].
    pub fn view(&self) -> Headers<'_> {
        Headers { entries: &self.0 }
    }
}

/// A record that is ready to be written, but for where it will stand.
#[derive(Clone, Debug)]
pub struct Encoded {
    bytes: Vec<u8>,
}

impl Encoded {
    /// A wave. Its `sequence` is left out: it is given with its place.
    pub fn wave(wave: &Wave<'_>) -> Result<Self, Unfit> {
        let source = wave.source.unwrap_or("");
        let undone = wave.undoes.map_or("", |undone| undone.id);
        for (what, text) in [
            ("channel", wave.channel),
            ("source", source),
            ("id", wave.id),
            ("id of what it undoes", undone),
        ] {
            if text.len() > usize::from(u16::MAX) {
                return Err(Unfit::Long { what, length: text.len() });
            }
        }
        let texts = wave.channel.len() + source.len() + wave.id.len();
        let undoes = wave.undoes.map_or(0, |undone| Undone::NUMBERS + undone.id.len());
        let all = texts + 4 * 8 + 4 + wave.headers.entries.len() + undoes + wave.payload.len();
        if all > MAX_BODY {
            return Err(Unfit::Large(all));
        }
        let mut bytes = Vec::with_capacity(padded(HEAD + all));
        bytes.resize(HEAD, 0);
        bytes[12] = kind::WAVE;
        bytes[13] = wave.codec.0;
        bytes[24..32].copy_from_slice(&wave.time.to_le_bytes());
        bytes[32..40].copy_from_slice(&wave.amplitude.to_le_bytes());
        bytes[40..42].copy_from_slice(&(wave.channel.len() as u16).to_le_bytes());
        bytes[42..44].copy_from_slice(&(source.len() as u16).to_le_bytes());
        bytes[44..46].copy_from_slice(&(wave.id.len() as u16).to_le_bytes());
        bytes[46..48].copy_from_slice(&wave.hops.to_le_bytes());
        for text in [wave.channel, source, wave.id] {
            bytes.extend(text.as_bytes());
        }
        let mut parts = if wave.source.is_some() { Parts::SOURCE } else { 0 };
        for (part, number, usual) in [
            (Parts::PRIORITY, wave.priority, wave.amplitude),
            (Parts::PHASE, wave.phase, 0.0),
            (Parts::FREQUENCY, wave.frequency, 1.0),
            (Parts::TTL, wave.ttl, f64::INFINITY),
        ] {
            // By its bits: what is read is what was written, -0.0 and all.
            if number.to_bits() != usual.to_bits() {
                parts |= part;
                bytes.extend(number.to_le_bytes());
            }
        }
        let headers = wave.headers.iter().count() as u32;
        if headers > 0 {
            parts |= Parts::HEADERS;
            bytes.extend(headers.to_le_bytes());
            bytes.extend(wave.headers.entries);
        }
        if let Some(undone) = &wave.undoes {
            parts |= Parts::UNDOES;
            undone.write(&mut bytes);
        }
        bytes[14..16].copy_from_slice(&parts.to_le_bytes());
        bytes.extend(wave.payload);
        Ok(Self::closed(bytes))
    }

    /// The note of what compaction took.
    pub fn removed(removed: Removed) -> Self {
        let mut body = removed.first.to_le_bytes().to_vec();
        body.extend(removed.last.to_le_bytes());
        Self::note(kind::REMOVED, 0.0, "", &body)
    }

    /// The note that a cursor has moved, at a moment in Unix seconds.
    ///
    /// # Panics
    /// If the name has more than 65,535 bytes.
    pub fn acknowledged(time: f64, cursor: &str, state: &[u8]) -> Self {
        let fits = u16::try_from(cursor.len()).is_ok();
        assert!(fits, "the name of a cursor has at most 65,535 bytes");
        Self::note(kind::ACKNOWLEDGED, time, cursor, state)
    }

    /// The note that a segment is complete.
    pub fn seal() -> Self {
        Self::note(kind::SEAL, 0.0, "", &[])
    }

    /// A sound record as it was found, to be given another place.
    pub(crate) fn found(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }

    fn note(kind: u8, time: f64, name: &str, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEAD];
        bytes[12] = kind;
        bytes[24..32].copy_from_slice(&time.to_le_bytes());
        bytes[40..42].copy_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(body);
        Self::closed(bytes)
    }

    /// With the length and the check of its body.
    fn closed(mut bytes: Vec<u8>) -> Self {
        let body = (bytes.len() - HEAD) as u32;
        bytes[8..12].copy_from_slice(&body.to_le_bytes());
        bytes.resize(padded(bytes.len()), 0);
        let sum = check::plain(&bytes[HEAD..]);
        bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        Self { bytes }
    }

    /// How many bytes it takes, a multiple of [`ALIGNMENT`].
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Gives it its place: the sequence, and the check that goes with segment and offset.
    pub(crate) fn place(&mut self, seeded: Seeded, sequence: u64) -> &[u8] {
        self.bytes[16..24].copy_from_slice(&sequence.to_le_bytes());
        let sum = seeded.check(&self.bytes[4..HEAD]);
        self.bytes[0..4].copy_from_slice(&sum.to_le_bytes());
        &self.bytes
    }
}

/// What a sound head says of its record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    bytes: &'a [u8],
}

impl<'a> Head<'a> {
    /// The head at the front of these bytes, if it is one and is sound.
    #[inline]
    pub(crate) fn read(bytes: &'a [u8], seeded: impl FnOnce() -> Seeded) -> Option<Self> {
        let bytes = bytes.get(..HEAD)?;
        // No record is of kind 0: what was never written is told by a single look.
        let sound = bytes[12] != 0 && u32_at(bytes, 0) == seeded().check(&bytes[4..]);
        sound.then_some(Self { bytes })
    }

    /// How many bytes the record takes.
    #[inline]
    pub(crate) fn size(self) -> usize {
        padded(HEAD + u32_at(self.bytes, 8) as usize)
    }
}

impl<'a> Record<'a> {
    /// Whether the body of a record is sound. The bytes are those of the whole record, its head is sound.
    #[inline]
    pub(crate) fn is_sound(bytes: &[u8]) -> bool {
        u32_at(bytes, 4) == check::plain(&bytes[HEAD..])
    }

    /// Reads a sound record.
    #[inline]
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let (head, padded) = bytes.split_at(HEAD);
        let body = &padded[..u32_at(head, 8) as usize];
        let sequence = u64_at(head, 16);
        let read = match head[12] {
            // The greatest number is the sequence of no wave: each has one after it.
            kind::WAVE if sequence < u64::MAX => Wave::read(head, body).map(Self::Wave),
            kind::REMOVED => Removed::read(body).map(Self::Removed),
            kind::ACKNOWLEDGED => acknowledged(head, body)
                .map(|(cursor, state)| Self::Acknowledged { sequence, cursor, state }),
            kind::SEAL => Some(Self::Seal { sequence }),
            _ => None,
        };
        read.unwrap_or(Self::Unknown { sequence })
    }

    /// The sequence that the head of a sound record says: of the wave, or of the last one before a note.
    pub(crate) fn place(bytes: &[u8]) -> u64 {
        u64_at(bytes, 16)
    }

    /// The sequence of the wave, or of the last one before a note.
    pub fn sequence(&self) -> u64 {
        match *self {
            Self::Wave(Wave { sequence, .. })
            | Self::Acknowledged { sequence, .. }
            | Self::Seal { sequence }
            | Self::Unknown { sequence } => sequence,
            Self::Removed(Removed { last, .. }) => last,
        }
    }
}

/// The name of a cursor, and what it says.
fn acknowledged<'a>(head: &[u8], body: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let mut state = body;
    let cursor = cut(&mut state, u16_at(head, 40).into())?;
    Some((std::str::from_utf8(cursor).ok()?, state))
}

impl<'a> Wave<'a> {
    #[inline]
    fn read(head: &[u8], body: &'a [u8]) -> Option<Self> {
        let mut left = body;
        let mut text =
            |offset| std::str::from_utf8(cut(&mut left, u16_at(head, offset).into())?).ok();
        let (channel, source, id) = (text(40)?, text(42)?, text(44)?);
        let parts = u16_at(head, 14);
        let has = |part| parts & part != 0;
        if has(Parts::UNKNOWN) {
            return None;
        }
        let mut number = |part, usual| if has(part) { cut_f64(&mut left) } else { Some(usual) };
        let amplitude = f64_at(head, 32);
        let priority = number(Parts::PRIORITY, amplitude)?;
        let phase = number(Parts::PHASE, 0.0)?;
        let frequency = number(Parts::FREQUENCY, 1.0)?;
        let ttl = number(Parts::TTL, f64::INFINITY)?;
        let headers =
            if has(Parts::HEADERS) { Headers::cut(&mut left)? } else { Headers::default() };
        let undoes = if has(Parts::UNDOES) { Some(Undone::cut(&mut left)?) } else { None };
        Some(Self {
            sequence: u64_at(head, 16),
            time: f64_at(head, 24),
            channel,
            source: has(Parts::SOURCE).then_some(source),
            id,
            amplitude,
            priority,
            phase,
            frequency,
            ttl,
            hops: u16_at(head, 46),
            headers,
            undoes,
            codec: Codec(head[13]),
            payload: left,
        })
    }
}

impl Removed {
    fn read(body: &[u8]) -> Option<Self> {
        let read = || Self { first: u64_at(body, 0), last: u64_at(body, 8) };
        // The last comes before the first: it says nothing.
        (body.len() == 16).then(read).filter(|removed| removed.first <= removed.last)
    }

    /// As a range.
    pub fn range(self) -> RangeInclusive<u64> {
        self.first..=self.last
    }
}

/// Up to the next multiple of [`ALIGNMENT`].
pub(crate) fn padded(size: usize) -> usize {
    size.next_multiple_of(ALIGNMENT)
}
