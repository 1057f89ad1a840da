//! The readers that wait at a mailbox.
//!
//! A waiter is *listed* until a wave wakes it, then *woken* until its task resumes. It leaves in exactly
//! one way: [`Waiters::leave`] says in which state it was, and a woken one that leaves without taking
//! anything passes its wake-up on.

use std::collections::VecDeque;

use smallvec::SmallVec;

/// Names a waiter of one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaiterId(u64);

#[derive(Debug)]
pub(crate) struct Waiters<W> {
    listed: VecDeque<(WaiterId, W)>,
    /// Woken and not resumed yet.
    woken: SmallVec<[WaiterId; 2]>,
    next: u64,
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

    pub(crate) fn join(&mut self, waker: W) -> WaiterId {
        self.next += 1;
        let id = WaiterId(self.next);
        self.listed.push_back((id, waker));
        id
    }

    /// The longest-waiting listed reader, to be woken after the lock.
    #[inline]
    pub(crate) fn wake_one(&mut self) -> Option<W> {
        let (id, waker) = self.listed.pop_front()?;
        self.woken.push(id);
        Some(waker)
    }

    /// Every listed reader, to be woken after the lock.
    pub(crate) fn wake_all(&mut self) -> impl Iterator<Item = W> + '_ {
        self.woken.extend(self.listed.iter().map(|&(id, _)| id));
        self.listed.drain(..).map(|(_, waker)| waker)
    }

    pub(crate) fn leave(&mut self, id: WaiterId) -> Left<W> {
        // Ids grow along the list.
        let place = self.listed.binary_search_by_key(&id.0, |(listed, _)| listed.0);
        if let Some((_, waker)) = place.ok().and_then(|place| self.listed.remove(place)) {
            return Left::Listed(waker);
        }
        self.woken.retain(|woken| *woken != id);
        Left::Woken
    }

    /// Readers that wait, the woken ones included.
    pub(crate) fn len(&self) -> usize {
        self.listed.len() + self.woken.len()
    }

    pub(crate) fn listed(&self) -> impl Iterator<Item = &W> {
        self.listed.iter().map(|(_, waker)| waker)
    }
}
