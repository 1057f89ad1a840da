//! Emissions that wait for room.
//!
//! ```text
//! senders   #7 {orders.created}  waits for "billing"       billing.senders  {#7, #9}
//!           #8 {orders.paid}     waits for "audit"         audit.senders    {#8}
//!           #9 {orders.created}  waits for "billing"
//!           #5 {users.joined}    promised room in "audit", woken, has not resumed yet
//! ```
//! A waiting emission stands in the line of *one* mailbox that is full for it. When that one has room,
//! the emission moves on to the line of another that is full, keeping its seniority, or, if none is, gets
//! a place promised in each and is woken. So a mailbox with room never has anybody in its line.

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Actor, Aftermath, Emission, Key, Medium, Phase, State, Ticket};
use crate::mailbox::{Mailbox, Overflow};
use crate::router::Hint;

/// An emission that waits.
#[derive(Debug)]
pub(super) struct Sender<W> {
    pub(super) channel: Arc<str>,
    amplitude: f64,
    emitter: u64,
    inside: bool,
    pub(super) actor: Actor,
    pub(super) patience: Patience,
    stand: Stand<W>,
    /// The monotonic second since when it waits.
    since: f64,
    /// Its stall has been reported.
    reported: bool,
}

#[derive(Debug)]
enum Stand<W> {
    /// In the line of this mailbox.
    Waiting(u32, W),
    /// Woken, with a place promised in each of these.
    Promised(Vec<Key>),
}

/// How long an emission is ready to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// For ever, so that it can be part of a deadlock.
    Endless,
    /// It will give up by itself.
    Timed,
}

/// What became of the wish to wait.
#[derive(Debug)]
pub enum Enlisted<W> {
    /// It waits under this ticket.
    Waiting(Ticket),
    /// Try again at once: nothing is full any more, or the medium closes.
    Retry(W),
}

/// An emission that has waited for long.
#[derive(Clone, Debug, PartialEq)]
pub struct Stall {
    /// Under which ticket.
    pub ticket: Ticket,
    /// What it emits on.
    pub channel: Arc<str>,
    /// The full mailboxes, by the label of their vibrator.
    pub full: Vec<Arc<str>>,
    /// Seconds.
    pub waited: f64,
    /// Whether it is said for the first time.
    pub first: bool,
}

impl<W> Sender<W> {
    pub(super) fn waits_for(&self, key: Key) -> bool {
        match &self.stand {
            Stand::Waiting(index, _) => *index == key.index,
            Stand::Promised(keys) => keys.contains(&key),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.stand, Stand::Waiting(..))
    }

    pub(super) fn waker(&self) -> Option<&W> {
        match &self.stand {
            Stand::Waiting(_, waker) => Some(waker),
            Stand::Promised(_) => None,
        }
    }

    fn emission<'a>(&self, channel: &'a str) -> Emission<'a> {
        Emission {
            channel,
            amplitude: self.amplitude,
            priority: self.amplitude,
            lifetime: f64::INFINITY,
            emitter: self.emitter,
            inside: self.inside,
            require: 0,
        }
    }
}

impl<T, W> Medium<T, W> {
    /// The ticket of an emission that is about to wait for the first time.
    pub fn new_ticket(&self) -> Ticket {
        let mut state = self.lock();
        state.next_ticket += 1;
        state.next_ticket
    }

    /// Wakes a waiting emission with nothing promised, to see for itself what has become of its way.
    pub fn rouse(&self, ticket: Ticket, after: &mut Aftermath<T, W>) {
        self.lock().rouse(ticket, after);
    }

    /// Lets an emission that was refused as [`super::Refusal::Full`] wait. It keeps its ticket, and with it
    /// its seniority, however often it waits.
    pub fn enlist_sender(
        &self,
        emission: &Emission<'_>,
        ticket: Ticket,
        (actor, patience): (Actor, Patience),
        waker: W,
    ) -> Enlisted<W> {
        let since = self.clock.monotonic();
        let mut state = self.lock();
        let refused = match state.phase {
            Phase::Open => false,
            Phase::Draining => !emission.inside,
            Phase::Closed => true,
        };
        let Some(full) = state.first_full(emission).filter(|_| !refused) else {
            return Enlisted::Retry(waker);
        };
        let sender = Sender {
            channel: Arc::from(emission.channel),
            amplitude: emission.amplitude,
            emitter: emission.emitter,
            inside: emission.inside,
            actor,
            patience,
            stand: Stand::Waiting(full, waker),
            since,
            reported: false,
        };
        state.senders.insert(ticket, sender);
        if actor != 0 {
            state.waiting_actors.insert(actor, ticket);
        }
        if let Some(mailbox) = state.boxes.at_mut(full) {
            mailbox.senders.insert(ticket);
        }
        Enlisted::Waiting(ticket)
    }

    /// An emission stops waiting without having been emitted; what was promised to it goes to others.
    pub fn abandon_sender(&self, ticket: Ticket, after: &mut Aftermath<T, W>) {
        let mut state = self.lock();
        let promised = state.withdraw(ticket, after);
        state.offer_rooms(promised.iter().map(|key| key.index), after);
    }

    /// The full mailboxes that a waiting emission waits for, by the label of their vibrator.
    pub fn full_for(&self, ticket: Ticket) -> Vec<Arc<str>> {
        self.lock().full_for(ticket)
    }

    /// The emissions that have waited for `limit` seconds or more, after time has removed what it may.
    pub fn stalls(&self, limit: f64, after: &mut Aftermath<T, W>) -> Vec<Stall> {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let long = state.senders.iter().filter(|(_, sender)| now - sender.since >= limit);
        let tickets: Vec<Ticket> = long.map(|(&ticket, _)| ticket).collect();
        let full: BTreeSet<u32> =
            tickets.iter().flat_map(|&ticket| state.full_boxes(ticket)).collect();
        let freed: Vec<u32> =
            full.into_iter().filter(|&index| state.purge_only(index, after)).collect();
        state.offer_rooms(freed, after);
        let stalls = state.waits(now, limit);
        for stall in &stalls {
            if let Some(sender) = state.senders.get_mut(&stall.ticket) {
                sender.reported = true;
            }
        }
        stalls
    }

    /// The same, without changing anything.
    pub fn waits(&self, limit: f64) -> Vec<Stall> {
        let now = self.clock.monotonic();
        self.lock().waits(now, limit)
    }
}

impl<T, W> State<T, W> {
    fn waits(&mut self, now: f64, limit: f64) -> Vec<Stall> {
        let long = |sender: &Sender<W>| sender.is_waiting() && now - sender.since >= limit;
        let tickets: Vec<Ticket> =
            self.senders.iter().filter(|(_, s)| long(s)).map(|(&ticket, _)| ticket).collect();
        let stall = |ticket| {
            let full = self.full_for(ticket);
            let sender = self.senders.get(&ticket)?;
            let (channel, waited) = (Arc::clone(&sender.channel), now - sender.since);
            Some(Stall { ticket, channel, full, waited, first: !sender.reported })
        };
        tickets.into_iter().filter_map(stall).collect()
    }

    /// A blocking mailbox that is full for this emission.
    fn first_full(&mut self, emission: &Emission<'_>) -> Option<u32> {
        let matching = self.matching(emission, &mut Hint::default());
        matching.into_iter().find(|&index| self.blocks(index))
    }

    fn blocks(&self, index: u32) -> bool {
        let full = self.boxes.at(index).filter(|mailbox| mailbox.is_full());
        full.is_some_and(|mailbox| mailbox.overflow() == Overflow::Block)
    }

    /// The mailboxes that are full for a waiting emission.
    pub(super) fn full_boxes(&mut self, ticket: Ticket) -> Vec<u32> {
        let Some(sender) = self.senders.get(&ticket) else { return Vec::new() };
        let channel = Arc::clone(&sender.channel);
        let emission = sender.emission(&channel);
        let mut matching = self.matching(&emission, &mut Hint::default());
        matching.retain(|&index| self.blocks(index));
        matching
    }

    fn full_for(&mut self, ticket: Ticket) -> Vec<Arc<str>> {
        let full = self.full_boxes(ticket);
        full.into_iter()
            .filter_map(|index| self.boxes.at(index).map(|mailbox| Arc::clone(mailbox.name())))
            .collect()
    }

    /// Removes a waiting emission, and returns where room had been promised to it.
    pub(super) fn withdraw(&mut self, ticket: Ticket, after: &mut Aftermath<T, W>) -> Vec<Key> {
        let Some(sender) = self.senders.remove(&ticket) else { return Vec::new() };
        if self.waiting_actors.get(&sender.actor) == Some(&ticket) {
            self.waiting_actors.remove(&sender.actor);
        }
        match sender.stand {
            Stand::Waiting(index, waker) => {
                if let Some(mailbox) = self.boxes.at_mut(index) {
                    mailbox.senders.remove(&ticket);
                }
                after.spent.push(waker);
                Vec::new()
            }
            Stand::Promised(keys) => {
                self.boxes.release(&keys);
                keys
            }
        }
    }

    /// Gives the room of a mailbox, if it has any, to those in its line, the most senior first.
    pub(super) fn offer_room(&mut self, index: u32, after: &mut Aftermath<T, W>) {
        while let Some(mailbox) = self.boxes.at(index).filter(|mailbox| !mailbox.is_full()) {
            let Some(&ticket) = mailbox.senders.first() else { return };
            self.place(ticket, after);
        }
    }

    /// The same for mailboxes that have got room at one moment: the most senior of all their lines first.
    pub(super) fn offer_rooms(
        &mut self,
        freed: impl IntoIterator<Item = u32>,
        after: &mut Aftermath<T, W>,
    ) {
        let has_line = |mailbox: &Mailbox<T, W>| !mailbox.senders.is_empty();
        let freed: SmallVec<[u32; 4]> =
            freed.into_iter().filter(|&index| self.boxes.at(index).is_some_and(has_line)).collect();
        if let [one] = freed[..] {
            return self.offer_room(one, after);
        }
        let lines = freed.iter().filter_map(|&index| self.boxes.at(index));
        let tickets: BTreeSet<Ticket> =
            lines.flat_map(|mailbox| mailbox.senders.iter().copied()).collect();
        for ticket in tickets {
            if freed.iter().all(|&index| self.blocks(index)) {
                break;
            }
            self.place(ticket, after);
        }
    }

    /// Everybody in the lines of mailboxes that may not be on their route any more finds a new place.
    pub(super) fn reconsider_senders(&mut self, keys: &[Key], after: &mut Aftermath<T, W>) {
        let lines = keys.iter().filter_map(|&key| self.boxes.get(key));
        let tickets: BTreeSet<Ticket> =
            lines.flat_map(|mailbox| mailbox.senders.iter().copied()).collect();
        for ticket in tickets {
            self.place(ticket, after);
        }
    }

    /// Wakes every waiting emission that the medium takes no more with nothing promised, to see for itself
    /// that it closes.
    pub(super) fn release_senders(&mut self, after: &mut Aftermath<T, W>) {
        let closed = self.phase == Phase::Closed;
        let refused = self.senders.iter().filter(|(_, sender)| closed || !sender.inside);
        let tickets: Vec<Ticket> = refused.map(|(&ticket, _)| ticket).collect();
        for ticket in tickets {
            self.rouse(ticket, after);
        }
    }

    fn rouse(&mut self, ticket: Ticket, after: &mut Aftermath<T, W>) {
        let Some(sender) = self.senders.get_mut(&ticket) else { return };
        let Stand::Waiting(index, _) = sender.stand else { return };
        let stand = std::mem::replace(&mut sender.stand, Stand::Promised(Vec::new()));
        if let Some(mailbox) = self.boxes.at_mut(index) {
            mailbox.senders.remove(&ticket);
        }
        if let Stand::Waiting(_, waker) = stand {
            after.wakes.push(waker);
        }
    }

    /// Puts a waiting emission in the line of a mailbox that is full for it, or promises it room in all
    /// and wakes it.
    fn place(&mut self, ticket: Ticket, after: &mut Aftermath<T, W>) {
        let Some(sender) = self.senders.get(&ticket) else { return };
        let Stand::Waiting(old, _) = sender.stand else { return };
        let channel = Arc::clone(&sender.channel);
        let emission = sender.emission(&channel);
        let matching = self.matching(&emission, &mut Hint::default());
        let full = matching.iter().copied().find(|&index| self.blocks(index));
        if full == Some(old) {
            return;
        }
        if let Some(mailbox) = self.boxes.at_mut(old) {
            mailbox.senders.remove(&ticket);
        }
        let Some(sender) = self.senders.get_mut(&ticket) else { return };
        if let Some(full) = full {
            if let Stand::Waiting(index, _) = &mut sender.stand {
                *index = full;
            }
            if let Some(mailbox) = self.boxes.at_mut(full) {
                mailbox.senders.insert(ticket);
            }
            return;
        }
        let mut promised = Vec::new();
        for index in matching {
            let blocking = |mailbox: &Mailbox<T, W>| mailbox.overflow() == Overflow::Block;
            if self.boxes.at(index).is_some_and(blocking) {
                promised.push(self.boxes.key_at(index));
            }
        }
        self.boxes.hold(&promised);
        if let Stand::Waiting(_, waker) =
            std::mem::replace(&mut sender.stand, Stand::Promised(promised))
        {
            after.wakes.push(waker);
        }
    }
}
