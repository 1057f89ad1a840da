//! A sine of which 80 bits are right, for what is left where two of them cancel.

use std::f64::consts::FRAC_2_PI;

use crate::dispatch::Plain;
use crate::double::{Double, SIGN, nearest, polynomial};
use crate::trigonometry::{HALF_TURN, PI_LOWEST};

// The Taylor series: the first coefficients as two numbers, the others as one.
const ODD: [Double; 5] = [
    Double { high: 1.0, low: 0.0 },
    Double { high: -0.166_666_666_666_666_66, low: -9.251_858_538_542_97e-18 },
    Double { high: 0.008_333_333_333_333_333, low: 1.156_482_317_317_871_4e-19 },
    Double { high: -0.000_198_412_698_412_698_4, low: -1.720_955_829_342_070_5e-22 },
    Double { high: 2.755_731_922_398_589_3e-6, low: -1.858_393_274_046_472e-22 },
];
const EVEN: [Double; 5] = [
    Double { high: 1.0, low: 0.0 },
    Double { high: -0.5, low: 0.0 },
    Double { high: 0.041_666_666_666_666_664, low: 2.312_964_634_635_742_8e-18 },
    Double { high: -0.001_388_888_888_888_889, low: 5.300_543_954_373_577e-20 },
    Double { high: 2.480_158_730_158_73e-5, low: 2.151_194_786_677_588e-23 },
];
const ODD_REST: [f64; 5] = [
    -2.505_210_838_544_172e-8,
    1.605_904_383_682_161_3e-10,
    -7.647_163_731_819_816e-13,
    2.811_457_254_345_521e-15,
    -8.220_635_246_624_33e-18,
];
const EVEN_REST: [f64; 5] = [
    -2.755_731_922_398_589e-7,
    2.087_675_698_786_81e-9,
    -1.147_074_559_772_972_5e-11,
    4.779_477_332_387_385e-14,
    -1.561_920_696_858_622_6e-16,
];

/// The sine of an angle below [`FAR`](crate::trigonometry::FAR).
pub(crate) fn sine(angle: f64) -> Double {
    let quarters = nearest(angle * FRAC_2_PI);
    let half = 0.5 * quarters;
    let first = Double::product::<Plain>(half, HALF_TURN.high);
    let second = Double::product::<Plain>(half, HALF_TURN.low);
    let x = Double::exact(angle)
        .plus(-first.high)
        .plus(-first.low)
        .plus(-second.high)
        .plus(-second.low - half * PI_LOWEST);
    let square = x.times::<Plain>(x);
    let of_four = quarters.rem_euclid(4.0);
    let (first, rest) = if of_four % 2.0 == 0.0 { (ODD, ODD_REST) } else { (EVEN, EVEN_REST) };
    let mut sum = Double::exact(polynomial::<Plain, 5>(square.high, rest));
    for coefficient in first.into_iter().rev() {
        sum = sum.times::<Plain>(square).add(coefficient);
    }
    let sine = if of_four % 2.0 == 0.0 { sum.times::<Plain>(x) } else { sum };
    sine.flipped(if of_four >= 2.0 { SIGN } else { 0 })
}
