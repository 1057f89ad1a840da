//! Two waves of one frequency, over slices.
//!
//! Seen from the angle halfway between the two, the sum is
//! `(a₁ + a₂)·cos(Δ/2) + i·(a₁ − a₂)·sin(Δ/2)` with Δ = p₁ − p₂. Both parts are products, so nothing
//! cancels however close to antiphase they are; only Δ itself has to be exact.

use crate::arrays::resultant::{BLOCK, brought_near};
use crate::dispatch::{Arithmetic, Job, Plain, run};
use crate::double::{Double, sign_of};
use crate::sine::sine;
use crate::trigonometry::{angle_of, double_turned, half_turns, less, sin_cos, wrapped};

/// Sums below this have not all their digits.
const FAINT: f64 = 1e-290;

/// Phases below this are looked at again.
const SMALL: f64 = 0.031_25;

/// Amplitudes and phases, in [0, 2π), of the sums of two waves each; of silence, 0 and 0. The slices
/// are equally long.
pub fn interfere(
    a1: &[f64],
    p1: &[f64],
    a2: &[f64],
    p2: &[f64],
    amplitude: &mut [f64],
    phase: &mut [f64],
) {
    for (block, (amplitude, phase)) in
        amplitude.chunks_mut(BLOCK).zip(phase.chunks_mut(BLOCK)).enumerate()
    {
        let here = block * BLOCK..block * BLOCK + amplitude.len();
        let (mut first, mut second) = ([0.0; BLOCK], [0.0; BLOCK]);
        let p1 = brought_near(&p1[here.clone()], &mut first);
        let p2 = brought_near(&p2[here.clone()], &mut second);
        interfere_near(&a1[here.clone()], p1, &a2[here], p2, amplitude, phase);
    }
}

/// The same of phases that are near.
pub(crate) fn interfere_near(
    a1: &[f64],
    p1: &[f64],
    a2: &[f64],
    p2: &[f64],
    amplitude: &mut [f64],
    phase: &mut [f64],
) {
    run(Pairs { a1, p1, a2, p2, amplitude, phase });
    for (i, phase) in phase.iter_mut().enumerate().filter(|(_, phase)| **phase < SMALL) {
        *phase = small(*phase, amplitude[i], [a1[i], a2[i]], [p1[i], p2[i]]);
    }
}

/// A small phase, exact in all its digits: where the phases of the two cancel, the kernel knows it to
/// 2e-17 radians only, so it is taken from the sum's sine.
fn small(phase: f64, amplitude: f64, a: [f64; 2], p: [f64; 2]) -> f64 {
    let cancels = p.iter().any(|p| p.abs() > 4.0 * phase);
    if !cancels || amplitude < FAINT || a.contains(&0.0) {
        return phase;
    }
    let part = |i: usize| sine(p[i]).times::<Plain>(Double::exact(a[i]));
    let angle = (part(0).add(part(1)).rounded() / amplitude).asin();
    if angle >= 0.0 { angle } else { wrapped::<Plain>(Double::exact(angle), false) }
}

pub(super) struct Pairs<'a> {
    pub(super) a1: &'a [f64],
    pub(super) p1: &'a [f64],
    pub(super) a2: &'a [f64],
    pub(super) p2: &'a [f64],
    pub(super) amplitude: &'a mut [f64],
    pub(super) phase: &'a mut [f64],
}

impl Job for Pairs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let first = self.a1.iter().zip(self.p1);
        let second = self.a2.iter().zip(self.p2);
        let out = self.amplitude.iter_mut().zip(self.phase);
        for ((amplitude, phase), ((&a1, &p1), (&a2, &p2))) in out.zip(first.zip(second)) {
            (*amplitude, *phase) = sum::<A>(a1, p1, a2, p2);
        }
    }
}

#[inline(always)]
fn sum<A: Arithmetic>(a1: f64, p1: f64, a2: f64, p2: f64) -> (f64, f64) {
    // Beside silence, a wave stays what it is: both get its phase.
    let (one, other) = (if a1 == 0.0 { p2 } else { p1 }, if a2 == 0.0 { p1 } else { p2 });
    let difference = Double::sum(one, -other);
    let halfway = Double::sum(one, other).scaled(0.5);
    let (turns, bits) = half_turns(difference.high);
    let (sin, cos) = sin_cos::<A>(less::<A>(difference, turns).scaled(0.5));
    // Half a difference is short of its multiple of π by as many quarter turns.
    let (sin, cos) = double_turned(sin, cos, bits);
    // Products and squares of very small or large numbers need room.
    let (down, up) = room(a1.abs(), a2.abs());
    let (a1, a2) = (a1 * down, a2 * down);
    let along = Double::sum(a1, a2).times::<A>(cos);
    let across = Double::sum(a1, -a2).times::<A>(sin);
    let lows = A::mul_add(along.high, along.low, across.high * across.low);
    let squares = A::mul_add(across.high, across.high, 2.0 * lows);
    let amplitude = A::mul_add(along.high, along.high, squares).sqrt() * up;

    // A sum that points backwards is turned by π.
    let backwards = sign_of(along.high);
    let seen = angle_of::<A>(across.flipped(backwards), along.flipped(backwards));
    let sum = Double::sum(halfway.high, seen.high);
    let sum = Double { high: sum.high, low: sum.low + (halfway.low + seen.low) };
    let phase = wrapped::<A>(sum, backwards != 0);
    (amplitude, if amplitude == 0.0 { 0.0 } else { phase })
}

/// Powers of two that bring the larger of two numbers to about 1 and back.
#[inline(always)]
fn room(one: f64, other: f64) -> (f64, f64) {
    const EXPONENT: u64 = 0x7ff0_0000_0000_0000;
    const LEAST: u64 = 0x0010_0000_0000_0000;
    const MOST: u64 = 0x7fd0_0000_0000_0000;
    let exponent = if one > other { one } else { other }.to_bits() & EXPONENT;
    let exponent = if exponent < LEAST { LEAST } else { exponent };
    let exponent = if exponent > MOST { MOST } else { exponent };
    (f64::from_bits(LEAST + MOST - exponent), f64::from_bits(exponent))
}
