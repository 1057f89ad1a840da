//! The outline of a segment in a file beside it. It is not synced: one that is not sound is none.

use std::collections::HashSet;
use std::io;

use crate::bytes::u32_at;
use crate::check;
use crate::disk::{Disk, File};
use crate::header::Header;
use crate::outline::Outline;
use crate::scan::fill;
use crate::segment::SUFFIX;

const MAGIC: &[u8; 8] = b"aetherI1";

pub(crate) const INDEX: &str = ".index";

/// The largest file that is read: many times what a segment of usual size can have.
const LARGEST: u64 = 1 << 30;

/// The name of the index of a segment.
pub(crate) fn name(segment: &str) -> String {
    format!("{}{INDEX}", segment.strip_suffix(SUFFIX).unwrap_or(segment))
}

/// Puts a check behind bytes.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = check::plain(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// The bytes of a file, if it begins with these and ends with their check.
pub(crate) fn sound<D: Disk>(disk: &D, name: &str, magic: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let file = disk.open(name)?;
    let size = file.size()?;
    if size > LARGEST {
        return Ok(None);
    }
    let mut bytes = vec![0; size as usize];
    let there = fill(&file, 0, &mut bytes)?;
    bytes.truncate(there);
    let Some(end) = bytes.len().checked_sub(4).filter(|&end| end >= magic.len()) else {
        return Ok(None);
    };
    let is_sound = bytes.starts_with(magic) && u32_at(&bytes, end) == check::plain(&bytes[..end]);
    bytes.truncate(end);
    Ok(is_sound.then_some(bytes))
}

/// Writes the index of a segment, in the place of another.
pub(crate) fn write<D: Disk>(disk: &D, segment: &str, outline: &Outline) -> io::Result<()> {
    let mut bytes = MAGIC.to_vec();
    outline.encode(&mut bytes);
    create(disk, &name(segment))?.write_at(0, &seal(bytes))
}

/// Makes a file, in the place of another.
pub(crate) fn create<D: Disk>(disk: &D, name: &str) -> io::Result<D::File> {
    match disk.create(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(name)?;
            disk.create(name)
        }
        done => done,
    }
}

/// The outline of a segment, if there is a sound index of just this one, as it is now. What cannot be read of an index
/// can be read of the segment.
pub(crate) fn read<D: Disk>(
    disk: &D,
    segment: &str,
    header: &Header,
    file: &D::File,
) -> Option<Outline> {
    let bytes = sound(disk, &name(segment), MAGIC).ok()??;
    let mut left = &bytes[MAGIC.len()..];
    let outline = Outline::cut(&mut left).filter(|_| left.is_empty())?;
    let size = file.size().ok()?;
    (outline.identity == header.identity && outline.end == size).then_some(outline)
}

/// Whether a segment has a sound index.
pub(crate) fn is_there<D: Disk>(disk: &D, segment: &str) -> bool {
    matches!(sound(disk, &name(segment), MAGIC), Ok(Some(_)))
}

/// Removes the indexes of segments that are gone. They can stay.
pub(crate) fn clean<D: Disk>(disk: &D) -> io::Result<()> {
    let names: HashSet<String> = disk.names()?.into_iter().collect();
    for name in &names {
        let segment = name.strip_suffix(INDEX).map(|stem| format!("{stem}{SUFFIX}"));
        if segment.is_some_and(|segment| !names.contains(&segment)) {
            disk.remove(name)?;
        }
    }
    Ok(())
}
