//! How waves grow fainter: by hop and by time.
//!
//! One rule serves both: `amplitude x factor ^ steps`, with `factor` in (0, 1]. A hop is one step; time
//! makes `age / interval` steps (exponential decay with time constant `interval / -ln(factor)`).

/// What is left of an amplitude after `steps` (hops, or `age / interval`).
#[inline]
pub fn attenuated(amplitude: f64, factor: f64, steps: f64) -> f64 {
    amplitude * factor.powf(steps)
}

/// What is left of an amplitude after `age` seconds. A negative age (a timestamp ahead of the clock) is none.
#[inline]
pub fn decayed(amplitude: f64, age: f64, factor: f64, interval: f64) -> f64 {
    attenuated(amplitude, factor, age.max(0.0) / interval)
}

/// Compares fading waves that entered at different moments without touching them again.
///
/// All waves of a mailbox fade at one rate, so `ln(amplitude) + entered x rate` keeps their order for
/// ever: it is computed once, when a wave enters.
#[derive(Clone, Copy, Debug)]
pub struct Fading {
    /// `-ln(factor) / interval`: how much of the logarithm goes in a second; 0 for a factor of 1.
    rate: f64,
}

impl Fading {
    /// Fading by `factor` for every `interval` seconds.
    pub fn new(factor: f64, interval: f64) -> Self {
        // `+ 0.0` turns the -0.0 of a factor of 1 into 0.0.
        Self { rate: -factor.ln() / interval + 0.0 }
    }

    /// The lasting loudness of a wave that enters now: greater is louder at every later moment.
    #[inline]
    pub fn loudness(self, amplitude: f64, entered: f64) -> f64 {
        amplitude.ln() + entered * self.rate
    }

    /// The moment at which a wave of this lasting loudness falls below `floor`; infinite if it does not fade.
    #[inline]
    pub fn sinks(self, loudness: f64, floor: f64) -> f64 {
        if self.rate > 0.0 { (loudness - floor.ln()) / self.rate } else { f64::INFINITY }
    }

    /// The least lasting loudness that is not yet below `floor` at the moment `now`.
    #[inline]
    pub fn threshold(self, floor: f64, now: f64) -> f64 {
        floor.ln() + now * self.rate
    }
}

/// The float of [`ordered`].
#[inline]
pub(crate) fn unordered(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 0 { !bits } else { bits & !(1 << 63) })
}

/// Maps a float (not NaN) to an integer of the same order.
#[inline]
pub(crate) fn ordered(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ordered_keeps_the_order_of_floats(a in -1e300..1e300f64, b in -1e300..1e300f64) {
            prop_assert_eq!(a.partial_cmp(&b), Some(ordered(a).cmp(&ordered(b))));
            prop_assert_eq!(unordered(ordered(a)), a);
        }

        #[test]
        fn lasting_loudness_agrees_with_decay(
            a in 0.01..1.0f64, b in 0.01..1.0f64, later in 0.0..50.0f64, factor in 0.5..1.0f64,
        ) {
            let fading = Fading::new(factor, 1.0);
            let (first, second) = (fading.loudness(a, 0.0), fading.loudness(b, later));
            let (left, right) = (decayed(a, later, factor, 1.0), b);
            prop_assume!((left - right).abs() > 1e-9);
            prop_assert_eq!(first < second, left < right);
            prop_assert_eq!(first < fading.threshold(0.3, later), left < 0.3);
        }
    }

    #[test]
    fn a_factor_of_one_never_fades() {
        assert_eq!(attenuated(0.4, 1.0, 1e9), 0.4);
        assert_eq!(Fading::new(1.0, 1.0).loudness(1.0, 1e9), 0.0);
        assert_eq!(decayed(0.4, -5.0, 0.5, 1.0), 0.4);
    }

    #[test]
    fn silence_is_the_faintest_of_all() {
        assert!(ordered(f64::NEG_INFINITY) < ordered(-1e308));
        assert_eq!(ordered(0.0), ordered(-0.0));
    }
}
