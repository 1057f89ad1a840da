//! Emissions that wait for room.
//!
//! ```text
//! senders   #5  {users.joined}    promised room in "audit", woken, has not resumed yet
//!           #7  {orders.created}  waits for "billing"       billing.senders  {#7, #9}
//!           #9  {orders.created}  waits for "billing"
//!           #10 {orders.paid}     waits for "audit"         audit.senders    {#10}
//! ```
//! A waiting emission stands in the line of *one* mailbox that is full for it. When that one has room,
//! the emission moves on to the line of another that is full, keeping its seniority, or, if none is, gets
//! a place promised in each and is woken.
//!
//! At most one promise is out at a mailbox, and meanwhile the mailbox is full for everybody else: in the
//! picture, #10 waits for "audit" even if there is room for ten. Once #5 has resumed or left, "audit" offers
//! what room it has to the next one. So nobody passes those that are ahead, in whichever order tasks resume;
//! and somebody stands in line only where there is no room or a promise is out.

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Actor, Aftermath, Emission, Key, Medium, Phase, State, Ticket};
use crate::mailbox::{Mailbox, Overflow, Phase as BoxPhase};
use crate::router::Hint;
use crate::sync::RawLock;

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
    /// In the line of this mailbox; without a waker: roused, but not out of the line.
    Waiting(u32, Option<W>),
    /// Woken, with room promised in each of these.
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
    /// Whether nobody has woken it.
    pub(super) fn is_waiting(&self) -> bool {
        self.waker().is_some()
    }

    /// The mailbox in whose line it stands.
    pub(super) fn waits_at(&self) -> Option<u32> {
        match self.stand {
            Stand::Waiting(full, _) => Some(full),
            Stand::Promised(_) => None,
        }
    }

    pub(super) fn waker(&self) -> Option<&W> {
        match &self.stand {
            Stand::Waiting(_, waker) => waker.as_ref(),
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
            weight: 0,
        }
    }
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// The ticket of an emission that is about to wait for the first time.
    pub fn new_ticket(&self) -> Ticket {
        let mut state = self.lock();
        state.next_ticket += 1;
        state.next_ticket
    }

    /// Wakes a waiting emission with nothing promised, to see for itself what has become of its way. It keeps
    /// its place until it does.
    pub fn rouse(&self, ticket: Ticket, after: &mut Aftermath<T, W>) {
        let mut state = self.lock();
        if let Some(Sender { stand: Stand::Waiting(_, waker), .. }) = state.senders.get_mut(&ticket)
        {
            after.wakes.extend(waker.take());
        }
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
            stand: Stand::Waiting(full, Some(waker)),
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

    /// In how many seconds time will make room in one of the mailboxes that are full for an emission.
    pub fn opens_in(&self, emission: &Emission<'_>) -> Option<f64> {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let matching = state.matching(emission, &mut Hint::default());
        let full = matching.into_iter().filter(|&index| state.blocks(index));
        let moments = full.filter_map(|index| state.boxes.at(index)?.next_loss());
        moments.min_by(f64::total_cmp).map(|moment| moment - now).filter(|wait| wait.is_finite())
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
        let (_, stalls) = state.waits(now, limit, usize::MAX);
        for stall in &stalls {
            if let Some(sender) = state.senders.get_mut(&stall.ticket) {
                sender.reported = true;
            }
        }
        stalls
    }

    /// How many there are, and the first ones, up to a number; without changing anything.
    pub fn waits(&self, limit: f64, most: usize) -> (usize, Vec<Stall>) {
        let now = self.clock.monotonic();
        self.lock().waits(now, limit, most)
    }
}

impl<T, W> State<T, W> {
    fn waits(&mut self, now: f64, limit: f64, most: usize) -> (usize, Vec<Stall>) {
        let long = |sender: &Sender<W>| sender.is_waiting() && now - sender.since >= limit;
        let (mut count, mut tickets) = (0, Vec::new());
        for (&ticket, _) in self.senders.iter().filter(|(_, sender)| long(sender)) {
            count += 1;
            if tickets.len() < most {
                tickets.push(ticket);
            }
        }
        let stall = |ticket| {
            let full = self.full_for(ticket);
            let sender = self.senders.get(&ticket)?;
            let (channel, waited) = (Arc::clone(&sender.channel), now - sender.since);
            Some(Stall { ticket, channel, full, waited, first: !sender.reported })
        };
        (count, tickets.into_iter().filter_map(stall).collect())
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

    /// The mailboxes that are full for a waiting emission; none if it is promised room.
    pub(super) fn full_boxes(&mut self, ticket: Ticket) -> Vec<u32> {
        let mut full = self.matching_of(ticket);
        full.retain(|&index| self.blocks(index));
        full
    }

    /// The mailboxes that a waiting emission matches; none if it is promised room.
    fn matching_of(&mut self, ticket: Ticket) -> Vec<u32> {
        let waiting = |sender: &&Sender<W>| matches!(sender.stand, Stand::Waiting(..));
        let Some(sender) = self.senders.get(&ticket).filter(waiting) else { return Vec::new() };
        let channel = Arc::clone(&sender.channel);
        let emission = sender.emission(&channel);
        self.matching(&emission, &mut Hint::default())
    }

    /// How many emissions wait until a mailbox is not full any more, or are promised room in it.
    pub(super) fn count_waiting(&mut self, key: Key) -> usize {
        let open = |mailbox: &&Mailbox<T, W>| mailbox.phase() == BoxPhase::Open;
        let Some(mailbox) = self.boxes.get(key).filter(open) else { return 0 };
        if !self.blocks(key.index) {
            return 0;
        }
        let promised = mailbox.promised().is_some();
        let tickets: Vec<Ticket> = self.senders.keys().copied().collect();
        let waits = |ticket: &Ticket| self.matching_of(*ticket).contains(&key.index);
        usize::from(promised) + tickets.into_iter().filter(waits).count()
    }

    /// An emission that nobody has promised room resumes: before it loses its place in line, what time has
    /// removed makes room for it.
    pub(super) fn claim(&mut self, ticket: Ticket, after: &mut Aftermath<T, W>) {
        let Some(sender) = self.senders.get_mut(&ticket) else { return };
        if let Stand::Waiting(_, waker) = &mut sender.stand {
            after.spent.extend(waker.take());
            let matching = self.matching_of(ticket);
            let freed: Vec<u32> =
                matching.into_iter().filter(|&index| self.purge_only(index, after)).collect();
            self.offer_rooms(freed, after);
        }
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
                after.spent.extend(waker);
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
            self.leave_line(ticket, Vec::new(), after);
        }
    }

    /// Wakes a waiting emission, with room promised in these mailboxes.
    fn leave_line(&mut self, ticket: Ticket, promised: Vec<Key>, after: &mut Aftermath<T, W>) {
        let Some(sender) = self.senders.get_mut(&ticket) else { return };
        let Stand::Waiting(index, waker) = &mut sender.stand else { return };
        after.wakes.extend(waker.take());
        if let Some(mailbox) = self.boxes.at_mut(*index) {
            mailbox.senders.remove(&ticket);
        }
        self.boxes.hold(&promised, ticket);
        sender.stand = Stand::Promised(promised);
    }

    /// Puts a waiting emission in the line of a mailbox that is full for it, or promises it room in all
    /// and wakes it.
    fn place(&mut self, ticket: Ticket, after: &mut Aftermath<T, W>) {
        let mut matching = self.matching_of(ticket);
        if let Some(full) = matching.iter().copied().find(|&index| self.blocks(index)) {
            return self.move_on(ticket, full);
        }
        let blocking = |mailbox: &Mailbox<T, W>| mailbox.overflow() == Overflow::Block;
        matching.retain(|&index| self.boxes.at(index).is_some_and(blocking));
        let promised = matching.into_iter().map(|index| self.boxes.key_at(index)).collect();
        self.leave_line(ticket, promised, after);
    }

    fn move_on(&mut self, ticket: Ticket, full: u32) {
        let Some(sender) = self.senders.get_mut(&ticket) else { return };
        let Stand::Waiting(index, _) = &mut sender.stand else { return };
        let old = std::mem::replace(index, full);
        if let Some(mailbox) = self.boxes.at_mut(old) {
            mailbox.senders.remove(&ticket);
        }
        if let Some(mailbox) = self.boxes.at_mut(full) {
            mailbox.senders.insert(ticket);
        }
    }
}
