//! Waves that stand ahead of a mailbox's queue: the last ones of the channels that it has just come to resonate on.
//!
//! Contract:
//! - They leave before whatever waits in the queue, in the order in which they were put here, under every order.
//! - They take no room: no policy lets them go for another wave, and nobody waits for their place.
//! - Time does: what is expired, or under `fresh` below the noise floor, is lost as it is in the queue. A wave fades
//!   from the moment it was put here.
//! - One that is taken back stands where it stood.

use std::collections::VecDeque;

use super::queue::Rank;
use super::{Arrival, Mailbox, Order, Taken};
use crate::clock::Clock;
use crate::reason::Reason;

/// The arrival of what did not arrive in the queue. Its key is its place here.
const AHEAD: u64 = u64::MAX;

/// A wave that stands ahead.
#[derive(Debug)]
pub(super) struct Early<T> {
    item: T,
    place: u64,
    /// The monotonic second after which it is expired; infinite without a ttl.
    expires: f64,
    /// How loud it is for good, see [`crate::decay::Fading`].
    loudness: f64,
}

/// Those of one mailbox, the first to leave first.
#[derive(Debug)]
pub(super) struct Ahead<T> {
    waves: VecDeque<Early<T>>,
    /// The next place.
    places: u64,
}

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Self { waves: VecDeque::new(), places: 0 }
    }
}

impl<T> Ahead<T> {
    pub(super) fn len(&self) -> usize {
        self.waves.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.waves.iter().map(|early| &early.item)
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.waves.drain(..).map(|early| early.item)
    }
}

impl<T, W> Mailbox<T, W> {
    /// Puts a wave ahead of the queue, behind those that stand there already.
    pub(crate) fn put_ahead(&mut self, item: T, wave: &Arrival<'_>, clock: &Clock) {
        let place = self.rest.ahead.places;
        self.rest.ahead.places += 1;
        self.comes(&item);
        let early = self.early(item, wave, place, clock);
        self.rest.ahead.waves.push_back(early);
        self.note_ahead();
    }

    fn early(&self, item: T, wave: &Arrival<'_>, place: u64, clock: &Clock) -> Early<T> {
        let loudness = self.rest.fading.loudness(wave.amplitude, clock.monotonic());
        Early { item, place, expires: wave.expires, loudness }
    }

    /// The first of them that time has left, with its rank and how many were lost before it.
    #[cold]
    pub(super) fn take_ahead(
        &mut self,
        clock: &Clock,
        garbage: &mut impl Extend<T>,
    ) -> Option<Taken<T>> {
        let over = self.over(clock);
        while let Some(early) = self.rest.ahead.waves.pop_front() {
            self.note_ahead();
            self.goes(&early.item);
            if let Some(reason) = over(&early) {
                self.lose(reason, 0);
                garbage.extend([early.item]);
                continue;
            }
            self.received += 1;
            let missed = if self.losses { self.report_losses(0) } else { 0 };
            let rank = Rank { key: early.place, arrival: AHEAD };
            return Some(Taken { item: early.item, rank, missed });
        }
        None
    }

    /// Why time has removed a wave by now, if it has.
    fn over(&self, clock: &Clock) -> impl Fn(&Early<T>) -> Option<Reason> + use<T, W> {
        let now = clock.monotonic();
        let fades = self.rest.order == Order::Fresh && self.noise_floor > 0.0;
        let threshold = self.rest.fading.threshold(self.noise_floor, now);
        move |early| match early {
            _ if early.expires < now => Some(Reason::Expired),
            _ if fades && early.loudness < threshold => Some(Reason::Faded),
            _ => None,
        }
    }

    /// Whether a wave that was taken had stood here.
    pub(super) fn was_ahead(rank: Rank) -> bool {
        rank.arrival == AHEAD
    }

    /// Puts one back that was taken.
    pub(super) fn put_back_ahead(
        &mut self,
        item: T,
        wave: &Arrival<'_>,
        rank: Rank,
        clock: &Clock,
    ) {
        self.comes(&item);
        let early = self.early(item, wave, rank.key, clock);
        let waves = &mut self.rest.ahead.waves;
        waves.insert(waves.partition_point(|known| known.place < rank.key), early);
        self.note_ahead();
    }

    /// Lets go of what is expired or faded by now.
    #[cold]
    pub(super) fn purge_ahead(&mut self, clock: &Clock, garbage: &mut impl Extend<T>) -> bool {
        let over = self.over(clock);
        let before = self.rest.ahead.len();
        for early in std::mem::take(&mut self.rest.ahead.waves) {
            match over(&early) {
                None => self.rest.ahead.waves.push_back(early),
                Some(reason) => {
                    self.goes(&early.item);
                    self.lose(reason, 0);
                    garbage.extend([early.item]);
                }
            }
        }
        self.note_ahead();
        self.rest.ahead.len() < before
    }

    /// Whether by its patterns it has this wave, had it, or will have it without being given it.
    pub(crate) fn has_had(&self, channel: &str, sequence: u64) -> bool {
        self.rest.patterns.spans().any(|span| {
            // Nobody knows which it has had: rather twice than never.
            let known = span.had_after < u64::MAX;
            let had = known && (span.start < sequence || span.had_after < sequence);
            (had || span.last) && span.pattern.matches(channel)
        })
    }

    /// Tells whoever takes whether waves stand here.
    pub(super) fn note_ahead(&mut self) {
        self.ahead = self.rest.ahead.len() > 0;
        self.note_care();
    }

    /// Tells whoever takes whether there is something to see to.
    pub(super) fn note_care(&mut self) {
        self.queue.note_care(self.ahead || self.is_counted());
    }
}
