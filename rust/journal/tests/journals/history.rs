//! Readers with filters, forwards and backwards, beside a plain list of the waves; with indexes, without, and with
//! damaged ones. Records are large here, so that there are several blocks in a segment.

use std::ops::ControlFlow;

use aether_core::channel::{Limits, Pattern};
use aether_journal::disk::Disk;
use aether_journal::disk::simulated::SimulatedDisk;
use aether_journal::filter::Filter;
use aether_journal::journal::{Journal, Options};
use aether_journal::reader::{Event, Reader, read_wave};
use aether_journal::record::{Encoded, Wave};
use aether_journal::reverse::Backwards;
use proptest::prelude::*;

use crate::names;

const OPTIONS: Options =
    Options { segment_bytes: 300_000, pending_bytes: 1 << 30, ..Options::DEFAULT };

const CHANNELS: [&str; 5] = ["orders.created", "orders.paid", "orders.paid.late", "stock", "rare"];

#[derive(Clone, Debug)]
struct Step {
    channel: usize,
    time: f64,
    size: usize,
    acknowledges: bool,
    reopens: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Times go forwards mostly, and are no numbers at times.
    let time = prop_oneof![8 => 0.0..1.0_f64, 1 => -20.0..20.0_f64, 1 => Just(f64::NAN)];
    let channel = prop_oneof![30 => 0..4_usize, 1 => Just(4)];
    let step =
        (channel, time, 0..40_000_usize, prop::bool::weighted(0.1), prop::bool::weighted(0.04));
    let step = step.prop_map(|(channel, time, size, acknowledges, reopens)| Step {
        channel,
        time,
        size,
        acknowledges,
        reopens,
    });
    prop::collection::vec(step, 1..60)
}

fn filters() -> impl Strategy<Value = Filter> {
    let pattern = prop::option::of(prop::sample::select(vec![
        "*",
        "orders.*",
        "orders.+",
        "stock",
        "rare",
        "+.paid",
        "orders.paid.late",
        "none",
    ]));
    let sequence = || prop::option::of(0..70_u64);
    let time = || prop::option::of(-10.0..70.0_f64);
    (pattern, sequence(), sequence(), time(), time()).prop_map(
        |(pattern, after, before, since, until)| {
            let parse = |text| Pattern::parse(text, Limits::DEFAULT).expect("a pattern");
            let pattern = pattern.map(parse);
            Filter { pattern, after, before, since, until, ..Filter::default() }
        },
    )
}

fn open(disk: &SimulatedDisk) -> Journal<SimulatedDisk, ()> {
    Journal::open(disk.clone(), OPTIONS, drop).expect("it can be read")
}

/// A journal of these steps, and its waves: sequence, channel and time.
fn written(steps: &[Step]) -> (SimulatedDisk, Vec<(u64, &'static str, f64)>) {
    let (disk, mut waves) = (SimulatedDisk::new(1), Vec::new());
    let mut journal = open(&disk);
    for (number, step) in (0_u32..).zip(steps) {
        let payload = vec![number as u8; step.size];
        let time = f64::from(number) + step.time;
        let wave = Wave { time, ..Wave::plain(CHANNELS[step.channel], &payload) };
        let mut wave = Encoded::wave(&wave).expect("it fits");
        let sequence = journal.append(&mut wave, None).expect("there is room");
        waves.push((sequence, CHANNELS[step.channel], time));
        if step.acknowledges {
            journal.acknowledge("billing", &[number as u8], None).expect("there is room");
        }
        if step.reopens {
            journal.close().expect("a disk without faults");
            journal = open(&disk);
        }
    }
    journal.close().expect("a disk without faults");
    (disk, waves)
}

/// Sequences of waves, gaps, and how often something else than a cursor was told.
type Told = (Vec<u64>, Vec<u64>, usize);

fn take(told: &mut Told, event: Event<'_>, backwards: bool) -> ControlFlow<()> {
    match event {
        Event::Wave(wave) => told.0.push(wave.sequence),
        Event::Gap(gap) if backwards => told.1.extend(gap.rev()),
        Event::Gap(gap) => told.1.extend(gap),
        Event::Acknowledged { .. } => {}
        _ => told.2 += 1,
    }
    ControlFlow::Continue(())
}

fn forwards(disk: &SimulatedDisk, filter: &Filter) -> Told {
    let mut told = Told::default();
    let mut reader = Reader::filtered(disk.clone(), filter.clone()).expect("it can be read");
    reader.read(|event| take(&mut told, event, false)).expect("it can be read");
    told
}

/// In the order of a reader that goes forwards.
fn backwards(disk: &SimulatedDisk, filter: &Filter) -> Told {
    let mut told = Told::default();
    let mut reader = Backwards::new(disk.clone(), filter.clone()).expect("it can be read");
    reader.read(|event| take(&mut told, event, true)).expect("it can be read");
    told.0.reverse();
    told.1.reverse();
    told
}

/// What comes where waves may be that a filter takes: all of it, and those that it takes.
fn within(disk: &SimulatedDisk, filter: &Filter, backwards: bool) -> (usize, Vec<u64>) {
    let (mut all, mut taken) = (0, Vec::new());
    let each = |event: Event<'_>| {
        if let Event::Wave(wave) = event {
            all += 1;
            taken.extend(filter.takes(&wave).then_some(wave.sequence));
        }
        ControlFlow::Continue(())
    };
    let (disk, filter) = (disk.clone(), filter.clone());
    if backwards {
        Backwards::within(disk, filter).and_then(|mut reader| reader.read(each))
    } else {
        Reader::within(disk, filter).and_then(|mut reader| reader.read(each))
    }
    .expect("it can be read");
    if backwards {
        taken.reverse();
    }
    (all, taken)
}

fn expected(waves: &[(u64, &'static str, f64)], filter: &Filter) -> Vec<u64> {
    let taken = waves.iter().filter(|&&(sequence, channel, time)| {
        filter.takes(&Wave { sequence, time, ..Wave::plain(channel, &[]) })
    });
    taken.map(|(sequence, ..)| *sequence).collect()
}

fn without(disk: &SimulatedDisk, suffix: &str) {
    for name in disk.names().expect("it can be read") {
        if name.ends_with(suffix) {
            disk.remove(&name).expect("it is there");
        }
    }
}

fn indexes(disk: &SimulatedDisk) -> usize {
    let names = disk.names().expect("it can be read");
    names.iter().filter(|name| name.contains(".index")).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn readers_give_what_a_list_gives(
        steps in steps(),
        filters in prop::collection::vec(filters(), 12),
    ) {
        let (disk, waves) = written(&steps);
        prop_assert_eq!(indexes(&disk), names(&disk).len(), "one for each segment");
        for indexed in [true, false] {
            for filter in &filters {
                let expected = (expected(&waves, filter), vec![], 0);
                prop_assert_eq!(&forwards(&disk, filter), &expected, "{} {:?}", indexed, filter);
                prop_assert_eq!(&backwards(&disk, filter), &expected, "{} {:?}", indexed, filter);
                for way in [false, true] {
                    let (_, taken) = within(&disk, filter, way);
                    prop_assert_eq!(&taken, &expected.0, "{} {} {:?}", indexed, way, filter);
                }
            }
            without(&disk, ".index");
        }
        // An opening without snapshots makes them again.
        without(&disk, ".snapshot");
        drop(open(&disk));
        prop_assert_eq!(indexes(&disk), names(&disk).len());
    }

    #[test]
    fn what_is_damaged_is_told_whichever_way_it_is_read(
        steps in steps(),
        filters in prop::collection::vec(filters(), 6),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
        indexed in any::<bool>(),
    ) {
        let (disk, waves) = written(&steps);
        let segments = names(&disk);
        for (segment, byte) in &places {
            disk.change(&segments[segment.index(segments.len())], |bytes| {
                let byte = byte.index(bytes.len());
                bytes[byte] ^= 64;
            });
        }
        if !indexed {
            without(&disk, ".index");
        }
        let (there, missing, _) = forwards(&disk, &Filter::default());
        let back = backwards(&disk, &Filter::default());
        prop_assert_eq!(&back.0, &there);
        // What is missing at the very end is known by an index alone, and is torn for who has not read it.
        let known = there.last().max(missing.last()).copied().unwrap_or(0);
        let before_the_end: Vec<u64> = back.1.iter().copied().filter(|gap| *gap <= known).collect();
        prop_assert_eq!(&before_the_end, &missing);
        prop_assert_eq!(known as usize, there.len() + missing.len());
        for filter in &filters {
            let expected = expected(&waves, filter);
            for (way, told) in [("forwards", forwards(&disk, filter)), ("backwards", backwards(&disk, filter))] {
                let what = format!("{way} {filter:?} {told:?}");
                // Each wave that is wanted comes, or is told to be missing; and no other one comes.
                let come: Vec<u64> =
                    expected.iter().copied().filter(|wave| there.contains(wave)).collect();
                prop_assert_eq!(&told.0, &come, "{}", &what);
                let lost: Vec<u64> =
                    expected.iter().copied().filter(|wave| missing.contains(wave)).collect();
                prop_assert!(lost.iter().all(|wave| told.1.contains(wave)), "{}", &what);
                let real = |gap: &u64| missing.contains(gap) || *gap > known;
                prop_assert!(told.1.iter().all(real), "{} {:?}", &what, &missing);
                let asked = |gap: &u64| {
                    filter.after.is_none_or(|after| *gap > after)
                        && filter.before.is_none_or(|before| *gap < before)
                };
                prop_assert!(told.1.iter().all(asked), "{}", &what);
            }
        }
    }

    #[test]
    fn the_last_waves_and_the_cursors_are_known_after_an_opening(steps in steps()) {
        let (disk, waves) = written(&steps);
        let all = Pattern::parse("*", Limits::DEFAULT).expect("a pattern");
        let said = (0_u8..).zip(&steps).filter(|(_, step)| step.acknowledges).last();
        for snapshots in [true, false] {
            let journal = open(&disk);
            prop_assert_eq!(journal.waves(), waves.len() as u64);
            prop_assert_eq!(journal.last(), waves.len() as u64);
            prop_assert_eq!(journal.cursor("billing"), said.map(|(number, _)| vec![number]));
            let mut last = journal.last_of(&all);
            for (channel, location) in last.drain(..) {
                let expected = waves.iter().rfind(|(_, of, _)| **of == *channel);
                prop_assert_eq!(Some(location.sequence), expected.map(|(sequence, ..)| *sequence));
                let mut come = None;
                read_wave(&disk, &location, |wave| come = Some(wave.channel.to_owned())).expect("it can be read");
                prop_assert_eq!(come.as_deref(), Some(&*channel));
            }
            for channel in CHANNELS {
                let pattern = Pattern::parse(channel, Limits::DEFAULT).expect("a pattern");
                let there = waves.iter().any(|(_, of, _)| *of == channel);
                prop_assert_eq!(journal.last_of(&pattern).len(), usize::from(there));
            }
            drop(journal);
            if snapshots {
                without(&disk, ".snapshot");
            }
        }
    }
}

#[test]
fn a_rare_channel_is_found_without_reading_the_rest() {
    let common = Step { channel: 0, time: 0.0, size: 30_000, acknowledges: false, reopens: false };
    let mut steps = vec![common; 80];
    steps[40].channel = 4;
    let (disk, _) = written(&steps);
    let rare = Filter {
        pattern: Some(Pattern::parse("rare", Limits::DEFAULT).expect("a pattern")),
        ..Filter::default()
    };
    // Where it is not, damage is not come to.
    let segments = names(&disk);
    disk.change(&segments[0], |bytes| bytes[40_000] ^= 1);
    disk.change(segments.last().expect("there are some"), |bytes| bytes[40_000] ^= 1);
    assert_eq!(forwards(&disk, &rare), (vec![41], vec![], 0));
    assert_eq!(backwards(&disk, &rare), (vec![41], vec![], 0));
    // By time and by sequence, within a segment too.
    for (filter, expected) in [
        (Filter { since: Some(30.0), until: Some(50.0), ..Filter::default() }, 31..=50),
        (Filter { after: Some(30), before: Some(51), ..Filter::default() }, 31..=50),
    ] {
        let expected: Vec<u64> = expected.collect();
        assert_eq!(forwards(&disk, &filter), (expected.clone(), vec![], 0));
        assert_eq!(backwards(&disk, &filter), (expected.clone(), vec![], 0));
        // A block has three waves.
        for way in [false, true] {
            let (all, taken) = within(&disk, &filter, way);
            assert_eq!(taken, expected);
            assert!((20..=26).contains(&all), "{all}");
        }
    }
}

#[test]
fn a_reader_that_begins_in_the_middle_does_not_read_what_is_before() {
    let step = Step { channel: 0, time: 0.0, size: 30_000, acknowledges: false, reopens: false };
    let (disk, _) = written(&vec![step; 80]);
    // There, damage is not come to.
    disk.change(names(&disk).last().expect("there are some"), |bytes| bytes[40_000] ^= 1);
    let late = Filter { after: Some(79), ..Filter::default() };
    assert_eq!(forwards(&disk, &late), (vec![80], vec![], 0));
    without(&disk, ".index");
    assert_eq!(forwards(&disk, &late), (vec![80], vec![], 1), "it is read from its front");
}
