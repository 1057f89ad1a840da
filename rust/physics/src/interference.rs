//! Two waves of one frequency.

use std::f64::consts::FRAC_PI_4;

use crate::angle::Angle;

/// How two waves meet, by their phase difference Δ in [0, π].
///
/// For equal amplitudes the gain is `2·cos(Δ/2)`: at least 1.84 where they are constructive, at most
/// 0.77 where they are destructive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Δ ≤ π/4: the waves strengthen each other.
    Constructive,
    /// Δ ≥ 3π/4: the waves weaken each other.
    Destructive,
    /// Anything between.
    Partial,
}

impl Kind {
    /// The kind of a phase difference in [0, π]; NaN is partial.
    pub fn of(difference: f64) -> Self {
        if difference <= FRAC_PI_4 {
            Self::Constructive
        } else if difference >= 3.0 * FRAC_PI_4 {
            Self::Destructive
        } else {
            Self::Partial
        }
    }

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constructive => "constructive",
            Self::Destructive => "destructive",
            Self::Partial => "partial",
        }
    }
}

/// Amplitude and phase, in [0, 2π), of the sum of two waves; of silence, 0 and 0.
///
/// Seen from the angle halfway between the two, the sum is
/// `(a₁ + a₂)·cos(Δ/2) + i·(a₁ − a₂)·sin(Δ/2)` with Δ = p₁ − p₂. Both parts are products, so nothing
/// cancels however close to antiphase they are; only Δ itself has to be exact.
pub fn interfere(a1: f64, p1: f64, a2: f64, p2: f64) -> (f64, f64) {
    if a2 == 0.0 {
        return alone(a1, p1);
    }
    if a1 == 0.0 {
        return alone(a2, p2);
    }
    let difference = Angle::sum(p1, -p2);
    let turns = difference.turns();
    let (sin, cos) = difference.less(turns).half().sin_cos();
    // Half a difference is short of its multiple of π by as many quarter turns.
    let (sin, cos) = match turns.rem_euclid(4.0) as u8 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    };
    let (along, across) = ((a1 + a2) * cos, (a1 - a2) * sin);
    let amplitude = along.hypot(across);
    if amplitude == 0.0 {
        return (0.0, 0.0);
    }
    let halfway = Angle::sum(p1, p2).half();
    // A sum that points backwards is turned by π, which is known to more digits than `atan2` has.
    let phase = if along < 0.0 {
        halfway.less(-1.0).plus((-across).atan2(-along))
    } else {
        halfway.plus(across.atan2(along))
    };
    (amplitude, phase.wrapped())
}

/// How far two phases are apart, in [0, π].
pub fn phase_difference(p1: f64, p2: f64) -> f64 {
    let difference = Angle::sum(p1, -p2);
    let turns = difference.turns();
    let left = difference.less(turns).abs();
    if turns.rem_euclid(2.0) == 0.0 { left.rounded() } else { left.less(1.0).abs().rounded() }
}

/// How much louder than the louder of the two their sum is: 0 if they cancel or are silent, 2 if equal
/// waves meet in phase.
pub fn gain(amplitude: f64, a1: f64, a2: f64) -> f64 {
    let louder = a1.max(a2);
    if louder == 0.0 { 0.0 } else { amplitude / louder }
}

/// A wave that meets silence.
fn alone(amplitude: f64, phase: f64) -> (f64, f64) {
    if amplitude == 0.0 { (0.0, 0.0) } else { (amplitude, Angle::sum(phase, 0.0).wrapped()) }
}
