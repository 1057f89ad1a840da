//! Taps: what looks on at the emissions of a pattern, without resonating.
//!
//! Contract:
//! - Each tap whose pattern takes the channel of an admitted wave sees it once, with its sequence, whichever
//!   call has emitted it, heard or not. What was refused, or died by the rules of a hop, no tap sees.
//! - It sees it right after the medium has admitted it, in the thread that emits, before receivers are woken.
//!   While no Python code runs in between, that is the order of the sequences.
//! - A [`Kind::Field`] is filled here, without Python. A [`Kind::Watch`] is called outside of every lock; what
//!   it raises is reported, and never reaches the emitter. It is not shown the channels that the library
//!   derives (`dead.`, `physics.`, `aether.`), so that it may emit on them. A [`Kind::Ring`] is given the wave.
//! - A medium without taps pays one look at a flag for each emission.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use aether_core::channel::Pattern;
use aether_core::wave::Strength;
use aether_physics::field::{Field, Place, Reading};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyWeakrefMethods, PyWeakrefReference};
use smallvec::SmallVec;

use crate::channel::{channel_class, text};
use crate::fork::Inside;
use crate::guarded::Guarded;
use crate::names::{Known, Table};
use crate::origin::Origin;
use crate::ring::Kept;
use crate::shared::Shared;
use crate::waker::raise_later;
use crate::wave::{Held, PyWave};

/// The first tokens of channels that the library derives.
const DERIVED: [&str; 3] = ["dead", "physics", "aether"];

/// Whether a channel is one that the library derives.
pub fn is_derived(channel: &str) -> bool {
    channel.split('.').next().is_some_and(|first| DERIVED.contains(&first))
}

/// What a tap does with what it sees.
pub enum Kind {
    /// Keeps numbers of it.
    Field(Field),
    /// Is called with each wave: a weak reference to something callable, which whoever made the tap holds.
    Watch(Py<PyWeakrefReference>),
    /// Keeps waves until they are taken out.
    Ring(Arc<Kept>),
}

/// A tap.
struct Tap {
    number: u64,
    pattern: Pattern,
    kind: Kind,
}

/// The taps of a medium.
#[derive(Default)]
pub struct Taps {
    any: AtomicBool,
    taps: Guarded<State>,
}

#[derive(Default)]
struct State {
    taps: Vec<Tap>,
    last: u64,
    /// Which taps a channel has, by the address of its `str`. Empty after each change of the taps.
    seen: Table<Seen>,
}

/// The taps of a channel.
struct Seen {
    given: Py<PyAny>,
    fields: Box<[(usize, Place)]>,
    looks: Box<[usize]>,
}

impl Known for Seen {
    #[inline]
    fn given(&self) -> &Py<PyAny> {
        &self.given
    }
}

/// What is shown the wave, outside of the lock.
enum Look {
    Call(Py<PyWeakrefReference>),
    Keep(Arc<Kept>),
}

type Looks = SmallVec<[Look; 2]>;

impl Kind {
    /// What this one is shown the wave by, if it is.
    #[inline]
    fn look(&self, py: Python<'_>) -> Option<Look> {
        match self {
            Self::Field(_) => None,
            Self::Watch(watch) => Some(Look::Call(watch.clone_ref(py))),
            Self::Ring(kept) => kept.has_room().then(|| Look::Keep(Arc::clone(kept))),
        }
    }
}

/// What is left to be done for a reading.
enum Left {
    Nothing,
    Show(Looks),
    /// Nothing was recorded yet: what is known of the channel, if anything, is good no more.
    Find,
}

impl State {
    /// Shows a reading to the taps of a channel, as they were found before.
    #[inline]
    fn record(&mut self, given: &Bound<'_, PyAny>, reading: &Reading) -> Left {
        let Self { taps, seen, .. } = self;
        let Some(seen) = seen.get(given) else { return Left::Find };
        let ready = |&(tap, place): &(usize, Place)| match &mut taps[tap].kind {
            Kind::Field(field) => field.is_ready(place),
            Kind::Watch(_) | Kind::Ring(_) => true,
        };
        if !seen.fields.iter().all(ready) {
            return Left::Find;
        }
        for &(tap, place) in &*seen.fields {
            if let Kind::Field(field) = &mut taps[tap].kind {
                field.record_at(place, reading);
            }
        }
        if seen.looks.is_empty() {
            return Left::Nothing;
        }
        let look = |&tap: &usize| taps[tap].kind.look(given.py());
        let looks: Looks = seen.looks.iter().filter_map(look).collect();
        if looks.is_empty() { Left::Nothing } else { Left::Show(looks) }
    }

    /// The same for a channel whose taps are to be found.
    #[cold]
    fn find(&mut self, given: &Bound<'_, PyAny>, name: &str, reading: &Reading) -> (Looks, Seen) {
        let derived = is_derived(name);
        let (mut fields, mut looks, mut shown) = <(Vec<_>, Vec<_>, Looks)>::default();
        for (at, tap) in self.taps.iter_mut().enumerate() {
            match &mut tap.kind {
                _ if !tap.pattern.matches(name) => {}
                Kind::Field(field) => fields.push((at, field.record(name, reading))),
                Kind::Watch(_) if derived => {}
                kind => {
                    looks.push(at);
                    shown.extend(kind.look(given.py()));
                }
            }
        }
        (shown, Seen { given: given.clone().unbind(), fields: fields.into(), looks: looks.into() })
    }
}

impl Taps {
    /// Whether there is one.
    #[inline]
    pub fn are_there(&self) -> bool {
        self.any.load(Relaxed)
    }

    /// Adds a tap, and gives its number.
    pub fn add(&self, py: Python<'_>, pattern: Pattern, kind: Kind) -> u64 {
        let (number, forgotten) = self.taps.with(py, |state| {
            state.last += 1;
            state.taps.push(Tap { number: state.last, pattern, kind });
            self.any.store(true, Relaxed);
            (state.last, std::mem::take(&mut state.seen))
        });
        drop(forgotten);
        number
    }

    /// Takes a tap away. One that is gone already does no harm.
    pub fn remove(&self, py: Python<'_>, number: u64) {
        let forgotten = self.taps.with(py, |state| {
            let at = state.taps.iter().position(|tap| tap.number == number)?;
            let removed = state.taps.remove(at);
            self.any.store(!state.taps.is_empty(), Relaxed);
            Some((removed, std::mem::take(&mut state.seen)))
        });
        drop(forgotten);
    }

    /// Asks a field; nothing that runs Python code. `None`: it is gone.
    pub fn ask<R>(
        &self,
        py: Python<'_>,
        number: u64,
        ask: impl FnOnce(&mut Field) -> R,
    ) -> Option<R> {
        self.taps.with(py, |state| {
            let tap = state.taps.iter_mut().find(|tap| tap.number == number)?;
            match &mut tap.kind {
                Kind::Field(field) => Some(ask(field)),
                Kind::Watch(_) | Kind::Ring(_) => None,
            }
        })
    }

    /// Shows a reading to the taps of a channel, and gives those that are to be shown the wave.
    #[inline]
    fn record(&self, given: &Bound<'_, PyAny>, reading: &Reading) -> Option<Looks> {
        match self.taps.with(given.py(), |state| state.record(given, reading)) {
            Left::Nothing => None,
            Left::Show(looks) => Some(looks),
            Left::Find => self.find(given, reading),
        }
    }

    #[cold]
    fn find(&self, given: &Bound<'_, PyAny>, reading: &Reading) -> Option<Looks> {
        let py = given.py();
        // The medium has admitted it, so it can be read.
        let name = text(given).ok()?;
        // What is kept must be no part of a cycle, which nobody would see here.
        let keep = given.is_exact_instance_of::<PyString>()
            || channel_class(py).is_ok_and(|class| given.is_exact_instance(class));
        let (looks, forgotten) = self.taps.with(py, |state| {
            let (looks, seen) = state.find(given, name, reading);
            (looks, if keep { state.seen.learn(seen) } else { vec![seen] })
        });
        for Seen { given, .. } in forgotten {
            drop(given.into_bound(py));
        }
        Some(looks).filter(|looks| !looks.is_empty())
    }
}

impl Shared {
    /// Shows a wave, which was admitted, to the taps of its channel.
    #[inline]
    pub fn tap(&self, py: Python<'_>, wave: &Held, sequence: u64) {
        if self.taps.are_there() {
            self.tap_heard(py, wave, sequence);
        }
    }

    #[inline(never)]
    fn tap_heard(&self, py: Python<'_>, wave: &Held, sequence: u64) {
        let bound = wave.0.bind(py);
        let wave = bound.get();
        let reading = Reading {
            timestamp: wave.timestamp,
            amplitude: wave.strength.amplitude,
            phase: wave.phase(),
            frequency: wave.frequency(),
            sequence,
        };
        if let Some(looks) = self.taps.record(wave.channel.bind(py), &reading) {
            show(bound, looks);
        }
    }

    /// The same for a wave that nobody heard, so that it was not made: it is if somebody watches.
    #[inline(never)]
    pub fn tap_unheard(
        &self,
        py: Python<'_>,
        origin: &Origin,
        name: &Bound<'_, PyAny>,
        payload: Option<&Bound<'_, PyAny>>,
        strength: Strength,
        sequence: u64,
    ) {
        let (timestamp, amplitude) = (self.medium.clock().unix(), strength.amplitude);
        let reading = Reading { timestamp, amplitude, phase: 0.0, frequency: 1.0, sequence };
        let Some(looks) = self.taps.record(name, &reading) else { return };
        let source = origin.name.as_ref().map(|name| name.clone_ref(py));
        let payload = payload.map_or_else(|| py.None(), |payload| payload.clone().unbind());
        let made = self.channel(name).and_then(|(channel, _)| {
            PyWave::new(py, channel, payload, source, strength, timestamp, None).into_object(py)
        });
        match made {
            Ok(wave) => {
                wave.get().sequence.store(sequence, Relaxed);
                let wave = wave.into_bound(py);
                show(&wave, looks);
            }
            Err(error) => report(py, error),
        }
    }
}

/// Shows a wave to whoever looks.
#[inline(never)]
fn show(wave: &Bound<'_, PyWave>, looks: Looks) {
    let mut watches = SmallVec::<[_; 2]>::new();
    for look in looks {
        match look {
            Look::Keep(kept) => kept.put(wave),
            Look::Call(watch) => watches.push(watch),
        }
    }
    if watches.is_empty() {
        return;
    }
    let inside = Inside::enter(wave.py());
    // In a thread that is attached though `PyO3` may not know it. `None`: the interpreter ends, and it attaches no more.
    let _ = Python::try_attach(|py| {
        for watch in watches {
            let Some(watch) = watch.bind(py).upgrade() else { continue };
            if let Err(error) = watch.call1((wave,)) {
                report(py, error);
            }
        }
    });
    drop(inside);
}

/// A watch that fails does not take the emission down with it; a Ctrl-C meanwhile comes later.
#[cold]
fn report(py: Python<'_>, error: PyErr) {
    if error.is_instance_of::<PyException>(py) {
        error.write_unraisable(py, None);
    } else {
        raise_later(py, error);
    }
}
