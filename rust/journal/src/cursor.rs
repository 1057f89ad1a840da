//! What a durable cursor knows: which waves its reader has finished, which are out, and how often each was out.
//!
//! ```text
//! sequence   1 ... 40 | 41  42  43  44 | 45  46  47  48   ...
//!            finished |     42      44 |     46
//!                    low              top
//!                         out: 42, once    finished: 46
//!                         waits: 44
//! ```
//! Contract:
//! - A wave is *unfinished* until it is acknowledged, given up, or its mailbox has lost it by a rule of its own. Up to
//!   `top`, what is not said to be unfinished is finished, and what does not match with it; beyond `top`, what is not said
//!   to be finished, or out, is still to come. `top` rises by [`Cursor::survey`] alone, which knows what waits: so a
//!   cursor never jumps ahead.
//! - What [`Cursor::encode`] says at any moment is enough for the next start: nothing that was acknowledged by then
//!   comes again, everything else does, and what was out comes with its number of deliveries.
//! - It is as large as what is unfinished up to `top`: what is out, and what waits in the mailbox behind it.
//! - It is plain data: no clock, no lock, no disk. Moments are seconds of whatever clock the caller has.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::{cut, cut_u32, cut_u64};

/// The version of what is encoded.
const VERSION: u8 = 1;

/// What a durable cursor knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cursor {
    top: u64,
    /// Waves that were handed out and are not finished.
    open: BTreeMap<u64, Open>,
    /// Waves up to `top` that were never handed out.
    waiting: BTreeSet<u64>,
    /// Waves beyond `top` that are finished.
    finished: BTreeSet<u64>,
    /// Waves that were finished while the mailbox had them once more, or may have had.
    stale: BTreeSet<u64>,
}

/// A wave that was handed out.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Open {
    /// How often.
    deliveries: u32,
    place: Place,
}

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// With a reader, who has time until then.
    Out { reader: u64, until: f64 },
    /// In the mailbox, once more.
    Brought,
    /// In the journal, or read from there by now: it was out when the program ended.
    Owed,
}

/// What to do with a wave that the journal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing: it is finished, out, or in the mailbox.
    Nothing,
    /// It was never out.
    First,
    /// It was out so many times.
    Again(u32),
}

/// What an acknowledgement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// The wave is finished.
    Now,
    /// It was before.
    Before,
    /// It was never handed out.
    NotOut,
}

impl Cursor {
    /// A cursor that begins after a sequence.
    pub fn after(sequence: u64) -> Self {
        Self { top: sequence, ..Self::default() }
    }

    /// All waves up to this one are finished: from the next one on, the journal has to be read.
    pub fn low(&self) -> u64 {
        let first = |known: Option<&u64>| known.copied().unwrap_or(u64::MAX);
        let open = first(self.open.first_key_value().map(|(sequence, _)| sequence));
        self.top.min(open.min(first(self.waiting.first())) - 1)
    }

    /// No wave beyond this one was handed out.
    pub fn highest(&self) -> u64 {
        let open = self.open.last_key_value().map_or(0, |(&sequence, _)| sequence);
        self.top.max(open).max(self.finished.last().copied().unwrap_or(0))
    }

    /// Whether a wave is finished, as far as can be told of one that may not match at all.
    pub fn is_finished(&self, sequence: u64) -> bool {
        if self.open.contains_key(&sequence) {
            return false;
        }
        if sequence <= self.top {
            return !self.waiting.contains(&sequence);
        }
        self.finished.contains(&sequence)
    }

    /// What to do with a wave that is read from the journal, and matches.
    pub fn due(&self, sequence: u64) -> Due {
        match self.open.get(&sequence) {
            Some(Open { deliveries, place: Place::Owed }) => Due::Again(*deliveries),
            Some(_) => Due::Nothing,
            None if self.is_finished(sequence) => Due::Nothing,
            None => Due::First,
        }
    }

    /// A reader has it, for the so many-th time, until a moment. False: it is finished already, and nobody needs it.
    pub fn take(&mut self, sequence: u64, deliveries: u32, reader: u64, until: f64) -> bool {
        if self.is_finished(sequence) {
            self.stale.remove(&sequence);
            return false;
        }
        self.waiting.remove(&sequence);
        self.open.insert(sequence, Open { deliveries, place: Place::Out { reader, until } });
        true
    }

    /// A reader gives it back, as if he had never had it: it waits again. False: it does already, or is finished.
    pub fn untake(&mut self, sequence: u64) -> bool {
        let out = |open: &&mut Open| matches!(open.place, Place::Out { .. });
        let Some(open) = self.open.get_mut(&sequence).filter(out) else { return false };
        open.deliveries -= 1;
        open.place = Place::Brought;
        if open.deliveries == 0 {
            self.open.remove(&sequence);
            if sequence <= self.top {
                self.waiting.insert(sequence);
            }
        }
        true
    }

    /// A wave that was handed out is finished.
    pub fn acknowledge(&mut self, sequence: u64) -> Acknowledged {
        if let Some(open) = self.open.remove(&sequence) {
            if sequence > self.top {
                self.finished.insert(sequence);
            }
            if !matches!(open.place, Place::Out { .. }) {
                self.stale.insert(sequence);
            }
            return Acknowledged::Now;
        }
        if self.is_finished(sequence) { Acknowledged::Before } else { Acknowledged::NotOut }
    }

    /// Everything that a reader has is finished; whether that was anything.
    pub fn acknowledge_all(&mut self, reader: u64) -> bool {
        let his =
            |open: &Open| matches!(open.place, Place::Out { reader: one, .. } if one == reader);
        let all: Vec<u64> =
            self.open.iter().filter(|(_, open)| his(open)).map(|(&sequence, _)| sequence).collect();
        for &sequence in &all {
            self.acknowledge(sequence);
        }
        !all.is_empty()
    }

    /// The waves whose time is over, at most so many, and how often each was out.
    pub fn overdue(&self, now: f64, most: usize) -> Vec<(u64, u32)> {
        let over = |(&sequence, open): (&u64, &Open)| match open.place {
            Place::Out { until, .. } if until <= now => Some((sequence, open.deliveries)),
            _ => None,
        };
        self.open.iter().filter_map(over).take(most).collect()
    }

    /// When the next one is over; infinite: none ever is.
    pub fn next_until(&self) -> f64 {
        let until = |open: &Open| match open.place {
            Place::Out { until, .. } => until,
            Place::Brought | Place::Owed => f64::INFINITY,
        };
        self.open.values().map(until).fold(f64::INFINITY, f64::min)
    }

    /// A wave whose time was over comes into the mailbox again. False: it was acknowledged, or taken again, meanwhile.
    pub fn brought(&mut self, sequence: u64, deliveries: u32) -> bool {
        let out = |open: &&mut Open| {
            open.deliveries == deliveries && matches!(open.place, Place::Out { .. })
        };
        let Some(open) = self.open.get_mut(&sequence).filter(out) else { return false };
        open.place = Place::Brought;
        true
    }

    /// A wave stays out until another moment, with nobody.
    pub fn postpone(&mut self, sequence: u64, until: f64) {
        if let Some(open) = self.open.get_mut(&sequence) {
            open.place = Place::Out { reader: 0, until };
        }
    }

    /// Takes note of what waits in the mailbox: `waiting` are the waves there up to [`Self::highest`], and no others up
    /// to `sure` are there or are to come.
    pub fn survey(&mut self, waiting: &[u64], sure: u64) {
        let there: BTreeSet<u64> = waiting.iter().copied().collect();
        // What is not there any more, and no reader has, the mailbox has lost by its rules: expired, faded, cleared.
        let lost = |sequence: u64, open: &Open| {
            let out = matches!(open.place, Place::Out { .. });
            !out && sequence <= sure && !there.contains(&sequence)
        };
        let gone: Vec<u64> = self
            .open
            .iter()
            .filter(|&(&sequence, open)| lost(sequence, open))
            .map(|(&sequence, _)| sequence)
            .collect();
        for sequence in gone {
            self.acknowledge(sequence);
        }
        self.stale.retain(|one| there.contains(one));
        let known_until = self.highest();
        if sure >= known_until {
            self.top = sure;
            self.finished.clear();
        }
        self.waiting.retain(|&sequence| sequence > sure);
        let Self { top, open, stale, waiting, .. } = self;
        let unfinished = |one: &u64| one <= top && !open.contains_key(one) && !stale.contains(one);
        waiting.extend(there.into_iter().filter(unfinished));
    }

    /// Forgets who has what, for another mailbox: what was out is owed.
    pub fn restart(&mut self) {
        self.stale.clear();
        for open in self.open.values_mut() {
            open.place = Place::Owed;
        }
    }

    /// What to write down; see `docs/journal-format.md`.
    pub fn encode(&self) -> Vec<u8> {
        let mut into = vec![VERSION];
        into.extend_from_slice(&self.low().to_le_bytes());
        into.extend_from_slice(&self.top.to_le_bytes());
        let mut unfinished: BTreeMap<u64, u32> = self.waiting.iter().map(|&one| (one, 0)).collect();
        let mut beyond: BTreeMap<u64, u32> = self.finished.iter().map(|&one| (one, 0)).collect();
        for (&sequence, open) in &self.open {
            let part = if sequence <= self.top { &mut unfinished } else { &mut beyond };
            part.insert(sequence, open.deliveries);
        }
        for part in [unfinished, beyond] {
            into.extend_from_slice(&(part.len() as u64).to_le_bytes());
            for (sequence, deliveries) in part {
                into.extend_from_slice(&sequence.to_le_bytes());
                into.extend_from_slice(&deliveries.to_le_bytes());
            }
        }
        into
    }

    /// What was written down, at the next start; `None`: it was not this, or of a later version.
    pub fn decode(said: &[u8]) -> Option<Self> {
        let low = low(said)?;
        let mut rest = &said[9..];
        let mut cursor = Self::after(cut_u64(&mut rest)?);
        for beyond in [false, true] {
            let mut before = if beyond { cursor.top } else { low };
            for _ in 0..cut_u64(&mut rest)? {
                let (sequence, deliveries) = (cut_u64(&mut rest)?, cut_u32(&mut rest)?);
                if sequence <= before || (!beyond && sequence > cursor.top) {
                    return None;
                }
                before = sequence;
                match (deliveries, beyond) {
                    (0, false) => _ = cursor.waiting.insert(sequence),
                    (0, true) => _ = cursor.finished.insert(sequence),
                    _ => {
                        cursor.open.insert(sequence, Open { deliveries, place: Place::Owed });
                    }
                }
            }
        }
        (rest.is_empty() && cursor.low() == low).then_some(cursor)
    }
}

/// What a cursor that was encoded has finished: all waves up to this one. No journal may lose a later one while it
/// counts on that cursor.
pub fn low(said: &[u8]) -> Option<u64> {
    let mut rest = said;
    let version = cut(&mut rest, 1)?;
    if version == [VERSION] { cut_u64(&mut rest) } else { None }
}
