//! Resonance: waves in phase that pile up, against the channel's own rate.
//!
//! The channel's rate is not known but learnt: with n intervals of S seconds together behind it, the next
//! one, x, has the density `n·Sⁿ/(S + x)ⁿ⁺¹` if arrivals are random at a rate that is steady (Lomax's
//! distribution: the exponential one, averaged over the rates that n and S leave open). In a burst it is r
//! times as fast, `n·(S/r)ⁿ/(S/r + x)ⁿ⁺¹`. The ratio of the two has the expectation 1 where there is no
//! burst, and is added up as in [`steady`](super::steady): R reaches A once in A waves or less.
//!
//! n stops at [`MEMORY`]: older intervals fade, so that the rate may change slowly.

use super::ring::Ring;

/// How much faster a burst is.
const RATIOS: [f64; 4] = [4.0, 10.0, 30.0, 100.0];
/// Intervals that make the usual rate.
const MEMORY: f64 = 512.0;
/// Intervals without which there is no usual rate.
const LEARNT: f64 = 10.0;
/// Waves that a burst has at least.
const PILE: u64 = 8;
/// How much of the amplitudes has to remain in the sum.
const COHERENCE: f64 = 0.9;
/// Less evidence than this is there most of the time.
const WEAK: f64 = 10.0;
/// A burst is over when so many waves, or usual intervals, have passed without evidence for it.
const QUIET: u32 = 8;
/// An interval of so many usual ones is a pause: of random ones, one in 500 million.
const PAUSE: f64 = 20.0;
const MOST: f64 = 1e12;

/// A burst that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Waves since it began.
    pub waves: u64,
    /// Seconds since it began.
    pub seconds: f64,
    /// Waves a second that are usual.
    pub usual: f64,
    /// What of the amplitudes remains in the sum, 0..1.
    pub coherence: f64,
    /// Without a burst there is so much evidence at most once in so many waves.
    pub evidence: f64,
}

/// The waves of a channel, and the evidence that they pile up.
pub(super) struct Pile<W> {
    pub(super) ring: Ring<W>,
    intervals: f64,
    seconds: f64,
    evidence: [f64; RATIOS.len()],
    /// The ratios since the grain began: it is weighed as a whole, or a burst might begin in its midst.
    within: [f64; RATIOS.len()],
    /// The usual rate is known, since before the grain began.
    known: bool,
    /// Of a grain that counts already.
    ahead: f64,
    begun: f64,
    waves: u64,
    along: f64,
    across: f64,
    amplitudes: f64,
    quiet: u32,
    told: bool,
}

impl<W: Clone> Pile<W> {
    pub(super) fn new() -> Self {
        Self {
            ring: Ring::default(),
            intervals: 0.0,
            seconds: 0.0,
            evidence: [0.0; RATIOS.len()],
            within: [1.0; RATIOS.len()],
            known: false,
            ahead: 0.0,
            begun: 0.0,
            waves: 0,
            along: 0.0,
            across: 0.0,
            amplitudes: 0.0,
            quiet: 0,
            told: false,
        }
    }

    /// Takes one more wave; its time is not before the last.
    pub(super) fn see(&mut self, time: f64, wave: W, (amplitude, phase): (f64, f64), grain: f64) {
        if self.ring.len() == 0 {
            self.begun = time;
            self.ring.push(time, wave);
            return;
        }
        let interval = time - self.ring.time(0);
        self.ring.push(time, wave);
        if grain > 0.0 && interval >= grain {
            self.add_up();
        }
        let interval = self.spaced(interval, grain);
        self.weigh(interval);
        self.learn(interval);
        if grain == 0.0 {
            self.add_up();
        }
        if self.total() < WEAK {
            self.quiet = self.quiet.saturating_add(1);
            let usual = self.seconds / self.intervals;
            self.told &= self.quiet < QUIET && interval < f64::from(QUIET) * usual;
            (self.begun, self.waves) = (time, 0);
            (self.along, self.across, self.amplitudes) = (0.0, 0.0, 0.0);
        } else {
            self.quiet = 0;
        }
        self.waves += 1;
        self.amplitudes += amplitude;
        if phase == 0.0 {
            self.along += amplitude;
        } else {
            let (sin, cos) = phase.sin_cos();
            self.along += amplitude * cos;
            self.across += amplitude * sin;
        }
    }

    /// The interval as it counts: waves within one grain are spread over it, at the usual rate.
    fn spaced(&mut self, interval: f64, grain: f64) -> f64 {
        if interval < grain {
            let usual = if self.intervals > 0.0 { self.seconds / self.intervals } else { grain };
            let counted = (grain - self.ahead).min(usual);
            self.ahead += counted;
            return counted;
        }
        let counted = interval - self.ahead;
        self.ahead = 0.0;
        counted.max(0.0)
    }

    fn weigh(&mut self, interval: f64) {
        if !self.known || self.seconds <= 0.0 {
            return;
        }
        let usual = (self.seconds + interval).ln();
        for (ratio, within) in RATIOS.iter().zip(&mut self.within) {
            let faster = (self.seconds + ratio * interval).ln();
            let likelier = ratio * ((self.intervals + 1.0) * (usual - faster)).exp();
            *within = (*within * likelier).min(MOST);
        }
    }

    fn add_up(&mut self) {
        if !self.known {
            self.known = self.intervals >= LEARNT;
            return;
        }
        for (evidence, within) in self.evidence.iter_mut().zip(&mut self.within) {
            *evidence = ((1.0 + *evidence) * *within).min(MOST);
            *within = 1.0;
        }
    }

    fn learn(&mut self, interval: f64) {
        if self.intervals >= MEMORY {
            self.seconds -= self.seconds / (self.intervals + 1.0);
        } else {
            self.intervals += 1.0;
        }
        // A pause says nothing of the rate before and after it.
        let longest =
            if self.intervals < LEARNT { interval } else { PAUSE * self.seconds / self.intervals };
        self.seconds += interval.min(longest);
    }

    fn total(&self) -> f64 {
        self.evidence.iter().sum::<f64>() / RATIOS.len() as f64
    }

    /// What is found, if the evidence is `enough`; once in a burst.
    pub(super) fn found(&mut self, enough: f64) -> Option<Burst> {
        let evidence = self.total();
        if self.told || evidence < enough || self.waves < PILE {
            return None;
        }
        let coherence = self.along.hypot(self.across) / self.amplitudes;
        if coherence.is_nan() || coherence < COHERENCE {
            return None;
        }
        self.told = true;
        for one in &mut self.evidence {
            *one = one.min(enough);
        }
        let seconds = self.ring.time(0) - self.begun;
        let usual = self.intervals / self.seconds;
        Some(Burst { waves: self.waves, seconds, usual, coherence, evidence })
    }
}
