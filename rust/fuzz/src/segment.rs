//! Segments of a journal: any bytes, any records, and sound ones that were changed. What is read was written, each gap is
//! told, and nothing panics, runs on, or takes more memory than the files have.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use aether_journal::append::End;
use aether_journal::disk::simulated::SimulatedDisk;
use aether_journal::disk::{Disk, File};
use aether_journal::header::{Header, RECORDS};
use aether_journal::keeping::repair::repair;
use aether_journal::keeping::retain::{Holdings, Rule, Terms, apply, plan};
use aether_journal::keeping::unwatched;
use aether_journal::keeping::verify::{Report, verify};
use aether_journal::reader::{Event, Reader};
use aether_journal::record::{Codec, Encoded, HeaderBytes, Record, Removed, Undone, Wave};
use aether_journal::scan::{Found, Scan};
use aether_journal::segment::segments;
use arbitrary::{Result, Unstructured};

/// The most segments, and the most records of each.
const SEGMENTS: u64 = 3;
const RECORDS_EACH: usize = 12;

/// What a scan may hold beyond twice its input.
const SLACK: usize = 1 << 20;

/// The first byte chooses what the others are.
pub fn run(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let mut bytes = Unstructured::new(rest);
    // A program that ends in the midst of a step ends before it.
    let _ = match choice % 4 {
        0 => {
            any_file(rest);
            Ok(())
        }
        1 => any_records(&mut bytes),
        _ => changed(&mut bytes),
    };
}

const HEADER: Header =
    Header { identity: *b"a segment's own.", journal: 7, base: 1, rewritten: 0, created: 1.7e9 };

fn name(header: &Header) -> String {
    let [a, b, c, d, ..] = header.identity;
    format!("{:020}-{a:02x}{b:02x}{c:02x}{d:02x}.segment", header.base)
}

fn put(disk: &SimulatedDisk, name: &str, bytes: &[u8]) {
    let file = disk.create(name).expect("it is new");
    file.write_at(0, bytes).expect("a disk without faults");
}

/// Any bytes: the whole of a file, and what stands behind a sound head.
fn any_file(bytes: &[u8]) {
    for file in [bytes.to_vec(), [&HEADER.encoded()[..], bytes].concat()] {
        let disk = SimulatedDisk::new(1);
        put(&disk, &name(&HEADER), &file);
        look(&disk);
        bounded(&file);
        if let Ok(header) = Header::read(&file) {
            let mut scan = Scan::new(&file[..], &header);
            let mut at = RECORDS;
            while let Some(found) = scan.next().expect("memory has no faults") {
                let end = scan_end(&found);
                assert!(end > at && end <= file.len() as u64, "it goes on, within the file");
                at = end;
            }
        }
    }
}

fn scan_end(found: &Found<'_>) -> u64 {
    match found {
        Found::Record { offset, bytes, .. } => offset + bytes.len() as u64,
        Found::Damage(range) => range.end,
    }
}

/// Scans a file, and sees that little memory is held.
fn bounded(file: &[u8]) {
    let Ok(header) = Header::read(file) else { return };
    let mut scan = Scan::new(file, &header);
    while scan.next().expect("memory has no faults").is_some() {
        assert!(scan.held() <= 2 * file.len() + SLACK, "{} bytes held", scan.held());
    }
}

/// Sound records that say anything: sequences out of order, notes of what never was.
fn any_records(bytes: &mut Unstructured<'_>) -> Result<()> {
    let disk = SimulatedDisk::new(1);
    for _ in 0..bytes.int_in_range(1..=SEGMENTS)? {
        let identity = bytes.arbitrary()?;
        let header =
            Header { identity, base: number(bytes)?, rewritten: number(bytes)? as u32, ..HEADER };
        if disk.open(&name(&header)).is_ok() {
            break;
        }
        let mut file = header.encoded().to_vec();
        let mut end = End::new(&header);
        for _ in 0..bytes.int_in_range(0..=RECORDS_EACH)? {
            let sequence = number(bytes)?;
            let mut record = match bytes.int_in_range(0..=7)? {
                0 => Encoded::removed(Removed { first: number(bytes)?, last: number(bytes)? }),
                1 => Encoded::acknowledged(bytes.arbitrary()?, "billing", bytes.arbitrary()?),
                2 => Encoded::seal(),
                _ => wave(bytes)?,
            };
            file.extend(end.again(&mut record, sequence));
        }
        put(&disk, &name(&header), &file);
    }
    look(&disk);
    Ok(())
}

/// A sequence: most are small, some as large as can be.
fn number(bytes: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match bytes.int_in_range(0..=9)? {
        0 => u64::MAX - u64::from(bytes.arbitrary::<u8>()? % 3),
        1 => bytes.arbitrary()?,
        _ => (bytes.arbitrary::<u8>()? % 40).into(),
    })
}

fn wave(bytes: &mut Unstructured<'_>) -> Result<Encoded> {
    let (amplitude, headers) = (bytes.arbitrary()?, bytes.ratio(1, 4)?);
    let headers = HeaderBytes::new(headers.then_some(("trace", "7")));
    let undone = Undone { id: "a-0", time: 1.0, amplitude, phase: 0.5 };
    let undoes = bytes.ratio(1, 8)?.then_some(undone);
    let wave = Wave {
        sequence: 0,
        time: bytes.arbitrary()?,
        channel: bytes.choose(&["orders.created", "orders.paid", "a", ""])?,
        source: *bytes.choose(&[None, Some("shop")])?,
        id: "a-1",
        amplitude,
        priority: amplitude,
        phase: 0.0,
        frequency: 1.0,
        ttl: f64::INFINITY,
        hops: bytes.arbitrary()?,
        headers: headers.view(),
        undoes,
        codec: Codec(2),
        payload: bytes.arbitrary::<&[u8]>()?,
    };
    Ok(Encoded::wave(&wave).expect("it fits"))
}

/// The waves that a reader gives, by sequence, and the sequences that it misses.
#[derive(Debug, Default, PartialEq)]
struct Told {
    waves: BTreeMap<u64, Vec<u8>>,
    gaps: Vec<(u64, u64)>,
}

fn read(disk: &SimulatedDisk, after: u64) -> Told {
    let mut told = Told::default();
    let (mut last, mut missing) = (None, None);
    let mut reader = Reader::after(disk.clone(), after).expect("it can be read");
    let read = reader.read(|event| {
        match event {
            Event::Wave(wave) => {
                assert!(wave.sequence > after && last.is_none_or(|last| last < wave.sequence));
                last = Some(wave.sequence);
                told.waves.insert(wave.sequence, plain(&wave));
            }
            Event::Gap(gap) => {
                let (first, end) = gap.into_inner();
                assert!(first <= end && missing.max(last).is_none_or(|before| before < first));
                missing = Some(end);
                told.gaps.push((first, end));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    read.expect("it can be read");
    told
}

/// All that a wave is.
fn plain(wave: &Wave<'_>) -> Vec<u8> {
    let headers: Vec<_> = wave.headers.iter().collect();
    let told = (wave.channel, wave.source, wave.time.to_bits(), wave.hops, headers, wave.payload);
    format!("{told:?}").into_bytes()
}

/// Everything that reads a journal, on whatever it is.
fn look(disk: &SimulatedDisk) -> (Told, Report) {
    let told = read(disk, 0);
    let report = verify(disk, &mut unwatched).expect("it can be read");
    assert!(report.damage.iter().all(|damage| !damage.bytes.is_empty()));
    for after in [1, 20, u64::MAX] {
        read(disk, after);
    }
    let copy = SimulatedDisk::new(2);
    repair(disk, &copy, &mut unwatched).expect("no version but this one can be made");
    let mut holdings = Holdings::new();
    holdings.look(disk, u64::MAX, &mut unwatched).expect("it can be read");
    let rules = [
        Rule { keep_last: Some(1), ..Rule::default() },
        Rule { max_count: Some(5), max_age: Some(10.0), ..Rule::default() },
    ];
    let terms = Terms { rules: &rules, now: 1.7e9, keep_after: None, least_gain: 0.0 };
    apply(disk, &plan(&holdings, &terms), &mut unwatched).expect("a disk without faults");
    read(disk, 0);
    (told, report)
}

/// A sound journal whose bytes were changed: each wave is the one that was written, or told to be missing.
fn changed(bytes: &mut Unstructured<'_>) -> Result<()> {
    let disk = SimulatedDisk::new(1);
    let mut written = BTreeMap::new();
    let mut base = 1;
    for number in 0..bytes.int_in_range(1..=SEGMENTS)? {
        let mut identity = *b"...a segment's o";
        identity[0] = number as u8;
        let header = Header { identity, base, ..HEADER };
        let mut end = End::new(&header);
        let mut file = header.encoded().to_vec();
        for _ in 0..bytes.int_in_range(1..=RECORDS_EACH)? {
            if bytes.ratio(1, 8)? {
                file.extend(end.note(&mut Encoded::acknowledged(0.0, "billing", b"7")));
                continue;
            }
            let next = end.next();
            let before = file.len();
            file.extend(end.wave(&mut wave(bytes)?));
            let mut scan = Scan::from(&file[..], &header, before as u64);
            let Ok(Some(Found::Record { record: Record::Wave(wave), .. })) = scan.next() else {
                panic!("it was written just now")
            };
            written.insert(next, plain(&wave));
        }
        base = end.next();
        file.extend(end.note(&mut Encoded::seal()));
        put(&disk, &name(&header), &file);
    }
    let names: Vec<String> =
        segments(&disk).expect("it can be read").into_iter().map(|segment| segment.name).collect();
    let before = read(&disk, 0);
    assert_eq!((before.waves, before.gaps), (written.clone(), vec![]));
    for _ in 0..bytes.int_in_range(0..=12)? {
        let name = bytes.choose(&names)?.clone();
        let other = disk.bytes(bytes.choose(&names)?).unwrap_or_default();
        change(&disk, &name, &other, bytes)?;
    }
    for name in &names {
        bounded(&disk.bytes(name).unwrap_or_default());
    }
    // Before a retention, which takes waves out.
    let copied = SimulatedDisk::new(2);
    repair(&disk, &copied, &mut unwatched).expect("no version but this one can be made");
    let of_copy = read(&copied, 0);
    let (told, report) = look(&disk);
    // The copy may have more: of segments whose heads are damaged.
    let among = |some: &Told, all: &BTreeMap<u64, Vec<u8>>| {
        some.waves.iter().all(|(sequence, wave)| all.get(sequence) == Some(wave))
    };
    assert!(among(&told, &written) && among(&told, &of_copy.waves) && among(&of_copy, &written));
    // Up to the last that is known, each is read or missing.
    let missing = |sequence: &u64| report.gaps.iter().any(|gap| gap.contains(sequence));
    let last = report.span.map_or(0, |(_, last)| last.sequence);
    for sequence in written.keys().take_while(|sequence| **sequence <= last) {
        assert!(told.waves.contains_key(sequence) != missing(sequence), "{sequence}: {report:?}");
    }
    Ok(())
}

/// Does something to the bytes of a file.
fn change(
    disk: &SimulatedDisk,
    name: &str,
    other: &[u8],
    bytes: &mut Unstructured<'_>,
) -> Result<()> {
    let length = disk.bytes(name).map_or(0, |bytes| bytes.len());
    let place = bytes.choose_index(length.max(1))?;
    let (way, with): (u8, [u8; 8]) = (bytes.int_in_range(0..=7)?, bytes.arbitrary()?);
    let (from, count) = (usize::from(with[0]) * 8, usize::from(with[1]));
    disk.change(name, |file| match way {
        0..=2 => {
            if let Some(byte) = file.get_mut(place) {
                *byte ^= 1 << (with[0] % 8);
            }
        }
        3 => file.iter_mut().skip(place).zip(with).for_each(|(byte, with)| *byte = with),
        4 => file.truncate(place),
        // A copy of records, of this segment or of another, somewhere else.
        5 => {
            let piece: Vec<u8> = other.iter().skip(from).take(count * 8).copied().collect();
            let at = place.next_multiple_of(8).min(file.len());
            file.splice(at..at, piece);
        }
        6 => {
            let piece = other.iter().skip(from).take(count).copied();
            file.iter_mut().skip(place).zip(piece).for_each(|(byte, with)| *byte = with);
        }
        _ => file.extend(other.iter().skip(from).take(count)),
    });
    Ok(())
}
