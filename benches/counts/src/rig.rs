//! A medium as the native module uses it: the same doors, tried in the same order.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use aether_core::channel::{Limits, Pattern};
use aether_core::clock::{Clock, ManualClock};
use aether_core::decay::Fading;
use aether_core::mailbox::{Order, Overflow, Role, Spec};
use aether_core::medium::{Aftermath, Carry, Emission, Key, Medium, Take};
use aether_core::router::Hint;

/// A wave is a counted reference here, as an object of Python is, to where its sequence stands.
pub type Wave = Rc<Cell<u64>>;

pub type After = Aftermath<Wave, u32>;

/// What the interpreter's lock does for a reference and a number.
pub struct Hands;

impl Carry<Wave> for Hands {
    fn share(&self, wave: &Wave) -> Wave {
        Rc::clone(wave)
    }

    fn number(&self, wave: &Wave, sequence: u64) {
        wave.set(sequence);
    }
}

pub struct Rig {
    pub medium: Medium<Wave, u32>,
    wave: Wave,
}

impl Rig {
    pub fn new() -> Self {
        let clock = Clock::Manual(Arc::new(ManualClock::new(1.0)));
        Self { medium: Medium::new(clock), wave: Rc::default() }
    }

    /// A mailbox that resonates on these patterns.
    pub fn open(&self, overflow: Overflow, capacity: usize, patterns: &[&str]) -> Key {
        let spec = Spec {
            name: "counted".into(),
            order: Order::Amplitude,
            overflow,
            capacity,
            noise_floor: 0.0,
            ignored: 0,
            role: Role::Reader,
            readers: 0,
        };
        let key = self.medium.open(spec, Fading::new(0.95, 1.0)).expect("the medium is open");
        for text in patterns {
            assert_eq!(self.medium.resonate(key, pattern(text)), Some(true));
        }
        key
    }

    /// Emits at full strength.
    #[inline]
    pub fn emit(&self, channel: &str, hint: &mut Hint) {
        self.emit_at(1.0, channel, hint);
    }

    /// Emits without waiting: the short way if it is open, else to all.
    #[inline]
    pub fn emit_at(&self, amplitude: f64, channel: &str, hint: &mut Hint) {
        let mut wake = None;
        if self.medium.emit_to_one(amplitude, *hint, &self.wave, &Hands, &mut wake).is_some() {
            return assert!(wake.is_none(), "nobody waits");
        }
        self.emit_to_all(&emission(amplitude, channel), hint);
    }

    #[inline(never)]
    fn emit_to_all(&self, emission: &Emission<'_>, hint: &mut Hint) {
        let mut after = After::default();
        let sent = self.medium.emit(emission, hint, None, &self.wave, &Hands, &mut after);
        assert!(sent.is_ok_and(|sent| sent.matched > 0), "it is heard");
    }

    /// The wave that an emission would carry.
    pub fn wave(&self) -> &Wave {
        &self.wave
    }

    /// Takes what is there: the short way if it is open.
    #[inline]
    pub fn take(&self, key: Key) {
        if self.medium.take_quickly(key, |_| ()).is_some() {
            return;
        }
        let mut after = After::default();
        let taken = self.medium.take(key, None, &mut after);
        assert!(matches!(taken, Take::Wave(_)), "a wave waits");
    }
}

/// An emission of nobody, without a ttl.
pub fn emission(amplitude: f64, channel: &str) -> Emission<'_> {
    Emission {
        channel,
        amplitude,
        priority: amplitude,
        lifetime: f64::INFINITY,
        emitter: 0,
        inside: false,
        require: 0,
        weight: 0,
    }
}

pub fn pattern(text: &str) -> Pattern {
    Pattern::parse(text, Limits::DEFAULT).expect("a sound pattern")
}
