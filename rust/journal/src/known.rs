//! What a journal knows without reading its segments: which there are, the last wave of each channel, and what each
//! cursor says. It is of committed records only.

use std::collections::{BTreeMap, HashMap};

use aether_core::channel::Pattern;

use crate::bytes::u32_at;
use crate::header::Header;
use crate::log::Run;
use crate::outline::Outline;
use crate::record::{HEAD, Record, padded};
use crate::segment;

/// A segment that need not be read again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) identity: [u8; 16],
    pub(crate) base: u64,
    /// The sequence that was given last in it.
    pub(crate) last: u64,
    pub(crate) waves: u64,
    /// The least and the greatest time of its waves.
    pub(crate) times: (f64, f64),
    /// Behind its last sound record.
    pub(crate) end: u64,
    /// All up to here was looked at.
    pub(crate) size: u64,
}

impl Part {
    pub(crate) fn name(&self) -> String {
        segment::name_of(self.base, self.identity)
    }

    /// With what its outline says.
    pub(crate) fn of(base: u64, outline: &Outline, size: u64) -> Self {
        let Outline { identity, end, waves, times, .. } = *outline;
        let last = outline.last();
        Self { identity, base, last, waves, times, end, size }
    }
}

/// Where the last wave of a channel stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Last {
    pub(crate) sequence: u64,
    /// The number of the segment.
    pub(crate) part: u32,
    pub(crate) offset: u64,
}

/// What a cursor says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cursor {
    /// The last wave before that, and the base of the segment: what says so later has both greater, or the same.
    pub(crate) said: (u64, u64),
    pub(crate) state: Vec<u8>,
}

/// Where a wave stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its sequence.
    pub sequence: u64,
    /// The name of the file.
    pub segment: String,
    /// Where its record begins.
    pub offset: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The sequence that was given last, as far as it is committed.
    pub(crate) last: u64,
    /// By numbers that are given in turn.
    pub(crate) parts: BTreeMap<u32, Part>,
    pub(crate) channels: HashMap<Box<str>, Last, foldhash::fast::RandomState>,
    pub(crate) cursors: BTreeMap<Box<str>, Cursor>,
    /// The segment that was begun last, if its records are known from its first one on.
    pub(crate) open: Option<Open>,
    /// The waves up to this one are told by other segments than the open one, if it has them.
    pub(crate) told: u64,
}

/// A segment that grows.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) part: u32,
    pub(crate) base: u64,
    pub(crate) outline: Outline,
}

impl Known {
    /// Runs that are committed. Gives the segments that are complete with them.
    pub(crate) fn take(&mut self, runs: &[Run]) -> Vec<Open> {
        let mut complete = Vec::new();
        for run in runs {
            if let Some(header) = &run.begin {
                self.note_open(None);
                complete.extend(self.open.take());
                self.begin(header);
            }
            let mut at = 0;
            while let Some(head) = run.bytes.get(at..at + HEAD) {
                let size = padded(HEAD + u32_at(head, 8) as usize);
                let Some(bytes) = run.bytes.get(at..at + size) else { break };
                self.record(run.offset + at as u64, &Record::of(bytes));
                at += size;
                self.reach(run.offset + at as u64);
            }
        }
        self.note_open(None);
        complete
    }

    /// A new segment.
    pub(crate) fn begin(&mut self, header: &Header) {
        let outline = Outline::new(header);
        let (part, base) = (self.add(Part::of(header.base, &outline, outline.end)), header.base);
        self.open = Some(Open { part, base, outline });
    }

    /// One more segment; gives its number.
    pub(crate) fn add(&mut self, part: Part) -> u32 {
        let number = self.parts.last_key_value().map_or(0, |(last, _)| last + 1);
        self.last = self.last.max(part.last);
        self.parts.insert(number, part);
        number
    }

    /// What the outline of the open segment says; `size`: so much of it was looked at.
    pub(crate) fn note_open(&mut self, size: Option<u64>) {
        if let Some(Open { part, base, outline }) = &self.open {
            self.last = self.last.max(outline.last());
            let mut noted = Part::of(*base, outline, size.unwrap_or(outline.end));
            if noted.last <= self.told {
                noted.waves = 0;
            }
            self.parts.insert(*part, noted);
        }
    }

    /// The open segment has sound records up to here.
    pub(crate) fn reach(&mut self, end: u64) {
        if let Some(open) = &mut self.open {
            open.outline.end = end;
        }
    }

    /// The open segment has bytes that are no record.
    pub(crate) fn damage(&mut self) {
        if let Some(open) = &mut self.open {
            open.outline.take_damage();
        }
    }

    /// The next record of the open segment, and where it begins.
    pub(crate) fn record(&mut self, offset: u64, record: &Record<'_>) {
        let Some(open) = &mut self.open else { return };
        open.outline.take(offset, record);
        match *record {
            Record::Wave(wave) if wave.sequence > self.told => {
                let last = Last { sequence: wave.sequence, part: open.part, offset };
                if let Some(known) = self.channels.get_mut(wave.channel) {
                    // In each segment, a channel is added once.
                    if known.part != open.part {
                        open.outline.channels.add(wave.channel);
                    }
                    // The same wave may stand in a segment that was written anew.
                    if known.sequence <= wave.sequence {
                        *known = last;
                    }
                } else {
                    open.outline.channels.add(wave.channel);
                    self.channels.insert(wave.channel.into(), last);
                }
            }
            Record::Acknowledged { sequence, cursor, state } => {
                let said = (sequence, open.base);
                match self.cursors.get_mut(cursor) {
                    Some(known) if known.said > said => {}
                    Some(known) => {
                        known.said = said;
                        known.state.clear();
                        known.state.extend(state);
                    }
                    None => {
                        let state = state.to_vec();
                        self.cursors.insert(cursor.into(), Cursor { said, state });
                    }
                }
            }
            _ => {}
        }
    }

    /// The segments that are not there any more: the number of each, and its base.
    pub(crate) fn gone(&self, is_there: impl Fn(&Part) -> bool) -> HashMap<u32, u64> {
        let gone = self.parts.iter().filter(|(_, part)| !is_there(part));
        gone.map(|(number, part)| (*number, part.base)).collect()
    }

    /// The channels whose last wave was in one of these segments, with its base.
    pub(crate) fn dropped(&self, gone: &HashMap<u32, u64>) -> Vec<(Box<str>, u64)> {
        if gone.is_empty() {
            return Vec::new();
        }
        let all = self.channels.iter();
        all.filter_map(|(channel, last)| Some((channel.clone(), *gone.get(&last.part)?))).collect()
    }

    /// Forgets the segments that are not there any more. Gives the channels whose last wave was in one of them, with its
    /// base.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&Part) -> bool) -> Vec<(Box<str>, u64)> {
        let gone = self.gone(is_there);
        let dropped = self.dropped(&gone);
        self.parts.retain(|number, _| !gone.contains_key(number));
        self.open.take_if(|open| gone.contains_key(&open.part));
        for (channel, _) in &dropped {
            self.channels.remove(channel);
        }
        dropped
    }

    /// Whether an earlier wave of channels that were dropped may be in one of these segments, so that it has to be
    /// looked for.
    pub(crate) fn may_be_earlier(&self, dropped: &[(Box<str>, u64)], parts: &[Part]) -> bool {
        dropped.iter().any(|(channel, base)| {
            let known = self.channels.get(channel).map_or(0, |last| last.sequence);
            let may = |part: &Part| part.base < *base && part.last > known && part.waves > 0;
            parts.iter().any(may)
        })
    }

    /// Takes in what is known of segments that were written anew: what cursors say in them was known before.
    pub(crate) fn merge(&mut self, other: Self) {
        let numbers: HashMap<u32, u32> =
            other.parts.into_iter().map(|(number, part)| (number, self.add(part))).collect();
        for (channel, last) in other.channels {
            let Some(&part) = numbers.get(&last.part) else { continue };
            let known = self.channels.get(&channel).map_or(0, |known| known.sequence);
            if known <= last.sequence {
                self.channels.insert(channel, Last { part, ..last });
            }
        }
    }

    /// Where the last wave of each channel stands that a pattern takes, in the order of their sequences.
    pub(crate) fn last_of(&self, pattern: &Pattern) -> Vec<(Box<str>, Location)> {
        self.last_of_any(std::slice::from_ref(pattern))
    }

    /// The same where one of these patterns takes the channel.
    pub(crate) fn last_of_any(&self, patterns: &[Pattern]) -> Vec<(Box<str>, Location)> {
        let found = |channel: &str, last: &Last| {
            let Last { sequence, part, offset } = *last;
            let segment = self.parts.get(&part)?.name();
            Some((channel.into(), Location { sequence, segment, offset }))
        };
        let concrete = patterns.first().filter(|one| patterns.len() == 1 && one.is_concrete());
        let mut all: Vec<_> = if let Some(channel) = concrete.map(Pattern::as_str) {
            let last = self.channels.get(channel);
            last.and_then(|last| found(channel, last)).into_iter().collect()
        } else {
            let matches = |channel: &str| patterns.iter().any(|pattern| pattern.matches(channel));
            let taken = self.channels.iter().filter(|(channel, _)| matches(channel));
            taken.filter_map(|(channel, last)| found(channel, last)).collect()
        };
        all.sort_unstable_by_key(|(_, location)| location.sequence);
        all
    }

    /// How many waves there are.
    pub(crate) fn waves(&self) -> u64 {
        self.parts.values().map(|part| part.waves).sum()
    }
}

#[cfg(test)]
mod tests;
