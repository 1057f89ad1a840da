//! Each level of this processor beside the base: the same numbers, to the last digits.

use proptest::collection::vec;
use proptest::prelude::*;

use super::coherence::coherence;
use super::decay::{AtRate, Each, Rate};
use super::interference::Pairs;
use super::resultant::Sums;
use super::superpose::{Even, Part, Spacing, Uneven, Waves, in_turns};
use crate::dispatch::Level;

/// Within so many units in the last place of the larger.
fn near(one: &[f64], other: &[f64], units: f64) -> bool {
    one.iter().zip(other).all(|(&one, &other)| {
        let unit = f64::EPSILON * one.abs().max(other.abs()) + 5e-324;
        (one - other).abs() <= units * unit
    })
}

/// What each level makes of `run`, which fills `n` numbers.
fn levels(n: usize, run: impl Fn(Level, &mut [f64])) -> Vec<Vec<f64>> {
    let made = |&level: &Level| {
        let mut out = vec![0.0; n];
        run(level, &mut out);
        out
    };
    Level::all().iter().map(made).collect()
}

#[test]
fn the_base_is_always_there() {
    assert_eq!(Level::all()[0], Level::Base);
    assert!(Level::all().contains(&Level::best()));
}

proptest! {
    #[test]
    fn decay(
        waves in vec((0.0..1.0f64, -1.0..20_000.0f64, 0.01..=1.0f64, 0.01..100.0f64), 1..40),
    ) {
        let column = |of: fn(&(f64, f64, f64, f64)) -> f64| -> Vec<f64> { waves.iter().map(of).collect() };
        let (amplitude, age) = (column(|w| w.0), column(|w| w.1));
        let (factor, interval) = (column(|w| w.2), column(|w| w.3));
        let made = levels(waves.len(), |level, out| {
            level.run(Each {
                amplitude: &amplitude, age: &age, factor: &factor, interval: &interval, out,
            });
        });
        for other in &made[1..] {
            prop_assert!(near(&made[0], other, 3.0), "{made:?}");
        }
        let rate = Rate::new(factor[0], interval[0]).unwrap();
        let made = levels(waves.len(), |level, out| {
            level.run(AtRate { rate, amplitude: &amplitude, age: &age, out });
        });
        for other in &made[1..] {
            prop_assert!(near(&made[0], other, 3.0), "{made:?}");
        }
    }

    #[test]
    fn interfere(
        waves in vec((0.0..1.0f64, -1e9..1e9f64, 0.0..1.0f64, -1e9..1e9f64), 1..40),
    ) {
        let column = |of: fn(&(f64, f64, f64, f64)) -> f64| -> Vec<f64> { waves.iter().map(of).collect() };
        let (a1, p1) = (column(|w| w.0), column(|w| w.1));
        let (a2, p2) = (column(|w| w.2), column(|w| w.3));
        let n = waves.len();
        let made = levels(2 * n, |level, out| {
            let (amplitude, phase) = out.split_at_mut(n);
            level.run(Pairs { a1: &a1, p1: &p1, a2: &a2, p2: &p2, amplitude, phase });
        });
        for other in &made[1..] {
            prop_assert!(near(&made[0][..n], &other[..n], 4.0), "{made:?}");
            let apart = made[0][n..].iter().zip(&other[n..]).all(|(one, other)| {
                let apart = (one - other).abs();
                apart.min(std::f64::consts::TAU - apart) <= 2e-15
            });
            prop_assert!(apart, "{made:?}");
        }
    }

    #[test]
    fn resultant(waves in vec((0.0..1.0f64, -1e9..1e9f64), 0..256)) {
        let (amplitude, phase): (Vec<f64>, Vec<f64>) = waves.into_iter().unzip();
        let made = levels(2, |level, out| {
            (out[0], out[1]) = level.run(Sums { amplitude: &amplitude, phase: &phase });
        });
        let bound = 4.0 * f64::EPSILON * amplitude.iter().sum::<f64>() + 5e-324;
        for other in &made[1..] {
            prop_assert!((made[0][0] - other[0]).abs() <= bound && (made[0][1] - other[1]).abs() <= bound);
        }
    }

    #[test]
    fn superpose(
        waves in vec((0.0..1.0f64, -50.0..50.0f64, -9.0..9.0f64), 4..20), step in 0.001..0.1f64,
        with_sines: bool,
    ) {
        let column = |of: fn(&(f64, f64, f64)) -> f64| -> Vec<f64> { waves.iter().map(of).collect() };
        let (amplitude, frequency, phase) = (column(|w| w.0), column(|w| w.1), column(|w| w.2));
        let times: Vec<f64> = (0..300).map(|i| f64::from(i) * step).collect();
        let turns: Vec<_> = phase.iter().map(|&phase| in_turns(phase)).collect();
        let waves = Waves { amplitude: &amplitude, frequency: &frequency, phase: &phase };
        let spacing = Spacing::of(&times, &frequency, 1e-8).unwrap();
        // With sines, times are not made good.
        let bound = if with_sines { 1e-10 } else { 1e-13 } * amplitude.iter().sum::<f64>() + 5e-324;
        let run = |level: Level, even: bool, out: &mut [f64]| {
            let (cosines, sines) = out.split_at_mut(300);
            let sines = with_sines.then_some(sines);
            let part = Part { waves, turns: &turns, times: &times, cosines, sines };
            if even { level.run(Even { part, spacing }) } else { level.run(Uneven(part)) }
        };
        let mut made = levels(600, |level, out| run(level, true, out));
        made.extend(levels(600, |level, out| run(level, false, out)));
        for other in &made[1..] {
            prop_assert!(made[0].iter().zip(other).all(|(one, other)| (one - other).abs() <= bound));
        }
    }

    #[test]
    fn coherence_is_that_of_plain_sums(
        channels in 1..20usize, moments in 1..200usize, rate in 0.1..9.0f64,
    ) {
        let phase = |channel: usize, moment: usize| rate * (channel * moment * moment % 101) as f64;
        let mut locked = vec![f64::NAN; channels * channels];
        let read = |channel: usize, from: usize, to: &mut [f64]| {
            for (place, to) in to.iter_mut().enumerate() {
                *to = phase(channel, from + place);
            }
        };
        coherence(channels, moments, read, |j, k, value| locked[j * channels + k] = value);
        for j in 0..channels {
            for k in 0..channels {
                let differences = (0..moments).map(|moment| phase(j, moment) - phase(k, moment));
                let (along, across) = differences
                    .fold((0.0, 0.0), |sum, d| (sum.0 + d.cos(), sum.1 + d.sin()));
                let plain = f64::hypot(along, across) / moments as f64;
                prop_assert!((locked[j * channels + k] - plain).abs() < 1e-12);
            }
        }
    }
}
