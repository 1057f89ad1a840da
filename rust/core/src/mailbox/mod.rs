//! A mailbox: the bounded queue between the medium and one reader (or a group of them).
//!
//! Contract:
//! - A wave *matches* an open mailbox if it is not under the noise floor and not the owner's own.
//! - [`Order`] says which waiting wave leaves first, [`Overflow`] what happens to a full mailbox. Under
//!   `block` and `error` a full mailbox takes nothing: the medium asks [`Mailbox::is_full`] of every
//!   mailbox on the route before it touches any. The other policies always take, and let a wave go.
//! - Whatever is let go is counted by [`Reason`], marked as a gap at its place in the order of arrival,
//!   and handed out for its drop after the lock is gone.
//! - Under `replay`, the wave that finds it full stands in the journal, and the mailbox is *behind* from it on.
//! - While room is promised to an emission that was woken, a mailbox that blocks is full for all others,
//!   whatever room it has (see [`crate::medium`]).
//! - A closing mailbox takes no more and gives what it has and what was admitted before, then the end; a
//!   closed one is empty.
//! - The last waves that a reader begins with stand ahead of the queue, and take no room in it.
//! - A waiting reader is woken, never handed a wave: the wave stays here until the reader that resumes
//!   takes it (`wake, then pop`), so a cancelled reader has nothing to give back.
//!
//! Everything here runs under the medium's lock; nothing here waits, allocates Python objects or drops a
//! wave.

mod ahead;
mod behind;
mod gone;
mod heap;
mod load;
mod losses;
mod overflow;
mod pending;
mod queue;
mod ranked;
mod readers;
mod resonances;
mod waiters;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::waiters::WaiterId;

use self::ahead::Ahead;
use self::behind::Behind;
pub(crate) use self::behind::{Passed, Reading, Unread};
use self::gone::Gone;
pub(crate) use self::load::{Amount, Load};
pub(crate) use self::overflow::{Arrival, Victim};
use self::pending::Pending;
pub(crate) use self::queue::amplitude_key;
use self::queue::{Mark, Queue, Rank};
use self::resonances::Resonances;
pub(crate) use self::resonances::{Span, wanted};
pub(crate) use self::waiters::Left;
use self::waiters::Waiters;
use crate::clock::Clock;
use crate::decay::Fading;
use crate::medium::{Actor, Ticket};
use crate::reason::{Reason, Tally};

/// Which waiting wave leaves first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Highest priority first, in order of arrival among equals.
    #[default]
    Amplitude,
    /// In order of arrival.
    Fifo,
    /// Loudest now first: a wave fades from the moment it arrived.
    Fresh,
}

/// What happens when a full mailbox is reached by one more wave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The emitter waits.
    #[default]
    Block,
    /// The wave that arrived first goes.
    DropOldest,
    /// The new wave goes.
    DropNewest,
    /// The wave of least amplitude goes; of equals, the newest.
    DropFaintest,
    /// The new wave takes the place of the waiting one of its channel; too many channels: the oldest goes.
    Conflate,
    /// The emitter is refused.
    Error,
    /// The mailbox falls behind, and reads the wave from the journal when it has room again.
    Replay,
}

/// Whom a mailbox feeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A reader: `receive`.
    #[default]
    Reader,
    /// Handlers.
    Lane,
    /// The library itself, for an answer or an expectation. It is nobody that an emission could require, is
    /// not explained, and what it loses is not told.
    Aside,
}

/// How a mailbox is made.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The label of its vibrator, in messages and statistics.
    pub name: Arc<str>,
    /// Which wave leaves first.
    pub order: Order,
    /// What happens when it is full.
    pub overflow: Overflow,
    /// How many waves it holds: at least 1.
    pub capacity: usize,
    /// Fainter waves do not match: 0..1.
    pub noise_floor: f64,
    /// Waves of this emitter do not match; 0: all do.
    pub ignored: u64,
    /// Whom it feeds.
    pub role: Role,
    /// How many tasks will read it, if that is known before they have begun.
    pub readers: usize,
}

/// Whether waves come in and go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Takes no more, gives what it has and what is still to come.
    Closing,
    /// Empty for ever.
    Closed,
}

/// A mailbox of items `T` whose readers are woken through `W`. What every wave looks at stands first.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Mailbox<T, W> {
    /// It takes every wave that finds room: see [`Self::is_plain`].
    plain: bool,
    phase: Phase,
    /// What it does when it is full: as it was made, or as one that is behind.
    overflow: Overflow,
    role: Role,
    /// It has lost waves of which no reader knows yet, or is in an episode of loss: see [`Rest`].
    losses: bool,
    /// Waves stand ahead of the queue: see [`ahead`].
    ahead: bool,
    /// How many waves may be put into it: what it holds, without the room that is held; none while it is behind.
    capacity: usize,
    queue: Queue<T>,
    pub(crate) received: u64,
    /// Emissions that wait for room here, by seniority.
    pub(crate) senders: BTreeSet<Ticket>,
    pub(crate) waiters: Waiters<W>,
    /// The last round of the medium that visited it: a wave comes once, by however many patterns.
    pub(crate) visited: u64,
    noise_floor: f64,
    ignored: u64,
    /// The one emission that is promised room here: it was woken and has not resumed yet. 0: none.
    promised: Ticket,
    rest: Box<Rest<T>>,
}

/// What is not read on the way of every wave.
#[derive(Debug)]
struct Rest<T> {
    name: Arc<str>,
    /// Under which number it is counted by name.
    counted_as: u32,
    order: Order,
    fading: Fading,
    overflow: Overflow,
    /// How many waves it holds.
    capacity: usize,
    /// What it has to read from the journal, if it is behind.
    behind: Option<Box<Behind>>,
    /// It has had no patterns since this sequence.
    still: Option<u64>,
    /// What stands ahead of the queue.
    ahead: Ahead<T>,
    /// Where it is counted what waits, if it is.
    load: Option<Arc<Load<T>>>,
    /// See `Reading`.
    laps: u64,
    detuned: u64,
    /// Waves that were admitted and are delivered later.
    pending: Pending,
    members: usize,
    lost: Tally,
    /// The sequence of a wave; 0: it has none.
    number: fn(&T) -> u64,
    /// The last ones that were let go.
    gone: Gone,
    /// arrival -> count: waves lost at that place of the order and not yet reported to a reader.
    gaps: BTreeMap<u64, u64>,
    /// Losing since it was last empty: one log line an episode.
    losing: bool,
    /// The reason of the loss that began the episode, until it is asked for.
    begun: Option<Reason>,
    patterns: Resonances,
    readers: Vec<Actor>,
    /// A reader that nobody can name has read here: no ring can be proven.
    unknown_reader: bool,
    /// Readers that are announced and have not begun.
    expected_readers: usize,
}

/// A wave that was taken.
#[derive(Debug)]
pub struct Taken<T> {
    /// The wave.
    pub item: T,
    /// Where it stood.
    pub(crate) rank: Rank,
    /// How many waves this reader lost before it and after the one taken before.
    pub missed: u64,
}

impl<T, W> Mailbox<T, W> {
    pub(crate) fn new(spec: Spec, fading: Fading, counted_as: u32, number: fn(&T) -> u64) -> Self {
        let mut mailbox = Self {
            plain: false,
            phase: Phase::Open,
            overflow: spec.overflow,
            role: spec.role,
            losses: false,
            ahead: false,
            capacity: spec.capacity.max(1),
            queue: Queue::new(spec.order, spec.overflow),
            received: 0,
            senders: BTreeSet::new(),
            waiters: Waiters::new(),
            visited: 0,
            noise_floor: spec.noise_floor,
            ignored: spec.ignored,
            promised: 0,
            rest: Box::new(Rest {
                name: spec.name,
                counted_as,
                order: spec.order,
                fading,
                overflow: spec.overflow,
                capacity: spec.capacity.max(1),
                behind: None,
                still: None,
                ahead: Ahead::default(),
                load: None,
                laps: 0,
                detuned: 0,
                pending: Pending::default(),
                members: 1,
                lost: Tally::default(),
                number,
                gone: Gone::default(),
                gaps: BTreeMap::new(),
                losing: false,
                begun: None,
                patterns: Resonances::default(),
                readers: Vec::new(),
                unknown_reader: false,
                expected_readers: spec.readers,
            }),
        };
        mailbox.note_plain();
        mailbox
    }

    /// Under which number it is counted by name.
    pub(crate) fn counted_as(&self) -> u32 {
        self.rest.counted_as
    }

    /// Whether every wave matches it and it takes it, if it has room.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    fn note_plain(&mut self) {
        let hears_all = self.noise_floor <= 0.0 && self.ignored == 0;
        self.plain = hears_all && self.phase == Phase::Open && self.promised == 0;
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.note_plain();
    }

    pub(crate) fn promised(&self) -> Option<Ticket> {
        (self.promised != 0).then_some(self.promised)
    }

    /// Promises room to an emission, or to nobody any more.
    pub(crate) fn promise(&mut self, to: Option<Ticket>) {
        self.promised = to.unwrap_or(0);
        self.note_plain();
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.rest.name
    }

    pub(crate) fn is_lane(&self) -> bool {
        self.role == Role::Lane
    }

    #[inline]
    pub(crate) fn is_aside(&self) -> bool {
        self.role == Role::Aside
    }

    /// How many waves wait in the queue.
    #[inline]
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many waves wait, those ahead of the queue included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.queue.len() + if self.ahead { self.rest.ahead.len() } else { 0 }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.rest.capacity
    }

    pub(crate) fn overflow(&self) -> Overflow {
        self.overflow
    }

    pub(crate) fn noise_floor(&self) -> f64 {
        self.noise_floor
    }

    pub(crate) fn lost(&self) -> &Tally {
        &self.rest.lost
    }

    /// Whether a wave of this loudness and emitter matches.
    #[inline]
    pub(crate) fn accepts(&self, amplitude: f64, emitter: u64) -> bool {
        self.phase == Phase::Open
            && amplitude >= self.noise_floor
            && (self.ignored == 0 || self.ignored != emitter)
    }

    /// The emitter whose waves do not match here; 0: none.
    pub(crate) fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Whether `emitter` is the one whose waves do not match here.
    pub(crate) fn ignores(&self, emitter: u64) -> bool {
        self.ignored != 0 && self.ignored == emitter
    }

    /// Whether it takes no wave now, by its policy, but from the one to whom room is promised. Call
    /// [`Self::purge`] first where that matters. Somebody stands in its line only while this holds.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.overflow, Overflow::Block | Overflow::Error)
            && (self.queue.len() >= self.capacity || self.promised != 0)
    }

    /// Whether it is still full after a purge, the room of which goes to those in line first.
    pub(crate) fn stays_full(&self, clock: &Clock) -> bool {
        let kept = self.promised != 0 || !self.senders.is_empty();
        self.is_full() && (kept || !self.is_outdated(clock))
    }

    /// Whether it is full of waves, promises and room that is held aside.
    pub(crate) fn is_stuffed(&self) -> bool {
        self.queue.len() >= self.rest.capacity
    }

    /// Whether a purge would make room.
    pub(crate) fn is_outdated(&self, clock: &Clock) -> bool {
        if !self.queue.is_timed() || self.queue.len() == 0 {
            return false;
        }
        let now = clock.monotonic();
        let faded = || self.queue.has_faded(self.rest.fading.threshold(self.noise_floor, now));
        self.queue.has_expired(now)
            || (self.rest.order == Order::Fresh && self.noise_floor > 0.0 && faded())
    }

    /// When time will remove the next wave from it, in monotonic seconds.
    pub(crate) fn next_loss(&self) -> Option<f64> {
        let expires = self.queue.first_expiry();
        let sorted = self.rest.order == Order::Fresh && self.noise_floor > 0.0;
        let faintest = if sorted { self.queue.least_loudness() } else { None };
        let fades = faintest.map(|loudness| self.rest.fading.sinks(loudness, self.noise_floor));
        expires.into_iter().chain(fades).min_by(f64::total_cmp)
    }

    /// Lets go of what is expired or faded by now.
    pub(crate) fn purge(&mut self, clock: &Clock, garbage: &mut impl Extend<T>) -> bool {
        let ahead = self.ahead && self.purge_ahead(clock, garbage);
        self.purge_queue(clock, garbage) || ahead
    }

    /// The same for what takes room.
    fn purge_queue(&mut self, clock: &Clock, garbage: &mut impl Extend<T>) -> bool {
        if !self.queue.is_timed() || self.queue.len() == 0 {
            return false;
        }
        let now = clock.monotonic();
        let before = self.queue.len();
        while let Some((item, arrival)) = self.queue.pop_expired(now) {
            self.goes(&item);
            self.lose_wave(&item, Reason::Expired, arrival);
            garbage.extend([item]);
        }
        if self.rest.order == Order::Fresh && self.noise_floor > 0.0 {
            let threshold = self.rest.fading.threshold(self.noise_floor, now);
            while let Some((item, arrival)) = self.queue.pop_faded(threshold) {
                self.goes(&item);
                self.lose_wave(&item, Reason::Faded, arrival);
                garbage.extend([item]);
            }
        }
        self.queue.len() < before
    }

    /// The wave that leaves first, after a purge.
    #[inline]
    pub(crate) fn take(&mut self, clock: &Clock, garbage: &mut impl Extend<T>) -> Option<Taken<T>> {
        if self.queue.needs_care() {
            self.take_with_care(clock, garbage)
        } else {
            self.take_first()
        }
    }

    #[inline(never)]
    fn take_with_care(&mut self, clock: &Clock, garbage: &mut impl Extend<T>) -> Option<Taken<T>> {
        self.purge_queue(clock, garbage);
        let ahead = if self.ahead { self.take_ahead(clock, garbage) } else { None };
        if ahead.is_some() {
            return ahead;
        }
        let taken = self.take_first()?;
        self.goes(&taken.item);
        Some(taken)
    }

    #[inline]
    fn take_first(&mut self) -> Option<Taken<T>> {
        let (item, rank) = self.queue.pop()?;
        self.received += 1;
        let missed = if self.losses { self.report_losses(rank.arrival) } else { 0 };
        Some(Taken { item, rank, missed })
    }

    /// Takes a wave back that never reached its reader: it stands where it stood, with what was missed
    /// before it. Under `conflate`, one of its channel that has come meanwhile stays in its place; one that
    /// is closed has no place any more.
    pub(crate) fn take_back(
        &mut self,
        taken: Taken<T>,
        wave: &Arrival<'_>,
        clock: &Clock,
        garbage: &mut impl Extend<T>,
    ) {
        let Taken { item, rank, missed } = taken;
        self.received -= 1;
        let ahead = Self::was_ahead(rank);
        let place = if ahead { 0 } else { rank.arrival };
        let Arrival { channel, amplitude, expires, .. } = *wave;
        let gone = match self.phase {
            Phase::Closed => Some(Reason::Abandoned),
            _ if ahead => None,
            _ if self.queue.holds(channel) => Some(Reason::Conflated),
            _ => None,
        };
        if let Some(reason) = gone {
            self.lose_wave(&item, reason, place);
            garbage.extend([item]);
        } else if ahead {
            self.put_back_ahead(item, wave, rank, clock);
        } else {
            self.comes(&item);
            let mark = Mark { key: rank.key, amplitude, expires, channel };
            self.queue.put_back(item, &mark, rank.arrival);
        }
        // Only now: gaps that are folded go to the waves that wait.
        if missed > 0 {
            self.mark_gap(place, missed);
        }
    }

    /// The wave that leaves first, where a heap has to be put in order for that.
    #[inline]
    pub(crate) fn greatest(&self) -> Option<&T> {
        self.queue.greatest()
    }

    /// Takes up to `most` waves of a plain line, if nobody but their reader is concerned and none was
    /// lost; returns how many.
    pub(crate) fn take_line(&mut self, most: usize, taken: &mut Vec<T>) -> usize {
        let careful = self.queue.needs_care() && !self.is_careful_as_counted();
        if self.losses || !self.senders.is_empty() || careful {
            return 0;
        }
        let before = taken.len();
        let count = self.queue.pop_line(most, taken);
        if self.is_counted() {
            for item in &taken[before..] {
                self.goes(item);
            }
        }
        self.received += count as u64;
        count
    }

    /// The wave that leaves first, if nobody but its reader is concerned: no time has to be read, nobody waits
    /// for room, and nobody counts.
    #[inline]
    pub(crate) fn take_quickly(&mut self) -> Option<Taken<T>> {
        if self.queue.needs_care() || !self.senders.is_empty() {
            return None;
        }
        self.take_first()
    }

    /// Whether it has nothing to take care of but that its waves are counted.
    fn is_careful_as_counted(&self) -> bool {
        self.is_counted() && !self.ahead && !self.queue.is_timed()
    }

    /// The reader to wake, if there is one for whom enough waves lie here.
    #[inline]
    pub(crate) fn wake_one(&mut self) -> Option<W> {
        let woken = self.waiters.wake_one(self.queue.len());
        if woken.is_none() && self.ahead { self.waiters.wake_one(self.len()) } else { woken }
    }

    /// Takes everything out, counted as `reason`; the episode of loss, if any, is over.
    pub(crate) fn empty(&mut self, reason: Reason) -> Vec<T> {
        let mut items: Vec<T> = self.rest.ahead.drain().collect();
        self.note_ahead();
        items.extend(self.queue.drain());
        if !items.is_empty() {
            self.rest.lost.add(reason, items.len() as u64);
            self.mark_gap(self.queue.arrivals(), items.len() as u64);
        }
        for item in &items {
            self.goes(item);
            self.note_gone(item, reason);
        }
        self.rest.losing = false;
        items
    }

    /// Looks at every waiting wave.
    pub(crate) fn for_each(&self, each: &mut dyn FnMut(&T)) {
        self.rest.ahead.iter().for_each(&mut *each);
        self.queue.for_each(each);
    }

    /// Looks at the waves in it: in a line in order, until one is beyond what is asked for; elsewhere at all.
    pub(crate) fn each_until(&self, each: &mut dyn FnMut(&T) -> bool) {
        self.rest.ahead.iter().for_each(|item| {
            each(item);
        });
        self.queue.each_until(each);
    }

    /// Looks at so many waiting waves at most, and says at how many.
    pub(crate) fn show(&self, most: usize, each: &mut dyn FnMut(&T)) -> usize {
        self.queue.show(most, each)
    }

    pub(crate) fn patterns(&self) -> &Resonances {
        &self.rest.patterns
    }

    pub(crate) fn patterns_mut(&mut self) -> &mut Resonances {
        &mut self.rest.patterns
    }

    pub(crate) fn members_mut(&mut self) -> &mut usize {
        &mut self.rest.members
    }
}
