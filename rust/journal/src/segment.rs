//! The segments of a folder: their names, and what is known of each when it is opened.

use std::io;

use crate::disk::{Disk, File};
use crate::header::{Header, HeaderFault, RECORDS};
use crate::record::HEAD;
use crate::scan::fill;

pub(crate) const SUFFIX: &str = ".segment";

/// A file of a folder that has the name of a segment.
#[derive(Debug)]
pub struct Segment<F> {
    /// The name of the file.
    pub name: String,
    /// The least sequence that may stand in it, by its name.
    pub base: u64,
    /// What its head says.
    pub header: Result<Header, HeaderFault>,
    /// To read it.
    pub file: F,
}

/// The name of the file of a segment: its base, and the beginning of its identity.
pub(crate) fn name(header: &Header) -> String {
    name_of(header.base, header.identity)
}

pub(crate) fn name_of(base: u64, identity: [u8; 16]) -> String {
    let [a, b, c, d, ..] = identity;
    format!("{base:020}-{a:02x}{b:02x}{c:02x}{d:02x}{SUFFIX}")
}

/// The name of a segment, and its base.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) base: u64,
    pub(crate) name: String,
}

impl Place {
    /// Its base, and the beginning of its identity, by its name.
    pub(crate) fn begins(&self) -> (u64, u32) {
        let identity = self.name.get(21..29).map(|identity| u32::from_str_radix(identity, 16));
        (self.base, identity.and_then(Result::ok).unwrap_or(u32::MAX))
    }

    pub(crate) fn open<D: Disk>(self, disk: &D) -> io::Result<Segment<D::File>> {
        let Self { base, name } = self;
        let file = disk.open(&name)?;
        let header = head(&file)?;
        Ok(Segment { name, base, header, file })
    }
}

/// Opens a segment by its name.
pub(crate) fn open<D: Disk>(disk: &D, name: &str) -> io::Result<Segment<D::File>> {
    let Some(base) = base(name) else { return Err(io::ErrorKind::NotFound.into()) };
    Place { base, name: name.to_owned() }.open(disk)
}

/// All segments of a folder, in the order of their waves.
pub(crate) fn places<D: Disk>(disk: &D) -> io::Result<Vec<Place>> {
    let place = |name: String| Some(Place { base: base(&name)?, name });
    let mut places: Vec<Place> = disk.names()?.into_iter().filter_map(place).collect();
    // Of the same base, one has nothing in it: the power went before its first record.
    places.sort();
    Ok(places)
}

/// The number in the name of a segment: the beginning of its identity.
pub(crate) fn begin(identity: [u8; 16]) -> u32 {
    let [a, b, c, d, ..] = identity;
    u32::from_be_bytes([a, b, c, d])
}

/// Sees to it that the name of a new segment comes after that of the one before, by its base and number.
///
/// One that has notes alone has the base of the next.
pub(crate) fn after(begun: &mut (u64, u32), header: &mut Header) {
    let (base, greatest) = *begun;
    if header.base == base && begin(header.identity) <= greatest {
        header.identity[..4].copy_from_slice(&greatest.saturating_add(1).to_be_bytes());
    }
    *begun = (header.base, begin(header.identity));
}

/// The base of a segment by the name of its file; `None`: it is none.
fn base(name: &str) -> Option<u64> {
    let (base, identity) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let sound = base.len() == 20 && identity.len() == 8 && base.bytes().all(|c| c.is_ascii_digit());
    if sound { base.parse().ok() } else { None }
}

/// The first of the segments in which a wave may be, or one before it: those that begin last before it or with it.
pub(crate) fn holding(places: &[Place], sequence: u64) -> usize {
    let last = places.iter().rposition(|place| place.base <= sequence);
    let base = last.map_or(0, |last| places[last].base);
    places.partition_point(|place| place.base < base)
}

/// How often a folder is listed anew, as a file of the list is gone.
pub(crate) const LISTINGS: usize = 100;

/// All segments of a folder, opened, in the order of their waves: as they were at one moment, also where some are
/// taken away meanwhile.
pub fn segments<D: Disk>(disk: &D) -> io::Result<Vec<Segment<D::File>>> {
    let all = || places(disk)?.into_iter().map(|place| place.open(disk)).collect();
    for _ in 1..LISTINGS {
        match all() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
    }
    all()
}

pub(crate) fn head(file: &impl File) -> io::Result<Result<Header, HeaderFault>> {
    let mut bytes = [0; RECORDS as usize];
    let there = fill(file, 0, &mut bytes)?;
    Ok(Header::read(&bytes[..there]))
}

impl<F: File> Segment<F> {
    /// Whether it has neither head nor records: the power went when it was made, and nothing was in it yet.
    pub(crate) fn is_void(&self) -> io::Result<bool> {
        Ok(self.header.is_err() && self.file.size()? <= RECORDS)
    }

    /// The last sequence that may have been given in it, where nothing in it can be read: no more waves than this fit
    /// in, and none is to be given twice.
    pub(crate) fn last_that_fits(&self) -> io::Result<u64> {
        let most = self.file.size()?.saturating_sub(RECORDS) / HEAD as u64;
        Ok(self.base.saturating_sub(1).saturating_add(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_their_bases_do() {
        let header =
            Header { identity: [0xab; 16], journal: 1, base: 42, rewritten: 0, created: 0.0 };
        assert_eq!(name(&header), "00000000000000000042-abababab.segment");
        assert_eq!(base(&name(&header)), Some(42));
        for other in ["", "x.segment", "00000000000000000042.segment", "42-abababab.segment"] {
            assert_eq!(base(other), None, "{other:?}");
        }
        assert_eq!(base("99999999999999999999-abababab.segment"), None);
    }
}
