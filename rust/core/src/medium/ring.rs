//! The proof that waiting emissions wait for each other.
//!
//! An emission can go on when *every* mailbox that is full for it has room; a mailbox gets room when *any*
//! of its readers takes a wave. So an emission is stuck if some mailbox on its route is full of waves and
//! each reader of that mailbox is itself waiting in a stuck emission. The set of stuck emissions is the
//! greatest for which this holds: take every emission that can be reached from the one in question, and
//! strike out, until nothing changes, whoever has a way on. What is left is a ring.
//!
//! Nothing is said without proof: a mailbox with a reader that nobody can name, or that nobody has read
//! yet, one in which waves are expired or faded by now, and an emission that will give up by itself, always
//! have a way on.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Actor, Medium, Patience, State, Ticket};
use crate::mailbox::Mailbox;
use crate::sync::RawLock;

/// One link of a ring: an emission, the full mailbox that it waits for, and who would have to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Who waits.
    pub actor: Actor,
    /// What it emits on.
    pub channel: Arc<str>,
    /// The vibrator whose mailbox is full.
    pub full: Arc<str>,
    /// Its reader, who waits in the next link.
    pub reader: Actor,
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// Everybody on whose life the proof for this emission rests. The caller checks who is gone and says
    /// so with [`Self::forget_actors`] before it asks for the [`Self::ring`].
    pub fn suspects(&self, ticket: Ticket) -> Vec<Actor> {
        let mut state = self.lock();
        let (mut suspects, mut passed) = (BTreeSet::new(), BTreeSet::from([ticket]));
        let mut reached = vec![ticket];
        // From an emission to the readers of what is full for it, and on to what these wait for. A reader
        // that has ended is on the way, and may hide that the others are stuck.
        while let Some(ticket) = reached.pop() {
            for index in state.full_boxes(ticket) {
                let Some(mailbox) = state.boxes.at(index) else { continue };
                for &reader in mailbox.readers() {
                    suspects.insert(reader);
                    let waits = state.waiting_actors.get(&reader).copied();
                    reached.extend(waits.filter(|&ticket| passed.insert(ticket)));
                }
            }
        }
        suspects.into_iter().collect()
    }

    /// These tasks or threads have ended: they read no more.
    pub fn forget_actors(&self, gone: &[Actor]) {
        let mut state = self.lock();
        for key in state.boxes.keys() {
            if let Some(mailbox) = state.boxes.get_mut(key) {
                mailbox.forget_readers(gone);
            }
        }
    }

    /// The ring that this waiting emission is part of, or leads into, if it is stuck.
    pub fn ring(&self, ticket: Ticket) -> Option<Vec<Link>> {
        self.lock().ring(ticket)
    }
}

/// A full mailbox all of whose readers wait in emissions.
type Dam = (u32, Vec<Ticket>);

impl<T, W> State<T, W> {
    fn ring(&mut self, start: Ticket) -> Option<Vec<Link>> {
        let mut dams: BTreeMap<Ticket, Vec<Dam>> = BTreeMap::new();
        let mut reached = vec![start];
        while let Some(ticket) = reached.pop() {
            if let Entry::Vacant(place) = dams.entry(ticket) {
                let found = place.insert(self.dams(ticket));
                reached.extend(found.iter().flat_map(|(_, tickets)| tickets));
            }
        }
        loop {
            let stuck: BTreeSet<Ticket> = dams.keys().copied().collect();
            for dams in dams.values_mut() {
                dams.retain(|(_, readers)| readers.iter().all(|reader| stuck.contains(reader)));
            }
            dams.retain(|_, dams| !dams.is_empty());
            if dams.len() == stuck.len() {
                break;
            }
        }
        let mut links = Vec::new();
        let (mut ticket, mut passed) = (start, BTreeSet::new());
        while passed.insert(ticket) {
            let (index, readers) = dams.get(&ticket)?.first()?;
            let sender = self.senders.get(&ticket)?;
            let next = *readers.first()?;
            links.push(Link {
                actor: sender.actor,
                channel: Arc::clone(&sender.channel),
                full: Arc::clone(self.boxes.at(*index)?.name()),
                reader: self.senders.get(&next)?.actor,
            });
            ticket = next;
        }
        Some(links)
    }

    /// The mailboxes that keep an emission waiting and all of whose readers wait in emissions themselves.
    fn dams(&mut self, ticket: Ticket) -> Vec<Dam> {
        let endless = |sender: &super::senders::Sender<W>| {
            sender.is_waiting() && sender.patience == Patience::Endless
        };
        if !self.senders.get(&ticket).is_some_and(endless) {
            return Vec::new();
        }
        let full = self.full_boxes(ticket);
        let stuffed =
            |mailbox: &&Mailbox<T, W>| mailbox.is_stuffed() && !mailbox.is_outdated(&self.clock);
        let dam = |index: u32| {
            let mailbox = self.boxes.at(index).filter(stuffed)?;
            let waiting = |reader| self.waiting_actors.get(reader).copied();
            let readers: Option<Vec<Ticket>> =
                mailbox.known_readers()?.iter().map(waiting).collect();
            Some((index, readers?))
        };
        full.into_iter().filter_map(dam).collect()
    }
}
