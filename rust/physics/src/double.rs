//! Numbers of twice the precision: the unevaluated sum of two, the second at most half a unit of the
//! first's last place.
//!
//! T. J. Dekker, "A floating-point technique for extending the available precision", 1971; D. E.
//! Knuth, "The art of computer programming", vol. 2, 4.2.2. Branch-free, for kernels.

use crate::dispatch::Arithmetic;

/// `high + low`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Double {
    pub(crate) high: f64,
    pub(crate) low: f64,
}

impl Double {
    /// A number that needs no second one.
    #[inline(always)]
    pub(crate) fn exact(number: f64) -> Self {
        Self { high: number, low: 0.0 }
    }

    /// The exact sum of two numbers.
    #[inline(always)]
    pub(crate) fn sum(first: f64, second: f64) -> Self {
        let high = first + second;
        let seen = high - first;
        Self { high, low: (first - (high - seen)) + (second - seen) }
    }

    /// The exact sum, if the first is 0 or at least as large as the second.
    #[inline(always)]
    pub(crate) fn ordered_sum(first: f64, second: f64) -> Self {
        let high = first + second;
        Self { high, low: second - (high - first) }
    }

    /// The exact product of two numbers.
    #[inline(always)]
    pub(crate) fn product<A: Arithmetic>(first: f64, second: f64) -> Self {
        let (high, low) = A::product(first, second);
        Self { high, low }
    }

    /// This and one number more.
    #[inline(always)]
    pub(crate) fn plus(self, number: f64) -> Self {
        let sum = Self::sum(self.high, number);
        Self::ordered_sum(sum.high, sum.low + self.low)
    }

    /// The sum of two.
    #[inline(always)]
    pub(crate) fn add(self, other: Self) -> Self {
        let sum = Self::sum(self.high, other.high);
        Self::ordered_sum(sum.high, sum.low + (self.low + other.low))
    }

    /// The product of two.
    #[inline(always)]
    pub(crate) fn times<A: Arithmetic>(self, other: Self) -> Self {
        let product = Self::product::<A>(self.high, other.high);
        let low = A::mul_add(self.high, other.low, A::mul_add(self.low, other.high, product.low));
        Self { high: product.high, low }
    }

    /// Both multiplied by a power of two.
    #[inline(always)]
    pub(crate) fn scaled(self, power_of_two: f64) -> Self {
        Self { high: self.high * power_of_two, low: self.low * power_of_two }
    }

    /// Its negative, if the [`SIGN`] is set.
    #[inline(always)]
    pub(crate) fn flipped(self, sign: u64) -> Self {
        let flip = |number: f64| f64::from_bits(number.to_bits() ^ sign);
        Self { high: flip(self.high), low: flip(self.low) }
    }

    /// The sum, if this is 0 or at least as large as the other.
    #[inline(always)]
    pub(crate) fn larger_plus(self, other: Self) -> Self {
        let sum = Self::ordered_sum(self.high, other.high);
        Self { high: sum.high, low: sum.low + (self.low + other.low) }
    }

    /// As one number.
    #[inline(always)]
    pub(crate) fn rounded(self) -> f64 {
        self.high + self.low
    }
}

/// One of two, without a branch.
#[inline(always)]
pub(crate) fn select(condition: bool, yes: Double, no: Double) -> Double {
    Double {
        high: if condition { yes.high } else { no.high },
        low: if condition { yes.low } else { no.low },
    }
}

/// The bit of a number that is its sign.
pub(crate) const SIGN: u64 = 1 << 63;

/// The sign of a number, for [`Double::flipped`].
#[inline(always)]
pub(crate) fn sign_of(number: f64) -> u64 {
    number.to_bits() & SIGN
}

/// Added to a number below 2^51, it leaves the nearest whole one in the last bits.
pub(crate) const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// The nearest whole number, of a number below 2^51.
#[inline(always)]
pub(crate) fn nearest(number: f64) -> f64 {
    (number + ROUNDER) - ROUNDER
}

/// The polynomial with these coefficients, the constant first.
#[inline(always)]
pub(crate) fn polynomial<A: Arithmetic, const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = coefficients[N - 1];
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        sum = A::mul_add(sum, x, coefficients[i]);
    }
    sum
}
