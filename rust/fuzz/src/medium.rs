//! Programs of everything that a medium does, beside the model of plain vectors.
//!
//! The model is that of the core's tests (`rust/core/tests/medium_model`), and so are its checks after each step;
//! here libFuzzer writes the programs. They are of two kinds. In the one, amplitudes, noise floors, lifetimes and
//! steps of time are any numbers. In the other, mailboxes may be `fresh`, and the numbers are of a few that stay
//! apart however they fade, for a while: the core compares logarithms, and the model products, which may differ
//! in the last bit, and after hours are all zero.

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::Phase;
use aether_core::wave::clamped;
use arbitrary::{Result, Unstructured};

use self::program::{AMPLITUDES, CHANNELS, Opening, PATTERNS, Place, Shot, Step, Turn, Way};
use self::world::World;
use crate::support;

#[path = "../../core/tests/medium_model/compare.rs"]
mod compare;
#[path = "../../core/tests/medium_model/later.rs"]
mod later;
#[path = "../../core/tests/medium_model/plain.rs"]
mod plain;
#[path = "../../core/tests/medium_model/program.rs"]
mod program;
#[path = "../../core/tests/medium_model/quick.rs"]
mod quick;
#[path = "../../core/tests/medium_model/steps.rs"]
mod steps;
#[path = "../../core/tests/medium_model/world.rs"]
mod world;

/// Steps of one program, and mailboxes.
const STEPS: usize = 150;
const MAILBOXES: usize = 8;

/// Runs a program on the medium and the model.
pub fn run(data: &[u8]) {
    // A program that ends in the midst of a step ends before it.
    let _ = drive(&mut Unstructured::new(data));
}

fn drive(bytes: &mut Unstructured<'_>) -> Result<()> {
    let mut writer = Writer { fresh: bytes.arbitrary()?, bytes };
    let mut world = World::new();
    world.step(&writer.open()?);
    for _ in 0..STEPS {
        if writer.bytes.is_empty() {
            break;
        }
        match writer.step()? {
            Step::Open(..) if world.boxes.len() >= MAILBOXES => {}
            step => world.step(&step),
        }
    }
    // The end lets everything go that is left.
    world.step(&Step::Shut(Phase::Closed, true));
    Ok(())
}

/// Reads steps from bytes.
struct Writer<'a, 'b> {
    fresh: bool,
    bytes: &'a mut Unstructured<'b>,
}

impl Writer<'_, '_> {
    fn place(&mut self) -> Result<Place> {
        Ok(Place(self.bytes.arbitrary::<u8>()?.into()))
    }

    fn count(&mut self, most: usize) -> Result<usize> {
        self.bytes.int_in_range(1..=most)
    }

    fn pattern(&mut self) -> Result<&'static str> {
        self.bytes.choose(&PATTERNS).copied()
    }

    fn amplitude(&mut self) -> Result<f64> {
        if self.fresh || self.bytes.ratio(1, 2)? {
            return self.bytes.choose(&AMPLITUDES).copied();
        }
        Ok(clamped(self.bytes.arbitrary()?).unwrap_or(0.0))
    }

    fn seconds(&mut self) -> Result<f64> {
        if self.fresh || self.bytes.ratio(1, 2)? {
            return Ok(*self.bytes.choose(&[0.0, 0.25, 1.0])?);
        }
        let any: f64 = self.bytes.arbitrary()?;
        Ok(if any.is_nan() { f64::INFINITY } else { any.abs() })
    }

    fn open(&mut self) -> Result<Step> {
        let orders = [Order::Amplitude, Order::Fifo, Order::Fresh];
        let order = *self.bytes.choose(if self.fresh { &orders } else { &orders[..2] })?;
        let overflow = *self.bytes.choose(&[
            Overflow::Block,
            Overflow::Block,
            Overflow::Block,
            Overflow::DropOldest,
            Overflow::DropNewest,
            Overflow::DropFaintest,
            Overflow::Conflate,
            Overflow::Error,
        ])?;
        let floor = match self.bytes.int_in_range(0..=3)? {
            0 => 0.3,
            1 if !self.fresh => self.amplitude()?,
            _ => 0.0,
        };
        let (capacity, ignored) = (self.count(4)?, self.bytes.int_in_range(0..=2)?);
        let mut patterns = vec![self.pattern()?];
        if self.bytes.arbitrary()? {
            patterns.push(self.pattern()?);
        }
        Ok(Step::Open(Opening { order, overflow, capacity, floor, ignored }, patterns))
    }

    fn shot(&mut self) -> Result<Shot> {
        let channel = *self.bytes.choose(&CHANNELS)?;
        let (amplitude, priority) = (self.amplitude()?, self.amplitude()?);
        let mortal = self.bytes.ratio(1, 4)?;
        let lifetime = if mortal { self.seconds()? } else { f64::INFINITY };
        let require = if self.bytes.ratio(1, 8)? { self.count(2)? } else { 0 };
        let (emitter, inside) = (self.bytes.int_in_range(0..=3)?, self.bytes.arbitrary()?);
        Ok(Shot { channel, amplitude, priority, lifetime, emitter, inside, require })
    }

    fn way(&mut self) -> Result<Way> {
        Ok(match self.bytes.int_in_range(0..=3)? {
            0 => {
                let (least, most) = (self.count(4)?, self.count(4)?);
                Way::Many(least, most.max(least))
            }
            1 => Way::Abandon,
            _ => Way::Take,
        })
    }

    fn turn(&mut self) -> Result<Turn> {
        let turns = [Turn::Emit, Turn::Emit, Turn::Reserve, Turn::Leave];
        self.bytes.choose(&turns).copied()
    }

    fn step(&mut self) -> Result<Step> {
        Ok(match self.bytes.int_in_range(0..=63)? {
            0..=12 => Step::Emit(self.shot()?, self.bytes.arbitrary()?),
            13..=15 => Step::Reserve(self.shot()?, self.bytes.arbitrary()?),
            16..=18 => Step::Swift(self.shot()?),
            19 => Step::Unreserve(self.place()?),
            20..=22 => Step::Take(self.place()?),
            23 => Step::Hold(self.place()?),
            24 => Step::TakeBack(self.place()?),
            25 => Step::Deliver(self.place()?, self.bytes.int_in_range(0..=2)?),
            26..=27 => {
                let (place, least, most) = (self.place()?, self.count(4)?, self.count(5)?);
                Step::Many(place, least, most.max(least))
            }
            28..=29 => Step::Quick(self.place()?),
            30..=31 => Step::QuickMany(self.place()?, self.count(5)?),
            32..=36 => Step::Enlist(self.place()?, self.count(4)?),
            37..=41 => Step::Resume(self.place()?, self.way()?),
            42..=46 => Step::Sender(self.place()?, self.turn()?),
            47 => Step::Rouse(self.place()?),
            48..=49 => Step::Look(self.place()?),
            50 => Step::Stalls(self.bytes.int_in_range(0..=4)?),
            51..=53 => Step::Advance(self.bytes.int_in_range(1..=8)?),
            54 => Step::Unheard(self.bytes.choose(&CHANNELS)?),
            55..=56 => self.open()?,
            57 => Step::Resonate(self.place()?, self.pattern()?),
            58 => Step::Detune(self.place()?, self.pattern()?),
            59 => Step::DetuneAll(self.pattern()?),
            60 => Step::Clear,
            61 => Step::Finish(self.place()?),
            62 => match self.bytes.int_in_range(0..=2)? {
                0 => Step::Close(self.place()?),
                1 => Step::Shut(Phase::Draining, self.bytes.arbitrary()?),
                _ => Step::Discard(self.place()?),
            },
            _ => match self.bytes.int_in_range(0..=3)? {
                0 => Step::Shut(Phase::Draining, self.bytes.arbitrary()?),
                1 => Step::Shut(Phase::Closed, self.bytes.arbitrary()?),
                _ if self.fresh => Step::Advance(32),
                _ => Step::Advance(self.bytes.arbitrary()?),
            },
        })
    }
}
