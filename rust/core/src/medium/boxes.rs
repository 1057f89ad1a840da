//! The mailboxes of a medium side by side, under stable numbers.

use super::Ticket;
use super::refill::Refills;
use crate::mailbox::Mailbox;

/// Names a mailbox. A key outlives its mailbox: used later it finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub(super) index: u32,
    generation: u32,
}

impl Key {
    /// A number that no other mailbox of this medium has, or had before its 4 billionth in the same place.
    pub fn number(self) -> u64 {
        (u64::from(self.generation) << 32) | u64::from(self.index)
    }
}

#[derive(Debug)]
pub(super) struct Boxes<T, W> {
    slots: Vec<Slot<T, W>>,
    free: Vec<u32>,
    pub(super) refills: Refills<W>,
}

/// Begins with a cache line, and what every wave looks at is in its first two.
#[derive(Debug)]
#[repr(C, align(128))]
struct Slot<T, W> {
    generation: u32,
    mailbox: Option<Mailbox<T, W>>,
}

impl<T, W> Boxes<T, W> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), refills: Refills::new() }
    }

    pub(super) fn insert(&mut self, mailbox: Mailbox<T, W>) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, mailbox: None });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 mailboxes")
        });
        let slot = &mut self.slots[index as usize];
        slot.mailbox = Some(mailbox);
        Key { index, generation: slot.generation }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Mailbox<T, W>> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let mailbox = slot.mailbox.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(mailbox)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Mailbox<T, W>> {
        let slot = self.slots.get(key.index as usize)?;
        slot.mailbox.as_ref().filter(|_| slot.generation == key.generation)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Mailbox<T, W>> {
        let slot = self.slots.get_mut(key.index as usize)?;
        slot.mailbox.as_mut().filter(|_| slot.generation == key.generation)
    }

    /// The mailbox at a number from the router, which knows no stale ones.
    #[inline]
    pub(super) fn at(&self, index: u32) -> Option<&Mailbox<T, W>> {
        self.slots.get(index as usize)?.mailbox.as_ref()
    }

    #[inline]
    pub(super) fn at_mut(&mut self, index: u32) -> Option<&mut Mailbox<T, W>> {
        self.slots.get_mut(index as usize)?.mailbox.as_mut()
    }

    /// Promises room in each of these to an emission. There is no other promise.
    pub(super) fn hold(&mut self, keys: &[Key], ticket: Ticket) {
        for &key in keys {
            if let Some(mailbox) = self.get_mut(key) {
                debug_assert_eq!(mailbox.promised(), None, "one promise at a time");
                mailbox.promise(Some(ticket));
            }
        }
    }

    /// Undoes [`Self::hold`].
    pub(super) fn release(&mut self, keys: &[Key]) {
        for &key in keys {
            if let Some(mailbox) = self.get_mut(key) {
                mailbox.promise(None);
            }
        }
    }

    /// A mailbox is behind.
    #[cold]
    pub(super) fn enroll(&mut self, index: u32) {
        let key = self.key_at(index);
        self.refills.enroll(key);
    }

    pub(super) fn key_at(&self, index: u32) -> Key {
        Key { index, generation: self.slots[index as usize].generation }
    }

    /// How many there are at most.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.iter().map(|(key, _)| key).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Mailbox<T, W>)> {
        self.slots.iter().zip(0..).filter_map(|(slot, index)| {
            let mailbox = slot.mailbox.as_ref()?;
            Some((Key { index, generation: slot.generation }, mailbox))
        })
    }
}
