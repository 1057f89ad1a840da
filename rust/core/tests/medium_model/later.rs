//! Emissions that are delivered later than they are admitted.

use std::sync::atomic::Ordering;

use aether_core::reason::Reason;

use super::plain::Life;
use super::program::Shot;
use super::support::Carrier;
use super::world::{Booking, World, same_losses, same_refusal};

impl World {
    /// Whether it found full mailboxes that block.
    pub fn reserve_both(&mut self, shot: &Shot, sender: Option<usize>) -> bool {
        self.explain(shot);
        let ticket = sender.map(|place| self.senders[place].ticket);
        let mut hint = self.rig.hint(shot.channel);
        let after = &mut self.rig.after;
        let done = self.rig.medium.reserve(&shot.emission(), &mut hint, ticket, after);
        self.rig.remember(shot.channel, hint);
        self.withdraw(shot, sender);
        let full = match (done, self.admit(shot)) {
            (Ok(reserved), Ok(places)) => {
                assert_eq!(reserved.matched(), places.len());
                let mut book = |at: usize| {
                    let one = &mut self.boxes[at];
                    let held = one.guards();
                    one.pending += 1;
                    one.held += usize::from(held);
                    (at, held)
                };
                let places = places.into_iter().map(&mut book).collect();
                let expires = self.now() + shot.lifetime;
                self.booked.push(Booking { reserved, shot: shot.clone(), expires, places });
                false
            }
            (done, expected) => same_refusal(done.err(), expected.err()),
        };
        self.promise();
        full
    }

    pub fn deliver(&mut self, booking: Booking, gap: u64) {
        let Booking { reserved, shot, expires, places } = booking;
        self.sequence += 1 + gap;
        self.made += 1;
        let item = self.rig.item();
        let shot = Shot { lifetime: expires - self.now(), ..shot };
        let (emission, after) = (shot.emission(), &mut self.rig.after);
        let medium = &self.rig.medium;
        let sent = medium.deliver(reserved, &emission, self.sequence, &item, &Carrier, after);
        assert_eq!(item.sequence.load(Ordering::Relaxed), self.sequence);
        assert_eq!((sent.sequence, sent.matched), (self.sequence, places.len()));
        assert_eq!(medium.delivered_to(), self.sequence);
        let mut reasons = Vec::new();
        let mut open = Vec::new();
        for (at, held) in &places {
            self.leave(*at, *held);
            match self.boxes[*at].life {
                Life::Open | Life::Closing => open.push(*at),
                Life::Closed | Life::Gone => {
                    *self.boxes[*at].lost.entry(Reason::Abandoned.name()).or_default() += 1;
                    self.refused += 1;
                    reasons.push(Reason::Abandoned);
                }
            }
        }
        reasons.extend(self.put(item.id, &shot, &open));
        self.unheard -= u64::from(open.is_empty() && !places.is_empty());
        same_losses(sent, &reasons);
        self.promise();
    }

    pub fn unreserve(&mut self, booking: Booking) {
        self.rig.medium.unreserve(booking.reserved, &mut self.rig.after);
        for (at, held) in booking.places {
            self.leave(at, held);
        }
        self.promise();
    }

    /// A wave is on the way no more. After the last one, a closing mailbox wakes its readers.
    fn leave(&mut self, at: usize, held: bool) {
        let one = &mut self.boxes[at];
        one.pending -= 1;
        one.held -= usize::from(held);
        if one.is_final() {
            self.wake_readers(at);
        }
    }
}
