//! Two waves, against the plain complex sum and against 60 digits.

#![allow(clippy::float_cmp, reason = "exact results are what is tested")]

use std::f64::consts::{PI, TAU};

use aether_physics::{Kind, gain, interfere, phase_difference};
use proptest::prelude::*;

/// Two waves; amplitude, phase and phase difference of their sum, computed with mpmath at 60 digits.
#[rustfmt::skip]
#[allow(clippy::unreadable_literal, clippy::approx_constant, reason = "as mpmath prints them")]
const EXACT: [[f64; 7]; 7] = [
    // plain
    [0.3, 1.0, 0.8, 4.0, 0.5047807460985276, 3.9160312793887724, 3.0],
    // equal waves, as near to antiphase as numbers go
    [0.1, 0.0, 0.1, 3.141592653589793, 1.2246467991473533e-17, 1.5707963267948966, 3.141592653589793],
    // antiphase, 10^8 turns apart
    [0.7, 0.25, 0.7, 628318534.1095513, 6.479846583245144e-09, 4.962388985013152, 3.1415926443328694],
    // large phases, nearly equal amplitudes
    [0.5, 1000000000.0, 0.5000000000005, -123456789.0, 0.537156465913963, 5.856846697542083, 2.0074680662762074],
    // phases of 10^15
    [1.0, 1000000000000000.0, 0.25, -900000000000000.0, 1.177336687845508, 1.9471167514585326, 0.8668337688434207],
    // nearly equal amplitudes in near antiphase
    [0.6, 2.0, 0.6000000000001, 5.1415926535898935, 1.1672036269038724e-13, 5.682940474893605, 3.141592653589693],
    // very faint
    [1e-300, 5.0, 3e-301, 2.5, 7.805855690901797e-301, 4.767913152035562, 2.5],
];

/// How far two phases are apart, seen around the circle.
fn apart(first: f64, second: f64) -> f64 {
    let apart = (first - second).abs();
    apart.min(TAU - apart)
}

#[test]
fn hard_cases_are_exact_to_a_few_units() {
    for [a1, p1, a2, p2, amplitude, phase, difference] in EXACT {
        let (got_amplitude, got_phase) = interfere(a1, p1, a2, p2);
        let case = format!("{a1} {p1} and {a2} {p2}");
        assert!((got_amplitude / amplitude - 1.0).abs() <= 4.0 * f64::EPSILON, "{case}");
        assert!(apart(got_phase, phase) <= 1e-15, "{case}: {got_phase}");
        assert!(
            (phase_difference(p1, p2) - difference).abs() <= difference * f64::EPSILON,
            "{case}"
        );
    }
}

#[test]
fn silence_adds_nothing() {
    assert_eq!(interfere(0.5, 2.0, 0.0, 1.0), (0.5, 2.0));
    assert_eq!(interfere(0.0, 1.0, 0.5, -1.0), (0.5, TAU - 1.0));
    assert_eq!(interfere(0.0, 1.0, 0.0, 2.0), (0.0, 0.0));
    assert_eq!(gain(0.0, 0.0, 0.0), 0.0);
}

#[test]
fn equal_waves_double_and_keep_their_phase() {
    for phase in [0.0, 0.1, 1.0, PI, 4.0, TAU.next_down()] {
        assert_eq!(interfere(0.5, phase, 0.5, phase), (1.0, phase));
    }
    assert_eq!(gain(1.0, 0.5, 0.5), 2.0);
}

#[test]
fn what_is_no_number_gives_none() {
    for wrong in [f64::NAN, f64::INFINITY] {
        let (amplitude, phase) = interfere(0.5, wrong, 0.5, 1.0);
        assert!(amplitude.is_nan() && phase.is_nan());
        assert!(phase_difference(1.0, wrong).is_nan());
    }
    assert_eq!(Kind::of(f64::NAN), Kind::Partial);
}

#[test]
fn kinds_have_their_bounds() {
    let kinds = [0.0, PI / 4.0, 0.8, 2.3, 3.0 * PI / 4.0, PI].map(Kind::of);
    let names = kinds.map(Kind::name);
    let [strong, middle, weak] = ["constructive", "partial", "destructive"];
    assert_eq!(names, [strong, strong, middle, middle, weak, weak]);
}

proptest! {
    #[test]
    fn the_sum_is_that_of_the_arrows(
        a1 in 0.0..1.0f64, p1 in -50.0..50.0f64, a2 in 0.0..1.0f64, p2 in -50.0..50.0f64,
    ) {
        let (amplitude, phase) = interfere(a1, p1, a2, p2);
        let along = a1 * p1.cos() + a2 * p2.cos();
        let across = a1 * p1.sin() + a2 * p2.sin();
        prop_assert!((amplitude * phase.cos() - along).abs() < 1e-14);
        prop_assert!((amplitude * phase.sin() - across).abs() < 1e-14);
    }

    #[test]
    fn results_are_in_their_ranges(
        a1 in 0.0..=1.0f64, p1 in -1e12..1e12f64, a2 in 0.0..=1.0f64, p2 in -1e12..1e12f64,
    ) {
        let (amplitude, phase) = interfere(a1, p1, a2, p2);
        let rounding = 1.0 + 4.0 * f64::EPSILON;
        prop_assert!((0.0..TAU).contains(&phase));
        prop_assert!(amplitude >= (a1 - a2).abs() / rounding && amplitude <= (a1 + a2) * rounding);
        prop_assert!((0.0..=PI).contains(&phase_difference(p1, p2)));
        prop_assert!((0.0..=2.0 * rounding).contains(&gain(amplitude, a1, a2)));
    }

    #[test]
    fn the_order_of_the_waves_does_not_matter(
        a1 in 0.0..1.0f64, p1 in any::<f64>(), a2 in 0.0..1.0f64, p2 in any::<f64>(),
    ) {
        prop_assume!(p1.is_finite() && p2.is_finite());
        let (one, other) = (interfere(a1, p1, a2, p2), interfere(a2, p2, a1, p1));
        prop_assert_eq!(one.0, other.0);
        prop_assert!(apart(one.1, other.1) <= 1e-15);
        prop_assert_eq!(phase_difference(p1, p2), phase_difference(p2, p1));
    }

    #[test]
    fn phases_of_any_size_are_phases(a in 0.0..1.0f64, p1 in any::<f64>(), p2 in any::<f64>()) {
        prop_assume!(p1.is_finite() && p2.is_finite());
        let (amplitude, phase) = interfere(a, p1, a, p2);
        prop_assert!((0.0..TAU).contains(&phase) && (0.0..=2.0).contains(&amplitude));
        prop_assert!((0.0..=PI).contains(&phase_difference(p1, p2)));
    }
}
