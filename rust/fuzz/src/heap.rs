//! One mailbox of up to some hundred waves of any priority, so that its heap is several steps deep, beside the
//! standard library's.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::{Key, Refusal, Take};
use aether_core::wave::clamped;
use arbitrary::{Result, Unstructured};

use crate::support::{After, Rig, faint, spec};

/// Steps of one program.
const STEPS: usize = 600;

/// A mailbox and what it should hold: by priority, then by arrival.
struct Both {
    rig: Rig,
    key: Key,
    overflow: Overflow,
    capacity: usize,
    plain: BinaryHeap<(u64, Reverse<u64>)>,
    lost: u64,
}

/// Runs a program of emissions and receipts.
pub fn run(data: &[u8]) {
    // A program that ends in the midst of a step ends before it.
    let _ = program(&mut Unstructured::new(data));
}

fn program(bytes: &mut Unstructured<'_>) -> Result<()> {
    let overflow = *bytes.choose(&[Overflow::Block, Overflow::Error, Overflow::DropNewest])?;
    let capacity = *bytes.choose(&[1, 2, 5, 6, 21, 22, 1000])?;
    let rig = Rig::new();
    let key = rig.open(spec("box", Order::Amplitude, overflow, capacity), &["a"]);
    let mut both = Both { rig, key, overflow, capacity, plain: BinaryHeap::new(), lost: 0 };
    for _ in 0..STEPS {
        if bytes.is_empty() {
            break;
        }
        match bytes.int_in_range(0..=15)? {
            0..=5 => both.emit(f64::from(bytes.int_in_range(0..=3u8)?) / 3.0),
            6..=8 => both.emit(f64::from(bytes.arbitrary::<u8>()?) / 255.0),
            9 => both.emit(clamped(bytes.arbitrary()?).unwrap_or(1.0)),
            10..=12 => both.take(),
            13 => both.quick(),
            14 => both.take_many(bytes.int_in_range(1..=40)?),
            _ if bytes.ratio(1, 8)? => both.clear(),
            _ => both.take(),
        }
        assert_eq!(both.rig.medium.waiting(both.key), both.plain.len());
    }
    let rest = both.plain.len();
    both.take_many(rest.max(1));
    assert_eq!(both.rig.medium.waiting(both.key), 0);
    Ok(())
}

impl Both {
    fn emit(&mut self, priority: f64) {
        // Priorities are not negative, and the bits of such floats are in their order.
        let emitted = self.rig.emit(&faint("a", priority));
        let full = self.plain.len() >= self.capacity;
        match (emitted, full, self.overflow) {
            (Ok(id), false, _) => self.plain.push((priority.to_bits(), Reverse(id))),
            (Ok(_), true, Overflow::DropNewest) => self.lost += 1,
            (Err(Refusal::Full(_)), true, Overflow::Block)
            | (Err(Refusal::Refused(_)), true, Overflow::Error) => {}
            (emitted, ..) => panic!("{emitted:?}, full: {full}"),
        }
    }

    fn next(&mut self) -> Option<u64> {
        self.plain.pop().map(|(_, Reverse(id))| id)
    }

    fn take(&mut self) {
        let expected = self.next();
        let mut after = After::default();
        match self.rig.medium.take(self.key, None, &mut after) {
            Take::Wave(taken) => assert_eq!(Some(taken.item.id), expected),
            Take::Empty => assert_eq!(expected, None),
            Take::Ended => panic!("it is open"),
        }
    }

    fn quick(&mut self) {
        let expected = self.next();
        let mut seen = None;
        let taken = self.rig.medium.take_quickly(self.key, |item| seen = Some(item.id));
        assert_eq!(taken.map(|taken| taken.item.id), expected);
        assert!(seen.is_none() || seen == expected, "the look ahead is at the same wave");
    }

    fn take_many(&mut self, most: usize) {
        let (mut taken, mut after) = (Vec::new(), After::default());
        self.rig.medium.take_many(self.key, None, (1, most), &mut taken, &mut after);
        for _ in 0..most.min(self.plain.len()) {
            let expected = self.next();
            assert_eq!(taken.first().map(|item| item.id), expected);
            taken.remove(0);
        }
        assert!(taken.is_empty());
    }

    fn clear(&mut self) {
        let mut after = After::default();
        assert_eq!(self.rig.medium.clear(&mut after), self.plain.len());
        // They leave in the order in which they would have been taken.
        for item in after.garbage {
            assert_eq!(Some(item.id), self.next());
        }
        assert!(self.plain.is_empty());
    }
}
