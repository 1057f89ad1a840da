//! Beat: two steady rates on one channel that drift against each other.
//!
//! With the periods T₁ and T₂ the two come together every `T₁·T₂/|T₁ − T₂|` seconds: the beat of two tones.
//! Each rate was found steady by itself ([`steady`](super::steady)), by what comes back or by who sends it.
//! Here is only asked whether the periods are close, and yet certainly not the same.

use super::steady::Rhythm;

/// The difference of the periods over the longer one, at most.
const CLOSE: f64 = 1.0 / 3.0;
/// The difference over its standard error, at least.
const CERTAIN: f64 = 5.0;
/// Rates of a channel that are compared.
const RATES: usize = 4;
/// A rate has ended when it was not heard for so many of its periods.
const SILENT: f64 = 4.0;

/// Two rates that drift against each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beat {
    /// The periods of the two, in seconds.
    pub periods: (f64, f64),
    /// Seconds from one coincidence to the next, and its standard error.
    pub every: f64,
    /// The standard error of `every`.
    pub error: f64,
    /// The probability that the two are one rate, or no rate.
    pub chance: f64,
}

struct Rate<W> {
    name: u64,
    by_source: bool,
    rhythm: Rhythm,
    heard: f64,
    wave: W,
}

/// The steady rates of a channel.
pub(super) struct Rates<W> {
    all: [Option<Rate<W>>; RATES],
    next: usize,
    /// The pair that was told of.
    told: Option<(u64, u64)>,
}

impl<W: Clone> Rates<W> {
    pub(super) fn new() -> Self {
        Self { all: [const { None }; RATES], next: 0, told: None }
    }

    /// A rate is steady, now.
    pub(super) fn hear(
        &mut self,
        (name, by_source): (u64, bool),
        rhythm: Rhythm,
        heard: f64,
        wave: W,
    ) {
        let known = |rate: &Option<Rate<W>>| rate.as_ref().is_some_and(|rate| rate.name == name);
        let gone = |rate: &Option<Rate<W>>| rate.as_ref().is_none_or(|rate| rate.is_over(heard));
        let place = self.all.iter().position(known);
        let place = place.or_else(|| self.all.iter().position(gone)).unwrap_or_else(|| {
            self.next = (self.next + 1) % RATES;
            self.next
        });
        self.all[place] = Some(Rate { name, by_source, rhythm, heard, wave });
    }

    /// What beats with this rate, and the last wave of the other: once for each pair, until one ends.
    pub(super) fn found(&mut self, name: u64, now: f64) -> Option<(Beat, W)> {
        let Self { all, told, .. } = self;
        let alive = |rate: &&Rate<W>| !rate.is_over(now);
        if let Some((one, two)) = *told {
            let heard = |name| all.iter().flatten().filter(alive).any(|rate| rate.name == name);
            if heard(one) && heard(two) {
                return None;
            }
            *told = None;
        }
        let mine = all.iter().flatten().find(|rate| rate.name == name)?;
        for other in all.iter().flatten().filter(alive) {
            // What a source sends is heard by its keys too.
            if other.name == name || other.by_source != mine.by_source {
                continue;
            }
            if let Some(beat) = Beat::of(&mine.rhythm, &other.rhythm) {
                *told = Some((name, other.name));
                return Some((beat, other.wave.clone()));
            }
        }
        None
    }
}

impl<W> Rate<W> {
    fn is_over(&self, now: f64) -> bool {
        (now - self.heard).abs() > SILENT * self.rhythm.period
    }
}

impl Beat {
    fn of(one: &Rhythm, other: &Rhythm) -> Option<Self> {
        let (first, second) = (one.period, other.period);
        let difference = (first - second).abs();
        let error = one.error.hypot(other.error);
        if difference > CLOSE * first.max(second) || difference < CERTAIN * error {
            return None;
        }
        let every = first * second / difference;
        // d(T₁T₂/(T₁ − T₂)), to first order.
        let error_of_beat = (second * second * one.error).hypot(first * first * other.error)
            / (difference * difference);
        let sure = difference / error;
        let chance = 1.0 / one.evidence + 1.0 / other.evidence + 2.0 * (-sure * sure / 2.0).exp();
        Some(Self { periods: (first, second), every, error: error_of_beat, chance })
    }
}
