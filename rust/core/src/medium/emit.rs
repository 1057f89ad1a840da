//! Emitting: check every mailbox on the route, then deliver to all of them.

use std::sync::Arc;

use super::boxes::Boxes;
use super::last::keep;
use super::retained::Retained;
use super::{Aftermath, Counted, Key, Medium, Phase, State, Ticket, note_episode};
use crate::clock::Clock;
use crate::mailbox::{Arrival, Mailbox, Overflow, Passed, amplitude_key};
use crate::reason::{Reason, Tally};
use crate::router::{Hint, Route};
use crate::sync::RawLock;

/// What the medium needs to know of a wave. Rules that concern the wave alone (hops, faintness) have been
/// applied before.
#[derive(Clone, Copy, Debug)]
pub struct Emission<'a> {
    /// A concrete, checked channel.
    pub channel: &'a str,
    /// 0..1.
    pub amplitude: f64,
    /// 0..1.
    pub priority: f64,
    /// Seconds after which a mailbox lets it go as expired; infinite without a ttl.
    pub lifetime: f64,
    /// Who emits; 0: nobody that can ignore its own.
    pub emitter: u64,
    /// Whether it comes from a handler, which may still emit while the medium drains.
    pub inside: bool,
    /// How many mailboxes must match at least.
    pub require: usize,
    /// How much it weighs where that is limited: see [`Medium::limit_queued`].
    pub weight: u64,
}

/// How the medium multiplies and numbers an item.
pub trait Carry<T> {
    /// One more handle on the same item. Must not run foreign code.
    fn share(&self, item: &T) -> T;
    /// Tells the item the sequence under which it was admitted. Must not run foreign code.
    fn number(&self, item: &T, sequence: u64);
}

/// What an emission did.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The place of the wave among all that the medium has admitted: 1, 2, ... or its place in a journal.
    pub sequence: u64,
    /// Mailboxes that matched.
    pub matched: usize,
    /// Mailboxes that did not keep this wave.
    pub dropped: usize,
    /// Mailboxes of handlers that kept it.
    pub lanes: usize,
    /// Why they did not.
    pub reasons: Option<Box<Tally>>,
}

/// Why an emission did nothing. The medium is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The medium takes no more waves (from outside).
    Closed,
    /// Fewer mailboxes match than were required.
    TooFew {
        /// How many match.
        matched: usize,
    },
    /// These block and are full: wait, or give up.
    Full(Vec<Arc<str>>),
    /// This one refuses while it is full.
    Refused(Arc<str>),
    /// More waves would wait than may: see [`Medium::limit_queued`].
    Queued {
        /// How many do.
        waiting: u64,
        /// How many may.
        most: u64,
    },
    /// What waits would weigh more than it may.
    Heavy {
        /// What it weighs.
        waiting: u64,
        /// What the emission weighs, in all mailboxes that it reaches.
        more: u64,
        /// What it may weigh.
        most: u64,
    },
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// Delivers a wave to every mailbox that matches, or to none.
    ///
    /// `hint` remembers where the route of this channel was. `ticket` is that of an emission that has
    /// waited and resumes: what was promised to it is used or given back.
    #[inline]
    pub fn emit(
        &self,
        emission: &Emission<'_>,
        hint: &mut Hint,
        ticket: Option<Ticket>,
        item: &T,
        carry: &impl Carry<T>,
        after: &mut Aftermath<T, W>,
    ) -> Result<Sent, Refusal> {
        let mut state = self.lock();
        match ticket {
            None => state.emit(emission, hint, (0, &[]), item, carry, after),
            Some(ticket) => {
                state.claim(ticket, after);
                let promised = state.withdraw(ticket, after);
                let sent = state.emit(emission, hint, (ticket, &promised), item, carry, after);
                state.offer_rooms(promised.iter().map(|key| key.index), after);
                sent
            }
        }
    }

    /// The short way of a wave without a ttl that reaches a single mailbox, which has only to add it to its
    /// line. Returns the sequence, and whether the mailbox is one of handlers; `wake` is to be woken
    /// afterwards. `None`: it is another kind of emission, and nothing has happened.
    #[inline]
    pub fn emit_to_one(
        &self,
        priority: f64,
        hint: Hint,
        item: &T,
        carry: &impl Carry<T>,
        wake: &mut Option<W>,
    ) -> Option<(u64, bool)> {
        self.emit_to::<false>(priority, hint, item, carry, wake)
    }

    /// The same in a medium that counts by name ([`Self::count_by_name`]): a function of its own, so that others pay nothing.
    #[inline(never)]
    pub fn emit_to_one_counted(
        &self,
        priority: f64,
        hint: Hint,
        item: &T,
        carry: &impl Carry<T>,
        wake: &mut Option<W>,
    ) -> Option<(u64, bool)> {
        self.emit_to::<true>(priority, hint, item, carry, wake)
    }

    #[inline]
    fn emit_to<const COUNTED: bool>(
        &self,
        priority: f64,
        hint: Hint,
        item: &T,
        carry: &impl Carry<T>,
        wake: &mut Option<W>,
    ) -> Option<(u64, bool)> {
        let mut state = self.lock();
        let State { router, boxes, counted, .. } = &mut *state;
        let mailbox = boxes.at_mut(router.recall(hint)?.single()?)?;
        if counted.marked || !mailbox.is_plain() {
            return None;
        }
        if !mailbox.append(amplitude_key(priority), || carry.share(item)) {
            return None;
        }
        router.count_hit();
        debug_assert_eq!(COUNTED, counted.domains.is_some(), "of this medium");
        if COUNTED {
            counted.count_recalled(hint, router);
        }
        counted.sequence += 1;
        counted.delivered += 1;
        carry.number(item, counted.sequence);
        if mailbox.waiters.has_listed() {
            *wake = mailbox.wake_one();
        }
        Some((counted.sequence, mailbox.is_lane()))
    }

    /// Emits a wave that nobody resonates with, and returns its sequence. `None`: somebody may hear it, or
    /// the medium is not open; then nothing has happened. So a wave that nobody will see need not be made.
    pub fn emit_unheard(&self, channel: &str, hint: &mut Hint) -> Option<u64> {
        let mut state = self.lock();
        let State { router, counted, phase, .. } = &mut *state;
        if *phase != Phase::Open || !router.route(channel, hint).is_empty() {
            return None;
        }
        counted.count_domain(channel, *hint);
        Some(counted.count_unheard())
    }

    /// The same by the hint alone, which may be good no more.
    #[inline]
    pub fn emit_unheard_again(&self, hint: Hint) -> Option<u64> {
        let mut state = self.lock();
        let State { router, counted, phase, .. } = &mut *state;
        if *phase != Phase::Open || !router.recall(hint)?.is_empty() {
            return None;
        }
        router.count_hit();
        counted.count_recalled(hint, router);
        Some(counted.count_unheard())
    }

    /// Puts an item straight into one mailbox, past the routes; false if it is closed or did not keep it.
    pub fn hand(
        &self,
        key: Key,
        emission: &Emission<'_>,
        item: T,
        after: &mut Aftermath<T, W>,
    ) -> bool {
        let mut state = self.lock();
        let State { boxes, clock, counted, .. } = &mut *state;
        let open = boxes.get_mut(key).filter(|mailbox| mailbox.accepts(1.0, 0));
        let Some(mailbox) = open else {
            after.garbage.push(item);
            return false;
        };
        let before = mailbox.len();
        let arrival = emission.arrival(clock);
        // It stands in no journal, and cannot be read later.
        let kept = mailbox
            .as_made(|mailbox| mailbox.put(item, &arrival, clock, &mut after.garbage).is_ok());
        counted.delivered += u64::from(kept);
        note_episode(mailbox, &mut after.episodes);
        if mailbox.len() > before {
            after.wakes.extend(mailbox.wake_one());
        }
        kept
    }
}

impl<'a> Emission<'a> {
    #[inline]
    pub(super) fn arrival(&self, clock: &Clock) -> Arrival<'a> {
        let expires = match self.lifetime {
            f64::INFINITY => f64::INFINITY,
            lifetime => clock.monotonic() + lifetime,
        };
        let Self { channel, amplitude, priority, .. } = *self;
        Arrival { channel, amplitude, priority, expires }
    }
}

impl<T, W> State<T, W> {
    #[inline]
    fn emit(
        &mut self,
        emission: &Emission<'_>,
        hint: &mut Hint,
        promised: (Ticket, &[Key]),
        item: &T,
        carry: &impl Carry<T>,
        after: &mut Aftermath<T, W>,
    ) -> Result<Sent, Refusal> {
        if self.counted.marked && self.is_shed(emission, hint)? {
            return Ok(self.shed(emission, hint, item, carry, after));
        }
        let Self { router, boxes, round, counted, clock, retained, .. } = self;
        let route = router.route(emission.channel, hint);
        let (matched, room) = survey(&route, boxes, round, emission);
        if matched < emission.require {
            return Err(Refusal::TooFew { matched });
        }
        if room {
            counted.count_domain(emission.channel, *hint);
            let kept = (counted, retained);
            return Ok(deliver(&route, kept, boxes, round, clock, emission, item, carry, after));
        }
        self.check_again(emission, hint, promised, after)?;
        let Self { router, boxes, round, counted, clock, retained, .. } = self;
        let route = router.route(emission.channel, hint);
        counted.count_domain(emission.channel, *hint);
        let kept = (counted, retained);
        Ok(deliver(&route, kept, boxes, round, clock, emission, item, carry, after))
    }

    /// Some mailbox was full: lets time remove what it may, offers that room to those who wait already,
    /// and names what is full still. What was promised to this emission is kept from them.
    #[cold]
    pub(super) fn check_again(
        &mut self,
        emission: &Emission<'_>,
        hint: &mut Hint,
        (ticket, promised): (Ticket, &[Key]),
        after: &mut Aftermath<T, W>,
    ) -> Result<(), Refusal> {
        let matching = self.matching(emission, hint);
        // All room goes to those who wait before any of it is looked at: who waits for one of these
        // mailboxes may be promised a place in the others too.
        let freed: Vec<u32> =
            matching.iter().copied().filter(|&index| self.purge_only(index, after)).collect();
        self.boxes.hold(promised, ticket);
        self.offer_rooms(freed, after);
        self.boxes.release(promised);
        let mut full = Vec::new();
        for index in matching {
            let Some(mailbox) = self.boxes.at(index).filter(|mailbox| mailbox.is_full()) else {
                continue;
            };
            if mailbox.overflow() == Overflow::Error {
                return Err(Refusal::Refused(Arc::clone(mailbox.name())));
            }
            full.push(Arc::clone(mailbox.name()));
        }
        if full.is_empty() { Ok(()) } else { Err(Refusal::Full(full)) }
    }

    /// How many mailboxes an emission matches, aside those of the library, and whether all of them have room.
    pub(super) fn survey(&mut self, emission: &Emission<'_>, hint: &mut Hint) -> (usize, bool) {
        let Self { router, boxes, round, .. } = self;
        survey(&router.route(emission.channel, hint), boxes, round, emission)
    }

    /// The distinct mailboxes that an emission matches.
    pub(super) fn matching(&mut self, emission: &Emission<'_>, hint: &mut Hint) -> Vec<u32> {
        let Self { router, boxes, round, .. } = self;
        *round += 1;
        let mut matching = Vec::new();
        router.route(emission.channel, hint).for_each(|member| {
            let Some(mailbox) = boxes.at_mut(member) else { return };
            if mailbox.visited != *round && mailbox.accepts(emission.amplitude, emission.emitter) {
                mailbox.visited = *round;
                matching.push(member);
            }
        });
        matching
    }
}

/// How many distinct mailboxes on a route match, aside those of the library, and whether all of them have room.
#[inline]
fn survey<T, W>(
    route: &Route<'_>,
    boxes: &mut Boxes<T, W>,
    round: &mut u64,
    emission: &Emission<'_>,
) -> (usize, bool) {
    *round += 1;
    // Of one pattern, no mailbox comes twice.
    let distinct = route.patterns() <= 1;
    let (mut matched, mut room) = (0, true);
    route.for_each(|member| {
        let Some(mailbox) = boxes.at_mut(member) else { return };
        if distinct && mailbox.is_plain() {
            matched += usize::from(!mailbox.is_aside());
            room &= !mailbox.is_full();
        } else if mailbox.visited != *round && mailbox.accepts(emission.amplitude, emission.emitter)
        {
            mailbox.visited = *round;
            matched += usize::from(!mailbox.is_aside());
            room &= !mailbox.is_full();
        }
    });
    (matched, room)
}

/// Puts an item into every matching mailbox on a route; the caller has made sure that those that block
/// have room.
#[inline]
#[expect(clippy::too_many_arguments, reason = "the fields of a state, apart from its router")]
fn deliver<T, W>(
    route: &Route<'_>,
    (counted, retained): (&mut Counted, &mut Option<Box<Retained<T>>>),
    boxes: &mut Boxes<T, W>,
    round: &mut u64,
    clock: &Clock,
    emission: &Emission<'_>,
    item: &T,
    carry: &impl Carry<T>,
    after: &mut Aftermath<T, W>,
) -> Sent {
    *round += 1;
    counted.sequence += 1;
    let sequence = counted.sequence;
    carry.number(item, sequence);
    let arrival = emission.arrival(clock);
    // What is counted as it comes and goes takes the longer way.
    let plain = arrival.is_immortal() && !counted.marked;
    let distinct = plain && route.patterns() <= 1;
    let amplitude_key = amplitude_key(arrival.priority);
    let (mut matched, mut dropped, mut lanes, mut reasons) = (0, 0, 0, None::<Box<Tally>>);
    route.for_each(|member| {
        let Some(mailbox) = boxes.at_mut(member) else {
            // No mailbox has the number of what is retained.
            return keep(retained, (emission, &arrival), sequence, || carry.share(item), after);
        };
        if distinct && mailbox.is_plain() && mailbox.append(amplitude_key, || carry.share(item)) {
            // Nearly every wave, in nearly every mailbox.
            matched += 1;
            lanes += usize::from(mailbox.is_lane());
            if mailbox.waiters.has_listed() {
                after.wakes.extend(mailbox.wake_one());
            }
            return;
        }
        if mailbox.visited == *round || !mailbox.accepts(emission.amplitude, emission.emitter) {
            return;
        }
        mailbox.visited = *round;
        matched += 1;
        lanes += usize::from(mailbox.is_lane());
        if plain && mailbox.append(amplitude_key, || carry.share(item)) {
            if mailbox.waiters.has_listed() {
                after.wakes.extend(mailbox.wake_one());
            }
            return;
        }
        let (lane, share) = (mailbox.is_lane(), || carry.share(item));
        if let Err(reason) = land(boxes, member, &arrival, sequence, clock, share, after) {
            dropped += 1;
            lanes -= usize::from(lane);
            reasons.get_or_insert_default().add(reason, 1);
        }
    });
    counted.delivered += (matched - dropped) as u64;
    counted.unheard += u64::from(matched == 0);
    Sent { sequence, matched, dropped, lanes, reasons }
}

/// Puts a wave into a mailbox that matches, where it does not only join a line, and has a reader woken for it; `Err`:
/// why it was let go.
#[inline(never)]
pub(super) fn land<T, W>(
    boxes: &mut Boxes<T, W>,
    member: u32,
    arrival: &Arrival<'_>,
    sequence: u64,
    clock: &Clock,
    share: impl FnOnce() -> T,
    after: &mut Aftermath<T, W>,
) -> Result<(), Reason> {
    let Some(mailbox) = boxes.at_mut(member) else { return Ok(()) };
    if mailbox.overflow() == Overflow::Replay {
        if let Some(passed) = mailbox.pass(sequence, clock, &mut after.garbage) {
            if passed == Passed::First {
                boxes.enroll(member);
            }
            return Ok(());
        }
    }
    let before = (after.garbage.len(), mailbox.queued());
    let put =
        |mailbox: &mut Mailbox<T, W>| mailbox.put(share(), arrival, clock, &mut after.garbage);
    // One without a place in the journal goes in also where others would pass by.
    let kept = if sequence == 0 { mailbox.as_made(put) } else { put(mailbox) };
    if after.garbage.len() != before.0 {
        note_episode(mailbox, &mut after.episodes);
    }
    if mailbox.queued() > before.1 {
        after.wakes.extend(mailbox.wake_one());
    }
    kept
}

impl Sent {
    /// The first reason, in the order of [`Reason::ALL`], why a mailbox did not keep the wave.
    pub fn reason(&self) -> Option<Reason> {
        self.reasons.as_ref().and_then(|tally| tally.iter().next().map(|(reason, _)| reason))
    }
}
