//! What the tests of the medium share: a medium of numbered items whose wakers are numbers too.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aether_core::channel::{Limits, Pattern};
use aether_core::clock::{Clock, ManualClock};
use aether_core::decay::Fading;
use aether_core::mailbox::{Order, Overflow, Role, Spec};
use aether_core::medium::{
    Aftermath, Carry, Emission, Enlisted, Key, Medium, Patience, Refusal, Reserved, Sent, Take,
    Ticket, Unlisted,
};
use aether_core::router::Hint;

/// What a wave is here: a number, and the sequence under which it was admitted.
#[derive(Debug)]
pub struct Item {
    pub id: u64,
    pub sequence: AtomicU64,
}

pub type After = Aftermath<Arc<Item>, u32>;

pub struct Carrier;

impl Carry<Arc<Item>> for Carrier {
    fn share(&self, item: &Arc<Item>) -> Arc<Item> {
        Arc::clone(item)
    }

    fn number(&self, item: &Arc<Item>, sequence: u64) {
        item.sequence.store(sequence, Ordering::Relaxed);
    }
}

/// What an item weighs where that is limited.
pub fn weigh(item: &Arc<Item>) -> u64 {
    item.id * 3 % 7
}

pub const FACTOR: f64 = 0.9;
pub const INTERVAL: f64 = 1.0;

/// A medium on a manual clock. Wakes, dropped items and log lines of the last call are in `after`.
pub struct Rig {
    pub medium: Medium<Arc<Item>, u32>,
    pub clock: Arc<ManualClock>,
    pub after: After,
    /// Where the route of each channel was last.
    hints: BTreeMap<String, Hint>,
    made: u64,
}

/// An emission at full strength that asks for nothing.
pub const fn wave(channel: &str) -> Emission<'_> {
    Emission {
        channel,
        amplitude: 1.0,
        priority: 1.0,
        lifetime: f64::INFINITY,
        emitter: 0,
        inside: false,
        require: 0,
        weight: 0,
    }
}

/// The same, fainter.
pub const fn faint(channel: &str, amplitude: f64) -> Emission<'_> {
    Emission { amplitude, priority: amplitude, ..wave(channel) }
}

/// The same, for so long only.
pub const fn mortal(channel: &str, lifetime: f64) -> Emission<'_> {
    Emission { lifetime, ..wave(channel) }
}

pub fn spec(name: &str, order: Order, overflow: Overflow, capacity: usize) -> Spec {
    Spec {
        name: name.into(),
        order,
        overflow,
        capacity,
        noise_floor: 0.0,
        ignored: 0,
        role: Role::Reader,
        readers: 0,
    }
}

pub fn blocking(name: &str, capacity: usize) -> Spec {
    spec(name, Order::Amplitude, Overflow::Block, capacity)
}

pub fn pattern(text: &str) -> Pattern {
    Pattern::parse(text, Limits::DEFAULT).expect("tests write patterns well")
}

impl Rig {
    pub fn new() -> Self {
        let clock = Arc::new(ManualClock::new(0.0));
        let medium = Medium::new(Clock::Manual(Arc::clone(&clock)));
        Self { medium, clock, after: After::default(), hints: BTreeMap::new(), made: 0 }
    }

    pub fn open(&self, spec: Spec, patterns: &[&str]) -> Key {
        let fading = Fading::new(FACTOR, INTERVAL);
        let key = self.medium.open(spec, fading).expect("the medium is open");
        for text in patterns {
            assert_eq!(self.medium.resonate(key, pattern(text)), Some(true));
        }
        key
    }

    pub fn item(&mut self) -> Arc<Item> {
        self.made += 1;
        Arc::new(Item { id: self.made, sequence: AtomicU64::new(0) })
    }

    /// As the next item is going to be.
    pub fn next(&self) -> Arc<Item> {
        Arc::new(Item { id: self.made + 1, sequence: AtomicU64::new(0) })
    }

    /// The hint of a channel, as an emitter keeps it from one emission to the next.
    pub fn hint(&self, channel: &str) -> Hint {
        self.hints.get(channel).copied().unwrap_or_default()
    }

    pub fn remember(&mut self, channel: &str, hint: Hint) {
        self.hints.insert(channel.to_owned(), hint);
    }

    fn fresh_after(&mut self) {
        self.after = After::default();
    }

    /// The numbers of the items that the last call let go.
    pub fn dropped(&self) -> Vec<u64> {
        self.after.garbage.iter().map(|item| item.id).collect()
    }

    pub fn wakes(&self) -> Vec<u32> {
        self.after.wakes.to_vec()
    }

    pub fn emit_as(
        &mut self,
        ticket: Option<Ticket>,
        emission: &Emission<'_>,
    ) -> Result<(u64, Sent), Refusal> {
        self.fresh_after();
        let item = self.item();
        let mut hint = self.hint(emission.channel);
        let sent = self.medium.emit(emission, &mut hint, ticket, &item, &Carrier, &mut self.after);
        self.remember(emission.channel, hint);
        Ok((item.id, sent?))
    }

    /// Emits, and returns the item's number.
    pub fn emit(&mut self, emission: &Emission<'_>) -> Result<u64, Refusal> {
        self.emit_as(None, emission).map(|(id, _)| id)
    }

    pub fn sent(&mut self, emission: &Emission<'_>) -> Sent {
        self.emit_as(None, emission).expect("nothing blocks").1
    }

    /// Admits an emission that is delivered later.
    pub fn reserve_as(
        &mut self,
        ticket: Option<Ticket>,
        emission: &Emission<'_>,
    ) -> Result<Reserved, Refusal> {
        self.fresh_after();
        let mut hint = self.hint(emission.channel);
        let reserved = self.medium.reserve(emission, &mut hint, ticket, &mut self.after);
        self.remember(emission.channel, hint);
        reserved
    }

    pub fn reserve(&mut self, emission: &Emission<'_>) -> Reserved {
        self.reserve_as(None, emission).expect("nothing blocks")
    }

    pub fn unreserve(&mut self, reserved: Reserved) {
        self.fresh_after();
        self.medium.unreserve(reserved, &mut self.after);
    }

    /// Delivers a new item; returns its number too.
    pub fn deliver(
        &mut self,
        reserved: Reserved,
        emission: &Emission<'_>,
        sequence: u64,
    ) -> (u64, Sent) {
        self.fresh_after();
        let item = self.item();
        let after = &mut self.after;
        (item.id, self.medium.deliver(reserved, emission, sequence, &item, &Carrier, after))
    }

    /// Emits what must find a full mailbox, and waits.
    pub fn wait(&mut self, emission: &Emission<'_>, waker: u32) -> Ticket {
        self.wait_as(emission, (0, Patience::Endless), waker)
    }

    pub fn wait_as(&mut self, emission: &Emission<'_>, who: (u64, Patience), waker: u32) -> Ticket {
        let refusal = self.emit(emission).expect_err("a full mailbox blocks");
        assert!(matches!(refusal, Refusal::Full(_)), "{refusal:?}");
        let ticket = self.medium.new_ticket();
        let enlisted = self.medium.enlist_sender(emission, ticket, who, waker);
        assert!(matches!(enlisted, Enlisted::Waiting(own) if own == ticket), "{enlisted:?}");
        ticket
    }

    pub fn resume(&mut self, ticket: Ticket, emission: &Emission<'_>) -> Result<u64, Refusal> {
        self.emit_as(Some(ticket), emission).map(|(id, _)| id)
    }

    pub fn abandon_sender(&mut self, ticket: Ticket) {
        self.fresh_after();
        self.medium.abandon_sender(ticket, &mut self.after);
    }

    /// The number of the next item and what was missed before it.
    pub fn take(&mut self, key: Key) -> Option<(u64, u64)> {
        self.fresh_after();
        match self.medium.take(key, None, &mut self.after) {
            Take::Wave(taken) => Some((taken.item.id, taken.missed)),
            Take::Empty | Take::Ended => None,
        }
    }

    pub fn ended(&mut self, key: Key) -> bool {
        self.fresh_after();
        matches!(self.medium.take(key, None, &mut self.after), Take::Ended)
    }

    /// Takes everything.
    pub fn drain(&mut self, key: Key) -> Vec<u64> {
        std::iter::from_fn(|| self.take(key).map(|(id, _)| id)).collect()
    }

    pub fn enlist(
        &self,
        key: Key,
        want: usize,
        waker: u32,
    ) -> Result<aether_core::mailbox::WaiterId, Unlisted<u32>> {
        self.medium.enlist_receiver(key, waker, want, |_, _| true)
    }
}
