//! A mailbox that is behind: what it has not seen stands in the journal, and comes from there.
//!
//! ```text
//! journal    ... 41  42  43  44  45  46  47  48  49   50   (next)
//!                    |                       |
//!                 position: all up to here   target: all up to here
//!                 has been looked at         has to be
//! ```
//! Contract:
//! - It is behind from a full queue on under [`Overflow::Replay`], or from any earlier place that it asks for.
//! - While it is, deliveries pass it by: they need no room, and move the target on. Batches from the journal go into
//!   its queue, which they never overfill. As it acts, it is a `replay` without any room; how it was made counts again
//!   once it has looked at all up to the target.
//! - Each pattern counts for waves after a sequence of its own.
//! - An emission that was admitted before a pattern was asked for does not know of this mailbox. As long as one is
//!   out, the mailbox stays behind: what such an emission delivers, it reads.
//! - A closing mailbox reads up to its last wave, and is at its end then. A closed one reads nothing.

use super::resonances::{Span, wanted};
use super::{Mailbox, Overflow, Phase};
use crate::channel::Pattern;
use crate::clock::Clock;
use crate::router::Seat;

/// What a mailbox still has to look at.
#[derive(Debug)]
pub(super) struct Behind {
    position: u64,
    target: u64,
    /// The emissions admitted up to this age do not know of it, if there are any.
    strangers: Option<u64>,
    /// None of its waves comes before this one.
    from: u64,
    /// Patterns that are there no more, by which it has had waves that lie before it again.
    over: Vec<Span>,
    /// What counts for a mailbox that takes no more.
    books: Option<Books>,
}

/// What a closing mailbox has still to get.
#[derive(Debug)]
struct Books {
    /// Its patterns, and for which waves they count.
    spans: Vec<Span>,
    /// The last wave that they count for.
    until: u64,
    /// Later ones, which were admitted before.
    owed: Vec<u64>,
}

/// What a wave did that is not put into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// It stands in the journal, for a mailbox that was behind.
    By,
    /// The same, and the mailbox is behind from it on.
    First,
}

impl<T, W> Mailbox<T, W> {
    pub(crate) fn is_behind(&self) -> bool {
        self.rest.behind.is_some()
    }

    /// A wave passes it by, if it is behind or has to be from now on; none: it goes into the queue, as one that stands
    /// in no journal does. To be asked if the mailbox acts as `replay`.
    #[cold]
    pub(crate) fn pass(
        &mut self,
        sequence: u64,
        clock: &Clock,
        garbage: &mut impl Extend<T>,
    ) -> Option<Passed> {
        if sequence == 0 {
            return None;
        }
        if self.rest.behind.is_none() {
            self.purge_queue(clock, garbage);
            // A closing mailbox has lost its patterns: what is owed to it goes in, whatever its room.
            if self.phase == Phase::Closing || !self.is_stuffed() {
                return None;
            }
            self.fall_behind(sequence - 1);
            self.pass_on_disk(sequence);
            return Some(Passed::First);
        }
        self.pass_on_disk(sequence);
        Some(Passed::By)
    }

    fn pass_on_disk(&mut self, sequence: u64) {
        if let Some(behind) = &mut self.rest.behind {
            behind.target = behind.target.max(sequence);
            if let Some(books) = &mut behind.books {
                books.owed.push(sequence);
            }
        }
    }

    /// It has everything up to this sequence, and nothing behind it.
    pub(crate) fn fall_behind(&mut self, position: u64) {
        self.rest.laps += 1;
        self.rest.patterns.raise(position);
        let (strangers, from, over, books) = (None, 0, Vec::new(), None);
        self.rest.behind =
            Some(Box::new(Behind { position, target: position, strangers, from, over, books }));
        self.note_room();
    }

    /// Adds a pattern. If the mailbox falls behind, it counts for the waves after `start`, and the mailbox has had those
    /// that came after `had_after`.
    pub(crate) fn resonate(
        &mut self,
        (pattern, seat): (Pattern, Seat),
        start: u64,
        had_after: u64,
    ) {
        let born = self.rest.detuned;
        let span = Span { pattern, start, had_after, born, gone: None, last: false };
        self.rest.patterns.push(span, seat);
    }

    /// Adds a pattern that counts after a sequence of its own. `delivered` is the sequence delivered last; `strangers`
    /// the age of the youngest emission that is out.
    pub(crate) fn fall_back(
        &mut self,
        (pattern, seat): (Pattern, Seat),
        after: u64,
        delivered: u64,
        strangers: Option<u64>,
    ) {
        if !self.is_behind() {
            self.fall_behind(delivered);
        }
        let Some(behind) = &mut self.rest.behind else { return };
        if after < behind.position {
            self.rest.patterns.raise(behind.position);
            behind.position = after;
        }
        behind.target = behind.target.max(delivered);
        behind.strangers = strangers.or(behind.strangers);
        behind.from = behind.from.max(after);
        self.rest.laps += 1;
        self.resonate((pattern, seat), after, after);
    }

    /// Some of its patterns went. Without any, there is nothing to look at.
    pub(crate) fn note_detuned(&mut self, gone: impl IntoIterator<Item = Span>) {
        self.rest.detuned += 1;
        if let Some(behind) = &mut self.rest.behind {
            let again = gone.into_iter().filter(|span| span.start > behind.position);
            let gone = Some(self.rest.detuned);
            behind.over.extend(again.map(|span| Span { gone, ..span }));
        }
        let none = self.rest.patterns.iter().next().is_none();
        if let Some(behind) =
            self.rest.behind.as_mut().filter(|behind| behind.books.is_none() && none)
        {
            behind.position = behind.target;
            self.rest.laps += 1;
        }
    }

    /// It takes no more than what counts for it by now.
    pub(crate) fn close_books(&mut self, delivered: u64) {
        let spans = self.spans().cloned().collect();
        let Some(behind) = self.rest.behind.as_mut().filter(|behind| behind.books.is_none()) else {
            return;
        };
        behind.books = Some(Books { spans, until: delivered, owed: Vec::new() });
    }

    /// Emissions that do not know of it are delivered up to here. `oldest` is the age of the oldest that is out.
    /// Returns whether there are no more.
    pub(crate) fn hear_of(&mut self, delivered: u64, oldest: u64) -> bool {
        let Some(behind) = self.rest.behind.as_mut().filter(|behind| behind.books.is_none()) else {
            return true;
        };
        if behind.strangers.is_none() && behind.from == 0 {
            return true;
        }
        behind.target = behind.target.max(delivered);
        if behind.strangers.is_some_and(|age| age < oldest) {
            behind.strangers = None;
        }
        if behind.from <= delivered {
            behind.from = 0;
        }
        behind.is_settled()
    }

    /// It has all that was to come from the journal, if it has: what is delivered from now on goes into its queue
    /// again. Returns whether that is so.
    pub(crate) fn go_live(&mut self) -> bool {
        let done = |behind: &Behind| behind.position >= behind.target && behind.is_settled();
        let live = self.rest.behind.as_deref().is_some_and(done);
        if live {
            self.stop_reading();
        }
        live
    }

    /// It reads no more.
    pub(crate) fn stop_reading(&mut self) {
        self.rest.behind = None;
        self.note_room();
    }

    /// Whether something is to come from the journal.
    pub(crate) fn has_unread(&self) -> bool {
        let unread = |behind: &Behind| behind.position < behind.target;
        self.rest.behind.as_deref().is_some_and(unread)
    }

    /// Whether it is time to bring it more: its queue is at most half full, or a reader waits for more than that.
    pub(crate) fn is_hungry(&self) -> bool {
        let low = self.queue.len() <= self.rest.capacity / 2 || self.waiters.has_listed();
        self.has_unread() && low && self.room() > 0
    }

    /// Whether it was made so that it drops nothing, and has no room.
    pub(crate) fn is_out_of_room(&self) -> bool {
        let keeps =
            matches!(self.rest.overflow, Overflow::Block | Overflow::Error | Overflow::Replay);
        keeps && self.room() == 0
    }

    /// It has lost its patterns: what is delivered from now on does not concern it.
    pub(crate) fn stand_still(&mut self, delivered: u64) {
        self.rest.still.get_or_insert(delivered);
    }

    /// What was delivered up to here has been put into its queue, if it matched.
    pub(crate) fn looked_at(&self, delivered: u64) -> u64 {
        let position = self.rest.behind.as_deref().map_or(delivered, |behind| behind.position);
        position.min(self.rest.still.unwrap_or(u64::MAX))
    }

    /// How many waves may come from the journal.
    pub(crate) fn room(&self) -> usize {
        (self.rest.capacity - self.held()).saturating_sub(self.queue.len())
    }

    /// With how many waves a reader is content that wants so many: more than half is not waited for, where the rest
    /// comes later.
    #[cold]
    pub(crate) fn enough(&self, want: usize) -> usize {
        let most = self.rest.capacity;
        want.min(if self.overflow == Overflow::Replay && self.is_behind() {
            most / 2 + 1
        } else {
            most
        })
    }

    /// Where it stands, what it has to look at, and by which patterns.
    pub(crate) fn unread(&self) -> Option<Unread> {
        let behind = self.rest.behind.as_deref()?;
        let spans = match &behind.books {
            Some(books) => books.spans.clone(),
            None => self.spans().cloned().collect(),
        };
        let Behind { position, target, .. } = *behind;
        Some(Unread { position, target, spans })
    }

    fn spans(&self) -> impl Iterator<Item = &Span> {
        let over = self.rest.behind.iter().flat_map(|behind| &behind.over);
        self.rest.patterns.spans().chain(over)
    }

    /// Tells what was read apart from what has changed since.
    pub(crate) fn reading(&self) -> Reading {
        Reading { lap: self.rest.laps, detuned: self.rest.detuned }
    }

    /// Whether a wave counts that counted at that time.
    pub(crate) fn still_wants(&self, since: Reading, channel: &str, sequence: u64) -> bool {
        let Some(behind) = self.rest.behind.as_deref() else { return false };
        let same = since.detuned == self.rest.detuned;
        match &behind.books {
            None => same || wanted(self.spans(), channel, sequence),
            Some(Books { spans, until, owed }) => {
                owed.contains(&sequence)
                    || (sequence <= *until && (same || wanted(spans.iter(), channel, sequence)))
            }
        }
    }

    /// All up to here has been looked at.
    pub(crate) fn move_on(&mut self, position: u64) {
        self.rest.laps += 1;
        if let Some(behind) = &mut self.rest.behind {
            behind.position = behind.position.max(position);
            if let Some(books) = &mut behind.books {
                books.owed.retain(|&sequence| sequence > position);
            }
        }
    }

    /// Lets something be put into its queue as it was made, whether it is behind or not.
    pub(crate) fn as_made<R>(&mut self, put: impl FnOnce(&mut Self) -> R) -> R {
        (self.overflow, self.capacity) = (self.rest.overflow, self.rest.capacity - self.held());
        let done = put(self);
        self.note_room();
        done
    }

    /// How it acts: as it was made, without the room that is held; or, behind, as a `replay` without any.
    pub(super) fn note_room(&mut self) {
        let made = (self.rest.overflow, self.rest.capacity - self.held());
        let behind = (Overflow::Replay, 0);
        (self.overflow, self.capacity) = if self.is_behind() { behind } else { made };
    }
}

/// What a mailbox has to look at.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) position: u64,
    pub(crate) target: u64,
    /// By which patterns.
    pub(crate) spans: Vec<Span>,
}

/// The state of a mailbox that something was read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Grows with all that makes it worthless.
    pub(crate) lap: u64,
    /// Grows as patterns go: what was read by them does not count any more.
    detuned: u64,
}

impl Behind {
    /// Whether every emission that is out knows of it. A closing mailbox waits for those only that know.
    fn is_settled(&self) -> bool {
        self.books.is_some() || (self.strangers.is_none() && self.from == 0)
    }
}
