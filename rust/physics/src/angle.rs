//! Angles to twice the precision of an `f64`, reduced by multiples of π.
//!
//! The sum and the difference of two phases do not fit one `f64`, and what is left of them near a
//! multiple of π is what antiphase hangs on. So both are kept as the unevaluated sum of two numbers
//! (T. J. Dekker, "A floating-point technique for extending the available precision", 1971), and π as
//! one of three (W. J. Cody and W. Waite, "Software manual for the elementary functions", 1980).

use std::f64::consts::{PI, TAU};

/// π less its first 53 bits, to 53 bits; and what is left after these.
const PI_LOW: f64 = 1.224_646_799_147_353_2e-16;
const PI_LOWEST: f64 = -2.994_769_809_718_339_7e-33;

/// Phases beyond this, in radians, are brought down by the library's sine and cosine first: multiples
/// of π are counted exactly only so far.
const FAR: f64 = (1_u64 << 50) as f64;

/// The unevaluated sum of two numbers, the second at most half a unit of the first's last place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Angle {
    high: f64,
    low: f64,
}

impl Angle {
    /// The exact sum of two phases.
    pub(crate) fn sum(first: f64, second: f64) -> Self {
        exact_sum(near(first), near(second))
    }

    /// This and one number more.
    pub(crate) fn plus(self, number: f64) -> Self {
        let sum = exact_sum(self.high, number);
        exact_sum(sum.high, sum.low + self.low)
    }

    /// Half of it.
    pub(crate) fn half(self) -> Self {
        Self { high: self.high / 2.0, low: self.low / 2.0 }
    }

    /// The number of π that is nearest.
    pub(crate) fn turns(self) -> f64 {
        (self.high / PI).round()
    }

    /// This less `turns` times π; `turns` is a whole number.
    pub(crate) fn less(self, turns: f64) -> Self {
        let (first, first_error) = exact_product(turns, PI);
        let (second, second_error) = exact_product(turns, PI_LOW);
        // From the largest to the smallest: what cancels, cancels without an error.
        self.plus(-first).plus(-first_error).plus(-second).plus(-second_error - turns * PI_LOWEST)
    }

    /// Sine and cosine.
    pub(crate) fn sin_cos(self) -> (f64, f64) {
        let (sin, cos) = self.high.sin_cos();
        (sin + cos * self.low, cos - sin * self.low)
    }

    /// Without its sign.
    pub(crate) fn abs(self) -> Self {
        if self.high < 0.0 { Self { high: -self.high, low: -self.low } } else { self }
    }

    /// As one number, in [0, 2π).
    pub(crate) fn wrapped(self) -> f64 {
        let around = self.less(2.0 * (self.high / TAU).round());
        let forward = if around.rounded() < 0.0 { around.less(-2.0) } else { around };
        let phase = forward.rounded();
        // A tiny negative angle rounds up to 2π itself. `+ 0.0` turns -0.0 into 0.0.
        if phase >= TAU { 0.0 } else { phase + 0.0 }
    }

    /// As one number.
    pub(crate) fn rounded(self) -> f64 {
        self.high + self.low
    }
}

/// A phase small enough to count the π in it.
fn near(phase: f64) -> f64 {
    if phase.abs() <= FAR {
        return phase;
    }
    let (sin, cos) = phase.sin_cos();
    sin.atan2(cos)
}

/// The sum, and what its rounding lost.
fn exact_sum(first: f64, second: f64) -> Angle {
    let high = first + second;
    let seen = high - first;
    Angle { high, low: (first - (high - seen)) + (second - seen) }
}

/// The product, and what its rounding lost.
fn exact_product(first: f64, second: f64) -> (f64, f64) {
    // Not by `mul_add`, which is a slow call on machines that are not known to have it.
    let product = first * second;
    let ((a, b), (c, d)) = (halves(first), halves(second));
    (product, ((a * c - product) + a * d + b * c) + b * d)
}

/// The two halves of the digits of a number that is far from overflow.
fn halves(number: f64) -> (f64, f64) {
    let shifted = number * 134_217_729.0;
    let high = shifted - (shifted - number);
    (high, number - high)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exact results are what is tested")]
mod tests {
    use super::*;

    #[test]
    fn a_multiple_of_pi_leaves_the_digits_of_pi() {
        // π - fl(π), and 10⁹π - fl(10⁹π), each from 50 digits.
        assert_eq!(Angle::sum(PI, 0.0).less(1.0).rounded(), -PI_LOW);
        let left = Angle::sum(3_141_592_653.589_793, 0.0).less(1e9).rounded();
        assert_eq!(left, -3.320_141_291_452_95e-8);
    }

    #[test]
    fn a_sum_keeps_what_one_number_cannot() {
        let sum = Angle::sum(1e9, 1e-9);
        assert_eq!((sum.high, sum.low), (1e9, 1e-9));
        assert_eq!(sum.plus(-1e9).rounded(), 1e-9);
    }

    #[test]
    fn phases_are_wrapped() {
        let wrapped = |phase| Angle::sum(phase, 0.0).wrapped();
        for phase in [0.0, 1e-300, 0.1, 3.0, PI, 5.0, TAU.next_down()] {
            assert_eq!(wrapped(phase), phase);
        }
        assert_eq!(wrapped(-1e-30), 0.0);
        assert_eq!(wrapped(-1.0), TAU - 1.0);
        assert!(wrapped(1e300) < TAU && wrapped(-1e300) >= 0.0);
        assert!(wrapped(f64::NAN).is_nan() && wrapped(f64::INFINITY).is_nan());
    }
}
