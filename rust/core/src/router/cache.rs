//! The routes of the channels that were emitted on lately.
//!
//! A route holds the numbers of patterns, not of members: who joins or leaves a known
//! pattern touches nothing here. What may change a route is told apart:
//!
//! - A literal pattern is made or freed: [`Cache::patch_literal`] writes it into the one
//!   route that it can belong to.
//! - A wildcard pattern is made or freed: the stamp of each route that it may concern no
//!   longer fits, and the next emission on it walks the trie again.
//!
//! Routes that reach nobody are kept like all others. When the cache is full, a channel gets
//! in when it comes for the second time lately (a *doorkeeper*: G. Einziger, R. Friedman and
//! B. Manes on cache admission, ACM Transactions on Storage 13, 2017), so that names that are
//! used once, a session's or a request's, push nobody out and cost no more than their walk.
//! Its route takes the place of one that was not asked for lately (CLOCK); nothing is ever
//! swept. Routes over many patterns have lists of their own, which share a bounded room by
//! the same clock; what does not fit is walked each time.
//!
//! A [`Hint`] finds its route without hashing: epochs are given once each, so the same
//! epoch at the same index is the same channel.

use hashbrown::HashTable;

use super::Hint;
use super::hash::Numbered;
use super::patterns::NO_PATTERN;
use super::stamps::{Slots, Stamps};

/// Patterns that lie in the entry itself: the literal one and four with wildcards.
const INLINE: usize = 5;

/// In place of a count: the patterns are in the wide list that the first number names.
const WIDE: u8 = u8::MAX;

/// Patterns in wide lists, for each place in the cache.
const WIDE_SHARE: usize = 64;

/// Of channels that were turned away, twice as many are remembered as there are places in the cache: so many
/// places at least and at most.
const REMEMBERED: (usize, usize) = (64, 65_536);

/// How far the hand of the clock goes for one eviction.
const HAND_STEPS: usize = 64;

pub(super) struct Cache {
    capacity: usize,
    /// Found by the hash of the channel.
    index: HashTable<Numbered>,
    entries: Vec<Entry>,
    /// The channels of the entries, apart: a hit by hint does not touch them.
    names: Vec<Name>,
    wide: Vec<Vec<u32>>,
    vacant_wide: Vec<u32>,
    /// Patterns in all wide lists.
    in_wide: usize,
    /// The entry that is looked at next for eviction.
    hand: usize,
    /// What is left of the hashes of channels that were turned away lately, the newest first, in the row that
    /// the rest of the hash says; made when the first is.
    turned_away: Vec<[u16; 4]>,
    /// The epoch of the next entry.
    epoch: u64,
    evictions: u64,
}

/// One cache line.
#[repr(align(64))]
struct Entry {
    /// Which filling of this place it is.
    epoch: u64,
    /// The patterns: first the literal one or [`NO_PATTERN`], then those with wildcards.
    patterns: [u32; INLINE],
    /// How many of them, or [`WIDE`].
    len: u8,
    /// Asked for since the hand of the clock passed.
    asked: bool,
    /// All changes when the stamp was found to fit last.
    seen: u32,
    /// The sum of the slots when the trie was walked.
    stamp: u32,
    slots: Slots,
}

struct Name {
    channel: String,
    hash: u32,
}

impl Cache {
    pub(super) fn new(capacity: usize, first_epoch: u64) -> Self {
        Self {
            capacity: capacity.min(u32::MAX as usize),
            index: HashTable::new(),
            entries: Vec::new(),
            names: Vec::new(),
            wide: Vec::new(),
            vacant_wide: Vec::new(),
            in_wide: 0,
            hand: 0,
            turned_away: Vec::new(),
            epoch: first_epoch,
            evictions: 0,
        }
    }

    /// The entry that a hint points at, unless another channel has taken its place.
    #[inline]
    pub(super) fn recall(&self, hint: Hint) -> Option<usize> {
        let index = hint.index as usize;
        let entry = self.entries.get(index)?;
        // Epoch 0 is the hint that nobody has filled yet, and no entry has it.
        (entry.epoch == hint.epoch).then_some(index)
    }

    /// The entry of a channel.
    #[inline]
    pub(super) fn find(&self, channel: &str, hash: u32) -> Option<usize> {
        let found = self.index.find(Numbered::spread(hash), |found| {
            found.hash == hash && self.names[found.number as usize].channel == channel
        })?;
        Some(found.number as usize)
    }

    /// Whether the entry still holds. If so it counts as asked for.
    #[inline]
    pub(super) fn holds(&mut self, index: usize, stamps: &Stamps) -> bool {
        let entry = &mut self.entries[index];
        if entry.seen != stamps.changes() {
            if entry.stamp != stamps.sum(entry.slots) {
                return false;
            }
            entry.seen = stamps.changes();
        }
        entry.asked = true;
        true
    }

    #[inline]
    pub(super) fn hint(&self, index: usize) -> Hint {
        Hint { index: index as u32, epoch: self.entries[index].epoch }
    }

    /// The patterns of an entry, the literal one first.
    #[inline]
    pub(super) fn patterns(&self, index: usize) -> &[u32] {
        let entry = &self.entries[index];
        if entry.len == WIDE {
            &self.wide[entry.patterns[0] as usize]
        } else {
            &entry.patterns[..usize::from(entry.len).min(INLINE)]
        }
    }

    /// The channel of an entry.
    pub(super) fn channel(&self, index: usize) -> &str {
        &self.names[index].channel
    }

    /// The literal pattern is made or freed: puts it into the route of its channel.
    pub(super) fn patch_literal(&mut self, channel: &str, hash: u32, pattern: u32) {
        if let Some(index) = self.find(channel, hash) {
            let entry = &mut self.entries[index];
            if entry.len == WIDE {
                self.wide[entry.patterns[0] as usize][0] = pattern;
            } else {
                entry.patterns[0] = pattern;
            }
        }
    }

    /// Keeps a route that was walked just now, in the entry of its channel that no longer
    /// held. Returns false if there is no room for so many patterns.
    pub(super) fn refresh(&mut self, index: usize, patterns: &[u32], stamps: &Stamps) -> bool {
        self.empty(index);
        if !self.make_room(patterns.len(), stamps) {
            return false;
        }
        self.fill(index, patterns, stamps);
        self.entries[index].asked = true;
        true
    }

    /// Whether a channel that has no entry is to get one: at once while there is room, and otherwise if it
    /// was turned away lately.
    pub(super) fn admits(&mut self, hash: u32) -> bool {
        if self.entries.len() < self.capacity {
            return true;
        }
        if self.capacity == 0 {
            return false;
        }
        if self.turned_away.is_empty() {
            let rows = self.capacity.clamp(REMEMBERED.0, REMEMBERED.1).next_power_of_two() / 2;
            self.turned_away.resize(rows, [0; 4]);
        }
        let last = self.turned_away.len() - 1;
        let row = &mut self.turned_away[hash as usize & last];
        // 0 is nobody's.
        let rest = ((hash >> 16) as u16).max(1);
        if let Some(known) = row.iter_mut().find(|known| **known == rest) {
            *known = 0;
            return true;
        }
        let [newest, second, third, _] = *row;
        *row = [rest, newest, second, third];
        false
    }

    /// Keeps a route that was walked just now under a channel that has no entry yet.
    /// Returns its index, or `None` if there is no room for it.
    pub(super) fn keep(
        &mut self,
        channel: &str,
        hash: u32,
        patterns: &[u32],
        slots: Slots,
        stamps: &Stamps,
    ) -> Option<usize> {
        if !self.make_room(patterns.len(), stamps) {
            return None;
        }
        let index = if self.entries.len() < self.capacity {
            self.entries.push(Entry {
                epoch: 0,
                patterns: [NO_PATTERN; INLINE],
                len: 0,
                asked: false,
                seen: 0,
                stamp: 0,
                slots: Slots::default(),
            });
            self.names.push(Name { channel: channel.to_owned(), hash });
            self.entries.len() - 1
        } else {
            let index = self.evict();
            let name = &mut self.names[index];
            name.hash = hash;
            // A long name must not hold on to its room for ever.
            if name.channel.capacity() > 2 * channel.len().max(64) {
                name.channel = String::new();
            }
            channel.clone_into(&mut name.channel);
            index
        };
        let entry = &mut self.entries[index];
        entry.epoch = self.epoch;
        // 0 belongs to the hints that nobody has filled.
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        entry.asked = false;
        entry.slots = slots;
        self.fill(index, patterns, stamps);
        let number = index as u32;
        self.index.insert_unique(Numbered::spread(hash), Numbered { hash, number }, |other| {
            Numbered::spread(other.hash)
        });
        Some(index)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions
    }

    /// The memory that this takes, in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        self.index.allocation_size()
            + self.entries.capacity() * size_of::<Entry>()
            + self.names.capacity() * size_of::<Name>()
            + self.names.iter().map(|name| name.channel.capacity()).sum::<usize>()
            + self.turned_away.capacity() * size_of::<[u16; 4]>()
            + self.wide.capacity() * size_of::<Vec<u32>>()
            + self.wide.iter().map(|list| list.capacity() * size_of::<u32>()).sum::<usize>()
    }

    /// Whether there is room for so many patterns. If there is not, lists of routes that
    /// were not asked for lately make room: those are walked again when they are.
    fn make_room(&mut self, patterns: usize, stamps: &Stamps) -> bool {
        let room = self.capacity.saturating_mul(WIDE_SHARE);
        if patterns <= INLINE || patterns > room {
            return patterns <= INLINE;
        }
        for _ in 0..HAND_STEPS.min(self.entries.len()) {
            if self.in_wide + patterns <= room {
                break;
            }
            let (index, asked) = self.turn();
            let entry = &mut self.entries[index];
            if !asked && entry.len == WIDE {
                // Counters only grow: what does not fit now will never fit.
                entry.seen = stamps.changes().wrapping_sub(1);
                entry.stamp = stamps.sum(entry.slots).wrapping_sub(1);
                self.empty(index);
            }
        }
        self.in_wide + patterns <= room
    }

    /// Moves the hand of the clock by one: where it was, and whether that was asked for.
    fn turn(&mut self) -> (usize, bool) {
        let index = self.hand;
        self.hand = (index + 1) % self.entries.len();
        (index, std::mem::take(&mut self.entries[index].asked))
    }

    /// Writes the patterns of an entry without a wide list. There is room for them.
    fn fill(&mut self, index: usize, patterns: &[u32], stamps: &Stamps) {
        let entry = &mut self.entries[index];
        entry.seen = stamps.changes();
        entry.stamp = stamps.sum(entry.slots);
        if patterns.len() <= INLINE {
            entry.patterns[..patterns.len()].copy_from_slice(patterns);
            entry.len = patterns.len() as u8;
            return;
        }
        self.in_wide += patterns.len();
        let list = if let Some(vacant) = self.vacant_wide.pop() {
            self.wide[vacant as usize] = patterns.to_vec();
            vacant
        } else {
            self.wide.push(patterns.to_vec());
            (self.wide.len() - 1) as u32
        };
        entry.len = WIDE;
        entry.patterns[0] = list;
    }

    /// Gives the wide list of an entry back, if it has one; its literal pattern stays.
    fn empty(&mut self, index: usize) {
        let entry = &mut self.entries[index];
        if entry.len == WIDE {
            let list = entry.patterns[0];
            let patterns = std::mem::take(&mut self.wide[list as usize]);
            self.in_wide -= patterns.len();
            self.vacant_wide.push(list);
            entry.patterns[0] = patterns[0];
            entry.len = 1;
        }
    }

    /// Takes one entry off the index and returns its place. An entry that was asked for
    /// since the hand came by is passed over, but not for longer than [`HAND_STEPS`].
    fn evict(&mut self) -> usize {
        let (mut index, mut asked) = self.turn();
        for _ in 1..HAND_STEPS {
            if !asked {
                break;
            }
            (index, asked) = self.turn();
        }
        self.evictions += 1;
        self.empty(index);
        let number = index as u32;
        let found = self
            .index
            .find_entry(Numbered::spread(self.names[index].hash), |found| found.number == number);
        if let Ok(found) = found {
            found.remove();
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_one_cache_line() {
        assert_eq!(size_of::<Entry>(), 64);
    }
}
