//! The bytes of one segment, at the highest rate: whatever they are, a scan goes on to their end, gives no record that
//! was not written at that place, and gives each one that still stands there.

use aether_journal::append::End;
use aether_journal::header::{Header, RECORDS};
use aether_journal::record::{Encoded, Removed, Wave};
use aether_journal::scan::{Found, Scan};
use arbitrary::{Result, Unstructured};

const HEADER: Header =
    Header { identity: *b"a segment's own.", journal: 7, base: 1, rewritten: 0, created: 1.7e9 };

/// The first byte chooses what the others are.
pub fn run(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    if choice % 4 == 0 {
        scan(&[&HEADER.encoded()[..], rest].concat(), |_, _| {});
    } else {
        // A program that ends in the midst of a step ends before it.
        let _ = changed(&mut Unstructured::new(rest));
    }
}

/// Gives each record with its place; what is found lies side by side, up to the end.
fn scan(file: &[u8], mut each: impl FnMut(usize, &[u8])) {
    let mut scan = Scan::new(file, &HEADER);
    let mut at = RECORDS;
    while let Some(found) = scan.next().expect("memory has no faults") {
        let range = match found {
            Found::Record { offset, bytes, .. } => {
                each(offset as usize, bytes);
                offset..offset + bytes.len() as u64
            }
            Found::Damage(range) => range,
        };
        assert_eq!(range.start, at, "nothing is passed over unseen");
        assert!(range.end > at, "it goes on");
        at = range.end;
    }
    assert_eq!(at, RECORDS.max(file.len() as u64));
}

/// Sound records, some bytes of which are changed.
fn changed(bytes: &mut Unstructured<'_>) -> Result<()> {
    let mut file = HEADER.encoded().to_vec();
    let mut end = End::new(&HEADER);
    let mut records = Vec::new();
    for _ in 0..bytes.int_in_range(1..=6)? {
        let from = file.len();
        match bytes.int_in_range(0..=9)? {
            0 => file.extend(end.note(&mut Encoded::removed(Removed { first: 1, last: 2 }))),
            1 => file.extend(end.note(&mut Encoded::seal())),
            2 => file.extend(end.note(&mut Encoded::acknowledged(1.0, "billing", b"7"))),
            _ => {
                let count = bytes.int_in_range(0..=24)?;
                let payload = bytes.bytes(count)?;
                let wave = Wave { id: "a-1", ..Wave::plain("orders", payload) };
                file.extend(end.wave(&mut Encoded::wave(&wave).expect("it fits")));
            }
        }
        records.push(from..file.len());
    }
    let written = file.clone();
    for _ in 0..bytes.int_in_range(0..=4)? {
        let place = bytes.choose_index(file.len())?;
        if place < RECORDS as usize {
            continue;
        }
        match bytes.int_in_range(0..=4)? {
            0 | 1 => file[place] ^= 1 << (bytes.arbitrary::<u8>()? % 8),
            2 => file[place] = bytes.arbitrary()?,
            3 => file.truncate(place),
            // A record somewhere else.
            _ => {
                let copy = written[bytes.choose(&records)?.clone()].to_vec();
                let at = (place / 8 * 8).max(RECORDS as usize);
                file.splice(at..at, copy);
            }
        }
    }
    let mut left: Vec<_> = records
        .iter()
        .filter(|range| {
            file.get((*range).clone()).is_some_and(|there| *there == written[(*range).clone()])
        })
        .collect();
    scan(&file, |offset, there| {
        let known = records.iter().any(|range| *range == (offset..offset + there.len()));
        assert!(known && *there == written[offset..offset + there.len()], "invented: {offset}");
        left.retain(|range| range.start != offset);
    });
    // A body may be damaged whose head, and so whose length, is sound: what stands within its length is passed over.
    let is_moved = file.len() > written.len();
    assert!(left.is_empty() || is_moved, "{left:?} still stand there, and were not found");
    Ok(())
}
