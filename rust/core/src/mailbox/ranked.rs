//! The waves of one mailbox by rank, with an index for each further question that order and policy ask.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use super::{Order, Overflow};
use crate::decay::ordered;
use crate::seeds::Seeds;

/// Where a wave stands: the smallest leaves first. `key` is the order's, `arrival` breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rank {
    pub(super) key: u64,
    pub(crate) arrival: u64,
}

impl Rank {
    /// As one number: a heap compares at random, and a branch in between would be guessed wrong half the time.
    #[inline]
    fn whole(self) -> u128 {
        u128::from(self.key) << 64 | u128::from(self.arrival)
    }
}

impl Ord for Rank {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.whole().cmp(&other.whole())
    }
}

impl PartialOrd for Rank {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) item: T,
    pub(super) faintness: u64,
    pub(super) expires: f64,
    /// Only under `conflate`.
    pub(super) channel: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Ranked<T> {
    pub(super) entries: BTreeMap<Rank, Entry<T>>,
    /// arrival -> key, where a policy asks for the oldest and `entries` is not in that order already.
    pub(super) by_arrival: Option<BTreeMap<u64, u64>>,
    /// Least amplitude first, then newest; for `drop_faintest`, unless `entries` ends with the faintest.
    pub(super) by_faintness: Option<BTreeSet<(u64, Reverse<u64>, u64)>>,
    /// For `conflate`.
    pub(super) by_channel: Option<HashMap<Arc<str>, Rank, Seeds>>,
    /// Waves with a ttl only.
    pub(super) by_expiry: BTreeSet<(u64, Rank)>,
}

impl<T> Ranked<T> {
    pub(super) fn new(order: Order, overflow: Overflow) -> Self {
        let oldest = matches!(overflow, Overflow::DropOldest | Overflow::Conflate);
        let faintest = overflow == Overflow::DropFaintest && order != Order::Fresh;
        Self {
            entries: BTreeMap::new(),
            by_arrival: (oldest && order != Order::Fifo).then(BTreeMap::new),
            by_faintness: faintest.then(BTreeSet::new),
            by_channel: (overflow == Overflow::Conflate).then(HashMap::default),
            by_expiry: BTreeSet::new(),
        }
    }

    pub(super) fn insert(&mut self, rank: Rank, entry: Entry<T>) {
        if let Some(by) = &mut self.by_arrival {
            by.insert(rank.arrival, rank.key);
        }
        if let Some(by) = &mut self.by_faintness {
            by.insert((entry.faintness, Reverse(rank.arrival), rank.key));
        }
        if let (Some(by), Some(channel)) = (&mut self.by_channel, &entry.channel) {
            by.insert(Arc::clone(channel), rank);
        }
        if entry.expires < f64::INFINITY {
            self.by_expiry.insert((ordered(entry.expires), rank));
        }
        self.entries.insert(rank, entry);
    }

    pub(super) fn remove(&mut self, rank: Rank) -> T {
        let entry = self.entries.remove(&rank).expect("an index names only what is there");
        if let Some(by) = &mut self.by_arrival {
            by.remove(&rank.arrival);
        }
        if let Some(by) = &mut self.by_faintness {
            by.remove(&(entry.faintness, Reverse(rank.arrival), rank.key));
        }
        if let (Some(by), Some(channel)) = (&mut self.by_channel, &entry.channel) {
            by.remove(channel);
        }
        if entry.expires < f64::INFINITY {
            self.by_expiry.remove(&(ordered(entry.expires), rank));
        }
        entry.item
    }

    pub(super) fn oldest(&self) -> Option<Rank> {
        match &self.by_arrival {
            Some(by) => by.first_key_value().map(|(&arrival, &key)| Rank { key, arrival }),
            None => self.entries.first_key_value().map(|(&rank, _)| rank),
        }
    }
}
