//! Readers: from anywhere, beside a writer, and behind it.

use std::ops::ControlFlow;

use aether_journal::disk::simulated::SimulatedDisk;
use aether_journal::reader::{Event, Reader};

use crate::{OPTIONS, Told, all, journal, open, wave};

#[test]
fn a_reader_begins_after_any_sequence() {
    let disk = journal(24);
    for after in 0..=30 {
        let mut reader = Reader::after(disk.clone(), after).expect("it can be read");
        let told = Told::read(&mut reader);
        assert_eq!(told, Told { waves: (after + 1..=24).collect(), ..Told::default() });
    }
}

#[test]
fn a_reader_goes_on_where_it_has_stopped() {
    let mut reader = Reader::after(journal(24), 0).expect("it can be read");
    for number in 1..=24 {
        let mut come = None;
        let read = reader.read(|event| {
            if let Event::Wave(wave) = event {
                come = Some(wave.sequence);
            }
            ControlFlow::Break(())
        });
        read.expect("it can be read");
        assert_eq!(come, Some(number));
    }
    assert_eq!(Told::read(&mut reader), Told::default());
}

#[test]
fn a_reader_behind_a_writer_gets_each_wave_once() {
    let disk = SimulatedDisk::new(1);
    let mut reader = Reader::after(disk.clone(), 0).expect("it can be read");
    assert_eq!(Told::read(&mut reader), Told::default());
    let journal = open(&disk, OPTIONS).expect("an empty disk");
    for number in 1..=40 {
        let sequence = journal.append(&mut wave(number), None).expect("there is room");
        journal.wait(sequence).expect("a disk without faults");
        if number % 3 == 0 || number > 30 {
            let told = Told::read(&mut reader);
            let first = reader.next_sequence() - told.waves.len() as u64;
            assert_eq!(told, Told { waves: (first..=number).collect(), ..Told::default() });
        }
    }
}

#[test]
fn a_journal_goes_on_after_each_opening() {
    let disk = SimulatedDisk::new(1);
    for turn in 0..5 {
        let journal = open(&disk, OPTIONS).expect("it can be read");
        assert_eq!(journal.last(), turn * 3);
        for number in turn * 3 + 1..=turn * 3 + 3 {
            journal.append(&mut wave(number), None).expect("there is room");
        }
        // Dropped, it commits what was appended.
    }
    assert_eq!(all(&disk), Told { waves: (1..=15).collect(), ..Told::default() });
}

#[test]
fn what_a_cursor_says_stands_where_it_was_said() {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk, OPTIONS).expect("an empty disk");
    for number in 1..=10 {
        journal.append(&mut wave(number), None).expect("there is room");
        journal.acknowledge("billing", &number.to_le_bytes(), None).expect("there is room");
    }
    journal.close().expect("a disk without faults");
    let (mut waves, mut said) = (0, 0);
    let read = Reader::after(disk, 0).expect("it can be read").read(|event| {
        match event {
            Event::Wave(wave) => waves = wave.sequence,
            Event::Acknowledged { sequence, cursor, state } => {
                assert_eq!((sequence, cursor, state), (waves, "billing", &waves.to_le_bytes()[..]));
                said += 1;
            }
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    });
    read.expect("it can be read");
    assert_eq!((waves, said), (10, 10));
}

#[test]
fn what_is_noted_between_two_segments_comes_in_its_order() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        let mut reader = Reader::after(disk.clone(), 0).expect("it can be read");
        let (mut said, mut waves) = (Vec::new(), Vec::new());
        for turn in 0..12_u8 {
            // Some write nothing but a note.
            let journal = open(&disk, OPTIONS).expect("it can be read");
            journal.acknowledge("billing", &[turn], None).expect("there is room");
            if turn % 3 == 2 {
                journal.append(&mut wave(journal.last() + 1), None).expect("there is room");
            }
            journal.close().expect("a disk without faults");
            let read = reader.read(|event| {
                match event {
                    Event::Acknowledged { state, .. } => said.push(state[0]),
                    Event::Wave(wave) => waves.push(wave.sequence),
                    other => panic!("{other:?}"),
                }
                ControlFlow::Continue(())
            });
            read.expect("it can be read");
            assert!(said.iter().copied().eq(0..=turn), "seed {seed}: {said:?}");
        }
        assert_eq!(waves, [1, 2, 3, 4]);
    }
}
