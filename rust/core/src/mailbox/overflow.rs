//! How a wave enters a mailbox, and what a full one lets go for it.

use super::queue::Mark;
use super::{Mailbox, Overflow};
use crate::clock::Clock;
use crate::reason::Reason;

/// A wave on its way into mailboxes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) channel: &'a str,
    pub(crate) amplitude: f64,
    pub(crate) priority: f64,
    /// The monotonic second after which it is expired; infinite without a ttl.
    pub(crate) expires: f64,
}

impl Arrival<'_> {
    /// Whether it has no ttl.
    #[inline]
    pub(crate) fn is_immortal(&self) -> bool {
        self.expires == f64::INFINITY
    }
}

/// Which wave a full mailbox would let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Newcomer(Reason),
    Another,
}

impl<T, W> Mailbox<T, W> {
    /// What [`Self::put`] would let go because the mailbox is full.
    pub(crate) fn victim(&self, wave: &Arrival<'_>, clock: &Clock) -> Option<Victim> {
        if !self.is_stuffed() || self.is_outdated(clock) {
            return None;
        }
        let mark = self.mark(wave, clock);
        match self.overflow {
            Overflow::Block | Overflow::Error | Overflow::Replay => None,
            Overflow::DropNewest => Some(Victim::Newcomer(Reason::Full)),
            Overflow::DropFaintest if !self.queue.has_fainter(&mark) => {
                Some(Victim::Newcomer(Reason::Faintest))
            }
            Overflow::Conflate if self.queue.holds(wave.channel) => None,
            Overflow::DropOldest | Overflow::DropFaintest | Overflow::Conflate => {
                Some(Victim::Another)
            }
        }
    }

    #[inline]
    fn mark<'a>(&self, wave: &Arrival<'a>, clock: &Clock) -> Mark<'a> {
        let loudness = || self.rest.fading.loudness(wave.amplitude, clock.monotonic());
        let Arrival { channel, amplitude, priority, expires } = *wave;
        Mark { key: self.queue.key(priority, loudness), amplitude, expires, channel }
    }

    /// Adds a wave without a ttl, if it only joins a line or a heap that has room; false: nothing has
    /// happened. `amplitude_key` is its key where amplitudes count.
    #[inline]
    pub(crate) fn append(&mut self, amplitude_key: u64, item: impl FnOnce() -> T) -> bool {
        debug_assert!(!self.is_counted(), "what is counted takes the longer way");
        self.queue.append(amplitude_key, self.capacity, item)
    }

    /// Puts a wave in. `Err` says why this very wave was let go; what else goes, goes to `garbage`.
    /// The caller has made sure that a mailbox that blocks or refuses has room.
    #[inline]
    pub(crate) fn put(
        &mut self,
        item: T,
        wave: &Arrival<'_>,
        clock: &Clock,
        garbage: &mut impl Extend<T>,
    ) -> Result<(), Reason> {
        let mark = self.mark(wave, clock);
        if mark.expires < f64::INFINITY && mark.expires < clock.monotonic() {
            return Err(self.refuse(item, Reason::Expired, garbage));
        }
        if self.overflow == Overflow::Conflate {
            self.conflate(item, &mark, clock, garbage);
            return Ok(());
        }
        if self.queue.len() >= self.capacity {
            self.purge_queue(clock, garbage);
        }
        if self.queue.len() >= self.capacity {
            match self.overflow {
                // The medium has checked that there is room, or the wave is owed.
                Overflow::Block | Overflow::Error | Overflow::Replay | Overflow::Conflate => {}
                Overflow::DropNewest => return Err(self.refuse(item, Reason::Full, garbage)),
                Overflow::DropOldest => {
                    let oldest = self.queue.pop_oldest();
                    self.let_go(oldest, Reason::Oldest, garbage);
                }
                Overflow::DropFaintest => match self.queue.pop_fainter(&mark) {
                    None => return Err(self.refuse(item, Reason::Faintest, garbage)),
                    fainter => self.let_go(fainter, Reason::Faintest, garbage),
                },
            }
        }
        self.comes(&item);
        self.queue.push(item, &mark);
        Ok(())
    }

    fn conflate(&mut self, item: T, mark: &Mark<'_>, clock: &Clock, garbage: &mut impl Extend<T>) {
        self.purge_queue(clock, garbage);
        self.comes(&item);
        match self.queue.replace(item, mark) {
            Ok(replaced) => self.let_go(Some(replaced), Reason::Conflated, garbage),
            Err(item) => {
                if self.queue.len() >= self.capacity {
                    let oldest = self.queue.pop_oldest();
                    self.let_go(oldest, Reason::Oldest, garbage);
                }
                self.queue.push(item, mark);
            }
        }
    }

    fn refuse(&mut self, item: T, reason: Reason, garbage: &mut impl Extend<T>) -> Reason {
        self.lose(reason, self.queue.arrivals());
        garbage.extend([item]);
        reason
    }

    fn let_go(&mut self, gone: Option<(T, u64)>, reason: Reason, garbage: &mut impl Extend<T>) {
        if let Some((item, arrival)) = gone {
            self.goes(&item);
            self.lose(reason, arrival);
            garbage.extend([item]);
        }
    }
}
