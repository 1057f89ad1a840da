//! The tokens of wildcard patterns, each text once, under a number.
//!
//! A token lives as long as an edge of the trie bears it: edges take and release
//! references, and the last one frees text and number. So `session.<uuid>.*` leaves
//! nothing behind. Concrete channels never come here, and looking up a token that
//! nobody holds adds nothing.

use hashbrown::HashTable;

use super::hash::Numbered;

/// The number of no token.
pub(super) const NO_TOKEN: u32 = 0;

pub(super) struct Tokens {
    index: HashTable<Numbered>,
    /// By number; the first is no token.
    slots: Vec<Slot>,
    vacant: Vec<u32>,
}

struct Slot {
    text: Box<str>,
    hash: u32,
    /// The edges that bear this token; 0: vacant.
    edges: u32,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            index: HashTable::new(),
            slots: vec![Slot { text: Box::default(), hash: 0, edges: 0 }],
            vacant: Vec::new(),
        }
    }

    /// The number of a token, or [`NO_TOKEN`] if no edge bears it.
    #[inline]
    pub(super) fn find(&self, text: &str, hash: u32) -> u32 {
        self.index
            .find(Numbered::spread(hash), |found| {
                found.hash == hash && *self.slots[found.number as usize].text == *text
            })
            .map_or(NO_TOKEN, |found| found.number)
    }

    /// The number of a token for one more edge.
    pub(super) fn take(&mut self, text: &str, hash: u32) -> u32 {
        let found = self.find(text, hash);
        if found != NO_TOKEN {
            self.slots[found as usize].edges += 1;
            return found;
        }
        let slot = Slot { text: text.into(), hash, edges: 1 };
        let number = if let Some(number) = self.vacant.pop() {
            self.slots[number as usize] = slot;
            number
        } else {
            self.slots.push(slot);
            (self.slots.len() - 1) as u32
        };
        self.index.insert_unique(Numbered::spread(hash), Numbered { hash, number }, |other| {
            Numbered::spread(other.hash)
        });
        number
    }

    /// Takes the reference of one edge back.
    pub(super) fn release(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        slot.edges -= 1;
        if slot.edges > 0 {
            return;
        }
        slot.text = Box::default();
        let found =
            self.index.find_entry(Numbered::spread(slot.hash), |found| found.number == number);
        if let Ok(found) = found {
            found.remove();
        }
        self.vacant.push(number);
    }

    /// How many tokens are held.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The memory that this takes, in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        self.index.allocation_size()
            + self.slots.capacity() * size_of::<Slot>()
            + self.vacant.capacity() * size_of::<u32>()
            + self.slots.iter().map(|slot| slot.text.len()).sum::<usize>()
    }
}
