//! How many waves were admitted in each domain, which is the first token of a channel.
//!
//! Contract:
//! - Each count is exact, and never falls. So many domains as were asked for have a count of their own, in the order in
//!   which their first waves came; all others share that of [`OTHER`], and so does a domain of that very name.
//! - A channel whose route is cached is counted by its place in the cache: two loads and an add. The domain of a place
//!   is looked up with the first wave after the place was given to another channel.

use hashbrown::HashMap;

use super::Hint;
use super::cache::Cache;
use crate::seeds::Seeds;

/// The domain of those that have no count of their own.
pub const OTHER: &str = "other";

/// In place of a domain: nobody has looked it up.
const UNKNOWN: u32 = u32::MAX;

/// The counts, the first of which is that of [`OTHER`].
pub(super) struct Domains {
    most: usize,
    numbers: HashMap<Box<str>, u32, Seeds>,
    counts: Vec<u64>,
    /// The domain of each place in the cache.
    places: Vec<u32>,
}

impl Domains {
    /// Counts so many domains apart.
    pub(super) fn new(most: usize) -> Self {
        let numbers = HashMap::from_iter([(Box::from(OTHER), 0)]);
        Self { most, numbers, counts: vec![0], places: Vec::new() }
    }

    /// Counts a wave of a channel whose place in the cache is this one.
    #[inline]
    pub(super) fn count_at(&mut self, index: usize, cache: &Cache) {
        let known = self.places.get(index).and_then(|&domain| self.counts.get_mut(domain as usize));
        match known {
            Some(count) => *count += 1,
            None => self.count_first(index, cache),
        }
    }

    /// Counts a wave of a channel that may have a place in the cache.
    #[inline]
    pub(super) fn count(&mut self, channel: &str, hint: Hint, cache: &Cache) {
        match cache.recall(hint) {
            Some(index) => self.count_at(index, cache),
            None => {
                let domain = self.number(channel);
                self.counts[domain as usize] += 1;
            }
        }
    }

    /// A place in the cache was given to another channel.
    pub(super) fn forget(&mut self, index: usize) {
        if let Some(place) = self.places.get_mut(index) {
            *place = UNKNOWN;
        }
    }

    /// Each domain with its count, [`OTHER`] first.
    pub(super) fn counts(&self) -> Vec<(Box<str>, u64)> {
        let mut counts: Vec<(Box<str>, u64)> =
            self.counts.iter().map(|&count| (Box::default(), count)).collect();
        for (name, &number) in &self.numbers {
            counts[number as usize].0.clone_from(name);
        }
        counts
    }

    #[cold]
    fn count_first(&mut self, index: usize, cache: &Cache) {
        let domain = self.number(cache.channel(index));
        if index >= self.places.len() {
            self.places.resize(index + 1, UNKNOWN);
        }
        self.places[index] = domain;
        self.counts[domain as usize] += 1;
    }

    fn number(&mut self, channel: &str) -> u32 {
        let domain = channel.split_once('.').map_or(channel, |(first, _)| first);
        if let Some(&number) = self.numbers.get(domain) {
            return number;
        }
        if self.numbers.len() > self.most {
            return 0;
        }
        let number = self.counts.len() as u32;
        self.numbers.insert(domain.into(), number);
        self.counts.push(0);
        number
    }

    /// The memory that this takes, in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        self.numbers.allocation_size()
            + self.numbers.keys().map(|name| name.len()).sum::<usize>()
            + self.counts.capacity() * size_of::<u64>()
            + self.places.capacity() * size_of::<u32>()
    }
}
