//! Patterns in the waves of a program: standing waves, cancellations, resonances and beats.
//!
//! [`Engine::see`] is told of one wave after the other, and says what it completes. All it knows of a wave
//! is in [`Seen`]: numbers, and hashes that stand for its channel, for what it is about (the *key*) and for
//! who sent it. A wave itself is an opaque `W`, kept to name partners.
//!
//! - Time is that of the waves. A wave that comes with an earlier time than the last of its series says
//!   nothing about intervals and is counted as late; one that is a whole window earlier begins a new series,
//!   as a replay does. What is not finite is not looked at.
//! - One finding an episode; a pattern is told of again once it has ended and begun anew. One finding a wave:
//!   what else is found waits for the next wave of its series.
//! - O(1) amortised a wave. Series and keys are kept in tables of bounded size, whose entries that were not
//!   asked for lately make room one at a time.
//!
//! ```text
//! pulses: (channel, key) and (channel, source) -> arrivals and evidence of a rhythm   steady.rs
//! meetings: key, and id of what is undone -> the last waves about it                  meeting.rs
//! channels: channel -> usual rate and evidence of a burst                             burst.rs
//!                      steady rates                                                   beat.rs
//!                      grain of the clock                                             grain.rs
//! ```

mod beat;
mod burst;
mod finding;
mod grain;
mod meeting;
mod ring;
mod steady;
mod table;

pub use beat::Beat;
pub use burst::Burst;
pub use finding::{Evidence, Finding, Pattern};
pub use meeting::{Meeting, Undone};
pub use steady::Rhythm;

use beat::Rates;
use burst::Pile;
use grain::Grain;
use meeting::{Meetings, Trace};
use steady::Steady;
use table::Table;

/// What has to be decided beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How far two waves may be apart that meet, in seconds; and how far back time may go before a series
    /// begins anew.
    pub window: f64,
    /// Random traffic makes at most one wave in so many look like a rhythm, and one like a burst.
    pub rarity: f64,
    /// Keys that are remembered, at most: for rhythms, and again for cancellations.
    pub keys: usize,
    /// Channels that are remembered, at most.
    pub channels: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: 60.0, rarity: 1e6, keys: 16_384, channels: 1024 }
    }
}

/// A wave as an engine sees it.
#[derive(Clone, Debug)]
pub struct Seen<W> {
    /// A hash of the channel.
    pub channel: u64,
    /// A hash of what the wave is about, if it is about anything.
    pub key: Option<u64>,
    /// A hash of who sent it, if somebody did.
    pub source: Option<u64>,
    /// The wave.
    pub wave: W,
    /// Its timestamp, in seconds.
    pub time: f64,
    /// Its amplitude, 0..1.
    pub amplitude: f64,
    /// Its phase, 0..2π.
    pub phase: f64,
    /// What it says to undo.
    pub undoes: Option<Undone<W>>,
}

/// What an engine has seen, found and forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waves looked at.
    pub waves: u64,
    /// Waves whose numbers were not finite.
    pub unusable: u64,
    /// Waves that came with an earlier time than the last of their channel.
    pub late: u64,
    /// Findings, in the order of [`Pattern::ALL`].
    pub found: [u64; 4],
    /// Keys remembered now, for rhythms and for cancellations.
    pub keys: usize,
    /// Channels remembered now.
    pub channels: usize,
    /// Keys that made room for others.
    pub evicted_keys: u64,
    /// Channels that made room for others.
    pub evicted_channels: u64,
}

/// What has come so far of a key on a channel.
enum Pulse<W> {
    Once(f64, W),
    Often(Box<Steady<W>>),
}

struct Channel<W> {
    pile: Pile<W>,
    rates: Rates<W>,
    grain: Grain,
}

/// Finds patterns in the waves that it is shown.
pub struct Engine<W> {
    config: Config,
    pulses: Table<Pulse<W>>,
    meetings: Meetings<W>,
    channels: Table<Box<Channel<W>>>,
    counts: Counts,
}

impl<W: Clone + PartialEq> Engine<W> {
    /// One that has seen nothing.
    pub fn new(config: Config) -> Self {
        Self {
            pulses: Table::new(config.keys),
            meetings: Meetings::new(config.keys, config.window),
            channels: Table::new(config.channels),
            counts: Counts::default(),
            config,
        }
    }

    /// What was seen, found and forgotten.
    pub fn counts(&self) -> Counts {
        let (met, met_evicted) = self.meetings.size();
        Counts {
            keys: self.pulses.len() + met,
            channels: self.channels.len(),
            evicted_keys: self.pulses.evicted() + met_evicted,
            evicted_channels: self.channels.evicted(),
            ..self.counts
        }
    }

    /// Takes one more wave; what it completes, if anything.
    pub fn see(&mut self, seen: Seen<W>) -> Option<Finding<W>> {
        self.counts.waves += 1;
        if !(seen.time.is_finite() && seen.amplitude.is_finite() && seen.phase.is_finite()) {
            self.counts.unusable += 1;
            return None;
        }
        let found = self.look(&seen);
        if let Some(finding) = &found {
            let kind = finding.evidence.pattern();
            let place = Pattern::ALL.iter().position(|&pattern| pattern == kind);
            self.counts.found[place.unwrap_or(0)] += 1;
        }
        found
    }

    fn look(&mut self, seen: &Seen<W>) -> Option<Finding<W>> {
        let Self { config, pulses, meetings, channels, counts } = self;
        let mut found = meet(meetings, seen);
        let (channel, _) = channels.entry(seen.channel, || Box::new(Channel::new()));
        channel.grain.see(seen.time);
        let back =
            if channel.pile.ring.len() == 0 { 0.0 } else { channel.pile.ring.time(0) - seen.time };
        if back > config.window {
            **channel = Channel::new();
            channel.grain.see(seen.time);
        }
        let names = [
            seen.key.map(|key| pair(seen.channel, key)),
            seen.source.map(|source| pair(seen.channel, !source)),
        ];
        for (name, by_source) in names.into_iter().zip([false, true]) {
            let Some(name) = name else { continue };
            let (pulse, known) = pulses.entry(name, || Pulse::Once(seen.time, seen.wave.clone()));
            if !known {
                continue;
            }
            let Some(steady) = pulse.see(seen, config.window, channel.grain.seconds()) else {
                continue;
            };
            let Some(rhythm) = steady.found(if steady.told { 1.0 } else { config.rarity }) else {
                continue;
            };
            channel.rates.hear((name, by_source), rhythm, seen.time, seen.wave.clone());
            if found.is_some() {
                continue;
            }
            if !steady.told {
                steady.tell(config.rarity);
                if !by_source {
                    let partners = steady.ring.partners().collect();
                    found = Some(Finding { evidence: Evidence::Rhythm(rhythm), partners });
                    continue;
                }
            }
            if let Some((beat, wave)) = channel.rates.found(name, seen.time) {
                let partners =
                    std::iter::once(wave).chain(steady.ring.partners().take(1)).collect();
                found = Some(Finding { evidence: Evidence::Beat(beat), partners });
            }
        }
        if back > 0.0 && back <= config.window {
            counts.late += 1;
            return found;
        }
        let sum = (seen.amplitude, seen.phase);
        channel.pile.see(seen.time, seen.wave.clone(), sum, channel.grain.seconds());
        if found.is_none() {
            found = channel.pile.found(config.rarity).map(|burst| Finding {
                evidence: Evidence::Burst(burst),
                partners: channel.pile.ring.partners().collect(),
            });
        }
        found
    }
}

/// Whether a wave cancels an earlier one.
fn meet<W: Clone + PartialEq>(meetings: &mut Meetings<W>, seen: &Seen<W>) -> Option<Finding<W>> {
    meetings.mix(seen.phase);
    let Seen { time, amplitude, phase, .. } = *seen;
    let trace = Trace { wave: seen.wave.clone(), time, amplitude, phase };
    let (meeting, partner) = if let Some(undone) = &seen.undoes {
        if let Some(key) = seen.key {
            meetings.spend(key, &undone.wave);
        }
        (meetings.undo(&trace, undone)?, undone.wave.clone())
    } else {
        meetings.see(seen.key?, trace)?
    };
    Some(Finding { evidence: Evidence::Meeting(meeting), partners: vec![partner] })
}

impl<W: Clone> Pulse<W> {
    /// One more arrival; nothing if it tells nothing.
    fn see(&mut self, seen: &Seen<W>, window: f64, grain: f64) -> Option<&mut Box<Steady<W>>> {
        let last = match self {
            Self::Once(time, _) => *time,
            Self::Often(steady) => steady.ring.time(0),
        };
        if seen.time < last - window {
            *self = Self::Once(seen.time, seen.wave.clone());
            return None;
        }
        if seen.time < last {
            return None;
        }
        if let Self::Once(time, wave) = self {
            *self = Self::Often(Box::new(Steady::new(*time, wave.clone())));
        }
        let Self::Often(steady) = self else { return None };
        steady.see(seen.time, seen.wave.clone(), grain);
        Some(steady)
    }
}

impl<W: Clone> Channel<W> {
    fn new() -> Self {
        Self { pile: Pile::new(), rates: Rates::new(), grain: Grain::new() }
    }
}

/// The hash of two hashes.
fn pair(first: u64, second: u64) -> u64 {
    let product =
        u128::from(first ^ 0x243f_6a88_85a3_08d3) * u128::from(second.rotate_left(32) | 1);
    (product >> 64) as u64 ^ product as u64 ^ second
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is promised of memory, for waves named by 24 bytes.
    #[test]
    fn a_key_and_a_channel_take_no_more_than_is_said() {
        type Wave = [u64; 3];
        let rhythm = size_of::<Steady<Wave>>() + size_of::<Pulse<Wave>>() + 16;
        assert!(rhythm + meeting::size_of_key::<Wave>() <= 1200, "{rhythm}");
        assert!(size_of::<Channel<Wave>>() <= 1300, "{}", size_of::<Channel<Wave>>());
    }
}
