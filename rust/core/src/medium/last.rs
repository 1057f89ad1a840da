//! The last wave of each channel: asked for, or what a reader begins with.
//!
//! Contract:
//! - The last wave of a channel is the one of the highest sequence that was delivered on it, heard or not. One that is
//!   expired by now is nobody's last wave any more, and none takes its place.
//! - [`Medium::resonate_last`] looks at what is retained and begins to resonate in one critical section: what was
//!   delivered before is among the last waves or older than one of them, what comes later is live.
//! - [`Medium::resonate_last_behind`] is given the last waves up to a sequence, and the mailbox reads on from there.
//! - Last waves stand ahead of the queue (`mailbox/ahead.rs`). Those that the mailbox has by a pattern that it resonates
//!   on already, that are under its noise floor, or its owner's own, are not among them.

use super::retained::{Kept, RETAINED, Retained};
use super::{Aftermath, BoxPhase, Carry, Emission, Key, Medium, Read, State};
use crate::channel::Pattern;
use crate::mailbox::{Arrival, Mailbox};
use crate::sync::RawLock;

/// The last wave of a channel.
#[derive(Debug)]
pub struct Last<T> {
    /// Its sequence.
    pub sequence: u64,
    /// Who has emitted it.
    pub emitter: u64,
    /// Itself.
    pub item: T,
}

impl<T, W, R: RawLock> Medium<T, W, R> {
    /// From now on, the last wave of each channel that one of these patterns takes is retained, of so many channels at
    /// most. To be called once, before anything is emitted.
    pub fn retain(&self, patterns: Vec<Pattern>, most: usize) {
        let mut state = self.lock();
        let mut different: Vec<&Pattern> = patterns.iter().collect();
        different.sort_by_key(|pattern| pattern.canonical());
        different.dedup_by_key(|pattern| pattern.canonical());
        for pattern in different {
            state.router.insert(pattern, RETAINED);
        }
        state.retained = Some(Box::new(Retained::new(patterns, most)));
    }

    /// Whether the last wave of every channel of a pattern is retained.
    pub fn retains(&self, pattern: &Pattern) -> bool {
        self.lock().retained.as_ref().is_some_and(|retained| retained.covers(pattern))
    }

    /// What is retained, as it was spelled.
    pub fn retained_patterns(&self) -> Vec<Pattern> {
        self.lock().retained.as_ref().map_or_else(Vec::new, |retained| retained.patterns.clone())
    }

    /// The retained last waves of the channels that some of these patterns take, by rising sequences.
    pub fn last(&self, patterns: &[Pattern], carry: &impl Carry<T>) -> Vec<Last<T>> {
        let state = self.lock();
        let Some(retained) = &state.retained else { return Vec::new() };
        let now = state.clock.monotonic();
        let alive = retained.of(patterns).filter(|kept| kept.expires >= now);
        let last = |kept: &Kept<T>| {
            let &Kept { sequence, emitter, ref item, .. } = kept;
            Last { sequence, emitter, item: carry.share(item) }
        };
        alive.map(last).collect()
    }

    /// Resonates a mailbox on patterns, beginning with the retained last waves. Returns on how many; those that it
    /// resonates on already change nothing. `None` if it is closed.
    pub fn resonate_last(
        &self,
        key: Key,
        patterns: &[Pattern],
        carry: &impl Carry<T>,
        after: &mut Aftermath<T, W>,
    ) -> Option<usize> {
        let mut state = self.lock();
        let fresh = state.fresh(key, patterns)?;
        let State { boxes, retained, clock, .. } = &mut *state;
        let mailbox = boxes.get_mut(key)?;
        let now = clock.monotonic();
        for kept in retained.iter().flat_map(|retained| retained.of(&fresh)) {
            let arrival = kept.arrival();
            if kept.expires >= now && begins_with(mailbox, &arrival, kept.emitter, kept.sequence) {
                mailbox.put_ahead(carry.share(&kept.item), &arrival, clock);
                after.wakes.extend(mailbox.wake_one());
            }
        }
        for pattern in &fresh {
            state.resonate(key, pattern.clone());
            state.note_last(key, pattern);
        }
        Some(fresh.len())
    }

    /// The same where the last waves up to a sequence were looked for elsewhere, and what comes after it stands in a
    /// journal. `lasts`: by rising sequences.
    pub fn resonate_last_behind(
        &self,
        key: Key,
        patterns: &[Pattern],
        after_sequence: u64,
        lasts: Vec<Read<'_, T>>,
        after: &mut Aftermath<T, W>,
    ) -> Option<usize> {
        let mut state = self.lock();
        let fresh = state.fresh(key, patterns);
        let State { boxes, clock, .. } = &mut *state;
        let mut mailbox = boxes.get_mut(key).filter(|_| fresh.is_some());
        let asked = fresh.as_deref().unwrap_or_default();
        let now = clock.monotonic();
        for Read { emission, sequence, item } in lasts {
            let arrival = emission.arrival(clock);
            let begins = |mailbox: &Mailbox<T, W>| {
                asked.iter().any(|pattern| pattern.matches(arrival.channel))
                    && arrival.expires >= now
                    && begins_with(mailbox, &arrival, emission.emitter, sequence)
            };
            let begins = mailbox.as_deref().is_some_and(begins);
            match mailbox.as_deref_mut().filter(|_| begins) {
                None => after.garbage.push(item),
                Some(mailbox) => {
                    mailbox.put_ahead(item, &arrival, clock);
                    after.wakes.extend(mailbox.wake_one());
                }
            }
        }
        let fresh = fresh?;
        for pattern in &fresh {
            state.resonate_behind(key, pattern.clone(), after_sequence, after);
            state.note_last(key, pattern);
        }
        Some(fresh.len())
    }

    /// Lets go of all that is retained, and retains nothing any more.
    pub fn retain_no_more(&self, after: &mut Aftermath<T, W>) {
        let mut state = self.lock();
        let retained = state.retained.take();
        after.garbage.extend(retained.into_iter().flat_map(|retained| retained.into_items()));
    }

    /// Looks at every retained wave, for a garbage collector: `None` if somebody holds the lock.
    pub fn try_visit_retained(&self, item: &mut dyn FnMut(&T)) -> Option<()> {
        let state = self.state.try_lock()?;
        let all = state.retained.iter().flat_map(|retained| retained.iter());
        all.for_each(|kept| item(&kept.item));
        Some(())
    }
}

/// Whether a last wave is one that a mailbox begins with.
fn begins_with<T, W>(
    mailbox: &Mailbox<T, W>,
    wave: &Arrival<'_>,
    emitter: u64,
    sequence: u64,
) -> bool {
    mailbox.accepts(wave.amplitude, emitter) && !mailbox.has_had(wave.channel, sequence)
}

/// Keeps a wave that was delivered, and lets go of the one before it.
#[inline(never)]
pub(super) fn keep<T, W>(
    retained: &mut Option<Box<Retained<T>>>,
    (emission, arrival): (&Emission<'_>, &Arrival<'_>),
    sequence: u64,
    item: impl FnOnce() -> T,
    after: &mut Aftermath<T, W>,
) {
    // Two of the patterns may take one channel.
    if let Some(retained) = retained.as_mut().filter(|one| one.last() != Some(sequence)) {
        after.garbage.extend(retained.keep(arrival, emission.emitter, sequence, item()));
    }
}

impl<T, W> State<T, W> {
    /// Keeps a wave as the last of its channel, if that is asked for.
    pub(super) fn keep_last(
        &mut self,
        emission: &Emission<'_>,
        sequence: u64,
        item: impl FnOnce() -> T,
        after: &mut Aftermath<T, W>,
    ) {
        if self.retained.as_ref().is_some_and(|one| one.takes(emission.channel)) {
            let arrival = emission.arrival(&self.clock);
            keep(&mut self.retained, (emission, &arrival), sequence, item, after);
        }
    }

    /// Those of some patterns that an open mailbox does not resonate on, each once; `None` if it is closed.
    fn fresh(&self, key: Key, patterns: &[Pattern]) -> Option<Vec<Pattern>> {
        let mailbox = self.boxes.get(key).filter(|mailbox| mailbox.phase() == BoxPhase::Open)?;
        let mut fresh = Vec::<Pattern>::new();
        for pattern in patterns {
            let same = |known: &Pattern| known.canonical() == pattern.canonical();
            if !mailbox.patterns().contains(pattern) && !fresh.iter().any(same) {
                fresh.push(pattern.clone());
            }
        }
        Some(fresh)
    }

    fn note_last(&mut self, key: Key, pattern: &Pattern) {
        if let Some(mailbox) = self.boxes.get_mut(key) {
            mailbox.patterns_mut().note_last(pattern);
        }
    }
}
