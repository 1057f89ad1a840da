//! Many waves of one frequency: the sum of their arrows, as amplitude and phase.
//!
//! Blocks are summed in lanes, and the blocks' sums to twice the precision: the error is at most
//! 4 ε Σ|a| √n, and in practice that of sine and cosine alone, ε Σ|a| / √n.

use std::f64::consts::TAU;

use crate::cores::shared;
use crate::dispatch::{Arithmetic, Job, run};
use crate::double::Double;
use crate::trigonometry::{FAR, near, sin_cos_of};

/// How many waves are summed in lanes.
pub const BLOCK: usize = 256;

/// From twice as many waves on, the work is shared among cores.
const GRAIN: usize = 16_384;

/// A sum of arrows so far.
#[derive(Clone, Copy, Debug)]
pub struct Arrow {
    along: Double,
    across: Double,
}

impl Arrow {
    /// Of no waves.
    pub const SILENCE: Self =
        Self { along: Double { high: 0.0, low: 0.0 }, across: Double { high: 0.0, low: 0.0 } };

    /// Adds waves.
    pub fn add(&mut self, amplitude: &[f64], phase: &[f64]) {
        let mut copy = [0.0; BLOCK];
        for (amplitude, phase) in amplitude.chunks(BLOCK).zip(phase.chunks(BLOCK)) {
            let (along, across) = run(Sums { amplitude, phase: brought_near(phase, &mut copy) });
            self.along = self.along.plus(along);
            self.across = self.across.plus(across);
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: Self) {
        self.along = self.along.add(other.along);
        self.across = self.across.add(other.across);
    }

    /// Amplitude and phase, in [0, 2π); of silence, 0 and 0.
    pub fn polar(self) -> (f64, f64) {
        let (along, across) = (self.along.rounded(), self.across.rounded());
        let phase = across.atan2(along);
        let phase = if phase < 0.0 { phase + TAU } else { phase + 0.0 };
        let amplitude = along.hypot(across);
        (amplitude, if amplitude == 0.0 || phase >= TAU { 0.0 } else { phase })
    }
}

/// The sum of the waves that `read` gives, block by block: `read(from, amplitude, phase)` fills both.
pub fn resultant(length: usize, read: impl Fn(usize, &mut [f64], &mut [f64]) + Sync) -> Arrow {
    let parts = shared(length, GRAIN, BLOCK, |part| {
        let (mut amplitude, mut phase) = ([0.0; BLOCK], [0.0; BLOCK]);
        let mut sum = Arrow::SILENCE;
        for start in part.clone().step_by(BLOCK) {
            let count = BLOCK.min(part.end - start);
            read(start, &mut amplitude[..count], &mut phase[..count]);
            sum.add(&amplitude[..count], &phase[..count]);
        }
        sum
    });
    parts.into_iter().fold(Arrow::SILENCE, |mut sum, part| {
        sum.merge(part);
        sum
    })
}

/// Sums by group: wave i belongs to `sums[group[i]]`, and to nobody if there is no such group.
pub fn resultants(amplitude: &[f64], phase: &[f64], group: &[i64], sums: &mut [Arrow]) {
    let (mut copy, mut across, mut along) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    let waves = amplitude.chunks(BLOCK).zip(phase.chunks(BLOCK)).zip(group.chunks(BLOCK));
    for ((amplitude, phase), group) in waves {
        let count = amplitude.len();
        let phase = brought_near(phase, &mut copy);
        let (along, across) = (&mut along[..count], &mut across[..count]);
        run(Arrows { amplitude, phase, along, across });
        for ((&along, &across), &group) in along.iter().zip(&*across).zip(group) {
            if let Some(sum) = usize::try_from(group).ok().and_then(|group| sums.get_mut(group)) {
                sum.along = sum.along.plus(along);
                sum.across = sum.across.plus(across);
            }
        }
    }
}

/// The phases, or a copy of them from which the far ones are gone.
pub(crate) fn brought_near<'a>(phases: &'a [f64], copy: &'a mut [f64; BLOCK]) -> &'a [f64] {
    if run(AllNear(phases)) {
        return phases;
    }
    for (to, &from) in copy.iter_mut().zip(phases) {
        *to = near(from);
    }
    &copy[..phases.len()]
}

struct AllNear<'a>(&'a [f64]);

impl Job for AllNear<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> bool {
        self.0.iter().fold(true, |all, phase| all & (phase.abs() <= FAR))
    }
}

struct Arrows<'a> {
    amplitude: &'a [f64],
    phase: &'a [f64],
    along: &'a mut [f64],
    across: &'a mut [f64],
}

impl Job for Arrows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let waves = self.amplitude.iter().zip(self.phase);
        for ((along, across), (&amplitude, &phase)) in
            self.along.iter_mut().zip(self.across).zip(waves)
        {
            let (sin, cos) = sin_cos_of::<A>(phase);
            (*along, *across) = (amplitude * cos, amplitude * sin);
        }
    }
}

pub(super) struct Sums<'a> {
    pub(super) amplitude: &'a [f64],
    pub(super) phase: &'a [f64],
}

impl Job for Sums<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> (f64, f64) {
        const LANES: usize = 8;
        let (mut along, mut across) = ([0.0; LANES], [0.0; LANES]);
        let (amplitudes, phases) =
            (self.amplitude.chunks_exact(LANES), self.phase.chunks_exact(LANES));
        let rest = amplitudes.remainder().iter().zip(phases.remainder());
        for (amplitude, phase) in amplitudes.zip(phases) {
            for lane in 0..LANES {
                let (sin, cos) = sin_cos_of::<A>(phase[lane]);
                along[lane] += amplitude[lane] * cos;
                across[lane] += amplitude[lane] * sin;
            }
        }
        for (&amplitude, &phase) in rest {
            let (sin, cos) = sin_cos_of::<A>(phase);
            along[0] += amplitude * cos;
            across[0] += amplitude * sin;
        }
        (in_pairs(along), in_pairs(across))
    }
}

#[inline(always)]
fn in_pairs(lanes: [f64; 8]) -> f64 {
    let [first, second] =
        [0, 4].map(|at| (lanes[at] + lanes[at + 1]) + (lanes[at + 2] + lanes[at + 3]));
    first + second
}
