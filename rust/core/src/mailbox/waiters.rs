//! The readers that wait at a mailbox.
//!
//! A waiter is *listed* until a wave wakes it, then *woken* until its task resumes. It leaves in exactly
//! one way: [`Waiters::leave`] says in which state it was, and a woken one that leaves without taking
//! anything passes its wake-up on.
//!
//! A waiter *wants* so many waves, and is not woken for fewer. Each wave that makes the queue longer wakes
//! one waiter that has enough by now, if there is one. So while a waiter that wants w waves is listed and
//! n >= w lie there, at least n - w + 1 others are on their way to them.

use std::collections::VecDeque;

use smallvec::SmallVec;

/// Names a waiter of one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaiterId(u64);

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Waiters<W> {
    listed: VecDeque<Waiter<W>>,
    /// Woken and not resumed yet.
    woken: SmallVec<[WaiterId; 2]>,
    next: u64,
}

#[derive(Debug)]
struct Waiter<W> {
    id: WaiterId,
    want: usize,
    waker: W,
}

/// How a waiter left.
#[derive(Debug)]
pub(crate) enum Left<W> {
    /// Nobody had woken it; its waker comes back unused.
    Listed(W),
    Woken,
}

impl<W> Waiters<W> {
    pub(crate) fn new() -> Self {
        Self { listed: VecDeque::new(), woken: SmallVec::new(), next: 0 }
    }

    pub(crate) fn join(&mut self, waker: W, want: usize) -> WaiterId {
        self.next += 1;
        let id = WaiterId(self.next);
        self.listed.push_back(Waiter { id, want, waker });
        id
    }

    /// The longest-waiting listed reader for which `waiting` waves are enough, to be woken after the lock.
    #[inline]
    pub(crate) fn wake_one(&mut self, waiting: usize) -> Option<W> {
        let place = self.listed.iter().position(|waiter| waiter.want <= waiting)?;
        let Waiter { id, waker, .. } = self.listed.remove(place)?;
        self.woken.push(id);
        Some(waker)
    }

    /// Every listed reader, to be woken after the lock.
    pub(crate) fn wake_all(&mut self) -> impl Iterator<Item = W> + '_ {
        self.woken.extend(self.listed.iter().map(|waiter| waiter.id));
        self.listed.drain(..).map(|waiter| waiter.waker)
    }

    pub(crate) fn leave(&mut self, id: WaiterId) -> Left<W> {
        // Ids grow along the list.
        let place = self.listed.binary_search_by_key(&id.0, |waiter| waiter.id.0);
        if let Some(Waiter { waker, .. }) = place.ok().and_then(|place| self.listed.remove(place)) {
            return Left::Listed(waker);
        }
        self.woken.retain(|woken| *woken != id);
        Left::Woken
    }

    /// Whether anybody is listed, to be woken.
    #[inline]
    pub(crate) fn has_listed(&self) -> bool {
        !self.listed.is_empty()
    }

    /// Readers that wait, the woken ones included.
    pub(crate) fn len(&self) -> usize {
        self.listed.len() + self.woken.len()
    }

    pub(crate) fn listed(&self) -> impl Iterator<Item = &W> {
        self.listed.iter().map(|waiter| &waiter.waker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_for_whom_it_is_enough_is_woken() {
        let mut waiters = Waiters::new();
        let many = waiters.join("many", 3);
        let one = waiters.join("one", 1);
        waiters.join("last", 1);
        assert_eq!(waiters.wake_one(1), Some("one"));
        assert_eq!(waiters.wake_one(3), Some("many"));
        assert_eq!((waiters.len(), waiters.listed().count()), (3, 1));
        assert!(matches!(waiters.leave(one), Left::Woken));
        assert!(matches!(waiters.leave(many), Left::Woken));
        assert_eq!(waiters.wake_one(0), None);
        assert_eq!(waiters.len(), 1);
    }

    #[test]
    fn leaving_from_the_middle_gives_the_waker_back() {
        let mut waiters = Waiters::new();
        let ids = ["a", "b", "c"].map(|waker| waiters.join(waker, 1));
        assert!(matches!(waiters.leave(ids[1]), Left::Listed("b")));
        assert_eq!(waiters.wake_all().collect::<Vec<_>>(), ["a", "c"]);
        assert!(matches!(waiters.leave(ids[2]), Left::Woken));
        assert!(matches!(waiters.leave(ids[0]), Left::Woken));
        assert_eq!(waiters.len(), 0);
    }
}
