//! Disks: the simulated one does what a folder does, and one that cannot be read is told.

use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use aether_core::channel::{Limits, Pattern};
use aether_journal::disk::simulated::{Deed, Fault, SimulatedDisk};
use aether_journal::disk::{Disk, File, Folder};
use aether_journal::filter::Filter;
use aether_journal::journal::{OpenError, Options};
use aether_journal::keeping::repair::repair;
use aether_journal::keeping::unwatched;
use aether_journal::reader::{Event, Reader};
use aether_journal::record::{Encoded, Wave};
use aether_journal::reverse::Backwards;
use aether_journal::scan::Source;
use aether_journal::segment::segments;
use proptest::prelude::*;

use crate::{OPTIONS, all, journal, open};

const NAMES: [&str; 3] = ["a.segment", "b.segment", "b.index"];

#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Open(usize),
    Rename(usize, usize),
    Remove(usize),
    /// The file that was made at this place among all, from an offset on.
    Write(prop::sample::Index, u64, Vec<u8>),
    Read(prop::sample::Index, u64, usize),
    /// To this part of its size.
    Cut(prop::sample::Index, f64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (name, file) = (|| 0..NAMES.len(), any::<prop::sample::Index>);
    let step = prop_oneof![
        3 => name().prop_map(Step::Create),
        1 => name().prop_map(Step::Open),
        1 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => name().prop_map(Step::Remove),
        4 => (file(), 0..2_000_u64, prop::collection::vec(any::<u8>(), 1..600))
            .prop_map(|(file, offset, bytes)| Step::Write(file, offset, bytes)),
        3 => (file(), 0..3_000_u64, 0..700_usize)
            .prop_map(|(file, offset, count)| Step::Read(file, offset, count)),
        1 => (file(), 0.0..1.0).prop_map(|(file, part)| Step::Cut(file, part)),
    ];
    prop::collection::vec(step, 1..40)
}

/// What a step says: bytes, or the kind of the error.
fn done<D: Disk>(
    disk: &D,
    files: &mut Vec<D::File>,
    step: &Step,
) -> Result<Vec<u8>, io::ErrorKind> {
    let of = |file: &prop::sample::Index, files: &[D::File]| file.index(files.len());
    let all = |file: &D::File| {
        let mut bytes = vec![0; file.size()? as usize + 10];
        let count = file.read_at(0, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    };
    let nothing = |()| Vec::new();
    let result = match step {
        Step::Create(name) => disk.create(NAMES[*name]).map(|file| files.push(file)).map(nothing),
        Step::Open(name) => disk.open(NAMES[*name]).and_then(|file| all(&file)),
        Step::Rename(from, to) => disk.rename(NAMES[*from], NAMES[*to]).map(nothing),
        Step::Remove(name) => disk.remove(NAMES[*name]).map(nothing),
        _ if files.is_empty() => Ok(Vec::new()),
        Step::Write(file, offset, bytes) => {
            let file = &files[of(file, files)];
            let reserved = file.reserve(*offset, bytes.len() as u64);
            reserved.and_then(|()| file.write_at(*offset, bytes)).and_then(|()| all(file))
        }
        Step::Read(file, offset, count) => {
            let mut bytes = vec![0; *count];
            let read = files[of(file, files)].read_at(*offset, &mut bytes);
            read.map(|count| bytes[..count].to_vec())
        }
        Step::Cut(file, part) => {
            let file = &files[of(file, files)];
            let size = file.size().map(|size| (size as f64 * part) as u64);
            size.and_then(|size| file.cut(size)).and_then(|()| all(file))
        }
    };
    result.map_err(|error| error.kind())
}

fn names<D: Disk>(disk: &D) -> Vec<String> {
    let mut names = disk.names().expect("it can be read");
    names.sort();
    names
}

/// A folder that is empty, whatever a test that has failed has left.
fn folder(name: &str) -> (PathBuf, Folder) {
    let path = std::env::temp_dir().join(format!("aether-{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&path));
    let folder = Folder::new(&path).expect("it can be made");
    (path, folder)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_simulated_disk_does_what_a_folder_does(steps in steps()) {
        let (path, folder) = folder("compared");
        let simulated = SimulatedDisk::new(1);
        let (mut real, mut pretended) = (Vec::new(), Vec::new());
        for step in &steps {
            let expected = done(&folder, &mut real, step);
            prop_assert_eq!(done(&simulated, &mut pretended, step), expected, "{:?}", step);
            prop_assert_eq!(names(&simulated), names(&folder), "{:?}", step);
        }
        std::fs::remove_dir_all(path).expect("it is there");
    }
}

#[test]
fn a_file_is_shared_with_a_folder_in_which_its_name_is_free() {
    let ((path, from), (other, into)) = (folder("sharing"), folder("shared"));
    from.create("a.segment").and_then(|file| file.write_at(0, b"a wave")).expect("it is new");
    assert!(from.link("a.segment", &into).expect("they are on one disk"));
    assert_eq!(std::fs::read(into.path().join("a.segment")).expect("it is there"), b"a wave");
    let again = from.link("a.segment", &into).expect_err("its name is taken");
    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    // Where it cannot be shared, it can be copied: that says why not.
    std::fs::remove_dir_all(other).expect("it is there");
    assert!(!from.link("a.segment", &into).expect("it is no error"));
    std::fs::remove_dir_all(path).expect("it is there");
}

#[test]
fn segments_that_go_while_they_are_opened_are_listed_anew() {
    let disk = journal(24);
    let opened = |errno: i32, lasting: bool| {
        // The first look is at the names.
        let at = disk.looks() + 1;
        disk.fail_looks(Some(Fault { at, lasting, errno, short: false }));
        let opened = segments(&disk).map(|segments| segments.len());
        disk.fail_looks(None);
        opened.map_err(|error| error.raw_os_error())
    };
    let (gone, fault) = (2, 5);
    assert_eq!(opened(gone, false), Ok(crate::names(&disk).len()));
    assert_eq!(opened(gone, true), Err(Some(gone)));
    assert_eq!(opened(fault, false), Err(Some(fault)));
}

#[test]
fn a_folder_gives_random_numbers_and_the_time_and_says_what_cannot_be_read() {
    let (path, folder) = folder("plain");
    let mut numbers: Vec<u64> = (0..20).map(|_| folder.random()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 20);
    let since = || UNIX_EPOCH.elapsed().expect("it is later").as_secs_f64();
    let (before, now) = (since(), folder.now());
    assert!((before..=since()).contains(&now), "{now}");
    // A folder is no file.
    std::fs::create_dir(path.join("inner")).expect("it is new");
    let read = folder.open("inner").and_then(|file| file.read_at(0, &mut [0; 8]));
    assert_eq!(read.expect_err("it has no bytes").kind(), io::ErrorKind::IsADirectory);
    std::fs::remove_dir_all(path).expect("it is there");
}

#[test]
fn room_that_is_there_is_not_reserved_again() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 1 << 30, ..Options::DEFAULT };
    let journal = open(&disk, options).expect("an empty disk");
    let commit = |size: usize| {
        let payload = vec![7; size];
        let encoded = Encoded::wave(&Wave::plain("a", &payload)).expect("it fits");
        let size = encoded.size();
        journal.commit(&mut [encoded]).expect("there is room");
        (size, disk.deeds().iter().filter(|deed| **deed == Deed::Reserve).count())
    };
    let (size, reserved) = commit(7);
    assert_eq!(reserved, 1);
    // Up to the last byte of the first MiB, and one record more.
    let left = (1 << 20) - 128 - size;
    assert_eq!(commit(left - 49), (left, 1));
    assert_eq!(commit(7).1, 2);
    assert_eq!(commit(7).1, 2);
}

#[test]
fn room_is_reserved_for_a_mebibyte_at_most() {
    let (path, folder) = folder("reserving");
    let journal = open(&folder, Options::DEFAULT).expect("an empty folder");
    let payload = vec![7; 900_000];
    for number in 1..=4 {
        let large = Encoded::wave(&Wave::plain("orders.created", &payload)).expect("it fits");
        journal.commit(&mut [large]).expect("there is room");
        let segment = segments(&folder).expect("it can be read").remove(0);
        let file = std::fs::metadata(path.join(segment.name)).expect("it is there");
        let ahead = (file.blocks() * 512).saturating_sub(file.len());
        assert!(ahead <= (1 << 20) + 65_536, "{ahead} bytes ahead after {number} waves");
    }
    journal.close().expect("a disk without faults");
    std::fs::remove_dir_all(path).expect("it is there");
}

/// What is read with each look failing in turn, until none is left that could: an error, or everything.
fn each_look(disk: &SimulatedDisk, mut read: impl FnMut(&SimulatedDisk) -> io::Result<()>) {
    let mut failed = 0;
    for number in 0.. {
        let disk = disk.after_kill();
        let at = disk.looks() + number;
        disk.fail_looks(Some(Fault { at, lasting: false, errno: 5, short: false }));
        if let Err(error) = read(&disk) {
            assert_eq!(error.raw_os_error(), Some(5), "look {number}");
            failed += 1;
        }
        if disk.looks() <= at {
            break;
        }
    }
    assert!(failed > 2, "{failed} looks");
}

#[test]
fn a_reader_whose_disk_fails_says_so_and_leaves_nothing_out() {
    let disk = journal(24);
    for backwards in [false, true] {
        let mut whole: Vec<u64> = (3..=24).collect();
        if backwards {
            whole.reverse();
        }
        each_look(&disk, |disk| {
            let mut come = Vec::new();
            let pattern = Pattern::parse("orders.*", Limits::DEFAULT).ok();
            let filter = Filter { pattern, after: Some(2), ..Filter::default() };
            let take = |event: Event<'_>| {
                let Event::Wave(wave) = event else { panic!("{event:?}") };
                come.push(wave.sequence);
                ControlFlow::Continue(())
            };
            let read = if backwards {
                Backwards::new(disk.clone(), filter).and_then(|mut reader| reader.read(take))
            } else {
                Reader::filtered(disk.clone(), filter).and_then(|mut reader| reader.read(take))
            };
            assert!(
                if read.is_ok() { come == whole } else { whole.starts_with(&come) },
                "{come:?}"
            );
            read
        });
    }
}

#[test]
fn reads_that_give_less_than_was_asked_for_change_nothing() {
    let disk = journal(24);
    let damaged = disk.after_kill();
    // Of its head, the identity is left in the second copy.
    damaged.change(&crate::names(&disk)[1], |bytes| {
        bytes[20] ^= 1;
        bytes[64 + 50] ^= 1;
    });
    let told = |most: Option<usize>| {
        let [disk, damaged] = [&disk, &damaged].map(SimulatedDisk::after_kill);
        disk.read_at_most(most);
        damaged.read_at_most(most);
        let filter = Filter { after: Some(2), ..Filter::default() };
        let mut come = Vec::new();
        let mut reader = Backwards::new(disk.clone(), filter).expect("it can be read");
        let read = reader.read(|event| {
            come.push(format!("{event:?}"));
            ControlFlow::Continue(())
        });
        read.expect("it can be read");
        let copy = SimulatedDisk::new(9);
        let repaired = repair(&damaged, &copy, &mut unwatched).expect("it can be read");
        let (forwards, mended) = (all(&disk), all(&copy));
        let opened = open(&disk, OPTIONS).expect("it can be read");
        let known = (opened.last(), opened.waves());
        (come, forwards, repaired.recovered, mended, known)
    };
    let whole = told(None);
    assert_eq!(whole.2.len(), 1);
    for most in [1, 7, 100] {
        assert_eq!(told(Some(most)), whole, "{most} bytes at once");
    }
}

#[test]
fn a_journal_is_opened_as_it_is_or_not_at_all() {
    for with_snapshots in [true, false] {
        let disk = journal(24);
        for name in
            names(&disk).iter().filter(|name| !with_snapshots && !name.ends_with(".segment"))
        {
            disk.remove(name).expect("it is there");
        }
        let all = Pattern::parse("*", Limits::DEFAULT).expect("a pattern");
        let known = |disk: &SimulatedDisk| match open(disk, OPTIONS) {
            Ok(journal) => Ok((journal.last(), journal.waves(), journal.last_of(&all))),
            Err(OpenError::Fault(error)) => Err(error),
            Err(other) => panic!("{other}"),
        };
        let expected = known(&disk.after_kill()).expect("it can be read");
        each_look(&disk, |disk| known(disk).map(|known| assert_eq!(known, expected)));
    }
}
