//! The medium: every mailbox, the router and everybody who waits, under one lock.
//!
//! Contract:
//! - Each operation is one critical section. In it nothing waits, no Python object is made or dropped and
//!   no waker runs: what is to happen afterwards is collected in an [`Aftermath`], which the caller
//!   settles once the lock is gone. The lock is a leaf: no other is ever taken under it.
//! - An emission reaches every matching mailbox or none: [`Medium::emit`] checks all, then delivers.
//! - An emission that finds a blocking mailbox full may wait ([`Medium::enlist_sender`]). It holds no
//!   room meanwhile. When room appears, the senior emissions for which *all* their mailboxes have room
//!   get a promise of it and are woken; the promise is kept until they resume or leave. An emission is
//!   overtaken only by those that share no full mailbox with it.
//! - At most one promise is out at a mailbox, and as long as it is, the mailbox is full for all others,
//!   those that do not wait included, even if it has more room: those that are woken together resume in
//!   any order, and waves of one emitter must not.
//! - A reader is woken and takes for itself ([`Medium::take`]); see [`crate::mailbox`].
//! - An emission may be delivered later than it is admitted ([`Medium::reserve`]): what is said of the one
//!   critical section holds for its admission; see [`self::deferred`].
//! - The last wave of each channel is retained where that is asked for ([`Medium::retain`]), in the critical section
//!   that delivers it.
//! - [`Phase::Draining`] refuses emissions from outside, [`Phase::Closed`] all.

mod boxes;
mod deferred;
mod emit;
mod explain;
mod figures;
mod horizon;
mod last;
mod pressure;
mod refill;
mod retained;
mod ring;
mod senders;
mod statistics;
mod survey;
mod take;
mod whereabouts;

use std::collections::BTreeMap;
use std::ops::DerefMut;
use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;

use self::boxes::Boxes;
pub use self::boxes::Key;
use self::deferred::Outstanding;
pub use self::deferred::Reserved;
pub use self::emit::{Carry, Emission, Refusal, Sent};
pub use self::explain::{Row, Verdict};
use self::figures::Names;
pub use self::figures::{Figures, NameFigures};
pub use self::horizon::Horizon;
pub use self::last::Last;
use self::pressure::Limited;
pub use self::pressure::{Bounds, Most, Pressure};
pub use self::refill::{Hungry, Read, ReadByAll, Refilled};
use self::retained::Retained;
pub use self::ring::Link;
use self::senders::Sender;
pub use self::senders::{Enlisted, Patience, Stall};
use self::statistics::Counted;
pub use self::statistics::{MailboxStatistics, MediumStatistics};
pub use self::survey::Used;
pub use self::take::{Take, Unlisted};
use self::whereabouts::Bygone;
pub use self::whereabouts::{Sighting, Whereabouts};
use crate::channel::Pattern;
use crate::clock::Clock;
use crate::decay::Fading;
use crate::mailbox::{Mailbox, Phase as BoxPhase, Role, Span, Spec};
use crate::reason::{Reason, Tally};
use crate::router::{CACHE_CAPACITY, Router};
use crate::seeds::Seeds;
use crate::sync::{DefaultLock, Mutex, RawLock};

/// Names a task or thread that reads or emits.
pub type Actor = u64;

/// The seniority of a waiting emission: smaller has waited longer.
pub type Ticket = u64;

/// What remains to be done once the lock is gone.
#[derive(Debug)]
pub struct Aftermath<T, W> {
    /// To be woken: seldom more than one.
    pub wakes: SmallVec<[W; 1]>,
    /// Waves that were let go, to be dropped: seldom more than one.
    pub garbage: SmallVec<[T; 1]>,
    /// Wakers that are not needed any more, to be dropped.
    pub spent: Vec<W>,
    /// To be logged.
    pub episodes: Vec<Episode>,
}

impl<T, W> Default for Aftermath<T, W> {
    #[inline]
    fn default() -> Self {
        Self {
            wakes: SmallVec::new(),
            garbage: SmallVec::new(),
            spent: Vec::new(),
            episodes: Vec::new(),
        }
    }
}

impl<T, W> Aftermath<T, W> {
    /// Whether nothing is in it, and nothing ever was: to forget it leaks nothing.
    #[inline]
    pub fn is_untouched(&self) -> bool {
        let Self { wakes, garbage, spent, episodes } = self;
        let allocated = spent.capacity() | episodes.capacity();
        let empty = wakes.is_empty() && garbage.is_empty();
        allocated == 0 && empty && !wakes.spilled() && !garbage.spilled()
    }
}

/// A mailbox has begun to lose waves: said once, until it has been empty again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The label of the mailbox's vibrator.
    pub name: Arc<str>,
    /// Why it lost the first one.
    pub reason: Reason,
}

/// Whether the medium takes waves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// From everybody.
    Open,
    /// From handlers that finish their work.
    Draining,
    /// From nobody.
    Closed,
}

/// A medium of items `T` whose waiting tasks are woken through `W`, under a lock of the kind `R`.
pub struct Medium<T, W, R = DefaultLock> {
    clock: Clock,
    state: Mutex<R, State<T, W>>,
}

struct State<T, W> {
    phase: Phase,
    clock: Clock,
    router: Router,
    boxes: Boxes<T, W>,
    /// Grows with each attempt to emit; see `Mailbox::visited`.
    round: u64,
    counted: Counted,
    /// How much may wait.
    limited: Limited<T>,
    /// Emissions that were admitted and are not delivered.
    outstanding: Outstanding,
    /// The last waves of channels, if any are asked for.
    retained: Option<Box<Retained<T>>>,
    senders: BTreeMap<Ticket, Sender<W>>,
    /// Who waits with which ticket.
    waiting_actors: HashMap<Actor, Ticket, Seeds>,
    next_ticket: Ticket,
    /// Woken at every change that may end a wait for quiet.
    watchers: Vec<(u64, W)>,
    last_watcher: u64,
    /// Counted by mailboxes that are gone.
    retired: Tally,
    retired_received: u64,
    /// What they had let go.
    bygone: Bygone,
    /// The sequence of a wave; 0: it has none.
    number: fn(&T) -> u64,
    /// Who is counted by name, if that is asked for.
    names: Option<Box<Names>>,
}

impl<T, W> Medium<T, W> {
    /// An empty, open medium.
    pub fn new(clock: Clock) -> Self {
        Self::with_lock(clock)
    }
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// The same with another kind of lock.
    pub fn with_lock(clock: Clock) -> Self {
        Self {
            clock: clock.clone(),
            state: Mutex::new(State {
                phase: Phase::Open,
                clock,
                router: Router::new(CACHE_CAPACITY),
                boxes: Boxes::new(),
                round: 0,
                counted: Counted::default(),
                limited: Limited::default(),
                outstanding: Outstanding::new(),
                retained: None,
                senders: BTreeMap::new(),
                waiting_actors: HashMap::default(),
                next_ticket: 0,
                watchers: Vec::new(),
                last_watcher: 0,
                retired: Tally::default(),
                retired_received: 0,
                bygone: Bygone::default(),
                number: |_| 0,
                names: None,
            }),
        }
    }

    /// Where this medium reads the time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    fn lock(&self) -> impl DerefMut<Target = State<T, W>> {
        self.state.lock()
    }

    /// Makes a mailbox without patterns and with one member; `None` once the medium is not open, or for what
    /// stands aside, once it is closed: handlers may still ask while it drains.
    pub fn open(&self, spec: Spec, fading: Fading) -> Option<Key> {
        let mut state = self.lock();
        let last = if spec.role == Role::Aside { Phase::Draining } else { Phase::Open };
        if state.phase > last {
            return None;
        }
        let counted_as = state.names.as_mut().map_or(0, |names| names.number(&spec.name));
        let mut mailbox = Mailbox::new(spec, fading, counted_as, state.number);
        mailbox.count_in(state.limited.load());
        Some(state.boxes.insert(mailbox))
    }

    /// One more member shares a mailbox; false if it is closed.
    pub fn join(&self, key: Key) -> bool {
        let mut state = self.lock();
        match state.boxes.get_mut(key) {
            Some(mailbox) if mailbox.phase() == BoxPhase::Open => {
                *mailbox.members_mut() += 1;
                true
            }
            _ => false,
        }
    }

    /// A member goes, unless it is the last; returns whether it is.
    pub fn resign(&self, key: Key) -> bool {
        let mut state = self.lock();
        let Some(mailbox) = state.boxes.get_mut(key) else { return true };
        let members = mailbox.members_mut();
        let last = *members <= 1;
        *members -= usize::from(!last);
        last
    }

    /// A member goes; the last one closes the mailbox. Returns whether it did: false if it was closed already.
    pub fn leave(&self, key: Key, after: &mut Aftermath<T, W>) -> bool {
        let mut state = self.lock();
        let alive = |mailbox: &&mut Mailbox<T, W>| mailbox.phase() != BoxPhase::Closed;
        let Some(mailbox) = state.boxes.get_mut(key).filter(alive) else { return false };
        let members = mailbox.members_mut();
        *members = members.saturating_sub(1);
        let last = *members == 0;
        if last {
            state.close(key, after);
        }
        last
    }

    /// Resonates a mailbox on a pattern from now on; `Some(false)` if it does already, `None` if it is
    /// closed.
    pub fn resonate(&self, key: Key, pattern: Pattern) -> Option<bool> {
        self.lock().resonate(key, pattern)
    }

    /// Takes back a pattern of a mailbox, in whatever spelling; false if it does not resonate on it.
    pub fn detune(&self, key: Key, pattern: &Pattern, after: &mut Aftermath<T, W>) -> bool {
        let mut state = self.lock();
        let State { router, boxes, .. } = &mut *state;
        let mailbox = boxes.get_mut(key);
        let removed = mailbox.and_then(|mailbox| mailbox.patterns_mut().remove(pattern));
        let Some((span, seat)) = removed else { return false };
        router.remove(seat);
        state.note_detuned(key, [span], after);
        state.reconsider_senders(&[key], after);
        true
    }

    /// Takes back every pattern, of every mailbox, that `covered` names. Returns how many.
    pub fn detune_all(
        &self,
        mut covered: impl FnMut(&Pattern) -> bool,
        after: &mut Aftermath<T, W>,
    ) -> usize {
        let mut state = self.lock();
        let keys = state.boxes.keys();
        let mut removed = 0;
        for &key in &keys {
            let gone = state.detune(key, &mut covered);
            removed += gone.len();
            if !gone.is_empty() {
                state.note_detuned(key, gone, after);
            }
        }
        state.reconsider_senders(&keys, after);
        removed
    }

    /// A mailbox takes no more waves; its readers get the rest, then the end.
    pub fn finish(&self, key: Key, after: &mut Aftermath<T, W>) {
        self.lock().finish(key, after);
    }

    /// A mailbox ends at once: what waits in it is counted as abandoned.
    pub fn close(&self, key: Key, after: &mut Aftermath<T, W>) {
        self.lock().close(key, after);
    }

    /// The number under which a mailbox is counted by name; 0: with others, or not at all.
    pub fn counted_as(&self, key: Key) -> u32 {
        self.lock().boxes.get(key).map_or(0, Mailbox::counted_as)
    }

    /// Closes a mailbox and forgets it; the key is stale from here on.
    pub fn discard(&self, key: Key, after: &mut Aftermath<T, W>) {
        let mut state = self.lock();
        state.close(key, after);
        if let Some(mailbox) = state.boxes.remove(key) {
            state.outlive(key, &mailbox);
            let (received, lost) = (mailbox.received, mailbox.lost());
            state.retired.merge(lost);
            state.retired_received += received;
            if let Some(names) = &mut state.names {
                names.retire(mailbox.counted_as(), received, lost);
            }
        }
    }

    /// Whether a mailbox still takes waves.
    pub fn is_open(&self, key: Key) -> bool {
        self.lock().boxes.get(key).is_some_and(|mailbox| mailbox.phase() == BoxPhase::Open)
    }

    /// Drops what waits in every mailbox, counted as cleared. Returns how many waves.
    pub fn clear(&self, after: &mut Aftermath<T, W>) -> usize {
        let mut state = self.lock();
        let mut cleared = 0;
        let keys = state.boxes.keys();
        for &key in &keys {
            if let Some(mailbox) = state.boxes.get_mut(key) {
                let items = mailbox.empty(Reason::Cleared);
                cleared += items.len();
                after.garbage.extend(items);
            }
        }
        state.offer_rooms(keys.iter().map(|key| key.index), after);
        state.feed_all(after);
        state.stir(after);
        cleared
    }

    /// Goes on to a later phase: [`Phase::Draining`] wakes the waiting emissions that come from outside,
    /// to be refused; [`Phase::Closed`] wakes all, and closes every mailbox as well, at once or letting
    /// readers finish.
    pub fn shut(&self, phase: Phase, at_once: bool, after: &mut Aftermath<T, W>) {
        let mut state = self.lock();
        if phase <= state.phase {
            return;
        }
        state.phase = phase;
        state.note_marked();
        if phase == Phase::Closed {
            for key in state.boxes.keys() {
                if at_once {
                    state.close(key, after);
                } else {
                    state.finish(key, after);
                }
            }
        }
        state.release_senders(after);
        state.stir(after);
    }

    /// Whether the medium takes waves.
    pub fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// Whether nothing waits for a handler or for a reader that waits, and nothing is on the way.
    pub fn is_quiet(&self) -> bool {
        let state = self.lock();
        let unread = |mailbox: &Mailbox<T, W>| {
            let more = mailbox.len() > 0 || mailbox.has_unread();
            more && (mailbox.is_lane() || mailbox.waiters.len() > 0)
        };
        state.outstanding.is_empty() && !state.boxes.iter().any(|(_, mailbox)| unread(mailbox))
    }

    /// Wakes `waker` at the next change that may make the medium quiet. Returns a number for
    /// [`Self::unwatch`].
    pub fn watch(&self, waker: W) -> u64 {
        let mut state = self.lock();
        state.last_watcher += 1;
        let number = state.last_watcher;
        state.watchers.push((number, waker));
        state.note_attention();
        number
    }

    /// Takes a watcher back, if it has not been woken.
    pub fn unwatch(&self, number: u64, after: &mut Aftermath<T, W>) {
        let mut state = self.lock();
        let place = state.watchers.iter().position(|&(watcher, _)| watcher == number);
        after.spent.extend(place.map(|place| state.watchers.swap_remove(place).1));
        state.note_attention();
    }

    /// Tells the watchers that something has changed outside the core, such as a handler's end.
    pub fn stir(&self, after: &mut Aftermath<T, W>) {
        self.lock().stir(after);
    }

    /// The patterns of a mailbox as they were spelled.
    pub fn patterns(&self, key: Key) -> Vec<Pattern> {
        let state = self.lock();
        let patterns = state.boxes.get(key).map(|mailbox| mailbox.patterns().iter());
        patterns.into_iter().flatten().cloned().collect()
    }

    /// Every pattern that some mailbox resonates on, once for each mailbox.
    pub fn active_patterns(&self) -> Vec<Pattern> {
        let state = self.lock();
        let patterns = state.boxes.iter().flat_map(|(_, mailbox)| mailbox.patterns().iter());
        patterns.cloned().collect()
    }

    /// Looks at every wave and listed waker of a mailbox, for a garbage collector: `None` if somebody
    /// holds the lock.
    pub fn try_visit(
        &self,
        key: Key,
        item: &mut dyn FnMut(&T),
        waker: &mut dyn FnMut(&W),
    ) -> Option<()> {
        let state = self.state.try_lock()?;
        if let Some(mailbox) = state.boxes.get(key) {
            mailbox.for_each(item);
            mailbox.waiters.listed().for_each(waker);
        }
        Some(())
    }

    /// The same for the waker of a watcher.
    pub fn try_visit_watcher(&self, number: u64, waker: &mut dyn FnMut(&W)) -> Option<()> {
        let state = self.state.try_lock()?;
        if let Some((_, held)) = state.watchers.iter().find(|&&(watcher, _)| watcher == number) {
            waker(held);
        }
        Some(())
    }

    /// The same for the waker of a waiting emission.
    pub fn try_visit_sender(&self, ticket: Ticket, waker: &mut dyn FnMut(&W)) -> Option<()> {
        let state = self.state.try_lock()?;
        if let Some(held) = state.senders.get(&ticket).and_then(Sender::waker) {
            waker(held);
        }
        Some(())
    }
}

impl<T, W> State<T, W> {
    fn resonate(&mut self, key: Key, pattern: Pattern) -> Option<bool> {
        let Self { router, boxes, counted, outstanding, .. } = self;
        let mailbox = boxes.get_mut(key).filter(|mailbox| mailbox.phase() == BoxPhase::Open)?;
        if mailbox.patterns().contains(&pattern) {
            return Some(false);
        }
        let seat = router.insert(&pattern, key.index);
        let start = counted.sequence;
        // What was admitted before does not reach it, and may come after.
        let had_after = if outstanding.is_empty() { start } else { u64::MAX };
        mailbox.resonate((pattern, seat), start, had_after);
        Some(true)
    }

    /// The caller reconsiders the emissions that wait for this mailbox.
    fn detune(&mut self, key: Key, covered: impl FnMut(&Pattern) -> bool) -> Vec<Span> {
        let Self { router, boxes, .. } = self;
        let mut gone = Vec::new();
        if let Some(mailbox) = boxes.get_mut(key) {
            mailbox.patterns_mut().remove_all(covered, |span, seat| {
                router.remove(seat);
                gone.push(span);
            });
        }
        gone
    }

    fn finish(&mut self, key: Key, after: &mut Aftermath<T, W>) {
        let Some(mailbox) = self.boxes.get_mut(key) else { return };
        if mailbox.phase() == BoxPhase::Open {
            mailbox.stand_still(self.counted.sequence);
            mailbox.close_books(self.counted.sequence);
            mailbox.set_phase(BoxPhase::Closing);
            after.wakes.extend(mailbox.waiters.wake_all());
            self.detune(key, |_| true);
            self.reconsider_senders(&[key], after);
            self.catch_up(key, after);
        }
    }

    fn close(&mut self, key: Key, after: &mut Aftermath<T, W>) {
        self.finish(key, after);
        self.stop_reading(key);
        let Some(mailbox) = self.boxes.get_mut(key) else { return };
        mailbox.set_phase(BoxPhase::Closed);
        after.garbage.extend(mailbox.empty(Reason::Abandoned));
        after.wakes.extend(mailbox.waiters.wake_all());
        self.stir(after);
    }

    /// Lets go of what time has removed from a mailbox, and offers the room.
    fn purge(&mut self, key: Key, after: &mut Aftermath<T, W>) {
        if self.boxes.get(key).is_some() && self.purge_only(key.index, after) {
            self.offer_room(key.index, after);
        }
    }

    /// The same without the offer; whether anything went.
    fn purge_only(&mut self, index: u32, after: &mut Aftermath<T, W>) -> bool {
        let Some(mailbox) = self.boxes.at_mut(index) else { return false };
        let gone = mailbox.purge(&self.clock, &mut after.garbage);
        if gone {
            note_episode(mailbox, &mut after.episodes);
            let key = self.boxes.key_at(index);
            self.feed(key, after);
            self.stir(after);
        }
        gone
    }

    #[inline]
    fn stir(&mut self, after: &mut Aftermath<T, W>) {
        if !self.watchers.is_empty() {
            after.wakes.extend(self.watchers.drain(..).map(|(_, waker)| waker));
            self.note_attention();
        }
    }
}

/// Collects the log line of a mailbox that has begun to lose waves.
fn note_episode<T, W>(mailbox: &mut Mailbox<T, W>, episodes: &mut Vec<Episode>) {
    if let Some(reason) = mailbox.begun_losing() {
        episodes.push(Episode { name: Arc::clone(mailbox.name()), reason });
    }
}
