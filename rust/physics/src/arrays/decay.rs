//! How waves grow fainter, over slices: `amplitude · factor ^ (age / interval)`.
//!
//! The error of `exp(t)` is that of `t`, which may be 700: so the logarithm of the factor, the
//! quotient and their product are kept as two numbers each, and nothing is amplified.

use crate::dispatch::{Arithmetic, Job, run};
use crate::double::{Double, ROUNDER, nearest, polynomial};

/// The least exponent that matters: the largest number times e to this is 0.
const SILENCE: f64 = -1456.0;

/// More intervals than any factor below 1 leaves something after.
const FOREVER: f64 = 1e30;

/// The same in seconds, for the longest interval of a [`Rate`]; its products are still numbers.
const ETERNITY: f64 = 1e290;

const LN_2: Double = Double { high: std::f64::consts::LN_2, low: 2.319_046_813_846_299_6e-17 };
const TWO_THIRDS: Double = Double { high: 2.0 / 3.0, low: 3.700_743_415_417_188e-17 };

/// One factor and one interval for many waves: `ln(factor) / interval`.
#[derive(Clone, Copy, Debug)]
pub struct Rate(Double);

impl Rate {
    /// Fading by `factor` for every `interval` seconds; none where the interval is so long or short
    /// that the rate has not all its digits.
    pub fn new(factor: f64, interval: f64) -> Option<Self> {
        struct Of(f64, f64);
        impl Job for Of {
            type Output = Double;
            #[inline(always)]
            fn run<A: Arithmetic>(self) -> Double {
                quotient::<A>(logarithm::<A>(self.0), self.1)
            }
        }
        (1e-200..=1e200).contains(&interval).then(|| Self(run(Of(factor, interval))))
    }
}

/// Amplitudes after an age, all by one rate. The slices are equally long.
pub fn decay_at(rate: Rate, amplitude: &[f64], age: &[f64], out: &mut [f64]) {
    run(AtRate { rate, amplitude, age, out });
}

/// Amplitudes after an age, each by its own factor and interval. The slices are equally long.
pub fn decay(amplitude: &[f64], age: &[f64], factor: &[f64], interval: &[f64], out: &mut [f64]) {
    run(Each { amplitude, age, factor, interval, out });
}

pub(super) struct AtRate<'a> {
    pub(super) rate: Rate,
    pub(super) amplitude: &'a [f64],
    pub(super) age: &'a [f64],
    pub(super) out: &'a mut [f64],
}

impl Job for AtRate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let rate = self.rate.0;
        for ((out, &amplitude), &age) in self.out.iter_mut().zip(self.amplitude).zip(self.age) {
            let age = none_if_negative(age);
            let age = if age > ETERNITY { ETERNITY } else { age };
            let mut steps = Double::product::<A>(age, rate.high);
            steps.low = A::mul_add(age, rate.low, steps.low);
            *out = faded::<A>(amplitude, steps);
        }
    }
}

pub(super) struct Each<'a> {
    pub(super) amplitude: &'a [f64],
    pub(super) age: &'a [f64],
    pub(super) factor: &'a [f64],
    pub(super) interval: &'a [f64],
    pub(super) out: &'a mut [f64],
}

impl Job for Each<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let factors = self.factor.iter().zip(self.interval);
        let waves = self.amplitude.iter().zip(self.age);
        for (out, ((&amplitude, &age), (&factor, &interval))) in
            self.out.iter_mut().zip(waves.zip(factors))
        {
            let steps = quotient::<A>(Double::exact(none_if_negative(age)), interval);
            let beyond = steps.high > FOREVER;
            let steps = Double {
                high: if beyond { FOREVER } else { steps.high },
                low: if beyond { 0.0 } else { steps.low },
            };
            *out = faded::<A>(amplitude, steps.times::<A>(logarithm::<A>(factor)));
        }
    }
}

/// A wave from the future is as loud as now. NaN stays.
#[inline(always)]
fn none_if_negative(age: f64) -> f64 {
    if age < 0.0 { 0.0 } else { age }
}

/// A number divided by another.
#[inline(always)]
fn quotient<A: Arithmetic>(dividend: Double, divisor: f64) -> Double {
    let high = dividend.high / divisor;
    let product = Double::product::<A>(high, divisor);
    let low = (((dividend.high - product.high) - product.low) + dividend.low) / divisor;
    // Far out, where the product overflows, there is no second part.
    Double { high, low: if low.abs() <= high.abs() * f64::EPSILON { low } else { 0.0 } }
}

/// The natural logarithm of a number in (0, 1], to 65 bits: `2·artanh((m - 1) / (m + 1))` and
/// multiples of ln 2.
#[inline(always)]
fn logarithm<A: Arithmetic>(number: f64) -> Double {
    const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const EXPONENT_OF_ONE: u64 = 0x3ff0_0000_0000_0000;
    const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
    const TWO_TO_52: u64 = 0x4330_0000_0000_0000;

    let tiny = number < f64::MIN_POSITIVE;
    let bits = (number * if tiny { 18_014_398_509_481_984.0 } else { 1.0 }).to_bits();
    let shifted = bits.wrapping_add(EXPONENT_OF_ONE - ROOT_HALF);
    let exponent = f64::from_bits((shifted >> 52) | TWO_TO_52)
        - (4_503_599_627_370_496.0 + 1023.0)
        - if tiny { 54.0 } else { 0.0 };
    let m = f64::from_bits((shifted & MANTISSA) + ROOT_HALF);

    let divisor = Double::ordered_sum(1.0, m);
    let s = (m - 1.0) / divisor.high;
    let product = Double::product::<A>(s, divisor.high);
    let left = ((m - 1.0) - product.high) - product.low - s * divisor.low;
    let s = Double { high: s, low: left / divisor.high };

    let square = Double::product::<A>(s.high, s.high);
    let square = Double { high: square.high, low: A::mul_add(2.0 * s.high, s.low, square.low) };
    let cube = Double::product::<A>(s.high, square.high);
    let cube_low = A::mul_add(s.high, square.low, A::mul_add(s.low, square.high, cube.low));
    let third = Double::product::<A>(cube.high, TWO_THIRDS.high);
    let third_low =
        A::mul_add(cube.high, TWO_THIRDS.low, A::mul_add(cube_low, TWO_THIRDS.high, third.low));
    let rest = cube.high
        * square.high
        * polynomial::<A, 8>(
            square.high,
            [
                0.4,
                0.285_714_285_714_294_86,
                0.222_222_222_215_834_4,
                0.181_818_183_516_517_5,
                0.153_845_932_425_794_15,
                0.133_348_973_085_470_64,
                0.117_037_807_729_493_68,
                0.117_486_033_656_080_93,
            ],
        );
    let artanh = Double::ordered_sum(2.0 * s.high, third.high);
    let artanh_low = artanh.low + (A::mul_add(2.0, s.low, third_low) + rest);

    let twos = Double::product::<A>(exponent, LN_2.high);
    let sum = Double::sum(twos.high, artanh.high);
    let low = sum.low + (A::mul_add(exponent, LN_2.low, twos.low) + artanh_low);
    Double::ordered_sum(sum.high, low)
}

/// `amplitude · e^exponent`, for exponents of 0 and below.
#[inline(always)]
fn faded<A: Arithmetic>(amplitude: f64, exponent: Double) -> f64 {
    let silent = exponent.high < SILENCE;
    let high = if silent { SILENCE } else { exponent.high };
    let low = if silent { 0.0 } else { exponent.low };

    let twos = nearest(high * std::f64::consts::LOG2_E);
    let product = Double::product::<A>(twos, LN_2.high);
    // Exact: the two are nearly equal.
    let left = high - product.high;
    let low = low - A::mul_add(twos, LN_2.low, product.low);
    let r = left + low;
    let r_low = (left - r) + low;
    let power = polynomial::<A, 11>(
        r,
        [
            0.5,
            0.166_666_666_666_666_7,
            0.041_666_666_666_666_67,
            0.008_333_333_333_325_544,
            0.001_388_888_888_888_332_7,
            0.000_198_412_698_768_643_56,
            2.480_158_732_700_718_7e-5,
            2.755_725_283_351_691e-6,
            2.755_727_181_021_98e-7,
            2.510_627_473_357_329_6e-8,
            2.091_544_229_778_011_6e-9,
        ],
    );
    let grown = 1.0 + (r + A::mul_add(r * r, power, r_low));

    // In three steps, as neither 2^-2100 is a number nor the amplitude need be below 1: what is
    // rounded to a subnormal number is so in the last one.
    let part = nearest(twos * (1.0 / 3.0));
    let (part, rest) = (power_of_two(part), power_of_two(twos - 2.0 * part));
    amplitude * part * grown * part * rest
}

/// 2 to a whole number in -1022..=1023.
#[inline(always)]
fn power_of_two(exponent: f64) -> f64 {
    f64::from_bits((exponent + (ROUNDER + 1023.0)).to_bits() << 52)
}
