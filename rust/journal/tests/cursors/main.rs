//! What a cursor promises, beside a plain book of what was emitted, handed out and acknowledged.
#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use aether_journal::cursor::{Acknowledged, Cursor, Due, low};
use proptest::collection::vec;
use proptest::prelude::*;

/// A reader, its mailbox and its journal, as they would be with a cursor that makes no mistakes.
#[derive(Debug, Default)]
struct World {
    cursor: Cursor,
    /// Whether the waves match, by sequence from 1 on.
    waves: Vec<bool>,
    /// Delivered up to here; the mailbox is live when it has read up to it.
    position: u64,
    /// What waits, and the so many-th delivery that it will be.
    mailbox: Vec<(u64, u32)>,
    /// What was handed out: how often.
    out: BTreeMap<u64, u32>,
    acknowledged: BTreeSet<u64>,
    /// What the mailbox has lost. It may come again, or not.
    lost: BTreeSet<u64>,
    /// What was written down, with what was acknowledged by then, and what was out.
    notes: Vec<Note>,
    now: f64,
}

#[derive(Clone, Debug, Default)]
struct Note {
    said: Vec<u8>,
    acknowledged: BTreeSet<u64>,
    out: BTreeMap<u64, u32>,
}

#[derive(Clone, Debug)]
enum Step {
    /// A wave, and whether it matches.
    Emit(bool),
    /// The mailbox gets so many more of what was emitted.
    Read(usize),
    /// The one at this place of the mailbox is handed out.
    Take(usize),
    /// The one at this place of what is out is given back.
    Untake(usize),
    Acknowledge(usize),
    /// The time of all that is out is over, and so many come back into the mailbox.
    Expire(usize),
    /// The mailbox loses one by a rule of its own.
    Lose(usize),
    Note,
    /// Killed: the disk has one of the last so many notes.
    Restart(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<bool>().prop_map(Step::Emit),
        4 => (1..5usize).prop_map(Step::Read),
        5 => any::<usize>().prop_map(Step::Take),
        1 => any::<usize>().prop_map(Step::Untake),
        4 => any::<usize>().prop_map(Step::Acknowledge),
        1 => (0..4usize).prop_map(Step::Expire),
        1 => any::<usize>().prop_map(Step::Lose),
        4 => Just(Step::Note),
        1 => (0..6usize).prop_map(Step::Restart),
    ];
    vec(step, 1..120)
}

impl World {
    fn run(&mut self, step: &Step) {
        match *step {
            Step::Emit(matches) => self.waves.push(matches),
            Step::Read(count) => self.read(count),
            Step::Take(at) => self.take(at),
            Step::Untake(at) => {
                let Some((&sequence, &deliveries)) = nth(&self.out, at) else { return };
                if !self.cursor.untake(sequence) {
                    return;
                }
                self.mailbox.push((sequence, deliveries));
                match deliveries {
                    1 => _ = self.out.remove(&sequence),
                    _ => _ = self.out.insert(sequence, deliveries - 1),
                }
            }
            Step::Acknowledge(at) => {
                let Some((&sequence, _)) = nth(&self.out, at) else { return };
                assert_eq!(self.cursor.acknowledge(sequence), Acknowledged::Now);
                assert_eq!(self.cursor.acknowledge(sequence), Acknowledged::Before);
                self.out.remove(&sequence);
                self.acknowledged.insert(sequence);
            }
            Step::Expire(most) => {
                self.now += 10.0;
                for (sequence, deliveries) in self.cursor.overdue(self.now, most) {
                    assert_eq!(self.out.get(&sequence), Some(&deliveries));
                    assert!(self.cursor.brought(sequence, deliveries));
                    self.mailbox.push((sequence, deliveries + 1));
                }
            }
            Step::Lose(at) => {
                if !self.mailbox.is_empty() {
                    let (sequence, _) = self.mailbox.remove(at % self.mailbox.len());
                    self.out.remove(&sequence);
                    self.lost.insert(sequence);
                    self.survey();
                }
            }
            Step::Note => self.note(),
            Step::Restart(back) => self.restart(back),
        }
    }

    fn read(&mut self, count: usize) {
        for _ in 0..count {
            let sequence = self.position + 1;
            let Some(&matches) = self.waves.get(sequence as usize - 1) else { return };
            self.position = sequence;
            let due = if matches { self.cursor.due(sequence) } else { Due::Nothing };
            match due {
                Due::Nothing => {}
                Due::First => self.mailbox.push((sequence, 1)),
                Due::Again(deliveries) => self.mailbox.push((sequence, deliveries + 1)),
            }
        }
    }

    fn take(&mut self, at: usize) {
        if self.mailbox.is_empty() {
            return;
        }
        let (sequence, deliveries) = self.mailbox.remove(at % self.mailbox.len());
        let needed = self.cursor.take(sequence, deliveries, 1, self.now + 5.0);
        if !self.lost.contains(&sequence) {
            assert_eq!(needed, !self.acknowledged.contains(&sequence), "wave {sequence}");
        }
        if needed {
            self.out.insert(sequence, deliveries);
        }
    }

    fn survey(&mut self) {
        let highest = self.cursor.highest();
        let all = || self.mailbox.iter().map(|&(sequence, _)| sequence);
        let waiting: Vec<u64> = all().filter(|&sequence| sequence <= highest).collect();
        let beyond = all().filter(|&sequence| sequence > highest).min().unwrap_or(u64::MAX);
        self.cursor.survey(&waiting, self.position.min(beyond - 1));
    }

    fn note(&mut self) {
        self.survey();
        let said = self.cursor.encode();
        assert_eq!(low(&said), Some(self.cursor.low()));
        // It is as large as what matches; see below for what is finished in order.
        let matching = self.waves.iter().filter(|&&matches| matches).count();
        assert!(said.len() <= 33 + 12 * matching);
        let (acknowledged, out) = (self.acknowledged.clone(), self.out.clone());
        self.notes.push(Note { said, acknowledged, out });
    }

    fn restart(&mut self, back: usize) {
        let Some(place) = self.notes.len().checked_sub(1 + back) else { return };
        let note = self.notes[place].clone();
        self.notes.truncate(place + 1);
        let cursor = Cursor::decode(&note.said).expect("it reads what it has written");
        assert_eq!(cursor.encode(), note.said);
        self.position = cursor.low();
        self.cursor = cursor;
        self.mailbox.clear();
        self.acknowledged.clone_from(&note.acknowledged);
        self.out.clone_from(&note.out);
    }

    /// All that was emitted and not acknowledged comes, once, with its number of deliveries.
    fn check_next_start(mut self) {
        self.note();
        self.restart(0);
        self.read(self.waves.len());
        let mut came: Vec<(u64, u32)> = std::mem::take(&mut self.mailbox);
        came.retain(|(sequence, _)| !self.lost.contains(sequence));
        came.sort_unstable();
        let matching = (1..).zip(&self.waves).filter(|&(_, &matches)| matches);
        let owed = matching.map(|(sequence, _)| sequence);
        let owed: Vec<(u64, u32)> = owed
            .filter(|one| !self.acknowledged.contains(one) && !self.lost.contains(one))
            .map(|sequence| (sequence, self.out.get(&sequence).copied().unwrap_or(0) + 1))
            .collect();
        assert_eq!(came, owed);
    }
}

fn nth<K, V>(map: &BTreeMap<K, V>, at: usize) -> Option<(&K, &V)> {
    (!map.is_empty()).then(|| map.iter().nth(at % map.len())).flatten()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever happens in whatever order, and whichever note the disk has when the process dies: what was acknowledged
    /// by then does not come again, all else does, and nothing else.
    #[test]
    fn a_cursor_forgets_nothing_and_never_jumps_ahead(steps in steps()) {
        let mut world = World::default();
        world.note();
        for step in &steps {
            world.run(step);
        }
        world.check_next_start();
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..120), kind in 0..3u8) {
        let mut said = Cursor::after(7).encode();
        match kind {
            0 => said = bytes,
            1 => said.extend(bytes),
            _ => for (at, byte) in bytes.iter().enumerate() {
                if let Some(place) = said.get_mut(at) { *place = *byte; }
            },
        }
        if let Some(cursor) = Cursor::decode(&said) {
            prop_assert_eq!(cursor.encode(), said);
        }
    }
}

#[test]
fn what_all_matching_waves_have_passed_is_finished() {
    let mut cursor = Cursor::after(10);
    assert!(cursor.take(12, 1, 1, 5.0) && cursor.take(15, 1, 1, 5.0));
    cursor.survey(&[], 20);
    assert_eq!((cursor.low(), cursor.highest()), (11, 20));
    cursor.acknowledge(12);
    assert_eq!(cursor.low(), 14);
    cursor.acknowledge(15);
    assert_eq!(cursor.low(), 20);
    assert_eq!(cursor.acknowledge(21), Acknowledged::NotOut);
}

#[test]
fn it_is_no_larger_than_what_is_unfinished() {
    let mut cursor = Cursor::after(0);
    for sequence in 1..1000 {
        assert!(cursor.take(sequence, 1, 1, 5.0));
        cursor.survey(&[], sequence);
        if sequence % 100 > 0 {
            cursor.acknowledge(sequence);
        }
    }
    assert_eq!(cursor.encode().len(), 33 + 12 * 9);
    cursor.acknowledge_all(1);
    assert_eq!(cursor.encode().len(), 33);
}

#[test]
fn a_wave_that_is_louder_leaves_the_others_behind() {
    let mut cursor = Cursor::after(0);
    assert!(cursor.take(3, 1, 1, 5.0));
    cursor.survey(&[1, 2], 3);
    cursor.acknowledge(3);
    assert_eq!((cursor.low(), cursor.is_finished(3), cursor.is_finished(2)), (0, true, false));
    assert_eq!(cursor.acknowledge(2), Acknowledged::NotOut);
}

#[test]
fn time_is_over_one_by_one() {
    let mut cursor = Cursor::after(0);
    assert!(cursor.take(1, 1, 1, 5.0) && cursor.take(2, 3, 1, 7.0));
    assert_eq!((cursor.overdue(4.0, 9), cursor.next_until().to_bits()), (vec![], 5f64.to_bits()));
    assert_eq!(cursor.overdue(7.0, 9), [(1, 1), (2, 3)]);
    cursor.postpone(1, 9.0);
    assert!(cursor.brought(2, 3) && !cursor.brought(2, 3));
    assert_eq!(cursor.overdue(8.0, 9), []);
    assert_eq!(cursor.overdue(9.0, 9), [(1, 1)]);
    // It is too late for the reader to finish it in time, but not to finish it.
    assert_eq!(cursor.acknowledge(2), Acknowledged::Now);
    assert!(!cursor.take(2, 4, 1, 20.0), "the second copy is let go");
}

#[test]
fn only_what_a_reader_has_is_acknowledged_for_him() {
    let mut cursor = Cursor::after(0);
    assert!(cursor.take(1, 1, 1, 5.0) && cursor.take(2, 1, 2, 5.0));
    assert!(cursor.acknowledge_all(1) && !cursor.acknowledge_all(1));
    cursor.survey(&[], 2);
    assert_eq!((cursor.low(), cursor.is_finished(2)), (1, false));
}

#[test]
fn who_takes_it_over_is_owed_what_was_out() {
    let mut cursor = Cursor::after(0);
    assert!((1..=3).all(|sequence| cursor.take(sequence, 1, 1, 5.0 + sequence as f64)));
    cursor.acknowledge(3);
    assert_eq!(cursor.due(1), Due::Nothing, "somebody has it");
    assert!(cursor.brought(1, 1));
    assert!((cursor.next_until() - 7.0).abs() < 1e-9, "the time of the first is over");
    cursor.restart();
    let due: Vec<Due> = (1..=4).map(|sequence| cursor.due(sequence)).collect();
    assert_eq!(due, [Due::Again(1), Due::Again(1), Due::Nothing, Due::First]);
    assert!(cursor.next_until().is_infinite() && !cursor.acknowledge_all(1));
    // Just as one that begins with what was written down.
    assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
}

#[test]
fn what_no_cursor_says_is_refused() {
    /// Low, top, what is unfinished up to there, and what is known beyond.
    fn said(low: u64, top: u64, unfinished: &[(u64, u32)], beyond: &[(u64, u32)]) -> Vec<u8> {
        let mut said = vec![1];
        said.extend([low, top].into_iter().flat_map(u64::to_le_bytes));
        for entries in [unfinished, beyond] {
            said.extend((entries.len() as u64).to_le_bytes());
            for (sequence, deliveries) in entries {
                said.extend(sequence.to_le_bytes());
                said.extend(deliveries.to_le_bytes());
            }
        }
        said
    }
    let sound = said(4, 9, &[(5, 0), (9, 2)], &[(10, 1), (12, 0)]);
    let cursor = Cursor::decode(&sound).expect("it is sound");
    assert_eq!((cursor.encode(), low(&sound)), (sound.clone(), Some(4)));
    assert_eq!(
        [5, 6, 9, 10, 11, 12].map(|one| cursor.is_finished(one)),
        [false, true, false, false, false, true]
    );
    for other in [
        said(4, 9, &[(5, 0), (10, 2)], &[]),
        said(4, 9, &[(5, 0), (11, 0)], &[]),
        said(4, 9, &[(5, 0), (5, 2)], &[]),
        said(4, 9, &[(5, 0), (8, 0), (7, 2)], &[]),
        said(4, 9, &[(4, 0), (5, 1)], &[]),
        said(4, 9, &[(5, 0)], &[(9, 1)]),
        said(4, 9, &[(5, 0)], &[(8, 0)]),
        said(4, 9, &[(5, 0)], &[(12, 0), (12, 1)]),
        said(3, 9, &[(5, 0)], &[]),
        said(9, 8, &[], &[]),
        [&sound[..], &[0]].concat(),
        sound[..sound.len() - 1].to_vec(),
        [&[2], &sound[1..]].concat(),
    ] {
        assert_eq!(Cursor::decode(&other), None, "{other:?}");
    }
    assert_eq!((low(&[1]), low(&[2; 30]), low(&[])), (None, None, None));
}
