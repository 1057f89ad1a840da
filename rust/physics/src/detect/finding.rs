//! What was found, with its evidence, and the sentence that says so.

use super::beat::Beat;
use super::burst::Burst;
use super::meeting::Meeting;
use super::steady::Rhythm;

/// The kinds of patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// The same content comes back at a steady interval.
    StandingWave,
    /// Waves about the same thing in antiphase.
    Cancellation,
    /// Waves in phase that pile up.
    Resonance,
    /// Two steady rates that drift against each other.
    Beat,
}

impl Pattern {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::StandingWave, Self::Cancellation, Self::Resonance, Self::Beat];

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StandingWave => "standing_wave",
            Self::Cancellation => "cancellation",
            Self::Resonance => "resonance",
            Self::Beat => "beat",
        }
    }
}

/// The evidence of a pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evidence {
    /// Of a standing wave.
    Rhythm(Rhythm),
    /// Of a cancellation.
    Meeting(Meeting),
    /// Of a resonance.
    Burst(Burst),
    /// Of a beat.
    Beat(Beat),
}

/// A pattern that was found.
#[derive(Clone, Debug)]
pub struct Finding<W> {
    /// The figures.
    pub evidence: Evidence,
    /// Waves that belong to it, the newest first, without the one that completed it.
    pub partners: Vec<W>,
}

impl Evidence {
    /// The pattern.
    pub const fn pattern(&self) -> Pattern {
        match self {
            Self::Rhythm(_) => Pattern::StandingWave,
            Self::Meeting(_) => Pattern::Cancellation,
            Self::Burst(_) => Pattern::Resonance,
            Self::Beat(_) => Pattern::Beat,
        }
    }

    /// How often, at most, traffic without the pattern looks like this: for rhythms and bursts a part of
    /// all waves; for meetings and beats the probability of this one.
    pub fn chance(&self) -> f64 {
        let chance = match self {
            Self::Rhythm(rhythm) => 1.0 / rhythm.evidence,
            Self::Burst(burst) => 1.0 / burst.evidence,
            Self::Meeting(meeting) => meeting.chance,
            Self::Beat(beat) => beat.chance,
        };
        chance.clamp(0.0, 1.0)
    }

    /// Period and its spread, in seconds, where there is one.
    pub fn period(&self) -> Option<(f64, f64)> {
        match self {
            Self::Rhythm(rhythm) => Some((rhythm.period, rhythm.spread)),
            Self::Beat(beat) => Some((beat.every, beat.error)),
            Self::Meeting(_) | Self::Burst(_) => None,
        }
    }

    /// What happened, in one English sentence with the figures.
    pub fn sentence(&self, channel: &str) -> String {
        match self {
            Self::Rhythm(Rhythm { period, spread, producers, arrivals, .. }) => {
                let taking_turns = match producers {
                    1 => String::new(),
                    more => format!(" from each of {more} producers that take turns"),
                };
                format!(
                    "the same content has come back on {channel} {arrivals} times in a row, every \
                     {}{taking_turns}, give or take {}; random traffic looks like that at most once in {} \
                     waves",
                    seconds(*period),
                    seconds(*spread),
                    rarely(self.chance())
                )
            }
            Self::Meeting(Meeting { apart, gain, said: true, .. }) => format!(
                "a wave on {channel} says that it undoes an earlier one, {} after it; together they have {:.0} % \
                 of the louder one's amplitude",
                seconds(*apart),
                gain * 100.0
            ),
            Self::Meeting(Meeting { apart, off, gain, .. }) => format!(
                "two waves about the same key meet on {channel}, {} apart and within {off:.2} rad of antiphase; \
                 together they have {:.0} % of the louder one's amplitude",
                seconds(*apart),
                gain * 100.0
            ),
            Self::Burst(Burst { waves, seconds: within, usual, coherence, .. }) => format!(
                "{waves} waves pile up on {channel} within {}, where one every {} is usual and {} were due; \
                 {:.0} % of their amplitude is in phase; random traffic looks like that at most once in {} \
                 waves",
                seconds(*within),
                seconds(1.0 / usual),
                number(usual * within),
                coherence * 100.0,
                rarely(self.chance())
            ),
            Self::Beat(Beat { periods, every, error, .. }) => format!(
                "two steady rates on {channel}, one wave every {} and one every {}, drift against each other: \
                 they come together every {}, give or take {}",
                seconds(periods.0),
                seconds(periods.1),
                seconds(*every),
                seconds(*error)
            ),
        }
    }
}

/// A duration in the unit that fits it, three digits.
fn seconds(seconds: f64) -> String {
    let units = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms")];
    let fits = |&&(unit, _): &&(f64, &str)| seconds >= unit * if unit > 1.0 { 2.0 } else { 1.0 };
    match units.iter().find(fits) {
        Some((unit, name)) => format!("{} {name}", number(seconds / unit)),
        None if seconds < 1e-9 => "0 s".to_owned(),
        None => format!("{} µs", number(seconds * 1e6)),
    }
}

/// Three digits.
fn number(number: f64) -> String {
    if number >= 99.95 || number == 0.0 {
        return format!("{number:.0}");
    }
    if number < 1e-4 {
        return format!("{number:.1e}");
    }
    let digits = 2.0 - number.log10().floor();
    let shown = format!("{number:.*}", digits.clamp(0.0, 8.0) as usize);
    if shown.contains('.') {
        shown.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        shown
    }
}

/// Once in so many.
fn rarely(chance: f64) -> String {
    let million = 1e-6 / chance;
    if million >= 999.5 {
        "a thousand million".to_owned()
    } else {
        format!("{} million", number(million))
    }
}
