//! The numbers of a wave, and the rules of a hop. The core never sees a payload.

use std::f64::consts::TAU;

use crate::decay::attenuated;

/// How a medium treats waves; the fields are those of `AetherConfig`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// What a hop, or an interval of time, leaves of an amplitude: (0, 1].
    pub attenuation_factor: f64,
    /// The interval of time decay, in seconds.
    pub decay_interval: f64,
    /// A wave with so many hops behind it goes nowhere.
    pub max_propagation: u32,
    /// A wave fainter than this goes nowhere: 0..1.
    pub min_amplitude: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            attenuation_factor: 0.95,
            decay_interval: 1.0,
            max_propagation: 10,
            min_amplitude: 0.01,
        }
    }
}

/// Loudness and hops: what an emission changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strength {
    /// 0..1.
    pub amplitude: f64,
    /// The amplitude that was given at the first emission: 0..1.
    pub priority: f64,
    /// Emissions behind it: 0 before the first.
    pub hops: u32,
}

/// Why a wave goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// It has made `max_propagation` hops.
    Propagation,
    /// It is fainter than `min_amplitude`.
    Faint,
}

impl Spent {
    /// The name in receipts: the rule's name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Propagation => "max_propagation",
            Self::Faint => "min_amplitude",
        }
    }
}

impl Strength {
    /// A wave that was never emitted.
    pub const fn new(amplitude: f64) -> Self {
        Self { amplitude, priority: amplitude, hops: 0 }
    }

    /// The wave after one more hop: the first emission keeps the amplitude as given, each further one
    /// leaves `attenuation_factor` of it.
    #[inline]
    pub fn hop(self, rules: &Rules) -> Result<Self, Spent> {
        if self.hops >= rules.max_propagation {
            return Err(Spent::Propagation);
        }
        let amplitude = match self.hops {
            0 => self.amplitude,
            _ => attenuated(self.amplitude, rules.attenuation_factor, 1.0),
        };
        if amplitude < rules.min_amplitude {
            return Err(Spent::Faint);
        }
        Ok(Self { amplitude, hops: self.hops + 1, ..self })
    }
}

/// An amplitude brought into 0..1; `None` for NaN.
#[inline]
pub fn clamped(amplitude: f64) -> Option<f64> {
    // `+ 0.0` turns -0.0 into 0.0.
    (!amplitude.is_nan()).then(|| amplitude.clamp(0.0, 1.0) + 0.0)
}

/// A phase in radians brought into [0, 2π); `None` if it is not finite.
#[inline]
pub fn wrapped(phase: f64) -> Option<f64> {
    if !phase.is_finite() {
        return None;
    }
    let turned = phase.rem_euclid(TAU);
    // A tiny negative phase rounds up to 2π itself.
    Some(if turned >= TAU { 0.0 } else { turned + 0.0 })
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn four_steps_arrive_with_three_attenuations() {
        let rules = Rules::default();
        let mut wave = Strength::new(1.0);
        for _ in 0..4 {
            wave = wave.hop(&rules).expect("still loud");
        }
        assert_eq!(wave.hops, 4);
        assert!((wave.amplitude - 0.95f64.powi(3)).abs() < 1e-15);
        assert_eq!(wave.priority, 1.0);
    }

    #[test]
    fn a_loop_dies_by_hops_or_by_faintness() {
        let rules = Rules::default();
        let tired = Strength { hops: 10, ..Strength::new(1.0) };
        assert_eq!(tired.hop(&rules), Err(Spent::Propagation));
        assert_eq!(Strength::new(0.009).hop(&rules), Err(Spent::Faint));
        assert!(Strength::new(0.01).hop(&rules).is_ok());
    }

    #[test]
    fn numbers_are_brought_into_range() {
        assert_eq!(clamped(f64::NAN), None);
        assert_eq!((clamped(-3.0), clamped(7.0)), (Some(0.0), Some(1.0)));
        assert!(clamped(-0.0).is_some_and(f64::is_sign_positive));
        assert_eq!(wrapped(f64::INFINITY), None);
        assert_eq!(wrapped(-1e-30), Some(0.0));
        assert!((wrapped(-1.0).unwrap() - (TAU - 1.0)).abs() < 1e-15);
    }
}
