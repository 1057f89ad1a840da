//! Cancellation: waves about the same thing that meet in antiphase, or of which one says that it undoes the
//! other.
//!
//! Two waves with the same key, at most a window apart, meet in antiphase if their phases are within π/6 of
//! opposite and the weaker has at least half the amplitude of the louder: the sum is then at most 0.62 of
//! the louder one (`gain`). Whether that means anything depends on the traffic. Where nobody sets a phase, or
//! all are 0 or π, it does; where phases are spread over the circle it happens by chance. So the chance is
//! measured: of successive waves, whatever they are about, how many are between π/6 and π/3 off antiphase?
//! If it is a part f, two waves are within δ of antiphase by chance with probability f·δ/(π/6).
//!
//! A wave that says which one it undoes needs neither phase nor key.

use std::f64::consts::{FRAC_PI_3, FRAC_PI_6, PI};

use super::table::Table;
use crate::{gain, interfere, phase_difference};

/// The weaker of two over the louder, at least.
const COMPARABLE: f64 = 0.5;
/// Chances beyond this are no evidence.
const CHANCE: f64 = 1e-5;
/// What is believed of phases before there is traffic: that they are meant.
const BELIEVED: f64 = 1e-5;
/// Pairs that the chance is measured by; older ones fade.
const MEMORY: f64 = 4096.0;
/// Waves of each key that may still be met.
const PARTNERS: usize = 3;

/// Two waves that cancel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Meeting {
    /// Seconds between the two.
    pub apart: f64,
    /// How far their phases are from opposite, in radians.
    pub off: f64,
    /// Amplitude of their sum over that of the louder.
    pub gain: f64,
    /// The second says that it undoes the first.
    pub said: bool,
    /// The probability that two waves meet so by chance.
    pub chance: f64,
}

/// A wave that another one says to undo.
#[derive(Clone, Debug)]
pub struct Undone<W> {
    /// A hash of its id.
    pub name: u64,
    /// The wave.
    pub wave: W,
    /// Its timestamp, in seconds.
    pub time: f64,
    /// Its amplitude.
    pub amplitude: f64,
    /// Its phase, in radians.
    pub phase: f64,
}

/// A wave that may be met.
#[derive(Clone)]
pub(super) struct Trace<W> {
    pub(super) wave: W,
    pub(super) time: f64,
    pub(super) amplitude: f64,
    pub(super) phase: f64,
}

struct Key<W> {
    waves: [Option<Trace<W>>; PARTNERS],
    next: usize,
    /// Until then, further meetings are of the same episode.
    quiet: f64,
}

/// What was met lately, by key.
pub(super) struct Meetings<W> {
    keys: Table<Key<W>>,
    window: f64,
    /// Pairs seen, and those near antiphase but not in it.
    pairs: f64,
    shoulders: f64,
    last: f64,
}

impl<W: Clone + PartialEq> Meetings<W> {
    pub(super) fn new(most: usize, window: f64) -> Self {
        Self { keys: Table::new(most), window, pairs: 0.0, shoulders: 0.0, last: f64::NAN }
    }

    /// How many keys are remembered, and how many have made room.
    pub(super) fn size(&self) -> (usize, u64) {
        (self.keys.len(), self.keys.evicted())
    }

    /// Learns how phases are spread.
    #[inline]
    pub(super) fn mix(&mut self, phase: f64) {
        let off = (PI - (phase - self.last).abs()).abs();
        self.last = phase;
        if off.is_nan() {
            return;
        }
        if self.pairs >= MEMORY {
            self.shoulders -= self.shoulders / MEMORY;
        } else {
            self.pairs += 1.0;
        }
        if off > FRAC_PI_6 && off < FRAC_PI_3 {
            self.shoulders += 1.0;
        }
    }

    /// A wave that says what it undoes: once for each that is undone.
    pub(super) fn undo(&mut self, wave: &Trace<W>, undone: &Undone<W>) -> Option<Meeting> {
        let apart = (wave.time - undone.time).abs();
        if apart > self.window || apart.is_nan() {
            return None;
        }
        let (key, known) = self.keys.entry(undone.name, Key::new);
        if known && key.quiet == f64::INFINITY {
            return None;
        }
        key.quiet = f64::INFINITY;
        let (amplitude, _) = interfere(wave.amplitude, wave.phase, undone.amplitude, undone.phase);
        Some(Meeting {
            apart,
            off: PI - phase_difference(wave.phase, undone.phase),
            gain: gain(amplitude, wave.amplitude, undone.amplitude),
            said: true,
            chance: 0.0,
        })
    }

    /// The two have met: neither meets another one.
    pub(super) fn spend(&mut self, key: u64, wave: &W) {
        if let Some(key) = self.keys.peek(key) {
            for slot in &mut key.waves {
                if slot.as_ref().is_some_and(|trace| trace.wave == *wave) {
                    *slot = None;
                }
            }
        }
    }

    /// One more wave about a key, and the earlier one that it cancels.
    pub(super) fn see(&mut self, key: u64, wave: Trace<W>) -> Option<(Meeting, W)> {
        let spread = (self.shoulders + BELIEVED) / (self.pairs + 1.0);
        let window = self.window;
        let (key, _) = self.keys.entry(key, Key::new);
        let mut compared = 0.0;
        let mut nearest: Option<(usize, f64)> = None;
        for (place, slot) in key.waves.iter_mut().enumerate() {
            let Some(other) = slot else { continue };
            let apart = (wave.time - other.time).abs();
            if apart > window {
                *slot = None;
                continue;
            }
            compared += 1.0;
            if is_opposite(&wave, other) && nearest.is_none_or(|(_, best)| apart < best) {
                nearest = Some((place, apart));
            }
        }
        let met = nearest.and_then(|(place, apart)| {
            let other = key.waves[place].as_ref()?;
            let off = PI - phase_difference(wave.phase, other.phase);
            let chance = compared * spread * off.max(1e-9) / FRAC_PI_6;
            (chance <= CHANCE).then_some((place, apart, off, chance))
        });
        let Some((place, apart, off, chance)) = met else {
            key.waves[key.next] = Some(wave);
            key.next = (key.next + 1) % PARTNERS;
            return None;
        };
        let other = key.waves[place].take()?;
        let fresh = wave.time > key.quiet;
        key.quiet = key.quiet.max(wave.time + window);
        let (amplitude, _) = interfere(wave.amplitude, wave.phase, other.amplitude, other.phase);
        let gain = gain(amplitude, wave.amplitude, other.amplitude);
        fresh.then_some((Meeting { apart, off, gain, said: false, chance }, other.wave))
    }
}

impl<W> Key<W> {
    fn new() -> Self {
        Self { waves: [const { None }; PARTNERS], next: 0, quiet: f64::NEG_INFINITY }
    }
}

/// Whether two waves are of comparable strength and in antiphase.
fn is_opposite<W: PartialEq>(one: &Trace<W>, other: &Trace<W>) -> bool {
    // Phases are in 0..2π, so this is how far they are from opposite.
    let off = (PI - (one.phase - other.phase).abs()).abs();
    let (weaker, louder) = if one.amplitude < other.amplitude {
        (one.amplitude, other.amplitude)
    } else {
        (other.amplitude, one.amplitude)
    };
    off <= FRAC_PI_6 && louder > 0.0 && weaker >= COMPARABLE * louder && one.wave != other.wave
}

#[cfg(test)]
pub(super) fn size_of_key<W>() -> usize {
    size_of::<Key<W>>() + 16
}
