//! Mailboxes that are behind are refilled from the journal, by one thread of the medium's owner.
//!
//! ```text
//! loop:  next_hungry(waker)      a mailbox that is behind and has room, each in turn; or none: the waker is kept
//!        read the journal        what the mailbox wants, from its position on, as many waves as it has room for
//!        refill(hungry, ...)     into its queue, in the order of the journal, and its position moves
//! ```
//! Contract:
//! - Nobody waits for the disk: what is delivered meanwhile passes the mailbox by, and is read in a later round. When
//!   a refill has brought all, the mailbox is live again, in the same critical section: there is no gap between the
//!   two, and nothing comes twice.
//! - A [`Hungry`] is good for one [`Medium::refill`], at once or late. If anything has changed that makes what was read
//!   the wrong waves, the refill does nothing, and the mailbox is hungry still.
//! - The waker that is kept is woken as soon as a mailbox is hungry: it falls behind, a reader takes, waves are cleared
//!   or expire, room that was held is free, or there is more to read. It is kept by one thread at a time.
//! - Waves that were delivered once and come from the journal are not counted as delivered again.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Aftermath, Carry, Emission, Key, Medium, State, note_episode};
use crate::channel::Pattern;
use crate::mailbox::{Mailbox, Phase as BoxPhase, Reading, Span, Unread, wanted};
use crate::sync::RawLock;

/// Who is to be refilled, and by whom.
#[derive(Debug)]
pub(super) struct Refills<W> {
    /// The mailboxes that are behind: the next to be asked first.
    behind: VecDeque<Key>,
    /// Those of them that not all emissions know of which are out.
    unsettled: Vec<Key>,
    /// Who refills them, while it waits.
    waiting: Option<W>,
    /// Whether somebody but its reader is concerned when a wave is taken: who watches the medium, or refills.
    pub(super) attentive: bool,
}

impl<W> Refills<W> {
    pub(super) fn new() -> Self {
        Self { behind: VecDeque::new(), unsettled: Vec::new(), waiting: None, attentive: false }
    }

    /// This mailbox is behind.
    pub(super) fn enroll(&mut self, key: Key) {
        if !self.behind.contains(&key) {
            self.behind.push_back(key);
            self.attentive |= self.waiting.is_some();
        }
    }

    fn dismiss(&mut self, key: Key) {
        self.behind.retain(|&one| one != key);
        self.unsettled.retain(|&one| one != key);
    }
}

/// A mailbox that has room for waves from the journal, and which ones.
#[derive(Clone, Debug)]
pub struct Hungry {
    /// Which.
    pub key: Key,
    /// All waves up to this sequence have been looked at.
    pub position: u64,
    /// To be read up to this sequence, and not beyond.
    pub delivered: u64,
    /// What it resonates on, each with the sequence after which it counts. [`Self::wants`] says it for one wave.
    pub patterns: Vec<(Pattern, u64)>,
    /// How many waves it has room for.
    pub room: usize,
    /// Fainter waves do not match.
    pub noise_floor: f64,
    /// Waves of this emitter do not match; 0: all do.
    pub ignored: u64,
    spans: Vec<Span>,
    reading: Reading,
}

impl Hungry {
    /// Whether a wave of the journal is to be brought.
    pub fn wants(&self, channel: &str, amplitude: f64, emitter: u64, sequence: u64) -> bool {
        self.position < sequence
            && sequence <= self.delivered
            && amplitude >= self.noise_floor
            && (self.ignored == 0 || self.ignored != emitter)
            && wanted(self.spans.iter(), channel, sequence)
    }
}

/// A wave that was read from the journal.
#[derive(Debug)]
pub struct Read<'a, T> {
    /// Its numbers; the lifetime is what is left of it.
    pub emission: Emission<'a>,
    /// Its place in the journal.
    pub sequence: u64,
    /// Itself.
    pub item: T,
}

/// What a refill did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refilled {
    /// How many waves went into the mailbox; those that had expired included.
    pub put: usize,
    /// Whether it is behind no more.
    pub live: bool,
}

/// What no mailbox of a medium has to read from the journal any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadByAll {
    /// All up to this sequence was delivered. Whoever falls behind from now on has to read later ones only.
    pub delivered: u64,
    /// The mailbox that is furthest behind, and up to where it has looked; `None`: none is behind.
    pub furthest: Option<(Arc<str>, u64)>,
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// What may go from the journal without a loss to the mailboxes that there are.
    pub fn read_by_all(&self) -> ReadByAll {
        let state = self.lock();
        let delivered = state.counted.sequence;
        let behind = state.boxes.refills.behind.iter().filter_map(|key| state.boxes.get(*key));
        let positions = behind
            .filter(|mailbox| mailbox.is_behind())
            .map(|mailbox| (Arc::clone(mailbox.name()), mailbox.looked_at(delivered)));
        let furthest = positions.min_by_key(|(_, position)| *position);
        ReadByAll { delivered, furthest }
    }

    /// Resonates a mailbox on a pattern, from the wave of the journal on that comes after this sequence; what it
    /// resonates on already goes on from where it is. `Some(false)` if it does resonate on the pattern already, and then
    /// nothing changes; `None` if it is closed.
    pub fn resonate_behind(
        &self,
        key: Key,
        pattern: Pattern,
        after_sequence: u64,
        after: &mut Aftermath<T, W>,
    ) -> Option<bool> {
        self.lock().resonate_behind(key, pattern, after_sequence, after)
    }

    /// The next mailbox that is behind and has room, each in its turn, and the waker back; or none, and the waker is
    /// kept, and woken as soon as there is one.
    pub fn next_hungry(&self, waker: W, after: &mut Aftermath<T, W>) -> Option<(Hungry, W)> {
        let mut state = self.lock();
        state.tell_unsettled(after);
        let State { boxes, .. } = &mut *state;
        let hungry = |key: &Key| boxes.get(*key).is_some_and(Mailbox::is_hungry);
        let Some(place) = boxes.refills.behind.iter().position(hungry) else {
            after.spent.extend(boxes.refills.waiting.replace(waker));
            state.note_attention();
            return None;
        };
        // It was the refill that was woken, and will come again.
        after.spent.extend(boxes.refills.waiting.take());
        let key = boxes.refills.behind.remove(place)?;
        boxes.refills.behind.push_back(key);
        let mailbox = boxes.get(key)?;
        let Unread { position, target: delivered, spans } = mailbox.unread()?;
        let patterns = spans.iter().filter(|span| span.gone.is_none());
        let patterns = patterns.map(|span| (span.pattern.clone(), span.start)).collect();
        let (noise_floor, ignored) = (mailbox.noise_floor(), mailbox.ignored());
        let (room, reading) = (mailbox.room(), mailbox.reading());
        let hungry = Hungry {
            key,
            position,
            delivered,
            patterns,
            room,
            noise_floor,
            ignored,
            spans,
            reading,
        };
        state.note_attention();
        Some((hungry, waker))
    }

    /// Whether a mailbox has waves to come from the journal before those that are emitted.
    pub fn is_behind(&self, key: Key) -> bool {
        self.lock().boxes.get(key).is_some_and(Mailbox::is_behind)
    }

    /// Wakes the refill, if it waits, to see for itself that the medium ends.
    pub fn rouse_refill(&self, after: &mut Aftermath<T, W>) {
        let mut state = self.lock();
        after.wakes.extend(state.boxes.refills.waiting.take());
        state.note_attention();
    }

    /// Puts waves into a mailbox that [`Hungry::wants`] them: all that there are after its position up to `position`,
    /// in the order of the journal. What finds no room will be read again. Waves that do not count any more, as the
    /// mailbox was closed or detuned meanwhile, are let go uncounted.
    pub fn refill(
        &self,
        hungry: &Hungry,
        position: u64,
        read: Vec<Read<'_, T>>,
        carry: &impl Carry<T>,
        after: &mut Aftermath<T, W>,
    ) -> Refilled {
        let mut state = self.lock();
        let State { boxes, clock, .. } = &mut *state;
        let current = boxes.get_mut(hungry.key);
        let current = current
            .filter(|mailbox| mailbox.is_behind() && mailbox.reading().lap == hungry.reading.lap);
        let Some(mailbox) = current else {
            after.garbage.extend(read.into_iter().map(|one| one.item));
            return Refilled::default();
        };
        let (mut position, mut put) = (position.min(hungry.delivered), 0);
        let mut read = read.into_iter();
        for Read { emission, sequence, item } in read.by_ref() {
            let counts = hungry.position < sequence
                && sequence <= position
                && mailbox.still_wants(hungry.reading, emission.channel, sequence);
            if counts && mailbox.room() == 0 {
                position = sequence - 1;
            }
            if !counts || mailbox.room() == 0 {
                after.garbage.push(item);
                continue;
            }
            carry.number(&item, sequence);
            let arrival = emission.arrival(clock);
            let before = mailbox.len();
            // One that has expired is counted as lost, here as anywhere.
            let _ =
                mailbox.as_made(|mailbox| mailbox.put(item, &arrival, clock, &mut after.garbage));
            put += 1;
            if mailbox.len() > before {
                after.wakes.extend(mailbox.wake_one());
            }
        }
        note_episode(mailbox, &mut after.episodes);
        mailbox.move_on(position);
        let live = state.catch_up(hungry.key, after);
        state.stir(after);
        Refilled { put, live }
    }
}

impl<T, W> State<T, W> {
    pub(super) fn resonate_behind(
        &mut self,
        key: Key,
        pattern: Pattern,
        after_sequence: u64,
        after: &mut Aftermath<T, W>,
    ) -> Option<bool> {
        let Self { router, boxes, counted, outstanding, .. } = self;
        let mailbox = boxes.get_mut(key).filter(|mailbox| mailbox.phase() == BoxPhase::Open)?;
        if mailbox.patterns().contains(&pattern) {
            return Some(false);
        }
        let seat = router.insert(&pattern, key.index);
        let strangers = outstanding.youngest();
        mailbox.fall_back((pattern, seat), after_sequence, counted.sequence, strangers);
        if !mailbox.hear_of(counted.sequence, outstanding.oldest()) {
            boxes.refills.unsettled.retain(|&one| one != key);
            boxes.refills.unsettled.push(key);
        }
        self.note_fallen(key, after);
        Some(true)
    }

    /// A mailbox is behind from now on, or further than before: it keeps no emission waiting any more.
    pub(super) fn note_fallen(&mut self, key: Key, after: &mut Aftermath<T, W>) {
        self.boxes.refills.enroll(key);
        self.reconsider_senders(&[key], after);
        self.catch_up(key, after);
    }

    /// A mailbox that has all that was to come from the journal is live; for another one, its refill is woken when it
    /// is time. Returns whether it is live.
    pub(super) fn catch_up(&mut self, key: Key, after: &mut Aftermath<T, W>) -> bool {
        let Some(mailbox) = self.boxes.get_mut(key) else { return false };
        if !mailbox.go_live() {
            self.feed(key, after);
            return false;
        }
        if mailbox.is_final() {
            after.wakes.extend(mailbox.waiters.wake_all());
        }
        self.boxes.refills.dismiss(key);
        self.note_attention();
        true
    }

    /// Wakes the refill if it waits and a mailbox is hungry.
    pub(super) fn feed(&mut self, key: Key, after: &mut Aftermath<T, W>) {
        let hungry = self.boxes.get(key).is_some_and(Mailbox::is_hungry);
        if hungry && self.boxes.refills.waiting.is_some() {
            after.wakes.extend(self.boxes.refills.waiting.take());
            self.note_attention();
        }
    }

    /// The same for all that are behind.
    pub(super) fn feed_all(&mut self, after: &mut Aftermath<T, W>) {
        for place in 0..self.boxes.refills.behind.len() {
            self.feed(self.boxes.refills.behind[place], after);
        }
    }

    /// Patterns went: what is behind without any has nothing to read.
    pub(super) fn note_detuned(
        &mut self,
        key: Key,
        gone: impl IntoIterator<Item = Span>,
        after: &mut Aftermath<T, W>,
    ) {
        let Some(mailbox) = self.boxes.get_mut(key) else { return };
        if mailbox.patterns().is_empty() {
            mailbox.stand_still(self.counted.sequence);
        }
        if mailbox.is_behind() {
            mailbox.note_detuned(gone);
            self.catch_up(key, after);
        }
    }

    /// Something was delivered or will not be: those that did not know whether it concerns them look at it.
    pub(super) fn tell_unsettled(&mut self, after: &mut Aftermath<T, W>) {
        if self.boxes.refills.unsettled.is_empty() {
            return;
        }
        let (delivered, oldest) = (self.counted.sequence, self.outstanding.oldest());
        for key in std::mem::take(&mut self.boxes.refills.unsettled) {
            let Some(mailbox) = self.boxes.get_mut(key) else { continue };
            if !mailbox.hear_of(delivered, oldest) {
                self.boxes.refills.unsettled.push(key);
            }
            self.catch_up(key, after);
        }
    }

    /// A mailbox that is behind will read no more.
    pub(super) fn stop_reading(&mut self, key: Key) {
        if let Some(mailbox) = self.boxes.get_mut(key).filter(|mailbox| mailbox.is_behind()) {
            mailbox.stop_reading();
            self.boxes.refills.dismiss(key);
            self.note_attention();
        }
    }

    pub(super) fn note_attention(&mut self) {
        let refills = &mut self.boxes.refills;
        let refill = refills.waiting.is_some() && !refills.behind.is_empty();
        refills.attentive = refill || !self.watchers.is_empty();
    }
}
