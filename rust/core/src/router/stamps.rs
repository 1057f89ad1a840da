//! How a cached route knows that no new wildcard pattern may have joined it.
//!
//! Every wildcard pattern belongs to one slot, by its literal start of at most three
//! tokens (`a.b.+.c` to that of `a.b`, `+.c` to the slot 0). A slot counts the patterns
//! that were made in it and the ones that were freed. A channel can only be reached by
//! patterns of four slots: that of the root and those of its own first one, two and
//! three tokens. Counters only grow, so as long as the sum of the four is the same,
//! nothing has changed for that channel. Two prefixes in one slot cost a needless walk
//! now and then, never a wrong answer.
//!
//! Counters and their sums wrap at 2^32; a route would have to lie untouched through
//! exactly 2^32 changes to be taken for a fresh one.

use super::hash::pair;

/// How many slots there are. 256 KiB, of which only what is used is ever touched: with a
/// quarter of them, three times as many routes are walked again under churn.
const SLOTS: usize = 65_536;

/// How many tokens of a literal start count.
const DEPTH: usize = 3;

/// The slots that a channel looks at.
pub(super) type Slots = [u16; DEPTH + 1];

pub(super) struct Stamps {
    counters: Box<[u32]>,
    /// All changes together: as long as this stands, nothing at all has changed.
    changes: u32,
}

impl Stamps {
    pub(super) fn new() -> Self {
        Self { counters: vec![0; SLOTS].into_boxed_slice(), changes: 0 }
    }

    /// A pattern of this slot was made, or its number is about to be free.
    pub(super) fn bump(&mut self, slot: u16) {
        let counter = &mut self.counters[usize::from(slot)];
        *counter = counter.wrapping_add(1);
        self.changes = self.changes.wrapping_add(1);
    }

    /// The number of all changes.
    #[inline]
    pub(super) fn changes(&self) -> u32 {
        self.changes
    }

    /// The sum over the slots of a channel.
    #[inline]
    pub(super) fn sum(&self, slots: Slots) -> u32 {
        slots.iter().fold(0, |sum: u32, &slot| sum.wrapping_add(self.counters[usize::from(slot)]))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.counters)
    }
}

/// The slots of the literal prefixes of a name, one token after the other. What is not
/// there is the slot of the root.
#[derive(Clone, Copy, Default)]
pub(super) struct Prefixes {
    slots: Slots,
    len: u8,
    /// The hash of all tokens so far.
    running: u32,
}

impl Prefixes {
    /// One token more, by its hash; those after the third do not count.
    #[inline]
    pub(super) fn push(&mut self, hash: u32) {
        if self.is_full() {
            return;
        }
        let mixed = pair(self.running, hash);
        self.running = mixed as u32;
        self.len += 1;
        // Slot 0 is the root's alone.
        let slot = 1 + (((mixed >> 32) * (SLOTS as u64 - 1)) >> 32);
        self.slots[usize::from(self.len)] = slot as u16;
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        usize::from(self.len) == DEPTH
    }

    /// The slot of the longest prefix: the one that a pattern belongs to.
    pub(super) fn last(&self) -> u16 {
        self.slots[usize::from(self.len)]
    }

    /// The slots of all prefixes: those that a channel looks at.
    pub(super) fn slots(&self) -> Slots {
        self.slots
    }
}
