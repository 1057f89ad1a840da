//! The steps that a program is made of. Who makes programs stands elsewhere: `random.rs` for proptest, the
//! target `medium` of `rust/fuzz` for libFuzzer.

use aether_core::mailbox::{Order, Overflow};
use aether_core::medium::{Emission, Phase};

pub const CHANNELS: [&str; 4] = ["a", "b", "a.x", "b.x"];
pub const PATTERNS: [&str; 6] = ["a", "b", "*", "a.*", "+", "+.x"];
pub const AMPLITUDES: [f64; 4] = [0.2, 0.5, 0.8, 1.0];

pub fn takes(pattern: &str, channel: &str) -> bool {
    match pattern {
        "*" => true,
        "a.*" => channel == "a.x",
        "+" => channel == "a" || channel == "b",
        "+.x" => channel == "a.x" || channel == "b.x",
        literal => literal == channel,
    }
}

/// One of those that there are when the step is done.
#[derive(Clone, Copy, Debug)]
pub struct Place(pub u16);

impl Place {
    pub fn of(self, count: usize) -> usize {
        usize::from(self.0) % count
    }
}

#[derive(Clone, Debug)]
pub struct Opening {
    pub order: Order,
    pub overflow: Overflow,
    pub capacity: usize,
    pub floor: f64,
    pub ignored: u64,
}

#[derive(Clone, Debug)]
pub struct Shot {
    pub channel: &'static str,
    pub amplitude: f64,
    pub priority: f64,
    pub lifetime: f64,
    pub emitter: u64,
    pub inside: bool,
    pub require: usize,
}

impl Shot {
    pub fn emission(&self) -> Emission<'static> {
        let Self { channel, amplitude, priority, lifetime, emitter, inside, require } = *self;
        Emission { channel, amplitude, priority, lifetime, emitter, inside, require, weight: 0 }
    }
}

#[derive(Clone, Debug)]
pub enum Way {
    Take,
    Many(usize, usize),
    Abandon,
}

/// What a waiting emission does when it resumes.
#[derive(Clone, Copy, Debug)]
pub enum Turn {
    Emit,
    Reserve,
    Leave,
}

#[derive(Clone, Debug)]
pub enum Step {
    Open(Opening, Vec<&'static str>),
    Resonate(Place, &'static str),
    Detune(Place, &'static str),
    DetuneAll(&'static str),
    /// The flag: wait, if it blocks.
    Emit(Shot, bool),
    /// The same, to be delivered later.
    Reserve(Shot, bool),
    /// The number: how many places of the journal are left out before it.
    Deliver(Place, u64),
    Unreserve(Place),
    Advance(u32),
    Take(Place),
    /// Take it, and keep it to be taken back.
    Hold(Place),
    TakeBack(Place),
    Many(Place, usize, usize),
    /// The short way of a wave to one mailbox, if its route is remembered.
    Swift(Shot),
    /// A wave that need not be made if nobody resonates with it.
    Unheard(&'static str),
    /// The short ways to take one, or so many.
    Quick(Place),
    QuickMany(Place, usize),
    Enlist(Place, usize),
    Resume(Place, Way),
    Sender(Place, Turn),
    Rouse(Place),
    Look(Place),
    Stalls(u32),
    Clear,
    Finish(Place),
    Close(Place),
    Discard(Place),
    Shut(Phase, bool),
}
