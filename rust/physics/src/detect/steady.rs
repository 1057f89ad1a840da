//! Whether something comes back at a steady interval: the test behind standing waves and beats.
//!
//! The question is asked at every arrival, so the answer must hold at all of them together. For each arrival
//! the series so far says when it is due: `q`, the density of the next interval `x`, is a bell round the
//! median of the last intervals, with a part for missed beats and a part for anything. If arrivals are
//! random instead, at *whatever* rate λ, the density of `x` is `λ·e^(−λx)`, which is nowhere more than
//! `1/(e·x)`. So `L = q(x)·e·x` has an expectation of at most 1 whatever the rate, and may change from one
//! interval to the next: bursts, nights and days are no evidence for a rhythm.
//!
//! `R ← (1 + R)·L` (Shiryaev and Roberts) adds up the evidence for a rhythm that began at any arrival in the
//! past. Under randomness `R − n` is a supermartingale, so that R reaches a threshold A once in A arrivals
//! or less (the e-detectors of J. Shin, A. Ramdas and A. Rinaldo, 2022). That is the promise on false alarms.
//!
//! Arrivals in one clump are one: within a part D of the mean interval after one that counts, none counts,
//! and the density of randomness is at most `1/(e·(x − D))`.
//!
//! How much jitter there is, nobody knows beforehand: R is the mean over several widths of the bell. Nor how
//! many producers take turns: so an arrival is also predicted from the second and the third before it. Then
//! the rate of randomness is taken to be steady over 2 or 3 intervals, `(n/(e·y))^n` for n intervals of y
//! together, as one of them may be short.

use std::f64::consts::{E, FRAC_PI_2};

use super::ring::Ring;

/// Standard deviations of the interval, as parts of it.
const WIDTHS: [f64; 5] = [0.003, 0.016, 0.05, 0.13, 0.3];
/// What each lag is believed beforehand.
const LAGS: [f64; 3] = [0.6, 0.25, 0.15];
/// Parts of `q`: on the beat, one missed, two missed, three missed; the rest is for anything.
const ON_BEAT: [f64; 4] = [0.86, 0.05, 0.01, 0.005];
const ON_BEAT_OF_MANY: f64 = 0.92;
const ANYTHING: f64 = 0.07;
/// Anything: log-uniform between a thousandth of the period and this many periods, where the rhythm ends.
const GAP: f64 = 8.0;
/// The integral of `1/max(x, 1/1000)` over 0..[`GAP`].
const ANYTHING_NORM: f64 = 1.0 + 8.987_196_820_661_972;
/// Intervals that the median is taken of.
const REMEMBERED: usize = 7;
/// Evidence beyond this is not counted.
const MOST: f64 = 1e12;
/// An arrival sooner than this part of the mean interval belongs to the one before.
const CLUMP: f64 = 0.05;
/// Squared standard deviations beyond which a bell is 0.
const FAR: f64 = 60.0;
const ROOT_TAU: f64 = 2.506_628_274_631_000_5;

/// Evidence for one lag, by width.
#[derive(Clone, Copy)]
struct Lag {
    evidence: [f64; WIDTHS.len()],
    /// The densities since the block began, and its seconds without those in which none counts.
    block: [f64; WIDTHS.len()],
    seconds: f64,
    filled: usize,
}

impl Lag {
    const NONE: Self =
        Self { evidence: [0.0; WIDTHS.len()], block: [1.0; WIDTHS.len()], seconds: 0.0, filled: 0 };

    fn total(&self) -> f64 {
        self.evidence.iter().sum::<f64>() / WIDTHS.len() as f64
    }
}

/// A rhythm that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rhythm {
    /// Seconds.
    pub period: f64,
    /// Standard error of the period, in seconds.
    pub error: f64,
    /// Standard deviation of an interval, in seconds.
    pub spread: f64,
    /// How many producers take turns, each with this period: 1..3.
    pub producers: usize,
    /// Arrivals since it began.
    pub arrivals: u64,
    /// Without a rhythm there is so much evidence at most once in so many arrivals.
    pub evidence: f64,
}

/// The arrivals of one thing, and the evidence that they are steady.
pub(super) struct Steady<W> {
    pub(super) ring: Ring<W>,
    lags: [Lag; LAGS.len()],
    /// When the rhythm may have begun, and the arrivals and beats since.
    begun: f64,
    arrivals: u64,
    beats: f64,
    /// The seconds of these beats.
    beating: f64,
    /// Of one producer: how far its beats were off, squared and added up, and how many that is.
    squares: f64,
    measured: f64,
    /// It was told of; true until it ends.
    pub(super) told: bool,
}

impl<W: Clone> Steady<W> {
    /// Of the first arrival.
    pub(super) fn new(time: f64, wave: W) -> Self {
        let mut ring = Ring::default();
        ring.push(time, wave);
        let lags = [Lag::NONE; LAGS.len()];
        Self {
            ring,
            lags,
            begun: time,
            arrivals: 1,
            beats: 0.0,
            beating: 0.0,
            squares: 0.0,
            measured: 0.0,
            told: false,
        }
    }

    /// Evidence now: without a rhythm, A or more at most once in A arrivals.
    pub(super) fn evidence(&self) -> f64 {
        LAGS.iter().zip(&self.lags).map(|(prior, lag)| prior * lag.total()).sum()
    }

    /// Takes one more arrival, unless it belongs to the one before. Its time is not before the last.
    pub(super) fn see(&mut self, time: f64, wave: W, grain: f64) {
        let behind = (self.ring.len() - 1).min(REMEMBERED);
        let mean = match behind {
            0 => 0.0,
            _ => (self.ring.time(0) - self.ring.time(behind)) / behind as f64,
        };
        let clump = CLUMP * mean;
        if time - self.ring.time(0) < clump {
            return;
        }
        for lag in 1..=LAGS.len() as u8 {
            if self.ring.len() > usize::from(lag) {
                self.weigh(lag, time, clump, grain);
            }
        }
        self.ring.push(time, wave);
        self.arrivals += 1;
        if self.evidence() < 1.0 {
            self.begin(time);
            self.told = false;
        }
    }

    /// Counts from this arrival on.
    fn begin(&mut self, time: f64) {
        (self.begun, self.arrivals, self.beats, self.beating) = (time, 1, 0.0, 0.0);
        (self.squares, self.measured) = (0.0, 0.0);
    }

    fn weigh(&mut self, turns: u8, time: f64, clump: f64, grain: f64) {
        let (number, turns) = (usize::from(turns), i32::from(turns));
        let period = self.median(number);
        let before = self.ring.time(number - 1);
        let lag = &mut self.lags[number - 1];
        if period <= 0.0 || time - before > GAP * period {
            *lag = Lag::NONE;
            if number == 1 {
                self.begin(time);
            }
            return;
        }
        let interval = time - self.ring.time(0);
        let due = period - (self.ring.time(0) - before);
        let anything = ANYTHING / (ANYTHING_NORM * interval.max(period * 1e-3));
        // For one producer, the beat that is nearest.
        let beat = if number == 1 { (interval / period).round().clamp(1.0, 4.0) } else { 1.0 };
        let part = if number == 1 { ON_BEAT[beat as usize - 1] } else { ON_BEAT_OF_MANY };
        let off = interval - due - (beat - 1.0) * period;
        lag.filled += 1;
        lag.seconds += at_random(interval, clump, grain);
        // In periods, the variance is beat·width² and what the grain adds.
        let off_squared = (off / period).powi(2);
        let grained = grain * grain / (6.0 * period * period);
        for (width, density) in WIDTHS.iter().zip(&mut lag.block) {
            let variance = beat * width * width + grained;
            *density *= if off_squared > FAR * variance {
                anything
            } else {
                let bell = (-off_squared / (2.0 * variance)).exp();
                anything + part * bell / (ROOT_TAU * period * variance.sqrt())
            };
        }
        if lag.filled == number {
            let random = (E * lag.seconds / f64::from(turns)).powi(turns);
            for (evidence, density) in lag.evidence.iter_mut().zip(&mut lag.block) {
                *evidence = ((1.0 + *evidence) * *density * random).min(MOST);
                *density = 1.0;
            }
            (lag.filled, lag.seconds) = (0, 0.0);
        }
        if number == 1 && off.abs() < 0.75 * period {
            self.beats += beat;
            self.beating += interval;
            self.squares += off * off / beat;
            self.measured += 1.0;
        }
    }

    /// What is found, if the evidence is `enough`.
    pub(super) fn found(&self, enough: f64) -> Option<Rhythm> {
        let evidence = self.evidence();
        if evidence < enough {
            return None;
        }
        let weight = |number: usize| LAGS[number - 1] * self.lags[number - 1].total();
        // More producers only if they explain much more.
        let mut producers = 1;
        for number in 2..=LAGS.len() {
            if weight(number) > 10.0 * weight(producers) {
                producers = number;
            }
        }
        let median = self.median(producers);
        let (beats, seconds) = match producers {
            1 => (self.beats, self.beating),
            _ => ((self.arrivals - 1) as f64 / producers as f64, self.ring.time(0) - self.begun),
        };
        let mean = seconds / beats;
        // Over the whole episode the mean is the better one, unless something else got into it.
        let is_sound = beats >= 4.0 && (mean - median).abs() < 0.1 * median;
        let period = if is_sound { mean } else { median };
        let (mut squares, mut count) = (self.squares, self.measured);
        if producers > 1 {
            (squares, count) = (0.0, 0.0);
            self.differences(producers, |difference| {
                let off = difference - period;
                if off.abs() < 0.75 * period {
                    squares += off * off;
                    count += 1.0;
                }
            });
        }
        let spread = if count > 0.0 { (squares / count).sqrt() } else { 0.0 };
        // A median needs π/2 times as many to be as sure.
        let intervals = if is_sound { beats } else { REMEMBERED as f64 / FRAC_PI_2 };
        let error = spread.max(period * WIDTHS[0]) / intervals.sqrt();
        Some(Rhythm { period, error, spread, producers, arrivals: self.arrivals, evidence })
    }

    /// It was told of: the evidence goes on from `enough`, so that it ends when the rhythm does.
    pub(super) fn tell(&mut self, enough: f64) {
        self.told = true;
        for evidence in self.lags.iter_mut().flat_map(|lag| &mut lag.evidence) {
            *evidence = evidence.min(enough);
        }
    }

    /// Each time between an arrival and the one so many before it.
    fn differences(&self, lag: usize, mut each: impl FnMut(f64)) {
        let last = self.ring.len().saturating_sub(lag).min(REMEMBERED);
        (0..last).for_each(|back| each(self.ring.time(back) - self.ring.time(back + lag)));
    }

    fn median(&self, lag: usize) -> f64 {
        let (mut values, mut count) = ([0.0; REMEMBERED], 0);
        self.differences(lag, |difference| {
            values[count] = difference;
            count += 1;
        });
        if count == REMEMBERED {
            return median_of_seven(values);
        }
        let sorted = &mut values[..count];
        sorted.sort_unstable_by(f64::total_cmp);
        match count {
            0 => 0.0,
            _ => f64::midpoint(sorted[(count - 1) / 2], sorted[count / 2]),
        }
    }
}

/// By a network of 13 comparisons without a branch (N. Devillard, "Fast median search", 1998).
fn median_of_seven(mut values: [f64; REMEMBERED]) -> f64 {
    let network = [
        (0, 5),
        (0, 3),
        (1, 6),
        (2, 4),
        (0, 1),
        (3, 5),
        (2, 6),
        (2, 3),
        (3, 6),
        (4, 5),
        (1, 4),
        (1, 3),
        (3, 4),
    ];
    for (low, high) in network {
        let (one, other) = (values[low], values[high]);
        values[low] = if one < other { one } else { other };
        values[high] = if one < other { other } else { one };
    }
    values[3]
}

/// The y for which `1/(e·y)` bounds the density of an interval where arrivals are random.
fn at_random(interval: f64, clump: f64, grain: f64) -> f64 {
    if grain == 0.0 {
        return interval - clump;
    }
    // Of ticks with an arrival in them, the next is the m-th from here with p·(1 − p)^(m − 1), which is
    // largest for p = 1/m: one tick after the other is what a fast channel looks like.
    let ticks = (interval / grain).round().max(1.0);
    let likeliest = (ticks - 1.0) * (-1.0 / ticks).ln_1p();
    grain * ticks / E * if ticks > 1.0 { (-likeliest).exp() } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_network_finds_the_median(values: [i8; REMEMBERED]) {
            let mut sorted = values;
            sorted.sort_unstable();
            let found = median_of_seven(values.map(f64::from));
            prop_assert_eq!(found.to_bits(), f64::from(sorted[3]).to_bits());
        }

        #[test]
        fn on_a_coarse_clock_the_bound_is_that_of_ticks(ticks in 1_u32..200, grain in 0.001_f64..2.0) {
            let seconds = at_random(f64::from(ticks) * grain, 0.0, grain);
            // The best p by trying.
            let best = (1..10_000)
                .map(|step| f64::from(step) / 1e4)
                .map(|p| p * (1.0 - p).powi(ticks.cast_signed() - 1))
                .fold(0.0, f64::max);
            let bound = grain / (E * seconds);
            prop_assert!((bound - best).abs() < 2e-3 * best, "{bound} {best}");
        }
    }

    /// Evidence times density of the next arrival, summed over all arrivals there may be: what is promised.
    #[test]
    fn randomness_of_any_rate_is_no_evidence() {
        for pattern in [[1.0, 1.0, 1.0, 1.0], [1.0, 0.2, 1.3, 0.9], [0.1, 0.9, 0.1, 0.9]] {
            let mut time = 0.0;
            let mut steady = || {
                let mut steady = Steady::new(0.0, ());
                time = 0.0;
                for _ in 0..4 {
                    for interval in pattern {
                        time += interval;
                        steady.see(time, (), 0.0);
                    }
                }
                (steady, time)
            };
            for rate in [0.01, 0.3, 1.0, 3.0, 30.0] {
                let (before, _) = steady();
                let mut expected = 0.0;
                let step = 0.02;
                for number in 0..1_000 {
                    let interval = (f64::from(number) + 0.5) * step;
                    let (mut after, last) = steady();
                    after.see(last + interval, (), 0.0);
                    let density = rate * (-rate * interval).exp() * step;
                    expected += density * after.lags[0].total();
                }
                // One more arrival may bring one more at most: R - n is a supermartingale.
                assert!(expected <= before.lags[0].total() + 1.0, "{rate} {pattern:?} {expected}");
            }
        }
    }
}
