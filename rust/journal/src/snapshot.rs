//! What a journal knows, in a file, so that opening it need not read its segments.
//!
//! Contract:
//! - A snapshot says only what is durable: it is written after a sync of the segments, to a new file, which is
//!   synced and then given its name. The newest two are kept.
//! - One that is not sound is none: the one before it counts, and without any, the segments are read.

use std::collections::{BTreeMap, HashMap};
use std::io;

use crate::bytes::{cut, cut_f64, cut_u16, cut_u32, cut_u64};
use crate::disk::{Disk, File};
use crate::index::{create, seal, sound};
use crate::known::{Cursor, Known, Last, Open, Part};
use crate::outline::Outline;

const MAGIC: &[u8; 8] = b"aetherS1";

const SUFFIX: &str = ".snapshot";

/// While it is written.
const NEW: &str = ".snapshot.new";

/// The size of what is said of a channel, without its name: sequence, offset, number of the segment, and length.
const CHANNEL: usize = 22;

/// How many are kept.
const KEPT: usize = 2;

/// The number of a snapshot by the name of its file; `None`: it is none.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let sound = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    if sound { digits.parse().ok() } else { None }
}

/// All snapshots of a folder, the newest one first.
fn numbers<D: Disk>(disk: &D) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> = disk.names()?.iter().filter_map(|name| number(name)).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    Ok(numbers)
}

/// The newest sound one: the identity of the journal, and what was known.
pub(crate) fn newest<D: Disk>(disk: &D) -> io::Result<Option<(u64, Known)>> {
    for number in numbers(disk)? {
        // Where a snapshot cannot be read, segments may be.
        let bytes = sound(disk, &format!("{number:020}{SUFFIX}"), MAGIC).unwrap_or_default();
        if let Some(decoded) = bytes.and_then(|bytes| decode(&bytes[MAGIC.len()..])) {
            return Ok(Some(decoded));
        }
    }
    Ok(None)
}

/// Writes a snapshot of these bytes, and removes what it takes the place of.
pub(crate) fn write<D: Disk>(disk: &D, bytes: Vec<u8>) -> io::Result<()> {
    let before = numbers(disk)?;
    let number = before.first().map_or(1, |last| last.saturating_add(1));
    let (new, name) = (format!("{number:020}{NEW}"), format!("{number:020}{SUFFIX}"));
    let written = create(disk, &new).and_then(|file| {
        file.write_at(0, &bytes)?;
        file.sync()?;
        disk.rename(&new, &name)
    });
    if let Err(error) = written {
        // It is in nobody's way: the next opening removes it, if this cannot.
        drop(disk.remove(&new));
        return Err(error);
    }
    disk.sync()?;
    for old in before.iter().skip(KEPT - 1) {
        disk.remove(&format!("{old:020}{SUFFIX}"))?;
    }
    Ok(())
}

/// Removes what was left half written.
pub(crate) fn clean<D: Disk>(disk: &D) -> io::Result<()> {
    for name in disk.names()? {
        if name.ends_with(NEW) {
            disk.remove(&name)?;
        }
    }
    Ok(())
}

/// All of the file.
pub(crate) fn encode(journal: u64, known: &Known, now: f64) -> Vec<u8> {
    let Known { last, parts, channels, cursors, open, told: _ } = known;
    let open = open.as_ref().filter(|open| open.outline.is_whole());
    let numbers: HashMap<u32, u32> = parts.keys().copied().zip(0..).collect();
    let mut bytes = MAGIC.to_vec();
    bytes.extend(journal.to_le_bytes());
    bytes.extend(last.to_le_bytes());
    bytes.extend(now.to_le_bytes());
    for count in [parts.len(), channels.len(), cursors.len(), usize::from(open.is_some())] {
        bytes.extend((count as u32).to_le_bytes());
    }
    for part in parts.values() {
        bytes.extend(part.identity);
        for number in [part.base, part.last, part.waves, part.end, part.size] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(part.times.0.to_le_bytes());
        bytes.extend(part.times.1.to_le_bytes());
    }
    for (channel, Last { sequence, part, offset }) in channels {
        bytes.extend(sequence.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        // Each part of a channel is there; if it were not, a reader would find nothing at the place.
        bytes.extend(numbers.get(part).copied().unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend((channel.len() as u16).to_le_bytes());
        bytes.extend(channel.as_bytes());
    }
    for (name, Cursor { said, state }) in cursors {
        bytes.extend(said.0.to_le_bytes());
        bytes.extend(said.1.to_le_bytes());
        bytes.extend((state.len() as u32).to_le_bytes());
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(state);
    }
    if let Some(Open { outline, .. }) = open {
        outline.encode(&mut bytes);
    }
    seal(bytes)
}

fn decode(bytes: &[u8]) -> Option<(u64, Known)> {
    let left = &mut &*bytes;
    let (journal, last, _made) = (cut_u64(left)?, cut_u64(left)?, cut_f64(left)?);
    let counts = (cut_u32(left)?, cut_u32(left)?, cut_u32(left)?, cut_u32(left)?);
    let mut known = Known { last, ..Known::default() };
    for number in 0..counts.0 {
        let identity = cut(left, 16)?.try_into().ok()?;
        let (base, last, waves) = (cut_u64(left)?, cut_u64(left)?, cut_u64(left)?);
        let (end, size, times) = (cut_u64(left)?, cut_u64(left)?, (cut_f64(left)?, cut_f64(left)?));
        known.parts.insert(number, Part { identity, base, last, waves, times, end, size });
    }
    // No more than there are bytes for.
    known.channels.reserve((counts.1 as usize).min(left.chunks_exact(CHANNEL).len()));
    for _ in 0..counts.1 {
        let (sequence, offset, part) = (cut_u64(left)?, cut_u64(left)?, cut_u32(left)?);
        let length = cut_u16(left)?;
        let channel = std::str::from_utf8(cut(left, length.into())?).ok()?;
        known.channels.insert(channel.into(), Last { sequence, part, offset });
    }
    let mut cursors = BTreeMap::new();
    for _ in 0..counts.2 {
        let said = (cut_u64(left)?, cut_u64(left)?);
        let (state, name) = (cut_u32(left)?, cut_u16(left)?);
        let name = std::str::from_utf8(cut(left, name.into())?).ok()?;
        let state = cut(left, state as usize)?.to_vec();
        cursors.insert(name.into(), Cursor { said, state });
    }
    known.cursors = cursors;
    if counts.3 == 1 {
        let outline = Outline::cut(left)?;
        let open = known.parts.iter().find(|(_, part)| part.identity == outline.identity);
        let (&part, &Part { base, .. }) = open?;
        known.open = Some(Open { part, base, outline });
    }
    left.is_empty().then_some((journal, known))
}
