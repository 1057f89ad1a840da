//! Two waves of one frequency.

use std::f64::consts::FRAC_PI_4;

use crate::arrays;
use crate::dispatch::Plain;
use crate::double::{Double, SIGN, sign_of};
use crate::trigonometry::{HALF_TURN, half_turns, less, near};

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

/// Amplitude and phase, in [0, 2π), of the sum of two waves; of silence, 0 and 0. The same numbers as
/// those of [`arrays::interfere`].
pub fn interfere(a1: f64, p1: f64, a2: f64, p2: f64) -> (f64, f64) {
    let (mut amplitude, mut phase) = ([0.0], [0.0]);
    let (p1, p2) = ([near(p1)], [near(p2)]);
    arrays::interfere_near(&[a1], &p1, &[a2], &p2, &mut amplitude, &mut phase);
    (amplitude[0], phase[0])
}

/// How far two phases are apart, in [0, π].
pub fn phase_difference(p1: f64, p2: f64) -> f64 {
    let difference = Double::sum(near(p1), -near(p2));
    let (turns, bits) = half_turns(difference.high);
    let left = less::<Plain>(difference, turns);
    let left = left.flipped(sign_of(left.high));
    // From an odd number of half turns on, it is counted back.
    let across = HALF_TURN.larger_plus(left.flipped(SIGN));
    if bits & 1 == 0 { left.rounded() } else { across.rounded() }
}

/// How much louder than the louder of the two their sum is: 0 if they cancel or are silent, 2 if equal
/// waves meet in phase.
pub fn gain(amplitude: f64, a1: f64, a2: f64) -> f64 {
    let louder = a1.max(a2);
    if louder == 0.0 { 0.0 } else { amplitude / louder }
}
