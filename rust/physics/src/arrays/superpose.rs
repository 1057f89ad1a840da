//! The sum of n waves at m times: `Σ a·cos(2π·f·t + p)`, and the sine of the same.
//!
//! Angles are counted in turns, of which the whole ones fall off without an error, however many there
//! are. Evenly spaced times need few angles: `t = anchor + offset`, and the angles of anchors and
//! offsets are added by multiplication, which makes the sum a product of two matrices, and the same for
//! two times: `cos(α ± β) = cos α·cos β ∓ sin α·sin β`. What a time is away from its place, as it is
//! rounded, is made good with the derivative, where it matters.

use std::f64::consts::TAU;

use crate::arrays::tiles::{COLUMNS, ROWS, product};
use crate::cores::{pieces, side_by_side};
use crate::dispatch::{Arithmetic, Job, run};
use crate::double::{Double, ROUNDER, nearest};
use crate::trigonometry::{near, quarter_turned, sin_cos_near};

/// How many offsets there are from an anchor, in both directions; the first is none.
const REACH: usize = 64;

/// How many times share the anchor in their middle.
const SPAN: usize = 2 * REACH - 1;

/// How many waves are summed in one go.
const GROUP: usize = 128;

/// Times that are summed side by side without anchors.
const BLOCK: usize = 64;

/// Fewer products of a wave and a time are not worth a thread.
const GRAIN: usize = 262_144;

/// Up to this many radians away from its place, the derivative makes a time good: the square is lost.
const CLOSE: f64 = 1e-8;

/// With sines there is no derivative: this much shows, in radians.
const NEAR: f64 = 1e-10;

/// What is left of 2π after its first 53 bits.
const TAU_LOW: f64 = 2.449_293_598_294_706_4e-16;

/// Waves that add up: slices of one length. Frequencies count turns for each unit of time, fewer than 2^50
/// in all; phases are radians.
#[derive(Clone, Copy, Debug)]
pub struct Waves<'a> {
    /// Amplitudes.
    pub amplitude: &'a [f64],
    /// Frequencies.
    pub frequency: &'a [f64],
    /// Phases.
    pub phase: &'a [f64],
}

/// The sums of the waves' cosines, and of their sines if those are wanted, at the times. The error is
/// at most 4 ε Σ|a| √n; with sines, at evenly spaced times, 10⁻¹⁰ Σ|a|.
pub fn superpose(
    waves: Waves<'_>,
    times: &[f64],
    mut cosines: &mut [f64],
    mut sines: Option<&mut [f64]>,
) {
    let turns: Vec<Double> = waves.phase.iter().map(|&phase| in_turns(near(phase))).collect();
    let spacing = Spacing::of(times, waves.frequency, if sines.is_some() { NEAR } else { CLOSE });
    let mut jobs = Vec::new();
    for part in pieces(times.len(), GRAIN / waves.frequency.len().max(1), SPAN) {
        let (here, rest) = cosines.split_at_mut(part.len());
        cosines = rest;
        let (sines_here, rest) = sines.map(|sines| sines.split_at_mut(part.len())).unzip();
        sines = rest;
        jobs.push(Part {
            waves,
            turns: &turns,
            times: &times[part],
            cosines: here,
            sines: sines_here,
        });
    }
    side_by_side(jobs, |part| match spacing {
        Some(spacing) => run(Even { part, spacing }),
        None => run(Uneven(part)),
    });
}

/// Evenly spaced times.
#[derive(Clone, Copy)]
pub(super) struct Spacing {
    step: f64,
    /// Whether a time may be so far from its place that it shows.
    corrected: bool,
}

impl Spacing {
    /// How the times are spaced, if it is evenly enough for these frequencies.
    pub(super) fn of(times: &[f64], frequency: &[f64], close: f64) -> Option<Self> {
        if times.len() < 2 * SPAN || frequency.len() < 4 {
            return None;
        }
        let step = (times[times.len() - 1] - times[0]) / (times.len() - 1) as f64;
        let away = run(Farthest { times, step });
        let fastest = frequency.iter().fold(0.0, |most, frequency| frequency.abs().max(most));
        let shift = TAU * fastest * away;
        let corrected = shift > f64::EPSILON * (frequency.len() as f64).sqrt();
        (shift <= close).then_some(Self { step, corrected })
    }
}

/// The anchor among times.
#[inline(always)]
fn anchor_of(times: &[f64]) -> usize {
    (REACH - 1).min(times.len() - 1)
}

/// How far a time is from its place, so many steps after the anchor.
#[inline(always)]
fn misplaced<A: Arithmetic>(anchor: f64, step: f64, steps: f64, time: f64) -> f64 {
    let offset = Double::product::<A>(step, steps);
    let gone = Double::sum(time, -anchor);
    ((gone.high - offset.high) - offset.low) + gone.low
}

/// How far the farthest time is from its place; NaN if there is one among them.
struct Farthest<'a> {
    times: &'a [f64],
    step: f64,
}

impl Job for Farthest<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> f64 {
        const LANES: usize = 8;
        let mut most = [0.0; LANES];
        for times in self.times.chunks(SPAN) {
            let anchor = anchor_of(times);
            for (eight, some) in times.chunks(LANES).enumerate() {
                for (lane, &time) in some.iter().enumerate() {
                    let steps = (eight * LANES + lane) as f64 - anchor as f64;
                    let away = misplaced::<A>(times[anchor], self.step, steps, time).abs();
                    most[lane] = if away <= most[lane] { most[lane] } else { away };
                }
            }
        }
        most.into_iter().fold(0.0, |most, away| if away <= most { most } else { away })
    }
}

/// Radians as turns.
pub(super) fn in_turns(phase: f64) -> Double {
    struct Turns(f64);
    impl Job for Turns {
        type Output = Double;
        #[inline(always)]
        fn run<A: Arithmetic>(self) -> Double {
            let turns = self.0 / TAU;
            let product = Double::product::<A>(turns, TAU);
            let left = (self.0 - product.high) - product.low;
            Double::ordered_sum(turns - nearest(turns), (left - turns * TAU_LOW) / TAU)
        }
    }
    run(Turns(phase))
}

/// Sine and cosine of `frequency · time + turns` turns.
#[inline(always)]
fn sin_cos_turns<A: Arithmetic>(frequency: f64, time: Double, turns: Double) -> (f64, f64) {
    let product = Double::product::<A>(frequency, time.high);
    let low = A::mul_add(frequency, time.low, product.low);
    let sum = Double::sum(product.high - nearest(product.high), turns.high);
    let quarters = sum.high * 4.0 + ROUNDER;
    let left = sum.high - (quarters - ROUNDER) * 0.25;
    let low = sum.low + (low + turns.low);
    let x = A::mul_add(left, TAU, A::mul_add(left, TAU_LOW, low * TAU));
    let (sin, cos) = sin_cos_near::<A>(x);
    quarter_turned(sin, cos, quarters.to_bits())
}

/// What one thread computes.
pub(super) struct Part<'a> {
    pub(super) waves: Waves<'a>,
    pub(super) turns: &'a [Double],
    pub(super) times: &'a [f64],
    pub(super) cosines: &'a mut [f64],
    pub(super) sines: Option<&'a mut [f64]>,
}

pub(super) struct Uneven<'a>(pub(super) Part<'a>);

impl Job for Uneven<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Part { waves, turns, times, cosines: out, sines: mut out_sines } = self.0;
        for (block, times) in times.chunks(BLOCK).enumerate() {
            let at = block * BLOCK;
            let (mut cosines, mut sines) =
                ([Double::exact(0.0); BLOCK], [Double::exact(0.0); BLOCK]);
            for (group, turns) in turns.chunks(GROUP).enumerate() {
                let first = group * GROUP;
                let (mut along, mut across) = ([0.0; BLOCK], [0.0; BLOCK]);
                for (wave, &turns) in (first..).zip(turns) {
                    let (amplitude, frequency) = (waves.amplitude[wave], waves.frequency[wave]);
                    for ((along, across), &time) in along.iter_mut().zip(&mut across).zip(times) {
                        let time = Double::exact(time);
                        let (sin, cos) = sin_cos_turns::<A>(frequency, time, turns);
                        *along = A::mul_add(amplitude, cos, *along);
                        *across = A::mul_add(amplitude, sin, *across);
                    }
                }
                for place in 0..BLOCK {
                    cosines[place] = cosines[place].plus(along[place]);
                    sines[place] = sines[place].plus(across[place]);
                }
            }
            for (place, _) in times.iter().enumerate() {
                out[at + place] = cosines[place].rounded();
                if let Some(out) = &mut out_sines {
                    out[at + place] = sines[place].rounded();
                }
            }
        }
    }
}

pub(super) struct Even<'a> {
    pub(super) part: Part<'a>,
    pub(super) spacing: Spacing,
}

impl Job for Even<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self { part: Part { waves, turns, times, cosines, mut sines }, spacing } = self;
        let with_sines = sines.is_some();
        cosines.fill(0.0);
        if let Some(sines) = &mut sines {
            sines.fill(0.0);
        }
        // The rows of a tile: an anchor has one for the cosines, and one for the sines or the derivative.
        let each = if with_sines || spacing.corrected { 2 } else { 1 };
        let anchors = ROWS / each;
        // What is multiplied by the cosines of the offsets, and what by their sines.
        let (mut even, mut odd) = ([0.0; ROWS * GROUP], [0.0; ROWS * GROUP]);
        let (mut right_cos, mut right_sin) = (vec![0.0; REACH * GROUP], vec![0.0; REACH * GROUP]);
        let (mut sin, mut cos) = ([0.0; GROUP], [0.0; GROUP]);
        for (group, turns) in turns.chunks(GROUP).enumerate() {
            let here = group * GROUP..group * GROUP + turns.len();
            let (amplitude, frequency) = (&waves.amplitude[here.clone()], &waves.frequency[here]);
            let count = turns.len();
            offsets::<A>(frequency, spacing.step, &mut right_cos, &mut right_sin);
            for (set, times) in times.chunks(SPAN * anchors).enumerate() {
                for (row, times) in times.chunks(SPAN).enumerate() {
                    let (sin, cos) = (&mut sin[..count], &mut cos[..count]);
                    let anchor = Double::exact(times[anchor_of(times)]);
                    angles::<A>(frequency, anchor, turns, sin, cos);
                    for (wave, (&sin, &cos)) in sin.iter().zip(&*cos).enumerate() {
                        let (sin, cos) = (amplitude[wave] * sin, amplitude[wave] * cos);
                        let at = wave * ROWS + row * each;
                        (even[at], odd[at]) = (cos, -sin);
                        if with_sines {
                            (even[at + 1], odd[at + 1]) = (sin, cos);
                        } else if each == 2 {
                            let fast = -TAU * frequency[wave];
                            (even[at + 1], odd[at + 1]) = (fast * sin, fast * cos);
                        }
                    }
                }
                for column in (0..REACH).step_by(COLUMNS) {
                    let panel = column * count..(column + COLUMNS) * count;
                    let even = product::<A>(&even[..ROWS * count], &right_cos[panel.clone()]);
                    let odd = product::<A>(&odd[..ROWS * count], &right_sin[panel]);
                    for (row, times) in times.chunks(SPAN).enumerate() {
                        let first = (set * anchors + row) * SPAN;
                        let anchor = anchor_of(times);
                        let mut add = |place: usize, steps: f64, sums: [f64; 2]| {
                            cosines[first + place] += sums[0];
                            if let Some(sines) = &mut sines {
                                sines[first + place] += sums[1];
                            } else if each == 2 {
                                let (anchor, time) = (times[anchor], times[place]);
                                let away = misplaced::<A>(anchor, spacing.step, steps, time);
                                cosines[first + place] += away * sums[1];
                            }
                        };
                        let (one, other) = (row * each, row * each + each - 1);
                        for lane in 0..COLUMNS {
                            let steps = column + lane;
                            let (even, odd) = (
                                [even[one][lane], even[other][lane]],
                                [odd[one][lane], odd[other][lane]],
                            );
                            if anchor + steps < times.len() {
                                let sums = [even[0] + odd[0], even[1] + odd[1]];
                                add(anchor + steps, steps as f64, sums);
                            }
                            if (1..=anchor).contains(&steps) {
                                let sums = [even[0] - odd[0], even[1] - odd[1]];
                                add(anchor - steps, -(steps as f64), sums);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Sines and cosines of all waves at one time.
#[inline(always)]
fn angles<A: Arithmetic>(
    frequency: &[f64],
    time: Double,
    turns: &[Double],
    sin: &mut [f64],
    cos: &mut [f64],
) {
    let waves = frequency.iter().zip(turns);
    for ((sin, cos), (&frequency, &turns)) in sin.iter_mut().zip(cos).zip(waves) {
        (*sin, *cos) = sin_cos_turns::<A>(frequency, time, turns);
    }
}

/// Cosines and sines of the angles between an anchor and the times that share it, in panels.
#[inline(always)]
fn offsets<A: Arithmetic>(frequency: &[f64], step: f64, cosines: &mut [f64], sines: &mut [f64]) {
    let (mut sin, mut cos) = ([0.0; GROUP], [0.0; GROUP]);
    for steps in 0..REACH {
        let offset = Double::product::<A>(step, steps as f64);
        angles::<A>(frequency, offset, &[Double::exact(0.0); GROUP], &mut sin, &mut cos);
        let panel = steps / COLUMNS * COLUMNS * frequency.len() + steps % COLUMNS;
        for wave in 0..frequency.len() {
            cosines[panel + wave * COLUMNS] = cos[wave];
            sines[panel + wave * COLUMNS] = sin[wave];
        }
    }
}
