//! Sine, cosine and the angle of an arrow, branch-free, for kernels.
//!
//! The polynomials of sine and cosine are those of fdlibm (Sun Microsystems, 1993), that of the arc
//! tangent a Chebyshev approximation of our own; what each one rounds off is kept as a second number.

use std::f64::consts::{FRAC_1_PI, FRAC_PI_2, FRAC_PI_4, PI, TAU};

use crate::dispatch::Arithmetic;
use crate::double::{Double, ROUNDER, SIGN, nearest, polynomial, select, sign_of};

const PI_LOW: f64 = 1.224_646_799_147_353_2e-16;
pub(crate) const PI_LOWEST: f64 = -2.994_769_809_718_339_7e-33;
pub(crate) const HALF_TURN: Double = Double { high: PI, low: PI_LOW };
const QUARTER_TURN: Double = Double { high: FRAC_PI_2, low: PI_LOW / 2.0 };
const EIGHTH_TURN: Double = Double { high: FRAC_PI_4, low: PI_LOW / 4.0 };

/// Phases beyond this, in radians, are brought down by the library's sine and cosine first: multiples
/// of π are counted exactly only so far.
pub(crate) const FAR: f64 = (1_u64 << 50) as f64;

/// A phase small enough to count the π in it.
pub(crate) fn near(phase: f64) -> f64 {
    if phase.abs() <= FAR {
        return phase;
    }
    let (sin, cos) = phase.sin_cos();
    sin.atan2(cos)
}

/// The nearest number of π, and its last bits.
#[inline(always)]
pub(crate) fn half_turns(angle: f64) -> (f64, u64) {
    let rounded = angle * FRAC_1_PI + ROUNDER;
    (rounded - ROUNDER, rounded.to_bits())
}

/// An angle less the number of π that is nearest, to twice the precision of what is left.
#[inline(always)]
pub(crate) fn less<A: Arithmetic>(angle: Double, turns: f64) -> Double {
    let first = Double::product::<A>(turns, PI);
    let second = Double::product::<A>(turns, PI_LOW);
    // Exact: the two are equal to a factor of two. The others are of one size, and may cancel too.
    let left = angle.high - first.high;
    let once = Double::sum(angle.low, -first.low);
    let twice = Double::sum(once.high, -second.high);
    let rest = (once.low + twice.low) - A::mul_add(turns, PI_LOWEST, second.low);
    let sum = Double::sum(left, twice.high);
    Double::ordered_sum(sum.high, sum.low + rest)
}

/// Sine and cosine of an angle in -π/4..π/4, to about 57 bits.
#[inline(always)]
pub(crate) fn sin_cos<A: Arithmetic>(angle: Double) -> (Double, Double) {
    let (x, low) = (angle.high, angle.low);
    let square = Double::product::<A>(x, x);
    let z = square.high;
    let odd = x * z * sine_tail::<A>(z);
    let even = z * z * cosine_tail::<A>(z);
    let half = 0.5 * z;
    let whole = 1.0 - half;
    let sin = Double::ordered_sum(x, A::mul_add(low, whole, odd));
    let lost = (1.0 - whole) - half;
    let cos =
        Double::ordered_sum(whole, lost + (even - A::mul_add(sin.high, low, 0.5 * square.low)));
    (sin, cos)
}

/// Sine and cosine of any angle below [`FAR`], each to an ulp of 1.
#[inline(always)]
pub(crate) fn sin_cos_of<A: Arithmetic>(angle: f64) -> (f64, f64) {
    let rounded = angle * std::f64::consts::FRAC_2_PI + ROUNDER;
    let (quarters, bits) = (rounded - ROUNDER, rounded.to_bits());
    let product = Double::product::<A>(quarters, QUARTER_TURN.high);
    let x = (angle - product.high) - A::mul_add(quarters, QUARTER_TURN.low, product.low);
    let (sin, cos) = sin_cos_near::<A>(x);
    quarter_turned(sin, cos, bits)
}

/// Sine and cosine of an angle in -π/4..π/4, each within an ulp.
#[inline(always)]
pub(crate) fn sin_cos_near<A: Arithmetic>(x: f64) -> (f64, f64) {
    let z = x * x;
    let sin = A::mul_add(x * z, sine_tail::<A>(z), x);
    let cos = A::mul_add(z * z, cosine_tail::<A>(z), 1.0 - 0.5 * z);
    (sin, cos)
}

#[inline(always)]
fn sine_tail<A: Arithmetic>(z: f64) -> f64 {
    polynomial::<A, 6>(
        z,
        [
            -1.666_666_666_666_663_2e-1,
            8.333_333_333_322_49e-3,
            -1.984_126_982_985_795e-4,
            2.755_731_370_707_006_8e-6,
            -2.505_076_025_340_686_3e-8,
            1.589_690_995_211_55e-10,
        ],
    )
}

#[inline(always)]
fn cosine_tail<A: Arithmetic>(z: f64) -> f64 {
    polynomial::<A, 6>(
        z,
        [
            4.166_666_666_666_66e-2,
            -1.388_888_888_887_411e-3,
            2.480_158_728_947_673e-5,
            -2.755_731_435_139_066_3e-7,
            2.087_572_321_298_175e-9,
            -1.135_964_755_778_819_5e-11,
        ],
    )
}

/// Sine and cosine after as many quarter turns as the last two bits say.
#[inline(always)]
pub(crate) fn quarter_turned(sin: f64, cos: f64, bits: u64) -> (f64, f64) {
    let odd = bits & 1 == 1;
    let (across, along) = if odd { (cos, sin) } else { (sin, cos) };
    (signed(across, bits), signed(along, bits.wrapping_add(1)))
}

/// The number, negated by the last bit but one.
#[inline(always)]
fn signed(number: f64, bits: u64) -> f64 {
    f64::from_bits(number.to_bits() ^ ((bits & 2) << 62))
}

/// [`quarter_turned`], to twice the precision.
#[inline(always)]
pub(crate) fn double_turned(sin: Double, cos: Double, bits: u64) -> (Double, Double) {
    let (high, along_high) = quarter_turned(sin.high, cos.high, bits);
    let (low, along_low) = quarter_turned(sin.low, cos.low, bits);
    (Double { high, low }, Double { high: along_high, low: along_low })
}

/// The angle of an arrow to the right, -π/2..π/2, to about 57 bits; `along` is 0 or more.
#[inline(always)]
pub(crate) fn angle_of<A: Arithmetic>(across: Double, along: Double) -> Double {
    const TAN_OF_EIGHTH: f64 = 0.414_213_562_373_095_03;
    let sign = sign_of(across.high);
    let across = across.flipped(sign);
    let steep = across.high > along.high;
    let (least, most) = (select(steep, along, across), select(steep, across, along));
    // Above π/8 it is π/4 less the angle of `(most - least) / (most + least)`.
    let wide = least.high > TAN_OF_EIGHTH * most.high;
    let nothing = Double::exact(0.0);
    let (part, whole) = (select(wide, most, nothing), select(wide, least, nothing));
    let (dividend, divisor) = (part.flipped(SIGN).larger_plus(least), most.larger_plus(whole));

    let inverse = 1.0 / divisor.high;
    let q = dividend.high * inverse;
    let product = Double::product::<A>(q, divisor.high);
    let rest = ((dividend.high - product.high) - product.low) + dividend.low - q * divisor.low;
    let z = q * q;
    let tail = polynomial::<A, 11>(
        z,
        [
            -0.333_333_333_333_333_3,
            0.199_999_999_999_946_2,
            -0.142_857_142_844_803_6,
            0.111_111_110_004_338_33,
            -0.090_909_039_819_699_42,
            0.076_921_694_814_587_17,
            -0.066_643_202_835_627_98,
            0.058_565_049_475_534_25,
            -0.050_769_329_874_885_01,
            0.038_988_066_635_335_696,
            -0.018_881_531_425_995_097,
        ],
    );
    let low = A::mul_add(q * z, tail, rest * inverse * (1.0 - z + z * z));
    let angle = select(wide, EIGHTH_TURN, nothing).larger_plus(Double { high: q, low });
    let turned = QUARTER_TURN.larger_plus(angle.flipped(SIGN));
    select(steep, turned, angle).flipped(sign)
}

/// An angle below [`FAR`], turned by π if so, as one number in [0, 2π).
#[inline(always)]
pub(crate) fn wrapped<A: Arithmetic>(angle: Double, turn: bool) -> f64 {
    let turn = if turn { 1.0 } else { 0.0 };
    let turns = 2.0 * nearest(0.5 * (angle.high * FRAC_1_PI + turn)) - turn;
    let product = Double::product::<A>(turns, PI);
    let left = Double::sum(angle.high, -product.high);
    let low = ((left.low + angle.low) - product.low) - turns * PI_LOW;
    let around = left.high + low;
    let phase = if around < 0.0 { (TAU + left.high) + (low + 2.0 * PI_LOW) } else { around };
    // A tiny negative angle rounds up to 2π itself. `+ 0.0` turns -0.0 into 0.0.
    if phase >= TAU { 0.0 } else { phase + 0.0 }
}
