//! How many waves were admitted in each domain, which is the first token of a channel.
//!
//! Contract:
//! - Each count is exact, and never falls. So many domains as were asked for have a count of their own, in the order in
//!   which their first waves came; all others share that of [`OTHER`], and so does a domain of that very name.
//! - A channel whose route is cached is counted by its [`Hint`], without a look at its name. As an epoch is given once, the
//!   same epoch at the same index is the same channel, and so of the same domain.

use hashbrown::HashMap;

use super::{Hint, Router};
use crate::seeds::Seeds;

/// The domain of those that have no count of their own.
pub const OTHER: &str = "other";

/// Counts by domain, the first of which is that of [`OTHER`].
pub struct Domains {
    most: usize,
    numbers: HashMap<Box<str>, u32, Seeds>,
    /// Without what is counted at the places.
    counts: Vec<u64>,
    /// By the index of a hint.
    places: Vec<Place>,
}

/// A channel whose route is cached, and how many waves it has had since it was.
#[derive(Clone, Copy, Default)]
struct Place {
    /// That of the hint; 0: nobody's.
    epoch: u64,
    count: u64,
    domain: u32,
}

impl Domains {
    /// Counts so many domains apart.
    pub fn new(most: usize) -> Self {
        let numbers = HashMap::from_iter([(Box::from(OTHER), 0)]);
        Self { most, numbers, counts: vec![0], places: Vec::new() }
    }

    /// Counts a wave of a channel, whose hint this is. Nothing of this is on the way of those who do not count.
    #[inline(never)]
    pub fn count(&mut self, channel: &str, hint: Hint) {
        if !self.count_known(hint) {
            self.count_named(channel, hint);
        }
    }

    /// The same by a hint that [`Router::recall`] has found good.
    #[inline(never)]
    pub fn count_recalled(&mut self, hint: Hint, router: &Router) {
        if !self.count_known(hint) {
            self.count_named(router.channel(hint), hint);
        }
    }

    /// Each domain with its count, [`OTHER`] first.
    pub fn counts(&self) -> Vec<(Box<str>, u64)> {
        let mut counts: Vec<(Box<str>, u64)> =
            self.counts.iter().map(|&count| (Box::default(), count)).collect();
        for place in &self.places {
            counts[place.domain as usize].1 += place.count;
        }
        for (name, &number) in &self.numbers {
            counts[number as usize].0.clone_from(name);
        }
        counts
    }

    #[inline]
    fn count_known(&mut self, hint: Hint) -> bool {
        match self.places.get_mut(hint.index as usize) {
            // Epoch 0 is that of places which nobody has had, and of hints which nobody has filled.
            Some(place) if place.epoch == hint.epoch && hint.epoch != 0 => {
                place.count += 1;
                true
            }
            _ => false,
        }
    }

    #[cold]
    fn count_named(&mut self, channel: &str, hint: Hint) {
        let domain = self.number(channel);
        if hint.epoch == 0 {
            self.counts[domain as usize] += 1;
            return;
        }
        let index = hint.index as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, Place::default());
        }
        let place = Place { epoch: hint.epoch, count: 1, domain };
        let before = std::mem::replace(&mut self.places[index], place);
        self.counts[before.domain as usize] += before.count;
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
}
