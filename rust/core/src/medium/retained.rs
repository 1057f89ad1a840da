//! The last wave of each channel that a medium retains: at most so many channels, the one that has been silent for
//! longest goes first.
//!
//! ```text
//! router    "orders.>" -> [mailbox 3, RETAINED]        whether a channel is retained is part of its route
//! places    "orders.created" -> 0   "orders.paid" -> 1
//! kept      0: wave 17   1: wave 12   2: wave 15       each with its neighbours by sequence: 12 - 15 - 17
//! ```
//! Contract:
//! - A wave takes the place of the one of its channel; sequences rise, so the newest is the last of the row. To put one
//!   costs one look-up, however many there are.
//! - What is displaced or forgotten is handed out for its drop.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::channel::{Pattern, relate};
use crate::mailbox::Arrival;
use crate::router::Member;
use crate::seeds::Seeds;

/// Stands for what is retained, among the mailboxes on a route: none ever has this number.
pub(super) const RETAINED: Member = u32::MAX;

/// No neighbour.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Retained<T> {
    /// Of which channels, as it was spelled.
    pub(super) patterns: Vec<Pattern>,
    most: usize,
    places: HashTable<u32>,
    seeds: Seeds,
    kept: Vec<Kept<T>>,
    oldest: u32,
    newest: u32,
    /// Channels that had to go for others.
    pub(super) forgotten: u64,
}

/// The last wave of a channel.
#[derive(Debug)]
pub(super) struct Kept<T> {
    pub(super) channel: Box<str>,
    pub(super) sequence: u64,
    pub(super) amplitude: f64,
    pub(super) priority: f64,
    pub(super) expires: f64,
    pub(super) emitter: u64,
    pub(super) item: T,
    older: u32,
    newer: u32,
}

impl<T> Kept<T> {
    pub(super) fn arrival(&self) -> Arrival<'_> {
        let Self { channel, amplitude, priority, expires, .. } = self;
        Arrival { channel, amplitude: *amplitude, priority: *priority, expires: *expires }
    }
}

impl<T> Retained<T> {
    /// Of the channels that these patterns take, so many at most.
    pub(super) fn new(patterns: Vec<Pattern>, most: usize) -> Self {
        Self {
            patterns,
            most: most.clamp(1, NONE as usize),
            places: HashTable::new(),
            seeds: Seeds::default(),
            kept: Vec::new(),
            oldest: NONE,
            newest: NONE,
            forgotten: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether every channel of a pattern is retained.
    pub(super) fn covers(&self, pattern: &Pattern) -> bool {
        self.patterns.iter().any(|retained| relate::covers(retained, pattern))
    }

    /// Whether this channel is.
    pub(super) fn takes(&self, channel: &str) -> bool {
        self.place_of(channel).is_some()
            || self.patterns.iter().any(|pattern| pattern.matches(channel))
    }

    /// Keeps a wave, which is newer than all that are kept; gives the one that goes for it.
    pub(super) fn keep(
        &mut self,
        wave: &Arrival<'_>,
        emitter: u64,
        sequence: u64,
        item: T,
    ) -> Option<T> {
        debug_assert!(self.last().is_none_or(|last| last < sequence), "sequences rise");
        let &Arrival { channel, amplitude, priority, expires } = wave;
        let (older, newer) = (NONE, NONE);
        let kept = |channel| Kept {
            channel,
            sequence,
            amplitude,
            priority,
            expires,
            emitter,
            item,
            older,
            newer,
        };
        let (place, gone) = if let Some(place) = self.place_of(channel) {
            self.unlink(place);
            let known = &mut self.kept[place as usize];
            let channel = std::mem::take(&mut known.channel);
            (place, Some(std::mem::replace(known, kept(channel)).item))
        } else if self.kept.len() < self.most {
            self.kept.push(kept(channel.into()));
            let place = (self.kept.len() - 1) as u32;
            self.enter(place);
            (place, None)
        } else {
            let place = self.oldest;
            self.unlink(place);
            self.leave(place);
            self.forgotten += 1;
            let gone = std::mem::replace(&mut self.kept[place as usize], kept(channel.into()));
            self.enter(place);
            (place, Some(gone.item))
        };
        self.link(place);
        gone
    }

    /// The last waves of the channels that some of these patterns take, by rising sequences.
    pub(super) fn of<'a>(
        &'a self,
        patterns: &'a [Pattern],
    ) -> Box<dyn Iterator<Item = &'a Kept<T>> + 'a> {
        let concrete = patterns.first().filter(|one| patterns.len() == 1 && one.is_concrete());
        if let Some(channel) = concrete {
            let place = self.place_of(channel.as_str());
            return Box::new(place.map(|place| &self.kept[place as usize]).into_iter());
        }
        let matches =
            |kept: &&Kept<T>| patterns.iter().any(|pattern| pattern.matches(&kept.channel));
        Box::new(self.iter().filter(matches))
    }

    /// All of them, by rising sequences.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Kept<T>> {
        let at = |place: u32| self.kept.get(place as usize);
        std::iter::successors(at(self.oldest), move |kept| at(kept.newer))
    }

    /// Hands all of them out.
    pub(super) fn into_items(self) -> impl Iterator<Item = T> {
        self.kept.into_iter().map(|kept| kept.item)
    }

    /// The sequence of the newest of them.
    pub(super) fn last(&self) -> Option<u64> {
        self.kept.get(self.newest as usize).map(|kept| kept.sequence)
    }

    fn place_of(&self, channel: &str) -> Option<u32> {
        let hash = self.seeds.hash_one(channel);
        let same = |&place: &u32| *self.kept[place as usize].channel == *channel;
        self.places.find(hash, same).copied()
    }

    fn enter(&mut self, place: u32) {
        let Self { places, seeds, kept, .. } = self;
        let hash = |&place: &u32| seeds.hash_one(&*kept[place as usize].channel);
        places.insert_unique(hash(&place), place, hash);
    }

    fn leave(&mut self, place: u32) {
        let hash = self.seeds.hash_one(&*self.kept[place as usize].channel);
        if let Ok(entry) = self.places.find_entry(hash, |&known| known == place) {
            entry.remove();
        }
    }

    /// Takes one out of the row.
    fn unlink(&mut self, place: u32) {
        let Kept { older, newer, .. } = self.kept[place as usize];
        match self.kept.get_mut(older as usize) {
            Some(kept) => kept.newer = newer,
            None => self.oldest = newer,
        }
        match self.kept.get_mut(newer as usize) {
            Some(kept) => kept.older = older,
            None => self.newest = older,
        }
    }

    /// Puts one at the end of the row.
    fn link(&mut self, place: u32) {
        let older = std::mem::replace(&mut self.newest, place);
        self.kept[place as usize].older = older;
        match self.kept.get_mut(older as usize) {
            Some(kept) => kept.newer = place,
            None => self.oldest = place,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channel::Limits;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, Limits::DEFAULT).expect("a pattern")
    }

    proptest! {
        /// It is a list in which a wave replaces the one of its channel, cut at the front.
        #[test]
        fn it_is_a_list(most in 1..6usize, channels in prop::collection::vec(0..9u8, 0..60)) {
            let mut ours = Retained::new(vec![pattern("a.*")], most);
            let (mut plain, mut forgotten) = (Vec::<(String, u64)>::new(), 0);
            for (channel, sequence) in channels.into_iter().zip(1..) {
                let channel = format!("a.{channel}");
                let arrival = Arrival {
                    channel: &channel, amplitude: 1.0, priority: 1.0, expires: f64::INFINITY,
                };
                let gone = ours.keep(&arrival, 0, sequence, sequence);
                let known = plain.iter().position(|(known, _)| *known == channel);
                let full = plain.len() == most;
                forgotten += u64::from(known.is_none() && full);
                let expected = known.or(full.then_some(0)).map(|place| plain.remove(place).1);
                prop_assert_eq!(gone, expected);
                plain.push((channel, sequence));
                let all = ours.iter().map(|kept| (kept.channel.to_string(), kept.item));
                prop_assert_eq!(all.collect::<Vec<_>>(), plain.clone());
                let (one, wild) = ([pattern("a.3")], [pattern("a.3"), pattern("+.5")]);
                for asked in [&one[..], &wild[..]] {
                    let takes = |channel: &str| asked.iter().any(|one| one.matches(channel));
                    let found: Vec<u64> = ours.of(asked).map(|kept| kept.sequence).collect();
                    let expected = plain.iter().filter(|(channel, _)| takes(channel));
                    prop_assert_eq!(found, expected.map(|&(_, sequence)| sequence).collect::<Vec<_>>());
                }
                prop_assert_eq!((ours.len(), ours.forgotten), (plain.len(), forgotten));
            }
            prop_assert_eq!(ours.into_items().count(), plain.len());
        }
    }
}
