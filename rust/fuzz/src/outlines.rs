//! What a journal writes down beside its segments: indexes and snapshots, with any change, and with checks that say that
//! it is sound. Nothing panics or runs on; what the segments themselves hold is read all the same without them.

use std::ops::ControlFlow;
use std::sync::OnceLock;

use aether_core::channel::{Limits, Pattern};
use aether_journal::disk::simulated::SimulatedDisk;
use aether_journal::disk::{Disk, File};
use aether_journal::filter::Filter;
use aether_journal::journal::{Journal, Options};
use aether_journal::reader::Reader;
use aether_journal::record::{Encoded, Wave};
use aether_journal::reverse::Backwards;
use arbitrary::{Result, Unstructured};

/// How many bytes before and after them are their own: the magic, and the check.
const MAGIC: usize = 8;
const CHECK: usize = 4;

const WAVES: u64 = 60;

/// Chooses a file, changes it, and reads.
pub fn run(data: &[u8]) {
    // A program that ends in the midst of a step ends before it.
    let _ = changed(&mut Unstructured::new(data));
}

fn options() -> Options {
    Options { segment_bytes: 4_096, snapshot_interval: 20, ..Options::DEFAULT }
}

/// The files of a journal that was closed.
fn files() -> &'static [(String, Vec<u8>)] {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let disk = SimulatedDisk::new(1);
        let journal = Journal::<_, ()>::open(disk.clone(), options(), drop).expect("a disk");
        for number in 0..WAVES {
            let channel = ["orders.created", "orders.paid", "stock"][number as usize % 3];
            let wave = Wave { time: number as f64, ..Wave::plain(channel, &[7; 100]) };
            journal.append(&mut Encoded::wave(&wave).expect("it fits"), None).expect("room");
            journal.flush().expect("a disk without faults");
        }
        journal.acknowledge("billing", b"state", None).expect("room");
        journal.close().expect("a disk without faults");
        let names = disk.names().expect("it can be read");
        names.into_iter().map(|name| (name.clone(), disk.bytes(&name).expect("a file"))).collect()
    })
}

fn changed(bytes: &mut Unstructured<'_>) -> Result<()> {
    let disk = SimulatedDisk::new(1);
    let outlines: Vec<usize> =
        (0..files().len()).filter(|&at| !files()[at].0.ends_with(".segment")).collect();
    let chosen = *bytes.choose(&outlines)?;
    for (at, (name, file)) in files().iter().enumerate() {
        let mut file = file.clone();
        if at == chosen && file.len() > MAGIC + CHECK {
            file.truncate(file.len() - CHECK);
            for _ in 0..bytes.int_in_range(1..=4)? {
                let place = MAGIC + bytes.choose_index((file.len() - MAGIC).max(1))?;
                match bytes.int_in_range(0..=3)? {
                    0 => file.truncate(place),
                    1 => {
                        let with: [u8; 8] = bytes.arbitrary()?;
                        file.iter_mut().skip(place).zip(with).for_each(|(old, new)| *old = new);
                    }
                    2 => file.iter_mut().skip(place).take(1).for_each(|old| *old ^= 1),
                    _ => {
                        let count = bytes.int_in_range(0..=24)?;
                        let more = bytes.bytes(count)?.to_vec();
                        let place = place.min(file.len());
                        file.splice(place..place, more);
                    }
                }
            }
            let sum = crc32c::crc32c(&file);
            file.extend(sum.to_le_bytes());
        }
        let made = disk.create(name).expect("it is new");
        made.write_at(0, &file).expect("a disk without faults");
    }
    look(&disk);
    Ok(())
}

/// Everything that goes by them.
fn look(disk: &SimulatedDisk) {
    let pattern = Pattern::parse("orders.*", Limits::DEFAULT).ok();
    let filter = Filter { pattern, since: Some(20.0), until: Some(50.0), ..Filter::default() };
    let mut waves = 0;
    let mut reader = Reader::filtered(disk.clone(), filter.clone()).expect("it can be read");
    reader
        .read(|_| {
            waves += 1;
            ControlFlow::Continue(())
        })
        .expect("it can be read");
    let mut reader = Backwards::new(disk.clone(), filter).expect("it can be read");
    reader
        .read(|_| {
            waves += 1;
            ControlFlow::Continue(())
        })
        .expect("it can be read");
    assert!(waves <= 4 * WAVES, "no more than there is, and gaps");
    // It may be refused, as what it says of the end cannot be.
    if let Ok(journal) = Journal::<_, ()>::open(disk.clone(), options(), drop) {
        let wave = Wave::plain("orders.created", &[7; 100]);
        let mut wave = Encoded::wave(&wave).expect("it fits");
        if journal.append(&mut wave, None).is_ok() {
            let _ = journal.flush();
        }
        let _ = journal.close();
    }
}
