//! A field beside a plain list of its last rows.
#![allow(clippy::float_cmp)] // the numbers are exact

use std::collections::VecDeque;

use aether_physics::field::{Cells, Column, Field, Place, Reading, Window};
use proptest::prelude::*;

const COLUMNS: [Column; 6] = [
    Column::Timestamp,
    Column::Amplitude,
    Column::Phase,
    Column::Frequency,
    Column::Channel,
    Column::Sequence,
];

fn reading(sequence: u64) -> Reading {
    let number = sequence as f64;
    Reading {
        timestamp: 1e9 + number,
        amplitude: 1.0 / number,
        phase: number % 6.0,
        frequency: number / 3.0,
        sequence,
    }
}

/// A column as the bits of its cells.
fn bits(window: &Window, column: Column) -> Vec<u64> {
    use std::sync::atomic::Ordering::Relaxed;
    match window.cells(column) {
        Cells::Wide(cells) => cells.iter().map(|cell| cell.load(Relaxed)).collect(),
        Cells::Narrow(cells) => cells.iter().map(|cell| cell.load(Relaxed).into()).collect(),
    }
}

fn rows(window: &Window) -> Vec<(Reading, String)> {
    let [timestamp, amplitude, phase, frequency, channel, sequence] =
        COLUMNS.map(|column| bits(window, column));
    let row = |at: usize| {
        let reading = Reading {
            timestamp: f64::from_bits(timestamp[at]),
            amplitude: f64::from_bits(amplitude[at]),
            phase: f64::from_bits(phase[at]),
            frequency: f64::from_bits(frequency[at]),
            sequence: sequence[at],
        };
        (reading, window.channels()[channel[at] as usize].to_string())
    };
    (0..window.len()).map(row).collect()
}

/// Records as the taps do: by the place if it is good still.
fn record(field: &mut Field, place: &mut Option<Place>, name: &str, reading: &Reading) {
    match *place {
        Some(known) if field.is_ready(known) => field.record_at(known, reading),
        _ => *place = Some(field.record(name, reading)),
    }
}

proptest! {
    /// Whatever is recorded, in whichever bursts, and whoever holds windows on it.
    #[test]
    fn the_last_rows_are_there_and_windows_never_change(
        size in 1_usize..700,
        bursts in prop::collection::vec((0_usize..900, 1_usize..3_000, any::<bool>()), 1..8),
    ) {
        let (mut field, mut plain) = (Field::new(size), VecDeque::new());
        let (mut held, mut sequence) = (Vec::new(), 0);
        let mut places = vec![None; 3_000];
        for (burst, names, hold) in bursts {
            for _ in 0..burst {
                sequence += 1;
                let number = (sequence as usize * 7) % names;
                let name = format!("channel.{number}");
                record(&mut field, &mut places[number], &name, &reading(sequence));
                plain.push_back((reading(sequence), name));
                if plain.len() > size {
                    plain.pop_front();
                }
            }
            let window = field.window();
            let expected: Vec<_> = plain.iter().cloned().collect();
            prop_assert_eq!(&rows(&window), &expected);
            prop_assert_eq!(window.recorded(), sequence);
            prop_assert!(window.channels().len() <= 1_024 + 3 * size + 256);
            if hold {
                held.push((window, expected));
            }
        }
        for (window, expected) in held {
            prop_assert_eq!(rows(&window), expected);
        }
    }
}

#[test]
fn names_that_come_once_are_forgotten() {
    let mut field = Field::new(100);
    for number in 1..=100_000 {
        field.record(&format!("reply.{number}"), &reading(number));
    }
    let window = field.window();
    assert!(window.channels().len() <= 1_024 + 356, "{}", window.channels().len());
    assert_eq!(rows(&window)[99].1, "reply.100000");
}

#[test]
fn a_place_is_good_until_channels_get_new_numbers() {
    let mut field = Field::new(10);
    let place = field.record("first", &reading(1));
    assert!(field.is_ready(place));
    for number in 2..=5_000 {
        field.record(&format!("other.{number}"), &reading(number));
    }
    assert!(!field.is_ready(place));
}

#[test]
fn energies_are_sums_of_squares() {
    let mut field = Field::new(4);
    for (sequence, name) in [(1, "a"), (2, "b"), (3, "a"), (4, "b"), (5, "b")] {
        field.record(name, &Reading { amplitude: sequence as f64 / 8.0, ..reading(sequence) });
    }
    let window = field.window();
    assert_eq!(window.energies(), [Some(9.0 / 64.0), Some(45.0 / 64.0)]);
    assert_eq!(window.energy(), 54.0 / 64.0);
    assert_eq!(Field::new(1).window().energy(), 0.0);
}

#[test]
fn a_rate_counts_what_the_field_can_see() {
    let mut field = Field::new(3);
    for second in 1..=3 {
        field.record("a", &Reading { timestamp: f64::from(second), ..reading(1) });
    }
    let rate = |field: &mut Field, now, seconds| field.window().rate(now, seconds);
    assert_eq!(rate(&mut field, 3.0, 2.0), 1.0);
    assert_eq!(rate(&mut field, 3.0, 6.0), 0.5);
    assert_eq!(rate(&mut field, 2.0, 2.0), 1.0, "what is yet to come does not count");
    field.record("a", &Reading { timestamp: 4.0, ..reading(2) });
    // The wave of second 1 is forgotten: 3 waves in the 2 seconds since the oldest.
    assert_eq!(rate(&mut field, 4.0, 100.0), 1.5);
}
