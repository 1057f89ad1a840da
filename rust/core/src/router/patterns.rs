//! The patterns and who holds them.
//!
//! A pattern has a number and a list of members, side by side in memory, for delivery
//! runs through it. Joining and leaving is O(1) however many there are: a seat knows
//! where its member stands, and a member that leaves is replaced by the last one. The
//! order of members is no promise.
//!
//! A wildcard pattern that nobody holds any more may stay as a *tombstone*: whoever
//! asks for it again finds everything in place. Tombstones stand in a ring, oldest
//! first, which runs through the entry 0.

use super::trie::Spot;
use super::{Member, Seat};

/// The number of no pattern. Its entry has never a member, so it can be asked like any
/// other, and it is the head of the ring of tombstones.
pub(super) const NO_PATTERN: u32 = 0;

pub(super) struct Patterns {
    entries: Vec<Entry>,
    vacant: Vec<u32>,
    seats: Vec<Place>,
    vacant_seats: Vec<u32>,
    tombstones: usize,
}

struct Entry {
    members: Members,
    kind: Kind,
}

/// What a pattern is, to find it where it has to be taken away. A vacant entry is an
/// empty literal.
pub(super) enum Kind {
    Literal(Box<str>),
    Wild(Spot),
}

enum Members {
    /// Nobody: the neighbours in the ring of tombstones, itself if it is in none.
    None {
        before: u32,
        after: u32,
    },
    One {
        member: Member,
        seat: u32,
    },
    Many(Box<Crowd>),
}

#[derive(Default)]
struct Crowd {
    members: Vec<Member>,
    /// The seat of each member.
    seats: Vec<u32>,
}

/// Where the member of a seat stands.
#[derive(Clone, Copy)]
struct Place {
    /// [`NO_PATTERN`] for a vacant seat.
    pattern: u32,
    position: u32,
}

impl Patterns {
    pub(super) fn new() -> Self {
        Self {
            entries: vec![Entry {
                members: Members::None { before: NO_PATTERN, after: NO_PATTERN },
                kind: Kind::Literal(Box::default()),
            }],
            vacant: Vec::new(),
            seats: Vec::new(),
            vacant_seats: Vec::new(),
            tombstones: 0,
        }
    }

    /// A new pattern that nobody holds yet.
    pub(super) fn create(&mut self, kind: Kind) -> u32 {
        let number = self.vacant.pop().unwrap_or(self.entries.len() as u32);
        let entry = Entry { members: Members::None { before: number, after: number }, kind };
        if let Some(vacant) = self.entries.get_mut(number as usize) {
            *vacant = entry;
        } else {
            self.entries.push(entry);
        }
        number
    }

    /// One more member. A tombstone is a pattern like any other from then on.
    pub(super) fn join(&mut self, pattern: u32, member: Member) -> Seat {
        self.unlink(pattern);
        let seat = self.vacant_seats.pop().unwrap_or(self.seats.len() as u32);
        let members = &mut self.entries[pattern as usize].members;
        let mut position = 0;
        match members {
            Members::None { .. } => *members = Members::One { member, seat },
            &mut Members::One { member: first, seat: first_seat } => {
                position = 1;
                *members = Members::Many(Box::new(Crowd {
                    members: vec![first, member],
                    seats: vec![first_seat, seat],
                }));
            }
            Members::Many(crowd) => {
                position = crowd.members.len() as u32;
                crowd.members.push(member);
                crowd.seats.push(seat);
            }
        }
        let place = Place { pattern, position };
        if let Some(vacant) = self.seats.get_mut(seat as usize) {
            *vacant = place;
        } else {
            self.seats.push(place);
        }
        Seat(seat)
    }

    /// Takes the member of a seat away. Returns its pattern if that has nobody now.
    pub(super) fn leave(&mut self, Seat(seat): Seat) -> Option<u32> {
        let Place { pattern, position } = self.seats[seat as usize];
        debug_assert_ne!(pattern, NO_PATTERN, "a seat is given back once");
        self.seats[seat as usize].pattern = NO_PATTERN;
        self.vacant_seats.push(seat);
        let members = &mut self.entries[pattern as usize].members;
        if let Members::Many(crowd) = members {
            crowd.members.swap_remove(position as usize);
            crowd.seats.swap_remove(position as usize);
            if let Some(&moved) = crowd.seats.get(position as usize) {
                self.seats[moved as usize].position = position;
            }
            if crowd.members.len() < crowd.members.capacity() / 4 {
                let room = crowd.members.len() * 2;
                crowd.members.shrink_to(room);
                crowd.seats.shrink_to(room);
            }
            if !crowd.members.is_empty() {
                return None;
            }
        }
        *members = Members::None { before: pattern, after: pattern };
        Some(pattern)
    }

    pub(super) fn kind(&self, pattern: u32) -> &Kind {
        &self.entries[pattern as usize].kind
    }

    #[inline]
    pub(super) fn members(&self, pattern: u32) -> &[Member] {
        match &self.entries[pattern as usize].members {
            Members::None { .. } => &[],
            Members::One { member, .. } => std::slice::from_ref(member),
            Members::Many(crowd) => &crowd.members,
        }
    }

    #[inline]
    pub(super) fn is_held(&self, pattern: u32) -> bool {
        !matches!(self.entries[pattern as usize].members, Members::None { .. })
    }

    /// Makes a tombstone, the youngest, of a pattern that nobody holds.
    pub(super) fn entomb(&mut self, pattern: u32) {
        let (last, _) = self.ring(NO_PATTERN);
        self.set_ring(last, None, Some(pattern));
        self.set_ring(pattern, Some(last), Some(NO_PATTERN));
        self.set_ring(NO_PATTERN, Some(pattern), None);
        self.tombstones += 1;
    }

    /// The tombstone that has stood longest.
    pub(super) fn oldest_tombstone(&self) -> Option<u32> {
        let (_, first) = self.ring(NO_PATTERN);
        (first != NO_PATTERN).then_some(first)
    }

    /// Frees the number of a pattern that nobody holds.
    pub(super) fn free(&mut self, pattern: u32) {
        self.unlink(pattern);
        self.entries[pattern as usize].kind = Kind::Literal(Box::default());
        self.vacant.push(pattern);
    }

    pub(super) fn tombstones(&self) -> usize {
        self.tombstones
    }

    /// How many patterns somebody holds.
    pub(super) fn held(&self) -> usize {
        self.entries.len() - 1 - self.vacant.len() - self.tombstones
    }

    /// How many members there are in all patterns.
    pub(super) fn seated(&self) -> usize {
        self.seats.len() - self.vacant_seats.len()
    }

    /// The memory that this takes, in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        let inner = |entry: &Entry| {
            let crowd = match &entry.members {
                Members::Many(crowd) => {
                    size_of::<Crowd>()
                        + (crowd.members.capacity() + crowd.seats.capacity()) * size_of::<u32>()
                }
                Members::None { .. } | Members::One { .. } => 0,
            };
            let text = match &entry.kind {
                Kind::Literal(text) => text.len(),
                Kind::Wild(_) => 0,
            };
            crowd + text
        };
        self.entries.capacity() * size_of::<Entry>()
            + self.seats.capacity() * size_of::<Place>()
            + (self.vacant.capacity() + self.vacant_seats.capacity()) * size_of::<u32>()
            + self.entries.iter().map(inner).sum::<usize>()
    }

    /// The neighbours in the ring of a pattern that nobody holds.
    fn ring(&self, pattern: u32) -> (u32, u32) {
        match self.entries[pattern as usize].members {
            Members::None { before, after } => (before, after),
            Members::One { .. } | Members::Many(_) => (pattern, pattern),
        }
    }

    fn set_ring(&mut self, pattern: u32, new_before: Option<u32>, new_after: Option<u32>) {
        if let Members::None { before, after } = &mut self.entries[pattern as usize].members {
            *before = new_before.unwrap_or(*before);
            *after = new_after.unwrap_or(*after);
        }
    }

    /// Takes a pattern out of the ring, if it is there.
    fn unlink(&mut self, pattern: u32) {
        let (before, after) = self.ring(pattern);
        if before == pattern {
            return;
        }
        self.set_ring(before, None, Some(after));
        self.set_ring(after, Some(before), None);
        self.set_ring(pattern, Some(pattern), Some(pattern));
        self.tombstones -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_32_bytes() {
        assert_eq!(size_of::<Entry>(), 32);
    }
}
