//! The engine on made-up waves: what is there is found, what is not is not, and nothing breaks it.

use std::f64::consts::PI;

use aether_physics::detect::{Config, Engine, Evidence, Finding, Pattern, Seen, Undone};
use proptest::prelude::*;

/// A wave of a key on a channel.
fn seen(channel: u64, key: u64, wave: u64, time: f64) -> Seen<u64> {
    let hash = |number: u64| (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Seen {
        channel: hash(channel),
        key: Some(hash(key)),
        source: None,
        wave,
        time,
        amplitude: 1.0,
        phase: 0.0,
        undoes: None,
    }
}

/// Numbers from 0 to 1, the same in each run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
    }

    fn wait(&mut self, rate: f64) -> f64 {
        -(1.0 - self.throw()).ln() / rate
    }
}

fn run(engine: &mut Engine<u64>, waves: impl IntoIterator<Item = Seen<u64>>) -> Vec<Finding<u64>> {
    waves.into_iter().filter_map(|wave| engine.see(wave)).collect()
}

#[test]
fn random_traffic_of_any_rate_is_no_pattern() {
    for (place, keys) in [1_u64, 3, 30, 1_000_000].into_iter().enumerate() {
        let (mut engine, mut dice, mut time) =
            (Engine::new(Config::default()), Dice(place as u64), 1e9);
        for wave in 0..30_000 {
            time += dice.wait([1e-3, 0.1, 1.0, 1e4][place]);
            let key = (dice.throw() * keys as f64) as u64;
            assert!(
                engine.see(seen(0, key, wave as u64, time)).is_none(),
                "{keys} keys, wave {wave}"
            );
        }
    }
}

#[test]
fn a_clock_that_ticks_once_a_second_makes_no_rhythm() {
    for rate in [0.3, 1.0, 3.0, 100.0] {
        let (mut engine, mut dice, mut time) = (Engine::new(Config::default()), Dice(5), 1e9_f64);
        for wave in 0..20_000 {
            time += dice.wait(rate);
            let found = engine.see(seen(0, 0, wave, time.floor()));
            assert!(found.is_none(), "at {rate} waves a second, wave {wave}: {found:?}");
        }
    }
}

/// Waves of a rhythm whose steps are off by a part of the period at most.
fn rhythmic(period: f64, jitter: f64, start: f64, mut dice: Dice) -> Vec<Seen<u64>> {
    let mut time = start;
    let step = |wave| {
        time += period * (1.0 + jitter * (2.0 * dice.throw() - 1.0));
        seen(0, 0, wave, time)
    };
    (0..40).map(step).collect()
}

#[test]
fn a_rhythm_rarely_looks_like_two_producers_that_take_turns() {
    let mut twice = 0;
    for seed in 0..4_000_u64 {
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let waves = rhythmic(0.01, seed as f64 % 100.0 / 1_000.0, 0.0, dice);
        let found = run(&mut Engine::new(Config::default()), waves);
        let Evidence::Rhythm(rhythm) = found[0].evidence else { panic!("{found:?}") };
        twice += u32::from((rhythm.period - 0.01).abs() >= 0.001);
    }
    assert!(twice <= 20, "{twice} of 4000");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_rhythm_is_found_with_its_period(
        period in 0.01_f64..1e4,
        jitter in 0.0_f64..0.1,
        start in 0.0_f64..2e9,
        dice in any::<u64>(),
    ) {
        let waves = rhythmic(period, jitter, start, Dice(dice));
        let found = run(&mut Engine::new(Config::default()), waves);
        let first = found.iter().find(|one| one.evidence.pattern() == Pattern::StandingWave);
        let Some(Finding { evidence: Evidence::Rhythm(rhythm), partners }) = first else {
            return Err(TestCaseError::fail("nothing was found"));
        };
        // By chance, few waves look like two producers that take turns at half the rate: the test above says how rarely.
        prop_assert!(rhythm.producers <= 2, "{:?}", rhythm);
        let between = rhythm.period / rhythm.producers as f64;
        prop_assert!((between - period).abs() < 0.1 * period, "{:?}", rhythm);
        prop_assert!(rhythm.spread < 0.2 * period);
        prop_assert!(partners.is_sorted_by(|one, next| one > next));
    }

    #[test]
    fn antiphase_within_the_window_cancels(
        phase in 0.0_f64..6.2,
        amplitude in 0.1_f64..1.0,
        ratio in 0.55_f64..1.0,
        off in -0.5_f64..0.5,
        apart in 0.0_f64..59.0,
    ) {
        let first = Seen { phase, amplitude, ..seen(0, 7, 1, 1e9) };
        let turned = (phase + PI + off).rem_euclid(2.0 * PI);
        let second = Seen { phase: turned, amplitude: amplitude * ratio, ..seen(1, 7, 2, 1e9 + apart) };
        let found = run(&mut Engine::new(Config::default()), [first, second]);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(&found[0].partners, &vec![1]);
        let Evidence::Meeting(meeting) = found[0].evidence else {
            return Err(TestCaseError::fail("no meeting"));
        };
        prop_assert!((meeting.off - off.abs()).abs() < 1e-9);
        prop_assert!(meeting.gain <= 0.62, "gain {}", meeting.gain);
    }

    #[test]
    fn whatever_comes_the_sums_add_up(
        waves in prop::collection::vec(
            (0_u64..3, prop::option::of(0_u64..4), prop::option::of(0_u64..2), any::<f64>(), -2.0_f64..9.0, any::<bool>()),
            0..200,
        ),
        scale in prop::sample::select(vec![None, Some(1e-9), Some(1e300)]),
    ) {
        let config = Config { keys: 3, channels: 2, ..Config::default() };
        let mut engine = Engine::new(config);
        let mut told = 0;
        let total = waves.len() as u64;
        for (number, (channel, key, source, time, phase, undoes)) in waves.into_iter().enumerate() {
            let time = scale.map_or(time, |scale| number as f64 * scale);
            let undone = Undone { name: number as u64 / 2, wave: 0, time: 0.0, amplitude: 1.0, phase };
            let wave = Seen {
                key,
                source,
                phase,
                undoes: undoes.then_some(undone),
                ..seen(channel, 0, number as u64, time)
            };
            if let Some(found) = engine.see(wave) {
                told += 1;
                let chance = found.evidence.chance();
                prop_assert!((0.0..=1.0).contains(&chance), "{found:?}");
                prop_assert!(!found.evidence.sentence("a.b").contains("NaN"), "{found:?}");
            }
        }
        let counts = engine.counts();
        prop_assert_eq!(counts.waves, total);
        prop_assert_eq!(counts.found.iter().sum::<u64>(), told);
        prop_assert!(counts.keys <= 6 && counts.channels <= 2);
    }
}
