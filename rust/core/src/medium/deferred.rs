//! Emissions that are delivered later than they are admitted, as a journal has them: first their room, then
//! the disk, then the mailboxes.
//!
//! Contract:
//! - [`Medium::reserve`] checks all that [`Medium::emit`] checks, in one critical section, and puts nothing: the
//!   emission is admitted, and room for it is held in the mailboxes that block or refuse. Whoever comes later finds
//!   them so much smaller.
//! - Each [`Reserved`] ends in one of two ways: [`Medium::deliver`] puts the wave into those mailboxes, whatever has
//!   become of the medium and of their patterns meanwhile, or [`Medium::unreserve`] gives the room back. Until then
//!   the medium is not quiet.
//! - Waves arrive in the order of their deliveries; the caller delivers by rising sequences.
//! - A mailbox that is closing is not at its end before what was reserved in it has come. One that was closed has
//!   dropped it: counted as abandoned.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::emit::land;
use super::{
    Aftermath, BoxPhase, Carry, Emission, Key, Medium, Refusal, Sent, State, Ticket, note_episode,
};
use crate::mailbox::{Mailbox, Overflow};
use crate::reason::{Reason, Tally};
use crate::router::Hint;
use crate::sync::RawLock;

/// Where an emission that was admitted is going to be delivered. Room for it is held there, where that is needed,
/// until it is delivered or given back: dropped, it would be held for ever.
#[derive(Debug)]
#[must_use = "the room is held until this is delivered or given back"]
pub struct Reserved {
    /// See [`Outstanding`].
    age: u64,
    /// Where its route was.
    hint: Hint,
    /// It is let go where it matched, but for those who read from the journal.
    shed: bool,
    /// What it weighs, in each of its places.
    weight: u64,
    places: SmallVec<[Place; 4]>,
}

/// A mailbox that matched, and whether room is held in it.
#[derive(Debug)]
struct Place {
    key: Key,
    held: bool,
}

impl Reserved {
    /// How many mailboxes matched.
    pub fn matched(&self) -> usize {
        self.places.len()
    }

    /// In how many it waits until it is delivered.
    fn waiting(&self) -> u64 {
        if self.shed { 0 } else { self.places.len() as u64 }
    }
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// Admits an emission that will be delivered later, by the rules of [`Self::emit`], and holds room for it.
    pub fn reserve(
        &self,
        emission: &Emission<'_>,
        hint: &mut Hint,
        ticket: Option<Ticket>,
        after: &mut Aftermath<T, W>,
    ) -> Result<Reserved, Refusal> {
        let mut state = self.lock();
        match ticket {
            None => state.reserve(emission, hint, (0, &[]), after),
            Some(ticket) => {
                state.claim(ticket, after);
                let promised = state.withdraw(ticket, after);
                let reserved = state.reserve(emission, hint, (ticket, &promised), after);
                state.offer_rooms(promised.iter().map(|key| key.index), after);
                reserved
            }
        }
    }

    /// Gives the room of an emission back that comes to nothing, to those who wait for it.
    pub fn unreserve(&self, reserved: Reserved, after: &mut Aftermath<T, W>) {
        let mut state = self.lock();
        state.outstanding.remove(reserved.age);
        state.limited.arrive(reserved.waiting(), reserved.weight);
        let mut freed: SmallVec<[u32; 4]> = SmallVec::new();
        for Place { key, held } in reserved.places {
            if state.end_wait(key, held, after) && held {
                freed.push(key.index);
            }
        }
        state.offer_rooms(freed, after);
        state.tell_unsettled(after);
        state.stir(after);
    }

    /// Puts a wave that was admitted into the mailboxes that matched then, numbered by its place in the journal,
    /// which is beyond that of the wave before it; 0: the journal has refused it, and it has no place.
    pub fn deliver(
        &self,
        reserved: Reserved,
        emission: &Emission<'_>,
        sequence: u64,
        item: &T,
        carry: &impl Carry<T>,
        after: &mut Aftermath<T, W>,
    ) -> Sent {
        let mut state = self.lock();
        let sent = state.deliver(reserved, emission, sequence, item, carry, after);
        state.stir(after);
        sent
    }

    /// Whether emissions were admitted that are neither delivered nor given back.
    pub fn has_undelivered(&self) -> bool {
        !self.lock().outstanding.is_empty()
    }

    /// The sequence of the wave that was delivered last; 0 if none was.
    pub fn delivered_to(&self) -> u64 {
        self.lock().counted.sequence
    }

    /// The waves of a journal up to this sequence are history: the next one is beyond it.
    pub fn begin_at(&self, sequence: u64) {
        self.lock().counted.skip_to(sequence);
    }
}

impl<T, W> State<T, W> {
    fn reserve(
        &mut self,
        emission: &Emission<'_>,
        hint: &mut Hint,
        promised: (Ticket, &[Key]),
        after: &mut Aftermath<T, W>,
    ) -> Result<Reserved, Refusal> {
        let shed = self.counted.marked && self.is_shed(emission, hint)?;
        let (matched, room) = self.survey(emission, hint);
        if matched < emission.require {
            return Err(Refusal::TooFew { matched });
        }
        if !room && !shed {
            self.check_again(emission, hint, promised, after)?;
        }
        let age = self.outstanding.add();
        let mut places = SmallVec::new();
        for index in self.matching(emission, hint) {
            let key = self.boxes.key_at(index);
            let awaits = |mailbox: &mut Mailbox<T, W>| mailbox.await_wave(!shed);
            let held = self.boxes.at_mut(index).is_some_and(awaits);
            places.push(Place { key, held });
        }
        let reserved = Reserved { age, hint: *hint, shed, weight: emission.weight, places };
        self.limited.depart(reserved.waiting(), reserved.weight);
        Ok(reserved)
    }

    fn deliver(
        &mut self,
        reserved: Reserved,
        emission: &Emission<'_>,
        sequence: u64,
        item: &T,
        carry: &impl Carry<T>,
        after: &mut Aftermath<T, W>,
    ) -> Sent {
        self.outstanding.remove(reserved.age);
        self.limited.arrive(reserved.waiting(), reserved.weight);
        self.counted.count(sequence);
        self.counted.count_domain(emission.channel, reserved.hint);
        carry.number(item, sequence);
        let arrival = emission.arrival(&self.clock);
        let matched = reserved.places.len();
        let mut freed: SmallVec<[u32; 4]> = SmallVec::new();
        let mut fallen: SmallVec<[Key; 4]> = SmallVec::new();
        let (mut dropped, mut lanes, mut reasons) = (0, 0, None::<Box<Tally>>);
        let shed = reserved.shed;
        for Place { key, held } in reserved.places {
            let here = self.end_wait(key, held, after);
            let Self { boxes, clock, retired, .. } = self;
            let gone = match boxes.get_mut(key).filter(|_| here) {
                None => {
                    retired.add(Reason::Abandoned, 1);
                    Some(Reason::Abandoned)
                }
                Some(mailbox) if mailbox.phase() == BoxPhase::Closed => {
                    mailbox.turn_away(Reason::Abandoned);
                    Some(Reason::Abandoned)
                }
                Some(mailbox) if shed && mailbox.overflow() != Overflow::Replay => {
                    mailbox.shed();
                    note_episode(mailbox, &mut after.episodes);
                    Some(Reason::Shed)
                }
                // The journal does not have it, to be read there later.
                Some(mailbox) if sequence == 0 && !held && mailbox.is_out_of_room() => {
                    mailbox.turn_away(Reason::Full);
                    Some(Reason::Full)
                }
                Some(mailbox) => {
                    let share = || carry.share(item);
                    let full = mailbox.is_full() && mailbox.phase() == BoxPhase::Open;
                    let overtaken = sequence != 0 && !held && full;
                    if overtaken {
                        // It was behind when this was admitted, so that no room is held; now it is not.
                        mailbox.fall_behind(sequence - 1);
                    }
                    let lane = mailbox.is_lane();
                    let kept = land(boxes, key.index, &arrival, sequence, clock, share, after);
                    lanes += usize::from(kept.is_ok() && lane);
                    if overtaken {
                        fallen.push(key);
                    }
                    kept.err()
                }
            };
            if let Some(reason) = gone {
                dropped += 1;
                reasons.get_or_insert_default().add(reason, 1);
            }
            if held {
                freed.push(key.index);
            }
        }
        // One without a place has no order among the others, and nobody finds it later.
        if sequence != 0 {
            self.keep_last(emission, sequence, || carry.share(item), after);
        }
        // It may have left its room, and time may have made some.
        self.offer_rooms(freed, after);
        for key in fallen {
            self.note_fallen(key, after);
        }
        self.tell_unsettled(after);
        self.counted.delivered += (matched - dropped) as u64;
        self.counted.unheard += u64::from(matched == 0);
        Sent { sequence, matched, dropped, lanes, reasons }
    }

    /// A wave is not on the way to a mailbox any more; false if there is no such mailbox. The readers of one that is
    /// closing learn that this was the last: what it has is theirs, and then it ends.
    fn end_wait(&mut self, key: Key, held: bool, after: &mut Aftermath<T, W>) -> bool {
        let Some(mailbox) = self.boxes.get_mut(key) else { return false };
        mailbox.end_wait(held);
        if mailbox.is_final() {
            after.wakes.extend(mailbox.waiters.wake_all());
        }
        if mailbox.is_behind() {
            self.feed(key, after);
        }
        true
    }
}

/// The emissions that are out, counted by age. The age grows whenever somebody asks to know when all that are out now
/// have come in.
#[derive(Debug)]
pub(super) struct Outstanding {
    /// The age of the first count.
    oldest: u64,
    /// Never empty; the last is of those that go out now.
    counts: VecDeque<usize>,
}

impl Outstanding {
    pub(super) fn new() -> Self {
        Self { oldest: 1, counts: VecDeque::from([0]) }
    }

    /// One goes out; returns its age.
    fn add(&mut self) -> u64 {
        let last = self.counts.len() - 1;
        self.counts[last] += 1;
        self.oldest + last as u64
    }

    fn remove(&mut self, age: u64) {
        self.counts[(age - self.oldest) as usize] -= 1;
        while self.counts.len() > 1 && self.counts[0] == 0 {
            self.counts.pop_front();
            self.oldest += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }

    /// All that are out have at most this age, and all that go out later are younger; none if none is out.
    pub(super) fn youngest(&mut self) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        if self.counts.back().is_some_and(|&count| count > 0) {
            self.counts.push_back(0);
        }
        Some(self.oldest + self.counts.len() as u64 - 2)
    }

    /// None that is out is of a lower age.
    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }
}
