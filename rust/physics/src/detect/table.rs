//! A table of bounded size: what has not been asked for lately makes room, one at a time.
//!
//! Entries are found by numbers that are hashes already. A newcomer to a full table pushes one out, by
//! CLOCK: a hand goes round and takes the first that was not asked for since it last came by; each time an
//! entry is asked for buys it one round, up to three (F. J. Corbató, "A paging experiment with the Multics
//! system", 1968). So an operation costs O(1), amortised, and what comes once never pushes out what comes
//! back.

use hashbrown::HashTable;

/// Rounds that an entry can save up.
const ROUNDS: u8 = 3;

struct Entry<V> {
    name: u64,
    rounds: u8,
    value: V,
}

/// Values by hash, at most so many.
pub(super) struct Table<V> {
    places: HashTable<u32>,
    entries: Vec<Entry<V>>,
    most: usize,
    hand: usize,
    evicted: u64,
}

impl<V> Table<V> {
    /// An empty one for `most` entries, at least one; it takes memory as it fills.
    pub(super) fn new(most: usize) -> Self {
        let most = most.clamp(1, u32::MAX as usize);
        Self { places: HashTable::new(), entries: Vec::new(), most, hand: 0, evicted: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many have made room.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The value of a name, made now if there is none; and whether there was one.
    pub(super) fn entry(&mut self, name: u64, make: impl FnOnce() -> V) -> (&mut V, bool) {
        let entries = &self.entries;
        let found = self.places.find(name, |&place| entries[place as usize].name == name).copied();
        if let Some(place) = found {
            let entry = &mut self.entries[place as usize];
            entry.rounds = (entry.rounds + 1).min(ROUNDS);
            return (&mut entry.value, true);
        }
        let fresh = Entry { name, rounds: 0, value: make() };
        let place = if self.entries.len() < self.most {
            self.entries.push(fresh);
            self.entries.len() - 1
        } else {
            let place = self.make_room();
            self.entries[place] = fresh;
            place
        };
        let entries = &self.entries;
        self.places.insert_unique(name, place as u32, |&place| entries[place as usize].name);
        (&mut self.entries[place].value, false)
    }

    /// The value of a name, which does not count as asking for it.
    pub(super) fn peek(&mut self, name: u64) -> Option<&mut V> {
        let entries = &self.entries;
        let place = *self.places.find(name, |&place| entries[place as usize].name == name)?;
        Some(&mut self.entries[place as usize].value)
    }

    /// Takes an entry out of the places; its slot is free to be written over.
    fn make_room(&mut self) -> usize {
        loop {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.entries.len();
            let entry = &mut self.entries[place];
            if entry.rounds > 0 {
                entry.rounds -= 1;
                continue;
            }
            if let Ok(found) = self.places.find_entry(entry.name, |&at| at as usize == place) {
                found.remove();
            }
            self.evicted += 1;
            return place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_stays_and_what_comes_once_goes() {
        let mut table = Table::new(8);
        for turn in 0..1_000_u64 {
            let (count, _) = table.entry(7, || 0_u64);
            *count += 1;
            table.entry(1_000 + turn, || 0);
            assert!(table.len() <= 8);
        }
        assert_eq!(table.peek(7).copied(), Some(1_000));
        assert_eq!(table.evicted(), 1_001 - 8);
        assert_eq!(table.peek(1_000), None);
    }

    #[test]
    fn a_table_of_one_holds_the_last() {
        let mut table = Table::new(0);
        for name in 0..10 {
            assert!(!table.entry(name, || name).1);
            assert!(table.entry(name, || 99).1);
        }
        assert_eq!((table.len(), table.peek(9).copied()), (1, Some(9)));
    }
}
